"""Several processes that train one network: started here or by torchrun, one device each."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import ProcessRaisedException, spawn

from nasbench.errors import InputError, NasbenchError
from nasbench.training.evaluate import resolve_device

Job = TypeVar("Job")

ERROR_SUFFIX = ".error"


@dataclass(frozen=True)
class Share:
    """This process's place among those that train one network.

    Args:
        device: device that computes.
        process: its index; the first one (0) writes the files.
        processes: number of processes.
    """

    device: torch.device
    process: int = 0
    processes: int = 1

    def add(self, values: Tensor) -> Tensor:
        """The sum of each process's values, on all of them."""
        if self.processes > 1:
            distributed.all_reduce(values)
        return values

    def take_from_first(self, values: list[Tensor]) -> None:
        """Overwrite the values with those of the first process."""
        if self.processes > 1:
            for value in values:
                distributed.broadcast(value, 0)


def under_torchrun() -> bool:
    """True if torchrun (or a compatible launcher) started this process."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"))


def process_count(processes: int) -> int:
    """Number of training processes: as requested, or, under torchrun, as many as it started.

    Raises:
        InputError: when both are given and differ.
    """
    if not under_torchrun():
        return processes
    started = int(os.environ["WORLD_SIZE"])
    if processes not in (1, started):
        raise InputError(f"torchrun started {started} processes, --processes asks for {processes}; leave it out")
    return started


def run_shares(work: Callable[[Share, Job], None], job: Job, device: str, processes: int) -> None:
    """Do a job in `processes` processes that can talk to each other, over NCCL on CUDA and gloo on the CPU.

    Args:
        work: an importable function of the share and the job.
        job: can be pickled.
        device: "cpu", "cuda" (process i gets the i-th) or, with one process, "cuda:1".
        processes: number of processes to start; under torchrun, the number that it started.

    Raises:
        InputError: when a device is not there.
    """
    if under_torchrun():
        _join(work, job, device, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), "env://")
    elif processes == 1:
        work(Share(resolve_device(device)), job)
    else:
        for process in range(processes):
            resolve_device(_device_of(process, device))
        with tempfile.TemporaryDirectory() as folder:
            _run_processes((work, job, device, processes, folder), processes, Path(folder))


def _run_processes(words: tuple[Any, ...], processes: int, folder: Path) -> None:
    """Start processes and wait for them; none outlives this call, however it ends."""
    running = spawn(_start, words, nprocs=processes, join=False)  # type: ignore[no-untyped-call]
    try:
        while not running.join():
            pass
    except ProcessRaisedException:
        _raise_again(folder)
        raise
    finally:
        for process in running.processes:
            process.terminate()  # does nothing to one that has ended
        for process in running.processes:
            process.join()


def _start(
    process: int, work: Callable[[Share, Job], None], job: Job, device: str, processes: int, folder: str
) -> None:
    """Begin one process; the folder is where they meet, and where an error of the suite goes that would lose its type on the way."""
    place = Path(folder).resolve()
    try:
        _join(work, job, device, process, processes, f"file://{place / 'meeting'}")
    except NasbenchError as error:
        (place / f"{process}{ERROR_SUFFIX}").write_bytes(pickle.dumps(error))
        raise


def _raise_again(folder: Path) -> None:
    """Raise the first error of the suite that a process left, if one did."""
    for file in sorted(folder.glob(f"*{ERROR_SUFFIX}")):
        raise pickle.loads(file.read_bytes())


def _join(work: Callable[[Share, Job], None], job: Job, device: str, process: int, processes: int, where: str) -> None:
    local = int(os.environ["LOCAL_RANK"]) if under_torchrun() else process
    place = resolve_device(_device_of(local, device))
    if place.type == "cuda":
        torch.cuda.set_device(place)
    distributed.init_process_group(
        "nccl" if place.type == "cuda" else "gloo", init_method=where, rank=process, world_size=processes
    )
    try:
        work(Share(place, process, processes), job)
    finally:
        distributed.destroy_process_group()


def _device_of(process: int, device: str) -> str:
    return f"cuda:{process}" if device == "cuda" else device
