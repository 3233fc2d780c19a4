"""Everything that trains or scores a network, traced on tensors that say they are on CUDA: see `tests/support/pretend_cuda.py`.

No device is needed. A tensor left on the CPU, a step that waits for the device and an operation without a deterministic implementation fail here.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from alerts import ALERTS, documented, without_deterministic_kernel
from packaging.version import Version
from pretend_cuda import CUDA, Trace, pretend_cuda
from torch import nn
from torch.nn import functional

import nasbench.runners.strategies.one_shot
import nasbench.supernets.training
import nasbench.training.evaluate
import nasbench.training.loop
import nasbench.training.steps
import nasbench.transfer.average
import nasbench.zero_cost.untrained
from nasbench.data import load_data
from nasbench.networks.alexnet import build_alexnet
from nasbench.networks.base import Network
from nasbench.networks.cells import build_cell_network
from nasbench.networks.layers import build_layer_stack
from nasbench.networks.operations import OPERATIONS
from nasbench.networks.resnet import build_resnet
from nasbench.protocols.protocol import Protocol
from nasbench.runners.strategies.drnas import DirichletWeights
from nasbench.runners.strategies.one_shot import make_shared_weights, moved, place
from nasbench.runners.strategies.pcdarts import NormalizedEdges
from nasbench.spaces import SPACES, Architecture, get_space
from nasbench.spaces.base import Space
from nasbench.spaces.genotypes import GENOTYPES, skeleton_of
from nasbench.structures import CellPair, Regularization, Scale
from nasbench.supernets.bilevel import ArchitectureSettings, Bilevel, Relaxation
from nasbench.supernets.build import build_mixed_supernetwork
from nasbench.training.augmentation import TrainingImages
from nasbench.training.evaluate import _Record, _train_and_score
from nasbench.training.evaluation import Child
from nasbench.training.optimizers import make_optimizer
from nasbench.training.steps import EagerStep, ForwardBackward
from nasbench.transfer.average import AveragedNetwork
from nasbench.zero_cost import ZERO_COST, zero_cost_score

OLDEST = Version("2.14")  # the traces rest on private parts of torch; with 2.13's CPU build they do not run
pytestmark = pytest.mark.skipif(
    not torch.backends.cuda.is_built() or Version(torch.__version__) < OLDEST,
    reason=f"needs a CUDA build of torch {OLDEST} or newer (and no device)",
)

# 36 images in 3 batches: drop-path begins with the second step.
PLAIN = Protocol(data="fake:images=48,size=16,classes=3", validation=0.25, epochs=1, batch_size=12, filters=4, cells=1)
REGULARIZED = {
    "enlarge": "upsample",
    "crop_from": 20,
    "flip": True,
    "cutout": 4,
    "auxiliary_weight": 0.4,
    "drop_path_keep": 0.6,
    "dropout": 0.2,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
}
PROTOCOLS = {
    "nesterov": {},
    "sgd, all augmentation and regularization": {"optimizer": "sgd", **REGULARIZED},
    "sgd without momentum": {"optimizer": "sgd", "momentum": 0.0},
    "rmsprop": {"optimizer": "rmsprop"},
    "bfloat16": {"precision": "bfloat16", **REGULARIZED},
    "contiguous": {"channels_last": False, "flip": True, "enlarge": "pad", "crop_from": 20},
}
SMALL = {"nas": "nas:layers=6", "enas-macro": "enas-macro:layers=6"}
SMALLER = {**SMALL, **{name: f"{name}:blocks=2" for name in ("amoebanet", "enas-micro", "nasnet", "pnas")}}


@pytest.fixture(autouse=True)
def no_real_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Seed only the CPU; keep no fake tensor for other tests."""

    def seed_cpu(device: torch.device, seed: int) -> None:
        torch.default_generator.manual_seed(seed)

    users = (
        nasbench.training.loop,
        nasbench.training.evaluate,
        nasbench.supernets.training,
        nasbench.runners.strategies.one_shot,
    )
    for module in (*users, nasbench.zero_cost.untrained):
        monkeypatch.setattr(module, "seed_device", seed_cpu)
    for module in (nasbench.training.evaluate, nasbench.runners.strategies.one_shot, nasbench.zero_cost.untrained):
        monkeypatch.setattr(module, "resolve_device", torch.device)
    nasbench.training.evaluate._place_images.cache_clear()
    nasbench.zero_cost.untrained._minibatch.cache_clear()
    yield
    nasbench.training.evaluate._place_images.cache_clear()
    nasbench.zero_cost.untrained._minibatch.cache_clear()


def trained(architecture: Architecture, protocol: Protocol) -> Trace:
    """A whole child, as `evaluate` trains and scores it."""
    child = Child(architecture, protocol, 0, test=True)
    with pretend_cuda() as trace, phases_of(trace):
        record = _Record()
        _train_and_score(child, load_data(protocol.data), CUDA, math.inf, record)
        assert record.history.epochs == protocol.epochs
    return trace


@contextlib.contextmanager
def phases_of(trace: Trace) -> Iterator[None]:
    """`Trace.phase` is "steps" from the first batch of an epoch to its last."""
    real = TrainingImages.epoch

    def watched(self: TrainingImages, generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        batches = real(self, generator)
        trace.phase = "start of an epoch"
        first = next(batches)
        trace.phase = "steps"
        yield first
        yield from batches
        trace.phase = "end of an epoch"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingImages, "epoch", watched)
        yield


def covering(space: Space, shift: int) -> Architecture:
    """Decisions of a group take its options in turn, so that few architectures have all options.

    Args:
        space: any.
        shift: where the turn starts.
    """
    taken: dict[str, int] = {}
    choices = []
    for decision in space.decisions:
        turn = taken[decision.group] = taken.get(decision.group, -1) + 1
        choices.append((turn + shift) % decision.options)
    return space.decode(choices)


def assert_runs_on_the_device(trace: Trace) -> None:
    """No CPU scalar is read by an operation, no step waits, and every operation has a deterministic implementation."""
    assert trace.mixed == set()
    assert [wait for wait in trace.waits if wait.phase == "steps"] == []
    assert without_deterministic_kernel(trace.operations) == set()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("fields", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_training_by_every_optimizer_augmentation_and_precision(fields: dict[str, object]) -> None:
    trace = trained(covering(get_space("nasnet:blocks=1"), 0), PLAIN.model_copy(update=fields))
    assert_runs_on_the_device(trace)
    assert "aten.convolution_backward.default" in trace.operations
    optimizer = "aten._foreach_addcdiv_.Scalar" if fields.get("optimizer") == "rmsprop" else "aten._fused_sgd_.default"
    assert optimizer in trace.operations
    assert not any(
        "upsample" in operation for operation in trace.operations
    )  # enlarged on the CPU, with its grey levels
    if fields.get("flip"):
        assert "aten.index.Tensor" in trace.operations  # the crops of devices, not the CPU's
    if "drop_path_keep" in fields:
        assert "aten.lt.Tensor" in trace.operations  # against a probability that is on the device


@pytest.mark.slow
def test_the_host_waits_once_in_an_epochs_training_and_once_in_its_validation() -> None:
    """However many steps an epoch has."""
    epochs = 3
    for batch_size in (12, 4):
        protocol = PLAIN.model_copy(update={**REGULARIZED, "epochs": epochs, "batch_size": batch_size})
        trace = trained(covering(get_space("nasbench201"), 0), protocol)
        read = [wait.what for wait in trace.waits if wait.what not in ("copy from the CPU", "copy to the CPU")]
        assert read == ["tolist"] * (2 * epochs + 1)  # and the test images
        sent = [wait for wait in trace.waits if wait.phase == "start of an epoch"]
        assert len(sent) == 4 * epochs  # order, rows and columns of crops, cut-outs


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_network_of_every_space(name: str) -> None:
    trace = trained(covering(get_space(SMALLER.get(name, name)), 0), PLAIN.model_copy(update=REGULARIZED))
    assert_runs_on_the_device(trace)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", sorted(SPACES))
def test_networks_of_every_space_with_every_operation(name: str) -> None:
    """Every option of every decision, in cells of two blocks; and the space as it is."""
    space = get_space(SMALLER.get(name, name))
    options = max(decision.options for decision in space.decisions if decision.kind == "categorical")
    architectures = [covering(space, shift) for shift in range(options)]
    for decision, chosen in zip(space.decisions, zip(*(each.choices for each in architectures))):
        assert set(chosen) == set(range(decision.options)), decision.name
    whole = get_space(SMALL.get(name, name))
    architectures.append(whole.random(np.random.default_rng(0)))
    for number, architecture in enumerate(architectures):
        fields = tuple(PROTOCOLS.values())[number % len(PROTOCOLS)]
        assert_runs_on_the_device(trained(architecture, PLAIN.model_copy(update=fields)))


@pytest.mark.sampled(12)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_of_a_cell(name: str, stride: int) -> None:
    """With as many and with other output channels, at even and odd sizes; the slow test trains them within networks."""
    with pretend_cuda() as trace:
        for outputs, side in ((8, 6), (12, 5)):
            operation = OPERATIONS[name](8, outputs, stride).to(CUDA)
            images = torch.rand(2, 8, side, side, device=CUDA, requires_grad=True)
            given = operation(images)
            assert (given.shape, given.device) == ((2, outputs, -(-side // stride), -(-side // stride)), CUDA)
            given.sum().backward()
            assert images.grad is not None
            assert images.grad.device == CUDA
    assert_runs_on_the_device(trace)


IMAGENET = Scale(cells=2, filters=8, image_size=64, image_channels=3, classes=5, stem="imagenet")
CIFAR = Scale(cells=1, filters=8, image_size=32, image_channels=3, classes=5)
ALL = Regularization(drop_path_keep=0.7, auxiliary=True, dropout=0.5)


def genotype(name: str, scale: Scale) -> Network:
    """A published network."""
    found = GENOTYPES[name]
    if isinstance(found, CellPair):
        return build_cell_network(found, scale, ALL, skeleton=skeleton_of(name))
    return build_layer_stack(found, scale, ALL)


PUBLISHED: dict[str, Callable[[], Network]] = {
    **{name: partial(genotype, name, CIFAR) for name in GENOTYPES},
    **{f"{name} for ImageNet": partial(genotype, name, IMAGENET) for name in GENOTYPES if name != "nas-v1"},
    "alexnet": partial(build_alexnet, Scale(image_size=64, image_channels=3, classes=5), Regularization(dropout=0.5)),
    "resnet-20": partial(build_resnet, 20, CIFAR),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take_steps(PUBLISHED[name], 64 if name == "alexnet" or "ImageNet" in name else 32, monkeypatch)


def take_steps(build: Callable[[], Network], side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two training steps with an average of the weights, as `nasbench transfer` takes them, and a pass of scoring."""
    protocol = PLAIN.model_copy(update={**REGULARIZED, "optimizer": "rmsprop"})
    with pretend_cuda() as trace:
        network = build().to(CUDA).to(memory_format=torch.channels_last)
        # A copy of a fake tensor copies the mode that made it, and torch crashes: the average starts at another network's weights.
        monkeypatch.setattr(nasbench.transfer.average.copy, "deepcopy", lambda _: build().to(CUDA))
        average = AveragedNetwork(network, 0.99)
        monkeypatch.undo()
        step = EagerStep(network, make_optimizer(protocol, network.parameters()), protocol, CUDA)
        images = torch.rand(4, 3, side, side, device=CUDA).contiguous(memory_format=torch.channels_last)
        trace.phase = "steps"
        for done in range(2):
            network.train().set_progress(done / 2)
            step(images, torch.zeros(4, dtype=torch.int64, device=CUDA), 0.1)
            average.update(done)
        trace.phase = ""
        with torch.inference_mode():
            assert average.network(images).device == CUDA
    assert_runs_on_the_device(trace)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "spec",
    [
        "enas-macro:layers=4",
        "enas-micro:blocks=1",
        pytest.param("enas-micro", marks=pytest.mark.slow),
        pytest.param("nasnet:blocks=2,combinations=add", marks=pytest.mark.slow),
    ],
)
def test_super_networks(spec: str, precision: str) -> None:
    space = get_space(spec)
    protocol = PLAIN.model_copy(update={**REGULARIZED, "auxiliary_weight": 0.0, "precision": precision})
    with pretend_cuda() as trace, phases_of(trace):
        shared = make_shared_weights(space, protocol, 0, 8, "cuda:0")
        paths = [covering(space, shift) for shift in range(shared.images.steps)]
        shared.train_epoch(paths, 0.05)
        assert [wait.what for wait in trace.waits if wait.phase == "end of an epoch"] == ["tolist"]
        trace.phase = "scoring"
        shared.accuracy(paths[0], shared.minibatch())
        shared.validation_accuracy(paths[0])
    assert_runs_on_the_device(trace)


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("relaxation", [NormalizedEdges(True), DirichletWeights(0.1)], ids=["pcdarts", "drnas"])
@pytest.mark.parametrize("spec", ["nasbench201", "enas-micro:blocks=1"])
def test_mixtures(spec: str, relaxation: Relaxation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters of the architecture stay on the host: each of their steps waits for a gradient."""
    space = get_space(spec)
    protocol = PLAIN.model_copy(update={"validation": 0.5})
    monkeypatch.setattr(Bilevel, "weights", lambda self: ([], []))  # as numpy, which pretended tensors do not become
    with pretend_cuda() as trace, phases_of(trace):
        placed = place(protocol, 0, CUDA)
        network = moved(build_mixed_supernetwork(space, placed.scale), protocol, CUDA)
        settings = ArchitectureSettings(0.01, 0.0, order=2)
        shared = Bilevel(network, placed.images, placed.validation, protocol, placed.seeds, 8, relaxation, settings)
        shared.bilevel_epoch(0.05, 0.0)
        assert shared.parameters.device.type == "cpu"
        trace.phase = "scoring"
        shared.validation_accuracy(covering(space, 0))
    assert trace.mixed == set()
    copies = [wait for wait in trace.waits if wait.phase == "steps" and wait.what == "copy from the CPU"]
    assert len(copies) <= 6 * shared.images.steps  # five mixtures, and which validation images


@pytest.mark.sampled(1)
@pytest.mark.filterwarnings("ignore:cov.*degrees of freedom")  # of values that nobody computed
@pytest.mark.parametrize("score", sorted(ZERO_COST))
def test_zero_cost_scores(score: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def as_it_is(*arguments: object, **named: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(nasbench.zero_cost.untrained, "reproducible", as_it_is)
    with pretend_cuda() as trace:
        zero_cost_score(covering(get_space("nasnet:blocks=1"), 1), score, PLAIN, 0, "cuda:0")
    assert_runs_on_the_device(trace)
    assert ("aten.convolution.default" in trace.operations) == (score not in ("params", "mult_adds", "l2_norm"))


class Recorder:
    """Records as CUDA does, as far as that can be without a device: every replay gives the same tensors."""

    def warming(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def __call__(self, work: Callable[[], ForwardBackward]) -> Callable[[], ForwardBackward]:
        return work


@pytest.mark.slow
def test_steps_by_recorded_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six steps: three of warm-up, then copies into the recording's batch, which must not wait either."""
    monkeypatch.setattr(nasbench.training.steps, "CudaRecorder", lambda device: Recorder())
    monkeypatch.setattr(nasbench.training.steps, "WORTH_RECORDING", 1)
    monkeypatch.delenv(nasbench.training.steps.GRAPHS, raising=False)
    protocol = PLAIN.model_copy(update={**REGULARIZED, "batch_size": 6})
    trace = trained(covering(get_space("nasnet:blocks=1"), 0), protocol)
    assert_runs_on_the_device(trace)


# -- does the trace see what it is for? -------------------------------------------------------------------------------


class Faulty(Network):
    """A network with something that CUDA would not forgive."""

    def __init__(self, fault: str, classes: int) -> None:
        super().__init__()
        self.fault, self.linear = fault, nn.Linear(3 * 16 * 16, classes)
        self.left = torch.ones(3)  # neither parameter nor buffer: `.to` does not move it
        self.scalar = torch.tensor(2.0)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = images * self.gain
        match self.fault:
            case "left behind":
                images = images * self.left[:, None, None]
            case "scalar":
                images = images * self.scalar
            case "item":
                images = images / images.max().item()
            case "tolist":
                images = images * images.mean((0, 2, 3)).tolist()[0]
            case "branch":
                images = images if images.mean() > 0 else -images
            case "cpu":
                images = images * images.mean().cpu().to(images.device)
            case "shape":
                images = images * images[images > 0].mean()
            case "nondeterministic":
                images = functional.interpolate(functional.adaptive_avg_pool2d(images, 8), 16, mode="bilinear")
        logits: torch.Tensor = self.linear(images.flatten(1))
        return logits


def faulty(fault: str, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """A child whose network has a fault."""
    space = get_space("nasbench201")
    monkeypatch.setattr(type(space), "build", lambda self, arch, scale, parts: Faulty(fault, scale.classes))
    return trained(covering(space, 0), PLAIN)


def test_a_tensor_left_on_the_cpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)same device.*cpu|device.*mul"):
        faulty("left behind", monkeypatch)
    assert any("aten.mul.Tensor" in said for said in faulty("scalar", monkeypatch).mixed)


@pytest.mark.parametrize(
    ("fault", "what"), [("item", "item"), ("tolist", "tolist"), ("branch", "item"), ("cpu", "copy to the CPU")]
)
def test_a_step_that_waits_is_found(fault: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [wait for wait in faulty(fault, monkeypatch).waits if wait.phase == "steps"]
    assert what in {wait.what for wait in seen}
    assert len(seen) >= 3  # one per step at least


def test_a_shape_that_depends_on_values_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(torch._subclasses.fake_tensor.DynamicOutputShapeException):
        faulty("shape", monkeypatch)


def test_an_operation_without_a_deterministic_implementation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = without_deterministic_kernel(faulty("nondeterministic", monkeypatch).operations)
    assert {name.split(".")[1] for name in found} == {"_adaptive_avg_pool2d_backward", "upsample_bilinear2d_backward"}


def test_the_list_of_such_operations_is_that_of_the_installed_torch() -> None:
    assert documented() - set(ALERTS) == set()
    assert len(documented()) >= 20


def test_tensors_say_that_they_are_on_cuda() -> None:
    with pretend_cuda():
        there, here = torch.zeros(2, device="cuda"), torch.zeros(2)
        assert (there.is_cuda, there.is_cpu, there.device) == (True, False, CUDA)
        assert (here.is_cuda, here.is_cpu, here.device) == (False, True, torch.device("cpu"))


def test_the_fault_free_network_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_runs_on_the_device(faulty("none", monkeypatch))
