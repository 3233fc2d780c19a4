"""Runs of different strategies are independent, and final trainings have seeds that their search did not use."""

from __future__ import annotations

import json

import pytest
from searching import search, tiny_plan

from nasbench.runners.replay.replay import Setting
from nasbench.runners.search.config import plan_search
from nasbench.runners.search.resuming import stored_config
from nasbench.store.query import Results

EVOLVED = {"population": 4, "sample": 2}


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


def test_final_seeds_differ_between_strategies_and_runs():
    plans = [tiny_plan(final_seeds=3, seed=seed, strategy=name) for name in ("random", "evolution") for seed in (0, 1)]
    seeds = [seed for plan in plans for seed in plan.final_seeds(0)]
    assert len(set(seeds)) == 12
    assert min(seeds) >= 2**32  # seeds of searches are below


def test_without_final_seeds_the_choice_is_trained_with_the_searchs_own(tmp_path):
    search(tiny_plan(final_seeds=0, seed=2), tmp_path / "a.h5")
    assert set(Results(str(tmp_path / "a.h5")).frame(stage="final")["seed"]) == {2}
