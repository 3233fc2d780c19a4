"""Executor that trains one child after another in this process. Its runs are repeatable row by row."""

from __future__ import annotations

import time
from collections import deque

from nasbench.errors import InputError
from nasbench.runners.executors.base import UNFINISHED, Executor, ExecutorOptions, without_score
from nasbench.training.evaluation import Child, Evaluation


class InlineExecutor(Executor):
    """Trains each child inside the call of `wait`.

    Args:
        options: options of the executor.

    Raises:
        InputError: when the options request more than one child at a time.
    """

    def __init__(self, options: ExecutorOptions) -> None:
        super().__init__(options)
        if self.slots != 1:
            raise InputError(f"the inline executor trains one child at a time, not {self.slots}: use --executor local")
        self._queue: deque[tuple[int, Child]] = deque()
        self._in_training: tuple[int, float] | None = None  # ticket, and time of the start

    def submit(self, ticket: int, child: Child) -> None:
        """Queue a child; see `Executor.submit`."""
        self._queue.append((ticket, child))

    def wait(self) -> list[tuple[int, Evaluation]]:
        """Train the oldest child in the queue and return it."""
        from nasbench.training.evaluate import evaluate

        ticket, child = self._queue.popleft()
        self._in_training = (ticket, time.monotonic())
        evaluation = evaluate(child, self.options.devices[0], self.share)
        self._in_training = None
        return [(ticket, evaluation)]

    def drop(self) -> list[tuple[int, Evaluation]]:
        """Drop children that were not started.

        Returns:
            See `Executor.drop`: the child in whose training `wait` was interrupted.
        """
        self._queue.clear()
        if self._in_training is None:
            return []
        (ticket, started), self._in_training = self._in_training, None
        seconds = time.monotonic() - started
        return [(ticket, without_score("unfinished", UNFINISHED, seconds, self.options.devices[0], self.share))]

    def close(self) -> None:
        """Drop children that were not started."""
        self._queue.clear()
