"""Parameters and multiply-adds of TransNAS-Bench-101's networks in closed form. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import ZERO, convolution_bn, linear, require_cifar_stem, strided, total
from nasbench.networks.edge_cell_counts import live_operations
from nasbench.networks.operation_counts import count_factorized_reduction
from nasbench.structures import Chain, ChainLayer, Counts, EdgeCell, Scale

SKIP: Final = "skip_connect"
KERNELS: Final[Mapping[str, int]] = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
"""Convolution of a cell -> side of its filter."""

BLOCK: Final = "basic_block"
"""Name of the residual block of two 3x3 convolutions, of which the macro networks consist."""

MICRO_MODULES: Final = Chain(tuple(ChainLayer("cell", bool(place % 2 == 0), 2 - place % 2) for place in range(5)))
"""Modules of the micro networks, 41414: the first, third and fifth halve the resolution and double the channels."""

_SKELETON: Final = "TransNAS-Bench-101"


class ModulePlace(NamedTuple):
    """A module in its network.

    Attributes:
        inputs: channels of its input.
        outputs: channels of its output.
        stride: stride of its first cell or block.
        size: height and width of its input.
    """

    inputs: int
    outputs: int
    stride: int
    size: int


def stem_filters(scale: Scale) -> int:
    """Return the channels between the two convolutions of the stem.

    Args:
        scale: C (`filters`), the channels of the stem's output.

    Returns:
        C / 2, rounded down, at least 1.
    """
    return max(1, scale.filters // 2)


def plan_modules(modules: Chain, scale: Scale) -> tuple[ModulePlace, ...]:
    """Determine channels and sizes of all modules.

    Args:
        modules: the modules; only their channels and strides are read.
        scale: C (`filters`) and the image.

    Returns:
        One place per module. The stem halves the image twice.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, _SKELETON)
    size, channels = strided(strided(scale.image_size, 2), 2), scale.filters
    places = []
    for module in modules.layers:
        outputs = 2 * channels if module.doubles else channels
        places.append(ModulePlace(channels, outputs, module.stride, size))
        size, channels = strided(size, module.stride), outputs
    return tuple(places)


def count_micro_network(cell: EdgeCell, scale: Scale) -> Counts:
    """Count the network that `transnas.build_micro_network` builds.

    Args:
        cell: its operations. Their wiring is not checked here; `build_micro_network` checks it.
        scale: C (`filters`), cells per module (`cells`), image and classes.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        UnknownName: when an operation that reaches the output has an unknown name.
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    table = _cell_operations(scale)
    parts = [_count_frame(MICRO_MODULES, scale)]
    live = live_operations(cell)
    for index, operation in enumerate(cell.operations, 1):
        if index in live:
            if operation.op not in table:
                raise UnknownName("operation", operation.op, table)
            parts.append(table[operation.op][operation.inputs != (0,)])
    return total(parts)


def count_basic_network(modules: Chain, scale: Scale) -> Counts:
    """Count the network that `transnas.build_basic_network` builds.

    Args:
        modules: its modules.
        scale: C (`filters`), blocks per module (`cells`), image and classes.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        UnknownName: when a module is not of residual blocks.
        InputError: when the scale has an ImageNet stem or sets `stem_filters`, or a stride is not 1 or 2.
    """
    check_basic_modules(modules)
    parts = [_count_frame(modules, scale)]
    for place in plan_modules(modules, scale):
        for inputs, size, stride in _blocks(place, scale):
            positions = strided(size, stride) ** 2
            parts.append(convolution_bn(inputs, place.outputs, (3, 3), positions))
            parts.append(convolution_bn(place.outputs, place.outputs, (3, 3), positions))
            if stride != 1 or inputs != place.outputs:
                parts.append(convolution_bn(inputs, place.outputs, (1, 1), positions))
    return total(parts)


def check_basic_modules(modules: Chain) -> None:
    """Check that a network can be built of modules of residual blocks.

    Args:
        modules: the modules.

    Raises:
        UnknownName: when a module is of something else.
        InputError: when there are no modules, or a stride is not 1 or 2.
    """
    for module in modules.layers:
        if module.op != BLOCK:
            raise UnknownName("module", module.op, (BLOCK,))
    if not modules.layers or any(module.stride not in (1, 2) for module in modules.layers):
        raise InputError(f"a network has one module or more, each of stride 1 or 2, got {modules}")


def _blocks(place: ModulePlace, scale: Scale) -> Iterator[tuple[int, int, int]]:
    """Yield input channels, input size and stride of each cell or block of a module."""
    yield place.inputs, place.size, place.stride
    for _ in range(scale.cells - 1):
        yield place.outputs, strided(place.size, place.stride), 1


@lru_cache(maxsize=64)
def _cell_operations(scale: Scale) -> Mapping[str, tuple[Counts, Counts]]:
    """Return each operation's counts on the cell's input and on a node, summed over all cells."""
    table = {}
    for name in (SKIP, *KERNELS):
        on_input, on_node = [], []
        for place in plan_modules(MICRO_MODULES, scale):
            for inputs, size, stride in _blocks(place, scale):
                on_input.append(_count_operation(name, inputs, place.outputs, size, stride))
                on_node.append(_count_operation(name, place.outputs, place.outputs, strided(size, stride), 1))
        table[name] = (total(on_input), total(on_node))
    return table


def _count_operation(name: str, inputs: int, outputs: int, size: int, stride: int) -> Counts:
    if name in KERNELS:
        return convolution_bn(inputs, outputs, (KERNELS[name],) * 2, strided(size, stride) ** 2)
    return ZERO if stride == 1 and inputs == outputs else count_factorized_reduction(inputs, outputs, size)


def _count_frame(modules: Chain, scale: Scale) -> Counts:
    """Count the stem and the classifier."""
    last, half = plan_modules(modules, scale)[-1], strided(scale.image_size, 2)
    return total(
        (
            convolution_bn(scale.image_channels, stem_filters(scale), (3, 3), half**2),
            convolution_bn(stem_filters(scale), scale.filters, (3, 3), strided(half, 2) ** 2),
            linear(last.outputs, scale.classes),
        )
    )
