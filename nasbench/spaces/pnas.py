"""The search space of PNAS (progressive search): one cell of B blocks, used with both strides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from nasbench.spaces.cell_space import CellGrammar, CellSpace

OPERATIONS = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "conv_1x7_7x1",
    "identity",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
)


@dataclass(frozen=True)
class PnasSpace(CellSpace):
    """One cell of B blocks for both strides; a block adds the results of two operations on two states of its cell.

    The output of the cell concatenates all blocks. Decisions of a block, in order: two states, two operations. The
    network has 3N cells, two of which are the same cell with stride 2 (skeleton "pnas").

    Args:
        blocks: B, 1 to 50.
        operations: operations to choose from; the paper's eight by default. Names of other cell spaces are allowed too.

    Raises:
        InputError: when an option is out of range.

    Source: Liu et al. 2017 (1712.00559), section 3.1: 256 one-block cells, of which 136 differ; 5.6e14 sequences of
    choices at B = 5.
    """

    name: ClassVar[str] = "pnas"

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS

    def __post_init__(self) -> None:
        _make_grammar(self)

    @property
    def grammar(self) -> CellGrammar:
        """Rules of the cell, with the paper's order of decisions."""
        return _grammar(self)


def _make_grammar(space: PnasSpace) -> CellGrammar:
    return CellGrammar(space.name, space.blocks, space.operations, output="all", cells=("cell",), skeleton="pnas")


_grammar = lru_cache(maxsize=64)(_make_grammar)
