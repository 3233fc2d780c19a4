"""Predictions of a trained network for image files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nasbench.data.image_files import is_hidden, readable_endings
from nasbench.errors import InputError
from nasbench.models.loading import TrainedModel
from nasbench.training.memory_errors import is_out_of_memory

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image.

    Args:
        image: path of the image.
        classes: names of the classes, the most probable first.
        probabilities: their probabilities, in [0, 1], by softmax.
    """

    image: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


def probabilities(model: TrainedModel, images: Tensor) -> Tensor:
    """Compute the probabilities of all classes in float32, batch by batch.

    Args:
        model: the network.
        images: float32 [images, channels, side, side] from `model.preprocess`.

    Returns:
        float32 [images, classes]; each row sums to 1.

    Raises:
        InputError: when a logit is no finite number, or the memory is exhausted.
    """
    model.eval()
    starts = range(0, len(images), BATCH)
    try:
        with torch.inference_mode():
            found = torch.cat([model(images[start : start + BATCH]).softmax(1) for start in starts])
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"the memory is exhausted by images of {list(images.shape[1:])} values") from None
    if not bool(torch.isfinite(found).all()):
        raise InputError("the model's results are no finite numbers: its weights or its whitening are unusable")
    return found


def predict_files(model: TrainedModel, paths: Sequence[str], top: int) -> list[Prediction]:
    """Predict the classes of image files.

    Args:
        model: the network.
        paths: image files, and folders whose image files are taken in alphabetical order; of these, hidden files and those
            in hidden folders are passed over.
        top: number of classes per image, >= 1; at most those that there are.

    Returns:
        One prediction per image.

    Raises:
        InputError: when a folder has no images.
        DataFaults: when images cannot be read; one line per image.
    """
    files = [file for path in paths for file in _images_at(path)]
    count = min(top, len(model.classes))
    found = []
    for start in range(0, len(files), BATCH):
        part = files[start : start + BATCH]
        best = probabilities(model, model.preprocess(part)).topk(count, dim=1)
        for name, values, indices in zip(part, best.values.tolist(), best.indices.tolist()):
            found.append(Prediction(name, tuple(model.classes[index] for index in indices), tuple(values)))
    return found


def _images_at(path: str) -> list[str]:
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    files = sorted(
        str(file)
        for file in folder.rglob("*")
        if file.suffix.lower() in readable_endings()
        and not any(map(is_hidden, file.relative_to(folder).parts))
        and file.is_file()
    )
    if not files:
        raise InputError(f"folder {path!r} has no image files")
    return files
