"""Choosing portable kernels: in which process, with which settings, and what is refused."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import nasbench
from pydantic import ValidationError
from searching import search, tiny_plan

from nasbench.errors import InputError
from nasbench.evaluation import Child, Evaluation
from nasbench.evaluator import evaluate
from nasbench.kernels.portable import SETTINGS, is_portable_process, portable_kernels, spawn_environment
from nasbench.kernels.worker import PortableWorker
from nasbench.protocol import Protocol, get_protocol
from nasbench.runners.executors import EXECUTORS, ExecutorOptions
from nasbench.store.query import Results
from nasbench.training import reproducible

FIELDS: dict[str, Any] = {
    "data": "fake:images=96,size=8,classes=3",
    "epochs": 1,
    "filters": 4,
    "validation": 0.5,
    "kernels": "portable",
}


def child(**changes: Any) -> Child:
    plan = tiny_plan()
    architecture = plan.space.decode((0,) * len(plan.space.decisions))
    return Child(architecture, get_protocol("digits", {**FIELDS, **changes}), seed=0)


def scores(evaluation: Evaluation) -> tuple[Any, ...]:
    return evaluation.status, evaluation.error, dict(evaluation.curves) | {"seconds": ()}


def test_a_process_that_loaded_torch_with_other_kernels_refuses() -> None:
    assert not is_portable_process()
    with pytest.raises(InputError, match="MKL_CBWR=COMPATIBLE"), portable_kernels():
        pass
    with (
        pytest.raises(InputError, match="ATEN_CPU_CAPABILITY=default"),
        reproducible(torch.device("cpu"), 1, "portable"),
    ):
        pass


def test_a_child_is_trained_in_a_process_of_its_own_and_says_so() -> None:
    evaluation = evaluate(child())
    assert evaluation.status == "ok", evaluation.error
    assert evaluation.platform.startswith("portable ")
    assert evaluate(child(kernels="fast")).platform.startswith("portable ") is False


def test_all_ways_to_train_give_the_same_bits() -> None:
    """Beside this process, in an executor's worker, and in the worker after it has trained with fast kernels."""
    beside = evaluate(child())
    with EXECUTORS.get("local")(ExecutorOptions()) as executor:
        found = []
        for ticket, kernels in enumerate(("fast", "portable", "fast", "portable")):
            executor.submit(ticket, child(kernels=kernels))
            found += [evaluation for _, evaluation in executor.wait()]
    assert [evaluation.platform.startswith("portable ") for evaluation in found] == [False, True, False, True]
    assert scores(found[1]) == scores(found[3]) == scores(beside)
    assert scores(found[0]) == scores(found[2])


def test_the_environment_is_as_before_after_a_process_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    before = dict(os.environ)
    with spawn_environment("portable"):
        assert {name: os.environ[name] for name in SETTINGS} == SETTINGS
    assert dict(os.environ) == before


def test_a_fast_process_is_never_started_with_another_threads_settings() -> None:
    seen: list[str | None] = []

    def start_fast() -> None:
        with spawn_environment("fast"):
            seen.append(os.environ.get("MKL_CBWR"))

    before = os.environ.get("MKL_CBWR")
    with spawn_environment("portable"):
        other = threading.Thread(target=start_fast)
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join()
    assert seen == [before]


def test_a_worker_that_dies_is_a_failed_child_and_the_next_is_trained() -> None:
    worker = PortableWorker()
    assert worker.evaluate(child(), "cpu", 1.0).status == "ok"
    os.kill(worker.pid, signal.SIGKILL)
    evaluation = worker.evaluate(child(), "cpu", 1.0)
    assert (evaluation.status, "died" in evaluation.error) == ("failed", True)
    assert worker.evaluate(child(), "cpu", 1.0).status == "ok"
    worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


@pytest.mark.parametrize("other", [{"threads": 2}, {"precision": "bfloat16"}])
def test_what_has_no_portable_kernels_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="kernels='portable' needs threads=1 and precision='float32'"):
        Protocol(kernels="portable", **other)


def test_a_gpu_is_refused_before_anything_is_spent() -> None:
    with pytest.raises(InputError, match="kernels='portable', which are the processor's"):
        tiny_plan(set=FIELDS, devices=("cuda:0",), executor="local")


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_search_is_verified_to_the_bit(tmp_path: Path, executor: str) -> None:
    search(tiny_plan(set=FIELDS, executor=executor, budget="3 children"), tmp_path / "p.h5")
    with Results(str(tmp_path / "p.h5")) as results:
        assert all(platform.startswith("portable ") for platform in results.frame()["platform"])
    done = nasbench("verify", str(tmp_path / "p.h5"), "--sample", "3")
    assert done.code == 0, done.out + done.err
    assert "3 of 3 rows agree bit for bit" in done.out
