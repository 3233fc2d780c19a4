"""One child: what is asked of an evaluator and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture

Status = Literal["ok", "diverged", "out_of_memory", "timed_out", "failed", "unfinished"]


@dataclass(frozen=True)
class Child:
    """One training to be done.

    Args:
        architecture: the architecture to train.
        protocol: the training protocol, data set included.
        seed: of initial weights, order and augmentation, >= 0.
        test: True to score the trained network on the test set; only for stage "final".
        timeout_seconds: after this much time the child ends as "timed_out"; inf for never.
    """

    architecture: Architecture
    protocol: Protocol
    seed: int
    test: bool = False
    timeout_seconds: float = float("inf")


@dataclass(frozen=True)
class Evaluation:
    """Cost and scores of one training. Accuracies in [0, 1], losses in nats, times in seconds; unknown numbers are NaN.

    `curves` has the columns of `store.format.schema.CURVES`, one value per completed epoch.
    """

    status: Status
    error: str = ""
    val_acc: float = float("nan")
    val_acc_best: float = float("nan")
    val_loss: float = float("nan")
    train_acc: float = float("nan")
    train_loss: float = float("nan")
    test_acc: float = float("nan")
    test_loss: float = float("nan")
    params: int = 0
    mult_adds: int = 0
    epochs: int = 0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    setup_seconds: float = 0.0
    peak_memory: int = -1
    device: str = "cpu"
    devices: float = 1.0
    platform: str = ""
    started_at: str = ""
    finished_at: str = ""
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def device_seconds(self) -> float:
        """Seconds of training, evaluation and set-up times the share of devices held."""
        return (self.train_seconds + self.eval_seconds + self.setup_seconds) * self.devices
