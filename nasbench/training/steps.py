"""Training steps: eager, or as a recorded CUDA graph, with the same bits.

A step of a small network consists of hundreds of short kernels, and launching each from Python takes longer than
running it. A CUDA graph is recorded once per batch size and then launched with a single call. It contains the forward
and the backward pass only. Gradient clipping and the optimizer, a few fused kernels, run outside of it, so the learning
rate can change with each step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

import nasbench.protocols.protocol
from nasbench.networks.base import Network
from nasbench.training.optimizers import Optimizer

WARM_UP = 3  # eager steps before a graph is recorded: libraries and drop-path allocate their buffers in them
WORTH_RECORDING = 50  # steps of a training from which a recording (tenths of a second) saves time
GRAPHS = "NASBENCH_CUDA_GRAPHS"  # environment variable; "off" makes all steps eager


class LossSettings(Protocol):
    """The fields of a protocol that define the loss; `nasbench.protocols.protocol.Protocol` gives their ranges."""

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        """Number format of convolutions and matrix products."""

    @property
    def label_smoothing(self) -> float:
        """Probability of the target spread evenly over all classes."""

    @property
    def auxiliary_weight(self) -> float:
        """Weight of the auxiliary classifier's loss."""


class ForwardBackward(NamedTuple):
    """Results of a forward and a backward pass.

    Attributes:
        logits: logits of the main classifier [b, classes], detached.
        loss: its mean loss in nats, a detached scalar.
        gradients: one per weight of the optimizer; None for a weight that the loss does not depend on.
    """

    logits: Tensor
    loss: Tensor
    gradients: list[Tensor | None]


class Step(Protocol):
    """A callable that makes one training step.

    Attributes:
        note: why the steps were eager although a graph was to be recorded; "" otherwise.
    """

    note: str

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """Update the network by one batch.

        Args:
            images: float32 [b, c, h, w].
            labels: int64 [b].
            learning_rate: learning rate of this step.

        Returns:
            Logits [b, classes] and mean loss in nats of the main classifier, detached. The next step may overwrite
            them.
        """


class EagerStep:
    """A training step that launches each operation from Python.

    Args:
        network: network in training mode, on `device`.
        optimizer: optimizer of its weights.
        protocol: losses, clipping and precision.
        device: device of the images.
    """

    note = ""

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        protocol: nasbench.protocols.protocol.Protocol,
        device: torch.device,
    ) -> None:
        self._network, self._optimizer, self._protocol, self._device = network, optimizer, protocol, device

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """Make the step, see `Step`."""
        passed = self.passes(images, labels)
        self.update(passed.gradients, learning_rate)
        return passed.logits, passed.loss

    def passes(self, images: Tensor, labels: Tensor) -> ForwardBackward:
        """Compute the loss and its gradients.

        Args:
            images: float32 [b, c, h, w].
            labels: int64 [b].

        Returns:
            Logits, loss and gradients; the weights are unchanged.
        """
        protocol = self._protocol
        with autocast(protocol, self._device):
            if protocol.auxiliary_weight:
                logits, auxiliary = self._network.forward_with_auxiliary(images)
            else:
                logits, auxiliary = self._network(images), None
        loss, whole = losses(logits, auxiliary, labels, protocol)
        self._optimizer.clear()
        whole.backward()  # type: ignore[no-untyped-call]
        return ForwardBackward(logits.detach(), loss.detach(), [weight.grad for weight in self._optimizer.weights])

    def update(self, gradients: list[Tensor | None], learning_rate: float) -> None:
        """Clip the gradients and update the weights.

        Args:
            gradients: from `passes`; they may be overwritten.
            learning_rate: learning rate of this step.
        """
        for weight, gradient in zip(self._optimizer.weights, gradients):
            if weight.grad is not gradient:
                weight.grad = gradient
        if self._protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._optimizer.weights, self._protocol.clip_norm)
        self._optimizer.step(learning_rate)


Recording = Callable[[], ForwardBackward]  # runs the recorded work; each call returns the same tensors, overwritten


class Recorder(Protocol):
    """Records work on the device without running it."""

    def warming(self) -> AbstractContextManager[object]:
        """Return a context manager for the eager steps before the recording."""

    def __call__(self, work: Callable[[], ForwardBackward]) -> Recording:
        """Record work.

        Args:
            work: reads and writes the same tensors at each call.

        Returns:
            A function that runs the recorded work.
        """


class GraphedStep:
    """A training step whose forward and backward passes are a recorded graph, one per batch size.

    The first steps of a batch size are eager. If a recording fails, all further steps are, and `note` says so.

    Args:
        eager: makes the eager steps, and is recorded.
        record: records the passes.
    """

    def __init__(self, eager: EagerStep, record: Recorder) -> None:
        self._eager, self._record = eager, record
        self._taken: dict[int, int] = {}  # batch size -> steps
        self._recorded: dict[int, _Recorded] = {}
        self.note = ""

    @property
    def batch_sizes(self) -> list[int]:
        """Batch sizes that have a recording, in rising order."""
        return sorted(self._recorded)

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """Make the step, see `Step`."""
        if self.note:
            return self._eager(images, labels, learning_rate)
        recorded = self._recorded_for(images, labels)
        if recorded is None:
            with self._record.warming():
                return self._eager(images, labels, learning_rate)
        passed = recorded.replay(images, labels)
        self._eager.update(passed.gradients, learning_rate)
        return passed.logits, passed.loss

    def _recorded_for(self, images: Tensor, labels: Tensor) -> _Recorded | None:
        size = len(labels)
        if size not in self._recorded:
            self._taken[size] = self._taken.get(size, 0) + 1
            if self._taken[size] <= WARM_UP:
                return None
            try:
                self._recorded[size] = _Recorded(self._eager, self._record, images, labels)
            except RuntimeError as error:
                # An operation that cannot be recorded, or no memory for a second set of activations.
                self.note = f"trained without a CUDA graph: {' '.join(str(error).split())[:200]}"
                self._recorded.clear()
                return None
        return self._recorded[size]


class _Recorded:
    """A recording, and the tensors from which it reads a batch."""

    def __init__(self, eager: EagerStep, record: Recorder, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()  # clone keeps the memory format
        self._replay = record(lambda: eager.passes(self._images, self._labels))

    def replay(self, images: Tensor, labels: Tensor) -> ForwardBackward:
        self._images.copy_(images)
        self._labels.copy_(labels)
        return self._replay()


class CudaRecorder:
    """Records CUDA graphs, which share one pool of memory.

    Args:
        device: the CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, _side_stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def warming(self) -> Iterator[None]:
        """Run the block on the stream of the recordings, so that libraries allocate their buffers before."""
        main = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            yield
        main.wait_stream(self._stream)

    def __call__(self, work: Callable[[], ForwardBackward]) -> Recording:
        """Record work without running it.

        Args:
            work: reads and writes the same tensors at each call.

        Returns:
            A function that runs the recorded work.

        Raises:
            RuntimeError: when the work cannot be recorded; the random state is then as it was before.
        """
        graph = torch.cuda.CUDAGraph()
        state = torch.cuda.get_rng_state(self._device)
        try:
            # The outer context restores the stream if a recording fails, which torch.cuda.graph does not do.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            ):
                passed = work()
        except RuntimeError:
            torch.cuda.synchronize(self._device)  # raises if the device itself has failed
            torch.cuda.set_rng_state(state, self._device)
            raise

        def replay() -> ForwardBackward:
            graph.replay()
            return passed

        return replay


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return one stream per device for all trainings, because cuBLAS keeps tens of megabytes per stream it has seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def make_step(
    network: Network,
    optimizer: Optimizer,
    protocol: nasbench.protocols.protocol.Protocol,
    device: torch.device,
    steps: int,
) -> Step:
    """Choose eager or recorded steps for a training; the choice changes its speed only.

    Args:
        network: network on `device`.
        optimizer: optimizer of its weights.
        protocol: the training protocol.
        device: device of the images.
        steps: number of steps of the whole training, >= 1.

    Returns:
        On CUDA a `GraphedStep`, unless the training has fewer than 50 steps or the environment variable
        NASBENCH_CUDA_GRAPHS is "off"; otherwise an `EagerStep`.
    """
    eager = EagerStep(network, optimizer, protocol, device)
    if device.type == "cuda" and steps >= WORTH_RECORDING and os.environ.get(GRAPHS, "") != "off":
        return GraphedStep(eager, CudaRecorder(device))
    return eager


def autocast(protocol: LossSettings, device: torch.device) -> AbstractContextManager[object]:
    """Return a context manager that computes in the protocol's precision.

    Args:
        protocol: the training protocol.
        device: device that computes.

    Returns:
        torch's autocast to bfloat16, or a context manager without effect for float32.
    """
    if protocol.precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def losses(logits: Tensor, auxiliary: Tensor | None, labels: Tensor, protocol: LossSettings) -> tuple[Tensor, Tensor]:
    """Return the losses of a training batch: mean cross-entropies with label smoothing, computed in float32.

    Args:
        logits: logits of the main classifier [b, classes].
        auxiliary: logits of the auxiliary classifier [b, classes]; None without one.
        labels: int64 [b].
        protocol: label smoothing, and the weight of the auxiliary classifier's loss.

    Returns:
        Loss of the main classifier in nats, and the loss to minimize: the same plus the weighted auxiliary loss.
    """
    loss = functional.cross_entropy(logits.float(), labels, label_smoothing=protocol.label_smoothing)
    if auxiliary is None:
        return loss, loss
    extra = functional.cross_entropy(auxiliary.float(), labels, label_smoothing=protocol.label_smoothing)
    return loss, loss + protocol.auxiliary_weight * extra
