"""Accuracy of a trained network on a labelled data set, in all and per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench.data import Dataset, Images
from nasbench.data.image_files import is_deep
from nasbench.errors import InputError
from nasbench.models.description import ModelDescription
from nasbench.models.loading import TrainedModel
from nasbench.models.preprocessing import whitening_of, with_channels
from nasbench.training.augmentation import ResidentImages
from nasbench.training.loop import EVALUATION_BATCH, reproducible, score
from nasbench.training.steps import autocast

Part = Literal["test", "train", "all"]
PARTS: Final[tuple[Part, ...]] = ("test", "train", "all")


@dataclass(frozen=True, eq=False)
class ModelScores:
    """Scores of a network on labelled images.

    Args:
        classes: names of the model's classes.
        confusion: int64 [classes, classes]; entry i, j counts images of class i that are predicted as class j.
        loss: mean cross-entropy in nats.
        accuracy: share of right predictions, in [0, 1].
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    loss: float
    accuracy: float

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    def per_class(self) -> list[tuple[str, int, int, float, float, str]]:
        """Return one line per class that has images.

        Returns:
            Class, images, right ones, recall (right / images of the class), precision (right / predictions of the
            class; NaN without any), and the class that it is most often taken for ("" for none).
        """
        rows = []
        predicted = self.confusion.sum(0)
        for index, name in enumerate(self.classes):
            images, right = int(self.confusion[index].sum()), int(self.confusion[index, index])
            if not images:
                continue
            wrong = self.confusion[index].copy()
            wrong[index] = 0
            mistaken = self.classes[int(wrong.argmax())] if wrong.any() else ""
            precision = right / int(predicted[index]) if predicted[index] else float("nan")
            rows.append((name, images, right, right / images, precision, mistaken))
        return rows


def score_model(model: TrainedModel, dataset: Dataset, part: Part = "test") -> ModelScores:
    """Score a network on a data set.

    On the test images of the data that it was trained on, loss and accuracy are those of its training, to the bit on
    the same platform.

    Args:
        model: the network.
        dataset: the data; its classes are matched by name.
        part: test images, training images (validation images among them), or all.

    Returns:
        The scores.

    Raises:
        InputError: when a class is not among the model's, or the images have another size, or more than 8 bits and
            other grey levels that became 0 and 255.
    """
    description = model.description
    if dataset.size != description.image_size:
        raise InputError(
            f"data {dataset.name!r} has images of {dataset.size}x{dataset.size} pixels, and the model takes "
            f"{description.image_size}x{description.image_size}; write folder:PATH,size={description.image_size}"
        )
    _require_levels(dataset, description)
    parts = {"test": [dataset.test], "train": [dataset.train], "all": [dataset.train, dataset.test]}[part]
    labels = np.concatenate([images.labels for images in parts])
    pixels = np.concatenate([with_channels(images.pixels, description.image_channels) for images in parts])
    images = Images(pixels, _matched(dataset.classes, model.classes, dataset.name)[labels])
    place = next(model.parameters()).device
    protocol = description.protocol
    resident = ResidentImages(images, whitening_of(description), protocol.channels_last, place)
    confusion = np.zeros((len(model.classes),) * 2, np.int64)
    # Fast kernels: portable ones need a process that was started for them, and scoring needs no equal bits.
    with reproducible(place, protocol.threads):
        loss, accuracy = score(model.network, resident, protocol)
        with torch.inference_mode():
            for batch, truth in resident.batches(EVALUATION_BATCH):
                with autocast(protocol, place):
                    predicted = model.network(batch).argmax(1)
                np.add.at(confusion, (truth.cpu().numpy(), predicted.cpu().numpy()), 1)
    return ModelScores(model.classes, confusion, loss, accuracy)


_OF_8_BITS: Final = (0.0, 255.0)


def _require_levels(dataset: Dataset, description: ModelDescription) -> None:
    """Refuse images of more than 8 bits that were scaled otherwise than the images that the model was trained on."""
    found, wanted = dataset.reading.levels, description.levels or _OF_8_BITS
    if found is None or found == wanted or dataset.digest == description.data_digest:
        return
    if not any(map(is_deep, dataset.reading.modes)):  # the option levels= scales nothing here
        return
    text = "..".join(np.format_float_positional(level, trim="-") for level in wanted)
    raise InputError(
        f"data {dataset.name!r} has images of more than 8 bits, of which grey levels {found[0]:g} to {found[1]:g} became "
        f"0 to 255; of the model's training images these were {wanted[0]:g} to {wanted[1]:g}: write ,levels={text} "
        "behind the path"
    )


def _matched(there: Sequence[str], known: Sequence[str], name: str) -> NDArray[np.int64]:
    """Return the model's index of each class of the data."""
    places = {label: index for index, label in enumerate(known)}
    if strangers := [label for label in there if label not in places]:
        raise InputError(
            f"data {name!r} has {len(strangers)} class(es) that the model does not know, e.g. {strangers[0]!r}; it "
            f"knows {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}"
        )
    return np.array([places[label] for label in there], np.int64)
