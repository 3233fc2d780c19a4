"""Model files are checked before they are used, and never replace another kind of file."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nasbench.errors import InputError, MissingData
from nasbench.models.files import MODEL
from nasbench.models.loading import load_model
from nasbench.models.predicting import probabilities
from nasbench.models.training import train_into
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space

CELL = get_space("nasbench201").decode([3, 3, 1, 0, 2, 1])
SHORT = get_protocol("digits", {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    train_into(path, CELL, SHORT)
    return path


def document_of(path: Path) -> dict:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"][MODEL])


def changed(made: Path, path: Path, **fields) -> Path:
    """A copy whose description has other values."""
    document = {**document_of(made), **fields}
    save_file(load_file(made), path, {MODEL: json.dumps(document)})
    return path


def test_an_unchanged_copy_is_loaded(made, tmp_path):
    assert load_model(changed(made, tmp_path / "copy")).classes == ("class0", "class1", "class2")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"format": 2}, "has format 2"),
        ({"extra": 1}, "no field 'extra'"),
        ({"space": "nowhere"}, "unknown space 'nowhere'"),
        ({"space": "nasbench201:depth=9"}, "no option 'depth'"),
        ({"choices": [9, 9, 9, 9, 9, 9]}, "takes 0 to 4, got 9"),
        ({"choices": [0, 0, 0, 0, 0, 0]}, "its architecture has the hash"),
        ({"network_version": 99}, "networks of version 1 to"),
        ({"classes": ["a"]}, "classes: "),
        ({"classes": ["a", "a", "b"]}, "two classes have the same name"),
        ({"classes": ["a", "b", "c", "d"]}, "weight '.*' is torch.float32"),
        ({"image_channels": 2}, "mean and deviation need 2 values"),
        ({"deviation": [0.0]}, "deviation.0: "),
        ({"mean": ["x"]}, "mean.0: "),
        ({"image_size": 10**9}, "image_size: "),
        ({"protocol": 7}, "no JSON object with a protocol"),
        ({"classes": ["\ud800", "b", "c"]}, "has a name that is no text"),
        ({"levels": [5, 1]}, "levels should be in order"),
    ],
)
def test_a_description_that_is_wrong_is_refused_in_one_line(made, tmp_path, fields, why):
    path = changed(made, tmp_path / "wrong", **fields)
    with pytest.raises(InputError, match=why) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_small_file_cannot_ask_for_a_huge_network(made, tmp_path):
    protocol = {**document_of(made)["protocol"], "filters": 10**6, "cells": 10**4}
    with pytest.raises(InputError, match="parameters, but the file holds"):
        load_model(changed(made, tmp_path / "huge", protocol=protocol))


def test_a_small_file_cannot_ask_for_hours_of_counting(made, tmp_path):
    protocol = {**document_of(made)["protocol"], "cells": 10**9}
    with pytest.raises(InputError, match="1,000,000,000 cells per stage; at most 10,000"):
        load_model(changed(made, tmp_path / "deep", protocol=protocol))


def test_results_that_are_no_numbers_are_no_predictions(made, tmp_path):
    model = load_model(changed(made, tmp_path / "x", deviation=[1e-320] * 3))
    with pytest.raises(InputError, match="results are no finite numbers"):
        probabilities(model, model.preprocess(np.zeros((8, 8, 3), np.uint8)))


def test_images_larger_than_the_memory_are_an_error_in_one_line(made, monkeypatch):
    def exhausted(images):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    model = load_model(made)
    monkeypatch.setattr(model.network, "forward", exhausted)
    with pytest.raises(InputError, match="memory is exhausted by images of"):
        probabilities(model, torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(("path", "why"), [("x" * 300, "File name too long"), ("file/m.safetensors", "File exists")])
def test_names_that_cannot_be_written_are_said_before_the_training(tmp_path, monkeypatch, path, why):
    (tmp_path / "file").touch()
    monkeypatch.setattr("nasbench.models.training.evaluate", lambda *_: pytest.fail("it was trained"))
    with pytest.raises(InputError, match=why):
        train_into(tmp_path / path, CELL, SHORT)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "type", "nan"])
def test_weights_that_are_not_the_networks_are_refused(made, tmp_path, change):
    weights = load_file(made)
    name = next(name for name, tensor in weights.items() if tensor.dim() == 4)
    match change:
        case "missing":
            weights["more"] = weights.pop(name)
        case "extra":
            weights["more"] = torch.zeros(1)
        case "shape":
            weights[name] = weights[name].flatten()
        case "type":
            weights[name] = weights[name].double()
        case "nan":
            weights[name] = torch.full_like(weights[name], float("nan"))
    save_file(weights, tmp_path / "other", {MODEL: json.dumps(document_of(made))})
    with pytest.raises(InputError, match=r"weights are missing|not of its network|is torch\.float|no finite numbers"):
        load_model(tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100, struct.pack("<Q", 2**60) + b"{}"])
def test_other_files_are_no_models(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match="no model file, or damaged"):
        load_model(tmp_path / "x")


def test_a_file_that_is_cut_is_refused(made, tmp_path):
    (tmp_path / "cut").write_bytes(made.read_bytes()[:-10])
    with pytest.raises(InputError, match="no model file, or damaged"):
        load_model(tmp_path / "cut")


def test_other_safetensors_and_missing_files_are_named(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(InputError, match="no model file of nasbench"):
        load_model(tmp_path / "other")
    with pytest.raises(MissingData, match="nasbench train makes one"):
        load_model(tmp_path / "nothing")


def test_a_pickle_is_not_run(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="no model file, or damaged"):
        load_model(tmp_path / "model.pt")


def test_another_kind_of_file_is_never_replaced(tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(InputError, match="another kind of file, which is not replaced"):
        train_into(path, CELL, SHORT, replace=True)
    (tmp_path / "m.training").write_text("notes")
    with pytest.raises(InputError, match=r"m\.training' exists and is another kind of file"):
        train_into(tmp_path / "m", CELL, SHORT)
    assert path.read_text() == "years of work"
    with pytest.raises(InputError, match="is not a file"):
        train_into(tmp_path, CELL, SHORT)


def test_a_model_is_replaced_only_when_asked(made):
    before = made.read_bytes()
    with pytest.raises(InputError, match="give --replace"):
        train_into(made, CELL, SHORT, seed=1)
    assert made.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot write"):
        train_into(tmp_path / "m", CELL, SHORT)
