"""Data-parallel processes that train one network, one device each; started here or by torchrun."""

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
from nasbench.streams import guard_streams
from nasbench.training.evaluate import resolve_device

Job = TypeVar("Job")

ERROR_SUFFIX = ".error"


@dataclass(frozen=True)
class Share:
    """This process's part in the training of one network.

    Args:
        device: device of this process.
        process: index of this process, 0 to `processes` - 1; process 0 writes the files.
        processes: number of processes, >= 1.
    """

    device: torch.device
    process: int = 0
    processes: int = 1

    def add(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes.

        Args:
            values: this process's tensor, of the same shape in all processes; it is overwritten.

        Returns:
            The sum, the same in all processes.
        """
        if self.processes > 1:
            distributed.all_reduce(values)
        return values

    def take_from_first(self, values: list[Tensor]) -> None:
        """Overwrite tensors with those of process 0.

        Args:
            values: tensors, of the same shapes in all processes.
        """
        if self.processes > 1:
            for value in values:
                distributed.broadcast(value, 0)


def under_torchrun() -> bool:
    """True if torchrun (or a compatible launcher) started this process."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"))


def first_of_all() -> bool:
    """True in the process that prints and writes: of those that torchrun started the one with RANK 0, else every one."""
    return os.environ.get("RANK", "0") == "0"


def process_count(processes: int) -> int:
    """Return the number of training processes.

    Args:
        processes: number requested, >= 1; 1 leaves it to torchrun.

    Returns:
        Under torchrun the number of processes that it started, otherwise `processes`.

    Raises:
        InputError: when torchrun started another number than requested.
    """
    if not under_torchrun():
        return processes
    started = int(os.environ["WORLD_SIZE"])
    if processes not in (1, started):
        raise InputError(f"torchrun started {started} processes, but --processes is {processes}; leave it out")
    return started


def run_shares(work: Callable[[Share, Job], None], job: Job, device: str, processes: int) -> None:
    """Do a job in several processes that communicate by NCCL on CUDA and by gloo on the CPU.

    Args:
        work: an importable function of the share and the job.
        job: the job; it can be pickled.
        device: "cpu", "cuda" (process i gets GPU i) or, with one process, "cuda:1".
        processes: number of processes, >= 1. Under torchrun it is ignored: each of torchrun's processes does its share.

    Raises:
        InputError: when a device does not exist.
        NasbenchError: any that `work` raises, also in another process.
        torch.multiprocessing.spawn.ProcessException: when another process raises any other exception, or dies.
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
    """Start processes and wait for them; all have ended when this returns or raises."""
    running = spawn(_start, words, nprocs=processes, join=False)  # type: ignore[no-untyped-call]
    try:
        while not running.join():
            pass
    except ProcessRaisedException:
        _raise_again(folder)
        raise
    finally:
        for process in running.processes:
            process.terminate()  # no effect on a process that has ended
        for process in running.processes:
            process.join()


def _start(
    process: int, work: Callable[[Share, Job], None], job: Job, device: str, processes: int, folder: str
) -> None:
    """Do one process's share; a NasbenchError goes into the folder, because spawn would not keep its type."""
    guard_streams()
    place = Path(folder).resolve()
    try:
        _join(work, job, device, process, processes, f"file://{place / 'meeting'}")
    except NasbenchError as error:
        (place / f"{process}{ERROR_SUFFIX}").write_bytes(pickle.dumps(error))
        raise


def _raise_again(folder: Path) -> None:
    """Raise the first NasbenchError that a process wrote to the folder, if there is one."""
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
