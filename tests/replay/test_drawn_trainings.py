"""Searches that are shown one training of an architecture instead of the mean over all."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from small_spaces import Row

from nasbench.cli.main import nasbench
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_on_clock, replay_one_by_one
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.runners.strategies import Outcome
from nasbench.runners.strategies.random import RandomSearch
from nasbench.spaces import get_space
from nasbench.store.judged import LOSS
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.tables import Table
from nasbench.tabular.trainings import Trainings, trainings_of

SEEDS = range(7)
PRICE = ReplayBudget(Budget.parse("7000 s"))
LARGE = get_space("nasbench201")


def all_hashes(space) -> list[str]:
    options = [range(decision.options) for decision in space.decisions]
    return [space.decode(choices).hash for choices in itertools.product(*options)]


def table_of(space, trainings: int = 3, failed: float = 0.1) -> Table:
    """Trainings whose scores differ, some of them failed, and their means; costs between 50 and 150 s."""
    rng = np.random.default_rng(0)
    hashes = all_hashes(space)
    kinds = sorted(set(hashes))
    rows = pd.DataFrame(
        {
            "hash": np.repeat(kinds, trainings),
            "seed": np.tile(np.arange(10, 10 + trainings), len(kinds)),
            "val_acc": rng.random(len(kinds) * trainings),
        }
    )
    rows["status"] = np.where(rng.random(len(rows)) < failed, "failed", "ok")
    means = rows[rows["status"] == "ok"].groupby("hash")["val_acc"].mean()
    return Table(
        name="made-up",
        space=space,
        val_acc=means.reindex(hashes).to_numpy(),
        test_acc=rng.random(space.size),
        seconds=rng.integers(200, 600, space.size) / 4,
        params=np.ones(space.size, dtype=np.int64),
        mult_adds=np.ones(space.size, dtype=np.int64),
        trainings=trainings_of(rows, hashes),
    )


@pytest.fixture(scope="module")
def large() -> Table:
    return table_of(LARGE)


def trainings_at(table: Table, code: int) -> list[float]:
    trainings = table.trainings
    return trainings.val_acc[trainings.first[code] : trainings.first[code] + trainings.counts[code]].tolist()


# -- which training is drawn -------------------------------------------------------------------------------------------


def test_who_asks_again_is_told_the_same_in_whatever_order(large):
    codes = np.random.default_rng(1).integers(0, LARGE.size, 500)
    seeds = np.full(500, 3)
    outcomes = large.outcomes(codes, seeds, "one")
    order = np.random.default_rng(2).permutation(500)
    np.testing.assert_array_equal(large.outcomes(codes[order], seeds, "one"), outcomes[order])
    for code, score in zip(codes[:50].tolist(), outcomes[:50].tolist()):
        alone = float(large.outcomes(np.array(code), np.array(3), "one"))
        assert alone == score or (math.isnan(alone) and math.isnan(score))
        assert score in trainings_at(large, code) or math.isnan(score)


def test_architectures_of_one_hash_share_their_trainings(large):
    hashes = all_hashes(LARGE)
    codes = {key: [] for key in hashes}
    for code, key in enumerate(hashes):
        codes[key].append(code)
    shared = [each for each in codes.values() if len(each) > 1]
    assert len(shared) > 1000
    for each in shared[:200]:
        assert len(set(large.trainings.picked(np.array(each), np.array(5)).tolist())) == 1


def test_each_training_is_as_likely_as_another():
    """Over seeds at one architecture, and over architectures at one seed; 3 of 3 and of 7 trainings, within 5 standard errors."""
    for count in (3, 7):
        trainings = table_of(Row((40, 40)), count, failed=0.0).trainings
        for picks in (
            trainings.picked(np.array(11), np.arange(6000)) - trainings.first[11],
            trainings.picked(np.arange(1600), np.array(4)) - trainings.first[np.arange(1600)],
        ):
            shares = np.bincount(picks, minlength=count) / len(picks)
            assert len(shares) == count
            np.testing.assert_allclose(
                shares, 1 / count, atol=5 * math.sqrt((1 / count) * (1 - 1 / count) / len(picks))
            )


def test_draws_of_neighbouring_seeds_and_of_architectures_are_unrelated():
    trainings = table_of(Row((40, 40)), 2, failed=0.0).trainings
    picks = trainings.picked(np.arange(1600)[:, None], np.arange(64)[None, :]) - trainings.first[:, None]
    between_seeds = np.corrcoef(picks.T) - np.eye(64)
    assert np.abs(between_seeds).max() < 5 / math.sqrt(1600)
    assert np.abs(np.corrcoef(picks[:100]) - np.eye(100)).max() < 5.5 / math.sqrt(64)


def test_a_draw_is_the_same_on_every_machine_and_in_every_release():
    """Golden: run ids stand for what was drawn."""
    trainings = Trainings(
        keys=np.array([0x0123456789ABCDEF, 0xFEDCBA9876543210], dtype=np.uint64),
        first=np.array([0, 5]),
        counts=np.array([5, 1000]),
        val_acc=np.zeros(1005),
        seeds=np.zeros(1005, dtype=np.int64),
    )
    drawn = trainings.picked(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2]))
    assert drawn.tolist() == [0, 1, 1, 596, 208, 171]


def test_copies_are_no_trainings_and_failures_are():
    rows = pd.DataFrame(
        [
            {"hash": "b" * 32, "seed": 1, "status": "ok", "val_acc": 0.5},
            {"hash": "a" * 32, "seed": 2, "status": "ok", "val_acc": 0.25},
            {"hash": "b" * 32, "seed": 0, "status": "failed", "val_acc": 0.9},
            {"hash": "b" * 32, "seed": 1, "status": "ok", "val_acc": 0.5},
            {"hash": "b" * 32, "seed": 1, "status": "ok", "val_acc": 0.75},
        ]
    )
    trainings = trainings_of(rows, ["b" * 32, "a" * 32, "b" * 32])
    assert trainings.counts.tolist() == [3, 1, 3]
    np.testing.assert_array_equal(trainings.val_acc, [0.25, np.nan, 0.5, 0.75])
    assert trainings.seeds.tolist() == [2, 0, 1, 1]
    assert trainings.first.tolist() == [1, 0, 1]
    again = trainings_of(rows.iloc[::-1], ["b" * 32, "a" * 32, "b" * 32])
    np.testing.assert_array_equal(again.val_acc, trainings.val_acc)


# -- searches ------------------------------------------------------------------------------------------------------------


@pytest.mark.sampled(6)
@pytest.mark.parametrize("budget", ["7000 s", "150 children"])
@pytest.mark.parametrize(
    ("name", "options", "space"),
    [
        ("random", {}, Row((3, 1, 2, 4))),
        ("evolution", {"population": 5, "sample": 4, "identity": 0.4}, Row((3, 1, 3, 3))),
        ("reinforce_logits", {"learning_rate": 0.2, "init": 0.5}, Row((3, 1, 2, 4))),
        ("random", {}, LARGE),
        ("evolution", {"population": 10, "sample": 3, "identity": 0}, LARGE),
        ("reinforce_logits", {}, LARGE),
    ],
)
def test_searches_in_step_are_those_of_ask_and_tell(name, options, space, budget, large):
    table, setting, price = (
        large if space is LARGE else table_of(space),
        Setting.of(name, options),
        ReplayBudget(Budget.parse(budget)),
    )
    assert setting.kind.vectorized(space, SEEDS, setting.config) is not None
    together, apart = (run(table, setting, SEEDS, price, "one") for run in (replay, replay_one_by_one))
    np.testing.assert_array_equal(together.codes, apart.codes)
    np.testing.assert_array_equal(together.outcomes, apart.outcomes)
    assert together.frame().equals(apart.frame())
    means = replay(table, setting, SEEDS, price)
    assert not np.array_equal(together.outcomes[:, :40], means.outcomes[:, :40], equal_nan=True)
    if name != "random":
        assert not np.array_equal(together.codes[:, :40], means.codes[:, :40])


@pytest.fixture(scope="module")
def losses(large) -> Table:
    """The same trainings judged by a loss; many are better than the best mean, and many worse than the worst."""
    trainings = replace(large.trainings, val_acc=np.log(large.trainings.val_acc))
    judged, shared = replace(large, trainings=trainings), np.zeros(LARGE.size)
    for code in range(LARGE.size):
        own = np.array(trainings_at(judged, code))
        shared[code] = own[np.isfinite(own)].mean() if np.isfinite(own).any() else np.nan
    return replace(judged, val_acc=shared, score=LOSS)


def test_rewards_of_single_trainings_are_not_clipped(losses):
    """The worst single training is 0 and the best is 1; means keep their range."""
    outcomes = losses.trainings.val_acc[np.isfinite(losses.trainings.val_acc)]
    rewards = losses.rewards(outcomes, "one")
    assert (rewards.min(), rewards.max()) == (0.0, 1.0)
    assert len(np.unique(rewards)) == len(np.unique(outcomes))
    middle = (outcomes.min() + outcomes.max()) / 2
    assert losses.reward(middle, "one") == pytest.approx(0.5)
    means = losses.val_acc[np.isfinite(losses.val_acc)]
    np.testing.assert_allclose(losses.rewards(means), (means - means.min()) / (means.max() - means.min()))
    assert losses.rewards(np.array([np.nan]), "one").tolist() == [0.0]


def test_accuracies_are_rewards_as_they_are(large):
    for draw in ("mean", "one"):
        np.testing.assert_array_equal(large.rewards(np.array([0.25, np.nan]), draw), [0.25, 0.0])
        assert large.reward(0.25, draw) == 0.25


class Recording(RandomSearch):
    """Random search that keeps what it is told."""

    told: ClassVar[list[float]] = []

    def tell(self, outcome: Outcome) -> None:
        self.told.append(outcome.val_acc)


@pytest.mark.parametrize("how", [replay_one_by_one, replay_on_clock])
def test_strategies_are_told_single_trainings_in_their_order(losses, how):
    setting = Setting("recording", Recording, Setting.of("random", {}).config)
    Recording.told.clear()
    outcomes = how(losses, setting, [0], ReplayBudget(Budget.parse("900 children")), "one").outcomes[0]
    told, known = np.array(Recording.told), np.isfinite(outcomes)
    assert np.array_equal(np.argsort(told[known], kind="stable"), np.argsort(outcomes[known], kind="stable"))
    assert len(np.unique(told[known])) == len(np.unique(outcomes[known]))


@pytest.mark.parametrize("name", ["evolution", "reinforce_logits", "nsga2"])
def test_searches_judged_by_a_loss_are_those_of_ask_and_tell(name, losses):
    setting, budget = Setting.of(name, {}), ReplayBudget(Budget.parse("200 children"))
    together, apart = (run(losses, setting, range(3), budget, "one") for run in (replay, replay_one_by_one))
    np.testing.assert_array_equal(together.codes, apart.codes)


def test_a_search_is_told_a_training_and_reported_by_the_mean(large):
    found = replay(large, Setting.of("local_search", {}), SEEDS, PRICE, "one")
    frame = found.frame()
    for row, (run, place) in zip(frame.itertuples(), zip(*found.chosen())):
        code = int(found.codes[run, place])
        assert row.outcome == np.nanmax(found.outcomes[run]) == found.outcomes[run, place]
        assert row.outcome in trainings_at(large, code)
        assert (row.val_acc, row.test_acc) == (large.val_acc[code], large.test_acc[code])
    assert (frame["outcome"] - frame["val_acc"]).mean() > 0.05  # the best of draws was lucky, too


def test_a_child_costs_the_same_whatever_is_drawn(large):
    for draw in ("mean", "one"):
        found = replay(large, Setting.of("random", {}), SEEDS, PRICE, draw)
        seconds = [large.seconds[row[row >= 0]].sum() for row in found.codes]
        assert found.frame()["spent"].tolist() == pytest.approx(seconds)


def test_without_trainings_none_is_drawn(large):
    bare = replace(large, trainings=None)
    single = table_of(Row((2, 2)), trainings=1, failed=0.0)
    for run in (replay, replay_one_by_one):
        with pytest.raises(InputError, match="holds means only"):
            run(bare, Setting.of("random", {}), SEEDS, PRICE, "one")
        with pytest.raises(InputError, match="one training of each architecture"):
            run(single, Setting.of("random", {}), SEEDS, PRICE, "one")
    replay(bare, Setting.of("random", {}), SEEDS, PRICE, "mean")


# -- rows ----------------------------------------------------------------------------------------------------------------


def test_rows_say_what_was_told_and_which_training_it_was(large, tmp_path):
    found = replay(large, Setting.of("evolution", {"population": 10, "sample": 3}), SEEDS, PRICE, "one")
    write_new(str(tmp_path / "one.h5"), tables_of([found]))
    results = Results(str(tmp_path / "one.h5"))
    frame, runs = results.frame(), results.runs()
    rows, final = frame[frame["stage"] == "search"], frame[frame["stage"] == "final"]
    outcomes = found.outcomes[found.codes >= 0]
    np.testing.assert_array_equal(rows["val_acc"], outcomes)
    assert ((rows["status"] == "failed") == np.isnan(outcomes)).all()
    assert (rows["status"] == "failed").any()
    np.testing.assert_array_equal(rows["reward"], np.nan_to_num(outcomes))
    for row in rows[rows["status"] == "ok"].head(200).itertuples():
        code = int(large.code(np.array(json.loads(row.choices))))
        assert trainings_at(large, code)[row.seed - 10] == row.val_acc
    assert final["val_acc"].tolist() == found.incumbents()["val_acc"].tolist()
    assert final.groupby("run", sort=False)["val_acc"].last().tolist() == found.frame()["val_acc"].tolist()
    assert set(final["seed"]) == {0}
    assert {json.loads(config)["draw"] for config in runs["config"]} == {"one"}


def test_draws_have_run_ids_of_their_own():
    """Golden: the ids of replays of means, since every strategy has its own random numbers."""
    space = Row((3, 1, 2))
    hashes = all_hashes(space)
    n = space.size
    table = Table(
        name="made-up",
        space=space,
        val_acc=np.arange(n) / 100,
        test_acc=np.arange(n) / 200,
        seconds=np.full(n, 10.0),
        params=np.arange(n),
        mult_adds=np.arange(n),
        trainings=trainings_of(
            pd.DataFrame(
                {
                    "hash": hashes * 2,
                    "seed": np.repeat([0, 1], n),
                    "status": "ok",
                    "val_acc": np.concatenate([np.arange(n) / 100 + offset for offset in (0.1, -0.1)]),
                }
            ),
            hashes,
        ),
    )
    for setting, price, golden in (
        (Setting.of("random", {}), ReplayBudget(Budget.parse("50 s")), ["cfec56c7ee21", "6c01989fc3e3"]),
        (
            Setting.of("evolution", {"population": 3, "sample": 2}),
            ReplayBudget(Budget.parse("4 children"), 0.5),
            ["0a9a26c8bcb8", "2941d54bfdcb"],
        ),
    ):
        runs = {draw: tables_of([replay(table, setting, (0, 7), price, draw)]).runs for draw in ("mean", "one")}
        ids = {draw: [rows["run"][0], rows["run"][1]] for draw, rows in runs.items()}
        assert ids["mean"] == golden
        assert "draw" not in json.loads(runs["mean"]["config"][0])
        assert not set(ids["one"]) & set(golden)


# -- the command ---------------------------------------------------------------------------------------------------------


def test_the_command_draws_from_the_shipped_table(tmp_path):
    words = [
        "replay",
        "--table",
        "results/digits201.h5",
        "--strategy",
        "random",
        "--seeds",
        "40",
        "--budget",
        "60 children",
    ]
    shown = {}
    for draw in ("mean", "one"):
        done = CliRunner().invoke(nasbench, [*words, "--draw", draw, "-o", str(tmp_path / f"{draw}.csv")])
        assert done.exit_code == 0, done.output
        assert ("outcome %" in done.output) == (draw == "one")
        shown[draw] = pd.read_csv(tmp_path / f"{draw}.csv")
    assert (shown["mean"]["outcome"] == shown["mean"]["val_acc"]).all()
    luck = shown["one"]["outcome"] - shown["one"]["val_acc"]
    assert luck.mean() > 0.005
    assert shown["one"]["val_acc"].mean() < shown["mean"]["val_acc"].mean()
