"""The training loop: trains one network by a protocol, with the same bits every time, and records curves."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils import deterministic

from nasbench.kernels.portable import Kernels, portable_kernels
from nasbench.networks.base import Network
from nasbench.protocols.protocol import Protocol
from nasbench.store.format.schema import CURVES
from nasbench.training.allocator import keep_freed_memory
from nasbench.training.augmentation import ResidentImages, TrainingImages
from nasbench.training.clocks import Clock, reading
from nasbench.training.determinism import Nondeterminism, collected
from nasbench.training.optimizers import make_optimizer
from nasbench.training.schedules import learning_rates
from nasbench.training.steps import autocast, make_step

if TYPE_CHECKING:
    from nasbench.training.evaluation import Keeper

EVALUATION_BATCH = 256  # images per batch of a validation or test pass; another size would change the last bits


class Diverged(Exception):
    """Raised when a loss is not finite."""


class TimedOut(Exception):
    """Raised when the deadline of a training has passed."""


@dataclass
class History:
    """Curves and seconds of a training so far; they can be read after an exception, too.

    Args:
        curves: "train_loss", "train_acc", "val_loss", "val_acc" and "seconds" -> one value per completed epoch.
        train_seconds: seconds of training steps, augmentation included.
        eval_seconds: seconds of validation and test passes.
        note: why the steps were eager although a CUDA graph was to be recorded; "" otherwise.
        clock: what the seconds count.
        from_epoch: epochs of an earlier part of the training, with which the curves begin.
    """

    curves: dict[str, list[float]] = field(default_factory=lambda: {column.name: [] for column in CURVES})
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    note: str = ""
    clock: Clock = "held"
    from_epoch: int = 0

    @property
    def epochs(self) -> int:
        """Number of completed epochs."""
        return len(self.curves["val_acc"])

    def add(self, **epoch: float) -> None:
        """Append the values of a completed epoch.

        Args:
            epoch: one value for each curve, by its name.
        """
        for column, values in self.curves.items():
            values.append(epoch[column])

    def continue_from(self, earlier: History) -> None:
        """Take over the curves and seconds of an earlier part of the training.

        Args:
            earlier: history of the completed epochs.
        """
        self.curves = {name: list(values) for name, values in earlier.curves.items()}
        self.train_seconds, self.eval_seconds = earlier.train_seconds, earlier.eval_seconds
        self.from_epoch = earlier.epochs

    @contextmanager
    def training(self) -> Iterator[None]:
        """Add the block's seconds to `train_seconds`. The block must wait for the device, e.g. by reading a result."""
        start = reading(self.clock)
        try:
            yield
        finally:
            self.train_seconds += reading(self.clock) - start

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Add the block's seconds to `eval_seconds`. The block must wait for the device, e.g. by reading a result."""
        start = reading(self.clock)
        try:
            yield
        finally:
            self.eval_seconds += reading(self.clock) - start


@dataclass(frozen=True)
class TrainingState:
    """Everything from which a training continues after an epoch, with the bits of one that was not interrupted.

    Args:
        tensors: weights and buffers ("network/NAME"), the optimizer ("optimizer/NAME/INDEX" and "optimizer/used") and
            the states of the random generators ("random/NAME").
        history: curves and seconds of the completed epochs.
    """

    tensors: dict[str, Tensor]
    history: History


@dataclass(frozen=True)
class Seeds:
    """Independent seeds of a child, each in [0, 2^64).

    Args:
        weights: seed of the initial weights.
        order: seed of the order and the augmentation of the images.
        noise: seed of dropout and drop-path.
    """

    weights: int
    order: int
    noise: int

    @staticmethod
    def of(seed: int) -> Seeds:
        """Derive the seeds from the training seed of a child.

        Args:
            seed: training seed, >= 0.

        Returns:
            The seeds.
        """
        return Seeds(*np.random.SeedSequence(seed).generate_state(3, np.uint64).tolist())


@contextmanager
def reproducible(
    device: torch.device, threads: int, kernels: Kernels = "fast", heard: Nondeterminism | None = None
) -> Iterator[None]:
    """Make torch compute the same bits each time the block runs on the same machine.

    Torch's settings and global random states are restored afterwards. An operation without a deterministic
    implementation still runs, and is reported. On the CPU, the process keeps the memory that it frees from then on, see
    `nasbench.training.allocator`.

    Args:
        device: device on which the block computes.
        threads: number of CPU threads, >= 1; it changes the order of sums.
        kernels: "portable" for the same bits on every x86-64 processor, see `nasbench.kernels.portable`.
        heard: collects the names of operations without a deterministic implementation; None to give a RuntimeWarning
            with the names at the end of the block.

    Yields:
        Nothing.

    Raises:
        InputError: when kernels are portable and this process was not started for them.
    """
    with ExitStack() as stack:
        if kernels == "portable":
            stack.enter_context(portable_kernels())
        if device.type == "cpu":
            keep_freed_memory()
        if device.type == "cuda":
            # cuBLAS reads this when a process first uses it; otherwise matrix products may differ between runs.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            stack.enter_context(torch.cuda.device(device))
            # enabled=True is needed: by default, `flags` disables cuDNN, which makes convolutions several times slower.
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
        stack.enter_context(torch.random.fork_rng([device.index] if device.type == "cuda" else []))
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        stack.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
        filling = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
        stack.callback(setattr, deterministic, "fill_uninitialized_memory", filling)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        # As use_deterministic_algorithms(True, warn_only=True), which also imports torch's compiler: one second and
        # 100 MB per process.
        torch.set_deterministic_debug_mode("warn")
        # A debugging aid that would fill each new tensor.
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        found = Nondeterminism() if heard is None else heard
        with collected(found):
            yield
    if heard is None and found.operations:
        warnings.warn(f"{found.note}; results differ in their last bits from run to run", RuntimeWarning, stacklevel=3)


def seed_device(device: torch.device, seed: int) -> None:
    """Seed torch's global generators of the CPU and of one device.

    Args:
        device: the device.
        seed: seed of both generators, in [0, 2^64).
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(seed)


def train(
    network: Network,
    images: TrainingImages,
    validation: ResidentImages,
    protocol: Protocol,
    seeds: Seeds,
    history: History,
    deadline: float = math.inf,
    keeper: Keeper | None = None,
    last_epoch: int = 0,
) -> None:
    """Train a network in place, and add each epoch's scores to `history`.

    On the CPU, a loss that is not finite ends the training at once. On CUDA it does so at the end of the epoch, because
    the host waits for the device only once per epoch.

    Args:
        network: the network, on the images' device.
        images: training images.
        validation: validation images, scored after each epoch.
        protocol: epochs, optimizer, schedule, losses and precision.
        seeds: seeds of order, augmentation, dropout and drop-path.
        history: gets the curves and seconds, also when the training is interrupted.
        deadline: value of `time.perf_counter()` after which no further step starts.
        keeper: gives the state to continue from, and gets the state after each epoch; None for neither.
        last_epoch: epoch after which the training stops; 0 for all epochs of the protocol, over which the learning rate
            is scheduled in any case.

    Raises:
        Diverged: when a loss is not finite.
        TimedOut: when the deadline has passed.
    """
    trainer = _Trainer(network, images, protocol, seeds, validation.device)
    saved = keeper.saved() if keeper is not None else None
    if saved is not None:
        trainer.restore(saved)
        history.continue_from(saved.history)
    last_epoch = last_epoch or protocol.epochs
    for epoch in range(history.epochs, last_epoch):
        before = history.train_seconds + history.eval_seconds
        with history.training():
            train_loss, train_acc = trainer.epoch(deadline)
        history.note = trainer.note
        with history.evaluating():
            val_loss, val_acc = score(network, validation, protocol, deadline)
        if not math.isfinite(val_loss):
            raise Diverged(f"validation loss is {val_loss} after epoch {epoch + 1}")
        seconds = history.train_seconds + history.eval_seconds - before
        history.add(train_loss=train_loss, train_acc=train_acc, val_loss=val_loss, val_acc=val_acc, seconds=seconds)
        if keeper is not None:
            keeper.epoch(history, last_epoch, lambda: TrainingState(trainer.tensors(), history))


class _Trainer:
    """Network, optimizer, schedule and random order of one training."""

    def __init__(
        self, network: Network, images: TrainingImages, protocol: Protocol, seeds: Seeds, device: torch.device
    ) -> None:
        seed_device(device, seeds.noise)
        self._network, self._images, self._protocol, self._device = network, images, protocol, device
        self._optimizer = make_optimizer(protocol, network.parameters(), protocol.kernels)
        self._rates = learning_rates(protocol, protocol.epochs * images.steps)
        self._take_step = make_step(network, self._optimizer, protocol, device, len(self._rates))
        self._generator = torch.Generator().manual_seed(seeds.order)
        self._steps_done = 0

    @property
    def note(self) -> str:
        """Why the steps were eager although a CUDA graph was to be recorded; "" otherwise."""
        return self._take_step.note

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, optimizer and random generators, see `TrainingState`."""
        optimizer = self._optimizer.state()
        tensors = {f"network/{name}": tensor for name, tensor in self._network.state_dict().items()}
        tensors["optimizer/used"] = torch.tensor(optimizer.pop("used"), dtype=torch.int64)
        for name, moments in optimizer.items():
            tensors |= {f"optimizer/{name}/{index}": moment for index, moment in enumerate(moments)}
        tensors["random/order"] = self._generator.get_state()
        tensors["random/cpu"] = torch.default_generator.get_state()
        if self._device.type == "cuda":
            tensors["random/cuda"] = torch.cuda.get_rng_state(self._device)
        return tensors

    def restore(self, state: TrainingState) -> None:
        """Continue from a state of the same training.

        Args:
            state: the state after an epoch.
        """
        tensors = state.tensors
        here = self._network.state_dict()
        with torch.no_grad():
            for name, tensor in here.items():
                tensor.copy_(tensors[f"network/{name}"])
        optimizer: dict[str, list[Any]] = {"used": tensors["optimizer/used"].tolist()}
        for name in self._optimizer.moments:
            stored = (tensors.get(f"optimizer/{name}/{index}") for index in range(len(optimizer["used"])))
            optimizer[name] = [moment.to(self._device) for moment in stored if moment is not None]
        self._optimizer.restore(optimizer)
        self._generator.set_state(tensors["random/order"])
        torch.default_generator.set_state(tensors["random/cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random/cuda"], self._device)
        self._steps_done = state.history.epochs * self._images.steps

    def epoch(self, deadline: float) -> tuple[float, float]:
        """Train one epoch; return mean loss in nats (main classifier, with label smoothing) and accuracy."""
        self._network.train()
        losses, hits = [], []
        for images, labels in self._images.epoch(self._generator):
            if time.perf_counter() > deadline:
                raise TimedOut(f"in step {self._steps_done + 1} of {len(self._rates)}")
            logits, loss = self._step(images, labels)
            losses.append(loss * len(labels))
            hits.append((logits.argmax(1) == labels).sum())
            if self._device.type == "cpu" and not math.isfinite(loss.item()):
                raise Diverged(f"training loss is {loss.item()} in step {self._steps_done} of {len(self._rates)}")
        loss_sum, hit_sum = _totals(losses, hits)
        if not math.isfinite(loss_sum):
            raise Diverged(f"training loss is {loss_sum} by step {self._steps_done} of {len(self._rates)}")
        return loss_sum / len(self._images), hit_sum / len(self._images)

    def _step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Make one step; return what `Step` returns."""
        self._network.set_progress(self._steps_done / len(self._rates))
        logits, loss = self._take_step(images, labels, self._rates[self._steps_done])
        self._steps_done += 1
        return logits, loss


def score(
    network: Network, images: ResidentImages, protocol: Protocol, deadline: float = math.inf
) -> tuple[float, float]:
    """Score a network in evaluation mode, without augmentation and label smoothing.

    Args:
        network: the network, on the images' device; it stays in evaluation mode.
        images: the images.
        protocol: gives the precision.
        deadline: value of `time.perf_counter()` after which no further batch starts.

    Returns:
        Mean cross-entropy in nats, and accuracy in [0, 1].

    Raises:
        TimedOut: when the deadline has passed.
    """
    network.eval()
    losses, hits = [], []
    with torch.inference_mode():
        for batch, labels in images.batches(EVALUATION_BATCH):
            if time.perf_counter() > deadline:
                raise TimedOut("while scoring")
            with autocast(protocol, images.device):
                logits = network(batch)
            losses.append(functional.cross_entropy(logits.float(), labels, reduction="sum"))
            hits.append((logits.argmax(1) == labels).sum())
        loss_sum, hit_sum = _totals(losses, hits)
        return loss_sum / len(images), hit_sum / len(images)


def _totals(losses: list[Tensor], hits: list[Tensor]) -> tuple[float, float]:
    """Return the sums of two lists of scalars, copied from the device in one transfer and added in order."""
    numbers = torch.stack([torch.stack(losses), torch.stack(hits).to(losses[0].dtype)]).tolist()
    return sum(numbers[0]), sum(numbers[1])
