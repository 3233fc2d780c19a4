"""Code that runs on the nodes of a Ray cluster: training of a child, and the record of start times.

Importable without Ray.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasbench.data import Dataset
    from nasbench.training.evaluation import Child, Evaluation


class Starts:
    """Start times of attempts, all by the clock of this actor's node, because the clocks of nodes may differ.

    Keys are "ticket/attempt".
    """

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def started(self, key: str) -> None:
        """Record that an attempt starts now.

        Args:
            key: "ticket/attempt".
        """
        self._started[key] = time.monotonic()

    def running(self, keys: Sequence[str]) -> dict[str, float]:
        """Measure how long attempts have been running.

        Args:
            keys: keys "ticket/attempt" of the attempts.

        Returns:
            Seconds since the start of each attempt; attempts that have not started are left out.
        """
        now = time.monotonic()
        return {key: now - self._started[key] for key in keys if key in self._started}

    def forget(self, ticket: int) -> None:
        """Forget all attempts of a child that has ended.

        Args:
            ticket: number of the child.
        """
        for key in [key for key in self._started if key.startswith(f"{ticket}/")]:
            del self._started[key]


def train(child: Child, dataset: Dataset, on_gpu: bool, share: float, starts: Any, key: str) -> Evaluation:
    """Train a child on this node.

    Args:
        child: the child to train.
        dataset: its data set, from the object store; the node needs no files.
        on_gpu: whether Ray has assigned a GPU to this task; it is the first visible one.
        share: number of devices that the task holds, which is recorded.
        starts: the actor of class `Starts`.
        key: key of this attempt.

    Returns:
        The evaluation of the child.
    """
    from nasbench.data import provide_data
    from nasbench.training.evaluate import evaluate

    starts.started.remote(key)
    provide_data(child.protocol.data, dataset)
    return evaluate(child, "cuda:0" if on_gpu else "cpu", share)
