"""Replays whose strategies have measured quantities of a table as objectives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from store_rows import measurement

import nasbench as suite
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_one_by_one, with_measured
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.runners.strategies.nsga2 import Nsga2
from nasbench.spaces import get_space
from nasbench.store.writer import ResultsWriter
from nasbench.tabular.tables import Table

BUDGET = ReplayBudget(Budget.parse("12 children"))
SETTING = Setting.of("nsga2", {"population": "4", "objectives": "error/latency"})


@pytest.fixture
def table() -> Table:
    space = get_space("choices:3/3/2")
    accuracy = np.random.default_rng(0).uniform(0.1, 0.9, space.size)
    ones = np.ones(space.size)
    return Table("made-up", space, accuracy, accuracy, ones, ones.astype(int), ones.astype(int))


def measurements(table: Table, codes: range, quantity: str = "latency", direction: str = "lower") -> pd.DataFrame:
    rows = [
        measurement(
            0, hash=table.architecture(code).hash, value=0.001 * (1 + code), quantity=quantity, direction=direction
        )
        for code in codes
    ]
    return pd.DataFrame(rows)


def test_each_child_is_told_what_was_measured_of_it(table, monkeypatch):
    told = []
    tell = Nsga2.tell
    monkeypatch.setattr(Nsga2, "tell", lambda self, outcome: (told.append(outcome), tell(self, outcome)))
    full = table.with_measured(("latency",), measurements(table, range(18)))
    found = replay_one_by_one(full, SETTING, [0, 1], BUDGET)
    assert len(told) >= 12
    assert replay(full, SETTING, [0, 1], BUDGET).codes.tolist() == found.codes.tolist()
    for outcome, code in zip(told[:12], found.codes[0].tolist()):
        assert outcome.measured == {"latency": pytest.approx(0.001 * (1 + code))}
    other = table.with_measured(("latency",), measurements(table, range(18)).assign(value=0.5))
    one, two = (tables_of([replay(each, SETTING, [0], BUDGET)]).runs["run"] for each in (full, other))
    assert list(one) != list(two)  # other values are other runs


def test_higher_values_that_are_better_are_negated(table):
    found = table.with_measured(("rate",), measurements(table, range(18), "rate", "higher")).measured["rate"]
    np.testing.assert_allclose(found, -0.001 * (1 + np.arange(18)))


def test_a_quantity_that_is_not_known_of_all_is_refused(table):
    with pytest.raises(
        InputError, match="has no objective 'latency'; allowed: error, params, mult_adds, and quantities"
    ):
        replay(table, SETTING, [0], BUDGET)
    with pytest.raises(InputError, match="has latency of 5 of 18 architectures"):
        replay(table.with_measured(("latency",), measurements(table, range(5))), SETTING, [0], BUDGET)


def test_an_unknown_objective_is_told_those_of_the_table(table, tmp_path):
    setting = Setting.of("nsga2", {"objectives": "error/flops"})
    for file in ("table.npz", "digits201-2.npz"):  # an archive, and a compact table
        with pytest.raises(
            InputError, match=r"table 'made-up' has no objective 'flops'; allowed: error, params, mult_adds,"
        ):
            with_measured(table, [setting], [file])
    path = tmp_path / "measured.h5"
    with ResultsWriter(path) as writer:
        writer.append_measurements(measurements(table, range(18), "energy").to_dict("records"))
    with pytest.raises(InputError, match=r"no objective 'flops'; allowed: error, params, mult_adds, energy,"):
        with_measured(table, [setting], [path])
    without = replace(table, mult_adds=np.full(18, -1))
    with pytest.raises(InputError, match=r"no objective 'flops'; allowed: error, params, and"):
        replay(without, setting, [0], BUDGET)


@pytest.mark.parametrize("objective", ["flops", "latency"])
def test_a_table_that_ships_is_no_results_file_with_measurements(objective):
    words = ("replay", "--table", "digits201-2", "--budget", "9 children", "--seeds", "1")
    done = nasbench(*words, "--strategy", f"nsga2:objectives=error/{objective}")
    assert done.code == 2
    assert f"no objective {objective!r}; allowed: error, params, mult_adds" in done.err
    assert "must end in .h5" not in done.err
    with pytest.raises(InputError, match=rf"no objective '{objective}'; allowed: error, params, mult_adds"):
        suite.replay("digits201-2", f"nsga2:objectives=error/{objective}", 1, "9 children", progress=False)
