"""docs/strategies-table.md is what `benchmarks/strategies_table.py` writes from the runs that ship, and its figures follow their definitions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from nasbench.benchmark.incumbents import TaskRuns, TaskScale
from nasbench.runners.strategies import STRATEGIES

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCALE = TaskScale("task", "space, data", {"small": 10.0, "medium": 30.0, "large": 100.0}, 0.9, 0.5, 0.8, 0.4, 64)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import strategies_table

    return strategies_table


def searches() -> TaskRuns:
    """Three searches: one reaches 99% of 0.8 after 20 s, one after 40 s, one never."""
    return TaskRuns(
        seeds=np.arange(3),
        children=np.array([10, 20, 30]),
        spent=np.full(3, 90.0),
        runs=np.array([0, 0, 0, 1, 2]),
        places=np.array([0, 1, 2, 0, 0]),
        codes=np.zeros(5, dtype=np.int64),
        seconds=np.array([5.0, 20.0, 30.0, 40.0, 10.0]),
        outcomes=np.array([0.5, 0.795, 0.8, 0.792, 0.79]),
        scores=np.array([0.1, 0.2, 0.88, 0.86, 0.81]),
        searcher_seconds=0.5,
    )


def test_the_page_is_that_of_the_runs_that_ship(script):
    shared = pd.read_csv(script.SHARED)
    assert script.page(script.stored(), shared) == script.PAGE.read_text(encoding="utf-8")


def test_every_strategy_is_in_the_table_or_named_as_missing(script):
    text = script.PAGE.read_text(encoding="utf-8")
    assert [name for name in STRATEGIES if f"`{name}" not in text] == []


def test_regrets_and_times_follow_their_definitions(script):
    runs = searches()
    assert script.until_close(runs, SCALE).tolist() == [20.0, 40.0, math.inf]
    row = script.row_of(script.Entry("mine", {"a": 1}, {}), runs, SCALE)
    assert (row["name"], row["n"], row["children"], row["own"]) == ("mine:a=1", 3, 20.0, 0.5)
    assert row["regret"] == pytest.approx(100 * (0.9 - np.mean([0.88, 0.86, 0.81])))
    assert row["searched"] == pytest.approx(100 * (0.8 - np.mean([0.8, 0.792, 0.79])))
    assert (row["reached"], row["close"]) == ("67% [21, 94]", "40 s")
    assert math.isnan(row["wide"])  # three values give no interval
    later = replace(runs, seconds=np.array([5.0, 120.0, 130.0, 40.0, 10.0]))
    assert script.row_of(script.Entry("mine", {}, {}), later, SCALE)["regret"] == pytest.approx(
        100 * (0.9 - np.mean([0.1, 0.86, 0.81]))  # what came after the budget does not count
    )


def test_the_choices_of_most_searches_are_named(script):
    runs, scale = searches(), SCALE  # three searches with the choices (0.8, 0.88), (0.792, 0.86) and (0.79, 0.81)
    same = replace(runs, outcomes=np.full(5, 0.8), scores=np.full(5, 0.85))
    entries = (script.Entry("first", {}, {"task": runs}), script.Entry("second", {}, {"task": same}))
    found = script.BenchmarkRuns("suite", "0" * 16, {"task": scale}, entries)
    assert script.frequent_choices(found, "task", most=2) == (
        "Of all 6 searches of this table, 67% choose one of the 2 most frequent: 50% one with the searched score 0.8000 and "
        "the regret 5.00, 17% one with the searched score 0.8000 and the regret 2.00."
    )


def test_intervals_are_those_of_student(script):
    mean, half = script.around([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (mean, half) == (3.0, pytest.approx(2.7764 * math.sqrt(2.5 / 5), rel=1e-4))
    assert script.with_interval(1.0, math.nan) == "1.00"
    assert script.with_interval(1.0, 0.25) == "1.00 [0.75, 1.25]"


def test_the_interval_of_a_median_is_that_of_order_statistics(script):
    """Of ten values, the second and the ninth hold the median with 97.9%, the third and the eighth with 89.1%."""
    assert script.close_text([10.0 * place for place in range(1, 11)], 400.0) == "55 s [20, 90]"
    assert script.close_text([30.0] * 5 + [math.inf] * 5, 400.0) == "> 400 s [30, > 400]"
    assert script.close_text([1.0, 2.0, 3.0, 4.0, 5.0], 400.0) == "3 s"
    assert script.close_text([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 400.0) == "4 s [1, 6]"  # 96.9%
    assert script.share_text([True] * 10) == "100% [72, 100]"


def test_rows_of_shared_weights_follow_their_definitions(script):
    searches = pd.DataFrame(
        {
            "strategy": ["gdas"] * 5 + ["darts"],
            "supernet_seconds": [10.0, 20.0, 30.0, 40.0, 50.0, 7.0],
            "children": [100, 100, 100, 100, 105, 9],
            "derived_regret": [0.01, 0.02, 0.03, 0.04, 0.05, 0.5],
            "regret": [0.01] * 5 + [0.005],
            "searched_regret": [0.0] * 5 + [0.25],
            "close_seconds": [60.0, 50.0, 70.0, math.inf, math.inf, math.inf],
            "tau": [0.1, 0.2, 0.3, 0.4, 0.5, 0.25],
        }
    )
    first, second = list(script.shared_weights(searches, 400.0))[2:]
    assert first == "| `darts` | 1 | 7 s | 9 | 50.00 | 0.50 | 25.00 | 0% [0, 79] | > 400 s | 0.25 |"
    assert second == (
        "| `gdas` | 5 | 30 s | 101 | 3.00 [1.04, 4.96] | 1.00 | 0.00 | 60% [23, 88] | 70 s | 0.30 [0.10, 0.50] |"
    )
