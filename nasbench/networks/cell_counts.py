"""Parameters and multiply-adds of networks of cells in closed form. Counting takes microseconds. No torch."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from nasbench.errors import UnknownName
from nasbench.networks.counting import ZERO, batch_norm, convolution, convolution_bn, linear, total
from nasbench.networks.operation_counts import OPERATION_COUNTS, count_factorized_reduction
from nasbench.networks.skeletons import CellKind, NetworkPlan, Place, Skeleton, plan_network
from nasbench.networks.wiring import output_width
from nasbench.structures import PREVIOUS, PREVIOUS_PREVIOUS, Cell, CellPair, Counts, Scale

ADDED, CONCATENATED = 2, 3  # states besides p (0) and c (1): blocks of F and of 2F channels

OperationTable = dict[str, tuple[Counts, Counts, Counts, Counts]]


class CellUse(NamedTuple):
    """Properties of a cell on which the counts of stem, projections and classifier depend.

    `width`: channels of the output in units of F. `reads_p` and `reads_c`: True if p or c reaches the output.
    `puts_out_p` and `puts_out_c`: True if the output lists p or c.
    """

    width: int
    reads_p: bool
    reads_c: bool
    puts_out_p: bool
    puts_out_c: bool


def count_cell_network(pair: CellPair, scale: Scale, skeleton: Skeleton = "nasnet") -> Counts:
    """Count the network that `cells.build_cell_network` builds.

    Everything that depends on the scale alone is computed once and kept in tables, in which further architectures are
    looked up.

    Args:
        pair: normal and reduction cell. Their wiring is not checked here; `build_cell_network` checks it.
        scale: N, F, image and stem.
        skeleton: "nasnet" or "pnas", as for `build_cell_network`.

    Returns:
        Trainable parameters without those of an auxiliary head, and multiply-adds of convolutions and the classifier
        for one image.

    Raises:
        UnknownName: when an operation that reaches the output, or the skeleton, has an unknown name.
        InputError: when the scale is not possible, as `skeletons.plan_network` says.
    """
    tables = _operation_tables(scale, skeleton)
    try:
        normal, normal_use = _count_cell(pair.normal, tables[0])
        reduction, reduction_use = _count_cell(pair.reduction, tables[1])
    except KeyError as error:
        raise UnknownName("operation", error.args[0], OPERATION_COUNTS) from None
    frame = _count_frame(scale, skeleton, normal_use, reduction_use)
    return Counts(normal[0] + reduction[0] + frame[0], normal[1] + reduction[1] + frame[1])


def _count_cell(cell: Cell, table: OperationTable) -> tuple[tuple[int, int], CellUse]:
    """Return the counts of a cell's operations, summed over the network, and what decides the other counts."""
    blocks, out = cell.blocks, cell.out
    source = [PREVIOUS_PREVIOUS, PREVIOUS]
    source += [CONCATENATED if block.combine == "concat" else ADDED for block in blocks]
    live = [False] * len(source)
    for state in out:
        live[state] = True
    params = mult_adds = 0
    state = len(source)
    for block in reversed(blocks):
        state -= 1
        if not live[state]:
            continue
        left, right = block.left, block.right
        live[left] = live[right] = True
        left_params, left_mult_adds = table[block.left_op][source[left]]
        right_params, right_mult_adds = table[block.right_op][source[right]]
        params += left_params + right_params
        mult_adds += left_mult_adds + right_mult_adds
    width = len(out)
    for state in out:
        width += source[state] == CONCATENATED
    use = CellUse(width, live[0], live[1], PREVIOUS_PREVIOUS in out, PREVIOUS in out)
    return (params, mult_adds), use


@lru_cache(maxsize=256)
def _operation_tables(scale: Scale, skeleton: Skeleton) -> tuple[OperationTable, OperationTable]:
    """Return the counts of each operation on each kind of state, summed over all normal and all reduction cells."""
    plan = plan_network(scale, skeleton)
    return _operation_table(plan, "normal"), _operation_table(plan, "reduction")


def _operation_table(plan: NetworkPlan, kind: CellKind) -> OperationTable:
    table: OperationTable = {}
    for name, count in OPERATION_COUNTS.items():
        p, c, added, concatenated = [], [], [], []
        for place in plan.places:
            if place.kind != kind:
                continue
            filters, size, after = place.filters, place.size, place.output_size
            p.append(count(_p_channels(plan, place), filters, size, place.stride))
            c.append(count(filters, filters, size, place.stride))
            added.append(count(filters, filters, after, 1))
            concatenated.append(count(2 * filters, filters, after, 1))
        table[name] = (total(p), total(c), total(added), total(concatenated))
    return table


def _p_channels(plan: NetworkPlan, place: Place) -> int:
    """Return the channels of p when blocks read it: F, or the stem's in the first cell, which has no own p."""
    return plan.stem_filters if place.previous_previous is None else place.filters


@lru_cache(maxsize=4096)
def _count_frame(scale: Scale, skeleton: Skeleton, normal: CellUse, reduction: CellUse) -> Counts:
    """Count everything except operations: stem, projections of p and c, p and c in the output, classifier."""
    plan = plan_network(scale, skeleton)
    parts = [convolution_bn(scale.image_channels, plan.stem_filters, (3, 3), plan.stem_size**2)]
    channels = [plan.map_channels(i, normal.width, reduction.width) for i in range(len(plan.places) + 1)]
    for place in plan.places:
        use = normal if place.kind == "normal" else reduction
        if use.reads_c:
            parts.append(convolution_bn(channels[place.previous], place.filters, (1, 1), place.size**2))
        if use.reads_p and place.previous_previous is not None:
            source = place.previous_previous
            parts.append(_count_match(channels[source], place.filters, plan.map_size(source), place.size))
        after = place.output_size
        if use.puts_out_p:
            parts.append(_count_match(_p_channels(plan, place), place.filters, place.size, after))
        if use.puts_out_c:
            parts.append(_count_match(place.filters, place.filters, place.size, after))
    parts.append(linear(channels[-1], scale.classes))
    return total(parts)


def _count_match(inputs: int, filters: int, size: int, wanted_size: int) -> Counts:
    """Count `cells.match`: a factorized reduction, a 1x1 convolution or nothing."""
    if size != wanted_size:
        return count_factorized_reduction(inputs, filters, size)
    return ZERO if inputs == filters else convolution_bn(inputs, filters, (1, 1), size**2)


def auxiliary_size(size: int) -> tuple[int, int]:
    """Return the sizes of the auxiliary head's average pool.

    Args:
        size: height and width of the feature map that the head reads, >= 1.

    Returns:
        Side of the pool's square, and height and width after the pool, whose stride is 3.

    Source: NASNet's released code. Deviation: that head needs maps of 5x5 or more; on smaller maps, the pool's square
    is the whole map.
    """
    kernel = min(5, size)
    return kernel, (size - kernel) // 3 + 1


def count_auxiliary_head(pair: CellPair, scale: Scale, skeleton: Skeleton = "nasnet") -> Counts:
    """Count the auxiliary head that `cells.build_cell_network` adds if `Regularization.auxiliary` is set.

    Args:
        pair: normal and reduction cell. They are not checked.
        scale: N, F, image, stem and classes.
        skeleton: "nasnet" or "pnas", as for `build_cell_network`.

    Returns:
        Trainable parameters of the head, and its multiply-adds for one image.

    Raises:
        UnknownName: when the skeleton has an unknown name.
        InputError: when the scale is not possible, as `skeletons.plan_network` says.
    """
    plan = plan_network(scale, skeleton)
    channels = plan.map_channels(plan.auxiliary, output_width(pair.normal), output_width(pair.reduction))
    pooled = auxiliary_size(plan.map_size(plan.auxiliary))[1]
    return total(
        (
            convolution_bn(channels, 128, (1, 1), pooled**2),
            convolution(128, 768, (pooled, pooled), 1),
            batch_norm(768),
            linear(768, scale.classes),
        )
    )
