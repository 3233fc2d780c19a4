"""The micro search space of ENAS: a normal and a reduction cell of B blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from nasbench.spaces.cell_space import CellGrammar, CellSpace

OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")


@dataclass(frozen=True)
class EnasMicroSpace(CellSpace):
    """Two cells of B blocks; a block adds the results of two operations on two states of its cell.

    Decisions of a block, in order: state 1, operation 1, state 2, operation 2. The output of a cell concatenates every
    state that no block reads, also the cell's inputs p and c. The published networks, 6 (+2) layers deep, are
    `Scale(cells=2)` of the NASNet skeleton.

    Args:
        blocks: B, 1 to 50.
        operations: operations to choose from; the paper's five by default. Names of other cell spaces are allowed too.

    Raises:
        InputError: when an option is out of range.

    Source: Pham et al. 2018 (1802.03268), section 2.4. The order of decisions and the output are those of the released
    code, which counts p and c among the unread states; the paper speaks of nodes only.
    Deviation: operations and reductions are built as in NASNet's networks. Both halve p with a factorized reduction;
    the released code has one in an identity of stride 2 too, where our networks have a 1x1 convolution of stride 2.
    """

    name: ClassVar[str] = "enas-micro"

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS

    def __post_init__(self) -> None:
        _make_grammar(self)

    @property
    def grammar(self) -> CellGrammar:
        """Rules of both cells, with the released code's order of decisions."""
        return _grammar(self)


def _make_grammar(space: EnasMicroSpace) -> CellGrammar:
    return CellGrammar(
        space.name,
        space.blocks,
        space.operations,
        output="unused_with_inputs",
        steps=("left", "left_op", "right", "right_op"),
    )


_grammar = lru_cache(maxsize=64)(_make_grammar)
