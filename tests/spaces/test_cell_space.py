"""The cell machinery serves other grammars: one cell for both strides, another order of decisions, one combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces.cell_space import CellGrammar, CellSpace
from nasbench.spaces.conformance import check_network, check_space
from nasbench.spaces.genotypes import NASNET_A, PNASNET_5
from nasbench.spaces.nasnet import NasNetSpace
from nasbench.structures import Scale

OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "max_pool_3x3", "identity")


@dataclass(frozen=True)
class OneCellSpace(CellSpace):
    name: ClassVar[str] = "one-cell"
    blocks: int = 5

    @property
    def grammar(self) -> CellGrammar:
        steps = ("left", "left_op", "right", "right_op")
        return CellGrammar(self.name, self.blocks, OPERATIONS, ("add",), "explicit", steps, ("cell",), "pnas")


SPACE = OneCellSpace()


def test_one_cell_space_conforms():
    check_space(SPACE, np.random.default_rng(0))
    check_network(SPACE.random(np.random.default_rng(1)), Scale(cells=2, filters=8, image_size=16))


def test_decisions_are_those_of_one_cell_in_the_grammars_order():
    assert [d.name for d in SPACE.decisions[:5]] == [
        "cell/block1/left",
        "cell/block1/left_op",
        "cell/block1/right",
        "cell/block1/right_op",
        "cell/block2/left",
    ]
    assert len(SPACE.decisions) == 4 * 5 + 7


def test_one_cell_serves_as_both():
    architecture = SPACE.from_cells(PNASNET_5)
    pair = SPACE.structure(architecture)
    assert pair.normal == pair.reduction
    with pytest.raises(InputError, match="one cell"):
        SPACE.from_cells(NASNET_A)


def test_skeleton_is_part_of_the_identity():
    assert SPACE.from_cells(PNASNET_5).hash != NasNetSpace(output="explicit").from_cells(PNASNET_5).hash
