"""Executor that trains several children at once on this machine: one worker process per slot, replaced when it dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from nasbench.kernels.portable import Kernels, spawn_environment
from nasbench.runners.executors.base import UNFINISHED, Executor, ExecutorOptions, with_lost, without_score
from nasbench.runners.executors.processes import follow_parent
from nasbench.training.evaluation import Child, Evaluation, Status

POLL_SECONDS = 1.0  # seconds between two checks for workers past their time-out


@dataclass
class _Job:
    ticket: int
    child: Child
    attempts: int = 0
    lost_seconds: float = 0.0  # seconds of attempts whose worker died


class LocalExecutor(Executor):
    """Trains children in one spawned single-worker pool per slot; the death of a worker affects only its own child.

    A child whose worker dies is tried again up to `retries` times; then its status is "failed". A worker that has not
    ended after its child's time-out and a grace period is killed, and the child's status is "timed_out". All seconds
    that it lost are charged from the moment at which its worker had started up: as for a child that ends as usual, the
    start of the process and its import of torch are not. (A first child's reading of its data is, if it is lost.)

    Args:
        options: options of the executor.
    """

    def __init__(self, options: ExecutorOptions) -> None:
        super().__init__(options)
        self._slots = [
            _Slot(device, self.share) for device in options.devices for _ in range(options.children_per_device)
        ]
        self._queue: deque[_Job] = deque()
        self._left: list[tuple[int, Evaluation]] = []  # children that `close` has ended
        self._lock = threading.Lock()  # an interrupted suite closes its executors from the main thread
        self._closed = False

    def submit(self, ticket: int, child: Child) -> None:
        """Start a child on a free slot, or queue it; see `Executor.submit`."""
        self._queue.append(_Job(ticket, child))
        self._start_queued()

    def _start_queued(self) -> None:
        for slot in self._slots:
            if self._queue and slot.job is None:
                slot.start(self._queue.popleft())

    def wait(self) -> list[tuple[int, Evaluation]]:
        """Block until a child has ended. Returns an empty list once another thread has closed the executor."""
        ended: list[tuple[int, Evaluation]] = []
        while not ended:
            busy = {slot.future: slot for slot in self._slots if slot.future is not None}
            done, _ = wait_for(busy, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            with self._lock:
                if self._closed:
                    return []
                for future, slot in busy.items():
                    if future in done:
                        ended.extend(self._collect(slot))
                    elif slot.overdue(self.options.grace_seconds):
                        ended.append(
                            slot.give_up("timed_out", "the worker did not end after its time-out and was killed")
                        )
                self._start_queued()
        return sorted(ended, key=lambda item: item[0])

    def _collect(self, slot: _Slot) -> list[tuple[int, Evaluation]]:
        assert slot.future is not None
        assert slot.job is not None
        try:
            evaluation = slot.future.result()
        except BrokenProcessPool:
            if slot.job.attempts <= self.options.retries:
                self._queue.appendleft(slot.abandon())
                return []
            return [
                slot.give_up("failed", f"its worker process died {slot.job.attempts} times (killed, or out of memory?)")
            ]
        return [slot.finish(evaluation)]

    def drop(self) -> list[tuple[int, Evaluation]]:
        """End the workers that are training, and drop queued children.

        Returns:
            See `Executor.drop`. Lost attempts of a child that was queued again count as its seconds.
        """
        with self._lock:
            left, self._left = self._left, []
            return sorted([*left, *self._end_children()], key=lambda item: item[0])

    def _end_children(self) -> list[tuple[int, Evaluation]]:
        again = [job for job in self._queue if job.attempts]
        self._queue.clear()
        ended = [slot.drop() for slot in self._slots if slot.job is not None]
        first = self._slots[0]
        return ended + [_without_score(job, first.device, first.share, "unfinished", UNFINISHED) for job in again]

    def close(self) -> None:
        """End every worker immediately."""
        with self._lock:
            self._closed = True
            self._left += self._end_children()
            for slot in self._slots:
                slot.kill()


class _Slot:
    """One slot: a share of a device, its worker process, and the child in training."""

    def __init__(self, device: str, share: float) -> None:
        self.device, self.share = device, share
        self.job: _Job | None = None
        self.future: Future[Evaluation] | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._pid: Future[int] | None = None
        self._ready: Future[float] | None = None  # when the worker had imported torch, on the machine's monotonic clock
        self._kernels: Kernels = "fast"
        self._started = 0.0

    def start(self, job: _Job) -> None:
        job.attempts += 1
        self.job, self._started = job, time.monotonic()
        try:
            self.future = self._submit(job.child)
        except BrokenProcessPool:  # the worker died while idle, so this child is not the cause
            self._end_worker()
            self.future = self._submit(job.child)

    def _submit(self, child: Child) -> Future[Evaluation]:
        kernels = child.protocol.kernels
        if self._kernels != kernels:  # set when a process starts
            self._end_worker()
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=follow_parent
            )
            with spawn_environment(kernels):
                self._pid = self._pool.submit(os.getpid)
                self._ready = self._pool.submit(_imported)
            self._kernels = kernels
        return self._pool.submit(_evaluate, child, self.device, self.share)

    def overdue(self, grace: float) -> bool:
        return self.job is not None and time.monotonic() - self._started > self.job.child.timeout_seconds + grace

    def finish(self, evaluation: Evaluation) -> tuple[int, Evaluation]:
        assert self.job is not None
        ticket, lost = self.job.ticket, self.job.lost_seconds
        self.job = self.future = None
        return ticket, with_lost(evaluation, lost)

    def abandon(self) -> _Job:
        """Replace the worker, and return the job with its lost seconds."""
        assert self.job is not None
        job = self.job
        job.lost_seconds += self._held_seconds()
        self.kill()
        return job

    def _held_seconds(self) -> float:
        """Seconds for which the worker has had the child, without those in which it started up."""
        ready = self._ready
        if ready is None or not ready.done() or ready.cancelled() or ready.exception() is not None:
            return 0.0
        return time.monotonic() - max(self._started, ready.result())

    def give_up(self, status: Status, error: str) -> tuple[int, Evaluation]:
        """End the job without a score; the seconds of all its attempts are charged."""
        return _without_score(self.abandon(), self.device, self.share, status, error)

    def drop(self) -> tuple[int, Evaluation]:
        """End the job: its evaluation if it has just finished, otherwise the seconds for which it held the slot."""
        # There is no future where Ctrl-C came while the worker was started.
        if self.future is not None and self.future.done() and self.future.exception() is None:
            return self.finish(self.future.result())
        return self.give_up("unfinished", UNFINISHED)

    def kill(self) -> None:
        self._end_worker()
        self.job = self.future = None

    def _end_worker(self) -> None:
        if self._pool is not None and self._pid is not None:
            with contextlib.suppress(BrokenProcessPool, ProcessLookupError):  # dead already
                os.kill(self._pid.result(timeout=60), signal.SIGKILL)
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._pid = self._ready = None


def _without_score(job: _Job, device: str, share: float, status: Status, error: str) -> tuple[int, Evaluation]:
    return job.ticket, without_score(status, error, job.lost_seconds, device, share)


def _imported() -> float:
    """Import what trains children, and tell when that was done: Linux has one monotonic clock for all processes."""
    import nasbench.training.evaluate  # noqa: F401

    return time.monotonic()


def _evaluate(child: Child, device: str, share: float) -> Evaluation:
    from nasbench.training.evaluate import (
        evaluate,  # torch is imported only in the worker; pickling in the parent must not import it
    )

    return evaluate(child, device, share)
