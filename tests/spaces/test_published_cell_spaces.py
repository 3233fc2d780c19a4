"""The spaces of progressive search, of ENAS' micro search and of regularized evolution: order, output rules, counts, mutations."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.networks.cell_counts import count_cell_network
from nasbench.spaces import get_space
from nasbench.spaces.cells import canonical_cell
from nasbench.spaces.genotypes import AMOEBANET_A, ENAS_MICRO, NASNET_A, PNASNET_5
from nasbench.structures import Block, Cell, CellPair, Scale

PNAS, AMOEBANET, ENAS = get_space("pnas"), get_space("amoebanet"), get_space("enas-micro")
EXPLICIT = get_space("amoebanet:output=explicit")


def everything(space):
    return map(space.decode, itertools.product(*(range(decision.options) for decision in space.decisions)))


def test_one_block_cells_of_pnas_are_256_of_which_136_differ():
    hashes = [architecture.hash for architecture in everything(get_space("pnas:blocks=1"))]
    assert (len(hashes), len(set(hashes))) == (256, 136)


@pytest.mark.parametrize(
    ("space", "steps"),
    [
        (PNAS, ["left", "right", "left_op", "right_op"]),
        (AMOEBANET, ["left", "right", "left_op", "right_op"]),
        (ENAS, ["left", "left_op", "right", "right_op"]),
    ],
)
def test_decisions_come_in_the_order_of_the_source(space, steps):
    cells = ["cell"] if space is PNAS else ["normal", "reduction"]
    expected = [f"{cell}/block{block}/{step}" for cell in cells for block in range(1, 6) for step in steps]
    assert [decision.name for decision in space.decisions] == expected


@pytest.mark.parametrize(("space", "pair"), [(PNAS, PNASNET_5), (ENAS, ENAS_MICRO), (EXPLICIT, AMOEBANET_A)])
def test_published_cells_come_back(space, pair):
    architecture = space.from_cells(pair)
    assert space.structure(architecture) == CellPair(canonical_cell(pair.normal), canonical_cell(pair.reduction))
    assert space.parse(str(architecture)) == space.canonical(architecture)


def test_published_counts_of_the_spaces():
    assert PNAS.count(PNAS.from_cells(PNASNET_5), Scale(3, 48)).params == 3_189_082
    assert EXPLICIT.count(EXPLICIT.from_cells(AMOEBANET_A), Scale(6, 32)) == (2_567_754, 407_671_808)
    assert ENAS.count(ENAS.from_cells(ENAS_MICRO), Scale(2, 36)) == count_cell_network(ENAS_MICRO, Scale(2, 36))


@pytest.mark.parametrize(
    ("space", "pair", "message"),
    [
        (PNAS, NASNET_A, "one cell"),
        (AMOEBANET, AMOEBANET_A, r"unused blocks \[b2,b3,b5\], got \[p,b2,b3,b5\]; try output=explicit"),
        (ENAS, NASNET_A, "unused states .* try the space nasnet:output=explicit"),
    ],
)
def test_published_cells_of_other_spaces(space, pair, message):
    with pytest.raises(InputError, match=message):
        space.from_cells(pair)


def test_equal_cells_have_one_hash_in_every_space_of_two_cells():
    explicit = get_space("nasnet:output=explicit")
    assert ENAS.from_cells(ENAS_MICRO).hash == explicit.from_cells(ENAS_MICRO).hash
    assert EXPLICIT.from_cells(AMOEBANET_A).hash == explicit.from_cells(AMOEBANET_A).hash
    assert PNAS.from_cells(PNASNET_5).hash != explicit.from_cells(PNASNET_5).hash


ONLY_C = Cell((Block(1, "identity", 1, "sep_conv_3x3"), Block(2, "identity", 1, "identity")), (3,))


@pytest.mark.parametrize(
    ("spec", "output"), [("nasnet:blocks=2", (3,)), ("enas-micro:blocks=2", (0, 3)), ("pnas:blocks=2", (2, 3))]
)
def test_output_rules(spec, output):
    """b1 is read by b2, and p by nobody."""
    space, cell = get_space(spec), Cell(ONLY_C.blocks, output)
    assert space.structure(space.from_cells(CellPair(cell, cell))).normal.out == output
    for other in {(3,), (0, 3), (2, 3)} - {output}:
        with pytest.raises(InputError, match="the output is"):
            space.from_cells(CellPair(Cell(cell.blocks, other), Cell(cell.blocks, other)))


def test_a_mutation_changes_one_operand():
    """Without regard to the order of blocks: at most one operation, or one edge, is another; half of the time each."""
    rng = np.random.default_rng(0)
    kinds: Counter[str] = Counter()
    for _ in range(400):
        parent = AMOEBANET.random(rng)
        child = AMOEBANET.mutate(parent, rng)
        assert child != parent
        operations = [
            Counter(op for i, op in enumerate(a.choices) if AMOEBANET.decisions[i].group == "operation")
            for a in (parent, child)
        ]
        differ = (operations[0] - operations[1]).total()
        assert differ <= 1
        kinds["operation" if differ else "state"] += 1
        halves = [[a.choices[:20], a.choices[20:]] for a in (parent, child)]
        assert sum(one != other for one, other in zip(*halves)) == 1  # one of the two cells
    assert 150 < kinds["state"] < 250


def test_mutations_reach_later_blocks_without_loops():
    """From b1 = id(p)+id(p), b2 = sep3(p)+id(p), a hidden-state mutation may let b1 read b2, which no change in place can."""
    space = get_space("amoebanet:blocks=2")
    blocks = (Block(0, "identity", 0, "identity"), Block(0, "sep_conv_3x3", 0, "identity"))
    cell = Cell(blocks, (2, 3))
    parent = space.from_cells(CellPair(cell, cell))
    rng = np.random.default_rng(1)
    found = {space.structure(space.mutate(parent, rng)).normal for _ in range(600)}
    swapped = canonical_cell(Cell((blocks[1], Block(2, "identity", 0, "identity")), (3,)))
    assert swapped in found


def listed(cell):
    """The operations of the blocks that a cell puts out, block by block."""
    blocks = [cell.blocks[state - 2] for state in cell.out if state >= 2]
    return Counter(tuple(sorted((block.left_op, block.right_op))) for block in blocks)


def test_output_bits_move_with_their_blocks():
    """A hidden-state mutation reorders blocks, but puts out the same ones."""
    parent, rng, reordered = EXPLICIT.from_cells(AMOEBANET_A), np.random.default_rng(2), 0
    operations = [index for index, decision in enumerate(EXPLICIT.decisions) if decision.group == "operation"]
    wanted = [listed(cell) for cell in (AMOEBANET_A.normal, AMOEBANET_A.reduction)]
    for _ in range(400):
        child = EXPLICIT.mutate(parent, rng)
        one, other = ([architecture.choices[index] for index in operations] for architecture in (parent, child))
        if Counter(one) != Counter(other):
            continue
        reordered += one != other
        pair = EXPLICIT.structure(child)
        assert [listed(pair.normal), listed(pair.reduction)] == wanted
    assert reordered > 20


def test_chains_of_mutations_reach_every_architecture_of_a_small_space():
    space = get_space("amoebanet:blocks=1,operations=identity/sep_conv_3x3")
    wanted = {architecture.hash for architecture in everything(space)}
    rng, seen = np.random.default_rng(3), set()
    architecture = space.random(rng)
    for _ in range(3000):
        architecture = space.mutate(architecture, rng)
        seen.add(architecture.hash)
    assert seen == wanted
    assert len(wanted) == 100  # ten unordered pairs of four operands in each cell
