"""An executor on a simulated clock that sums the seconds for which it held its slots."""

from __future__ import annotations

import heapq

from nasbench.runners.executors import ExecutorOptions
from nasbench.runners.executors.base import UNFINISHED, Executor
from nasbench.store.format.schema import CURVES
from nasbench.training.evaluation import Child, Evaluation


def seconds_of(ticket: int) -> float:
    """Some later children end first, so that a run in order has evaluations that wait for their turn."""
    return (9.0, 4.0, 7.0, 2.0)[ticket % 4] + 0.1 * ticket


class Metered(Executor):
    """Children of 9, 4, 7, 2 seconds, and so on, on a simulated clock; sums the seconds for which it held its slots.

    It can stop once so many children have ended, half a second before the next one.
    """

    def __init__(self, slots: int, stops_at: int = -1, stop: type[BaseException] = KeyboardInterrupt) -> None:
        super().__init__(ExecutorOptions(devices=("cpu",) * slots))
        self.now, self.held, self._left, self._stop = 0.0, 0.0, stops_at, stop
        self._running: list[tuple[float, int, float]] = []  # end, ticket, start

    def submit(self, ticket: int, child: Child) -> None:
        seconds = min(seconds_of(ticket), child.timeout_seconds)
        heapq.heappush(self._running, (self.now + seconds, ticket, self.now))

    def wait(self) -> list[tuple[int, Evaluation]]:
        if self._left == 0:
            self.now = self._running[0][0] - 0.5
            raise self._stop
        self._left -= 1
        self.now, ticket, start = heapq.heappop(self._running)
        self.held += self.now - start
        status = "ok" if self.now - start >= seconds_of(ticket) - 1e-6 else "timed_out"
        curves = {column.name: (0.5,) for column in CURVES} if status == "ok" else {}
        score = {"val_acc": ticket / 100, "val_acc_best": ticket / 100} if status == "ok" else {}
        return [(ticket, Evaluation(status=status, train_seconds=self.now - start, curves=curves, **score))]

    def drop(self) -> list[tuple[int, Evaluation]]:
        running, self._running = sorted(self._running, key=lambda item: item[1]), []
        self.held += sum(self.now - start for _, _, start in running)
        return [
            (ticket, Evaluation(status="unfinished", error=UNFINISHED, setup_seconds=self.now - start))
            for _, ticket, start in running
        ]

    def close(self) -> None:
        self._running.clear()
