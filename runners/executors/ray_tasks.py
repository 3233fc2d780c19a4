"""What runs on the nodes of a Ray cluster: one child, and the record of when attempts started. Importing this needs no Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasbench.data import Dataset
    from nasbench.training.evaluation import Child, Evaluation


class Starts:
    """When attempts started, by the clock of the node that asks, so that nodes with other clocks do not matter.

    Keys are "ticket/attempt".
    """

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def started(self, key: str) -> None:
        """Record the start of an attempt."""
        self._started[key] = time.monotonic()

    def running(self, keys: Sequence[str]) -> dict[str, float]:
        """Seconds since each attempt started; those that have not are left out."""
        now = time.monotonic()
        return {key: now - self._started[key] for key in keys if key in self._started}

    def forget(self, ticket: int) -> None:
        """Drop all attempts of a child that has ended."""
        for key in [key for key in self._started if key.startswith(f"{ticket}/")]:
            del self._started[key]


def train(child: Child, dataset: Dataset, on_gpu: bool, share: float, starts: Any, key: str) -> Evaluation:
    """Train a child on this node.

    Args:
        child: what to train.
        dataset: its data set, from the object store, so that the node needs no files.
        on_gpu: whether Ray has given this task a GPU, the first one that it can see.
        share: devices that it holds; recorded.
        starts: the actor of `Starts`.
        key: of this attempt.
    """
    from nasbench.data import provide_data
    from nasbench.training.evaluate import evaluate

    starts.started.remote(key)
    provide_data(child.protocol.data, dataset)
    return evaluate(child, "cuda:0" if on_gpu else "cpu", share)
