"""The training loop: one network, one protocol, curves per epoch, the same bits every time."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

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
from nasbench.training.determinism import Nondeterminism, collected
from nasbench.training.optimizers import make_optimizer
from nasbench.training.schedules import learning_rates
from nasbench.training.steps import autocast, make_step

EVALUATION_BATCH = 256  # images of a validation or test pass; part of what is reproduced to the bit


class Diverged(Exception):
    """A loss is not finite."""


class TimedOut(Exception):
    """The deadline has passed."""


@dataclass
class History:
    """Progress of a training; readable also after an exception.

    Args:
        curves: values of each completed epoch, with the columns of `store.format.schema.CURVES`.
        train_seconds: in training steps, augmentation included.
        eval_seconds: in validation and test passes.
        note: why steps were not taken as they should have been, or "".
    """

    curves: dict[str, list[float]] = field(default_factory=lambda: {column.name: [] for column in CURVES})
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    note: str = ""

    @property
    def epochs(self) -> int:
        """Epochs completed."""
        return len(self.curves["val_acc"])

    def add(self, **epoch: float) -> None:
        """Append a completed epoch's value of each curve."""
        for column, values in self.curves.items():
            values.append(epoch[column])

    @contextmanager
    def training(self) -> Iterator[None]:
        """Bill the block to training. The block ends by reading results from the device, so no work is left in flight."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.train_seconds += time.perf_counter() - start

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Bill the block to evaluation."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.eval_seconds += time.perf_counter() - start


@dataclass(frozen=True)
class Seeds:
    """Independent seeds of one child: initial weights, order and augmentation, dropout and drop-path."""

    weights: int
    order: int
    noise: int

    @staticmethod
    def of(seed: int) -> Seeds:
        """Derive them from the child's seed."""
        return Seeds(*np.random.SeedSequence(seed).generate_state(3, np.uint64).tolist())


@contextmanager
def reproducible(
    device: torch.device, threads: int, kernels: Kernels = "fast", heard: Nondeterminism | None = None
) -> Iterator[None]:
    """Everything in the block gives the same bits on the same machine; all settings and global random states come back afterwards.

    An operation without a deterministic implementation still runs; it is added to `heard`, or without it one warning is given.
    On the CPU the process keeps the memory it frees from then on, see `nasbench.training.allocator`.

    Args:
        device: device on which the block computes.
        threads: CPU threads; their number changes the order of sums.
        kernels: "portable" for the same bits on every x86-64 processor, see `nasbench.kernels.portable`.
        heard: gets the names of operations that have no deterministic implementation; None to warn of them.

    Raises:
        InputError: when kernels are portable and the process was not started for them.
    """
    with ExitStack() as stack:
        if kernels == "portable":
            stack.enter_context(portable_kernels())
        if device.type == "cpu":
            keep_freed_memory()
        if device.type == "cuda":
            # cuBLAS reads it when a process first uses it; without it, matrix products may differ from run to run.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            stack.enter_context(torch.cuda.device(device))
            # cuDNN is named as enabled: where it is not named, `flags` switches it off, and convolutions take several times as long.
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
        stack.enter_context(torch.random.fork_rng([device.index] if device.type == "cuda" else []))
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        stack.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
        stack.callback(setattr, deterministic, "fill_uninitialized_memory", deterministic.fill_uninitialized_memory)  # type: ignore[attr-defined]
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        # As use_deterministic_algorithms(True, warn_only=True), which also imports torch's compiler: a second and 100 MB per process.
        torch.set_deterministic_debug_mode("warn")
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid: one fill a tensor
        found = Nondeterminism() if heard is None else heard
        with collected(found):
            yield
    if heard is None and found.operations:
        warnings.warn(f"{found.note}; results differ in their last bits from run to run", RuntimeWarning, stacklevel=3)


def seed_device(device: torch.device, seed: int) -> None:
    """Seed torch's global generators of the CPU and of `device`, and no other device's."""
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
) -> None:
    """Train a network in place and write each epoch's numbers into `history`.

    On CUDA the host waits for the device once an epoch, so divergence is seen at the epoch's end; on the CPU at the step.

    Args:
        network: on the images' device.
        images: training images.
        validation: scored after each epoch.
        protocol: optimizer, schedule, losses and precision.
        seeds: of order, augmentation, dropout and drop-path.
        history: filled epoch by epoch, also when the training breaks off.
        deadline: value of `time.perf_counter()` after which no step starts.

    Raises:
        Diverged: when a loss is not finite.
        TimedOut: when the deadline passes.
    """
    trainer = _Trainer(network, images, protocol, seeds, validation.device)
    for epoch in range(protocol.epochs):
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


class _Trainer:
    """Network, optimizer, schedule and random order of one training, an epoch at a time."""

    def __init__(
        self, network: Network, images: TrainingImages, protocol: Protocol, seeds: Seeds, device: torch.device
    ) -> None:
        seed_device(device, seeds.noise)
        self._network, self._images, self._protocol, self._device = network, images, protocol, device
        self._optimizer = make_optimizer(protocol, network.parameters())
        self._rates = learning_rates(protocol, protocol.epochs * images.steps)
        self._take_step = make_step(network, self._optimizer, protocol, device, len(self._rates))
        self._generator = torch.Generator().manual_seed(seeds.order)
        self._steps_done = 0

    @property
    def note(self) -> str:
        """Why steps were not taken as they should have been, or ""."""
        return self._take_step.note

    def epoch(self, deadline: float) -> tuple[float, float]:
        """One pass: mean loss in nats (smoothed as the protocol says, without the auxiliary head's) and accuracy on the way."""
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
        """One update; returns logits [b, classes] and the main head's mean loss, detached, which hold until the next."""
        self._network.set_progress(self._steps_done / len(self._rates))
        logits, loss = self._take_step(images, labels, self._rates[self._steps_done])
        self._steps_done += 1
        return logits, loss


def score(
    network: Network, images: ResidentImages, protocol: Protocol, deadline: float = math.inf
) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy in [0, 1] of a network on images, without augmentation or smoothing.

    Raises:
        TimedOut: when the deadline passes.
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
    """Sums of scalars, read from the device in one transfer and added in order."""
    numbers = torch.stack([torch.stack(losses), torch.stack(hits).to(losses[0].dtype)]).tolist()
    return sum(numbers[0]), sum(numbers[1])
