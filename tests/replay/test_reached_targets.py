"""Targets and regrets on the test set, compared with values that pandas derives from the table and the children alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from statsmodels.duration.survfunc import survdiff

from nasbench.analysis.statistics.optima import optima
from nasbench.analysis.statistics.regret_area import area_summary, regret_areas
from nasbench.analysis.statistics.targets import budget_to_target, compare_reaches, target_summary
from nasbench.cli.main import nasbench
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.tables import Table, read_table

DIGITS = str(Path(__file__).parents[2] / "results" / "digits201.h5")
SEEDS, SECONDS, SHARE = range(30), 60.0, 0.99
HOURS = SECONDS / 3600
MEASURES = ("val_acc", "test_acc")
STRATEGIES = {"random": {}, "zero_cost": {"score": "params"}}


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> str:
    """30 searches each of random and zero_cost on the shipped table."""
    path = str(tmp_path_factory.mktemp("reached") / "replays.h5")
    table, budget = read_table(DIGITS), ReplayBudget(Budget.parse(f"{SECONDS} gpu-seconds"))
    write_new(path, tables_of([replay(table, Setting.of(*each), SEEDS, budget) for each in STRATEGIES.items()]))
    return path


@pytest.fixture(scope="module")
def derived(digits) -> tuple[pd.DataFrame, float]:
    """Seconds to the target (NaN: never) and mean regret of each run, by a loop over its children; and the best score."""
    rows = Results(DIGITS).frame()
    ok = rows[rows["status"] == "ok"]
    tests = ok[ok["stage"] == "final"].groupby("hash")["test_acc"].mean()
    best = float(tests.max())
    children = Results(digits).frame()
    children = children[children["stage"] == "search"].sort_values(["run", "index"])
    found = []
    for run, mine in children.groupby("run"):
        clock, top, held, since, hit, area = 0.0, -1.0, 0.0, 0.0, np.nan, 0.0
        for child in mine.itertuples():
            clock += child.gpu_hours * 3600
            if child.val_acc > top:
                area += (best - held) * (clock - since)
                top, held, since = child.val_acc, tests[child.hash], clock
                hit = clock if np.isnan(hit) and held >= SHARE * best else hit
        area += (best - held) * (SECONDS - since)
        found.append((mine["strategy"].iloc[0], run, hit, area / SECONDS))
    return pd.DataFrame(found, columns=["strategy", "run", "hit", "area"]).set_index("run"), best


def test_every_incumbent_that_reached_the_target_counts(digits, derived):
    results, (wanted, best) = Results(digits), derived
    frame, runs = results.frame(), results.runs()
    assert optima([DIGITS], frame, runs, "test_acc") == {"nasbench201, digits": pytest.approx(best)}
    reaches = budget_to_target(frame, runs, SHARE * best, "gpu_hours", "test_acc", HOURS)
    mine = wanted.loc[reaches["run"]]
    assert reaches["reached"].tolist() == mine["hit"].notna().tolist()
    assert 5 < reaches["reached"].sum() < len(reaches)
    np.testing.assert_allclose(reaches["spent"] * 3600, mine["hit"].fillna(SECONDS))
    # most that reached it moved on to a cell with a better validation and a worse test score
    last = frame[frame["stage"] == "final"].groupby("run")["test_acc"].last() >= SHARE * best
    assert last.sum() < reaches["reached"].sum()
    summary = target_summary(reaches)
    assert sorted(summary["strategy"]) == sorted(STRATEGIES)
    for row in summary.itertuples():
        spent = mine.loc[(mine["strategy"] == row.strategy).to_numpy(), "hit"].fillna(SECONDS)
        assert (row.horizon, row.mean * 3600) == pytest.approx((HOURS, spent.mean()))
    _, p = survdiff(mine["hit"].fillna(SECONDS), mine["hit"].notna().astype(int), mine["strategy"])
    assert compare_reaches(reaches)["p"].tolist() == pytest.approx([p])


def test_an_area_covers_the_whole_budget(digits, derived):
    results, (wanted, best) = Results(digits), derived
    frame, runs = results.frame(), results.runs()
    areas = regret_areas(frame, runs, "gpu_hours", "test_acc", {"nasbench201, digits": best}, HOURS)
    np.testing.assert_allclose(areas["area"], wanted.loc[areas["run"], "area"])
    assert set(areas["budget"]) == {HOURS}
    means = area_summary(areas).set_index("strategy")["mean"]
    assert means.to_dict() == pytest.approx(wanted.groupby("strategy")["area"].mean().to_dict())


@pytest.mark.parametrize("command", [("targets", "--target", "0.9"), ("regret",)])
def test_a_file_with_the_last_choice_alone_is_refused(digits, command, tmp_path, monkeypatch):
    """As replays were written before, and as searches with --final best are."""
    results = Results(digits)
    frame, runs = results.frame(), results.runs()
    old = pd.concat([frame[frame["stage"] == "search"], frame[frame["stage"] == "final"].groupby("run").tail(1)])
    with pytest.raises(InputError, match=r"\d+ of 60 runs do not have the test score of every incumbent: \w+ \("):
        budget_to_target(old, runs, 0.9, measure="test_acc")
    monkeypatch.chdir(tmp_path)
    where = "stage == 'search' or index == 0"  # the first incumbent of each run alone
    words = [*command[:1], digits, *command[1:], "--score", "test_acc", "--where", where]
    done = CliRunner().invoke(nasbench, words)
    assert isinstance(done.exception, InputError)
    assert "take --score val_acc" in str(done.exception)


def variant(table: Table, name: str, scale: float) -> Table:
    return Table(
        name, table.space, scale * table.val_acc, scale * table.test_acc, table.seconds, table.params, table.mult_adds
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> tuple[list[str], dict[str, Table]]:
    """Replays of two tables whose scores differ by half."""
    folder, table = tmp_path_factory.mktemp("two"), read_table(DIGITS)
    tables = {name: variant(table, name, scale) for name, scale in (("high", 1.0), ("low", 0.5))}
    budget = ReplayBudget(Budget.parse("30 children"))
    for name, each in tables.items():
        write_new(str(folder / f"{name}.h5"), tables_of([replay(each, Setting.of("random", {}), range(8), budget)]))
    return [str(folder / f"{name}.h5") for name in tables], tables


def test_each_table_has_its_own_optimum(two, tmp_path, monkeypatch):
    paths, _ = two
    monkeypatch.chdir(tmp_path)
    words = ["targets", *paths, "--share-of-best", "1", "--csv", "targets.csv"]
    assert CliRunner().invoke(nasbench, words, catch_exceptions=False).exit_code == 0
    targets = pd.read_csv("targets.csv").set_index("table")
    assert len(targets) == 2
    assert (targets["reached"] >= 1).all()
    ends = [Results(path).frame(stage="search")["val_acc"].max() for path in paths]
    assert targets["target"].tolist() == pytest.approx(ends)
    words = ["regret", *paths, "--csv", "regret.csv"]
    assert CliRunner().invoke(nasbench, words, catch_exceptions=False).exit_code == 0
    regrets = pd.read_csv("regret.csv")
    assert regrets["table"].tolist() == ["nasbench201, high", "nasbench201, low"]
    assert regrets["optimum"].tolist() == pytest.approx(ends)
    words = ["cost", *paths, "--target", "0.6", "--csv", "cost.csv"]
    assert CliRunner().invoke(nasbench, words, catch_exceptions=False).exit_code == 0
    assert pd.read_csv("cost.csv").set_index("table")["reached"].to_dict() == {
        "nasbench201, high": 8,
        "nasbench201, low": 0,
    }


@pytest.mark.parametrize("command", [("profiles",), ("regret",), ("targets", "--share-of-best", "0.9")])
def test_another_tables_optimum_is_refused(two, command, tmp_path, monkeypatch):
    """The same space and the same cells, but other scores: it was not this table that the runs searched."""
    monkeypatch.chdir(tmp_path)
    words = [command[0], two[0][1], *command[1:], "--table", DIGITS, "--data", "digits"]
    done = CliRunner().invoke(nasbench, words)
    assert isinstance(done.exception, InputError)
    assert "none of the tables given is that of the runs on nasbench201, low" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_the_optimum_of_searches_that_saw_single_trainings_is_a_single_training(tmp_path):
    table, budget = read_table(DIGITS), ReplayBudget(Budget.parse("20 children"))
    path = str(tmp_path / "one.h5")
    write_new(path, tables_of([replay(table, Setting.of("random", {}), range(3), budget, "one")]))
    results = Results(path)
    best = optima([DIGITS], results.frame(), results.runs(), "val_acc")["nasbench201, digits"]
    assert best == np.nanmax(table.trainings.val_acc) > np.nanmax(table.val_acc)


@pytest.mark.slow
@pytest.mark.parametrize("drawn", ["mean", "one"])
def test_the_optimum_of_searches_under_limits_is_among_what_fits(tmp_path, drawn):
    table, budget = read_table(DIGITS), ReplayBudget(Budget.parse("20 children"))
    small = table.params <= 10_000
    path = str(tmp_path / "small.h5")
    setting = Setting.of("random", {}, "params <= 10k")
    write_new(path, tables_of([replay(table, setting, range(3), budget, drawn)]))
    results = Results(path)
    found = {name: optima([DIGITS], results.frame(), results.runs(), name)["nasbench201, digits"] for name in MEASURES}
    assert found["test_acc"] == np.nanmax(table.test_acc[small]) < np.nanmax(table.test_acc)
    if drawn == "mean":
        assert found["val_acc"] == np.nanmax(table.val_acc[small])
    else:
        singles = [
            table.trainings.val_acc[first : first + count].max()
            for first, count in zip(table.trainings.first[small], table.trainings.counts[small])
        ]
        assert found["val_acc"] == max(singles)
    both = results.runs()
    both.loc[0, "config"] = both.loc[0, "config"].replace("params <= 10k", "params <= 20k")
    with pytest.raises(InputError, match="differ in their limits"):
        optima([DIGITS], results.frame(), both, "val_acc")
