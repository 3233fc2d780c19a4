"""Networks of TransNAS-Bench-101: modules of one small cell, or of residual blocks."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.base import Network
from nasbench.networks.convolutions import (
    Classifier,
    FactorizedReduction,
    PaddedConv2d,
    add_up,
    convolution_bn,
)
from nasbench.networks.edge_cell_counts import live_operations
from nasbench.networks.transnas_counts import (
    KERNELS,
    MICRO_MODULES,
    SKIP,
    check_basic_modules,
    plan_modules,
    stem_filters,
)
from nasbench.structures import Chain, EdgeCell, Regularization, Scale

CellBuilder = Callable[[int, int, int], nn.Module]
"""(input channels, output channels, stride) -> a cell or block."""


def build_micro_network(cell: EdgeCell, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier whose five modules repeat a cell.

    Args:
        cell: its operations; one that reads the cell's input (0) reads nothing else. Those that do not reach the output
            are not built.
        scale: C (`filters`), cells per module (`cells`), image and classes.
        regularization: only dropout is used. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when an operation reads nothing, what does not come before it, or the cell's input beside something
            else; when the output reads the cell's input or an operation that does not exist; or when the scale has an
            ImageNet stem or sets `stem_filters`.
        UnknownName: when an operation has an unknown name.

    Source: Duan et al. 2021, "TransNAS-Bench-101" (arXiv 2105.11871), section 3.1, and its released code: a stem of two
        3x3 convolutions of stride 2 to C channels, modules 41414 of two cells, global average pooling and a fully
        connected layer, the benchmark's decoder for classification. A skip from the input of a cell that changes the
        resolution is a factorized reduction.
    Deviation: a convolution on a node that only zeros reach is not built; in the benchmark it gives the shift of its
        BatchNorm, a learned constant. The classifier starts from small normal weights. Decoders of other tasks are not
        built.
    """
    _check_cell(cell)

    def build_cell(inputs: int, outputs: int, stride: int) -> nn.Module:
        return MicroCell(cell, inputs, outputs, stride)

    return ModuleNetwork(MICRO_MODULES, build_cell, scale, regularization or Regularization())


def build_basic_network(modules: Chain, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier whose modules are residual blocks.

    Args:
        modules: the modules.
        scale: C (`filters`), blocks per module (`cells`), image and classes.
        regularization: only dropout is used. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`, or a stride is not 1 or 2.
        UnknownName: when a module is not of residual blocks.

    Source: Duan et al. 2021 (arXiv 2105.11871), section 3.1, and its released code: as `build_micro_network`, with two
        pre-activation residual blocks per module.
    Deviation: the classifier starts from small normal weights. Decoders of other tasks are not built.
    """
    check_basic_modules(modules)
    return ModuleNetwork(modules, BasicBlock, scale, regularization or Regularization())


class ModuleNetwork(Network):
    """Stem, modules, classifier.

    Args:
        modules: channels and strides of the modules.
        build: makes a cell or block.
        scale: C, cells or blocks per module, image and classes.
        regularization: only dropout is used.
    """

    def __init__(self, modules: Chain, build: CellBuilder, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        places = plan_modules(modules, scale)
        half = stem_filters(scale)
        layers: list[nn.Module] = [*_convolution(scale.image_channels, half, 3, 2)[1:]]
        layers += _convolution(half, scale.filters, 3, 2)
        for place in places:
            layers.append(build(place.inputs, place.outputs, place.stride))
            layers += [build(place.outputs, place.outputs, 1) for _ in range(scale.cells - 1)]
        self.features = nn.Sequential(*layers)
        self.classifier = Classifier(places[-1].outputs, scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class MicroCell(nn.Module):
    """One cell: each operation reads the sum of its inputs; operations on the cell's input have the stride.

    Args:
        cell: its operations, with possible wiring.
        inputs: channels of its input.
        outputs: channels of its output.
        stride: 1 or 2; 2 if the channels change.
    """

    def __init__(self, cell: EdgeCell, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.cell, self.outputs, self.stride = cell, outputs, stride
        live = live_operations(cell)
        self.operations = nn.ModuleDict()
        for index, operation in enumerate(cell.operations, 1):
            if index in live:
                reads_input = operation.inputs == (0,)
                shape = (inputs, outputs, stride) if reads_input else (outputs, outputs, 1)
                self.operations[str(index)] = build_operation(operation.op, *shape)

    def forward(self, images: Tensor) -> Tensor:
        """Apply the cell; without a path to its output the result is 0.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, ceil(height / stride), ceil(width / stride)].
        """
        states = {0: images}
        for index, operation in enumerate(self.cell.operations, 1):
            if str(index) in self.operations:
                states[index] = self.operations[str(index)](add_up([states[source] for source in operation.inputs]))
        if self.cell.out:
            return add_up([states[index] for index in self.cell.out])
        batch, _, height, width = images.shape
        return images.new_zeros((batch, self.outputs, -(-height // self.stride), -(-width // self.stride)))


class BasicBlock(nn.Module):
    """A residual block: twice ReLU, 3x3 convolution and BatchNorm, added to the input.

    A 1x1 convolution and BatchNorm fit the input to other channels or another resolution.

    Args:
        inputs: input channels.
        outputs: output channels.
        stride: stride of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(*_convolution(inputs, outputs, 3, stride), *_convolution(outputs, outputs, 3, 1))
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Sequential(*convolution_bn(inputs, outputs, 1, stride)) if changes else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Add two convolutions to the input.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, ceil(height / stride), ceil(width / stride)].
        """
        output: Tensor = self.shortcut(images) + self.residual(images)
        return output


def build_operation(name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
    """Build an operation of a cell.

    Args:
        name: "skip_connect", "nor_conv_1x1" or "nor_conv_3x3".
        inputs: input channels.
        outputs: output channels.
        stride: 1 or 2; a skip that changes the channels has stride 2.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, outputs, ceil(height / stride), ...].
    """
    if name in KERNELS:
        return nn.Sequential(*_convolution(inputs, outputs, KERNELS[name], stride))
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.ReLU(), FactorizedReduction(inputs, outputs))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Make ReLU, a convolution that pads equally on opposite sides, and BatchNorm."""
    if kernel == 1 or stride == 1:
        return nn.ReLU(), *convolution_bn(inputs, outputs, kernel, stride)
    return nn.ReLU(), PaddedConv2d(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs)


def _check_cell(cell: EdgeCell) -> None:
    names = (SKIP, *KERNELS)
    for index, operation in enumerate(cell.operations, 1):
        if operation.op not in names:
            raise UnknownName("operation", operation.op, names)
        on_nodes = bool(operation.inputs) and all(0 < source < index for source in operation.inputs)
        if operation.inputs != (0,) and not on_nodes:
            raise InputError(
                f"operation {index} reads {operation.inputs}; allowed: the cell's input alone (0), or one or more of 1 to "
                f"{index - 1}"
            )
    if not all(0 < source <= len(cell.operations) for source in cell.out):
        raise InputError(f"the cell's output lists {cell.out}; allowed: 1 to {len(cell.operations)}")
