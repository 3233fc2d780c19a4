"""NASNet's space: order of decisions, published cells, notation, pruning, and identity across options."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.cells import canonical_cell, read_cell, read_pair, write_pair
from nasbench.spaces.genotypes import AMOEBANET_A, NASNET_A, PNASNET_5
from nasbench.spaces.nasnet import NasNetSpace
from nasbench.structures import Block, Cell, CellPair

EXPLICIT = NasNetSpace(output="explicit")
NASNET_A_TEXT = (
    "normal: b1=sep5(c)+sep3(p); b2=sep5(p)+sep3(p); b3=avg3(c)+id(p); b4=avg3(p)+avg3(p); b5=sep3(c)+id(c); out=[p,b1..b5] | "
    "reduction: b1=sep5(c)+sep7(p); b2=max3(c)+sep7(p); b3=avg3(c)+sep5(p); b4=id(b2)+avg3(b1); b5=sep3(b1)+max3(c); "
    "out=[b2,b3,b4,b5]."
)
GOLDEN = {
    "nasnet": "fca0fc7ae241f4e0d28d41af98549888",
    "nasnet:blocks=2": "4c9a5bf829a91f3c93d829ab13381d77",
    "nasnet:output=explicit": "879951833de0d69f3fc700b3f47ca793",
}


def test_decisions_come_in_the_papers_order():
    names = [decision.name for decision in NasNetSpace(blocks=2).decisions]
    steps = ["left", "right", "left_op", "right_op", "combine"]
    assert names == [f"{cell}/block{b}/{step}" for cell in ("normal", "reduction") for b in (1, 2) for step in steps]
    second = NasNetSpace(blocks=2).decisions[5]
    assert (second.options, second.labels, second.group, second.layer) == (3, ("p", "c", "b1"), "input", 1)


def test_explicit_output_adds_a_bit_per_state_and_cell():
    space = NasNetSpace(blocks=2, output="explicit")
    bits = [decision for decision in space.decisions if decision.group == "output"]
    assert [bit.name for bit in bits[:4]] == [f"normal/output/{state}" for state in ("p", "c", "b1", "b2")]
    assert len(bits) == 8
    assert [bit.layer for bit in bits] == [1] * 4 + [3] * 4


def test_nasnet_a_is_an_architecture_of_the_space():
    architecture = EXPLICIT.from_cells(NASNET_A)
    assert EXPLICIT.parse(NASNET_A_TEXT) == architecture
    pair = EXPLICIT.structure(architecture)
    assert len(pair.normal.blocks) == len(pair.reduction.blocks) == 5
    assert (pair.normal.out, pair.reduction.out) == ((0, 2, 3, 4, 5, 6), (3, 4, 5, 6))
    assert architecture.hash == "74d2d5cb8997355deb8407d7a95504cf"


def test_nasnet_a_is_not_an_architecture_of_the_unused_rule():
    with pytest.raises(InputError, match="try output=explicit"):
        NasNetSpace().from_cells(NASNET_A)


@pytest.mark.parametrize("pair", [NASNET_A, PNASNET_5, AMOEBANET_A])
def test_published_cells_come_back(pair):
    architecture = EXPLICIT.from_cells(pair)
    assert EXPLICIT.structure(architecture) == CellPair(canonical_cell(pair.normal), canonical_cell(pair.reduction))
    assert EXPLICIT.from_cells(EXPLICIT.structure(architecture)).hash == architecture.hash


def test_same_cells_have_one_hash_whatever_the_options():
    small = NasNetSpace(blocks=3, operations=("sep_conv_3x3", "identity"), combinations=("add",))
    rng = np.random.default_rng(5)
    for _ in range(50):
        architecture = small.random(rng)
        pair = small.structure(architecture)
        for other in (NasNetSpace(blocks=3), NasNetSpace(blocks=3, output="explicit"), EXPLICIT):
            assert other.from_cells(pair).hash == architecture.hash


def test_all_zero_bits_stand_for_the_unused_blocks():
    plain, explicit = NasNetSpace(blocks=2), NasNetSpace(blocks=2, output="explicit")
    choices = plain.random(np.random.default_rng(0)).choices
    spelled = explicit.decode([*choices[:10], 0, 0, 0, 0, *choices[10:], 0, 0, 0, 0])
    assert spelled.hash == plain.decode(choices).hash


def test_blocks_that_reach_nothing_are_removed():
    cell = read_cell("b1=sep3(p)+id(c); b2=sep5(b1)+id(c); b3=max3(b1)+id(b1); out=[c,b3]")
    pruned = canonical_cell(cell)
    assert (len(pruned.blocks), pruned.out) == (2, (1, 3))
    assert canonical_cell(read_cell("b1=sep3(p)+id(c); out=[p]")) == Cell((), (0,))


def test_one_block_cells_number_136_as_published():
    """Liu et al. 2017 (1712.00559), section 3.2: with 8 operations and addition, 256 one-block cells, 136 of them different."""
    operations = ("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "conv_1x7_7x1", "identity", "avg_pool_3x3", "max_pool_3x3", "dil_conv_3x3")  # fmt: skip
    cells = [
        Cell((Block(left, left_op, right, right_op),), (2,))
        for left in (0, 1) for right in (0, 1) for left_op in operations for right_op in operations
    ]  # fmt: skip
    assert (len(cells), len({canonical_cell(cell) for cell in cells})) == (256, 136)


@pytest.mark.parametrize("spec", ["nasnet", "nasnet:blocks=3,output=explicit"])
def test_description_reads_back_as_the_canonical_architecture(spec):
    space, rng = get_space(spec), np.random.default_rng(6)
    for _ in range(50):
        architecture = space.random(rng)
        assert space.parse(str(architecture)) == space.canonical(architecture)


def test_concatenation_is_written_with_an_ampersand():
    pair = read_pair("normal: b1=sep3(p)&avg_pool_3x3(c); out=[b1] | reduction: b1=id(p)+id(p); out=[c,b1]")
    assert pair.normal.blocks == (Block(0, "sep_conv_3x3", 1, "avg_pool_3x3", "concat"),)
    assert write_pair(pair) == "normal: b1=sep3(p)&avg3(c); out=[b1] | reduction: b1=id(p)+id(p); out=[c,b1]"


ONE = "b1=id(p)+id(c); out=[b1]"
UNREADABLE = [
    ("", "two cells are written"),
    (ONE, "two cells are written"),
    (f"normal: {ONE} | reduction: {ONE} | third: {ONE}", "two cells are written"),
    (f"reduction: {ONE} | normal: {ONE}", "two cells are written"),
    (f"normal: b2=id(p)+id(c); out=[b2] | reduction: {ONE}", "expected a block like 'b1="),
    (f"normal: b1=id(p)-id(c); out=[b1] | reduction: {ONE}", "expected a block like 'b1="),
    (f"normal: b1=sep9(p)+id(c); out=[b1] | reduction: {ONE}", "no operation 'sep9', did you mean"),
    (f"normal: b1=id(b1)+id(c); out=[b1] | reduction: {ONE}", "no state 'b1' there; allowed: p, c"),
    (f"normal: b1=id(p)+id(c); out=[b3] | reduction: {ONE}", "no state 'b3' there; allowed: p, c, b1"),
    (f"normal: b1=id(p)+id(c) | reduction: {ONE}", "ends in its output list"),
    (f"normal: b1=id(p)+id(c); out=[] | reduction: {ONE}", "one or more different states"),
    (f"normal: b1=id(p)+id(c); out=[b1,b1] | reduction: {ONE}", "one or more different states"),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_unreadable_text(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        EXPLICIT.parse(text)


def pair_of(*blocks, out=(2,)):
    cell = Cell(blocks, out)
    return CellPair(cell, cell)


FOREIGN = [
    (
        pair_of(Block(0, "identity", 1, "identity"), Block(0, "identity", 1, "identity"), out=(2, 3)),
        "takes 1 blocks, got 2",
    ),
    (pair_of(Block(0, "identity", 2, "identity")), "b1 reads state 2; allowed: 0 to 1"),
    (pair_of(Block(0, "identity", 1, "conv_1x1")), "b1 has 'conv_1x1'; allowed: identity"),
    (pair_of(Block(0, "identity", 1, "identity", "concat")), "b1 has 'concat'; allowed: add"),
    (pair_of(Block(0, "identity", 1, "identity"), out=(0, 2)), "unused blocks [b1], got [p,b1]"),
    (pair_of(out=(0,)), "takes 1 blocks, got 0"),
]


@pytest.mark.parametrize(("pair", "message"), FOREIGN)
def test_cells_of_another_space(pair, message):
    with pytest.raises(InputError, match=re.escape(message)):
        NasNetSpace(blocks=1, operations=("identity",), combinations=("add",)).from_cells(pair)


@pytest.mark.parametrize("spec", GOLDEN)
def test_hashes_stay_the_same_across_releases(spec):
    space = get_space(spec)
    architecture = space.decode([(7 * index + 3) % d.options for index, d in enumerate(space.decisions)])
    assert architecture.hash == GOLDEN[spec]
