"""The spaces of TransNAS-Bench-101: sizes, the benchmark's strings, hashes by isomorphism, limits of the macro networks."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import networkx
import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.edge_graphs import EDGES

MICRO, MACRO = get_space("transnas-micro"), get_space("transnas-macro")


def graph_of(choices: tuple[int, ...]) -> networkx.MultiDiGraph:
    """The reduction cell's graph by definition: a node per operation with weights, and what is not on a path removed."""
    graph = networkx.MultiDiGraph()
    graph.add_node("in", op="in")
    sums: list[list[object]] = [["in"], [], [], []]
    for place, ((node, source), choice) in enumerate(zip(EDGES, choices)):
        if choice == 1 and source:
            sums[node] += sums[source]
        elif choice:
            graph.add_node(place, op=choice)
            graph.add_edges_from((term, place) for term in sums[source])
            sums[node].append(place)
    graph.add_node("out", op="out")
    graph.add_edges_from((term, "out") for term in sums[3])
    kept = (networkx.ancestors(graph, "out") & networkx.descendants(graph, "in")) | {"in", "out"}
    return graph.subgraph(kept)


def same(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    matched = networkx.is_isomorphic(graph_of(first), graph_of(second), node_match=lambda a, b: a["op"] == b["op"])
    return bool(matched)


def test_hashes_of_cells_are_the_isomorphism_classes_of_their_graphs() -> None:
    """By networkx: two cells of each of 120 hashes, and 150 pairs of other hashes with equally many operations."""
    cells: defaultdict[str, list[tuple[int, ...]]] = defaultdict(list)
    for architecture in MICRO.enumerate():
        cells[architecture.hash].append(architecture.choices)
    assert sum(map(len, cells.values())) == 4_096
    assert len(cells) == 1_376
    rng = np.random.default_rng(0)
    for group in [group for group in cells.values() if len(group) > 1][::6][:120]:
        assert same(group[0], group[int(rng.integers(1, len(group)))])
    kinds: defaultdict[tuple[object, ...], list[tuple[int, ...]]] = defaultdict(list)
    for group in cells.values():
        kinds[
            tuple(sorted(Counter(op.op for op in MICRO.structure(MICRO.decode(group[0])).operations).items()))
        ].append(group[0])
    pairs = [pair for group in kinds.values() for pair in itertools.combinations(group, 2)]
    for place in rng.choice(len(pairs), 150, replace=False):
        assert not same(*pairs[place])


def test_a_skip_from_the_input_is_an_operation_and_others_are_not() -> None:
    """1_01_011 adds one skip from the input twice; 1_00_110 adds two of them, each with weights of its own."""
    chain, direct = MICRO.parse("1_01_001"), MICRO.parse("0_00_100")
    assert chain.hash == direct.hash
    twice, two = MICRO.parse("1_01_011"), MICRO.parse("1_00_110")
    assert twice.hash != two.hash


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("64-41414-1_02_333", (1, 0, 2, 3, 3, 3)),
        ("1_02_333", (1, 0, 2, 3, 3, 3)),
        ("(2, 3, 2, 3, 2, 3)", (2, 3, 2, 3, 2, 3)),
        ("[0,1,2,3,0,1]", (0, 1, 2, 3, 0, 1)),
    ],
)
def test_cells_are_read_as_published(text: str, choices: tuple[int, ...]) -> None:
    architecture = MICRO.parse(text)
    assert architecture.choices == choices
    assert MICRO.parse(str(architecture)) == architecture
    assert str(architecture).startswith("64-41414-")


@pytest.mark.parametrize(
    "text", ["", "64-41414-1_02_334", "1_02_33", "(1, 2)", "(1,2,3,0,0,4)", "64-2311-basic", "(" * 99]
)
def test_other_texts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="64-41414-1_02_333") as caught:
        MICRO.parse(text)
    assert "\n" not in str(caught.value)


def test_there_are_as_many_macro_networks_as_published() -> None:
    """By modules 4, 5, 6: ways to place 1 to 4 reductions times ways to place 1 to 3 doublings."""
    found = list(MACRO.enumerate())
    assert len(found) == len({architecture.hash for architecture in found}) == 3_256
    assert Counter(len(MACRO.codes(each)) for each in found) == {4: 210, 5: 750, 6: 2_296}
    for architecture in found:
        codes = MACRO.codes(architecture)
        assert 1 <= sum(code in (3, 4) for code in codes) <= 4
        assert 1 <= sum(code in (2, 4) for code in codes) <= 3
        assert MACRO.canonical(architecture) == architecture


def test_every_sequence_of_choices_stands_for_one_of_the_macro_networks() -> None:
    hashes = {architecture.hash for architecture in MACRO.enumerate()}
    options = [range(decision.options) for decision in MACRO.decisions]
    assert {MACRO.decode(choices).hash for choices in itertools.product(*options)} == hashes
    assert MACRO.size == 6_400


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ((0, 0, 0, 0, 0, 0), "64-1114-basic"),  # nothing changes anywhere: the last module does
        ((3, 3, 3, 3, 4, 4), "64-444311-basic"),  # three double the channels, four halve the resolution
        ((1, 2, 0, 0, 0, 3), "64-23113-basic"),  # the sixth module takes the place of the fifth
        ((1, 2, 0, 0, 0, 0), "64-2311-basic"),
    ],
)
def test_impossible_macro_networks_are_replaced_as_documented(choices: tuple[int, ...], text: str) -> None:
    assert str(MACRO.decode(choices)) == text


def test_macro_networks_are_drawn_equally_often_and_neighbours_are_possible() -> None:
    rng = np.random.default_rng(0)
    lengths = Counter(len(MACRO.codes(MACRO.random(rng))) for _ in range(2_000))
    assert lengths[6] / 2_000 == pytest.approx(2_296 / 3_256, abs=0.04)
    for _ in range(50):
        architecture = MACRO.random(rng)
        assert MACRO.is_possible(MACRO.mutate(architecture, rng))
        around = list(MACRO.neighbours(architecture))
        assert around
        assert all(map(MACRO.is_possible, around))
        assert architecture.hash not in {other.hash for other in around}


def test_macro_networks_are_read_as_published() -> None:
    for text in ("64-2311-basic", "2311", "(2, 3, 1, 1)", "(2, 3, 1, 1, 0, 0)", "[2,3,1,1]"):
        assert str(MACRO.parse(text)) == "64-2311-basic"
    for text in ("64-1111-basic", "64-333332-basic", "(2, 3, 0, 1)", "64-23-basic", "64-41414-1_02_333", ""):
        with pytest.raises(InputError) as caught:
            MACRO.parse(text)
        assert "\n" not in str(caught.value)


def test_counts_by_default_are_those_of_object_classification() -> None:
    """By hand: stem 3 -> 32 -> 64 at 128 and 64 pixels; four modules 64-2311; 128 x 75 and bias."""
    stem = 27 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64
    plain = 2 * (9 * 128 * 128 + 256)
    blocks = (9 * 64 * 128 + 256) + (9 * 128 * 128 + 256) + (64 * 128 + 256) + plain  # code 2
    blocks += plain + (128 * 128 + 256) + plain + 4 * plain  # codes 3, 1, 1
    assert MACRO.count(MACRO.parse("64-2311-basic")).params == stem + blocks + 128 * 75 + 75
    assert MICRO.default_scale.image_size == 256
