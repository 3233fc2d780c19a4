"""The input and the result of one training: child and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from typing import Protocol as Interface

from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture
from nasbench.training.clocks import Clock

if TYPE_CHECKING:
    from nasbench.data import Dataset
    from nasbench.networks.base import Network
    from nasbench.training.augmentation import Whitening
    from nasbench.training.loop import History, TrainingState

Status = Literal["ok", "diverged", "out_of_memory", "timed_out", "failed", "unfinished"]


@dataclass(frozen=True)
class Child:
    """A training to be done.

    Args:
        architecture: the architecture to train.
        protocol: the training protocol, which names the data set.
        seed: training seed: of initial weights, order, augmentation, dropout and drop-path, >= 0.
        test: True to score the trained network on the test set too; only for final trainings.
        timeout_seconds: seconds after which the training stops with the status "timed_out"; inf for no limit.
        clock: what the seconds of the evaluation count, see `nasbench.training.clocks`; the time-out counts held time.
        keeper: keeps weights and states of the training; None to keep only scores.
        epochs: epoch after which the training stops, >= 1; 0 for all epochs of the protocol. The schedule of the
            learning rate is that of the whole training in both cases.
    """

    architecture: Architecture
    protocol: Protocol
    seed: int
    test: bool = False
    timeout_seconds: float = float("inf")
    clock: Clock = "held"
    keeper: Keeper | None = field(default=None, compare=False)
    epochs: int = 0

    @property
    def last_epoch(self) -> int:
        """Epoch after which the training stops, >= 1."""
        return self.epochs or self.protocol.epochs


@dataclass(frozen=True)
class Trained:
    """A network at the end of its training.

    Args:
        network: the network with its weights.
        whitening: whitening of the training images.
        dataset: the protocol's data.
    """

    network: Network
    whitening: Whitening
    dataset: Dataset


class Keeper(Interface):
    """Keeps what a training leaves besides its scores. It is pickled where another process trains the child."""

    def saved(self) -> TrainingState | None:
        """Return the state from which the training continues; None to start at the first epoch."""

    def epoch(self, history: History, epochs: int, state: Callable[[], TrainingState]) -> None:
        """Called after each epoch.

        Args:
            history: curves and seconds so far.
            epochs: epoch after which the training stops.
            state: returns the state from which the training can continue. Its tensors are not copied.
        """

    def trained(self, child: Child, trained: Trained, evaluation: Evaluation) -> None:
        """Called after a training that ended with the status "ok".

        Args:
            child: the child.
            trained: its network.
            evaluation: its scores.
        """


@dataclass(frozen=True)
class Evaluation:
    """Scores and cost of a training. Accuracies are in [0, 1], losses in nats, times in seconds; unknown numbers are
    NaN.

    Args:
        status: how the training ended: "ok", "diverged" (a loss that is not finite), "out_of_memory", "timed_out", or
            "failed" (any other exception). Unless it is "ok", all scores are NaN.
        error: the error in one line, and notes such as operations that are not deterministic; "" for none.
        val_acc: validation accuracy after the last epoch.
        val_acc_best: highest validation accuracy of all epochs.
        val_loss: validation loss after the last epoch.
        train_acc: accuracy on the training batches of the last epoch, in training mode.
        train_loss: mean loss of the training batches of the last epoch.
        test_acc: test accuracy after the last epoch; NaN unless the child has `test`.
        test_loss: test loss, likewise.
        params: trainable parameters of the network, without an auxiliary classifier.
        mult_adds: multiply-adds of the network for one image.
        epochs: number of completed epochs, those of an earlier part of the training included.
        from_epoch: epoch after which this training began, from the state of an earlier part; 0 for the first epoch.
        train_seconds: seconds of training steps, augmentation included.
        eval_seconds: seconds of validation and test passes.
        setup_seconds: all other seconds: building the network, moving data to the device.
        peak_memory: peak memory in bytes; -1 where it is unknown.
        device: name of the device, "cpu" or, e.g., "NVIDIA H100 80GB HBM3".
        devices: number of devices held, or the share of one, > 0.
        platform: everything that decides the last bits of the scores, see `nasbench.kernels.platform`.
        started_at: UTC time of the start, ISO 8601.
        finished_at: UTC time of the end, ISO 8601.
        curves: "train_loss", "train_acc", "val_loss", "val_acc" and "seconds" -> one value per completed epoch.
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
    from_epoch: int = 0
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def device_seconds(self) -> float:
        """Cost in device-seconds: seconds of training, evaluation and set-up, times `devices`."""
        return (self.train_seconds + self.eval_seconds + self.setup_seconds) * self.devices
