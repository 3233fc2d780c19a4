from __future__ import annotations

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.networks.edge_cell_counts import count_edge_network
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.structures import Scale

SPACE = NasBench201Space()


@pytest.mark.parametrize(
    "scale", [Scale(cells=5, filters=16), Scale(cells=1, filters=3, image_size=9, image_channels=1, classes=7)]
)
def test_all_cells_at_once_are_counted_as_each_alone(scale):
    counts = SPACE.count_all(scale)
    one_by_one = np.array([SPACE.count(architecture, scale) for architecture in SPACE.enumerate()])
    assert np.array_equal(np.stack(counts, axis=1), one_by_one)
    assert len(np.unique(one_by_one, axis=0)) == 28  # how many 1x1 and 3x3 convolutions count: at most 6 together


def test_a_cell_is_counted_as_its_graph():
    scale = Scale(cells=2, filters=4)
    for architecture in SPACE.enumerate():
        assert SPACE.count(architecture, scale) == count_edge_network(SPACE.structure(architecture), scale)


def test_a_stem_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="stem"):
        SPACE.count_all(Scale(stem="imagenet"))
