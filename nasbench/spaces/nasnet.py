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
    """Two cells of B blocks; per block two inputs, two operations and a combination, in that order.

    Args:
        blocks: B, 1 to 50.
        operations: a choice of the thirteen `OPERATIONS`.
        combinations: "add", "concat" or both; a single one is no decision.
        output: "unused" concatenates the blocks that no block reads; "explicit" adds one yes/no per state (p, c, blocks) and cell
            for membership in the output, all no standing for the unused ones. Blocks that then reach nothing are removed. "all" and
            "unused_with_inputs" are the rules of the spaces pnas and enas-micro.

    Raises:
        InputError: when an option is out of range.

    Source: Zoph et al. 2017 (1707.07012), section 3.2: B = 5, 13 operations, 2 x 5 x 5 decisions, 5.2e36 sequences.
    Deviation: the output bits are ours; the paper's search has the unused rule, but its published cell needs explicit lists.
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
        """Both cells, in the paper's order of decisions."""
        return _grammar(self)


def _make_grammar(space: NasNetSpace) -> CellGrammar:
    return CellGrammar(space.name, space.blocks, space.operations, space.combinations, space.output)


_grammar = lru_cache(maxsize=64)(_make_grammar)
