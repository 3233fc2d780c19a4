"""The executor ray on a real cluster of several raylets: the same scores, and every child accounted for exactly once whatever dies.

`make test-ray` runs it; it takes minutes, and is passed over where the package ray is not installed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ray_nodes import Nodes
from searching import search, stable_rows, tiny_plan

from nasbench.errors import InputError
from nasbench.runners.executors import ExecutorOptions
from nasbench.store.query import Results
from nasbench.training.evaluation import Child

pytest.importorskip("ray", reason="needs the extra ray: pip install 'nasbench-suite[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

from nasbench.runners.executors.ray_cluster import RayExecutor  # noqa: E402

FAKE = {"data": "fake:images=96,size=8,classes=3", "filters": 4, "validation": 0.5}
CHILDREN = 200


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """A head with two processors, for the tests to add nodes to."""
    cluster = Nodes()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def second(nodes) -> Iterator[int]:
    """The raylet of a second node, gone after the test."""
    raylet = nodes.add()
    yield raylet
    if raylet in nodes.raylets:
        nodes.kill(raylet)


def plan(nodes: Nodes, epochs: int = 1, **fields):
    return tiny_plan(executor="ray", address=nodes.address, set={**FAKE, "epochs": epochs}, **fields)


def options(nodes: Nodes, **fields) -> ExecutorOptions:
    return ExecutorOptions(address=nodes.address, **fields)


def child(nodes: Nodes, seed: int = 0, epochs: int = 1, timeout: float = float("inf")) -> Child:
    made = plan(nodes, epochs)
    return Child(made.space.random(np.random.default_rng(seed)), made.protocol, seed, timeout_seconds=timeout)


def scores(path: Path) -> list[tuple]:
    """What each child scored, finals included, in commit order."""
    names = ("stage", "index", "hash", "status", "val_acc", "test_acc")
    return [tuple(row[name] for name in names) for row in stable_rows(path)]


def test_an_ordered_run_is_the_sequential_one_row_for_row(nodes, second, tmp_path):
    fields = {"strategy": "ppo", "options": {"batch": 5}, "budget": "15 children", "ordered": True}
    search(plan(nodes, **fields), tmp_path / "ray.h5")
    search(tiny_plan(set={**FAKE, "epochs": 1}, **fields), tmp_path / "inline.h5")
    assert scores(tmp_path / "ray.h5") == scores(tmp_path / "inline.h5")
    frame = Results(str(tmp_path / "ray.h5")).frame(stage="search")
    assert len(frame) >= 15
    assert (frame["devices"] == 1.0).all()


def test_workers_and_a_node_die_during_a_run_and_every_child_is_there_once(nodes, second, tmp_path):
    """200 short children: a worker is killed whenever some more have come back, on both nodes, and halfway the second node is lost."""
    path, killed, over = tmp_path / "killed.h5", [], threading.Event()
    made = plan(nodes, epochs=20, space="nasnet:blocks=2", budget=f"{CHILDREN} children", retries=2, final="none")

    def kill() -> None:
        rng, after, lost = random.Random(0), 4, False
        journal = path.with_suffix(".journal")
        while not over.wait(0.1):
            stored = journal.read_bytes().count(b"\n") if journal.exists() else 0
            if not lost and stored >= CHILDREN // 2:
                nodes.kill(second)
                lost = True
            training = [pid for raylet in nodes.raylets for pid in nodes.workers(raylet)]
            if training and stored >= after:
                after = stored + 6
                killed.append(rng.choice(training))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run = search(made, path)
    finally:
        over.set()
        killer.join()
    frame = Results(str(path)).frame(stage="search")
    counted = frame[frame["counted"]]
    assert second not in nodes.raylets
    assert len(killed) >= 10
    assert sorted(frame["index"]) == list(range(len(frame)))
    assert len(counted) == run.ledger.children == CHILDREN
    lost = frame[frame["status"] != "ok"]
    assert set(lost["status"]) <= {"failed"}
    assert (lost["device_seconds"] > 0).all()
    assert lost["error"].str.contains("lost 3 times on the cluster").all()
    charged = frame.loc[frame["counted"], "gpu_hours"].sum()
    assert charged * 3600 == pytest.approx(sum(run.ledger.device_seconds.values()) - searcher(run), rel=1e-6)
    print(
        f"\n{CHILDREN} children, {len(killed)} workers and a node killed: {len(counted)} counted once, {len(lost)} failed"
    )


def searcher(run) -> float:
    return run.ledger.device_seconds["searcher"]


NASBENCH = str(Path(sys.executable).with_name("nasbench"))
DRIVEN = 40


def driver_at_work(address: str, path: Path) -> subprocess.Popen[str]:
    """A run in a process of its own that has stored its first children."""
    words = ["run", "--space", "nasnet:blocks=2", "--strategy", "random", "--budget", f"{DRIVEN} children"]
    words += ["--executor", "ray", "--address", address, "--final", "none", "-o", str(path)]
    for name, value in {**FAKE, "epochs": 20}.items():
        words += ["--set", f"{name}={value}"]
    driver = subprocess.Popen([NASBENCH, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 300
    while time.monotonic() < until and driver.poll() is None:
        if path.with_suffix(".journal").exists() and len(Results(str(path)).frame()) >= 12:
            break
        time.sleep(0.2)
    return driver


def resume_to_the_end(path: Path, *words: str) -> None:
    """Every child is there once, and what was stored before is as it was."""
    before = Results(str(path)).frame()
    assert 12 <= len(before) < DRIVEN
    done = subprocess.run(
        [NASBENCH, "resume", str(path), *words], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    after = Results(str(path)).frame()
    assert sorted(after["index"]) == list(range(len(after)))
    assert after["counted"].sum() == DRIVEN
    same = ["index", "hash", "val_acc", "device_seconds", "finished_at"]
    kept = after[after["index"].isin(before["index"])].sort_values("index")[same].reset_index(drop=True)
    assert kept.equals(before.sort_values("index")[same].reset_index(drop=True))


def test_a_killed_driver_resumes_on_a_cluster_of_another_size(nodes, second, tmp_path):
    path = tmp_path / "driver.h5"
    driver = driver_at_work(nodes.address, path)
    driver.kill()
    driver.communicate()
    nodes.kill(second)
    resume_to_the_end(path)


def test_a_lost_head_ends_the_run_in_one_line_and_another_cluster_goes_on(nodes, tmp_path):
    path, own = tmp_path / "headless.h5", Nodes()
    try:
        driver = driver_at_work(own.address, path)
        own.kill_head()
        _, said = driver.communicate(timeout=120)
    finally:
        own.stop()
    assert driver.returncode == 2, said
    assert "Traceback" not in said
    [line] = [line for line in said.splitlines() if line.startswith("error:")]
    assert "has not answered" in line
    assert "nasbench resume" in line
    resume_to_the_end(path, "--address", nodes.address)


def test_a_worker_that_dies_is_no_loss_and_its_attempt_is_charged(nodes):
    def dies_first(child, dataset, on_gpu, share, starts, key):
        import ray as there

        there.get(starts.started.remote(key))
        if key.endswith("/1"):
            time.sleep(1.0)
            os._exit(1)
        from nasbench.runners.executors.ray_tasks import train

        return train(child, dataset, on_gpu, share, starts, key)

    with RayExecutor(options(nodes)) as executor:
        executor._train = executor._ray.remote(dies_first).options(max_retries=0)
        executor.submit(0, child(nodes))
        [(ticket, evaluation)] = executor.wait()
    assert (ticket, evaluation.status) == (0, "ok")
    assert evaluation.setup_seconds > 0.9


def test_a_child_that_always_loses_its_worker_fails_with_its_cost(nodes):
    def dies(child, dataset, on_gpu, share, starts, key):
        import ray as there

        there.get(starts.started.remote(key))
        time.sleep(0.5)
        os._exit(1)

    with RayExecutor(options(nodes, retries=1)) as executor:
        executor._train = executor._ray.remote(dies).options(max_retries=0)
        executor.submit(7, child(nodes))
        [(ticket, evaluation)] = executor.wait()
    assert (ticket, evaluation.status) == (7, "failed")
    assert "lost 2 times on the cluster" in evaluation.error
    assert evaluation.device_seconds > 0.9


def test_a_lost_record_of_starts_makes_no_attempt_free(nodes):
    def dies_late(child, dataset, on_gpu, share, starts, key):
        starts.started.remote(key)
        time.sleep(6.0)
        os._exit(1)

    with RayExecutor(options(nodes, retries=0)) as executor:
        executor._train = executor._ray.remote(dies_late).options(max_retries=0)
        executor.submit(0, child(nodes))
        killer = threading.Timer(4.0, lambda: executor._ray.kill(executor._starts, no_restart=False))
        killer.start()
        [(_, evaluation)] = executor.wait()
        killer.join()
    assert evaluation.status == "failed"
    assert evaluation.device_seconds > 2.0


def test_a_straggler_is_cancelled(nodes):
    def sleeps(child, dataset, on_gpu, share, starts, key):
        starts.started.remote(key)
        time.sleep(3600)

    with RayExecutor(options(nodes, grace_seconds=1.0)) as executor:
        executor._train = executor._ray.remote(sleeps).options(max_retries=0)
        executor.submit(3, child(nodes, timeout=1.0))
        [(ticket, evaluation)] = executor.wait()
    assert (ticket, evaluation.status) == (3, "timed_out")
    assert evaluation.device_seconds > 1.9


def test_a_child_that_ends_itself_in_time_is_timed_out_and_the_next_goes_on(nodes):
    with RayExecutor(options(nodes)) as executor:
        executor.submit(0, child(nodes, epochs=100_000, timeout=1.0))
        executor.submit(1, child(nodes, seed=1))
        ended: dict = {}
        while len(ended) < 2:
            ended |= dict(executor.wait())
    assert (ended[0].status, ended[1].status) == ("timed_out", "ok")


def test_what_was_dropped_does_not_come_back(nodes):
    with RayExecutor(options(nodes)) as executor:
        executor.submit(0, child(nodes, epochs=100_000))
        executor.submit(9, child(nodes, epochs=100_000, seed=9))
        while not executor._running([job.key for job in executor._jobs.values()]):
            time.sleep(0.05)
        time.sleep(1.0)
        ended = dict(executor.drop())
        assert 0 in ended
        assert {evaluation.status for evaluation in ended.values()} == {"unfinished"}
        assert 1.0 <= ended[0].device_seconds < 60
        executor.submit(1, child(nodes))
        assert [ticket for ticket, _ in executor.wait()] == [1]


def test_closing_from_another_thread_ends_the_wait(nodes):
    executor = RayExecutor(options(nodes))
    executor.submit(0, child(nodes, epochs=100_000))
    while not executor._running(["0/1"]):
        time.sleep(0.05)
    closer = threading.Timer(1.0, executor.close)
    closer.start()
    assert executor.wait() == []
    closer.join()
    ((ticket, left),) = executor.drop()  # what the closing ended, with its seconds
    assert (ticket, left.status) == (0, "unfinished")
    assert 1.0 <= left.device_seconds < 60
    assert executor.drop() == []


def test_more_than_a_node_has_is_refused(nodes):
    with pytest.raises(
        InputError, match=r"no node of the Ray cluster can hold a child, which needs 64 CPU; its nodes have 2 CPU"
    ):
        RayExecutor(options(nodes, cpus_per_child=64.0))
    with pytest.raises(InputError, match="which needs 1 CPU, 1 GPU"):
        RayExecutor(options(nodes, gpus_per_child=1.0))


def test_what_a_worker_cannot_do_at_all_ends_the_run_in_one_line(nodes):
    def broken(child, dataset, on_gpu, share, starts, key):
        import nothing_of_this_name  # noqa: F401

    with RayExecutor(options(nodes)) as executor:
        executor._train = executor._ray.remote(broken).options(max_retries=0)
        executor.submit(0, child(nodes))
        with pytest.raises(
            InputError, match=r"cannot run children: No module named 'nothing_of_this_name'\. Every node needs"
        ):
            executor.wait()


@pytest.mark.parametrize(
    "changed",
    [{"RAY_AUTH_TOKEN": "0" * 32}, {"RAY_AUTH_TOKEN": ""}, {"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"}],
    ids=["wrong", "missing", "switched off"],
)
def test_without_the_cluster_s_token_one_line_speaks_of_tokens(nodes, changed, tmp_path):
    words = ["run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "1 children", "--executor", "ray"]
    environment = {**os.environ, "HOME": str(tmp_path), **changed}  # a home without ~/.ray/auth_token
    done = subprocess.run(
        [str(Path(sys.executable).with_name("nasbench")), *words, "--address", nodes.address],
        env={name: value for name, value in environment.items() if value},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    [line] = [line for line in done.stderr.strip().splitlines() if line.startswith("error:")]
    assert "RAY_AUTH_TOKEN" in line
    assert "Traceback" not in done.stderr


def test_a_child_that_the_memory_monitor_ends_is_out_of_memory():
    """A cluster whose monitor calls one percent of the machine's memory full."""
    from ray import shutdown

    shutdown()
    cluster = Nodes(environment={"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"})
    try:
        with RayExecutor(ExecutorOptions(address=cluster.address, retries=1)) as executor:
            executor.submit(0, child(cluster, epochs=100_000))
            [(_, evaluation)] = executor.wait()
    finally:
        cluster.stop()
    assert evaluation.status == "out_of_memory"
    assert "lost 2 times on the cluster: OutOfMemoryError" in evaluation.error
