"""Choices of a mixture in a space of cells: which belong to which block, and how much of each state leaves the cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from nasbench.spaces.cell_space import CellGrammar
from nasbench.structures import FIRST_BLOCK
from nasbench.supernets.mixed import Weighted


class MixedBlock(NamedTuple):
    """Choices of one block.

    `left`, `right`: of the states that its operands read. `left_op`, `right_op`: of their operations.
    """

    left: Weighted
    right: Weighted
    left_op: Weighted
    right_op: Weighted

    def operand(self, side: str) -> tuple[Weighted, Weighted]:
        """Return the choices of one operand.

        Args:
            side: "left" or "right".

        Returns:
            That of the state that it reads, and that of its operation.
        """
        return (self.left, self.left_op) if side == "left" else (self.right, self.right_op)


class CellChoices(NamedTuple):
    """Choices of one cell.

    `blocks`: those of its blocks. `outputs`: (no, yes) for each state, where the output is a decision; else ().
    """

    blocks: Sequence[MixedBlock]
    outputs: Sequence[Weighted]


def cell_choices(grammar: CellGrammar, choices: Sequence[Weighted]) -> list[CellChoices]:
    """Sort the choices of a mixture by cells and blocks.

    Args:
        grammar: the rules of the space, whose blocks all add.
        choices: one per decision of the space.

    Returns:
        One entry per kind of cell.
    """
    cells = []
    left = iter(choices)
    for _ in grammar.cells:
        blocks = [MixedBlock(**{step: next(left) for step in grammar.block_steps}) for _ in range(grammar.blocks)]
        explicit = grammar.output == "explicit"
        outputs = [next(left) for _ in range(FIRST_BLOCK + grammar.blocks)] if explicit else []
        cells.append(CellChoices(blocks, outputs))
    return cells


def output_weights(grammar: CellGrammar, choices: CellChoices) -> dict[int, Tensor]:
    """Compute the probability that each state is an output of its cell, if decisions are drawn by their weights.

    Args:
        grammar: the rules of the space.
        choices: choices of a cell, with weights.

    Returns:
        State -> scalar; only of states that can be an output, in rising order. Weights of 0 and 1 give 0 and 1.
    """
    states = range(FIRST_BLOCK + len(choices.blocks))
    unread = {state: _unread(choices, state) for state in states}
    if grammar.output == "all":
        return {state: _one(choices) for state in states if state >= FIRST_BLOCK}
    if grammar.output == "unused_with_inputs":
        return unread
    unused = {state: chance for state, chance in unread.items() if state >= FIRST_BLOCK}
    if grammar.output == "unused":
        return unused
    nothing = _one(choices)
    for bit in choices.outputs:
        nothing = nothing * _of(bit, 0)
    return {
        state: _of(bit, 1) + nothing * unused[state] if state in unused else _of(bit, 1)
        for state, bit in enumerate(choices.outputs)
    }


def _unread(choices: CellChoices, state: int) -> Tensor:
    """Return the probability that no block reads a state."""
    chance = _one(choices)
    for block in choices.blocks[max(0, state - FIRST_BLOCK + 1) :]:
        for inputs in (block.left, block.right):
            chance = chance * (1 - _of(inputs, state))
    return chance


def _of(weighted: Weighted, option: int) -> Tensor:
    assert weighted.weights is not None
    return weighted.weights[option]


def _one(choices: CellChoices) -> Tensor:
    """Return a scalar 1, on the device of the weights."""
    return _of(choices.blocks[0].left, 0).new_ones(())
