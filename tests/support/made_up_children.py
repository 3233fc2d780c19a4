"""An executor that trains nothing: every child takes the same time and has the score that is given."""

from __future__ import annotations

from nasbench.runners.executors import Executor, ExecutorOptions
from nasbench.store.format.schema import CURVES
from nasbench.training.evaluation import Evaluation

CHILD_SECONDS = 4.0
EVALUATION_SECONDS = 1.0


class MadeUp(Executor):
    """Every child takes four device-seconds, one of them for evaluation, and has the score and the status that are given."""

    def __init__(self, status: str = "ok", score: float = 0.5, killed_at: int = -1) -> None:
        super().__init__(ExecutorOptions())
        self._status, self._score, self._left = status, score, killed_at
        self._waiting: list[int] = []

    def submit(self, ticket, child):
        self._waiting.append(ticket)

    def wait(self):
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        curves = {column.name: (self._score,) for column in CURVES}
        evaluation = Evaluation(
            status=self._status,
            val_acc=self._score,
            val_acc_best=self._score,
            train_seconds=CHILD_SECONDS - EVALUATION_SECONDS,
            eval_seconds=EVALUATION_SECONDS,
            curves=curves,
        )
        return [(self._waiting.pop(0), evaluation)]

    def drop(self):
        self._waiting.clear()
        return []

    def close(self):
        self._waiting.clear()
