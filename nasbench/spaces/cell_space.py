"""Base class of all spaces of NASNet-like cells. A subclass has options, and makes a `CellGrammar` of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Literal

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.cells import (
    SHORT_NAMES,
    SIGNS,
    canonical_cell,
    encode_cell,
    read_pair,
    state_name,
    unused_states,
    write_pair,
)
from nasbench.spaces.options import check_one_of, check_range, check_words
from nasbench.structures import FIRST_BLOCK, Block, Cell, CellPair, Combination, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network
    from nasbench.networks.skeletons import Skeleton

Step = Literal["left", "right", "left_op", "right_op", "combine"]
Output = Literal["unused", "explicit", "all", "unused_with_inputs"]

OUTPUTS: tuple[Output, ...] = ("unused", "explicit", "all", "unused_with_inputs")

MAX_BLOCKS = 50


@dataclass(frozen=True)
class CellGrammar:
    """Rules by which choices describe the cells of a space.

    Args:
        space: the space's name, for messages.
        blocks: B, blocks of a cell, 1 to 50.
        operations: names of the operations; a choice is an index into them.
        combinations: how a block may combine the results of its two operations; a choice is an index into them. If
            there is one, no decision is made.
        output: which states the cell's output concatenates. "unused": the blocks that no block reads. "explicit": one
            yes/no per state (p, c, b1, ...) decides; if all are no, the unused blocks. "all": every block.
            "unused_with_inputs": the blocks, and the cell's inputs p and c, that no block reads.
        steps: the decisions of a block, in order.
        cells: names of the cells, ("normal", "reduction"), or one name if a single cell is used with both strides.
        skeleton: how cells are stacked, a name that `nasbench.networks.skeletons.plan_network` takes; part of the hash.

    Raises:
        InputError: when blocks, operations, combinations or output are not allowed.
    """

    space: str
    blocks: int
    operations: tuple[str, ...]
    combinations: tuple[Combination, ...] = ("add",)
    output: Output = "unused"
    steps: tuple[Step, ...] = ("left", "right", "left_op", "right_op", "combine")
    cells: tuple[str, ...] = ("normal", "reduction")
    skeleton: Skeleton = "nasnet"

    def __post_init__(self) -> None:
        check_range(self.space, "blocks", self.blocks, 1, MAX_BLOCKS)
        check_words(self.space, "operations", self.operations, tuple(SHORT_NAMES))
        check_words(self.space, "combinations", self.combinations, tuple(SIGNS))
        check_one_of(self.space, "output", self.output, OUTPUTS)

    def options(self, step: Step, block: int) -> int:
        """Count the options of a decision.

        Args:
            step: the decision within its block.
            block: index of the block in its cell, from 0.

        Returns:
            Number of options: the states that exist before the block for an input, else all operations or combinations.
        """
        if step in ("left", "right"):
            return FIRST_BLOCK + block
        return len(self.combinations if step == "combine" else self.operations)

    def output_of(self, blocks: Sequence[Block]) -> tuple[int, ...]:
        """Return the states that the output concatenates by the rule `output`.

        Args:
            blocks: the blocks of a cell.

        Returns:
            State indices in rising order. With "explicit", those that are used when all decisions about the output are
            no.
        """
        if self.output == "all":
            return tuple(range(FIRST_BLOCK, FIRST_BLOCK + len(blocks)))
        unused = unused_states(blocks)
        if self.output != "unused_with_inputs":
            return unused
        read = {state for block in blocks for state in (block.left, block.right)}
        return tuple(state for state in range(FIRST_BLOCK) if state not in read) + unused

    @cached_property
    def block_steps(self) -> tuple[Step, ...]:
        """The steps that are decisions: all of them, but not the combination if there is only one."""
        return tuple(step for step in self.steps if step != "combine" or len(self.combinations) > 1)


@dataclass(frozen=True)
class CellSpace(Space):
    """A space of cells made of blocks; a block applies two operations to two earlier states and combines the results.

    A subclass has the options as fields, and implements `grammar`.

    Two architectures have the same hash exactly when their skeletons are equal and their cells are isomorphic after
    removing the blocks that do not reach the output. `canonical_cell` explains why operands have no order, and what is
    not rewritten. The hash does not depend on the options: the same cells have the same hash in spaces with fewer
    operations or with an explicit output. Cells that the whole network does not use are not removed, such as every
    second one when no block reads c, since which they are depends on the scale.
    """

    @property
    @abstractmethod
    def grammar(self) -> CellGrammar:
        """The rules of the space's cells. Making them checks the options."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Cell by cell: the decisions of each block, then, if the output is explicit, one yes/no per state."""
        return _decisions(self)

    def structure(self, architecture: Architecture) -> CellPair:
        """Return the canonical cells; see `Space.structure`. In a space of one cell, both are that cell."""
        return _structure(architecture)

    def spelled(self, architecture: Architecture) -> CellPair:
        """Return the cells as chosen: blocks and operands in the order of the decisions, nothing removed.

        Args:
            architecture: an architecture of this space.

        Returns:
            The normal and the reduction cell; in a space of one cell, both are that cell.
        """
        cells = list(_spelled(self.grammar, architecture.choices))
        return CellPair(cells[0], cells[-1])

    def form(self, architecture: Architecture) -> str:
        """Write the skeleton and both canonical cells as text; see `Space.form`."""
        return _form(architecture)

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture with the canonical cells; see `Space.canonical`. Removed blocks get first choices."""
        return self.from_cells(self.structure(architecture))

    def describe(self, architecture: Architecture) -> str:
        """Write the canonical cells for people; see `Space.describe`.

        E.g. "normal: b1=sep5(c)+sep3(p); out=[b1] | reduction: ..."; p and c are the inputs of the cell.
        """
        return write_pair(self.structure(architecture))

    def parse(self, text: str) -> Architecture:
        """Read an architecture in the notation of `describe`.

        Args:
            text: both cells, as `cells.read_pair` takes them.

        Returns:
            The architecture, with its blocks in the order of the text.

        Raises:
            InputError: when the text cannot be read or its cells are not in the space.
        """
        return self.from_cells(read_pair(text))

    def from_cells(self, pair: CellPair) -> Architecture:
        """Return the architecture that has these cells: the inverse of `structure`, up to isomorphism.

        Args:
            pair: cells with blocks in topological order, e.g. a published genotype. If the space's output is explicit,
                they may have fewer blocks than the space.

        Returns:
            The architecture; it need not be canonical.

        Raises:
            InputError: when the cells are not in the space; names the first reason.
        """
        grammar = self.grammar
        if len(grammar.cells) == 1 and canonical_cell(pair.normal) != canonical_cell(pair.reduction):
            raise InputError(f"space {self.spec!r} has one cell, got a normal and a reduction cell that differ")
        choices: list[int] = []
        for name, cell in zip(grammar.cells, (pair.normal, pair.reduction)):
            choices += _cell_choices(grammar, f"{name} cell in space {self.spec!r}", cell)
        return self.decode(choices)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.cell_counts import count_cell_network

        # The cells as chosen give the same counts: blocks that do not reach the output are not counted, and the
        # canonical order, which takes most of the time, changes no count.
        return count_cell_network(self.spelled(architecture), scale, skeleton=self.grammar.skeleton)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of the canonical cells; see `networks.cells.build_cell_network`."""
        from nasbench.networks.cells import build_cell_network

        return build_cell_network(
            self.structure(architecture), scale, regularization or Regularization(), skeleton=self.grammar.skeleton
        )


@lru_cache(maxsize=64)
def _decisions(space: CellSpace) -> tuple[Decision, ...]:
    grammar = space.grammar
    decisions: list[Decision] = []
    for cell_index, cell in enumerate(grammar.cells):
        first = cell_index * grammar.blocks
        for block in range(grammar.blocks):
            for step in grammar.block_steps:
                labels, group = _meaning(grammar, step, block)
                name = f"{cell}/block{block + 1}/{step}"
                decisions.append(Decision(name, len(labels), labels, group, first + block))
        if grammar.output == "explicit":
            for state in range(FIRST_BLOCK + grammar.blocks):
                name = f"{cell}/output/{state_name(state)}"
                decisions.append(Decision(name, 2, ("no", "yes"), "output", first + grammar.blocks - 1))
    return tuple(decisions)


def _meaning(grammar: CellGrammar, step: Step, block: int) -> tuple[tuple[str, ...], str]:
    """Return the labels and the group of a decision."""
    if step in ("left", "right"):
        return tuple(state_name(state) for state in range(grammar.options(step, block))), "input"
    if step == "combine":
        return tuple(grammar.combinations), "combination"
    return grammar.operations, "operation"


@lru_cache(maxsize=4096)
def _structure(architecture: Architecture) -> CellPair:
    space = architecture.space
    assert isinstance(space, CellSpace)
    cells = [canonical_cell(cell) for cell in _spelled(space.grammar, architecture.choices)]
    return CellPair(cells[0], cells[-1])


@lru_cache(maxsize=16384)
def _form(architecture: Architecture) -> str:
    space = architecture.space
    assert isinstance(space, CellSpace)
    pair = space.structure(architecture)
    return f"{space.grammar.skeleton}|{encode_cell(pair.normal)}|{encode_cell(pair.reduction)}"


def _spelled(grammar: CellGrammar, choices: tuple[int, ...]) -> Iterator[Cell]:
    """Yield the cells as chosen, before pruning and ordering."""
    steps, operations, combinations = grammar.block_steps, grammar.operations, grammar.combinations
    left, left_op, right, right_op = map(steps.index, ("left", "left_op", "right", "right_op"))
    combine = steps.index("combine") if "combine" in steps else None
    start, step = 0, len(steps)
    for _ in grammar.cells:
        end = start + grammar.blocks * step
        blocks = tuple(
            map(
                Block,
                choices[start + left : end : step],
                [operations[choice] for choice in choices[start + left_op : end : step]],
                choices[start + right : end : step],
                [operations[choice] for choice in choices[start + right_op : end : step]],
                repeat(combinations[0])
                if combine is None
                else [combinations[choice] for choice in choices[start + combine : end : step]],
            )
        )
        start = end
        out: tuple[int, ...] = ()
        if grammar.output == "explicit":
            start += FIRST_BLOCK + grammar.blocks
            out = tuple(state for state, bit in enumerate(choices[end:start]) if bit)
        yield Cell(blocks, out or grammar.output_of(blocks))


def _cell_choices(grammar: CellGrammar, where: str, cell: Cell) -> list[int]:
    """Return the choices that give a cell; blocks that it lacks get first choices, and no block reads them."""
    _check_cell(grammar, where, cell)
    filler = Block(0, grammar.operations[0], 0, grammar.operations[0], grammar.combinations[0])
    choices = []
    for block in [*cell.blocks, *[filler] * (grammar.blocks - len(cell.blocks))]:
        values = {
            "left": block.left,
            "right": block.right,
            "left_op": grammar.operations.index(block.left_op),
            "right_op": grammar.operations.index(block.right_op),
            "combine": grammar.combinations.index(block.combine),
        }
        choices += [values[step] for step in grammar.block_steps]
    if grammar.output == "explicit":
        choices += [int(state in cell.out) for state in range(FIRST_BLOCK + grammar.blocks)]
    return choices


def _check_cell(grammar: CellGrammar, where: str, cell: Cell) -> None:
    if len(cell.blocks) > grammar.blocks or (grammar.output != "explicit" and len(cell.blocks) < grammar.blocks):
        raise InputError(f"{where}: takes {grammar.blocks} blocks, got {len(cell.blocks)}")
    for index, block in enumerate(cell.blocks):
        name = state_name(FIRST_BLOCK + index)
        for state, operation in ((block.left, block.left_op), (block.right, block.right_op)):
            if not 0 <= state < FIRST_BLOCK + index:
                raise InputError(f"{where}: {name} reads state {state}; allowed: 0 to {FIRST_BLOCK + index - 1}")
            if operation not in grammar.operations:
                raise InputError(f"{where}: {name} has {operation!r}; allowed: {', '.join(grammar.operations)}")
        if block.combine not in grammar.combinations:
            raise InputError(f"{where}: {name} has {block.combine!r}; allowed: {', '.join(grammar.combinations)}")
    out, states = sorted(cell.out), range(FIRST_BLOCK + len(cell.blocks))
    if not out or len(set(out)) < len(out) or not set(out) <= set(states):
        raise InputError(f"{where}: the output takes one or more different states up to {states[-1]}, got {cell.out}")
    if grammar.output == "explicit":
        return
    ruled = grammar.output_of(cell.blocks)
    if tuple(out) != ruled:
        wanted, given = (",".join(map(state_name, states)) for states in (ruled, out))
        hint = "output=explicit" if grammar.output == "unused" else "the space nasnet:output=explicit"
        raise InputError(f"{where}: the output is {_RULES[grammar.output]} [{wanted}], got [{given}]; try {hint}")


_RULES = {"unused": "the unused blocks", "all": "all blocks", "unused_with_inputs": "the unused states"}
