"""Executor that trains children as tasks of a Ray cluster.

Ray places the tasks by the resources that they request. Lost tasks are retried here and not by Ray, so each attempt is
charged.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nasbench.data import load_data
from nasbench.errors import InputError, NasbenchError
from nasbench.kernels.portable import SETTINGS
from nasbench.provenance import utc_now
from nasbench.runners.executors.base import UNFINISHED, Executor, ExecutorOptions, with_lost
from nasbench.runners.executors.ray_connection import connect, disconnect, import_ray
from nasbench.runners.executors.ray_head import HeadWatch
from nasbench.runners.executors.ray_tasks import Starts, train
from nasbench.training.evaluation import Child, Evaluation, Status

POLL_SECONDS = 1.0  # seconds between two checks for children past their time-out and for new nodes
NODES_SECONDS = 5.0  # seconds for which the cluster's size is cached
GIB = 1024**3


@dataclass
class _Job:
    ticket: int
    child: Child
    attempt: int = 0
    lost_seconds: float = 0.0  # seconds of attempts that were lost
    task: Any = None  # key of the current attempt
    overdue: bool = False

    @property
    def key(self) -> str:
        return f"{self.ticket}/{self.attempt}"


class RayExecutor(Executor):
    """Trains children on a Ray cluster to which this machine belongs.

    A child is a task that requests `cpus_per_child`, `gpus_per_child`, `memory_per_child` and, if given, an
    accelerator; Ray chooses the node. The data set is in the object store and is sent to each node once. If an attempt
    is lost (its worker or node died, or Ray's memory monitor ended it), the child is tried again up to `retries` times;
    then its status is "failed" or "out_of_memory". An attempt that does not end after its time-out and a grace period
    is cancelled, with status "timed_out". Seconds are charged from the start of the training on its node, including
    lost attempts; waiting for a free place is not charged.

    Args:
        options: options of the executor.

    Raises:
        MissingExtra: when the package ray is not installed.
        InputError: when the cluster does not answer, refuses the token, or has no node with the resources for a child.
    """

    here = False

    def __init__(self, options: ExecutorOptions) -> None:
        super().__init__(options)
        self._ray = connect(options.address)
        try:
            self._head = HeadWatch(self._ray)
            self._resources = _resources(options)
            self._sized_at, self._places = -NODES_SECONDS, 0
            if self._held() == 0 and options.children_at_once == 0:
                raise InputError(_too_small(self._ray, self._resources))
            # It runs on this node, because it must not end with another node; it holds no processor.
            here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                self._ray.get_runtime_context().get_node_id(), soft=False
            )
            self._starts = (
                self._ray.remote(Starts)
                .options(num_cpus=0, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
                .remote()
            )
            self._train = self._ray.remote(train).options(max_retries=0, **_task_options(options))
        except BaseException:
            disconnect()
            raise
        self._jobs: dict[int, _Job] = {}
        # keys of attempts that have ended, put there by Ray's threads
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._data: dict[str, Any] = {}
        self._known: dict[str, float] = {}  # attempt -> start time by this process's clock
        self._left: list[tuple[int, Evaluation]] = []  # children that `close` has ended
        self._closed = False

    @classmethod
    def check(cls, options: ExecutorOptions) -> None:
        """Refuse options that no cluster could serve.

        The cluster itself is checked when the executor is made.

        Args:
            options: options of the executor.

        Raises:
            MissingExtra: when Ray is not installed.
            InputError: when options name devices of this machine, or a part of a GPU above one.
        """
        import_ray()
        if options.devices != ("cpu",) or options.children_per_device != 1:
            raise InputError(
                "a Ray cluster places children by what they need: give --gpus-per-child and --cpus-per-child "
                "instead of --devices and --children-per-device"
            )
        if options.gpus_per_child > 1 and options.gpus_per_child % 1:
            raise InputError(
                f"--gpus-per-child {options.gpus_per_child:g}: Ray gives a part of one GPU (up to 1) or whole ones"
            )

    @property
    def slots(self) -> int:
        """Number of children in training at once: as given, or as many as the present nodes can hold."""
        return self.options.children_at_once or max(self._held(), 1)

    @property
    def share(self) -> float:
        """Number of GPUs that a child holds or, if none, number of processors."""
        return self.options.gpus_per_child or self.options.cpus_per_child

    def _held(self) -> int:
        """Number of children that all nodes together can hold."""
        if time.monotonic() - self._sized_at >= NODES_SECONDS and self._head.answers():
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._places = sum(_fits(node, self._resources) for node in nodes)
            self._sized_at = time.monotonic()
        return self._places

    def submit(self, ticket: int, child: Child) -> None:
        """Submit a child to Ray, which starts it where resources are free; see `Executor.submit`."""
        self._jobs[ticket] = _Job(ticket, child)
        self._start(self._jobs[ticket])

    def _start(self, job: _Job) -> None:
        name = job.child.protocol.data
        if name not in self._data:
            self._data[name] = self._ray.put(load_data(name))
        job.attempt += 1
        train = self._train
        if job.child.protocol.kernels == "portable":  # set when a worker process starts
            train = train.options(runtime_env={"env_vars": dict(SETTINGS)})
        job.task = train.remote(
            job.child, self._data[name], self.options.gpus_per_child > 0, self.share, self._starts, job.key
        )
        job.task.future().add_done_callback(_telling(self._ended, job.key))

    def wait(self) -> list[tuple[int, Evaluation]]:
        """Block until a child has ended. Returns an empty list once another thread has closed the executor.

        Raises:
            HeadGone: when the cluster's head has stopped answering.
            InputError: when a worker cannot run children at all.
        """
        ended: list[tuple[int, Evaluation]] = []
        while not ended and not self._closed:
            for key in self._keys():
                ended.extend(self._collect(key))
            if not ended and not self._closed and self._head.answers():
                ended.extend(self._overdue())
        return [] if self._closed else sorted(ended, key=lambda item: item[0])

    def _keys(self) -> list[str]:
        """Keys of attempts that have ended; if there are none, waits for the first, at most for one poll interval."""
        keys: list[str] = []
        try:
            keys.append(self._ended.get(timeout=POLL_SECONDS))
            while True:
                keys.append(self._ended.get_nowait())
        except queue.Empty:
            return keys

    def _collect(self, key: str) -> list[tuple[int, Evaluation]]:
        job = self._jobs.get(int(key.partition("/")[0]))
        if job is None or job.key != key:
            return []  # from an attempt that was given up
        ray = self._ray
        try:
            evaluation: Evaluation = ray.get(job.task)
        except ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except (ray.exceptions.RuntimeEnvSetupError, ray.exceptions.TaskUnschedulableError) as error:
            raise InputError(f"the Ray cluster cannot run children: {_line(error)}") from None
        except ray.exceptions.RayError as error:
            return self._lost(job, error)
        self._forget(job)
        return [(job.ticket, with_lost(evaluation, job.lost_seconds))]

    def _lost(self, job: _Job, error: Exception) -> list[tuple[int, Evaluation]]:
        """Handle a lost attempt: retry the child, or end it."""
        job.lost_seconds += self._seconds(job)
        if job.overdue:
            return [self._give_up(job, "timed_out", "did not end after its time-out and was cancelled")]
        if job.attempt <= self.options.retries:
            self._start(job)
            return []
        no_memory = isinstance(error, self._ray.exceptions.OutOfMemoryError)
        status: Status = "out_of_memory" if no_memory else "failed"
        times = "once" if job.attempt == 1 else f"{job.attempt} times"
        return [self._give_up(job, status, f"lost {times} on the cluster: {type(error).__name__}: {_line(error)}")]

    def _overdue(self) -> list[tuple[int, Evaluation]]:
        """Cancel children that exceed their time-out and grace period; give up those that do not end even then."""
        running = self._running([job.key for job in self._jobs.values()])
        limited = [job for job in self._jobs.values() if job.child.timeout_seconds < float("inf")]
        gone: list[tuple[int, Evaluation]] = []
        for job in limited:
            late = running.get(job.key, 0.0) - job.child.timeout_seconds - self.options.grace_seconds
            if late > 0 and not job.overdue:
                job.overdue = True
                self._ray.cancel(job.task, force=True)
            elif late > self.options.grace_seconds + POLL_SECONDS * 10:
                job.lost_seconds += running[job.key]
                gone.append(
                    self._give_up(job, "timed_out", "did not end after its time-out, nor when it was cancelled")
                )
        return gone

    def _give_up(self, job: _Job, status: Status, error: str) -> tuple[int, Evaluation]:
        self._forget(job)
        return job.ticket, Evaluation(
            status=status,
            error=error[:300],
            setup_seconds=job.lost_seconds,
            device=self.options.accelerator or ("cuda" if self.options.gpus_per_child else "cpu"),
            devices=self.share,
            finished_at=utc_now(),
        )

    def _seconds(self, job: _Job) -> float:
        """Seconds since the attempt started on its node; 0 if it never started."""
        return self._running([job.key]).get(job.key, 0.0)

    def _running(self, keys: list[str]) -> dict[str, float]:
        """Seconds since each attempt started; attempts that have not started are left out.

        The actor that records the starts may be killed like any worker, and loses its data when Ray restarts it.
        Therefore its last answers are kept here, too.
        """
        now = time.monotonic()
        try:
            found: dict[str, float] = self._ray.get(self._starts.running.remote(keys), timeout=POLL_SECONDS * 30)
        except self._ray.exceptions.RayError:
            found = {}
        for key, seconds in found.items():
            self._known.setdefault(key, now - seconds)
        return {key: now - self._known[key] for key in keys if key in self._known}

    def _forget(self, job: _Job) -> None:
        del self._jobs[job.ticket]
        self._forget_starts(job)

    def _forget_starts(self, job: _Job) -> None:
        self._starts.forget.remote(job.ticket)
        for attempt in range(1, job.attempt + 1):
            self._known.pop(f"{job.ticket}/{attempt}", None)

    def drop(self) -> list[tuple[int, Evaluation]]:
        """Cancel all submitted children; `wait` does not return them.

        Returns:
            See `Executor.drop`; a child counts as started when its node has said so.
        """
        ended, self._left = self._left, []
        if self._head.gone or not self._jobs:
            return ended
        running = self._running([job.key for job in self._jobs.values()])
        for job in list(self._jobs.values()):
            self._ray.cancel(job.task, force=True)
            job.lost_seconds += running.get(job.key, 0.0)
            if job.lost_seconds > 0:
                ended.append(self._give_up(job, "unfinished", UNFINISHED))
            else:
                self._forget(job)
        return sorted(ended, key=lambda item: item[0])

    def close(self) -> None:
        """Cancel all children and leave the cluster."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._head.gone:
                self._left = self.drop()
                self._ray.kill(self._starts)
        finally:
            disconnect()


def _telling(ended: queue.SimpleQueue[str], key: str) -> Callable[[Any], None]:
    return lambda _: ended.put(key)


def _resources(options: ExecutorOptions) -> dict[str, float]:
    """Resources that a child takes on a node, by Ray's names."""
    wanted = {"CPU": options.cpus_per_child, "GPU": options.gpus_per_child, "memory": options.memory_per_child * GIB}
    if options.accelerator:
        wanted[f"accelerator_type:{options.accelerator}"] = 0.001
    return {name: amount for name, amount in wanted.items() if amount > 0}


def _task_options(options: ExecutorOptions) -> dict[str, Any]:
    given: dict[str, Any] = {"num_cpus": options.cpus_per_child, "num_gpus": options.gpus_per_child}
    if options.memory_per_child:
        given["memory"] = int(options.memory_per_child * GIB)
    if options.accelerator:
        given["accelerator_type"] = options.accelerator
    return given


def _fits(node: dict[str, float], wanted: dict[str, float]) -> int:
    """Number of children that a node can hold."""
    return min(int(node.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items())


def _too_small(ray: Any, wanted: dict[str, float]) -> str:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    has = "; ".join(
        ", ".join(f"{_amount(name, node[name])}" for name in ("CPU", "GPU", "memory") if name in node) for node in nodes
    )
    needs = ", ".join(_amount(name, amount) for name, amount in wanted.items())
    return (
        f"no node of the Ray cluster can hold a child, which needs {needs}; its nodes have {has or 'nothing'}. Ask for less, "
        "or give --children-at-once for a cluster that grows when it is asked"
    )


def _amount(name: str, amount: float) -> str:
    if name == "memory":
        return f"{amount / GIB:.3g} GiB memory"
    return name if name.startswith("accelerator_type") else f"{amount:g} {name}"


def _cause(error: Any) -> Exception:
    """Exception to raise for a failed task: nasbench's own errors unchanged, others as an error of the worker."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, NasbenchError):
        return cause
    return InputError(
        f"a worker of the Ray cluster cannot run children: {_line(cause or error)}. Every node needs the same nasbench-suite and Python"
    )


def _line(error: BaseException) -> str:
    """First informative line of Ray's long error text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
