"""Parameters and multiply-adds of NAS-Bench-201 networks in closed form. Counting takes microseconds. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from nasbench.errors import UnknownName
from nasbench.networks.counting import (
    ZERO,
    batch_norm,
    convolution,
    convolution_bn,
    linear,
    require_cifar_stem,
    strided,
    total,
)
from nasbench.structures import Counts, EdgeCell, Scale

KERNELS: Mapping[str, int] = {"nor_conv_1x1": 1, "nor_conv_3x3": 3, "avg_pool_3x3": 0}
"""Operation -> side of its convolution's filter; 0 for operations without convolution."""


def count_edge_network(cell: EdgeCell, scale: Scale) -> Counts:
    """Count the network that `edge_cells.build_edge_network` builds.

    The counts that are published with NAS-Bench-201 differ for two reasons: they include convolutions that do not reach
    the output, and their operations include the additions of the classifier's bias, one per class.

    Args:
        cell: its operations. Their wiring is not checked here; `build_edge_network` checks it.
        scale: C (`filters`), N (`cells` per stage), image and classes.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        UnknownName: when an operation that reaches the output has an unknown name.
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    live = live_operations(cell)
    return count_edge_operations(
        [operation.op for index, operation in enumerate(cell.operations, 1) if index in live], scale
    )


def count_edge_operations(operations: Iterable[str], scale: Scale) -> Counts:
    """Count a network of cells by the operations that reach the cell's output; their wiring does not change the counts.

    Args:
        operations: name of each operation of a cell.
        scale: C (`filters`), N (`cells` per stage), image and classes.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        UnknownName: when an operation has an unknown name.
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    table = operation_costs(scale)
    params, mult_adds = table["frame"]
    for operation in operations:
        if operation not in KERNELS:
            raise UnknownName("operation", operation, KERNELS)
        cost = table[operation]
        params += cost[0]
        mult_adds += cost[1]
    return Counts(params, mult_adds)


def live_operations(cell: EdgeCell) -> frozenset[int]:
    """Return the states on which the cell's output depends.

    Args:
        cell: operations in topological order.

    Returns:
        Numbers of the states: 0 is the cell's input, i is operation i from 1.
    """
    live = set(cell.out)
    for index in range(len(cell.operations), 0, -1):
        if index in live:
            live.update(cell.operations[index - 1].inputs)
    return frozenset(live)


@lru_cache(maxsize=256)
def operation_costs(scale: Scale) -> Mapping[str, Counts]:
    """Return the counts of each operation, summed over all cells, and of everything else.

    Args:
        scale: C (`filters`), N (`cells` per stage), image and classes.

    Returns:
        Operation -> counts; "frame" -> counts of stem, residual blocks, last BatchNorm and classifier.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, "NAS-Bench-201")
    sizes = [scale.image_size]
    sizes.append(strided(sizes[0], 2))
    sizes.append(strided(sizes[1], 2))
    widths = [scale.filters, 2 * scale.filters, 4 * scale.filters]
    table = {
        name: total(
            convolution_bn(c, c, (kernel, kernel), size**2) if kernel else ZERO
            for c, size in zip(widths, sizes)
            for _ in range(scale.cells)
        )
        for name, kernel in KERNELS.items()
    }
    frame = [convolution_bn(scale.image_channels, widths[0], (3, 3), sizes[0] ** 2)]
    for before, after, size in zip(widths, widths[1:], sizes[1:]):
        frame.append(convolution_bn(before, after, (3, 3), size**2))
        frame.append(convolution_bn(after, after, (3, 3), size**2))
        frame.append(convolution(before, after, (1, 1), size**2))
    frame += [batch_norm(widths[2]), linear(widths[2], scale.classes)]
    return {**table, "frame": total(frame)}
