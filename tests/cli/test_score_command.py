"""`nasbench score` on JSON, hashes, random architectures and results files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from searching import search, tiny_plan

from nasbench.analysis.statistics.agreement import mean_by_hash
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.search import accountant
from nasbench.runners.strategies.zero_cost import ZeroCostSearch
from nasbench.spaces import Architecture, from_json, get_space
from nasbench.store.query import Results
from nasbench.zero_cost import ZERO_COST, zero_cost_score

TABLE = str(Path(__file__).parents[2] / "results" / "digits201.h5")
JSON = '{"space":"nasbench201","choices":[1,2,3,3,4,1]}'


def score(*words: str) -> str:
    """What the command prints."""
    done = nasbench("score", *words)
    assert done.code == 0, done.err
    return done.out


PLAN = tiny_plan(
    strategy="zero_cost",
    options={"score": "params", "candidates": 4},
    space="nasbench201",
    budget="4 children",
    final="none",
    stream="seed",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Four children of a zero-cost search."""
    path = tmp_path_factory.mktemp("scored") / "r.h5"
    search(PLAN, path)
    return path


def test_an_architecture_as_json():
    lines = score(JSON, "--scores", "params,synflow", "--set", "filters=4").splitlines()
    assert [line.split()[0] for line in lines] == ["score", "params", "synflow"]
    protocol = get_protocol("digits", {"filters": 4})
    for line in lines[1:]:
        name, value, seconds = line.split()
        assert float(value) == pytest.approx(zero_cost_score(from_json(JSON), name, protocol, 0).value, rel=1e-6)
        assert float(seconds) >= 0


def test_all_scores_by_default():
    output = score(JSON, "--set", "filters=4")
    assert [line.split()[0] for line in output.splitlines()[1:]] == sorted(ZERO_COST)


def test_a_hash_in_a_results_file(results: Path):
    row = Results(str(results)).frame().iloc[0]
    expected = zero_cost_score(
        get_space("nasbench201").decode(json.loads(row["choices"])), "mult_adds", get_protocol("digits"), 0
    )
    assert f"{expected.value:.8g}" in score(row["hash"][:10], str(results), "--scores", "mult_adds")


def test_random_architectures_and_their_csv(tmp_path: Path):
    path = tmp_path / "scores.csv"
    words = ("--random", "3", "--space", "nasbench201", "--scores", "params,mult_adds", "--seed", "5", "-o", str(path))
    output = score(*words)
    frame = pd.read_csv(path)
    assert list(frame) == ["hash", "params", "params_seconds", "mult_adds", "mult_adds_seconds"]
    assert [line.split()[0] for line in output.splitlines()[1:4]] == [key[:12] for key in frame["hash"]]
    score(*words)
    assert pd.read_csv(path)[["hash", "params"]].equals(frame[["hash", "params"]])


def test_correlation_with_what_was_trained(results: Path, tmp_path: Path):
    path = tmp_path / "scores.csv"
    output = score(str(results), "--correlate", "--scores", "params,naswot", "-o", str(path))
    frame = pd.read_csv(path)
    assert frame["params"].tolist() == Results(str(results)).frame()["params"].tolist()  # of the files' own protocol
    expected = frame["params"].corr(frame["val_acc"], method="spearman")
    name, n, spearman, *_ = output.splitlines()[1].split()
    assert (name, n) == ("params", "4")
    assert float(spearman) == pytest.approx(expected, abs=1e-4)


def test_some_of_a_complete_table_are_drawn_at_random(tmp_path: Path):
    """The first 100 cells of digits201 have "none" on 40% of their edges, all of its cells on 10%."""

    def drawn(seed: int) -> list[str]:
        output = score(
            TABLE,
            "--correlate",
            "--scores",
            "params",
            "-n",
            "40",
            "--seed",
            str(seed),
            "-o",
            str(tmp_path / f"{seed}.csv"),
        )
        assert output.splitlines()[1].split()[1] == "40"
        return pd.read_csv(tmp_path / f"{seed}.csv")["hash"].tolist()

    means = mean_by_hash(Results(TABLE).frame())
    places = [means["hash"].tolist().index(each) for each in drawn(0)]
    assert places == sorted(set(places))
    assert len(means) / 3 < np.mean(places) < len(means) * 2 / 3
    assert drawn(0) != drawn(1)


def test_the_search_trains_what_it_ranks_highest(results: Path):
    frame = Results(str(results)).frame()
    assert frame["strategy"].unique().tolist() == [ZeroCostSearch.name]
    strategy = ZeroCostSearch(get_space("nasbench201"), 0, ZeroCostSearch.config_type(score="params", candidates=4))
    assert [strategy.ask().hash for _ in range(4)] == frame["hash"].tolist()


def test_the_search_pays_for_ranking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By a clock that goes on while a candidate is scored, and at no other time."""
    now = [0.0]
    score_of = ZeroCostSearch._score

    def scored(self: ZeroCostSearch, architecture: Architecture) -> float:
        now[0] += 3.0
        return score_of(self, architecture)

    monkeypatch.setattr(ZeroCostSearch, "_score", scored)
    monkeypatch.setattr(accountant, "time", SimpleNamespace(perf_counter=lambda: now[0], monotonic=time.monotonic))
    search(PLAN, tmp_path / "r.h5")
    assert Results(str(tmp_path / "r.h5")).frame()["searcher_seconds"].tolist() == [12.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "name an architecture"),
        ((JSON, "--scores", "nazwot"), "did you mean 'naswot'"),
        ((JSON, "--scores", ","), "names none of"),
        ((JSON, "--protocol", "digit"), "did you mean 'digits'"),
        ((JSON, "--random", "2", "--space", "nasbench201"), "no others"),
        (("--random", "2"), "--space"),
        (("--correlate",), "takes results files"),
        (("abc", "nowhere.h5"), "nowhere.h5"),
        ((JSON, "--seed", "-1"), "--seed"),
        ((JSON, "--scores", "naswot", "--device", "cuda:99"), "cuda:99"),
    ],
)
def test_mistakes_are_one_line(words: tuple[str, ...], expected: str):
    done = nasbench("score", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert expected in done.err
