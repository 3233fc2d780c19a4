"""Choosing portable kernels: in which process, with which settings, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import nasbench
from pydantic import ValidationError
from searching import search, tiny_plan

from nasbench.errors import InputError
from nasbench.kernels.portable import SETTINGS, is_portable_process, portable_kernels, spawn_environment
from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.runners.executors import EXECUTORS, ExecutorOptions
from nasbench.spaces import Architecture
from nasbench.store.query import Results
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child, Evaluation
from nasbench.training.loop import reproducible
from nasbench.training.portable_worker import PortableWorker

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


@pytest.mark.slow
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


@pytest.fixture
def worker() -> Iterator[PortableWorker]:
    made = PortableWorker()
    yield made
    made.close()


@pytest.mark.slow
def test_a_worker_that_died_while_idle_is_replaced(worker: PortableWorker) -> None:
    first = worker.evaluate(child(), "cpu", 1.0)
    os.kill(worker.pid, signal.SIGKILL)
    time.sleep(0.2)
    again = worker.evaluate(child(), "cpu", 1.0)
    assert scores(again) == scores(first)
    assert again.setup_seconds < 60


def killed_by(worker: PortableWorker, times: int) -> threading.Thread:
    """Kill the worker so often, each time soon after it was started."""

    def kill() -> None:
        before, end = 0, time.monotonic() + 120
        for _ in range(times):
            while worker.pid in (0, before):
                if time.monotonic() > end:  # the test has failed before a worker was started
                    return
                time.sleep(0.01)
            before = worker.pid
            time.sleep(0.3)
            os.kill(before, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_child_whose_worker_dies_is_begun_once_more_and_charged_for_both(worker: PortableWorker) -> None:
    killer = killed_by(worker, 1)
    evaluation = worker.evaluate(child(), "cpu", 0.5)
    killer.join()
    assert evaluation.status == "ok"
    assert evaluation.setup_seconds > 0.3
    assert scores(evaluation) == scores(evaluate(child()))


@pytest.mark.slow
def test_a_child_whose_worker_dies_each_time_fails_and_is_charged(worker: PortableWorker) -> None:
    killer = killed_by(worker, 2)
    evaluation = worker.evaluate(child(), "cpu", 0.5)
    killer.join()
    assert (evaluation.status, "died 2 times" in evaluation.error) == ("failed", True)
    assert evaluation.setup_seconds > 0.6
    assert evaluation.device_seconds == 0.5 * evaluation.setup_seconds
    assert evaluation.finished_at
    assert worker.evaluate(child(), "cpu", 1.0).status == "ok"


SCRIPT = """
import torch
print("begun")
from nasbench.training.evaluation import Child
from nasbench.training.evaluate import evaluate
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
fields = {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4, "validation": 0.5, "kernels": "portable"}
space = get_space("nasnet:blocks=1")
child = Child(space.decode((0,) * len(space.decisions)), get_protocol("digits", fields), seed=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["file", "stdin"])
def test_a_script_without_a_guard_runs_once(tmp_path: Path, how: str) -> None:
    text = SCRIPT + "print(evaluate(child).status)\n"
    (tmp_path / "script.py").write_text(text)
    words = [sys.executable, *([str(tmp_path / "script.py")] if how == "file" else [])]
    done = subprocess.run(
        words, input=text if how == "stdin" else "", capture_output=True, text=True, check=True, timeout=250
    )
    assert done.stdout.split() == ["begun", "ok"]


@pytest.mark.slow
def test_forks_and_workers_of_a_pool_have_workers_of_their_own(tmp_path: Path) -> None:
    text = SCRIPT + (
        "import multiprocessing, os\n"
        "def job(_): return evaluate(child).status\n"
        "print(evaluate(child).status)\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool: print(*pool.map(job, [0]))\n"
        "print(evaluate(child).status)\n"
    )
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=250)
    assert done.stdout.split() == ["begun", "ok", "ok", "ok"], done.stderr


def test_a_child_that_cannot_be_sent_is_refused_in_one_line(worker: PortableWorker) -> None:
    class Local(type(child().architecture.space)):  # type: ignore[misc]
        """A space that no other process can import."""

    plain = child()
    space = Local(blocks=1)
    with pytest.raises(InputError, match="portable kernels: the child cannot be"):
        worker.evaluate(replace(plain, architecture=Architecture(space, plain.architecture.choices)), "cpu", 1.0)


@pytest.mark.parametrize("other", [{"threads": 2}, {"precision": "bfloat16"}])
def test_what_has_no_portable_kernels_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="kernels='portable' needs threads=1 and precision='float32'"):
        Protocol(kernels="portable", **other)


def test_a_gpu_is_refused_before_anything_is_spent() -> None:
    with pytest.raises(InputError, match="kernels='portable' works on the CPU only"):
        tiny_plan(set=FIELDS, devices=("cuda:0",), executor="local")


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("executor", ["local", "inline"])
def test_a_search_is_verified_to_the_bit(tmp_path: Path, executor: str) -> None:
    search(tiny_plan(set=FIELDS, executor=executor, budget="3 children"), tmp_path / "p.h5")
    with Results(str(tmp_path / "p.h5")) as results:
        assert all(platform.startswith("portable ") for platform in results.frame()["platform"])
    done = nasbench("verify", str(tmp_path / "p.h5"), "--sample", "3")
    assert done.code == 0, done.out + done.err
    assert "3 of 3 rows agree bit for bit" in done.out
