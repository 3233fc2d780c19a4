"""Sizes of the networks of NAS-Bench-201, in closed form.

The benchmark's own counts include layers that cannot reach the output. Cells that differ only in such layers have one
hash here, and would have several counts.

Source: Dong & Yang 2020 (2001.00326), section 2: three stages of five cells, 16 initial filters.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from nasbench.networks.edge_count_arrays import CountArrays, count_edge_networks
from nasbench.spaces import Architecture
from nasbench.spaces.edge_graphs import EDGES
from nasbench.spaces.nasbench201 import OPERATIONS
from nasbench.structures import Counts, Scale

CELLS: Final = 5
FILTERS: Final = 16
_CLASSES: Final = {"cifar10": 10, "cifar10-valid": 10, "cifar100": 100, "imagenet16-120": 120}
_IMAGE_SIZE: Final = {"imagenet16-120": 16}


def network_scale(data: str) -> Scale | None:
    """Size of the benchmark's networks on one of its data sets.

    Args:
        data: "cifar10", "cifar10-valid", "cifar100" or "imagenet16-120".

    Returns:
        The scale; None for another data set.
    """
    if data not in _CLASSES:
        return None
    return Scale(cells=CELLS, filters=FILTERS, image_size=_IMAGE_SIZE.get(data, 32), classes=_CLASSES[data])


def network_counts(architecture: Architecture, data: str) -> Counts | None:
    """Parameters and multiply-adds of the benchmark's network for a cell; None for another data set.

    Args:
        architecture: an architecture of the space nasbench201.
        data: see `network_scale`.
    """
    scale = network_scale(data)
    return None if scale is None else architecture.space.count(architecture, scale)


def table_counts(data: str) -> CountArrays:
    """Parameters and multiply-adds of all 15,625 cells, in the order of a table: that of their choices.

    Args:
        data: one of the benchmark's data sets.

    Returns:
        Arrays of 15,625.
    """
    scale = network_scale(data)
    assert scale is not None
    cells = np.indices([len(OPERATIONS)] * len(EDGES), dtype=np.int64).reshape(len(EDGES), -1).T
    return count_edge_networks(cells, EDGES, OPERATIONS, scale)
