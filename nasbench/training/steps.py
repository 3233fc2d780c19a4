"""One training step: operation by operation, or, on CUDA, as a recorded graph that is launched at once; both give the same bits.

A step of a small network is hundreds of short kernels, and launching them one by one from Python takes longer than running them. A CUDA
graph is recorded once a batch size and launched with one call. Only the forward and the backward pass are in it: the optimizer, a few fused
kernels, follows outside, so a learning rate that changes each step and gradient clipping need nothing special.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

import nasbench.protocols.protocol
from nasbench.networks.base import Network
from nasbench.training.optimizers import Optimizer

WARM_UP = 3  # steps taken before a graph is recorded: libraries set themselves up, moments and masks come to be
WORTH_RECORDING = 50  # steps of a training from which recording (tenths of a second) earns itself back
GRAPHS = "NASBENCH_CUDA_GRAPHS"  # environment: "off" for every step operation by operation


class ForwardBackward(NamedTuple):
    """Results of a forward and a backward pass: logits [b, classes] and the main head's mean loss, detached; a gradient per weight."""

    logits: Tensor
    loss: Tensor
    gradients: list[Tensor | None]


class Step(Protocol):
    """Takes a batch and a learning rate, updates the network, returns logits [b, classes] and the main head's mean loss, detached.

    What it returns holds until the next step. `note` says, if anything, why steps were not taken as they should have been.
    """

    note: str

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """Take the step."""


class EagerStep:
    """Operation by operation.

    Args:
        network: in training mode, on the images' device.
        optimizer: of its weights.
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
        """Take the step."""
        passed = self.passes(images, labels)
        self.update(passed.gradients, learning_rate)
        return passed.logits, passed.loss

    def passes(self, images: Tensor, labels: Tensor) -> ForwardBackward:
        """Forward and backward."""
        protocol = self._protocol
        with autocast(protocol, self._device):
            if protocol.auxiliary_weight:
                logits, auxiliary = self._network.forward_with_auxiliary(images)
            else:
                logits, auxiliary = self._network(images), None
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=protocol.label_smoothing)
        whole = loss
        if auxiliary is not None:
            extra = functional.cross_entropy(auxiliary.float(), labels, label_smoothing=protocol.label_smoothing)
            whole = loss + protocol.auxiliary_weight * extra
        self._optimizer.clear()
        whole.backward()  # type: ignore[no-untyped-call]
        return ForwardBackward(logits.detach(), loss.detach(), [weight.grad for weight in self._optimizer.weights])

    def update(self, gradients: list[Tensor | None], learning_rate: float) -> None:
        """Clip and change the weights; the gradients may be overwritten."""
        for weight, gradient in zip(self._optimizer.weights, gradients):
            if weight.grad is not gradient:
                weight.grad = gradient
        if self._protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._optimizer.weights, self._protocol.clip_norm)
        self._optimizer.step(learning_rate)


Recording = Callable[[], ForwardBackward]  # replays what was recorded; its tensors are the same each time


class Recorder(Protocol):
    """Records work without doing it."""

    def warming(self) -> AbstractContextManager[object]:
        """Return a context manager for the steps before the recording."""

    def __call__(self, work: Callable[[], ForwardBackward]) -> Recording:
        """Record."""


class GraphedStep:
    """Forward and backward as one recorded graph per batch size, after a few steps of `EagerStep`, the fallback if recording fails.

    Args:
        eager: takes the first steps, and is what is recorded.
        record: makes a recording of work on tensors that stay where they are.
    """

    def __init__(self, eager: EagerStep, record: Recorder) -> None:
        self._eager, self._record = eager, record
        self._taken: dict[int, int] = {}  # batch size -> steps
        self._recorded: dict[int, _Recorded] = {}
        self.note = ""

    @property
    def batch_sizes(self) -> list[int]:
        """Those for which there is a recording."""
        return sorted(self._recorded)

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
        """Take the step."""
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
            except (
                RuntimeError
            ) as error:  # an operation that cannot be recorded, or no memory for a second set of activations
                self.note = f"trained without a CUDA graph: {' '.join(str(error).split())[:200]}"
                self._recorded.clear()
                return None
        return self._recorded[size]


class _Recorded:
    """A recording and the tensors into which it reads a batch."""

    def __init__(self, eager: EagerStep, record: Recorder, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()  # clone keeps the memory format
        self._replay = record(lambda: eager.passes(self._images, self._labels))

    def replay(self, images: Tensor, labels: Tensor) -> ForwardBackward:
        self._images.copy_(images)
        self._labels.copy_(labels)
        return self._replay()


class CudaRecorder:
    """Records CUDA graphs; those of one training share their memory.

    Args:
        device: device that computes.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, _side_stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def warming(self) -> Iterator[None]:
        """On the stream of the recording, so that libraries have their working memory there before, and outside the graph's."""
        main = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            yield
        main.wait_stream(self._stream)

    def __call__(self, work: Callable[[], ForwardBackward]) -> Recording:
        """Record work, which is not done.

        Raises:
            RuntimeError: when something in it cannot be recorded; the random state is as it was before.
        """
        graph = torch.cuda.CUDAGraph()
        state = torch.cuda.get_rng_state(self._device)
        try:
            # The outer context: where a recording fails, torch's own leaves its stream the current one.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            ):
                passed = work()
        except RuntimeError:
            torch.cuda.synchronize(
                self._device
            )  # an error that lasts comes up here, and is not taken for one of recording
            torch.cuda.set_rng_state(state, self._device)
            raise

        def replay() -> ForwardBackward:
            graph.replay()
            return passed

        return replay


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """One for all trainings on a device: cuBLAS keeps tens of megabytes for each stream that it has ever seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def make_step(
    network: Network,
    optimizer: Optimizer,
    protocol: nasbench.protocols.protocol.Protocol,
    device: torch.device,
    steps: int,
) -> Step:
    """The way in which a training takes its steps. It decides how fast they are, and nothing else.

    Args:
        network: on `device`.
        optimizer: of its weights.
        protocol: the training protocol.
        device: device of the images.
        steps: of the whole training, >= 1.

    Returns:
        A `GraphedStep` on CUDA, unless the training is too short for it or the environment variable NASBENCH_CUDA_GRAPHS is "off"; else an
        `EagerStep`.
    """
    eager = EagerStep(network, optimizer, protocol, device)
    if device.type == "cuda" and steps >= WORTH_RECORDING and os.environ.get(GRAPHS, "") != "off":
        return GraphedStep(eager, CudaRecorder(device))
    return eager


def autocast(protocol: nasbench.protocols.protocol.Protocol, device: torch.device) -> AbstractContextManager[object]:
    """The arithmetic of the protocol's precision."""
    if protocol.precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
