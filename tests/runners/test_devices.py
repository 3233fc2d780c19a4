"""Several devices on one machine: their names, what a child's share costs, and workers that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from commands import nasbench
from searching import search, tiny_plan

from nasbench.errors import InputError
from nasbench.runners.executors import ExecutorOptions, base
from nasbench.runners.executors.devices import check_devices
from nasbench.runners.executors.local import LocalExecutor
from nasbench.store.query import Results


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_devices_that_are_there_are_taken(two_gpus):
    for devices in (("cpu",), ("cpu", "cpu"), ("cuda",), ("cuda:0", "cuda:1"), ("cpu", "cuda:1")):
        check_devices(devices)


def test_a_device_out_of_range_names_what_is_visible(two_gpus, monkeypatch):
    with pytest.raises(InputError, match=r"device 'cuda:2' is not on this machine; there is: cpu, cuda:0, cuda:1$"):
        check_devices(("cuda:0", "cuda:2"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    with pytest.raises(InputError, match=r"cuda:1 \(CUDA_VISIBLE_DEVICES='5,7' is set; its first device is cuda:0\)"):
        check_devices(("cuda:5",))


@pytest.mark.parametrize("devices", [("cuda:1", "cuda:1"), ("cuda", "cuda:0")])
def test_a_gpu_given_twice_would_be_charged_twice_and_is_refused(two_gpus, devices):
    with pytest.raises(InputError, match=r"given twice .* --children-per-device"):
        check_devices(devices)


def test_processors_need_no_torch():
    code = "import sys; from nasbench.runners.executors.devices import check_devices; check_devices(['cpu', 'cpu']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_command_ends_in_one_line_before_anything_is_spent(tmp_path):
    words = ["run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "1 children"]
    done = nasbench(*words, "--devices", "cpu,cuda:99", "-o", str(tmp_path / "a.h5"))
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: device 'cuda:99' is not on this machine; there is: cpu")
    assert not list(tmp_path.iterdir())


def test_every_device_has_its_slots_and_a_child_its_share():
    options = ExecutorOptions(devices=("cuda:0", "cuda:1"), children_per_device=4, runs_per_device=2)
    executor = LocalExecutor(options)
    assert executor.slots == 8
    assert [slot.device for slot in executor._slots] == ["cuda:0"] * 4 + ["cuda:1"] * 4
    assert executor.share == 1 / 8
    executor.close()


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_a_search_goes_on_when_workers_are_killed_and_every_child_is_charged_its_share(tmp_path):
    """Two children share a device, and one of the two workers is killed while it trains."""
    fields = {"data": "fake:images=400,size=8,classes=3", "epochs": 12, "filters": 8, "validation": 0.5}
    plan = tiny_plan(set=fields, budget="6 children", final="none", executor="local", children_per_device=2)
    executor = plan.executor()
    assert isinstance(executor, LocalExecutor)
    killed: list[int] = []

    def kill_one() -> None:
        slot = executor._slots[0]
        while slot._pid is None or slot.job is None:
            time.sleep(0.01)
        killed.append(slot._pid.result(timeout=60))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    run = search(plan, tmp_path / "a.h5", executor)
    killer.join()
    frame = Results(str(tmp_path / "a.h5")).frame()
    assert killed
    assert sorted(frame["index"]) == list(range(6))
    assert set(frame["status"]) == {"ok"}
    assert set(frame["devices"]) == {0.5}
    seconds = frame["train_seconds"] + frame["eval_seconds"] + frame["setup_seconds"]
    assert frame["device_seconds"].to_numpy() == pytest.approx(seconds.to_numpy() / 2)
    assert frame["gpu_hours"].to_numpy() == pytest.approx(frame["device_seconds"].to_numpy() / 3600)
    charged = run.ledger.device_seconds["training"] + run.ledger.device_seconds["evaluation"]
    assert charged == pytest.approx(frame["device_seconds"].sum())
    assert run.ledger.device_seconds["searcher"] == pytest.approx(frame["searcher_seconds"].sum() / 2)


@pytest.mark.slow
def test_the_searcher_is_charged_this_runs_share_beside_children_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "usable_cores", lambda: 1)
    shared = tiny_plan(budget="3 children", final="none", executor="local", children_per_device=2)
    search(shared, tmp_path / "a.h5")
    alone = tiny_plan(budget="3 children", final="none")
    run = search(alone, tmp_path / "a.h5")
    frame = Results(str(tmp_path / "a.h5")).frame()
    mine = frame[frame["run"] == alone.run]
    assert mine["cached_from"].ne("").all()
    assert set(mine["devices"]) == {0.5}
    assert run.ledger.device_seconds["searcher"] == pytest.approx(mine["searcher_seconds"].sum())
    assert mine["spent_gpu_hours"].max() * 3600 == pytest.approx(run.ledger.search_seconds)
