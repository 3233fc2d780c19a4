"""Cells as values: pruning, canonical order, encoding for hashes, and a notation for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nasbench.errors import InputError, did_you_mean
from nasbench.networks.wiring import live_states
from nasbench.spaces.graphs import canonical_order
from nasbench.structures import FIRST_BLOCK, PREVIOUS, PREVIOUS_PREVIOUS, Block, Cell, CellPair, Combination

SHORT_NAMES = {
    "identity": "id",
    "conv_1x3_3x1": "1x3_3x1",
    "conv_1x7_7x1": "1x7_7x1",
    "dil_conv_3x3": "dil3",
    "avg_pool_3x3": "avg3",
    "max_pool_3x3": "max3",
    "max_pool_5x5": "max5",
    "max_pool_7x7": "max7",
    "conv_1x1": "conv1",
    "conv_3x3": "conv3",
    "sep_conv_3x3": "sep3",
    "sep_conv_5x5": "sep5",
    "sep_conv_7x7": "sep7",
    "dil_sep_conv_3x3": "dilsep3",
}
LONG_NAMES = {short: name for name, short in SHORT_NAMES.items()}
SIGNS: dict[Combination, str] = {"add": "+", "concat": "&"}
COMBINATIONS: dict[str, Combination] = {sign: combination for combination, sign in SIGNS.items()}

_BLOCK = re.compile(r"b(\d+)\s*=\s*([\w]+)\((\w+)\)\s*([+&])\s*([\w]+)\((\w+)\)")
_OUT = re.compile(r"out\s*=\s*\[(.*)\]")
_RANGE = re.compile(r"b(\d+)\.\.b(\d+)")


def unused_states(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Return the blocks that no block reads.

    Args:
        blocks: the blocks of a cell.

    Returns:
        Their state indices in rising order, >= `FIRST_BLOCK`; the cell's inputs p and c are never among them.
    """
    read: set[int] = set()
    for block in blocks:
        read.add(block.left)
        read.add(block.right)
    return tuple([state for state in range(FIRST_BLOCK, FIRST_BLOCK + len(blocks)) if state not in read])


def canonical_cell(cell: Cell) -> Cell:
    """Return the one cell that represents all cells with isomorphic graphs.

    Blocks that do not reach the output are removed, the others are put in canonical order, and operands are sorted by
    state, then name.

    The operands of a block and the states of the output have no order of their own. For an addition this is obvious.
    For a concatenation it is exact because every reader of concatenated states mixes all channels by learned weights:
    the state of a block that concatenates has twice the filters, so each operation on it is, or ends in, a learned 1x1
    or depthwise and pointwise convolution, and the next cells read the output through a learned 1x1 convolution.
    Swapping operands therefore only renumbers weights of the readers, and these weights are drawn from the same
    distribution. Where a cell reads p unchanged (equal channels), the renumbering passes on to all states of that cell:
    operations without weights treat all channels alike, and the others renumber their own weights.

    Algebra is not rewritten: an average pool of a sum is not the sum of average pools, two equal pools stay two, max3
    of max3 is not max5, and a sum of three states through an identity is not regrouped. One function can therefore have
    several canonical cells.

    Args:
        cell: blocks in topological order.

    Returns:
        The canonical cell; it is its own canonical cell.
    """
    live = live_states(cell)
    kept = [index for index in range(len(cell.blocks)) if FIRST_BLOCK + index in live]
    node_of = {FIRST_BLOCK + index: node for node, index in enumerate(kept)}
    node_of |= {PREVIOUS_PREVIOUS: -2, PREVIOUS: -1}
    labels, inputs = [], []
    for index in kept:
        block = cell.blocks[index]
        labels.append((FIRST_BLOCK + index in cell.out, block.combine))
        inputs.append([(node_of[block.left], block.left_op), (node_of[block.right], block.right_op)])
    state_of = {-2: PREVIOUS_PREVIOUS, -1: PREVIOUS}
    order = canonical_order(labels, inputs)
    for position, node in enumerate(order):
        state_of[node] = FIRST_BLOCK + position
    blocks = []
    for node in order:
        (left, left_op), (right, right_op) = sorted((state_of[source], op) for source, op in inputs[node])
        blocks.append(Block(left, left_op, right, right_op, labels[node][1]))
    return Cell(tuple(blocks), tuple(sorted({state_of[node_of[state]] for state in cell.out})))


def encode_cell(cell: Cell) -> str:
    """Write a cell as the text that hashes are made of. It never changes between releases.

    Args:
        cell: the cell; for a hash, a canonical one.

    Returns:
        A text that is equal for equal cells only.
    """
    blocks = (f"{b.left}.{b.left_op}{SIGNS[b.combine]}{b.right}.{b.right_op}" for b in cell.blocks)
    return ";".join(blocks) + ">" + ",".join(map(str, cell.out))


def state_name(state: int) -> str:
    """Return the name of a state: p, c, b1, b2, ...

    Args:
        state: index of the state, >= 0, as in `structures.Block`.

    Returns:
        p and c for the two inputs of the cell; b1, b2, ... for the outputs of its blocks.
    """
    return ("p", "c")[state] if state < FIRST_BLOCK else f"b{state - FIRST_BLOCK + 1}"


def write_cell(cell: Cell) -> str:
    """Write a cell for people, e.g. "b1=sep5(c)+sep3(p); b2=avg3(b1)&id(p); out=[b2]"; "+" adds and "&" concatenates.

    Args:
        cell: any cell.

    Returns:
        One line, which `read_cell` reads back.
    """
    parts = [
        f"b{index}={_short(b.left_op)}({state_name(b.left)})"
        f"{SIGNS[b.combine]}{_short(b.right_op)}({state_name(b.right)})"
        for index, b in enumerate(cell.blocks, 1)
    ]
    return "; ".join([*parts, f"out=[{','.join(map(state_name, cell.out))}]"])


def read_cell(text: str) -> Cell:
    """Read a cell in the notation of `write_cell`.

    Args:
        text: blocks b1, b2, ... in order, then out, with ";" between. Operations have their short or full names;
            "b1..b5" in the list of the output stands for b1 to b5.

    Returns:
        The cell, with its blocks in the order of the text.

    Raises:
        InputError: when a part cannot be read; names the part.
    """
    *block_texts, out_text = [part.strip() for part in text.strip().rstrip(".").split(";")]
    blocks = []
    for index, part in enumerate(block_texts):
        match = _BLOCK.fullmatch(part)
        if match is None or int(match[1]) != index + 1:
            raise InputError(f"expected a block like 'b{index + 1}=sep5(c)+sep3(p)', got {part!r}")
        operands = _state(match[3], index), _long(match[2]), _state(match[6], index), _long(match[5])
        blocks.append(Block(*operands, COMBINATIONS[match[4]]))
    match = _OUT.fullmatch(out_text)
    if match is None:
        raise InputError(f"a cell ends in its output list, e.g. 'out=[b1,b2]', got {out_text!r}")
    return Cell(tuple(blocks), tuple(_out_states(match[1], len(blocks))))


def write_pair(pair: CellPair) -> str:
    """Write both cells for people: "normal: ... | reduction: ...".

    Args:
        pair: the normal and the reduction cell.

    Returns:
        One line, which `read_pair` reads back.
    """
    return f"normal: {write_cell(pair.normal)} | reduction: {write_cell(pair.reduction)}"


def read_pair(text: str) -> CellPair:
    """Read a pair of cells in the notation of `write_pair`.

    Args:
        text: "normal: CELL | reduction: CELL", with cells as `read_cell` takes them.

    Returns:
        The pair, with its blocks in the order of the text.

    Raises:
        InputError: when a part cannot be read; names the part.
    """
    cells = []
    parts = text.split("|")
    for name, part in zip(("normal", "reduction"), parts):
        head, colon, body = part.partition(":")
        if head.strip() != name or not colon:
            break
        cells.append(read_cell(body))
    if len(cells) != 2 or len(parts) != 2:
        raise InputError(
            f"two cells are written 'normal: b1=..; out=[..] | reduction: b1=..; out=[..]', got {text[:80]!r}"
        )
    return CellPair(*cells)


def _out_states(text: str, blocks: int) -> list[int]:
    states: list[int] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        match = _RANGE.fullmatch(name)
        first, last = (f"b{match[1]}", f"b{match[2]}") if match else (name, name)
        states += range(_state(first, blocks), _state(last, blocks) + 1)
    return states


def _state(name: str, blocks: int) -> int:
    names = [state_name(state) for state in range(FIRST_BLOCK + blocks)]
    if name not in names:
        raise InputError(f"no state {name!r} there; allowed: {', '.join(names)}")
    return names.index(name)


def _short(operation: str) -> str:
    return SHORT_NAMES.get(operation, operation)


def _long(name: str) -> str:
    if name not in LONG_NAMES and name not in SHORT_NAMES:
        raise InputError(f"no operation {name!r}{did_you_mean(name, LONG_NAMES)}; allowed: {', '.join(LONG_NAMES)}")
    return LONG_NAMES.get(name, name)
