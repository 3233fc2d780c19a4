"""`nasbench ranks|profiles|targets|regret|correlations` as users call them, on replays of two made-up tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from commands import nasbench

from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.analysis.statistics.rank_correlation import protocol_scores, rank_correlations
from nasbench.analysis.statistics.ranks import average_rank_intervals, average_ranks, expected_ranks, friedman
from nasbench.analysis.statistics.targets import budget_to_target
from nasbench.cli.main import nasbench as group
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.spaces import get_space
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.tables import Table

SPACE = get_space("nasbench201")
STRATEGIES = ("random", "evolution", "local_search")


def made_up(name: str, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    scores = rng.random(SPACE.size)
    ones = np.ones(SPACE.size, dtype=np.int64)
    return Table(name, SPACE, scores, scores / 2, rng.integers(100, 200, SPACE.size) / 4, ones, ones)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """Six searches of each strategy on each of two tables."""
    folder = tmp_path_factory.mktemp("replays")
    paths = []
    for seed, name in enumerate(("first", "second")):
        table, price = made_up(name, seed), ReplayBudget(Budget.parse("1500 s"))
        path = folder / f"{name}.h5"
        write_new(str(path), tables_of([replay(table, Setting.of(each, {}), range(6), price) for each in STRATEGIES]))
        paths.append(str(path))
    return paths


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run a command in an empty folder; it must succeed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        done = CliRunner().invoke(group, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_ranks_of_two_tables(call, files, tmp_path):
    out = call("ranks", *files, "-o", "ranks")
    results = Results(files)
    scores = final_scores(results.frame(), results.runs())
    expected = average_ranks(scores).merge(average_rank_intervals(scores), on="strategy")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "ranks.csv"), expected)
    assert friedman(scores).text in out
    assert (tmp_path / "ranks.png").read_bytes().startswith(b"\x89PNG")


def test_one_table_is_ranked_by_runs_drawn_at_random(call, files, tmp_path):
    out = call("ranks", files[0], "--csv", "table.csv")
    results = Results([files[0]])
    expected = expected_ranks(final_scores(results.frame(), results.runs()))
    written = pd.read_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(written[["strategy", "runs", "rank"]], expected)
    assert ((written["low"] < written["rank"]) & (written["rank"] < written["high"])).all()
    assert "Kruskal-Wallis: H(2)" in out
    assert (
        "Bars join strategies of which no two are shown to differ (larger p of Mann-Whitney's and Brunner-Munzel's tests, two-sided, "
        "Holm over 3 comparisons, 5%; least attainable p" in out
    )
    assert "Ranks at 25%, 50%, 100% of the budget: " in out
    assert (tmp_path / "table.csv").read_bytes() == Path(files[0]).with_name("first-ranks.csv").read_bytes()
    assert "<svg" in Path(files[0]).with_name("first-ranks.svg").read_text()


def test_two_strategies_have_ranks_but_no_test(call, files, tmp_path):
    out = call("ranks", *files, "--where", "strategy != 'evolution'")
    assert "take 2 tables and 3 strategies; here are 2 and 2" in out
    assert not list(tmp_path.iterdir())


def test_runs_that_never_reach_a_target_are_kept(call, files, tmp_path):
    out = call("targets", files[0], "--target", "0.98", "--by", "children", "-o", "targets")
    results = Results([files[0]])
    reaches = budget_to_target(results.frame(), results.runs(), 0.98, "children")
    assert 0 < reaches["reached"].sum() < len(reaches)
    for strategy, mine in reaches.groupby("strategy"):
        line = next(line.split() for line in out.splitlines() if line.split()[0] == strategy)
        assert line[1:3] == ["6", str(mine["reached"].sum())]
    assert pd.read_csv(tmp_path / "targets.csv")["share"].between(0, 1).all()


def test_a_share_of_the_best(call, files):
    results = Results([files[0]])
    best = final_scores(results.frame(), results.runs())["score"].max()
    out = call("targets", files[0], "--share-of-best", "0.99")
    assert f"{0.99 * best:.4f}, of {best:.4f}, the best that any run here found" in out
    assert "By wall time (hours)." in out  # as the budget of these runs, 1500 s


def test_a_budget_of_children_is_counted_in_children(call, tmp_path):
    table, price = made_up("third", 3), ReplayBudget(Budget.parse("20 children"))
    write_new("few.h5", tables_of([replay(table, Setting.of("random", {}), range(6), price)]))
    assert "By children trained." in call("targets", "few.h5", "--target", "0.9")
    printed = call("regret", "few.h5")
    assert "over children trained from 0 to 20 (the whole budget)" in printed
    assert "mean (fraction)" in printed
    assert "Budgets are by children trained: " in call("speedup", "few.h5")


def test_profiles_and_regret(call, files, tmp_path):
    assert "Regret to the best that any run here found" in call("profiles", *files, "-o", "profiles")
    profile = pd.read_csv(tmp_path / "profiles.csv")
    assert set(profile["strategy"]) == set(STRATEGIES)
    call("regret", files[1], "-o", "regret", "--by", "children")
    areas = pd.read_csv(tmp_path / "regret.csv")
    assert len(areas) == 6 * len(STRATEGIES)
    assert (areas["area"] >= 0).all()


def test_regret_to_the_optimum_of_a_table(call, tmp_path):
    """The shipped table's own optimum is above what few children find."""
    table = str(Path(__file__).parents[2] / "results" / "digits201.h5")
    done = CliRunner().invoke(
        group,
        ["replay", "--table", table, "--strategy", "random", "--seeds", "5", "--budget", "5 children", "-o", "few.h5"],
    )
    assert done.exit_code == 0, done.output
    out = call("profiles", "few.h5", "--table", table, "--csv", "means.csv")
    assert "Regret to the table's optimum" in out
    means = pd.read_csv(tmp_path / "means.csv")
    assert (means["value"] > 0).all()  # a regret is what is missing to the optimum
    found = final_scores(Results(["few.h5"]).frame(), Results(["few.h5"]).runs())["score"]
    best = Results([table]).frame().groupby("hash")["val_acc"].mean().max()
    assert means.loc[means["statistic"] == "mean", "value"].item() == pytest.approx(best - found.mean())
    assert (pd.read_csv(tmp_path / "few-profiles.csv").query("regret == 0")["share"] == 0).all()


def test_correlations_of_validation_and_test(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(group, ["correlations", files[0], "-o", "correlations"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    wanted = rank_correlations(protocol_scores(Results([files[0]]).frame()))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "correlations.csv"), wanted)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("targets",), "give --target SCORE or --share-of-best SHARE, one of them"),
        (("targets", "--target", "0.5", "--share-of-best", "0.9"), "one of them"),
        (("targets", "--share-of-best", "1.5"), "--share-of-best is in (0, 1], got 1.5"),
        (("targets", "--target", "90"), "fraction in [0, 1], got 90"),
        (("ranks", "-w", "strategy != 'random'"), "--allow baseline"),
        (("regret", "--table", "missing.h5"), "missing.h5"),
    ],
)
def test_bad_input_is_one_line(files, words, expected, tmp_path):
    done = nasbench(words[0], files[0], *words[1:], cwd=tmp_path)
    assert done.code == 2
    assert expected in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_tables_of_other_budgets_are_followed_to_their_own(call, tmp_path):
    """20 children on one table, 10 on the other: the first runs are not cut at the others' ten."""
    for number, (name, budget) in enumerate((("first", "20 children"), ("second", "10 children"))):
        found = replay(made_up(name, number), Setting.of("random", {}), range(6), ReplayBudget(Budget.parse(budget)))
        write_new(str(tmp_path / f"{name}.h5"), tables_of([found]))
    for command in (("targets", "--share-of-best", "0.95"), ("regret",)):
        alone, both = tmp_path / f"alone-{command[0]}.csv", tmp_path / f"both-{command[0]}.csv"
        call(command[0], "first.h5", *command[1:], "--csv", str(alone))
        said = call(command[0], "first.h5", "second.h5", *command[1:], "--csv", str(both))
        assert "20 / 10 (the " in said.replace("\n", " ")
        one, two = pd.read_csv(alone).iloc[0], pd.read_csv(both).set_index("table").loc["nasbench201, first"]
        assert two["mean"] == pytest.approx(one["mean"])
