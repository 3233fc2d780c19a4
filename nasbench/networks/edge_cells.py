"""Networks of NAS-Bench-201 cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, SameAvgPool2d, SameConv2d, ValidConv2d, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.edge_cell_counts import live_operations
from nasbench.structures import EdgeCell, Regularization, Scale

ReductionPadding = Literal["even", "same"]
"""Padding of the strided 3x3 convolution between stages: 1 on every side, or TensorFlow's SAME as in this suite's version 1."""


def build_edge_network(
    cell: EdgeCell,
    scale: Scale,
    regularization: Regularization | None = None,
    *,
    reduction_padding: ReductionPadding = "even",
) -> Network:
    """Build the classifier that repeats a NAS-Bench-201 cell.

    Args:
        cell: the operations on live edges. Those that the output does not depend on are not built.
        scale: C (filters), N (cells a stage), image and classes.
        regularization: only dropout applies; this skeleton drops no paths and has no place for an auxiliary head.
        reduction_padding: "even" for the benchmark's network; "same" for that of scores which version 1 of this suite stored.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when an operation reads nothing or what comes after it, or the scale asks for the ImageNet stem.
        UnknownName: when an operation has an unknown name.

    Source: Dong and Yang, arXiv 2001.00326: 3x3 convolution and BatchNorm; three stages of N cells with C, 2C and 4C channels, a
    residual block of stride 2 between them; BatchNorm, ReLU, global average pooling, fully connected. BatchNorms have scale and shift.
    Deviation: convolutions start from normal weights of variance 2 / fan-out, where the released code leaves torch's default; on
    images of odd size the shortcut's average pool rounds up so that it fits the convolutions beside it. A convolution on a node that only
    zeros reach yields its BatchNorm's shift there, a learned constant, and is not built here; that is so in 2,140 of the 15,625 cells.
    """
    require_cifar_stem(scale, "NAS-Bench-201")
    _check_cell(cell)
    return EdgeNetwork(cell, scale, regularization or Regularization(), reduction_padding)


class EdgeNetwork(Network):
    """Stem, three stages of cells with residual blocks between them, classifier."""

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
        """Map images [batch, channels, height, width] to logits [batch, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class EdgeCellModule(nn.Module):
    """One cell: each operation reads the sum of its inputs; the output is a sum too, zero when nothing reaches it."""

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
        """Map [batch, channels, height, width] to the same shape."""
        states = {0: images}
        for index, operation in enumerate(self.cell.operations, 1):
            if str(index) in self.operations:
                states[index] = self.operations[str(index)](_sum(states, operation.inputs))
        return _sum(states, self.cell.out) if self.cell.out else torch.zeros_like(images)


def _sum(states: Mapping[int, Tensor], indices: tuple[int, ...]) -> Tensor:
    result = states[indices[0]]
    for index in indices[1:]:
        result = result + states[index]
    return result


class ReductionBlock(nn.Module):
    """The residual block between stages: halves the size and doubles the channels; average pool and 1x1 in the shortcut.

    Source: Dong and Yang, arXiv 2001.00326, section 2.1; 3x3 convolutions pad 1 on every side, which for stride 2 and even sizes reads
    other pixels than SAME padding does.
    """

    def __init__(self, channels: int, padding: ReductionPadding = "even") -> None:
        super().__init__()
        convolution = PaddedConv2d if padding == "even" else SameConv2d
        self.residual = nn.Sequential(
            nn.ReLU(),
            convolution(channels, 2 * channels, 3, 2),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            *convolution_bn(2 * channels, 2 * channels, 3),
        )
        self.shortcut = convolution_bn(channels, 2 * channels, 1)[0]

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to [batch, 2 x channels, ceil(height / 2), ceil(width / 2)]."""
        output: Tensor = self.residual(images) + self.shortcut(F.avg_pool2d(images, 2, 2, ceil_mode=True))
        return output


class PaddedConv2d(ValidConv2d):
    """A convolution without bias that pads kernel // 2 zeros on every side, as torch's `padding` does and SAME does not.

    Arguments and initial weights as for `ValidConv2d`; kernels are odd.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, ceil(height / stride), ceil(width / stride)]."""
        rows, columns = (size // 2 for size in self.kernel_size)
        output: Tensor = super().forward(F.pad(images, (columns, columns, rows, rows)))
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
