"""Children that stop early and go on: the bits of a training that never stopped, charges, cache, eviction and resuming."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from searching import search, stable_rows, tiny_plan

from nasbench.models.checkpoints import Checkpoints, KeepCheckpoint, Point
from nasbench.runners.search.config import SearchPlan, plan_search
from nasbench.runners.search.loop import ResumeMismatch, Search
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.status import file_status
from nasbench.runners.search.watcher import Watcher
from nasbench.runners.suite import run_plans
from nasbench.spaces.stored_choices import hash_of_choices
from nasbench.store.cache import ScoreCache
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.table_builder import tables_of_rows, write_new
from nasbench.store.prefixes import up_to
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child

EPOCHS = 4
DATA = {"data": "fake:images=96,size=8,classes=3", "epochs": EPOCHS, "filters": 4, "validation": 0.5}
SCORES = ("train_loss", "train_acc", "val_loss", "val_acc")


def halving(budget: int = 7, **fields: Any) -> SearchPlan:
    """Four children to epoch 1, two of them to epoch 2, one to epoch 4."""
    given: dict[str, Any] = {
        "strategy": "successive_halving",
        "options": {"eta": 2},
        "budget": f"{budget} children",
        "set": DATA,
        "final": "none",
    }
    return tiny_plan(**{**given, **fields})


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one bracket of successive halving."""
    path = tmp_path_factory.mktemp("halved") / "x.h5"
    search(halving(), path)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    with Results(str(path)) as results:
        (run,) = results.runs()["run"]
        return [dict(row) for row in results.children_of(run)]


def test_a_bracket_is_trained_by_continuing(halved: Path) -> None:
    rows = rows_of(halved)
    assert [(row["stop_epoch"], row["epochs"], row["from_epoch"]) for row in rows] == [
        *[(1, 1, 0)] * 4,
        *[(2, 2, 1)] * 2,
        (0, 4, 2),
    ]
    by_name = {f"{row['run']}/{row['index']}": row for row in rows}
    for row in rows[4:]:
        earlier = by_name[row["continues"]]
        assert (earlier["hash"], earlier["seed"], earlier["epochs"]) == (row["hash"], row["seed"], row["from_epoch"])
    first = sorted(rows[:4], key=lambda row: -row["val_acc"])[:2]
    assert [row["hash"] for row in rows[4:6]] == [row["hash"] for row in first]
    assert check_file(halved, hash_of_choices).findings == []


def test_a_child_that_went_on_twice_has_the_bits_of_one_that_never_stopped(halved: Path) -> None:
    plan, last = halving(), rows_of(halved)[-1]
    architecture = plan.space.decode([int(choice) for choice in last["choices"].strip("[]").split(",")])
    whole = evaluate(Child(architecture, plan.protocol, last["seed"]))
    for name in SCORES:
        assert last["curves"][name] == whole.curves[name]
        assert last[name] == getattr(whole, name)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "rmsprop", "schedule": "step", "rmsprop_epsilon": 1e-3},
        {
            "optimizer": "nesterov",
            "schedule": "one_cycle",
            "warmup": 0.3,
            "drop_path_keep": 0.7,
            "auxiliary_weight": 0.4,
        },
    ],
)
def test_weights_optimizer_schedule_and_random_states_go_on(changes: dict[str, Any], tmp_path: Path) -> None:
    plan = halving(set=DATA | changes)
    architecture = plan.space.random(np.random.default_rng(3))
    whole = evaluate(Child(architecture, plan.protocol, 5))
    assert whole.status == "ok", whole.error
    for epochs in range(1, EPOCHS + 1):
        source, target = (tmp_path / f"{each}.training" if 0 < each < EPOCHS else None for each in (epochs - 1, epochs))
        keeper = KeepCheckpoint(source, target, {"seed": 5})
        part = evaluate(Child(architecture, plan.protocol, 5, keeper=keeper, epochs=epochs))
        assert (part.status, part.epochs, part.from_epoch) == ("ok", epochs, epochs - 1)
        assert {name: part.curves[name] for name in SCORES} == {name: whole.curves[name][:epochs] for name in SCORES}


@pytest.mark.parametrize("damage", ["gone", "cut", "another training"])
def test_a_checkpoint_that_cannot_be_used_is_not(damage: str, tmp_path: Path) -> None:
    plan, file = halving(), tmp_path / "x.training"
    architecture = plan.space.random(np.random.default_rng(3))
    identity = {"seed": 6 if damage == "another training" else 5}
    evaluate(Child(architecture, plan.protocol, 5, keeper=KeepCheckpoint(None, file, identity), epochs=1))
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-20])
    keeper = KeepCheckpoint(file, None, {"seed": 5})
    part = evaluate(Child(architecture, plan.protocol, 5, keeper=keeper, epochs=2))
    assert (part.status, part.epochs, part.from_epoch) == ("ok", 2, 0)


def test_only_added_epochs_are_charged(halved: Path) -> None:
    rows = rows_of(halved)
    for row in rows:
        assert row["gpu_hours"] * 3600 == pytest.approx(row["device_seconds"])
        added = sum(row["curves"]["seconds"][row["from_epoch"] :])
        assert row["train_seconds"] + row["eval_seconds"] == pytest.approx(added, rel=1e-6)
    run = Results(str(halved)).runs().iloc[0]
    assert run["training_hours"] + run["evaluation_hours"] == pytest.approx(sum(row["gpu_hours"] for row in rows))


def test_evicted_children_train_again_and_only_added_epochs_enter_the_budget(halved: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    search(halving(checkpoint_gib=0.0), path)
    rows, kept = rows_of(path), rows_of(halved)
    assert [row["from_epoch"] for row in rows] == [0] * 7
    assert [row["continues"] for row in rows] == [row["continues"] for row in kept]
    for row, other in zip(rows, kept):
        assert {name: row["curves"][name] for name in SCORES} == {name: other["curves"][name] for name in SCORES}
    again = 0.0
    for row in rows[4:]:
        before = next(each for each in rows if f"{each['run']}/{each['index']}" == row["continues"])
        repeated = sum(row["curves"]["seconds"][: before["epochs"]])
        assert row["gpu_hours"] * 3600 == pytest.approx(row["device_seconds"] - repeated, rel=1e-6)
        again += repeated
    run = Results(str(path)).runs().iloc[0]
    assert run["uncounted_hours"] * 3600 == pytest.approx(again, abs=0.05)
    assert check_file(path, hash_of_choices).findings == []


def test_the_folder_keeps_what_is_needed_and_goes_with_the_run(tmp_path: Path) -> None:
    there = Checkpoints(tmp_path / "folder", limit=25)
    assert there.points() == {}
    points = [Point(f"{number:032x}", 0, 1) for number in range(4)]
    for number, point in enumerate(points):
        there.folder.mkdir(exist_ok=True)
        there.path(point).write_bytes(b"x" * 10)
        os.utime(there.path(point), ns=(number, number))
    further = Point(points[3].hash, 0, 2)
    there.path(further).write_bytes(b"x" * 10)
    there.committed(further, needed={points[0]})
    assert set(there.points()) == {points[0], further}  # the oldest went first; one that is needed stays
    there.close()
    assert not there.folder.exists()


@pytest.mark.parametrize("after", [4, 6])
@pytest.mark.parametrize("lost", [False, True])
def test_a_stopped_run_resumes_to_the_same_rows(halved: Path, tmp_path: Path, after: int, lost: bool) -> None:
    class StopAfter(Watcher):
        def committed(self, proposal: Any, row: Any, curves: Any, ledger: Any, incumbent: bool) -> None:
            self.stop_reason = "enough" if ledger.children == after else ""

    path, plan = tmp_path / "x.h5", halving()
    run_plans(path, [plan], (), 1, lambda plan: Progress("test"), watcher_for=lambda plan: StopAfter())
    assert len(rows_of(path)) == after
    (folder,) = tmp_path.glob("x-*.checkpoints")
    if lost:
        shutil.rmtree(folder)
    run_plans(path, [plan_search(plan.config)], (), 1, lambda plan: Progress("test"))
    assert not folder.exists()

    def plain(file: Path) -> list[dict[str, Any]]:
        return [{name: row[name] for name in row if name != "from_epoch"} for row in stable_rows(file)]

    assert plain(path) == plain(halved)
    if not lost:
        assert stable_rows(path) == stable_rows(halved)


def test_a_longer_stored_training_answers_a_shorter_one(halved: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.h5"
    search(tiny_plan(strategy="random", set=DATA, budget="4 children", final="none"), whole)
    rows = rows_of(whole)
    cache = ScoreCache([whole])
    for epochs in range(1, EPOCHS):
        hit = cache.get(rows[0]["hash"], rows[0]["fingerprint"], rows[0]["seed"], test=False, epochs=epochs)
        assert hit is not None
        assert hit["val_acc"] == rows[0]["curves"]["val_acc"][epochs - 1]
        assert (hit["epochs"], len(hit["curves"]["val_acc"])) == (epochs, epochs)
        assert 0 < hit["device_seconds"] < rows[0]["device_seconds"]
    partial = ScoreCache([halved])
    first = rows_of(halved)[0]
    assert partial.get(first["hash"], first["fingerprint"], first["seed"], test=False) is None
    last = rows_of(halved)[-1]
    found = partial.get(last["hash"], last["fingerprint"], last["seed"], test=False)
    assert found is not None
    assert found["device_seconds"] == pytest.approx(sum(last["curves"]["seconds"]) + last["setup_seconds"])


def test_a_search_of_stored_trainings_is_charged_what_it_would_have_trained(halved: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    run_plans(path, [halving()], [str(halved)], 1, lambda plan: Progress("test"))
    rows, trained = rows_of(path), rows_of(halved)
    assert all(row["cached_from"] for row in rows)
    assert [row["continues"] for row in rows] == [row["continues"] for row in trained]
    for row, other in zip(rows, trained):
        assert row["val_acc"] == other["val_acc"]
        base = next((each for each in trained if f"{each['run']}/{each['index']}" == row["continues"]), None)
        added = sum(other["curves"]["seconds"][base["epochs"] if base else 0 :])
        assert added <= row["gpu_hours"] * 3600 <= added + other["setup_seconds"] + 1.0
    assert check_file(path, hash_of_choices).findings == []


def test_a_training_that_diverges_answers_every_later_epoch() -> None:
    curves = {"val_acc": (0.5, 0.6), "val_loss": (1.0, 1.0), "train_acc": (0.5, 0.5), "train_loss": (1.0, 1.0)}
    row = {
        "status": "diverged",
        "stop_epoch": 3,
        "from_epoch": 0,
        "error": "training loss is nan",
        "train_seconds": 1.0,
        "eval_seconds": 1.0,
        "setup_seconds": 0.5,
        "devices": 1.0,
        "curves": {**curves, "seconds": (1.0, 1.0)},
    }
    assert up_to(row, 0) is row
    assert up_to(row, 3) is row
    two = up_to(row, 2)
    assert two is not None
    assert (two["status"], two["val_acc"], two["error"], two["device_seconds"]) == ("ok", 0.6, "", 2.5)


def test_status_names_children_that_stopped_or_went_on(halved: Path) -> None:
    (run,) = file_status(str(halved)).runs
    assert (run.children, run.stopped_early, run.continued) == (7, 6, 3)


def test_check_finds_ends_that_cannot_be(halved: Path, tmp_path: Path) -> None:
    rows = rows_of(halved)
    run = {str(name): value for name, value in Results(str(halved)).runs().iloc[0].to_dict().items()}
    wrong = [
        ({"stop_epoch": 3}, "it was to stop after 3"),
        ({"from_epoch": 9, "continues": "a/0"}, "it began after epoch 9"),
        ({"from_epoch": 1, "continues": ""}, "it says of no child"),
        ({"continues": "a/0", "from_epoch": 0, "gpu_hours": 1.0}, "gpu_hours is 1"),
    ]
    for number, (changes, text) in enumerate(wrong):
        path = tmp_path / f"{number}.h5"
        children = [{name: value for name, value in row.items() if name != "curves"} for row in rows]
        children[0] |= changes
        write_new(str(path), tables_of_rows([(row, dict(old["curves"])) for row, old in zip(children, rows)], [run]))
        found = [finding.text for finding in check_file(path, hash_of_choices).findings]
        assert any(text in finding for finding in found), found


def test_a_strategy_that_would_stop_elsewhere_cannot_resume(halved: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(halved.read_bytes())
    plan = halving(budget=8)
    stored = Results(str(path)).children_of(halving().run)
    changed = [{**row, "stop_epoch": 3} for row in stored]
    with (
        ResultsWriter(path) as writer,
        plan.executor() as executor,
        pytest.raises(ResumeMismatch, match="up to epoch 3"),
    ):
        Search(replace(plan, run=halving().run), changed, writer, ScoreCache(), executor, Progress("test")).run()
