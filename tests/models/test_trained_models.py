"""A model file holds the network of a search's child, also after an interruption, and gives its scores again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import nasbench
from nasbench.data import load_data
from nasbench.errors import DataFaults, InputError
from nasbench.models.files import STATE, write_document
from nasbench.models.keeping import KeepModel
from nasbench.models.loading import load_model
from nasbench.models.scoring import score_model
from nasbench.models.training import train_into
from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.spaces import SPACES, get_space
from nasbench.training.augmentation import ResidentImages
from nasbench.training.evaluate import evaluate, place_images
from nasbench.training.evaluation import Child
from nasbench.training.loop import History

CELL = get_space("nasbench201").decode([3, 3, 1, 0, 2, 1])
FAKE = "fake:images=96,size=8,classes=3"


def protocol(**fields) -> Protocol:
    """Three epochs with augmentation, momentum and dropout, so that everything random takes part."""
    usual = {"data": FAKE, "epochs": 3, "batch_size": 16, "flip": True, "enlarge": "pad", "crop_from": 10}
    return get_protocol("digits", {**usual, "cells": 1, "filters": 4, **fields})


class Memory:
    """Keeps the weights of a training in memory."""

    def __init__(self) -> None:
        self.weights: dict[str, torch.Tensor] = {}

    def saved(self) -> None:
        return None

    def epoch(self, history, epochs, state) -> None:
        pass

    def trained(self, child, trained, evaluation) -> None:
        self.weights = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path).network.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kernels", ["fast", "portable"])
def test_a_model_has_the_bits_of_the_searchs_child(tmp_path, kernels):
    given = {"data": FAKE, "epochs": 2, "kernels": kernels}
    run = nasbench.search(
        "nasbench201", "random", "2 children", output=tmp_path / "a.h5", set=given, seed=3, final="none", progress=False
    )
    best = run.best
    path = tmp_path / "m.safetensors"
    scores = train_into(path, best, get_protocol("digits", given), seed=3, test=False)
    row = nasbench.open(tmp_path / "a.h5").frame(stage="search").nlargest(1, "val_acc").iloc[0]
    assert (scores.val_acc, scores.val_loss) == (row["val_acc"], row["val_loss"])
    assert load_model(path).description.fingerprint == row["fingerprint"]


def test_the_weights_are_those_of_a_child_without_a_file(tmp_path):
    chosen, memory = protocol(dropout=0.2), Memory()
    evaluate(Child(CELL, chosen, 5, keeper=memory))
    train_into(tmp_path / "m", CELL, chosen, seed=5)
    assert memory.weights
    assert same(weights_of(tmp_path / "m"), memory.weights)
    train_into(tmp_path / "m", CELL, chosen, seed=6, replace=True)
    assert not same(weights_of(tmp_path / "m"), memory.weights)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "nesterov", "dropout": 0.3},
        {"optimizer": "rmsprop", "learning_rate": 0.01},
        {"optimizer": "sgd", "momentum": 0.0, "schedule": "one_cycle", "warmup": 0.3},
    ],
)
@pytest.mark.parametrize("after", [1, 2])
def test_an_interrupted_training_continues_to_the_same_bits(tmp_path, monkeypatch, fields, after):
    chosen, path = protocol(**fields), tmp_path / "m.safetensors"
    whole = train_into(tmp_path / "whole", CELL, chosen)
    usual = KeepModel.epoch

    def interrupted(self, history, epochs, state):
        usual(self, history, epochs, state)
        if history.epochs == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(KeepModel, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_into(path, CELL, chosen)
    monkeypatch.undo()
    assert not path.exists()
    epochs = []
    monkeypatch.setattr(KeepModel, "epoch", lambda self, history, *rest: epochs.append(history.epochs))
    continued = train_into(path, CELL, chosen)
    assert epochs == list(range(after + 1, 4))
    assert same(weights_of(path), weights_of(tmp_path / "whole"))
    for name in ("train_loss", "val_loss", "val_acc"):
        assert continued.curves[name] == whole.curves[name]
    assert continued.test_loss == whole.test_loss
    assert [each.name for each in tmp_path.iterdir() if "training" in each.name or "writing" in each.name] == []


def test_the_state_of_another_training_is_refused(tmp_path, monkeypatch):
    path, usual = tmp_path / "m", KeepModel.epoch

    def interrupted(self, history, epochs, state):
        usual(self, history, epochs, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(KeepModel, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_into(path, CELL, protocol())
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"m\.training' is of another training \(seed 0 instead of 1\)"):
        train_into(path, CELL, protocol(), seed=1)


def test_a_protocol_object_is_trained_with_the_fields_that_replace_its_own(tmp_path):
    nasbench.train_model(CELL, tmp_path / "m", get_protocol("images"), set={"data": FAKE, "epochs": 1})
    found = load_model(tmp_path / "m").description
    assert (found.protocol.name, found.protocol.epochs) == ("images+", 1)
    assert len(found.curves["val_acc"]) == 1


def test_a_training_without_a_score_leaves_no_model(tmp_path):
    with pytest.raises(InputError, match="without a model: diverged"):
        train_into(tmp_path / "m", CELL, protocol(learning_rate=1e30))
    assert not (tmp_path / "m").exists()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_loaded_model_of_every_space_scores_as_its_training_did(tmp_path, name):
    space = get_space(name)
    architecture = space.random(np.random.default_rng(1))
    chosen = protocol(epochs=1, data="fake:images=96,size=16,classes=3", enlarge="none", crop_from=0)
    chosen = chosen.model_copy(update={"auxiliary_weight": 0.4, "drop_path_keep": 0.8, "dropout": 0.1})
    scores = train_into(tmp_path / "m", architecture, chosen)
    model = load_model(tmp_path / "m")
    found = score_model(model, load_data(chosen.data))
    assert (found.loss, found.accuracy) == (scores.test_loss, scores.test_acc)
    assert found.confusion.trace() / found.images == pytest.approx(scores.test_acc)
    assert model.description.scores["val_acc"] == scores.val_acc
    assert model.description.hash == architecture.hash
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.classes == load_data(chosen.data).classes


@pytest.mark.parametrize("channels", [2, 5, 1024])
def test_images_of_any_number_of_channels_have_a_model(tmp_path, channels):
    chosen = protocol(data=f"fake:images=96,size=8,classes=3,channels={channels}", epochs=1)
    expected = train_into(tmp_path / "m", CELL, chosen)
    model = load_model(tmp_path / "m")
    assert model.description.image_channels == channels
    assert score_model(model, load_data(chosen.data)).loss == expected.test_loss
    with pytest.raises(InputError, match=f"takes images of {channels} channels, and pictures are read with 1 or 3"):
        model.preprocess(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("fields", [{}, {"whiten": False}, {"channels_last": False}])
def test_images_are_preprocessed_with_the_bits_of_the_validation_images(tmp_path, fields):
    chosen = get_protocol("digits", {"epochs": 1, **fields})
    train_into(tmp_path / "m", CELL, chosen, test=False)
    model, test = load_model(tmp_path / "m"), load_data("digits").test
    placed = place_images(chosen, torch.device("cpu"))
    resident = ResidentImages(test, placed.whitening, chosen.channels_last, torch.device("cpu"))
    expected = resident.whitened(resident.pixels[:5])
    found = model.preprocess(list(test.pixels[:5, 0]))
    assert torch.equal(found, expected)
    assert found.stride() == expected.stride()


@pytest.mark.parametrize("array", [np.zeros((8, 8)), np.zeros((8,), np.uint8), np.zeros((8, 8, 7), np.uint8)])
def test_arrays_that_are_no_images_are_refused(tmp_path, array):
    train_into(tmp_path / "m", CELL, get_protocol("digits", {"epochs": 1}), test=False)
    with pytest.raises(DataFaults, match="image 0 is an array"):
        load_model(tmp_path / "m").preprocess(array)


@pytest.mark.parametrize(("given", "kind"), [(torch.zeros(8, 8), "Tensor"), (None, "NoneType"), (b"image", "bytes")])
def test_what_is_no_image_is_refused_with_what_is_allowed(tmp_path, given, kind):
    train_into(tmp_path / "m", CELL, get_protocol("digits", {"epochs": 1}), test=False)
    with pytest.raises(DataFaults, match=f"image 0 is a {kind}; allowed: a path, a Pillow image or a NumPy array"):
        load_model(tmp_path / "m").preprocess(given)


def test_colour_images_become_grey_for_a_grey_model(tmp_path):
    train_into(tmp_path / "m", CELL, get_protocol("digits", {"epochs": 1, "whiten": False}), test=False)
    model = load_model(tmp_path / "m")
    red = np.zeros((8, 8, 3), np.uint8)
    red[:, :, 0] = 200
    assert model.preprocess(red).mean().item() * 255 == pytest.approx(60)  # 0.299 x 200, rounded


@pytest.mark.parametrize(
    "change",
    [
        {"history": {}},
        {"history": {"curves": {}, "train_seconds": 1, "eval_seconds": 1}},
        {"history": []},
        {"identity": 3},
        "short",
        "text",
        "seconds",
    ],
)
def test_a_state_that_contradicts_itself_is_damaged(tmp_path, monkeypatch, change):
    keeper = KeepModel(tmp_path / "m", {"seed": 1}, shown=False)
    curves = {name: [0.5, 0.5] for name in History().curves}
    document = {"identity": {"seed": 1}, "history": {"curves": curves, "train_seconds": 1.0, "eval_seconds": 1.0}}
    tensors = {"network/a": torch.zeros(1)}
    write_document(keeper.state_path, tensors, STATE, json.dumps(document))
    assert keeper.read_state().history.epochs == 2
    match change:
        case "short":
            curves["val_acc"].pop()
        case "text":
            curves["val_acc"] = "abc"
        case "seconds":
            document["history"]["train_seconds"] = "a"
        case _:
            document |= change
    write_document(keeper.state_path, tensors, STATE, json.dumps(document))
    with pytest.raises(InputError, match="is damaged: delete it to start anew"):
        keeper.read_state()


def test_classes_are_matched_by_their_names(tmp_path):
    train_into(tmp_path / "m", CELL, protocol())
    model, data = load_model(tmp_path / "m"), load_data(FAKE)
    expected = score_model(model, data)
    turned = dataclasses.replace(
        data,
        classes=data.classes[::-1],
        test=dataclasses.replace(data.test, labels=len(data.classes) - 1 - data.test.labels),
    )
    found = score_model(model, turned)
    assert (found.confusion == expected.confusion).all()
    assert len(set(expected.confusion.diagonal().tolist())) > 1, "the order of the classes changes the scores"
    assert (found.accuracy, found.loss) == (expected.accuracy, expected.loss)


@pytest.fixture
def deep_data(tmp_path, monkeypatch) -> Callable[..., str]:
    """Writes images of 16 bits of two classes, and gives their text."""
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))

    def write(name: str, brightest: int, kind: type = np.uint16, dark: int = 1000, light: int = 3000) -> str:
        noise = np.random.default_rng(0).integers(-200, 200, (60, 8, 8)) * (dark > 200)
        answers = np.arange(60) % 2
        pixels = np.where(answers[:, None, None], light, dark) + noise
        first = pixels[:40].copy()
        first[0, 0, 0], first[1, 0, 0] = 0, brightest
        arrays = {"x_train": first, "x_test": pixels[40:]}
        labels = {"y_train": answers[:40], "y_test": answers[40:]}
        np.savez(tmp_path / name, **{key: array.astype(kind) for key, array in arrays.items()}, **labels)
        return f"npz:{tmp_path / name}"

    return write


def test_images_of_more_bits_are_scored_by_the_levels_of_the_model(tmp_path, deep_data):
    own, other = deep_data("own.npz", 4095), deep_data("other.npz", 60000)
    expected = train_into(tmp_path / "m", CELL, get_protocol("digits", {"data": own, "epochs": 1, "cells": 1}))
    model = load_model(tmp_path / "m")
    assert model.description.levels == (0, 4095)
    assert score_model(model, load_data(own)).loss == expected.test_loss
    with pytest.raises(InputError, match=r"0 to 60000 became 0 to 255; .* 0 to 4095: write ,levels=0\.\.4095 behind"):
        score_model(model, load_data(other))
    assert score_model(model, load_data(f"{other},levels=0..4095")).loss == expected.test_loss
    shallow = load_data(deep_data("shallow.npz", 255, np.uint8, 60, 190) + ",levels=0..100")
    assert score_model(model, shallow).images == 20, "levels= scales no images of 8 bits"


def test_a_model_of_8_bits_scores_no_images_of_more(tmp_path, deep_data):
    own, deep = deep_data("own.npz", 255, np.uint8, 60, 190), deep_data("deep.npz", 4095)
    train_into(tmp_path / "m", CELL, get_protocol("digits", {"data": own, "epochs": 1, "cells": 1}), test=False)
    with pytest.raises(InputError, match=r"of the model's training images these were 0 to 255: write ,levels=0\.\.255"):
        score_model(load_model(tmp_path / "m"), load_data(deep))
    wide = deep_data("wide.npz", 255, np.int64, 60, 190)  # 8 bits stored in more: nothing is scaled
    score_model(load_model(tmp_path / "m"), load_data(wide))


def test_the_levels_that_are_asked_for_are_those_of_the_model_to_the_bit(tmp_path, deep_data):
    own, other = deep_data("own.npz", 4095), deep_data("other.npz", 60000)
    levels = (float(np.float32(0.1)), 1e-7 + 3)
    train_into(tmp_path / "m", CELL, get_protocol("digits", {"data": own, "epochs": 1, "cells": 1}), test=False)
    model = load_model(tmp_path / "m")
    model.description = model.description.model_copy(update={"levels": levels})
    with pytest.raises(InputError, match="write ,levels=") as refused:
        score_model(model, load_data(other))
    written = str(refused.value).partition("write ")[2].split()[0]
    assert load_data(other + written).reading.levels == levels
