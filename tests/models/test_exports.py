"""An exported network computes what the network computes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from packaging.version import Version

import nasbench.models.exporting
from nasbench.errors import InputError, MissingExtra
from nasbench.models.exporting import OLDEST_TORCH, TOLERANCE, export_model
from nasbench.models.loading import load_model
from nasbench.models.predicting import probabilities
from nasbench.models.training import train_into
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import SPACES, get_space


def made(folder, name: str, seed: int = 1):
    space = get_space(name)
    changes = {"data": "fake:images=96,size=16,classes=3", "epochs": 1, "cells": 1, "filters": 4}
    train_into(folder / "m", space.random(np.random.default_rng(seed)), get_protocol("digits", changes), test=False)
    return load_model(folder / "m")


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["nasbench201", *sorted(set(SPACES) - {"nasbench201"})])
def test_onnx_of_every_space_gives_the_networks_probabilities(tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    if Version(torch.__version__) < Version(OLDEST_TORCH):
        with pytest.raises(InputError, match=r"use torch 2\.8 or newer"):
            export_model(made(tmp_path, name), tmp_path / "m.onnx")
        pytest.skip(f"torch {torch.__version__} does not export to ONNX")
    model = made(tmp_path, name)
    channels = model.description.image_channels
    assert export_model(model, tmp_path / "m.onnx") <= TOLERANCE
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 2, 33):
        images = pictures(count)[:, :channels]
        logits, found = session.run(["logits", "probabilities"], {"images": images})
        expected = probabilities(model, model.preprocess(list(images.transpose(0, 2, 3, 1)))).numpy()
        assert np.abs(found - expected).max() <= 1e-5
        assert logits.shape == (count, 3)
    assert export_model(model, tmp_path / "m.onnx", replace=True) <= TOLERANCE
    stored = session.get_modelmeta().custom_metadata_map
    assert json.loads(stored["nasbench.model"])["hash"] == model.description.hash
    assert json.loads(stored["classes"]) == list(model.classes)


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["nasbench201", *sorted(set(SPACES) - {"nasbench201"})])
def test_pt2_of_every_space_gives_the_networks_probabilities(tmp_path, name):
    model = made(tmp_path, name)
    assert export_model(model, tmp_path / "m.pt2") <= TOLERANCE
    extra = {"nasbench.model.json": ""}
    program = torch.export.load(tmp_path / "m.pt2", extra_files=extra)
    images = pictures(5)[:, : model.description.image_channels]
    with torch.no_grad():
        _, found = program.module()(torch.from_numpy(images))
    expected = probabilities(model, model.preprocess(list(images.transpose(0, 2, 3, 1))))
    assert (found - expected).abs().max() <= 1e-5
    assert json.loads(extra["nasbench.model.json"])["hash"] == model.description.hash


def test_an_export_that_differs_is_not_written(tmp_path, monkeypatch):
    model = made(tmp_path, "nasbench201")
    monkeypatch.setattr(nasbench.models.exporting, "TOLERANCE", -1.0)
    with pytest.raises(InputError, match="nothing was written"):
        export_model(model, tmp_path / "m.pt2")
    assert not (tmp_path / "m.pt2").exists()


@pytest.mark.slow
def test_endings_existing_files_and_missing_packages_are_named(tmp_path, monkeypatch):
    model = made(tmp_path, "nasbench201")
    with pytest.raises(InputError, match=r"allowed: \.onnx, \.pt2"):
        export_model(model, tmp_path / "m.tflite")
    (tmp_path / "m.onnx").write_text("mine")
    with pytest.raises(InputError, match="no export of nasbench, so it is not replaced"):
        export_model(model, tmp_path / "m.onnx", replace=True)
    assert export_model(model, tmp_path / "m.pt2") <= TOLERANCE
    for ending in (".onnx", ".pt2"):
        notes = tmp_path / f"notes{ending}"
        notes.write_text("my notes on nasbench.model")
        with pytest.raises(InputError, match="no export of nasbench, so it is not replaced"):
            export_model(model, notes, replace=True)
    with pytest.raises(InputError, match="give --replace"):
        export_model(model, tmp_path / "m.pt2")
    assert export_model(model, tmp_path / "m.pt2", replace=True) <= TOLERANCE
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[onnx\]"):
        export_model(model, tmp_path / "new.onnx")


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'a.b'"), RuntimeError("no\nconversion")])
def test_packages_that_do_not_work_together_are_one_line(tmp_path, monkeypatch, error):
    pytest.importorskip("onnxscript")
    model = made(tmp_path, "nasbench201")

    monkeypatch.setattr("nasbench.models.exporting.OLDEST_TORCH", "2")

    def failing(*_, **__):
        raise RuntimeError("the exporter's long report") from error

    monkeypatch.setattr(torch.onnx, "export", failing)
    with pytest.raises(
        InputError, match=r"cannot export this network to ONNX .*pip install --upgrade torch onnxscript"
    ) as caught:
        export_model(model, tmp_path / "m.onnx")
    assert f"({type(error).__name__}: {str(error).splitlines()[0]})" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.onnx").exists()


def test_a_torch_that_is_too_old_for_onnx_is_said(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.setattr("nasbench.models.exporting.OLDEST_TORCH", "99.0")
    with pytest.raises(InputError, match=r"use torch 99\.0 or newer, or export to a name ending in \.pt2"):
        export_model(made(tmp_path, "nasbench201"), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
