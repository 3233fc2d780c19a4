"""Steps taken one operation at a time, recorded, or recorded in vain are the same steps to the bit."""

from __future__ import annotations

import contextlib
import gc

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import nasbench.training.loop
import nasbench.training.steps
from nasbench.networks.drop_path import DropPath
from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.runners.executors import EXECUTORS, ExecutorOptions
from nasbench.spaces import get_space
from nasbench.training.evaluate import evaluate, place_images
from nasbench.training.evaluation import Child
from nasbench.training.loop import reproducible, seed_device
from nasbench.training.optimizers import make_optimizer
from nasbench.training.steps import WARM_UP, EagerStep, ForwardBackward, GraphedStep, make_step

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

# 52 images in 4 batches of 13 would be even; 50 in batches of at most 13 are 12, 13, 12, 13.
UNEVEN = Protocol(data="fake:images=100,size=8,classes=3", validation=0.5, epochs=4, batch_size=13, filters=4, cells=1)
VARIANTS = {
    "plain": {},
    "auxiliary and clipping": {"auxiliary_weight": 0.4, "clip_norm": 0.5, "label_smoothing": 0.1},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 0.01, "schedule": "step"},
    "drop-path and dropout": {"drop_path_keep": 0.6, "dropout": 0.3},
    "bfloat16": {"precision": "bfloat16"},
}


class StandIn:
    """Records as CUDA does: nothing is computed at once, and every replay fills the same tensors."""

    def __init__(self) -> None:
        self.recorded = self.warmed = 0

    @contextlib.contextmanager
    def warming(self):
        self.warmed += 1
        yield

    def __call__(self, work):
        self.recorded += 1
        kept: list[ForwardBackward] = []

        def replay() -> ForwardBackward:
            passed = work()
            if not kept:
                kept.append(passed)
                return passed
            kept[0].logits.copy_(passed.logits)
            kept[0].loss.copy_(passed.loss)
            for there, new in zip(kept[0].gradients, passed.gradients):
                if there is not None:
                    there.copy_(new)
            return kept[0]

        return replay


class Refuses(StandIn):
    """Recording fails, as for a network that looks at a value."""

    def __call__(self, work):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")


def network_of(protocol: Protocol, seed: int = 3, space: str = "nasnet:blocks=2"):
    found = get_space(space)
    seed_device(CPU, seed)
    architecture = found.random(np.random.default_rng(seed))
    return found.build(architecture, protocol.scale(8, 3, 3), protocol.regularization())


def trained(protocol: Protocol, record=None):
    """Weights, statistics and losses of three epochs."""
    with reproducible(CPU, 1):
        network = network_of(protocol).to(memory_format=torch.channels_last)
        images = place_images(protocol, CPU).train
        optimizer = make_optimizer(protocol, network.parameters())
        step = EagerStep(network, optimizer, protocol, CPU)
        if record is not None:
            step = GraphedStep(step, record)
        seed_device(CPU, 5)
        generator, losses, done = torch.Generator().manual_seed(1), [], 0
        network.train()
        for _ in range(3):
            for batch, labels in images.epoch(generator):
                network.set_progress(done / 12)
                logits, loss = step(batch, labels, 0.05 / (1 + done))
                losses.append((loss.item(), logits.sum().item()))
                done += 1
    return {name: value.clone() for name, value in network.state_dict().items()}, losses, step


def assert_same(one, other) -> None:
    assert one[1] == other[1]
    assert one[0].keys() == other[0].keys()
    for name, value in one[0].items():
        assert torch.equal(value, other[0][name]), name


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_recorded_steps_are_the_eager_ones(fields) -> None:
    protocol = UNEVEN.model_copy(update=fields)
    stand_in = StandIn()
    recorded = trained(protocol, stand_in)
    assert recorded[2].batch_sizes == [12, 13]
    assert (stand_in.warmed, stand_in.recorded, recorded[2].note) == (2 * WARM_UP, 2, "")
    assert_same(recorded, trained(protocol))


def test_where_recording_fails_the_steps_are_the_eager_ones_and_it_is_said() -> None:
    vain = trained(UNEVEN, Refuses())
    assert vain[2].note == "trained without a CUDA graph: operation not permitted when stream is capturing"
    assert vain[2].batch_sizes == []
    assert_same(vain, trained(UNEVEN))


def test_the_eager_step_is_the_usual_one_of_torch() -> None:
    """Against torch's own optimizer and clipping, written out."""
    protocol = UNEVEN.model_copy(update={"clip_norm": 0.5, "auxiliary_weight": 0.4, "label_smoothing": 0.1})
    ours, _, _ = trained(protocol)
    with reproducible(CPU, 1):
        network = network_of(protocol).to(memory_format=torch.channels_last)
        torch_sgd = torch.optim.SGD(
            network.parameters(), lr=1.0, momentum=0.9, weight_decay=protocol.weight_decay, nesterov=True, fused=True
        )
        seed_device(CPU, 5)
        generator, done = torch.Generator().manual_seed(1), 0
        network.train()
        for _ in range(3):
            for batch, labels in place_images(protocol, CPU).train.epoch(generator):
                network.set_progress(done / 12)
                logits, auxiliary = network.forward_with_auxiliary(batch)
                loss = functional.cross_entropy(logits, labels, label_smoothing=0.1)
                loss = loss + 0.4 * functional.cross_entropy(auxiliary, labels, label_smoothing=0.1)
                torch_sgd.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 0.5)
                torch_sgd.param_groups[0]["lr"] = 0.05 / (1 + done)
                torch_sgd.step()
                done += 1
    for name, value in network.state_dict().items():
        assert torch.equal(value, ours[name]), name


def test_a_child_trained_without_its_graph_is_ok_and_says_so(child, monkeypatch) -> None:
    expected = evaluate(child(epochs=8))

    def make(network, optimizer, protocol, device, steps):
        return GraphedStep(EagerStep(network, optimizer, protocol, device), Refuses())

    monkeypatch.setattr(nasbench.training.loop, "make_step", make)
    result = evaluate(child(epochs=8))
    assert result.status == "ok"
    assert result.error.startswith("trained without a CUDA graph: operation not permitted")
    assert result.curves["val_loss"] == expected.curves["val_loss"]


@pytest.mark.parametrize(
    "text",
    ["CUDA error: out of memory\nCUDA kernel errors might be", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"],
)
def test_libraries_without_memory_for_themselves_are_out_of_memory(child, monkeypatch, text) -> None:
    def make(*arguments):
        raise RuntimeError(text)

    monkeypatch.setattr(nasbench.training.loop, "make_step", make)
    result = evaluate(child())
    assert (result.status, result.error) == ("out_of_memory", " ".join(text.split()))


def test_graphs_are_for_cuda_and_for_trainings_long_enough(monkeypatch) -> None:
    network = network_of(UNEVEN)
    optimizer = make_optimizer(UNEVEN, network.parameters())
    monkeypatch.setattr(nasbench.training.steps, "CudaRecorder", lambda device: StandIn())
    monkeypatch.delenv("NASBENCH_CUDA_GRAPHS", raising=False)
    cuda = torch.device("cuda:0")
    kind = lambda device, steps: type(make_step(network, optimizer, UNEVEN, device, steps))  # noqa: E731
    assert kind(CPU, 1000) is EagerStep
    assert kind(cuda, 10) is EagerStep
    assert kind(cuda, 1000) is GraphedStep
    monkeypatch.setenv("NASBENCH_CUDA_GRAPHS", "off")
    assert kind(cuda, 1000) is EagerStep


def test_an_epoch_reads_from_the_device_once() -> None:
    losses, hits = [torch.tensor(0.5), torch.tensor(0.25)], [torch.tensor(3), torch.tensor(200)]
    assert nasbench.training.loop._totals(losses, hits) == (0.75, 203.0)


def test_the_probability_of_dropping_is_read_from_the_device() -> None:
    drop, path = DropPath(0.5), torch.ones(4000, 2, 3, 3)
    drop.set_progress(0.5)
    torch.manual_seed(0)
    first = drop._forward_on_device(path)
    assert set(first.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert first[:, 0, 0, 0].ne(0).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(first, first[:, :1, :1, :1].expand_as(first))
    there = drop._keep_there
    drop.set_progress(1.0)
    assert drop._keep_there is there
    assert drop._forward_on_device(path)[:, 0, 0, 0].ne(0).float().mean().item() == pytest.approx(0.5, abs=0.03)


# -- on a device -------------------------------------------------------------------------------------------------------


def cuda_child(seed: int = 0, space: str = "nasnet:blocks=3", **fields) -> Child:
    protocol = get_protocol(
        "digits", {"data": "fake:images=500,size=16,classes=4", "epochs": 12, "batch_size": 45, "filters": 8, **fields}
    )
    found = get_space(space)
    return Child(found.random(np.random.default_rng(seed)), protocol, seed)


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("seed", range(3))
def test_graphs_give_the_bits_of_eager_steps_on_cuda(monkeypatch, fields, seed) -> None:
    made = []
    real = nasbench.training.loop.make_step

    def watched(*arguments):
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(nasbench.training.loop, "make_step", watched)
    graphed = evaluate(cuda_child(seed, **fields), "cuda")
    monkeypatch.setenv("NASBENCH_CUDA_GRAPHS", "off")
    eager = evaluate(cuda_child(seed, **fields), "cuda")
    assert (graphed.status, graphed.error, eager.status) == ("ok", "", "ok")
    assert [type(step) for step in made] == [GraphedStep, EagerStep]
    assert made[0].batch_sizes
    for name in ("train_loss", "train_acc", "val_loss", "val_acc"):
        assert graphed.curves[name] == eager.curves[name], name


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("space", ["nasnet:blocks=5", "nasbench201", "nasbench101", "nas", "enas-macro"])
def test_every_kind_of_network_repeats_to_the_bit_on_cuda(space) -> None:
    """Maximum pooling above all: torch does not list its backward pass among those without a deterministic kernel."""
    first, second = (evaluate(cuda_child(1, space), "cuda") for _ in range(2))
    assert (first.status, first.error) == ("ok", "")
    assert first.curves["train_loss"] == second.curves["train_loss"]
    assert first.curves["val_loss"] == second.curves["val_loss"]


@pytest.mark.gpu
@needs_cuda
def test_nothing_waits_for_the_device_within_an_epoch(monkeypatch) -> None:
    """From the second batch of an epoch to its end; recording a graph, once a training, does wait."""
    real = nasbench.training.loop.TrainingImages.epoch
    epochs = []

    def watched(self, generator):
        epochs.append(0)
        batches = real(self, generator)
        yield next(batches)
        torch.cuda.set_sync_debug_mode("error" if len(epochs) > 2 else "default")
        try:
            yield from batches
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(nasbench.training.loop.TrainingImages, "epoch", watched)
    result = evaluate(cuda_child(cutout=4, flip=True, enlarge="pad", crop_from=20), "cuda")
    assert (result.status, result.error) == ("ok", "")
    assert len(epochs) == 12


@pytest.mark.gpu
@needs_cuda
def test_what_cannot_be_recorded_is_trained_all_the_same_on_cuda(monkeypatch) -> None:
    expected = evaluate(cuda_child(dropout=0.3), "cuda")
    real = EagerStep.passes

    def looks(self, images, labels):
        assert images.sum().item() == images.sum().item()
        return real(self, images, labels)

    monkeypatch.setattr(EagerStep, "passes", looks)
    result = evaluate(cuda_child(dropout=0.3), "cuda")
    assert result.status == "ok", result.error
    assert result.error.startswith("trained without a CUDA graph")
    assert result.curves["val_loss"] == expected.curves["val_loss"]


@pytest.mark.gpu
@needs_cuda
def test_out_of_memory_is_a_status_and_the_memory_comes_back() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    free, _ = torch.cuda.mem_get_info()
    hold = torch.empty(int(free * 0.98), dtype=torch.uint8, device="cuda")
    result = evaluate(cuda_child(filters=512, batch_size=450), "cuda")
    assert result.status == "out_of_memory", result.error
    assert result.device_seconds > 0
    assert torch.cuda.memory_reserved() <= before + hold.numel() + 2**26
    del hold
    torch.cuda.empty_cache()
    assert evaluate(cuda_child(), "cuda").status == "ok"


@pytest.mark.gpu
@needs_cuda
def test_children_that_share_a_device_score_as_alone_and_are_charged_their_share() -> None:
    alone = [evaluate(cuda_child(seed), "cuda") for seed in range(4)]
    options = ExecutorOptions(devices=("cuda:0",), children_per_device=4)
    with EXECUTORS.get("local")(options) as executor:
        for ticket in range(4):
            executor.submit(ticket, cuda_child(ticket))
        together: dict = {}
        while len(together) < 4:
            together.update(executor.wait())
    for ticket, evaluation in together.items():
        assert evaluation.curves["val_loss"] == alone[ticket].curves["val_loss"]
        assert evaluation.devices == 0.25
        seconds = evaluation.train_seconds + evaluation.eval_seconds + evaluation.setup_seconds
        assert evaluation.device_seconds == pytest.approx(seconds / 4)
