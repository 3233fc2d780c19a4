"""Interface of executors. An executor has slots, accepts children, trains them and returns evaluations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nasbench.protocols.identity import NEVER, unless
from nasbench.provenance import utc_now
from nasbench.runners.executors.devices import check_devices, device_name, usable_cores
from nasbench.training.evaluation import Child, Evaluation, Status

_RAY: dict[str, Any] = {"executor": "ray"}
"""Marks an option that only the executor "ray" takes."""


class ExecutorOptions(BaseModel):
    """Options of executors: the one place that names them, for configurations, TOML files and the command line.

    None changes a score. Those that change what a child is charged take part in a run's id
    (`nasbench.protocols.identity`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: tuple[str, ...] = Field(
        ("cpu",),
        min_length=1,
        description="devices: cpu, cpu,cpu (two cores), cuda, cuda:0,cuda:1",
        json_schema_extra=NEVER,
    )
    children_per_device: int = Field(1, ge=1, description="children at once on each device")
    runs_per_device: int = Field(
        1, ge=1, description="searches that share the devices at the same time (a suite's jobs)"
    )
    retries: int = Field(
        1, ge=0, description="maximal number of new attempts for a child whose worker died", json_schema_extra=NEVER
    )
    grace_seconds: float = Field(
        60.0,
        ge=0,
        description="seconds after its time-out at which a worker is killed",
        json_schema_extra=NEVER,
    )
    address: str = Field(
        "auto",
        description="auto, HOST:PORT of the head node, or local for a new one here",
        json_schema_extra={**NEVER, **_RAY},
    )
    gpus_per_child: float = Field(
        0.0, ge=0, description="GPUs that a child holds, e.g. 0.25", json_schema_extra={**unless(0.0), **_RAY}
    )
    cpus_per_child: float = Field(
        1.0, gt=0, description="processors that a child holds", json_schema_extra={**unless(1.0), **_RAY}
    )
    memory_per_child: float = Field(
        0.0,
        ge=0,
        description="memory in GiB that a child requests (0: no request)",
        json_schema_extra={**NEVER, **_RAY},
    )
    accelerator: str = Field(
        "", description="type of GPU to request and to price, e.g. A100", json_schema_extra={**unless(""), **_RAY}
    )
    children_at_once: int = Field(
        0,
        ge=0,
        description="children in training at once (0: as many as the nodes can hold)",
        json_schema_extra={**NEVER, **_RAY},
    )

    @field_validator("devices", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def executor_of(option: str) -> str:
    """Name the executor that an option belongs to.

    Args:
        option: name of a field of `ExecutorOptions`, e.g. "gpus_per_child".

    Returns:
        Name of the only executor that takes the option, e.g. "ray"; "" if every executor takes it.

    Raises:
        KeyError: when there is no such option.
    """
    extra = ExecutorOptions.model_fields[option].json_schema_extra
    return str(extra.get("executor", "")) if isinstance(extra, dict) else ""


def options_of_others(executor: str, options: ExecutorOptions) -> dict[str, str]:
    """List the options that would have no effect, or a wrong one on the price, as another executor takes them.

    Args:
        executor: name of the chosen executor.
        options: the options, or a configuration that has them.

    Returns:
        Name of the option -> name of its executor, for options that differ from their default; empty if all fit.
    """
    owners = {name: executor_of(name) for name in ExecutorOptions.model_fields}
    return {
        name: owner
        for name, owner in owners.items()
        if owner not in ("", executor) and getattr(options, name) != ExecutorOptions.model_fields[name].default
    }


class Executor(ABC):
    """Trains children, several at a time. Use it as a context manager: on exit it ends every worker.

    `wait` returns every submitted child exactly once, even if its worker dies.

    Args:
        options: options of the executor.
    """

    here: ClassVar[bool] = True  # whether children are trained on this machine

    def __init__(self, options: ExecutorOptions) -> None:
        self.options = options

    @classmethod
    def check(cls, options: ExecutorOptions) -> None:
        """Refuse options that cannot work, before anything is trained.

        Args:
            options: options of the executor.

        Raises:
            InputError: when a device is not on this machine, or a GPU is given twice.
        """
        check_devices(options.devices)

    @property
    def slots(self) -> int:
        """Number of children that can be in training at once, >= 1."""
        return len(self.options.devices) * self.options.children_per_device

    @property
    def share(self) -> float:
        """Share of a device that one child holds, in (0, 1].

        A GPU is shared by the children that train on it at once. A CPU device is a core: a child trains with one thread
        and holds one core, or its part of them where more children train at once than there are cores.
        """
        on_each = self.options.children_per_device * self.options.runs_per_device
        if all(device == "cpu" for device in self.options.devices):
            return min(1.0, usable_cores() / (on_each * len(self.options.devices)))
        return 1.0 / on_each

    @abstractmethod
    def submit(self, ticket: int, child: Child) -> None:
        """Start (or queue) a child; `wait` returns `ticket` with its evaluation.

        Args:
            ticket: number that `wait` returns with the evaluation.
            child: the child to train.
        """

    @abstractmethod
    def wait(self) -> list[tuple[int, Evaluation]]:
        """Block until at least one submitted child has ended; return all ended ones in the order of their tickets."""

    @abstractmethod
    def drop(self) -> list[tuple[int, Evaluation]]:
        """End the children in training and drop the queued ones; `wait` returns none of them.

        The executor remains usable.

        Returns:
            (ticket, evaluation) of each child that had started, by ticket: its own if it had just ended, otherwise one
            of status "unfinished" with the seconds for which it held its device. Queued children are not among them.
            After `close`, the children that it ended.
        """

    @abstractmethod
    def close(self) -> None:
        """End every worker. Another thread may call this while `wait` blocks, which then returns an empty list."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


UNFINISHED = "the budget ended during its training"
"""Error text of a child of status "unfinished"."""


def without_score(status: Status, error: str, seconds: float, device: str, share: float) -> Evaluation:
    """Make the evaluation of a child that ended without a score.

    Args:
        status: how it ended.
        error: the reason, one line.
        seconds: seconds for which it held its device, >= 0.
        device: "cpu", "cuda" or "cuda:INDEX".
        share: share of the device that it held, in (0, 1].

    Returns:
        The evaluation, ended now.
    """
    return Evaluation(
        status=status,
        error=error,
        setup_seconds=seconds,
        device=device_name(device),
        devices=share,
        finished_at=utc_now(),
    )


def with_lost(evaluation: Evaluation, seconds: float) -> Evaluation:
    """Add the seconds of lost attempts to the evaluation of the successful one.

    Args:
        evaluation: evaluation of the attempt that succeeded.
        seconds: seconds of the attempts before it, >= 0.

    Returns:
        The evaluation with all seconds.
    """
    return replace(evaluation, setup_seconds=evaluation.setup_seconds + seconds) if seconds else evaluation
