"""Children end in recorded outcomes, and the same child gives the same bits."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import time
from datetime import datetime

import numpy as np
import pytest
import torch

import nasbench.training.evaluate
from nasbench.data import Dataset, load_data, provide_data
from nasbench.errors import InputError, MissingData, UnknownName
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.store.format.schema import CURVES
from nasbench.training.evaluate import evaluate, resolve_device
from nasbench.training.evaluation import Child, Evaluation, Trained

MEASURED = {"train_seconds", "eval_seconds", "setup_seconds", "peak_memory", "started_at", "finished_at"}


def bits(evaluation: Evaluation) -> str:
    """All of an evaluation but what is measured anew each time; every float in full."""
    fields = {key: value for key, value in dataclasses.asdict(evaluation).items() if key not in MEASURED}
    fields["curves"] = {key: value for key, value in fields["curves"].items() if key != "seconds"}
    return json.dumps(fields, sort_keys=True)


def test_a_good_child_has_every_number(child) -> None:
    before = time.perf_counter()
    result = evaluate(child(epochs=8), devices=0.5)
    elapsed = time.perf_counter() - before
    assert (result.status, result.error, result.epochs) == ("ok", "", 8)
    assert set(result.curves) == {column.name for column in CURVES}
    assert {len(curve) for curve in result.curves.values()} == {8}
    assert result.val_acc == result.curves["val_acc"][-1]
    assert result.val_loss == result.curves["val_loss"][-1]
    assert result.val_acc_best == max(result.curves["val_acc"])
    assert result.train_acc == result.curves["train_acc"][-1]
    assert result.train_loss == result.curves["train_loss"][-1]
    assert result.train_acc > 0.6
    assert result.val_acc > 0.6
    assert math.isnan(result.test_acc)
    assert math.isnan(result.test_loss)
    assert (result.device, result.devices) == ("cpu", 0.5)
    assert result.params == 72 * 3 + 16 + 33 * 3
    assert 10**7 < result.peak_memory < 10**12
    assert min(result.train_seconds, result.eval_seconds, result.setup_seconds) > 0
    spent = result.train_seconds + result.eval_seconds + result.setup_seconds
    assert spent <= elapsed
    assert sum(result.curves["seconds"]) == pytest.approx(result.train_seconds + result.eval_seconds)
    assert result.device_seconds == pytest.approx(spent / 2)
    assert datetime.fromisoformat(result.started_at) <= datetime.fromisoformat(result.finished_at)
    assert result.started_at.endswith("+00:00")


@pytest.mark.parametrize("ending", ["fine", "dropout"])
def test_the_same_child_gives_the_same_bits_whatever_ran_before(child, ending: str) -> None:
    first = bits(evaluate(child(ending, seed=7, test=True)))
    for other in ("error", "nan", "dropout", "late_nan"):
        evaluate(child(other, seed=3, epochs=1, batch_size=5))
    torch.rand(1)
    np.random.default_rng().random()
    assert bits(evaluate(child(ending, seed=7, test=True))) == first
    assert bits(evaluate(child(ending, seed=8, test=True))) != first


@pytest.mark.slow
def test_two_processes_give_the_same_bits() -> None:
    script = (
        "import dataclasses, json, numpy as np\n"
        "from nasbench.training.evaluation import Child\n"
        "from nasbench.training.evaluate import evaluate\n"
        "from nasbench.protocols.protocol import get_protocol\n"
        "from nasbench.spaces import get_space\n"
        "space = get_space('nasnet:blocks=2')\n"
        "protocol = get_protocol('digits', {'epochs': 2, 'filters': 4, 'drop_path_keep': 0.8})\n"
        "child = Child(space.random(np.random.default_rng(5)), protocol, 3, test=True)\n"
        "print(json.dumps(dataclasses.asdict(evaluate(child))))\n"
    )
    outputs = [subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True) for _ in "ab"]
    results = [Evaluation(**json.loads(output.stdout)) for output in outputs]
    assert results[0].status == "ok"
    assert bits(results[0]) == bits(results[1])
    space = get_space("nasnet:blocks=2")
    protocol = get_protocol("digits", {"epochs": 2, "filters": 4, "drop_path_keep": 0.8})
    here = evaluate(Child(space.random(np.random.default_rng(5)), protocol, 3, test=True))
    assert bits(here) == bits(Evaluation(**json.loads(json.dumps(dataclasses.asdict(results[0])))))


def test_global_settings_and_random_states_come_back(child) -> None:
    torch.set_num_threads(2)
    torch.manual_seed(11)
    try:
        expected = torch.rand(3)
        torch.manual_seed(11)
        for ending in ("fine", "error"):
            evaluate(child(ending))
        assert torch.equal(torch.rand(3), expected)
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("ending", "status", "words", "epochs"),
    [
        ("nan", "diverged", "training loss is nan", 0),
        ("late_nan", "diverged", "training loss is nan in step 6 of 9", 1),
        ("no_memory", "out_of_memory", "can't allocate memory", 0),
        ("host_memory", "out_of_memory", "no memory left", 0),
        ("cuda_memory", "out_of_memory", "CUDA out of memory", 0),
        ("error", "failed", "ValueError: first line second line", 0),
        ("exit", "failed", "SystemExit: a network that ends the program", 0),
    ],
)
def test_whatever_a_child_does_is_recorded_with_its_cost(
    child, ending: str, status: str, words: str, epochs: int
) -> None:
    result = evaluate(child(ending, test=True))
    assert (result.status, result.epochs) == (status, epochs)
    assert words in result.error
    assert "\n" not in result.error
    assert len(result.curves["val_acc"]) == epochs
    assert math.isnan(result.val_acc)
    assert math.isnan(result.val_acc_best)
    assert math.isnan(result.test_acc)
    assert result.params > 0
    assert result.train_seconds > 0
    assert result.device_seconds > 0


class Kept:
    """A keeper that notes which trainings it is given."""

    def __init__(self) -> None:
        self.statuses: list[str] = []

    def saved(self) -> None:
        return None

    def epoch(self, history: object, epochs: int, state: object) -> None:
        pass

    def trained(self, child: Child, trained: Trained, evaluation: Evaluation) -> None:
        assert isinstance(trained.network, torch.nn.Module)
        self.statuses.append(evaluation.status)


@pytest.mark.parametrize(("ending", "statuses"), [("fine", ["ok"]), ("late_nan", []), ("error", [])])
def test_only_a_training_that_ended_well_is_kept(child, ending: str, statuses: list[str]) -> None:
    kept = Kept()
    evaluate(dataclasses.replace(child(ending), keeper=kept))
    assert kept.statuses == statuses


def test_a_network_that_cannot_be_counted_has_no_parameters_and_fails(child, monkeypatch: pytest.MonkeyPatch) -> None:
    given = child()

    def count(*_: object) -> None:
        raise ValueError("no such network")

    monkeypatch.setattr(type(given.architecture.space), "count", count)
    result = evaluate(given)
    assert (result.status, result.params, result.mult_adds) == ("failed", 0, 0)
    assert "no such network" in result.error


def test_a_rate_that_is_far_too_high_diverges(child) -> None:
    result = evaluate(child(learning_rate=1e20, clip_norm=0.0))
    assert result.status == "diverged"


def test_a_child_stops_at_its_deadline(child) -> None:
    before = time.perf_counter()
    result = evaluate(child("slow", timeout=0.5, epochs=100))
    assert time.perf_counter() - before < 3
    assert result.status == "timed_out"
    assert "0.5 s" in result.error
    assert 0 < result.epochs < 100
    assert 0.4 < result.device_seconds < 2


def test_a_deadline_in_the_past_still_makes_a_row(child) -> None:
    result = evaluate(child(timeout=0.0))
    assert (result.status, result.epochs) == ("timed_out", 0)


def test_an_interrupt_passes_through(child) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(child("stop"))
    assert evaluate(child()).status == "ok"


class _Untouchable:
    """Test images that nobody may look at."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the test set was touched: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test set was touched: its length")


def test_the_test_set_is_touched_only_when_asked_for(child, monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed(text: str) -> Dataset:
        return dataclasses.replace(load_data(text), test=_Untouchable())

    monkeypatch.setattr(nasbench.training.evaluate, "load_data", sealed)
    nasbench.training.evaluate._place_images.cache_clear()
    assert evaluate(child()).status == "ok"
    broken = evaluate(child(test=True))
    assert (broken.status, broken.error) == ("failed", "AssertionError: the test set was touched: pixels")
    nasbench.training.evaluate._place_images.cache_clear()


def test_data_that_are_provided_anew_are_those_that_are_trained(child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench.data._provided", {})
    scores = []
    for seed in (0, 1, 0):
        provide_data("folder:provided", load_data(f"fake:images=96,size=8,classes=3,seed={seed}"))
        scores.append(bits(evaluate(child(data="folder:provided", epochs=1))))
    assert scores[0] == scores[2]
    assert scores[0] != scores[1]
    expected = evaluate(child(data="fake:images=96,size=8,classes=3,seed=1", epochs=1))
    assert scores[1] == bits(expected)


def test_test_scores_are_of_the_test_images(child) -> None:
    result = evaluate(child(test=True, epochs=8))
    assert 0.6 < result.test_acc <= 1
    assert (result.test_acc * 24) == pytest.approx(round(result.test_acc * 24))
    assert result.test_loss > 0


def test_validation_accuracy_counts_validation_images(child) -> None:
    accuracies = np.array(evaluate(child(epochs=8)).curves["val_acc"])
    np.testing.assert_allclose(accuracies * 12, np.rint(accuracies * 12), atol=1e-9)


@pytest.mark.parametrize(
    "fields",
    [
        {"train_images": 17},
        {"label_smoothing": 0.2},
        {"cutout": 4},
        {"clip_norm": 0.01},
        {"schedule": "one_cycle", "warmup": 0.3},
        {"optimizer": "rmsprop"},
        {"precision": "bfloat16"},
        {"whiten": False},
        {"channels_last": False},
        {"auxiliary_weight": 0.4},
        {"dropout": 0.5},
        {"weight_decay": 0.1},
        {"batch_size": 7},
        {"split_seed": 1},
        {"enlarge": "upsample"},
    ],
    ids=str,
)
def test_every_lever_of_the_protocol_moves_the_scores(child, fields: dict) -> None:
    plain, moved = evaluate(child()), evaluate(child(**fields))
    assert moved.status == "ok"
    assert moved.curves["val_loss"] != plain.curves["val_loss"]
    assert bits(evaluate(child(**fields))) == bits(moved)


def test_progress_runs_from_zero_towards_one_in_equal_steps(child, monkeypatch: pytest.MonkeyPatch) -> None:
    space = type(child().architecture.space)
    built, build = [], space.build
    monkeypatch.setattr(space, "build", lambda *args: built.append(build(*args)) or built[-1])
    evaluate(child())
    assert built[0].progress == pytest.approx([step / 9 for step in range(9)])


def test_smoothing_is_in_the_training_loss_only(child) -> None:
    result = evaluate(child(label_smoothing=0.5, epochs=20))
    assert result.train_loss > 0.86  # at least the entropy of the targets (2/3, 1/6, 1/6)
    assert result.val_acc > 0.8
    assert result.val_loss < 0.8


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"data": "fak"}, UnknownName, "did you mean 'fake'"),
        ({"data": "folder:/nowhere"}, MissingData, "/nowhere"),
        ({"crop_from": 7}, InputError, "crop_from=7"),
        ({"cutout": 9}, InputError, "cutout=9"),
        ({"train_images": 37}, InputError, "36 of the 48"),
    ],
)
def test_bad_protocols_and_data_do_raise(child, fields: dict, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        evaluate(child(**fields))


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", "cpu:0", "cuda:-1", "CPU"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(child, device: str) -> None:
    with pytest.raises(InputError) as caught:
        evaluate(child(), device)
    assert repr(device) in str(caught.value)
    assert "cpu" in str(caught.value)


def test_the_cpu_is_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cuda_gives_the_same_bits_twice(child, precision: str) -> None:
    fields = {"precision": precision, "cutout": 4, "auxiliary_weight": 0.4, "clip_norm": 1.0}
    first = evaluate(child("dropout", test=True, epochs=8, **fields), "cuda")
    assert (first.status, first.error) == ("ok", "")
    assert first.val_acc > 0.6
    assert first.device == torch.cuda.get_device_name(0)
    assert 0 < first.peak_memory < 2**30
    assert bits(evaluate(child("dropout", test=True, epochs=8, **fields), "cuda:0")) == bits(first)
