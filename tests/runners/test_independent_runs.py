"""Runs of different strategies are independent, and final trainings have seeds that their search did not use."""

from __future__ import annotations

import json
import math
from collections import deque

import numpy as np
import pytest
from searching import search, tiny_plan

from nasbench.runners.executors import Executor, ExecutorOptions
from nasbench.runners.replay.replay import Setting
from nasbench.runners.search.config import plan_search
from nasbench.runners.search.final_stage import trainings_left
from nasbench.runners.search.resuming import stored_config
from nasbench.runners.search.rows import Proposal
from nasbench.runners.strategies.random import RandomSearch
from nasbench.spaces import Architecture
from nasbench.store.query import Results
from nasbench.training.evaluation import Evaluation

EVOLVED = {"population": 4, "sample": 2}


def different_of(plan, count: int) -> list[Architecture]:
    """Different architectures of a plan's space."""
    rng, found = np.random.default_rng(0), {}
    while len(found) < count:
        each = plan.space.random(rng)
        found.setdefault(each.hash, each)
    return list(found.values())


def first_hashes(plan, count: int = 4) -> list[str]:
    strategy = plan.strategy()
    return [strategy.ask().hash for _ in range(count)]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_strategies_with_one_seed_begin_with_different_architectures(seed):
    random = tiny_plan(strategy="random", seed=seed, space="nasnet:blocks=5")
    evolution = tiny_plan(strategy="evolution", options=EVOLVED, seed=seed, space="nasnet:blocks=5")
    assert not set(first_hashes(random)) & set(first_hashes(evolution))


def test_the_name_alone_makes_random_numbers_of_ones_own():
    assert tiny_plan(strategy="random").strategy().seed != tiny_plan(strategy="local_search").strategy().seed


def test_options_of_one_strategy_have_random_numbers_of_their_own():
    plans = [tiny_plan(strategy="evolution", options={**EVOLVED, "population": size}) for size in (4, 5)]
    assert plans[0].strategy().seed != plans[1].strategy().seed
    again = tiny_plan(strategy="evolution", options=dict(reversed(EVOLVED.items())))
    assert again.strategy().seed == plans[0].strategy().seed


def test_an_option_at_its_default_changes_nothing():
    bare = tiny_plan(strategy="ppo").strategy()
    assert tiny_plan(strategy="ppo", options={"batch": bare.config.batch}).strategy().seed == bare.seed


def test_earlier_runs_keep_the_random_numbers_that_they_began_with():
    plan = tiny_plan(strategy="evolution", options=EVOLVED, seed=3)
    fields = json.loads(plan.config.model_dump_json())
    for name in ("stream", "final_seeds"):  # a configuration of an earlier version has neither
        del fields[name]
    config = stored_config(json.dumps(fields), None)
    assert (config.stream, config.final_seeds) == ("seed", 0)
    earlier = plan_search(config)
    assert earlier.strategy().seed == 3
    assert earlier.run != plan.run
    shared = tiny_plan(strategy="random", seed=3, stream="seed")
    assert first_hashes(shared, 2) == first_hashes(earlier, 2)  # what made two strategies pairs by accident


def test_a_replay_and_a_run_of_one_seed_have_the_same_random_numbers():
    plan = tiny_plan(strategy="evolution", options=EVOLVED, seed=5)
    assert Setting.of("evolution", EVOLVED).streams([5]) == [plan.strategy().seed]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("child_seeds", ["run", "child"])
def test_final_trainings_have_seeds_that_the_search_did_not_use(tmp_path, child_seeds):
    plan = tiny_plan(final_seeds=3, child_seeds=child_seeds, budget="8 children", seed=2)
    run = search(plan, tmp_path / "a.h5")
    frame = Results(str(tmp_path / "a.h5")).frame()
    found, final = frame[frame["stage"] == "search"], frame[frame["stage"] == "final"]
    incumbents = [proposal.architecture.hash for proposal in run._accountant.incumbents]
    assert final["hash"].tolist() == [digest for digest in incumbents for _ in range(3)]
    assert final["index"].tolist() == list(range(3 * len(incumbents)))
    assert final["seed"].nunique() == 3
    assert not set(final["seed"]) & set(found["seed"])
    assert final["test_acc"].notna().all()
    assert (final["cached_from"] == "").all()  # trained, not copied from the search
    by_search = found.drop_duplicates("hash").set_index("hash")["val_acc"]
    assert (final["val_acc"].to_numpy() != by_search[final["hash"]].to_numpy()).any()
    assert run.ledger.device_seconds["final"] == pytest.approx(3600 * final["gpu_hours"].sum())


class Rising(Executor):
    """Each child is better than those before it, and holds its device for one second."""

    def __init__(self) -> None:
        super().__init__(ExecutorOptions())
        self._queue = deque()

    def submit(self, ticket, child):
        self._queue.append((ticket, child))

    def wait(self):
        ticket, child = self._queue.popleft()
        scores = {"val_acc": 0.1 * (ticket + 1), "test_acc": 0.5 if child.test else math.nan}
        return [(ticket, Evaluation(status="ok", train_seconds=1.0, **scores))]

    def drop(self):
        return []

    def close(self):
        self._queue.clear()


@pytest.mark.parametrize(("final_seeds", "found"), [(0, "abac"), (1, "abc"), (2, "aabbcc")])
def test_an_incumbent_that_is_found_twice_is_trained_once_with_each_seed(tmp_path, monkeypatch, final_seeds, found):
    """Rule: one architecture with one seed is one training. With 0 the seeds are the search's own, which differ."""
    plan = tiny_plan(budget="4 children", child_seeds="child", final_seeds=final_seeds, cached="off")
    proposed = dict(zip("abc", different_of(plan, 3)))
    asked = iter("abac")
    monkeypatch.setattr(RandomSearch, "ask", lambda _self: proposed[next(asked)])
    run = search(plan, tmp_path / "a.h5", Rising())
    final = Results(str(tmp_path / "a.h5")).frame(stage="final")
    assert final["hash"].tolist() == [proposed[name].hash for name in found]
    assert final["index"].tolist() == list(range(len(found)))
    assert not final.duplicated(["hash", "seed"]).any()
    assert run.ledger.device_seconds["final"] == pytest.approx(len(found) * run.executor.share)


def test_final_trainings_of_an_earlier_version_are_not_repeated():
    """It trained a once more, at place 2, where c belongs now: c gets the first number that no row has."""
    a, b, c = (Proposal(index, each, 0, False) for index, each in enumerate(different_of(tiny_plan(), 3)))
    trainings = [(each, 7) for each in (a, b, a, c)]
    rows = {index: {"hash": each.architecture.hash, "seed": 7} for index, each in enumerate((a, b, a))}

    def left(*there: int) -> dict[int, str]:
        found = trainings_left(trainings, {index: rows[index] for index in there})
        assert all(index == proposal.index for index, proposal in found.items())
        return {index: proposal.architecture.hash for index, proposal in found.items()}

    digests = [each.architecture.hash for each in (a, b, c)]
    assert left() == dict(enumerate(digests))
    assert left(1) == {0: digests[0], 2: digests[2]}
    assert left(0, 1, 2) == {3: digests[2]}


def test_final_seeds_differ_between_strategies_and_runs():
    plans = [tiny_plan(final_seeds=3, seed=seed, strategy=name) for name in ("random", "evolution") for seed in (0, 1)]
    seeds = [seed for plan in plans for seed in plan.final_seeds(0)]
    assert len(set(seeds)) == 12
    assert min(seeds) >= 2**32  # seeds of searches are below


def test_without_final_seeds_the_choice_is_trained_with_the_searchs_own(tmp_path):
    search(tiny_plan(final_seeds=0, seed=2), tmp_path / "a.h5")
    assert set(Results(str(tmp_path / "a.h5")).frame(stage="final")["seed"]) == {2}
