"""Parameters and multiply-adds of cell networks in closed form, in microseconds. No torch."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from nasbench.errors import UnknownName
from nasbench.networks.counting import ZERO, batch_norm, convolution, convolution_bn, linear, strided, total
from nasbench.networks.operation_counts import OPERATION_COUNTS, count_factorized_reduction
from nasbench.networks.skeletons import CellKind, NetworkPlan, Place, Skeleton, plan_network
from nasbench.networks.wiring import output_width
from nasbench.structures import PREVIOUS, PREVIOUS_PREVIOUS, Cell, CellPair, Counts, Scale

ADDED, CONCATENATED = 2, 3  # what an operation reads, after p (0) and c (1): a block of F or of 2F channels

OperationTable = dict[str, tuple[Counts, Counts, Counts, Counts]]


class CellUse(NamedTuple):
    """Cell properties that determine the cost of stem, projections and classifier: width in F; p and c read or output."""

    width: int
    reads_p: bool
    reads_c: bool
    puts_out_p: bool
    puts_out_c: bool


def count_cell_network(pair: CellPair, scale: Scale, skeleton: Skeleton = "nasnet") -> Counts:
    """Count the network that `cells.build_cell_network` would build, without building it.

    What depends on the scale alone is computed once and kept; a further architecture is a few table look-ups.

    Args:
        pair: normal and reduction cell; wiring is trusted here and checked by the builder.
        scale: N, F, image and stem.
        skeleton: "nasnet" or "pnas".

    Returns:
        Trainable parameters without those of an auxiliary head, and multiply-adds of convolutions and fully connected layers for one image.

    Raises:
        UnknownName: when an operation or the skeleton has an unknown name.
        InputError: when the image is too small for the stem.
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
    """Cost of the live operations of a cell, summed over the network, and what its frame has to provide."""
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
    """Cost of each operation on each kind of input, summed over all normal and all reduction cells."""
    plan = plan_network(scale, skeleton)
    return _operation_table(plan, "normal"), _operation_table(plan, "reduction")


def _operation_table(plan: NetworkPlan, kind: CellKind) -> OperationTable:
    table: OperationTable = {}
    for name, count in OPERATION_COUNTS.items():
        p, c, added, concatenated = [], [], [], []
        for place in plan.places:
            if place.kind != kind:
                continue
            filters, size, after = place.filters, place.size, strided(place.size, place.stride)
            p.append(count(_p_channels(plan, place), filters, size, place.stride))
            c.append(count(filters, filters, size, place.stride))
            added.append(count(filters, filters, after, 1))
            concatenated.append(count(2 * filters, filters, after, 1))
        table[name] = (total(p), total(c), total(added), total(concatenated))
    return table


def _p_channels(plan: NetworkPlan, place: Place) -> int:
    """Channels of p as blocks read it: F, or the stem's in the first cell, which has no separate p."""
    return plan.stem_filters if place.previous_previous is None else place.filters


@lru_cache(maxsize=4096)
def _count_frame(scale: Scale, skeleton: Skeleton, normal: CellUse, reduction: CellUse) -> Counts:
    """Cost of all that is not an operation: stem, projections of p and c, classifier."""
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
        after = strided(place.size, place.stride)
        if use.puts_out_p:
            parts.append(_count_match(_p_channels(plan, place), place.filters, place.size, after))
        if use.puts_out_c:
            parts.append(_count_match(place.filters, place.filters, place.size, after))
    parts.append(linear(channels[-1], scale.classes))
    return total(parts)


def _count_match(inputs: int, filters: int, size: int, wanted_size: int) -> Counts:
    """Cost of bringing a state to the wanted channels and size: a factorized reduction, a 1x1 convolution or nothing."""
    if size != wanted_size:
        return count_factorized_reduction(inputs, filters, size)
    return ZERO if inputs == filters else convolution_bn(inputs, filters, (1, 1), size**2)


def auxiliary_size(size: int) -> tuple[int, int]:
    """Kernel and output size of the auxiliary head's pool on a feature map of `size`: 5x5 with stride 3, smaller on smaller maps.

    Deviation: the released head needs 5x5 or more; on less the kernel shrinks to the map.
    """
    kernel = min(5, size)
    return kernel, (size - kernel) // 3 + 1


def count_auxiliary_head(pair: CellPair, scale: Scale, skeleton: Skeleton = "nasnet") -> Counts:
    """Count the auxiliary head that `cells.build_cell_network` adds on request; arguments and errors as for `count_cell_network`."""
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
