"""Counts of imported tables: a hash has one count, that of its network; what a table states otherwise is in a column of its own."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from commands import nasbench

from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.nasbench201_networks import network_counts

SPACE = get_space("nasbench201")
CONV = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
DEAD = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"  # its second 3x3 is read by nothing
LONE = "|none~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"  # a 3x3 that reads zeros, a dead 1x1
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
IDLE = 10_000  # parameters of layers without effect, made up


def closed(cell: str, data: str = "cifar10"):
    counts = network_counts(SPACE.parse(cell), data)
    assert counts is not None
    return counts


def imported(tmp_path, rows, *words, columns=("params=p",)):
    path = tmp_path / "t.csv"
    pd.DataFrame(rows, columns=["cell", "acc", "p", "d"]).to_csv(path, index=False)
    maps = [word for pair in ("architecture=cell", "val_acc=acc", "data=d", *columns) for word in ("--map", pair)]
    out = str(tmp_path / "t.h5")
    done = nasbench("import", "csv", str(path), "-o", out, "--space", "nasbench201", *maps, *words)
    assert done.code == 0, done.err
    return Results(out).frame()


def test_cells_of_one_hash_have_the_closed_form_and_keep_what_the_table_states(tmp_path):
    assert SPACE.parse(CONV).hash == SPACE.parse(DEAD).hash
    small = closed(CONV).params
    frame = imported(
        tmp_path,
        [(CONV, 0.7, small, "cifar10"), (DEAD, 0.71, small + IDLE, "cifar10"), (LONE, 0.6, 500_000, "cifar10")],
    )
    assert frame["params"].tolist() == [small, small, closed(LONE).params]
    assert frame["published_params"].tolist() == [small, small + IDLE, 500_000]
    assert frame["mult_adds"].tolist() == [closed(CONV).mult_adds] * 2 + [closed(LONE).mult_adds]
    assert frame["published_mult_adds"].fillna(-1).tolist() == [-1, -1, -1]


def test_each_data_set_has_its_own_closed_form(tmp_path):
    sets = ("cifar10", "cifar100", "imagenet16-120")
    frame = imported(tmp_path, [(cell, 0.7, closed(cell, data).params, data) for data in sets for cell in (CONV, SKIP)])
    by_data = frame.set_index(["data", "hash"])["params"]
    assert by_data.groupby("data").nunique().tolist() == [2, 2, 2]
    assert by_data["cifar100", SPACE.parse(CONV).hash] - by_data["cifar10", SPACE.parse(CONV).hash] == 90 * 65


def test_networks_of_another_size_have_the_count_of_the_cell_without_idle_layers(tmp_path):
    """The table is of other networks, as its count of CONV shows: closed forms of the benchmark's size would be wrong."""
    frame = imported(
        tmp_path, [(CONV, 0.7, 1_000, "cifar10"), (DEAD, 0.71, 1_500, "cifar10"), (LONE, 0.6, 700, "cifar10")]
    )
    assert frame["params"].fillna(-1).tolist() == [1_000, 1_000, -1]
    assert frame["published_params"].fillna(-1).tolist() == [-1, 1_500, 700]


def test_a_table_that_contradicts_itself_has_no_count(tmp_path):
    frame = imported(tmp_path, [(CONV, 0.7, 1_000, "mine"), (CONV, 0.71, 1_100, "mine"), (SKIP, 0.6, 700, "mine")])
    assert frame["params"].fillna(-1).tolist() == [-1, -1, 700]
    assert frame["published_params"].fillna(-1).tolist() == [1_000, 1_100, -1]


def test_published_counts_that_were_mapped_stay(tmp_path):
    small = closed(CONV).params
    given = [(CONV, 0.7, small, "cifar10"), (DEAD, 0.71, small + IDLE, "cifar10")]
    frame = imported(tmp_path, given, columns=("published_params=p",))
    assert frame["params"].tolist() == [small, small]
    assert frame["published_params"].tolist() == [small, small + IDLE]
    (tmp_path / "t.h5").unlink()
    other = imported(tmp_path, [(CONV, 0.7, 1_000, "mine")], columns=("published_params=p",))
    assert np.isnan(other["params"].item())
    assert other["published_params"].item() == 1_000


@pytest.mark.parametrize("words", [("pareto", "-o", "p"), ("table", "stats")])
def test_no_analysis_prints_a_mean_of_two_counts(tmp_path, words):
    small = closed(CONV).params
    least = closed(SKIP).params
    rows = [(CONV, 0.7, small), (DEAD, 0.71, small + 2 * IDLE), (SKIP, 0.6, least)]
    imported(tmp_path, [(*row, "cifar10") for row in rows], "--set", "test_acc=0.5")
    done = nasbench(*words, str(tmp_path / "t.h5"), cwd=tmp_path)
    assert done.code == 0, done.err
    drawn = pd.read_csv(tmp_path / "p.csv")["params"].dropna().tolist() if words[0] == "pareto" else []
    assert set(drawn) <= {small, least}
    printed = {float(word) for word in done.out.split() if word.replace(".", "").isdigit()}
    assert not printed & {small + IDLE, small + 2 * IDLE}
    assert drawn or small in printed


def test_a_table_that_states_no_counts_gets_none(tmp_path):
    """Nothing shows that its networks have the benchmark's size."""
    frame = imported(tmp_path, [(CONV, 0.7, 1, "cifar10"), (SKIP, 0.6, 1, "cifar10")], columns=())
    assert frame["params"].fillna(-1).tolist() == [-1, -1]
    assert frame["mult_adds"].fillna(-1).tolist() == [-1, -1]


def test_an_unknown_count_is_missing_in_query_and_export(tmp_path):
    """As -1 it would satisfy every upper limit, and would be the smallest network of a report."""
    frame = imported(tmp_path, [(CONV, 0.7, "", "mine"), (SKIP, 0.6, 700, "mine")], "--set", "seed=3")
    assert frame["params"].isna().tolist() == [True, False]
    small = nasbench(
        "query", str(tmp_path / "t.h5"), "--where", "params < 1e6", "--columns", "params", "--format", "csv"
    )
    assert small.out.splitlines() == ["params", "700"]
    assert nasbench("export", str(tmp_path / "t.h5"), "-o", str(tmp_path / "t.jsonl")).code == 0
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [line["params"] for line in lines] == [None, 700]
    assert [line["peak_memory"] for line in lines] == [None, None]
    for words in (
        ("report", str(tmp_path / "t.h5"), "--allow", "baseline", "-o", "r.html"),
        ("report", str(tmp_path / "t.h5"), "--allow", "baseline", "-o", "r.md"),
        ("table", "stats", str(tmp_path / "t.h5")),
        ("query", str(tmp_path / "t.h5"), "--columns", "all"),
        ("show", str(frame["hash"][0]), str(tmp_path / "t.h5"), "--picture", "-"),
    ):
        done = nasbench(*words, cwd=tmp_path)
        assert done.code == 0, done.err
        assert "-1" not in done.out.split()
    assert "| – |" in (tmp_path / "r.md").read_text()
