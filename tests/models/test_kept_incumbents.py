"""`keep_best` keeps the network of the incumbent, which gives the stored score again."""

from __future__ import annotations

import math

import pytest
from commands import nasbench as command

import nasbench
from nasbench.data import load_data
from nasbench.errors import InputError
from nasbench.models.incumbent import IncumbentModel, KeepIfBetter
from nasbench.models.loading import load_model
from nasbench.models.scoring import score_model
from nasbench.runners.search.config import SearchConfig, plan_search

SHORT = ("--set", "epochs=1", "--set", "filters=4", "--final", "none", "--space", "nasbench201", "--strategy", "random")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_the_kept_network_has_the_stored_scores(tmp_path, executor):
    words = (
        "run",
        *SHORT,
        "--budget",
        "4 children",
        "--executor",
        executor,
        "--keep-best",
        "-o",
        str(tmp_path / "a.h5"),
    )
    done = command(*words)
    assert done.code == 0, done
    (kept,) = tmp_path.glob("*.safetensors*")
    assert f"network: {kept}" in done.out
    best = nasbench.open(tmp_path / "a.h5").frame(stage="search").nlargest(1, "val_acc").iloc[0]
    model = load_model(kept)
    assert model.description.hash == best["hash"]
    assert model.description.scores["val_acc"] == best["val_acc"]
    assert kept.name == f"a-{best['run']}.best.safetensors"
    again = tmp_path / "again.safetensors"
    assert command("train", f"{tmp_path / 'a.h5'}:best", "-o", str(again)).code == 0
    digits = load_data("digits")
    assert score_model(load_model(again), digits).loss == score_model(model, digits).loss


@pytest.mark.slow
def test_an_incumbent_from_a_cache_is_named_with_the_command_that_trains_it(tmp_path):
    first, second = str(tmp_path / "a.h5"), str(tmp_path / "b.h5")
    assert command("run", *SHORT, "--budget", "2 children", "-o", first).code == 0
    done = command("run", *SHORT, "--budget", "2 children", "--keep-best", "--cache", first, "-o", second)
    assert done.code == 0, done
    assert "its network: nasbench train" in done.out
    assert not list(tmp_path.glob("*.safetensors*"))


def test_only_children_above_the_incumbent_are_written(tmp_path, make_trained):
    child, trained, evaluation = make_trained()
    KeepIfBetter(tmp_path / "a", evaluation.val_acc).trained(child, trained, evaluation)
    assert not (tmp_path / "a").exists()
    KeepIfBetter(tmp_path / "a", evaluation.val_acc - 0.01).trained(child, trained, evaluation)
    KeepIfBetter(tmp_path / "b", float("nan")).trained(child, trained, evaluation)
    assert load_model(tmp_path / "a").description == load_model(tmp_path / "b").description.model_copy(
        update={"trained_at": load_model(tmp_path / "a").description.trained_at}
    )


def test_a_child_that_lost_or_was_not_committed_leaves_nothing(tmp_path, make_trained):
    child, trained, evaluation = make_trained()
    kept = IncumbentModel(tmp_path / "best[1].safetensors")
    for index in range(3):
        kept.keeper(index, float("nan")).trained(child, trained, evaluation)
    kept.committed(0, True)
    kept.committed(1, False)
    kept.committed(5, True)  # from a cache
    kept.close()
    assert [path.name for path in tmp_path.iterdir()] == ["best[1].safetensors"]
    row = {"hash": child.architecture.hash, "seed": 0, "val_acc": evaluation.val_acc}
    assert kept.holds(row)
    assert not kept.holds({**row, "seed": 1})


def test_another_executor_is_refused_in_a_line():
    config = SearchConfig(
        strategy="random", space="nasbench201", budget="1 children", executor="ray", gpus_per_child=0, keep_best=True
    )
    with pytest.raises(InputError, match="keep_best needs children on this machine"):
        plan_search(config)


def test_keeping_changes_no_run_id():
    config = SearchConfig(strategy="random", space="nasbench201", budget="1 children")
    assert plan_search(config).run == plan_search(config.model_copy(update={"keep_best": True})).run


def test_the_model_of_a_child_that_is_not_the_best_is_removed_at_once(tmp_path):
    kept = IncumbentModel(tmp_path / "a.best.safetensors")
    for index, best in ((0, True), (1, False)):
        kept.keeper(index, math.nan).path.write_text(f"child {index}")
        kept.committed(index, best)
    assert [path.name for path in tmp_path.iterdir()] == ["a.best.safetensors"]
    assert kept.path.read_text() == "child 0"
