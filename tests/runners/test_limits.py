"""Searches under limits (`where_arch`): what they train, store and charge, and how they are named and resumed."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import commands
import pytest
from searching import search, stable_rows, tiny_plan

import nasbench
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_one_by_one
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search import accountant
from nasbench.runners.search.budget import Budget
from nasbench.runners.search.config import SearchConfig, plan_stored
from nasbench.runners.search.resuming import plans_to_resume
from nasbench.runners.strategies import Strategy, StrategyConfig
from nasbench.runners.suite import load_suite
from nasbench.spaces.constrained import CountsAt, NothingFits
from nasbench.store.query import Results
from nasbench.tabular.tables import read_table

LIMITS = "params <= 2000 and mult_adds <= 60k"  # about half of nasnet:blocks=1 at the tests' scale


def limited(**fields):
    return tiny_plan(**{"where_arch": LIMITS, "final": "none", **fields})


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("strategy", "options"),
    [("random", {}), ("evolution", {"population": 3, "sample": 2}), ("local_search", {}), ("ppo", {"batch": 3})],
)
def test_every_child_satisfies_the_limits(tmp_path, strategy, options):
    plan = limited(strategy=strategy, options=options, budget="8 children")
    search(plan, tmp_path / "a.h5")
    frame = Results(str(tmp_path / "a.h5")).frame()
    assert len(frame) == 8
    assert (frame["params"] <= 2000).all()
    assert (frame["mult_adds"] <= 60_000).all()
    free = tiny_plan(strategy=strategy, options=options, budget="8 children", final="none")
    search(free, tmp_path / "b.h5")
    other = Results(str(tmp_path / "b.h5")).frame()
    assert ((other["params"] > 2000) | (other["mult_adds"] > 60_000)).any()


def test_limits_are_part_of_the_runs_name_and_only_when_given():
    free, some, others = (
        tiny_plan(),
        limited(final="incumbents"),
        limited(final="incumbents", where_arch="params < 3000"),
    )
    assert len({free.run, some.run, others.run}) == 3
    assert tiny_plan(where_arch="").run == tiny_plan(where_arch="  ").run == free.run
    assert limited(final="incumbents", where_arch="params<=2k  and (mult_adds <= 0.06M)").run == some.run
    assert some.fingerprint == free.fingerprint  # the children are comparable


def test_the_stored_configuration_has_the_limits_in_one_spelling(tmp_path):
    plan = limited(budget="1 children", where_arch="params<=2000 and mult_adds<=60_000")
    search(plan, tmp_path / "a.h5")
    stored = json.loads(Results(str(tmp_path / "a.h5")).runs()["config"].iloc[0])
    assert stored["where_arch"] == "params <= 2k and mult_adds <= 60k"
    found = plan_stored(SearchConfig.model_validate(stored), plan.run)
    assert found is not None
    assert found.searched == plan.searched


@pytest.mark.sampled(1)
@pytest.mark.parametrize("strategy", ["random", "evolution", "ppo"])
def test_a_run_that_is_interrupted_goes_on_under_its_limits(tmp_path, strategy):
    options = {"evolution": {"population": 3, "sample": 2}, "ppo": {"batch": 3}}.get(strategy, {})
    whole = limited(strategy=strategy, options=options, budget="7 children")
    search(whole, tmp_path / "whole.h5")

    def stop(child):
        if child.index == 3:
            child.stop("enough")

    run = nasbench.search(
        whole.config.space,
        strategy,
        "7 children",
        tmp_path / "parts.h5",
        options=options,
        set=dict(whole.config.set),
        final="none",
        final_seeds=0,
        where_arch=LIMITS,
        callbacks=[stop],
        progress=False,
    )
    assert run.status == "interrupted"
    (plan,) = plans_to_resume(tmp_path / "parts.h5")
    search(plan, tmp_path / "parts.h5")
    parts, rows = stable_rows(tmp_path / "parts.h5"), stable_rows(tmp_path / "whole.h5")
    assert [row["choices"] for row in parts] == [row["choices"] for row in rows]
    assert [row["val_acc"] for row in parts] == [row["val_acc"] for row in rows]


def test_rejected_draws_are_charged_to_the_searcher(tmp_path, monkeypatch):
    """On a clock that moves one second with every architecture that is counted, and with nothing else."""
    now = SimpleNamespace(seconds=0)
    count = CountsAt.counts

    def counted(self, architecture):
        now.seconds += 1
        return count(self, architecture)

    plan = limited(budget="3 children")
    monkeypatch.setattr(CountsAt, "counts", counted)
    monkeypatch.setattr(
        accountant, "time", SimpleNamespace(perf_counter=lambda: float(now.seconds), monotonic=time.monotonic)
    )
    started = now.seconds
    done = search(plan, tmp_path / "a.h5")
    frame = Results(str(tmp_path / "a.h5")).frame()
    assert now.seconds - started > 3  # some did not fit
    assert frame["searcher_seconds"].sum() == now.seconds - started
    assert done.ledger.device_seconds["searcher"] == now.seconds - started


def test_limits_that_almost_nothing_satisfies_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(NothingFits, match=r"10,000 drawn in a row do not; the nearest has params [\d,]+"):
        limited(where_arch="params <= 10")
    out = tmp_path / "a.h5"
    words = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "2 children")
    done = commands.nasbench(*words, "--where-arch", "params <= 10", "-o", str(out))
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "nearest" in done.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("parms <= 3", "position 1: unknown name 'parms', did you mean 'params'"),
        ("params <= 3K", "position 12: a number ends with k (thousand), M (million)"),
        ("__import__('os').system('x')", "position 17: '.' is not allowed"),
        ("3 < 4", "does not depend on the architecture"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_line(text, words):
    with pytest.raises(InputError) as caught:
        nasbench.search("nasnet:blocks=1", "random", "2 children", "never.h5", where_arch=text, progress=False)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class TakesTheFirst(Strategy[StrategyConfig]):
    """Proposes the architecture whose choices are all 0, whatever is allowed."""

    name = "takes_the_first"

    def ask(self):
        return self.space.decode([0] * len(self.space.decisions))

    def tell(self, outcome):
        pass


def test_a_strategy_that_ignores_the_limits_is_stopped(tmp_path):
    with pytest.raises(InputError, match=r"proposes an architecture with params [\d,]+ .* must ask space.allows"):
        nasbench.search(
            "nasnet:blocks=1",
            TakesTheFirst,
            "2 children",
            tmp_path / "a.h5",
            set={"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4},
            where_arch="params >= 4000",
            progress=False,
        )
    assert len(Results(str(tmp_path / "a.h5")).frame()) == 0


def test_a_suite_compares_limits(tmp_path):
    text = """
[search]
space = "nasnet:blocks=1"
strategy = "random"
budget = "2 children"
[matrix]
where_arch = ["", "params<=2000"]
"""
    (tmp_path / "limits.toml").write_text(text)
    searches = load_suite(str(tmp_path / "limits.toml")).searches()
    assert [config.where_arch for config in searches] == ["", "params <= 2k"]
    done = commands.nasbench("suite", "show", str(tmp_path / "limits.toml"))
    assert done.code == 0
    assert "params <= 2k" in done.out


@pytest.fixture(scope="module")
def table():
    return read_table("results/digits201.h5")


@pytest.mark.parametrize("name", ["random", "evolution", "reinforce_logits", "local_search"])
def test_a_replay_meets_only_what_fits(table, name):
    budget = ReplayBudget(Budget.parse("30 children"))
    setting = Setting.of(name, {}, "params<=10000")
    found = replay(table, setting, range(3), budget)
    assert (found.codes >= 0).all()
    assert (table.params[found.codes] <= 10_000).all()
    again = replay_one_by_one(table, setting, range(3), budget)
    assert (again.codes == found.codes).all()
    free = replay(table, Setting.of(name, {}), range(3), budget)
    assert (table.params[free.codes] > 10_000).any()
    assert found.best_test_acc() == table.test_acc[table.params <= 10_000].max() < free.best_test_acc()
    stored, before = (tables_of([each]).runs for each in (found, free))
    assert json.loads(stored["config"][0])["where_arch"] == "params <= 10k"
    assert "where_arch" not in json.loads(before["config"][0])
    assert set(stored["run"].objects()).isdisjoint(before["run"].objects())


def test_a_replay_from_python_and_on_the_command_line(tmp_path):
    found = nasbench.replay(
        "digits201", "random", seeds=2, budget="5 children", where_arch="params <= 10k", progress=False
    )
    done = commands.nasbench(
        *(
            "replay",
            "--table",
            "results/digits201.h5",
            "--strategy",
            "random",
            "--seeds",
            "2",
            "--budget",
            "5 children",
        ),
        *("--where-arch", "params <= 10k", "-o", str(tmp_path / "a.h5")),
    )
    assert done.code == 0, done.err
    assert "best in the table with params <= 10k" in done.out
    found.save(tmp_path / "b.h5")
    rows = [Results(str(tmp_path / name)).frame()["choices"].tolist() for name in ("a.h5", "b.h5")]
    assert rows[0] == rows[1]
    assert f"{100 * found.summary['best'].iloc[0]:.2f}" in done.out


def test_a_table_without_a_count_is_refused_where_the_limits_name_it(table):
    bare = type(table)(**{**vars_of(table), "mult_adds": table.mult_adds * 0 - 1})
    budget = ReplayBudget(Budget.parse("3 children"))
    replay(bare, Setting.of("random", {}, "params <= 10k"), [0], budget)
    with pytest.raises(InputError, match="does not hold mult_adds"):
        replay(bare, Setting.of("random", {}, "mult_adds <= 30k"), [0], budget)


def vars_of(table):
    import dataclasses

    return {field.name: getattr(table, field.name) for field in dataclasses.fields(table)}
