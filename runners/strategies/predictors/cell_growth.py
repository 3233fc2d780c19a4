"""Growth of cells block by block: list every way to add one block, as rows of choices. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Space
from nasbench.spaces.cell_space import CellSpace, Step

Rows = NDArray[np.int64]

_TABLES: dict[Step, str] = {
    "left": "input",
    "right": "input",
    "left_op": "operation",
    "right_op": "operation",
    "combine": "combination",
}


class Candidates(NamedTuple):
    """Cells with one block added: `parents` [n], indices of parents' rows; `added` [n, width], choices of the block."""

    parents: Rows
    added: Rows


@dataclass(frozen=True)
class CellGrowth:
    """A space of cells as a series: the same space with one block, two blocks, and so on up to its own number.

    A row is an architecture as choices in the order of blocks: the first block of each cell, then the second of each,
    and so on; `width` choices per block. In a space of one cell this is the order of its decisions.

    Args:
        space: a space that `of` accepts.
    """

    space: CellSpace

    @classmethod
    def of(cls, space: Space) -> CellGrowth:
        """Make the series for a space of cells.

        Its number of blocks must be an option, and all its decisions belong to blocks.

        Args:
            space: the space that a strategy searches.

        Returns:
            The series.

        Raises:
            InputError: when the space does not meet these conditions.
        """
        if isinstance(space, CellSpace) and "blocks" in {field.name for field in dataclasses.fields(space)}:
            growth = cls(space)
            if len(space.decisions) == growth.blocks * growth.width:
                return growth
        raise InputError(
            "strategy 'pnas' grows cells block by block: it takes a space of cells with the option 'blocks' and without output "
            f"decisions, e.g. 'nasnet', got {space.spec!r}"
        )

    @property
    def blocks(self) -> int:
        """B, the blocks of a cell of the whole space."""
        return self.space.grammar.blocks

    @property
    def width(self) -> int:
        """Number of choices per block, in all cells together."""
        return len(self.space.grammar.cells) * len(self.space.grammar.block_steps)

    def architecture(self, row: Rows) -> Architecture:
        """Convert a row to an architecture.

        Args:
            row: [blocks * width] int64, choices in the order of blocks.

        Returns:
            The architecture, in the space whose cells have that many blocks.
        """
        grammar = self.space.grammar
        shape = (len(row) // self.width, len(grammar.cells), len(grammar.block_steps))
        return self._at(shape[0]).decode(row.reshape(shape).swapaxes(0, 1).ravel().tolist())

    @cached_property
    def tables(self) -> tuple[tuple[str, int], ...]:
        """Kind ("input", "operation" or "combination") and maximal number of options of each of the `width` choices."""
        grammar = self.space.grammar
        steps = [(_TABLES[step], grammar.options(step, grammar.blocks - 1)) for step in grammar.block_steps]
        return tuple(steps * len(grammar.cells))

    def candidates(self, parents: int, block: int, limit: int, rng: np.random.Generator) -> Candidates:
        """List every way to add a block to every parent.

        Blocks that differ only in the order of their operands are listed once.

        Args:
            parents: number of rows to extend, >= 1.
            block: number of the new block, from 0.
            limit: maximal number of results; if there are more, this many are drawn uniformly without repetition.
            rng: generator of these draws.

        Returns:
            The cells with one block added.
        """
        blocks, cells = self._cell_blocks(block), len(self.space.grammar.cells)
        total = parents * len(blocks) ** cells
        flat = np.arange(total) if total <= limit else np.sort(rng.choice(total, limit, replace=False, shuffle=False))
        chosen = []
        for _ in range(cells):
            flat, place = np.divmod(flat, len(blocks))
            chosen.append(blocks[place])
        return Candidates(flat, np.concatenate(chosen, axis=1))

    def _at(self, blocks: int) -> CellSpace:
        return dataclasses.replace(self.space, blocks=blocks)  # type: ignore[call-arg]

    def _cell_blocks(self, block: int) -> Rows:
        """List all possible blocks number `block` of one cell, [n, steps], with left operand not after the right."""
        grammar = self.space.grammar
        steps = grammar.block_steps
        sizes = [grammar.options(step, block) for step in steps]
        rows = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
        column = {step: rows[:, place] for place, step in enumerate(steps)}
        operations = len(grammar.operations)
        left = column["left"] * operations + column["left_op"]
        right = column["right"] * operations + column["right_op"]
        return rows[left <= right]
