"""Where children are trained: an executor has slots, takes children and hands evaluations back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from types import TracebackType
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nasbench.runners.executors.devices import check_devices
from nasbench.training.evaluation import Child, Evaluation


class ExecutorOptions(BaseModel):
    """Where and how many at a time children are trained; nothing here changes a score."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: tuple[str, ...] = Field(("cpu",), min_length=1, description="cpu, cuda, cuda:0, cuda:1, ...")
    children_per_device: int = Field(1, ge=1, description="children that share one device")
    runs_per_device: int = Field(1, ge=1, description="searches that share the devices at the same time")
    retries: int = Field(1, ge=0, description="how often a child is tried again after its worker process died")
    grace_seconds: float = Field(
        60.0, ge=0, description="how long past its time-out a worker may take before it is killed"
    )
    address: str = Field("auto", description="Ray: auto, HOST:PORT of the head node, or local for a new one here")
    gpus_per_child: float = Field(0.0, ge=0, description="Ray: GPUs that a child holds, parts of one allowed")
    cpus_per_child: float = Field(1.0, gt=0, description="Ray: processors that a child holds")
    memory_per_child: float = Field(
        0.0, ge=0, description="Ray: memory that a child asks for in GiB (0: not asked for)"
    )
    accelerator: str = Field("", description="Ray: type of GPU that a child asks for, e.g. A100, V100, H100")
    children_at_once: int = Field(0, ge=0, description="Ray: children asked for at once (0: as many as the nodes hold)")


class Executor(ABC):
    """Trains children, several at a time. Use as a context manager: leaving it ends every worker.

    Every submitted child comes back exactly once, also when its worker dies.
    """

    here: ClassVar[bool] = True  # whether children are trained on this machine

    def __init__(self, options: ExecutorOptions) -> None:
        self.options = options

    @classmethod
    def check(cls, options: ExecutorOptions) -> None:
        """Refuse options that cannot work, before anything is spent.

        Raises:
            InputError: when a device is not on this machine, or a GPU is given twice.
        """
        check_devices(options.devices)

    @property
    def slots(self) -> int:
        """How many children can be in training at once, >= 1."""
        return len(self.options.devices) * self.options.children_per_device

    @property
    def share(self) -> float:
        """The share of a device that one child holds, in (0, 1]."""
        return 1.0 / (self.options.children_per_device * self.options.runs_per_device)

    @abstractmethod
    def submit(self, ticket: int, child: Child) -> None:
        """Start (or queue) a child; `ticket` comes back with its evaluation."""

    @abstractmethod
    def wait(self) -> list[tuple[int, Evaluation]]:
        """Block until at least one submitted child has ended; return all that have, in the order of their tickets."""

    @abstractmethod
    def drop(self) -> None:
        """End what is in training and forget what is queued; nothing of it comes back, and the executor can be used on."""

    @abstractmethod
    def close(self) -> None:
        """End every worker; may be called from another thread, whose `wait` then comes back empty."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def with_lost(evaluation: Evaluation, seconds: float) -> Evaluation:
    """Charge the seconds of lost attempts to the one that came through.

    Args:
        evaluation: of the attempt that came back.
        seconds: of those before it, >= 0.
    """
    return replace(evaluation, setup_seconds=evaluation.setup_seconds + seconds) if seconds else evaluation
