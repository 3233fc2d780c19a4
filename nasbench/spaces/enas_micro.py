"""The micro search space of ENAS: a normal and a reduction cell of B blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from nasbench.spaces.cell_space import CellGrammar, CellSpace

OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")


@dataclass(frozen=True)
class EnasMicroSpace(CellSpace):
    """Two cells of B blocks; per block index 1, operation 1, index 2, operation 2, in that order; operands are added.

    Every state that no block reads is concatenated, the cell's inputs p and c among them. The published networks, 6 (+2) layers deep,
    are `Scale(cells=2)` of the NASNet skeleton.

    Args:
        blocks: B, 1 to 50.
        operations: a choice of the five `OPERATIONS`, or of NASNet's thirteen.

    Raises:
        InputError: when an option is out of range.

    Source: Pham et al. 2018 (1802.03268), section 2.4; the order of decisions and the output are those of the released code, whose
    record of used states covers p and c, where the paper speaks of nodes only.
    Deviation: operations and reductions are built as NASNet's. The released code halves p with a factorized reduction, and so do
    we, but it has one in a strided identity too, where we have a 1x1 convolution of stride 2.
    """

    name: ClassVar[str] = "enas-micro"

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS

    def __post_init__(self) -> None:
        _make_grammar(self)

    @property
    def grammar(self) -> CellGrammar:
        """Both cells, in the order of the released code."""
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
