"""Which states of a cell reach its output, how wide they are, and checks of cells. No torch."""

from __future__ import annotations

from nasbench.errors import InputError, UnknownName
from nasbench.networks.operation_counts import OPERATION_COUNTS
from nasbench.structures import FIRST_BLOCK, Cell, CellPair


def live_states(cell: Cell) -> frozenset[int]:
    """Return the states on which the cell's output depends.

    Args:
        cell: blocks in topological order.

    Returns:
        State indices: 0 is p, 1 is c, 2 + i is block i.
    """
    live = set(cell.out)
    for index in reversed(range(len(cell.blocks))):
        if FIRST_BLOCK + index in live:
            live |= {cell.blocks[index].left, cell.blocks[index].right}
    return frozenset(live)


def state_width(cell: Cell, state: int) -> int:
    """Compute the channels of a state in units of F.

    Args:
        cell: the cell.
        state: index of the state, as in `structures.Block`.

    Returns:
        2 for a block that concatenates its operands, else 1.
    """
    return 2 if state >= FIRST_BLOCK and cell.blocks[state - FIRST_BLOCK].combine == "concat" else 1


def output_width(cell: Cell) -> int:
    """Compute the channels of the cell's output in units of F.

    Args:
        cell: the cell.

    Returns:
        Sum of the widths of the states in `cell.out`.
    """
    return sum(state_width(cell, state) for state in cell.out)


def check_pair(pair: CellPair) -> None:
    """Check that a network can be built of two cells.

    Args:
        pair: the normal and the reduction cell.

    Raises:
        InputError: when a cell has no output, a block reads a state that does not come before it, or the output lists a
            state that does not exist.
        UnknownName: when an operation or a combination has an unknown name.
    """
    for name, cell in (("normal", pair.normal), ("reduction", pair.reduction)):
        if not cell.out:
            raise InputError(f"the {name} cell has no output; list at least one state in `out`")
        for index, block in enumerate(cell.blocks):
            for state in (block.left, block.right):
                _check_state(state, FIRST_BLOCK + index, f"block {index + 1} of the {name} cell reads")
            for operation in (block.left_op, block.right_op):
                if operation not in OPERATION_COUNTS:
                    raise UnknownName("operation", operation, OPERATION_COUNTS)
            if block.combine not in ("add", "concat"):
                raise UnknownName("combination", block.combine, ("add", "concat"))
        for state in cell.out:
            _check_state(state, FIRST_BLOCK + len(cell.blocks), f"the output of the {name} cell lists")


def _check_state(state: int, states: int, what: str) -> None:
    if not 0 <= state < states:
        raise InputError(f"{what} state {state}; allowed: 0 (p), 1 (c) and earlier blocks, up to {states - 1}")
