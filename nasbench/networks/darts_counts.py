"""Parameters and multiply-adds of networks of DARTS's cells in closed form, and their plan. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import (
    ZERO,
    convolution,
    convolution_bn,
    linear,
    require_cifar_stem,
    strided,
    total,
)
from nasbench.networks.operation_counts import count_factorized_reduction, count_separable
from nasbench.networks.skeletons import CellKind, NetworkPlan, plan_network
from nasbench.structures import FIRST_BLOCK, Cell, CellPair, Counts, Scale

FilterCount = Callable[[int, int, int], Counts]
"""(channels F, height and width of the input, stride) -> counts"""


def plan_darts(scale: Scale) -> NetworkPlan:
    """Determine the positions of the cells: N normal cells per stage, a reduction cell between stages.

    Args:
        scale: N, F and image size.

    Returns:
        The positions; those of NASNet's skeleton on CIFAR.

    Raises:
        InputError: when the scale has an ImageNet stem, sets `stem_filters`, or is not possible.

    Source: the released code's reductions are the cells L // 3 and 2 L // 3 of L = 3 N + 2, counted from 0. `p` of the
        cell after a reduction is the reduction's input, whatever `skip_reduction_input` is.
    """
    require_cifar_stem(scale, "DARTS")
    return _plan(scale.cells, scale.filters, scale.image_size)


@lru_cache(maxsize=64)
def _plan(cells: int, filters: int, image_size: int) -> NetworkPlan:
    return plan_network(Scale(cells, filters, image_size), "nasnet")


def auxiliary_map(plan: NetworkPlan) -> int:
    """Return the feature map that the auxiliary head reads: the output of the second reduction cell.

    Args:
        plan: positions of the cells.

    Returns:
        Index of the feature map.
    """
    return plan.auxiliary + 1


def check_darts_pair(pair: CellPair) -> None:
    """Check that a network can be built of two cells.

    Args:
        pair: the normal and the reduction cell.

    Raises:
        InputError: when a block reads a state that does not come before it or concatenates its operands, or when a cell
            has no blocks or does not put out all of them.
        UnknownName: when an operation has an unknown name.
    """
    for name, cell in (("normal", pair.normal), ("reduction", pair.reduction)):
        everything = tuple(range(FIRST_BLOCK, FIRST_BLOCK + len(cell.blocks)))
        if not cell.blocks or cell.out != everything:
            raise InputError(f"the {name} cell of a DARTS network puts out all its nodes, got the output {cell.out}")
        for index, block in enumerate(cell.blocks, FIRST_BLOCK):
            for state, operation in ((block.left, block.left_op), (block.right, block.right_op)):
                if operation not in DARTS_COUNTS:
                    raise UnknownName("operation", operation, DARTS_COUNTS)
                if not 0 <= state < index:
                    raise InputError(f"a block of the {name} cell reads state {state}; allowed: 0 to {index - 1}")
            if block.combine != "add":
                raise InputError(f"a block of the {name} cell has {block.combine!r}; DARTS's nodes add")


def count_darts_network(pair: CellPair, scale: Scale) -> Counts:
    """Count the network that `darts_cells.build_darts_network` builds.

    Args:
        pair: normal and reduction cell. Their wiring is not checked here; `build_darts_network` checks it.
        scale: N, F and image.

    Returns:
        Trainable parameters without those of an auxiliary head, and multiply-adds of convolutions and the classifier
        for one image.

    Raises:
        UnknownName: when an operation has an unknown name.
        InputError: when the scale is not possible, as `plan_darts` says.
    """
    plan = plan_darts(scale)
    widths = len(pair.normal.out), len(pair.reduction.out)
    frame = _count_frame(plan, *widths, scale.image_channels, scale.classes)
    tables = {kind: _operation_table(plan, kind) for kind in ("normal", "reduction")}
    return total(
        [frame, _count_nodes(pair.normal, tables["normal"]), _count_nodes(pair.reduction, tables["reduction"])]
    )


def _count_nodes(cell: Cell, table: Mapping[str, tuple[Counts, Counts]]) -> Counts:
    try:
        return total(
            table[operation][source >= FIRST_BLOCK]
            for block in cell.blocks
            for source, operation in ((block.left, block.left_op), (block.right, block.right_op))
        )
    except KeyError as error:
        raise UnknownName("operation", error.args[0], DARTS_COUNTS) from None


@lru_cache(maxsize=256)
def _operation_table(plan: NetworkPlan, kind: CellKind) -> Mapping[str, tuple[Counts, Counts]]:
    """Return each operation's counts on an input of the cell and on a node, summed over all cells of a kind."""
    places = [place for place in plan.places if place.kind == kind]
    return {
        name: (
            total(count(place.filters, place.size, place.stride) for place in places),
            total(count(place.filters, place.output_size, 1) for place in places),
        )
        for name, count in DARTS_COUNTS.items()
    }


@lru_cache(maxsize=256)
def _count_frame(plan: NetworkPlan, normal: int, reduction: int, image_channels: int, classes: int) -> Counts:
    """Count everything except operations: stem, projections, classifier."""
    parts = [convolution_bn(image_channels, plan.stem_filters, (3, 3), plan.stem_size**2)]
    channels = [plan.map_channels(index, normal, reduction) for index in range(len(plan.places) + 1)]
    for place in plan.places:
        parts.append(convolution_bn(channels[place.previous], place.filters, (1, 1), place.size**2))
        size = plan.map_size(place.p_map)
        if size == place.size:
            parts.append(convolution_bn(channels[place.p_map], place.filters, (1, 1), size**2))
        else:
            parts.append(count_factorized_reduction(channels[place.p_map], place.filters, size))
    return total([*parts, linear(channels[-1], classes)])


def _count_nothing(filters: int, size: int, stride: int) -> Counts:
    return ZERO


def _count_skip(filters: int, size: int, stride: int) -> Counts:
    return ZERO if stride == 1 else count_factorized_reduction(filters, filters, size)


def _count_separable(filters: int, size: int, stride: int, *, kernel: int) -> Counts:
    return count_separable(filters, filters, size, stride, kernel=kernel)


def _count_dilated(filters: int, size: int, stride: int, *, kernel: int) -> Counts:
    positions = strided(size, stride) ** 2
    return total(
        (
            convolution(filters, filters, (kernel, kernel), positions, filters),
            convolution_bn(filters, filters, (1, 1), positions),
        )
    )


DARTS_COUNTS: Mapping[str, FilterCount] = {
    "max_pool_3x3": _count_nothing,
    "avg_pool_3x3": _count_nothing,
    "skip_connect": _count_skip,
    "sep_conv_3x3": partial(_count_separable, kernel=3),
    "sep_conv_5x5": partial(_count_separable, kernel=5),
    "dil_conv_3x3": partial(_count_dilated, kernel=3),
    "dil_conv_5x5": partial(_count_dilated, kernel=5),
}
"""Name of an operation -> its counts; `darts_cells.DARTS_OPERATIONS` builds it."""
