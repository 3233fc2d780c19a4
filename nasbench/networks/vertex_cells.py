"""Networks of NAS-Bench-101 cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, SameMaxPool2d, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.vertex_counts import KERNELS, STACKS, divide_channels
from nasbench.structures import Regularization, Scale, VertexCell


def build_vertex_network(cell: VertexCell, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier that repeats a NAS-Bench-101 cell.

    Args:
        cell: pruned vertices: each is reached from the input and leads to the output.
        scale: filters of the stem and the first stack (128 in the paper), cells (modules a stack, 3 in the paper), image, classes.
        regularization: only dropout applies; this skeleton drops no paths and has no place for an auxiliary head.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the cell's wiring is impossible, the filters do not suffice, or the scale asks for the ImageNet stem.
        UnknownName: when an operation has an unknown name.

    Source: Ying et al. 2019 (1902.09635), section 2.2 and 2.3, and the released code: 3x3 stem; three stacks of cells, a 2x2 max pool and
    twice the channels between them; inputs of a vertex are added, the cell's input through a 1x1 projection of its own, wider ones cut
    to the vertex' channels; vertices that lead to the output are concatenated, and a projection of the input is added where an edge
    says so. Every convolution is followed by BatchNorm and ReLU.
    Deviation: convolutions start from normal weights of variance 2 / fan-out, and BatchNorm has torch's momentum and epsilon.
    """
    require_cifar_stem(scale, "NAS-Bench-101")
    _check_cell(cell)
    return VertexNetwork(cell, scale, regularization or Regularization())


class VertexNetwork(Network):
    """Stem, three stacks of cells with max pools between them, classifier."""

    def __init__(self, cell: VertexCell, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(scale.image_channels, scale.filters, 3)]
        inputs = outputs = scale.filters
        for stack in range(STACKS):
            if stack > 0:
                layers.append(SameMaxPool2d(2, 2))
                outputs *= 2
            for _ in range(scale.cells):
                layers.append(VertexCellModule(cell, inputs, outputs))
                inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = Classifier(outputs, scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [batch, channels, height, width] to logits [batch, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class VertexCellModule(nn.Module):
    """One cell.

    Args:
        cell: its vertices.
        inputs: channels of its input.
        outputs: channels of its output.
    """

    def __init__(self, cell: VertexCell, inputs: int, outputs: int) -> None:
        super().__init__()
        self.cell = cell
        self.channels = divide_channels(cell, outputs)
        readers = {
            str(i): c for i, (c, vertex) in enumerate(zip(self.channels, cell.vertices), 1) if 0 in vertex.inputs
        }
        if 0 in cell.out:
            readers["out"] = outputs
        self.projections = nn.ModuleDict(
            {name: _convolution(inputs, channels, 1) for name, channels in readers.items()}
        )
        self.operations = nn.ModuleList(
            _operation(vertex.op, channels) for vertex, channels in zip(cell.vertices, self.channels)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, height, width]."""
        states: dict[int, Tensor] = {}
        for number, (vertex, channels, operation) in enumerate(
            zip(self.cell.vertices, self.channels, self.operations), 1
        ):
            terms = [states[source][:, :channels] for source in vertex.inputs if source]
            if 0 in vertex.inputs:
                terms.append(self.projections[str(number)](images))
            states[number] = operation(_sum(terms))
        ends = [states[number] for number in self.cell.out if number]
        terms = [torch.cat(ends, 1)] if ends else []
        if 0 in self.cell.out:
            terms.append(self.projections["out"](images))
        return _sum(terms)


def _sum(terms: list[Tensor]) -> Tensor:
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(*convolution_bn(inputs, outputs, kernel), nn.ReLU())


def _operation(op: str, channels: int) -> nn.Module:
    return _convolution(channels, channels, KERNELS[op]) if KERNELS[op] else SameMaxPool2d(3, 1)


def _check_cell(cell: VertexCell) -> None:
    for number, vertex in enumerate(cell.vertices, 1):
        if vertex.op not in KERNELS:
            raise UnknownName("operation", vertex.op, KERNELS)
        if not vertex.inputs or not all(0 <= source < number for source in vertex.inputs):
            raise InputError(f"vertex {number} reads {vertex.inputs}; allowed: one or more of 0 to {number - 1}")
    if not cell.out or not all(0 <= state <= len(cell.vertices) for state in cell.out):
        raise InputError(f"the cell's output reads {cell.out}; allowed: one or more of 0 to {len(cell.vertices)}")
    read = {source for vertex in cell.vertices for source in vertex.inputs} | set(cell.out)
    for number in range(1, len(cell.vertices) + 1):
        if number not in read:
            raise InputError(f"vertex {number} does not lead to the output; remove it")
