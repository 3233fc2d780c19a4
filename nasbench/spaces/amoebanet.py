"""The search space of regularized evolution (AmoebaNet): NASNet's cells, eight operations, the paper's mutations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from nasbench.spaces.base import Architecture
from nasbench.spaces.cell_space import CellGrammar, CellSpace, Output
from nasbench.structures import FIRST_BLOCK

OPERATIONS = (
    "identity",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_sep_conv_3x3",
    "conv_1x7_7x1",
)

Rows = list[list[int]]  # per block: left, right, left operation, right operation


@dataclass(frozen=True)
class AmoebaNetSpace(CellSpace):
    """Two cells of B blocks; a block adds the results of two operations on two states of its cell.

    A block is what the paper calls a pairwise combination. Decisions of a block, in order: two states, two operations.

    Args:
        blocks: B, 1 to 50.
        operations: operations to choose from; the paper's eight by default. Names of other cell spaces are allowed too.
            The paper's "none" is the identity; it has that name here, so that equal cells of this space and of nasnet
            have equal hashes.
        output: which states the output of a cell concatenates: "unused", "explicit", "all" or "unused_with_inputs", as
            in `NasNetSpace`.

    Raises:
        InputError: when an option is out of range.

    Source: Real et al. 2018 (1802.01548), sections 3.1 and 3.2 and its appendix on the search space.
    Deviation: the published AmoebaNet-A also outputs states that its blocks read, so only the space with
    `output=explicit` has it.
    """

    name: ClassVar[str] = "amoebanet"

    blocks: int = 5
    operations: tuple[str, ...] = OPERATIONS
    output: Output = "unused"

    def __post_init__(self) -> None:
        _make_grammar(self)

    @property
    def grammar(self) -> CellGrammar:
        """Rules of both cells, with NASNet's order of decisions."""
        return _grammar(self)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change the state that one operand of a block reads, or its operation, with equal chances.

        These are the paper's hidden-state and operation mutations. Both draw a cell, one of its blocks and one of the
        block's two operands. The hidden-state mutation lets the operand read another state of the cell, except the
        block itself and states that depend on it; then the blocks are sorted so that each comes after the blocks that
        it reads. The operation mutation gives the operand another operation. If the space has one operation, only the
        hidden-state mutation is used.

        Args:
            architecture: an architecture of this space.
            rng: source of the mutation.

        Returns:
            The mutated architecture; its hash may be the same.

        Source: Real et al. 2018 (1802.01548), section 3.2.
        Deviation: the paper's identity mutation (p = 0.05) is part of the strategy `evolution`, which has it on every
        space. The new state or operation always differs from the old one; the paper does not say so. The decisions of
        an explicit output stay with their blocks and do not mutate.
        """
        grammar = self.grammar
        cells = len(grammar.cells)
        width = len(architecture.choices) // cells
        cell, block, side = int(rng.integers(cells)), int(rng.integers(grammar.blocks)), int(rng.integers(2))
        start = cell * width
        spelled = list(architecture.choices[start : start + width])
        rows = [spelled[4 * index : 4 * index + 4] for index in range(grammar.blocks)]
        bits = spelled[4 * grammar.blocks :]
        if len(grammar.operations) == 1 or rng.integers(2):
            rows, order = _change_state(rows, block, side, rng)
            bits = bits[:FIRST_BLOCK] + [bits[FIRST_BLOCK + old] for old in order] if bits else bits
        else:
            step = 1 + int(rng.integers(len(grammar.operations) - 1))
            rows[block][2 + side] = (rows[block][2 + side] + step) % len(grammar.operations)
        mutated = [choice for row in rows for choice in row] + bits
        choices = architecture.choices[:start] + tuple(mutated) + architecture.choices[start + width :]
        return Architecture(self, choices)


def _change_state(rows: Rows, block: int, side: int, rng: np.random.Generator) -> tuple[Rows, list[int]]:
    """Let an operand read another state. Return the blocks in their new order, and the old index of each."""
    later = {block}  # this block and all that depend on it
    for index in range(block + 1, len(rows)):
        if any(state - FIRST_BLOCK in later for state in rows[index][:2]):
            later.add(index)
    free = [
        state
        for state in range(FIRST_BLOCK + len(rows))
        if state - FIRST_BLOCK not in later and state != rows[block][side]
    ]
    rows[block][side] = free[int(rng.integers(len(free)))]
    order = _topological(rows)
    place = {old: new for new, old in enumerate(order)}
    renumbered = [
        [FIRST_BLOCK + place[state - FIRST_BLOCK] if state >= FIRST_BLOCK else state for state in rows[old][:2]]
        + rows[old][2:]
        for old in order
    ]
    return renumbered, order


def _topological(rows: Sequence[Sequence[int]]) -> list[int]:
    """Sort blocks topologically; ties keep their earlier order."""
    order: list[int] = []
    while len(order) < len(rows):
        order.append(
            next(
                index
                for index, row in enumerate(rows)
                if index not in order and all(state < FIRST_BLOCK or state - FIRST_BLOCK in order for state in row[:2])
            )
        )
    return order


def _make_grammar(space: AmoebaNetSpace) -> CellGrammar:
    return CellGrammar(space.name, space.blocks, space.operations, output=space.output)


_grammar = lru_cache(maxsize=64)(_make_grammar)
