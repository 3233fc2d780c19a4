"""Networks of NAS-Bench-101 cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, SameMaxPool2d, add_up, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.vertex_counts import KERNELS, STACKS, divide_channels
from nasbench.structures import Regularization, Scale, VertexCell


def build_vertex_network(cell: VertexCell, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier that repeats a NAS-Bench-101 cell.

    Args:
        cell: a pruned cell, in which every vertex is on a path from the input to the output.
        scale: `filters` of the stem and the first stack (128 in the paper), `cells` per stack (3 in the paper), image
            and classes.
        regularization: only dropout is used; these networks have no drop-path and no auxiliary head. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the cell's wiring is impossible, more vertices lead to the output than there are filters, or
            the scale has an ImageNet stem or sets `stem_filters`.
        UnknownName: when an operation has an unknown name.

    Source: Ying et al. 2019 (1902.09635), sections 2.2 and 2.3, and the released code. The stem is a 3x3 convolution.
    There are three stacks of cells; between them, a 2x2 max pool halves the size and the channels double. Every
    convolution is followed by BatchNorm and ReLU. A vertex reads the sum of its inputs: the cell's input passes a 1x1
    projection for this vertex, and of wider vertices the first channels are used. The vertices that lead to the output
    are concatenated; if the cell's input leads to it too, a projection of it is added.
    Deviation: convolutions start from normal weights of variance 2 / fan-out, and BatchNorm has torch's momentum and
    epsilon.
    """
    require_cifar_stem(scale, "NAS-Bench-101")
    _check_cell(cell)
    return VertexNetwork(cell, scale, regularization or Regularization())


class VertexNetwork(Network):
    """Stem, three stacks of cells with max pools between them, classifier.

    Args:
        cell: a pruned cell, with possible wiring.
        scale: filters, cells per stack, image channels and classes.
        regularization: only dropout is used.
    """

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
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class VertexCellModule(nn.Module):
    """One cell of a network.

    Args:
        cell: its vertices.
        inputs: channels of its input.
        outputs: channels of its output.

    Raises:
        InputError: when more vertices lead to the output than it has channels.
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
        """Apply the cell.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, height, width].
        """
        states: dict[int, Tensor] = {}
        for number, (vertex, channels, operation) in enumerate(
            zip(self.cell.vertices, self.channels, self.operations), 1
        ):
            terms = [states[source][:, :channels] for source in vertex.inputs if source]
            if 0 in vertex.inputs:
                terms.append(self.projections[str(number)](images))
            states[number] = operation(add_up(terms))
        ends = [states[number] for number in self.cell.out if number]
        terms = [torch.cat(ends, 1)] if ends else []
        if 0 in self.cell.out:
            terms.append(self.projections["out"](images))
        return add_up(terms)


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
