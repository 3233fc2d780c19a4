"""Networks of NAS-Bench-201 cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.base import Network
from nasbench.networks.convolutions import (
    Classifier,
    PaddedConv2d,
    SameAvgPool2d,
    SameConv2d,
    add_up,
    convolution_bn,
)
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.edge_cell_counts import live_operations
from nasbench.structures import EdgeCell, Regularization, Scale

ReductionPadding = Literal["even", "same"]
"""Padding of the 3x3 convolution of stride 2 between stages: "even" is 1 on every side, "same" is TensorFlow's SAME.

Version 1 of the space's networks had "same".
"""


def build_edge_network(
    cell: EdgeCell,
    scale: Scale,
    regularization: Regularization | None = None,
    *,
    reduction_padding: ReductionPadding = "even",
) -> Network:
    """Build the classifier that repeats a NAS-Bench-201 cell.

    Args:
        cell: its operations. Those that do not reach the output are not built.
        scale: C (`filters`), N (`cells` per stage), image and classes.
        regularization: only dropout is used; these networks have no drop-path and no auxiliary head. None for none.
        reduction_padding: "even" for the benchmark's network, "same" for version 1 of the space's networks.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when an operation reads nothing or what does not come before it, the output reads an operation that
            does not exist, or the scale has an ImageNet stem or sets `stem_filters`.
        UnknownName: when an operation has an unknown name.

    Source: Dong and Yang, arXiv 2001.00326: 3x3 convolution and BatchNorm; three stages of N cells with C, 2C and 4C
    channels, with a residual block of stride 2 between them; BatchNorm, ReLU, global average pooling, fully connected
    layer. BatchNorms have scale and shift.
    Deviation: convolutions start from normal weights of variance 2 / fan-out; the released code leaves torch's default.
    On images of odd size, the average pool in the shortcut rounds up, to fit the convolutions beside it. A convolution
    on a node that only zeros reach is not built; in the benchmark it gives the shift of its BatchNorm, a learned
    constant. This concerns 2,140 of the 15,625 cells.
    """
    require_cifar_stem(scale, "NAS-Bench-201")
    _check_cell(cell)
    return EdgeNetwork(cell, scale, regularization or Regularization(), reduction_padding)


class EdgeNetwork(Network):
    """Stem, three stages of cells with residual blocks between them, classifier.

    Args:
        cell: its operations, with possible wiring.
        scale: C, N, image channels and classes.
        regularization: only dropout is used.
        reduction_padding: padding of the 3x3 convolution of stride 2.
    """

    def __init__(
        self, cell: EdgeCell, scale: Scale, regularization: Regularization, reduction_padding: ReductionPadding
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = list(convolution_bn(scale.image_channels, scale.filters, 3))
        filters = scale.filters
        for stage in range(3):
            if stage > 0:
                layers.append(ReductionBlock(filters, reduction_padding))
                filters *= 2
            layers += [EdgeCellModule(cell, filters) for _ in range(scale.cells)]
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(filters), nn.ReLU())
        self.classifier = Classifier(filters, scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class EdgeCellModule(nn.Module):
    """One cell: each operation reads the sum of its inputs, and the output is a sum, zero if nothing reaches it.

    Args:
        cell: its operations, with possible wiring.
        channels: channels of its input and of its output.
    """

    def __init__(self, cell: EdgeCell, channels: int) -> None:
        super().__init__()
        self.cell = cell
        live = live_operations(cell)
        self.operations = nn.ModuleDict(
            {
                str(index): EDGE_OPERATIONS[operation.op](channels)
                for index, operation in enumerate(cell.operations, 1)
                if index in live
            }
        )

    def forward(self, images: Tensor) -> Tensor:
        """Apply the cell; without a path to its output the result is 0.

        Args:
            images: [batch, channels, height, width].

        Returns:
            A tensor of the same shape.
        """
        states = {0: images}
        for index, operation in enumerate(self.cell.operations, 1):
            if str(index) in self.operations:
                inputs = add_up([states[source] for source in operation.inputs])
                states[index] = self.operations[str(index)](inputs)
        ends = [states[index] for index in self.cell.out]
        return add_up(ends) if ends else torch.zeros_like(images)


class ReductionBlock(nn.Module):
    """The residual block between stages, which halves height and width and usually doubles the channels.

    Its shortcut is an average pool and a 1x1 convolution.

    Args:
        channels: input channels.
        padding: padding of the 3x3 convolution of stride 2. At even sizes, "even" and "same" read different pixels.
        outputs: output channels; None for twice the input channels.

    Source: Dong and Yang, arXiv 2001.00326, section 2.1. The benchmark's 3x3 convolutions pad 1 on every side.
    """

    def __init__(self, channels: int, padding: ReductionPadding = "even", outputs: int | None = None) -> None:
        super().__init__()
        outputs = 2 * channels if outputs is None else outputs
        convolution = PaddedConv2d if padding == "even" else SameConv2d
        self.residual = nn.Sequential(
            nn.ReLU(),
            convolution(channels, outputs, 3, 2),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            *convolution_bn(outputs, outputs, 3),
        )
        self.shortcut = convolution_bn(channels, outputs, 1)[0]

    def forward(self, images: Tensor) -> Tensor:
        """Add two convolutions, the first of stride 2, to a shortcut with an average pool.

        Args:
            images: [batch, channels, height, width].

        Returns:
            [batch, outputs, ceil(height / 2), ceil(width / 2)].
        """
        output: Tensor = self.residual(images) + self.shortcut(F.avg_pool2d(images, 2, 2, ceil_mode=True))
        return output


def _build_convolution(channels: int, kernel: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), *convolution_bn(channels, channels, kernel))


EDGE_OPERATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "nor_conv_1x1": lambda channels: _build_convolution(channels, 1),
    "nor_conv_3x3": lambda channels: _build_convolution(channels, 3),
    "avg_pool_3x3": lambda channels: SameAvgPool2d(3, 1),
}


def _check_cell(cell: EdgeCell) -> None:
    for index, operation in enumerate(cell.operations, 1):
        if operation.op not in EDGE_OPERATIONS:
            raise UnknownName("operation", operation.op, EDGE_OPERATIONS)
        if not operation.inputs or not all(0 <= source < index for source in operation.inputs):
            raise InputError(f"operation {index} reads {operation.inputs}; allowed: one or more of 0 to {index - 1}")
    if not all(0 <= source <= len(cell.operations) for source in cell.out):
        raise InputError(f"the cell's output lists {cell.out}; allowed: 0 to {len(cell.operations)}")
