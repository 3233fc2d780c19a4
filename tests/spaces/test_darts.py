"""The space of DARTS: counting, genotypes as text, and hashes by isomorphism."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.darts import OPERATIONS, PAIRS
from nasbench.spaces.darts_genotypes import DARTS_GENOTYPES
from nasbench.structures import Block, Cell, CellPair

SPACE = get_space("darts")


def test_a_cell_has_as_many_choices_as_pairs_of_inputs_and_operations():
    assert math.prod(decision.options for decision in SPACE.decisions) == (1 * 3 * 6 * 10 * 7**8) ** 2
    assert len(PAIRS) == len({frozenset(pair) for pair in PAIRS}) == math.comb(5, 2)
    assert [decision.options for decision in SPACE.decisions[::3]] == [1, 3, 6, 10] * 2


@pytest.mark.parametrize("name", DARTS_GENOTYPES)
def test_published_genotypes_are_read_by_name_and_as_text(name):
    architecture = SPACE.parse(name)
    assert SPACE.parse(DARTS_GENOTYPES[name]) == architecture == SPACE.parse(name.upper())
    again = SPACE.parse(SPACE.describe(architecture))
    assert again.hash == architecture.hash
    assert again == SPACE.canonical(architecture)


def test_genotypes_with_ranges_and_weights_are_read():
    text = DARTS_GENOTYPES["darts_v2"]
    assert SPACE.parse(text.replace("[2, 3, 4, 5]", "range(2, 6)")).hash == SPACE.parse(text).hash
    assert SPACE.parse(text.replace("', 0)", "', 0, 0.13)")).hash == SPACE.parse(text).hash


def test_naslibs_pairs_of_numbers_are_read():
    """The first row of a table of NAS-Bench-301; NASLib's operations are numbered as ours, and pairs begin with the state."""
    pairs = "[(0,6),(1,2),(1,4),(0,6),(0,6),(1,3),(4,0),(3,6)]"
    found = SPACE.parse(f"({pairs},{pairs})")
    edges = [
        ("dil_conv_5x5", 0), ("skip_connect", 1), ("sep_conv_5x5", 1), ("dil_conv_5x5", 0),
        ("dil_conv_5x5", 0), ("sep_conv_3x3", 1), ("max_pool_3x3", 4), ("dil_conv_5x5", 3),
    ]  # fmt: skip
    assert found.hash == SPACE.parse(f"Genotype(normal={edges}, reduce={edges})").hash


def test_hashes_ignore_the_order_of_operands_and_of_nodes_and_nothing_else():
    first = [("sep_conv_3x3", 0), ("skip_connect", 1)]
    second = [("max_pool_3x3", 0), ("dil_conv_5x5", 1)]
    third = [("avg_pool_3x3", 2), ("sep_conv_5x5", 3)]
    last = [("skip_connect", 0), ("sep_conv_3x3", 4)]
    reduction = SPACE.structure(SPACE.parse("darts_v2")).reduction

    def hash_of(*nodes):
        blocks = tuple(Block(a[1], a[0], b[1], b[0]) for a, b in nodes)
        return SPACE.from_cells(CellPair(Cell(blocks, (2, 3, 4, 5)), reduction)).hash

    base = hash_of(first, second, third, last)
    swapped = [("avg_pool_3x3", 3), ("sep_conv_5x5", 2)]
    assert hash_of(second, first, swapped, last) == base  # nodes 1 and 2 in the other order
    assert hash_of(first[::-1], second, third, last[::-1]) == base
    assert hash_of(first, second, swapped, last) != base
    assert hash_of(first, second, third, [("skip_connect", 1), ("sep_conv_3x3", 4)]) != base


def test_random_architectures_are_their_canonical_ones_again():
    rng = np.random.default_rng(0)
    for _ in range(200):
        architecture = SPACE.random(rng)
        canonical = SPACE.canonical(architecture)
        assert canonical.hash == architecture.hash
        assert SPACE.canonical(canonical) == canonical
        assert SPACE.count(canonical) == SPACE.count(architecture)


def genotype(normal, output="[2, 3, 4, 5]"):
    reduce = [("skip_connect", 0), ("skip_connect", 1)] * 4
    return f"Genotype(normal={normal}, normal_concat={output}, reduce={reduce}, reduce_concat=[2, 3, 4, 5])"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DARTS_V3", "written Genotype.* or by name .darts_v1, darts_v2"),
        ("", "written Genotype"),
        ("([(0,7),(1,2),(1,4),(0,6),(0,6),(1,3),(4,0),(3,6)], [])", "a number from 0 to 6 in NASLib's .* BANANAS"),
        ("([(0,1)] , [(0,1)])", "written Genotype"),
        ("[1, 2]", "written Genotype"),
        ("([(0,1,2)]*4, 3)", "written Genotype"),
        ("(" * 5000, "written Genotype"),
        (genotype([("skip_connect", 0), ("skip_connect", 0)] * 4), "node 1 of the normal cell .* reads states 0 and 0"),
        (
            genotype([("skip_connect", 0), ("skip_connect", 2)] * 4),
            "reads states 0 and 2; allowed: two different ones of 0 to 1",
        ),
        (genotype([("none", 0), ("skip_connect", 1)] * 4), "no operation 'none'"),
        (genotype([("skip_conect", 0), ("skip_connect", 1)] * 4), "no operation 'skip_conect'.*skip_connect"),
        (genotype([("skip_connect", 0), ("skip_connect", 1)] * 3), "written Genotype"),
        (genotype([("skip_connect", 0), ("skip_connect", 1)] * 4, "[4, 5]"), "puts out all of its nodes"),
        (DARTS_GENOTYPES["darts_v2"] * 2, "written Genotype"),
        (genotype("[__import__('os'), 1]"), "written Genotype"),
        (genotype([("skip_connect", 0), ("skip_connect", 1)] * 4, "range(3, 6)"), "written Genotype"),
        (genotype([("skip_connect", 0), ("skip_connect", 1)] * 4, "2"), "written Genotype"),
        ("normal=[" * 1_000_000, "written Genotype"),
        (genotype("[" + "(" * 500 + "]"), "written Genotype"),
        (genotype([("skip_connect", True), ("skip_connect", 1)] * 4), "written Genotype"),
    ],
)
def test_what_is_no_genotype_of_the_space_is_one_clear_error(text, message):
    with pytest.raises(InputError, match=message) as caught:
        SPACE.parse(text)
    assert "\n" not in str(caught.value)


def test_names_of_operations_are_those_of_the_released_code():
    assert OPERATIONS == (
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    )
