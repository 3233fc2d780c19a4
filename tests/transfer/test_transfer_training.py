"""Training on folders of images: schedules, averages, resuming, several processes."""

from __future__ import annotations

import copy
import json
import math
from importlib import metadata

import pytest
import torch
from image_folders import make_image_folder
from torch import nn
from transfers import PAIR, PIXELS, QUICK, gradients, tiny_job

from nasbench.errors import InputError, UnknownName
from nasbench.networks.base import Network
from nasbench.networks.cell_counts import count_cell_network
from nasbench.networks.cells import build_cell_network
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces.genotypes import NASNET_A
from nasbench.structures import Block, Cell, CellPair, Regularization, Scale
from nasbench.training.optimizers import RMSProp, make_optimizer
from nasbench.transfer import training
from nasbench.transfer.average import AveragedNetwork
from nasbench.transfer.checkpoint import CHECKPOINT, RECORD
from nasbench.transfer.parallel import run_shares
from nasbench.transfer.protocol import TRANSFER_PROTOCOLS, TransferProtocol, get_transfer_protocol
from nasbench.transfer.resident import train_resident
from nasbench.transfer.training import check_batch, leaves_weights_unused, top_hits, train_transfer


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_image_folder(tmp_path_factory.mktemp("images"))


def record_of(folder):
    return json.loads((folder / RECORD).read_text())


def checkpoint_of(folder):
    return torch.load(folder / CHECKPOINT, weights_only=True)


def assert_same_weights(one, other):
    for part in ("network", "average"):
        assert one[part].keys() == other[part].keys()
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part]), part


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train_transfer(tiny_job(data, folder))
    return folder


def test_a_training_ends_with_a_record_of_all_that_made_it(trained, data):
    record = record_of(trained)
    assert (record["status"], record["epochs"], record["size"]) == ("ok", 3, "1@32")
    assert all(len(values) == 3 and all(map(math.isfinite, values)) for values in record["curves"].values())
    assert record["top1_acc"] == record["curves"]["top1_acc"][-1]
    assert record["top5_acc"] == 1, "there are three classes"
    assert record["protocol"]["batch_size"] == 4
    assert record["data"]["path"] == str(data)
    assert [record["data"][key] for key in ("classes", "train_images", "scored_images")] == [3, 15, 9]
    (session,) = record["sessions"]
    assert (session["from_epoch"], session["processes"], session["device"]) == (0, 1, "cpu")
    assert session["packages"]["torch"] == metadata.version("torch")
    state = checkpoint_of(trained)
    weights = sum(
        state["network"][name].numel() for name in state["network"] if "running" not in name and "batches" not in name
    )
    assert weights == record["params"] + record["auxiliary_params"]
    assert set(state["identity"]["scale"]) == {
        "cells", "filters", "image_size", "image_channels", "classes", "stem", "skip_reduction_input",
    }, "checkpoints from before a scale had stem_filters are of the same training"  # fmt: skip


def test_a_finished_training_is_left_as_it_is(trained, data):
    before = checkpoint_of(trained)
    train_transfer(tiny_job(data, trained))
    assert_same_weights(before, checkpoint_of(trained))
    assert len(record_of(trained)["sessions"]) == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_in_an_epoch_and_resumed_is_never_stopped(trained, data, tmp_path, monkeypatch, workers):
    steps = 0
    losses = training.batch_losses

    def stopping(*words):
        nonlocal steps
        steps += 1
        if steps == 5:  # the second of the second epoch
            raise KeyboardInterrupt
        return losses(*words)

    monkeypatch.setattr(training, "batch_losses", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_transfer(tiny_job(data, tmp_path, workers=workers))
    assert (record_of(tmp_path)["status"], record_of(tmp_path)["epochs"]) == ("running", 1)
    monkeypatch.undo()
    train_transfer(tiny_job(data, tmp_path, workers=workers))
    assert_same_weights(checkpoint_of(trained), checkpoint_of(tmp_path))
    curves, whole = record_of(tmp_path)["curves"], record_of(trained)["curves"]
    assert {**curves, "seconds": 0} == {**whole, "seconds": 0}
    assert [session["from_epoch"] for session in record_of(tmp_path)["sessions"]] == [0, 1]


@pytest.mark.slow
def test_a_crash_while_the_checkpoint_is_written_leaves_the_old_one(trained, data, tmp_path, monkeypatch):
    save, calls = torch.save, 0

    def failing(state, file):
        nonlocal calls
        calls += 1
        if calls == 2:
            file.write(b"half")
            raise OSError(28, "No space left on device")
        save(state, file)

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(InputError, match=r"cannot write .*checkpoint\.pt': No space left"):
        train_transfer(tiny_job(data, tmp_path))
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, RECORD]
    assert len(checkpoint_of(tmp_path)["epochs"]) == 1
    train_transfer(tiny_job(data, tmp_path))
    assert_same_weights(checkpoint_of(trained), checkpoint_of(tmp_path))


def test_seeds_and_protocols_matter_and_are_not_mixed(trained, data, tmp_path):
    train_transfer(tiny_job(data, tmp_path, QUICK.model_copy(update={"epochs": 1}), seed=4))
    assert record_of(tmp_path)["curves"]["train_loss"][0] != record_of(trained)["curves"]["train_loss"][0]
    with pytest.raises(InputError, match="belongs to another training: seed 3 instead of 4; choose another folder"):
        train_transfer(tiny_job(data, trained, seed=4))
    with pytest.raises(InputError, match="belongs to another training: protocol"):
        train_transfer(tiny_job(data, trained, QUICK.model_copy(update={"hue": 0.1})))


def test_a_damaged_checkpoint_is_one_line(data, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"cannot read .*checkpoint\.pt.*delete it to start again"):
        train_transfer(tiny_job(data, tmp_path))


def test_divergence_is_recorded(data, tmp_path):
    train_transfer(tiny_job(data, tmp_path, QUICK.model_copy(update={"learning_rate": 1e30, "clip_norm": 0.0})))
    record = record_of(tmp_path)
    assert (record["status"], record["epochs"], record["top1_acc"]) == ("diverged", 0, None)
    assert "loss" in record["error"]


@pytest.mark.slow
def test_a_tiny_network_learns_colours(data, tmp_path):
    plain = {"auxiliary_weight": 0.0, "drop_path_keep": 1.0, "dropout": 0.0, "average_decay": 0.0, "crop_area": 0.5}
    # One step an epoch at a rate of 0.1 would learn or not by the last bits: 5 and 4 of 8 seeds with two equal ways to convolve.
    quick = {"epochs": 40, "batch_size": 8, "optimizer": "nesterov", "schedule": "cosine", "learning_rate": 0.05}
    train_transfer(tiny_job(data, tmp_path, QUICK.model_copy(update={**plain, **quick})))
    assert record_of(tmp_path)["top1_acc"] > 0.8


def test_staircase_and_cosine_in_closed_form():
    released = get_transfer_protocol("nasnet-imagenet-large")
    steps = 800  # an epoch; so 1,920 steps from drop to drop
    assert released.rate(0, steps) == released.rate(1919, steps) == 1.5
    assert released.rate(1920, steps) == released.rate(3839, steps) == pytest.approx(1.5 * 0.97)
    assert released.rate(311 * steps, steps) == pytest.approx(1.5 * 0.97 ** int(311 / 2.4))
    cosine = QUICK.model_copy(update={"schedule": "cosine"})
    expected = [0.05 * 0.5 * (1 + math.cos(math.pi * step / 12)) for step in range(12)]
    assert [cosine.rate(step, 4) for step in range(12)] == pytest.approx(expected)


def test_the_average_is_that_of_a_plain_loop():
    class Small(Network):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))

        def forward(self, images):
            return self.body(images).mean((2, 3))

    torch.manual_seed(0)
    network = Small().train()
    average = AveragedNetwork(network, 0.6)
    plain = {name: value.clone().double() for name, value in network.state_dict().items()}
    for step in range(30):
        network(torch.randn(4, 3, 2, 2) + step)
        with torch.no_grad():
            for weight in network.parameters():
                weight += torch.randn_like(weight)
        average.update(step)
        decay = min(0.6, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            plain[name] = decay * plain[name] + (1 - decay) * value.double()
    for name, value in average.network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), plain[name], rtol=1e-5, atol=1e-5)
    assert not average.network.training
    assert not torch.equal(average.network.body[0].weight, network.body[0].weight)


@pytest.mark.parametrize("name", ["sgd", "nesterov", "rmsprop"])
def test_an_optimizer_goes_on_from_its_state(name):
    protocol = QUICK.model_copy(update={"optimizer": name})
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2)).to(memory_format=torch.channels_last)
    network.register_parameter("unused", nn.Parameter(torch.ones(2)))
    optimizer = make_optimizer(protocol, network.parameters())

    def step(module, chosen):
        chosen.clear()
        module(torch.ones(1, 3, 4, 4)).square().sum().backward()
        chosen.step(0.01)

    for _ in range(3):
        step(network, optimizer)
    twin = copy.deepcopy(network)
    other = make_optimizer(protocol, twin.parameters())
    other.restore(optimizer.state())
    for _ in range(3):
        step(network, optimizer)
        step(twin, other)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(network.parameters(), twin.parameters()))
    assert len(optimizer.state()["used"]) == 4


def test_top_hits():
    logits = torch.tensor([[0.1, 0.9, 0.2, 0.3, 0.4, 0.5, 0.0]] * 3)
    assert [int(hits) for hits in top_hits(logits, torch.tensor([1, 2, 6]))] == [1, 2]
    assert [int(hits) for hits in top_hits(logits[:, :3], torch.tensor([0, 1, 2]))] == [1, 3]


@pytest.mark.parametrize(
    ("images", "processes", "replica", "message"),
    [
        (15, 1, 0, "15 training images"),
        (99, 3, 0, "not a multiple of the number of processes, 3"),
        (99, 16, 0, "needs 2 or more"),
        (99, 1, 1, "needs 2 or more"),
        (99, 2, 3, "gets 8 images of batch_size=16, which is not a multiple of replica_batch=3"),
    ],
)
def test_batches_that_cannot_be_cut_are_refused(images, processes, replica, message):
    check_batch(QUICK.model_copy(update={"batch_size": 16}), 16, 8)
    check_batch(QUICK.model_copy(update={"batch_size": 16, "replica_batch": 32}), 16, 8)
    with pytest.raises(InputError, match=message):
        check_batch(QUICK.model_copy(update={"batch_size": 16, "replica_batch": replica}), images, processes)


def test_pieces_add_up_to_the_gradient_of_the_batch(data, tmp_path, monkeypatch):
    """BatchNorm sees pieces, so the whole is compared with a plain mean over pieces, at the first update."""
    plain = {"epochs": 1, "drop_path_keep": 1.0, "dropout": 0.0, "clip_norm": 0.0, "batch_size": 12}
    seen, found = [], {}
    losses, step = training.batch_losses, RMSProp.step

    def watching(heads, images, labels, protocol):
        seen.append((images.clone(), labels.clone()))
        if len(seen) == 1:
            found["network"] = copy.deepcopy(heads)
        return losses(heads, images, labels, protocol)

    def stopping(optimizer, rate):
        found["gradients"] = [weight.grad.clone() for weight in optimizer.weights]
        step(optimizer, rate)

    monkeypatch.setattr(training, "batch_losses", watching)
    monkeypatch.setattr(RMSProp, "step", stopping)
    protocol = QUICK.model_copy(update={**plain, "replica_batch": 4})
    train_transfer(tiny_job(data, tmp_path, protocol))
    assert [len(labels) for _, labels in seen] == [4, 4, 4]
    heads = found["network"]
    sum(losses(heads, *piece, protocol)[2] for piece in seen).div(3).backward()
    for mine, weight in zip(found["gradients"], heads.parameters(), strict=True):
        torch.testing.assert_close(mine, weight.grad, rtol=1e-4, atol=1e-6)


def test_named_protocols_carry_the_released_numbers():
    large, mobile = (get_transfer_protocol(f"nasnet-imagenet-{size}") for size in ("large", "mobile"))
    for protocol in (large, mobile):
        facts = (protocol.rmsprop_decay, protocol.rmsprop_epsilon, protocol.average_decay, protocol.label_smoothing)
        assert facts == (0.9, 1.0, 0.9999, 0.1)
        assert (protocol.auxiliary_weight, protocol.dropout, protocol.decay_factor, protocol.decay_epochs) == (
            0.4,
            0.5,
            0.97,
            2.4,
        )
        assert protocol.epochs == 250_000 * protocol.batch_size // 1_281_167
        assert len(protocol.source) > 100
    assert (large.drop_path_keep, large.weight_decay, large.learning_rate) == (0.7, 5e-5, 0.015 * 100)
    assert (mobile.drop_path_keep, mobile.weight_decay, mobile.learning_rate) == (1.0, 4e-5, 0.04 * 50)
    assert (large.replica_batch, mobile.replica_batch) == (16, 32)
    assert len({protocol.fingerprint() for protocol in TRANSFER_PROTOCOLS.values()}) == 2


def test_transfer_protocols_are_frozen_checked_and_changed_by_text():
    changed = get_transfer_protocol("nasnet-imagenet-mobile", {"epochs": "3", "hue": "0.2"})
    assert (changed.name, changed.epochs, changed.hue) == ("nasnet-imagenet-mobile+", 3, 0.2)
    assert TransferProtocol.model_validate_json(changed.model_dump_json()) == changed
    with pytest.raises(InputError, match="no field 'epoch', did you mean 'epochs'"):
        get_transfer_protocol("nasnet-imagenet-mobile", {"epoch": "3"})
    with pytest.raises(UnknownName, match="did you mean 'nasnet-imagenet-large'"):
        get_transfer_protocol("nasnet-imagenet-larg")


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(tmp_path):
    """With BatchNorm on its running statistics; equal up to float32's order of sums."""
    for processes in (1, 2):
        run_shares(gradients, tmp_path, "cpu", processes)
    one, two = (torch.load(tmp_path / f"gradients-{processes}.pt") for processes in (1, 2))
    assert one.keys() == two.keys()
    assert len(one) > 20
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-6)


def test_weights_that_nobody_reads_are_noticed():
    """Cells that read p alone skip every other cell."""
    only_p = Cell((Block(0, "sep_conv_3x3", 0, "identity"),), (2,))
    for pair, expected in ((PAIR, False), (CellPair(only_p, only_p), True)):
        network = build_cell_network(pair, Scale(1, 8, PIXELS, 3, 5, "imagenet"), Regularization(auxiliary=True))
        before = copy.deepcopy(network.state_dict())
        assert leaves_weights_unused(network, torch.zeros(2, 3, PIXELS, PIXELS)) is expected
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("outcome", ["ok", "diverged"])
def test_data_that_fits_in_memory_is_trained_by_the_evaluator(tmp_path, outcome):
    rate = 0.05 if outcome == "ok" else 1e30
    quick = {"epochs": 1, "cells": 1, "filters": 2, "learning_rate": rate, "crop_from": 12, "clip_norm": 0.0}
    protocol = get_protocol("nasnet-cifar", {**quick, "data": "fake:images=64,size=8,classes=3", "validation": 0.2})
    record = train_resident(NASNET_A, "nasnet", protocol, 0, "cpu", tmp_path, {"name": "nasnet-a", "size": "1@48"})
    assert record["status"] == outcome
    assert json.loads((tmp_path / RECORD).read_text())["protocol"]["filters"] == 2
    assert record["params"] == count_cell_network(NASNET_A, Scale(1, 2, 8, 3, 3)).params
    assert (record["test_acc"] >= 0) == (outcome == "ok")


MEMORY = {"epochs": 1, "cells": 1, "filters": 2, "crop_from": 12, "validation": 0.2}
MEMORY_DATA = "fake:images=64,size=8,classes=3"


@pytest.mark.parametrize(
    ("changes", "seed", "difference"),
    [
        ({"epochs": 2}, 0, "protocol epochs 1 instead of 2"),
        ({}, 7, "seed 0 instead of 7"),
        ({"data": "fake:images=65,size=8,classes=3"}, 0, "data_digest"),
    ],
)
def test_a_record_of_another_training_in_memory_is_not_replaced(tmp_path, changes, seed, difference):
    about = {"name": "nasnet-a", "size": "1@48", "skeleton": "nasnet", "encoding": ""}
    protocol = get_protocol("nasnet-cifar", {**MEMORY, "data": MEMORY_DATA})
    train_resident(NASNET_A, "nasnet", protocol, 0, "cpu", tmp_path, about)
    before = (tmp_path / RECORD).read_bytes()
    other = get_protocol("nasnet-cifar", {**MEMORY, "data": MEMORY_DATA, **changes})
    with pytest.raises(InputError, match=f"belongs to another training: .*{difference}.*choose another folder with -o"):
        train_resident(NASNET_A, "nasnet", other, seed, "cpu", tmp_path, about)
    assert (tmp_path / RECORD).read_bytes() == before
    again = train_resident(NASNET_A, "nasnet", protocol, 0, "cpu", tmp_path, about)
    assert again["test_acc"] == json.loads(before)["test_acc"], "the same training is made again"


def test_a_record_without_a_checkpoint_is_not_replaced_by_another_training(data, tmp_path):
    one = QUICK.model_copy(update={"epochs": 1})
    train_transfer(tiny_job(data, tmp_path, one))
    (tmp_path / CHECKPOINT).unlink()
    before = (tmp_path / RECORD).read_bytes()
    with pytest.raises(InputError, match="belongs to another training: seed 3 instead of 4"):
        train_transfer(tiny_job(data, tmp_path, one, seed=4))
    assert (tmp_path / RECORD).read_bytes() == before
    train_transfer(tiny_job(data, tmp_path, one))
    assert record_of(tmp_path)["curves"]["train_loss"] == json.loads(before)["curves"]["train_loss"]


@pytest.mark.slow
def test_one_process_in_pieces_trains_as_two(data, tmp_path):
    """Weights, not running statistics: those are of what the first process saw. Equal up to float32's order of sums."""
    plain = {"drop_path_keep": 1.0, "dropout": 0.0, "replica_batch": 2}
    for processes in (1, 2):
        train_transfer(tiny_job(data, tmp_path / str(processes), QUICK.model_copy(update=plain)), processes=processes)
    one, two = (checkpoint_of(tmp_path / str(processes))["network"] for processes in (1, 2))
    for name, value in one.items():
        if "running" not in name and "batches" not in name:
            torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4)
