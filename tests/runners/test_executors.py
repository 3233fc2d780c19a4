from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from searching import tiny_plan

from nasbench.errors import InputError
from nasbench.runners.executors import EXECUTORS, ExecutorOptions, base
from nasbench.runners.executors.devices import usable_cores
from nasbench.runners.executors.inline import InlineExecutor
from nasbench.runners.executors.local import LocalExecutor
from nasbench.training.evaluation import Child

PLAN = tiny_plan()


def child(seed: int, epochs: int = 1, timeout: float = float("inf")) -> Child:
    architecture = PLAN.space.random(np.random.default_rng(seed))
    protocol = PLAN.protocol.model_copy(update={"epochs": epochs})
    return Child(architecture, protocol, seed, timeout_seconds=timeout)


def worker_pid(executor: LocalExecutor, slot: int = 0) -> int:
    pid = executor._slots[slot]._pid
    assert pid is not None
    return pid.result(timeout=60)


def await_start(executor: LocalExecutor, slot: int = 0) -> None:
    """Wait until a worker has started up: from then on its child is charged."""
    ready = executor._slots[slot]._ready
    assert ready is not None
    ready.result(timeout=60)


def collect(executor, count):
    ended = []
    while len(ended) < count:
        ended.extend(executor.wait())
    return ended


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", sorted(name for name in EXECUTORS if name != "ray"))  # of a cluster: tests/cluster
def test_every_child_comes_back_once_with_the_same_scores(name):
    with EXECUTORS.get(name)(ExecutorOptions()) as executor:
        for ticket in range(3):
            executor.submit(ticket, child(ticket))
        ended = collect(executor, 3)
    assert sorted(ticket for ticket, _ in ended) == [0, 1, 2]
    assert all(evaluation.status == "ok" for _, evaluation in ended)
    with InlineExecutor(ExecutorOptions()) as inline:
        for ticket in range(3):
            inline.submit(ticket, child(ticket))
        expected = dict(collect(inline, 3))
    for ticket, evaluation in ended:
        assert evaluation.curves["val_loss"] == expected[ticket].curves["val_loss"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_two_slots_work_at_once_and_share_the_device():
    with LocalExecutor(ExecutorOptions(children_per_device=2)) as executor:
        assert executor.slots == 2
        for ticket in range(4):
            executor.submit(ticket, child(ticket))
        ended = collect(executor, 4)
        pids = {worker_pid(executor, 0), worker_pid(executor, 1)}
    assert len(pids) == 2
    assert {evaluation.devices for _, evaluation in ended} == {0.5}


@pytest.mark.parametrize(
    ("cores", "options", "share"),
    [
        (4, {}, 1.0),
        (4, {"devices": ("cpu",) * 4}, 1.0),
        (4, {"children_per_device": 2, "runs_per_device": 2}, 1.0),
        (4, {"children_per_device": 8}, 0.5),
        (2, {"devices": ("cpu", "cpu"), "runs_per_device": 2}, 0.5),
        (1, {"children_per_device": 2}, 0.5),
    ],
)
def test_a_child_on_the_cpu_is_charged_a_core_or_its_part_of_one(monkeypatch, cores, options, share):
    monkeypatch.setattr(base, "usable_cores", lambda: cores)
    assert LocalExecutor(ExecutorOptions(**options)).share == share


def test_the_cores_are_those_that_this_process_may_use():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_child_tried_again():
    with LocalExecutor(ExecutorOptions()) as executor:
        executor.submit(0, child(0, epochs=400))
        first = worker_pid(executor)
        await_start(executor)
        time.sleep(0.5)
        os.kill(first, signal.SIGKILL)
        [(ticket, evaluation)] = executor.wait()
        assert worker_pid(executor) != first
    assert ticket == 0
    assert evaluation.status == "ok"
    assert evaluation.setup_seconds > 0.4  # the lost attempt is charged


def test_a_child_whose_worker_always_dies_comes_back_as_failed_with_its_cost():
    with LocalExecutor(ExecutorOptions(retries=1)) as executor:
        executor.submit(7, child(0, epochs=100_000))

        def kill_twice():
            killed = 0
            for _ in range(2):
                while (future := executor._slots[0]._pid) is None or future.result(timeout=60) == killed:
                    time.sleep(0.02)  # the executor is replacing the worker
                killed = future.result(timeout=60)
                await_start(executor)
                time.sleep(0.3)
                os.kill(killed, signal.SIGKILL)

        killer = threading.Thread(target=kill_twice)
        killer.start()
        [(ticket, evaluation)] = executor.wait()
        killer.join()
        executor.submit(8, child(1))  # and the executor goes on
        assert [item[0] for item in executor.wait()] == [8]
    assert (ticket, evaluation.status) == (7, "failed")
    assert "died 2 times" in evaluation.error
    assert evaluation.device_seconds > 0.5


def has_noticed(executor: LocalExecutor) -> bool:
    """Whether the first slot's pool knows that its worker is dead."""
    pool = executor._slots[0]._pool
    assert pool is not None
    try:
        pool.submit(os.getpid).result(timeout=60)
    except BrokenProcessPool:
        return True
    return False


@pytest.mark.slow
def test_a_worker_that_died_idle_is_no_attempt_of_the_next_child():
    with LocalExecutor(ExecutorOptions(retries=0)) as executor:
        executor.submit(0, child(0))
        assert [ticket for ticket, _ in executor.wait()] == [0]
        first = worker_pid(executor)
        os.kill(first, signal.SIGKILL)
        while not has_noticed(executor):
            time.sleep(0.02)
        executor.submit(1, child(1))
        [(ticket, evaluation)] = executor.wait()
        assert worker_pid(executor) != first
    assert (ticket, evaluation.status) == (1, "ok")


def test_a_worker_that_does_not_end_in_time_is_killed():
    with LocalExecutor(ExecutorOptions(grace_seconds=0.0)) as executor:
        executor.submit(0, child(0, epochs=100_000, timeout=1.0))
        [(_, evaluation)] = executor.wait()
    assert evaluation.status == "timed_out"


def test_closing_from_another_thread_ends_the_wait():
    executor = LocalExecutor(ExecutorOptions())
    executor.submit(0, child(0, epochs=100_000))
    await_start(executor)
    closer = threading.Timer(0.3, executor.close)
    closer.start()
    assert executor.wait() == []
    closer.join()
    ((ticket, left),) = executor.drop()  # what the closing ended, with its seconds
    assert (ticket, left.status) == (0, "unfinished")
    assert left.device_seconds > 0.2 * executor.share
    assert executor.drop() == []


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "if __name__ == '__main__':\n"
        "    from test_executors_child import start\n"
        "    start()\n"
    )
    (tmp_path / "test_executors_child.py").write_text(
        "import time\n"
        "from nasbench.runners.executors.local import LocalExecutor\n"
        "from nasbench.runners.executors import ExecutorOptions\n"
        "from nasbench.training.evaluation import Child\n"
        "from nasbench.protocols.protocol import get_protocol\n"
        "from nasbench.spaces import get_space\n"
        "def start():\n"
        "    executor = LocalExecutor(ExecutorOptions())\n"
        "    space = get_space('nasnet:blocks=1')\n"
        "    protocol = get_protocol('digits', {'data': 'fake', 'epochs': 100000})\n"
        "    executor.submit(0, Child(space.decode([1] * 10), protocol, 0))\n"
        "    print(executor._slots[0]._pid.result(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    import subprocess
    import sys

    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")


def test_inline_refuses_several_slots():
    with pytest.raises(InputError, match="one child at a time"):
        InlineExecutor(ExecutorOptions(children_per_device=2))


@pytest.mark.slow
def test_a_dropped_child_that_had_just_ended_keeps_its_score():
    with LocalExecutor(ExecutorOptions()) as executor:
        executor.submit(0, child(0))
        while not executor._slots[0].future.done():
            time.sleep(0.01)
        ((ticket, evaluation),) = executor.drop()
    assert (ticket, evaluation.status) == (0, "ok")
    assert evaluation.val_acc > 0


def test_the_start_of_a_worker_is_not_charged_to_a_dropped_child():
    """As for a child that ends as usual."""
    with LocalExecutor(ExecutorOptions()) as executor:
        began = time.monotonic()
        executor.submit(0, child(0, epochs=100_000))
        await_start(executor)
        started = time.monotonic()
        ((_, evaluation),) = executor.drop()
        assert started - began > 0.2
        assert evaluation.device_seconds <= time.monotonic() - started + 0.1
        executor.submit(1, child(0, epochs=100_000))
        worker_pid(executor)
        assert dict(executor.drop())[1].device_seconds == 0.0  # it had not imported torch yet


@pytest.mark.slow
def test_dropped_children_say_how_long_they_held_their_device():
    with LocalExecutor(ExecutorOptions(children_per_device=2)) as executor:
        for ticket in range(3):
            executor.submit(ticket, child(ticket, epochs=10_000))
        await_start(executor, 0)
        await_start(executor, 1)
        time.sleep(0.5)
        ended = executor.drop()
        assert [ticket for ticket, _ in ended] == [0, 1]  # the third was queued and held nothing
        assert [evaluation.status for _, evaluation in ended] == ["unfinished", "unfinished"]
        assert all(0.2 < evaluation.device_seconds < 60 for _, evaluation in ended)  # half of at least half a second
        executor.submit(3, child(3))
        assert [ticket for ticket, _ in collect(executor, 1)] == [3]
