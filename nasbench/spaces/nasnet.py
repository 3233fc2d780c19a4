"""The search space of NASNet: a normal and a reduction cell of B blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from nasbench.spaces.cell_space import CellGrammar, CellSpace, Output
from nasbench.structures import Combination

OPERATIONS = (
    "identity",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dil_conv_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)


@dataclass(frozen=True)
class NasNetSpace(CellSpace):
    """Two cells of B blocks; a block adds or concatenates the results of two operations on two states of its cell.

    Decisions of a block, in order: two states, two operations, combination.

    Args:
        blocks: B, 1 to 50.
        operations: operations to choose from; the paper's thirteen by default. Names of other cell spaces are allowed
            too.
        combinations: "add", "concat" or both. If there is one, no decision is made.
        output: which states the output of a cell concatenates. "unused": the blocks that no block reads. "explicit":
            one yes/no per state (p, c and the blocks) decides; if all are no, the unused blocks. Blocks that then do
            not reach the output are removed. "all": every block, as in the space pnas. "unused_with_inputs": all unread
            blocks and inputs, as in enas-micro.

    Raises:
        InputError: when an option is out of range.

    Source: Zoph et al. 2017 (1707.07012), section 3.2: B = 5, 13 operations, 2 x 5 x 5 decisions, 5.2e36 sequences of
    choices.
    Deviation: the explicit output is ours. The paper's search has the unused blocks as output, but its published cells
    also output states that blocks read.
    """

    name: ClassVar[str] = "nasnet"

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS
    combinations: tuple[Combination, ...] = ("add", "concat")
    output: Output = "unused"

    def __post_init__(self) -> None:
        _make_grammar(self)

    @property
    def grammar(self) -> CellGrammar:
        """Rules of both cells, with the paper's order of decisions."""
        return _grammar(self)


def _make_grammar(space: NasNetSpace) -> CellGrammar:
    return CellGrammar(space.name, space.blocks, space.operations, space.combinations, space.output)


_grammar = lru_cache(maxsize=64)(_make_grammar)
