"""Graphs of operations and their encodings, against paths and neighbourhoods written down by hand or counted in another way."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.runners.strategies.predictors.encodings import (
    Columns,
    decision_features,
    features,
    neighbourhood_features,
    path_features,
)
from nasbench.runners.strategies.predictors.operation_graphs import OperationGraph, operation_graph
from nasbench.spaces import get_space

SPECS = (
    "nasbench201",
    "nasbench101",
    "nasnet:blocks=3",
    "amoebanet:blocks=2",
    "darts",
    "enas-macro:layers=4",
    "nas:layers=4",
)


def cell(text: str) -> OperationGraph:
    space = get_space("nasbench201")
    return operation_graph(space.parse(text))


def test_paths_of_a_cell_of_nasbench201_by_hand():
    """1 = conv3x3(0); 2 = 0 + conv1x1(1); 3 = pool(1) + conv3x3(2), and nothing from 0: three paths to the output."""
    graph = cell("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|")
    assert set(path_features(graph)) == {
        "input>nor_conv_3x3>output",
        "input>nor_conv_3x3>nor_conv_1x1>nor_conv_3x3>output",
        "input>nor_conv_3x3>avg_pool_3x3>output",
    }


def test_an_identity_is_a_path_without_operations():
    graph = cell("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    assert dict(path_features(graph)) == {"input>output": 1.0}
    nothing = cell("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert not path_features(nothing)


def test_paths_of_a_cell_of_nasbench101_by_hand():
    space = get_space("nasbench101")
    graph = operation_graph(
        space.parse("1 conv3x3-bn-relu [0]; 2 maxpool3x3 [0,1]; 3 conv1x1-bn-relu [2]; out [0,1,3]")
    )
    assert set(path_features(graph)) == {
        "input>output",
        "input>conv3x3-bn-relu>output",
        "input>maxpool3x3>conv1x1-bn-relu>output",
        "input>conv3x3-bn-relu>maxpool3x3>conv1x1-bn-relu>output",
    }


def test_paths_of_a_pair_of_cells_by_hand():
    """b1 = sep5(c) + sep3(p), b2 = identity(b1) + max3(p); the reduction cell has one block."""
    space = get_space("nasnet:blocks=2")
    text = (
        "normal: b1=sep5(c)+sep3(p); b2=id(b1)+max3(p); out=[b2] | "
        "reduction: b1=avg3(c)+avg3(c); b2=sep3(c)+sep3(p); out=[b1,b2]"
    )
    paths = set(path_features(operation_graph(space.parse(text))))
    bare = {path.replace("normal/", "n.").replace("reduction/", "r.") for path in paths}
    assert bare == {
        "n.input_c>n.sep_conv_5x5>n.identity>n.output",
        "n.input_p>n.sep_conv_3x3>n.identity>n.output",
        "n.input_p>n.max_pool_3x3>n.output",
        "r.input_c>r.avg_pool_3x3>r.output",
        "r.input_c>r.sep_conv_3x3>r.output",
        "r.input_p>r.sep_conv_3x3>r.output",
    }


def simple_paths(graph: OperationGraph) -> set[str]:
    """All paths by networkx, which lists them one by one; those of up to six operations."""
    drawn = nx.DiGraph()
    drawn.add_nodes_from(range(len(graph.labels)))
    drawn.add_edges_from((source, node) for node, sources in enumerate(graph.sources) for source in sources)
    starts = [node for node, label in enumerate(graph.labels) if "input" in label]
    ends = [node for node, label in enumerate(graph.labels) if label.endswith("output")]
    found = (path for start in starts for end in ends for path in nx.all_simple_paths(drawn, start, end))
    return {">".join(graph.labels[node] for node in path) for path in found if len(path) <= 8}


@pytest.mark.parametrize("spec", ["nasbench201", "nasbench101", "nasnet:blocks=5", "darts"])
def test_paths_are_those_that_networkx_lists(spec: str):
    space, rng = get_space(spec), np.random.default_rng(3)
    for _ in range(20):
        graph = operation_graph(space.random(rng))
        assert set(path_features(graph)) == simple_paths(graph)


def neighbourhoods(graph: OperationGraph, steps: int) -> Counter:
    """The same counts without compressed labels: the neighbourhood of a node, unrolled as nested tuples."""

    def unrolled(node: int, depth: int) -> tuple:
        if depth == 0:
            return (graph.labels[node],)
        readers = [reader for reader, sources in enumerate(graph.sources) for source in sources if source == node]
        return unrolled(node, depth - 1), *sorted(unrolled(reader, depth - 1) for reader in readers)

    return Counter((depth, unrolled(node, depth)) for depth in range(steps + 1) for node in range(len(graph.labels)))


@pytest.mark.parametrize("spec", SPECS)
def test_neighbourhoods_equal_unrolled_ones(spec: str):
    """As many features with the same counts, and the same products between architectures."""
    space, rng = get_space(spec), np.random.default_rng(5)
    graphs = [operation_graph(space.random(rng)) for _ in range(6)]
    ours = [neighbourhood_features(graph, 2) for graph in graphs]
    theirs = [neighbourhoods(graph, 2) for graph in graphs]
    for one, other in zip(ours, theirs):
        assert sorted(one.values()) == sorted(other.values())
    for first in range(6):
        for second in range(6):
            product = sum(count * ours[second].get(name, 0) for name, count in ours[first].items())
            assert product == sum(count * theirs[second][name] for name, count in theirs[first].items())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("spec", SPECS[1:] + SPECS[:1])  # the first canonical cell of nasbench201 takes a second
def test_equal_hashes_have_equal_graphs_and_sources_come_first(spec: str):
    space, rng = get_space(spec), np.random.default_rng(1)
    for _ in range(10):
        architecture = space.random(rng)
        graph = operation_graph(architecture)
        assert graph == operation_graph(space.canonical(architecture))
        assert all(source < node for node, sources in enumerate(graph.sources) for source in sources)


def test_decisions_are_one_feature_each(row):
    assert decision_features(row((3, 2)).decode((2, 0))) == {"0=2": 1.0, "1=0": 1.0}


def test_auto_takes_paths_of_cells_and_decisions_elsewhere(row):
    rng = np.random.default_rng(0)
    assert all(">" in name for name in features(get_space("nasbench201").decode((3,) * 6), "auto"))
    for space in (row(), get_space("nas:layers=4"), get_space("choices:3/3/2")):
        architecture = space.random(rng)
        assert features(architecture, "auto") == decision_features(architecture)


@pytest.mark.parametrize(
    ("spec", "encoding", "needs"), [("choices:3/2", "wl", "networks"), ("nas:layers=4", "path", "cells")]
)
def test_an_encoding_that_a_space_lacks_is_refused(spec: str, encoding: str, needs: str):
    with pytest.raises(InputError, match=f"needs a space of {needs}"):
        features(get_space(spec).random(np.random.default_rng(0)), encoding)


def test_columns_hold_the_features_that_were_seen():
    columns = Columns([{"a": 1.0, "b": 2.0}, {"c": 1.0}])
    assert len(columns) == 3
    assert columns.matrix([{"b": 2.0, "new": 9.0}, {"c": 1.0, "a": 1.0}]).tolist() == [[0, 2, 0], [1, 0, 1]]
