"""Loading of model files: a torch module with its classes and its preprocessing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from nasbench.errors import InputError, NasbenchError
from nasbench.models.description import ModelDescription, read_description
from nasbench.models.files import MODEL, read_document
from nasbench.models.preprocessing import preprocess
from nasbench.networks.base import Network
from nasbench.training.evaluate import resolve_device

if TYPE_CHECKING:
    from nasbench.models.preprocessing import Picture

MOST_CELLS: Final = 10_000


class TrainedModel(nn.Module):
    """A trained network: whitened images in, logits out.

    Args:
        network: the network with its weights, in evaluation mode.
        description: architecture, protocol, data and scores.
    """

    def __init__(self, network: Network, description: ModelDescription) -> None:
        super().__init__()
        self.network, self.description = network, description

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; logit i is that of class i."""
        return self.description.classes

    def preprocess(self, pictures: Picture | Sequence[Picture]) -> Tensor:
        """Make the network's input of images, as the training images were read.

        Args:
            pictures: one or several of: path, Pillow image, array uint8 [height, width] or [height, width, 1 or 3].

        Returns:
            float32 [images, channels, side, side], whitened, on the network's device.

        Raises:
            DataFaults: when images cannot be read; one line per image.
        """
        several = isinstance(pictures, (list, tuple))
        given: Sequence[Picture] = pictures if several else [pictures]  # type: ignore[assignment, list-item]
        return preprocess(given, self.description, next(self.network.parameters()).device)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits.

        Args:
            images: float32 [images, channels, side, side] from `preprocess`.

        Returns:
            Logits [images, classes].
        """
        logits: Tensor = self.network(images)
        return logits


def load_model(path: str | os.PathLike[str], device: str = "cpu") -> TrainedModel:
    """Load a trained network from a model file, which `nasbench train` or `nasbench run --keep-best` made.

    The file is checked, and nothing in it is run, so a file of a stranger is safe to load.

    Args:
        path: the model file.
        device: "cpu", "cuda" or "cuda:1".

    Returns:
        A torch module in evaluation mode, with `classes`, `preprocess` and `description`.

    Raises:
        MissingData: when there is no such file.
        InputError: when the file is no model file, is damaged or contradicts itself, or the device does not exist.

    Example:
        >>> import nasbench
        >>> space = nasbench.get_space("nasbench201")
        >>> changes = {"data": "fake:images=96,size=8,classes=3", "epochs": 1}
        >>> scores = nasbench.train_model(space.decode([3, 3, 3, 1, 1, 1]), "cell.safetensors", set=changes)
        >>> model = nasbench.load_model("cell.safetensors")
        >>> model.classes
        ('class0', 'class1', 'class2')
    """
    place = resolve_device(device)
    description, weights = read_model(Path(path))
    network = build_network(description, weights, Path(path))
    network = network.to(place)
    if description.protocol.channels_last:
        network = network.to(memory_format=torch.channels_last)
    return TrainedModel(network.eval(), description).eval()


def read_model(path: Path) -> tuple[ModelDescription, dict[str, Tensor]]:
    """Read a model file without building its network.

    Args:
        path: the file.

    Returns:
        Its description and its weights, by their names in the network.

    Raises:
        MissingData: when there is no such file.
        InputError: when the file is no model file, or damaged.
    """
    document, tensors = read_document(path, MODEL)
    return read_description(document, f"model file {str(path)!r}"), tensors


def build_network(description: ModelDescription, weights: Mapping[str, Tensor], path: Path) -> Network:
    """Build the network that a file describes, and give it the file's weights.

    The parameters are counted in closed form before anything is built, so a small file cannot ask for a huge network.

    Args:
        description: description of the model.
        weights: its weights.
        path: the file, for messages.

    Returns:
        The network on the CPU.

    Raises:
        InputError: when names, shapes or types of the weights are not those of the network.
    """
    what = f"model file {str(path)!r}"
    try:
        architecture, scale = description.architecture, description.scale
        if scale.cells > MOST_CELLS:  # counting takes a time in proportion to them
            raise InputError(f"its network has {scale.cells:,} cells per stage; at most {MOST_CELLS:,} are read")
        counts = architecture.space.count(architecture, scale)
        held = sum(tensor.numel() for tensor in weights.values())
        if counts.params > held:
            raise InputError(f"its network has {counts.params:,} parameters, but the file holds {held:,} numbers")
        with torch.device("meta"):
            network = architecture.space.build(architecture, scale)
        _check_weights(network.state_dict(), weights)
        network.load_state_dict(weights, strict=True, assign=True)
    except NasbenchError as error:
        raise InputError(f"{what}: {error}") from None
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return network


def _check_weights(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    if missing := sorted(expected.keys() - weights.keys()):
        raise InputError(f"{len(missing)} weights are missing, e.g. {missing[0]!r}")
    if extra := sorted(weights.keys() - expected.keys()):
        raise InputError(f"{len(extra)} weights are not of its network, e.g. {extra[0]!r}")
    for name, tensor in expected.items():
        there = weights[name]
        if there.shape != tensor.shape or there.dtype != tensor.dtype:
            raise InputError(
                f"weight {name!r} is {there.dtype} {list(there.shape)}, and its network has {tensor.dtype} "
                f"{list(tensor.shape)}"
            )
        if there.is_floating_point() and not bool(torch.isfinite(there).all()):
            raise InputError(f"weight {name!r} has values that are no finite numbers")
