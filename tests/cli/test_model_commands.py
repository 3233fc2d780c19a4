"""`nasbench train`, `predict`, `evaluate` and `export-model`, from a folder of images to predictions."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench
from odd_images import make_deep_folder
from onnx_exports import require_onnx_export
from PIL import Image
from safetensors.numpy import load_file
from searching import search, tiny_plan

import nasbench as suite
from nasbench.data import load_data

CELL = suite.get_space("nasbench201").decode([3, 3, 1, 0, 2, 1]).to_json()
SHORT = ("--set", "epochs=2", "--set", "filters=4")


@pytest.fixture(scope="module")
def pets(tmp_path_factory) -> Path:
    """A folder of two classes: bright and dark images, of two sizes."""
    root, rng = tmp_path_factory.mktemp("images") / "pets", np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 6)):
        for name, level in (("bright", 200), ("dark", 40)):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(level - 30, level + 30, (12, 10 + index % 2, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def model(pets, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    data = f"folder:{pets},size=8"
    done = nasbench(
        "train", CELL, "--data", data, *SHORT, "--set", "validation=0.2", "--set", "epochs=6", "-o", str(path)
    )
    assert done.code == 2  # an option that is given twice
    assert "given twice" in done.err
    words = ("--set", "epochs=8", "--set", "validation=0.2", "--set", "filters=4")
    done = nasbench("train", CELL, "--data", data, *words, "-o", str(path), "--curves", str(path.with_name("c.png")))
    assert done.code == 0, done
    assert "epoch 8/8: train_loss" in done.err
    assert path.with_name("c.png").stat().st_size > 1000
    assert path.with_name("c.csv").read_text().count("\n") == 9
    return path


def test_the_best_child_of_a_file_and_a_copy_of_it_is_trained_as_that_of_the_file(tmp_path):
    """Both hold the run and its configuration."""
    search(tiny_plan(budget="2 children", final="none"), tmp_path / "a.h5")
    shutil.copy(tmp_path / "a.h5", tmp_path / "copy.h5")
    for names in (("a.h5:best",), ("a.h5:best", str(tmp_path / "copy.h5"))):
        out = tmp_path / f"{len(names)}.safetensors"
        done = nasbench("train", str(tmp_path / names[0]), *names[1:], "-o", str(out))
        assert done.code == 0, done.err
    one, two = (load_file(tmp_path / f"{count}.safetensors") for count in (1, 2))
    assert one.keys() == two.keys()
    assert all(np.array_equal(values, two[name]) for name, values in one.items())


def test_a_child_that_stopped_early_is_trained_on_and_a_note_says_so(tmp_path):
    fields = {"data": "fake:images=96,size=8,classes=3", "epochs": 3, "filters": 4, "validation": 0.5}
    search(tiny_plan(strategy="successive_halving", set=fields, budget="1 children", final="none"), tmp_path / "a.h5")
    row = suite.open(tmp_path / "a.h5").frame().iloc[0]
    assert row["stop_epoch"] == 1
    for name, words in enumerate(((f"{tmp_path / 'a.h5'}:best",), (row["hash"], str(tmp_path / "a.h5")))):
        done = nasbench("train", *words, "--no-test", "-o", str(tmp_path / f"{name}.safetensors"))
        assert done.code == 0, done.err
        assert "stopped this child after epoch 1; it is trained over all 3 epochs of its protocol" in done.out
    model = suite.load_model(tmp_path / "0.safetensors").description
    assert model.curves["val_acc"][0] == row["val_acc"], "the same training, which goes on"
    assert len(model.curves["val_acc"]) == 3
    done = nasbench(
        "train", row["hash"], str(tmp_path / "a.h5"), "--set", "epochs=1", "-o", str(tmp_path / "c.safetensors")
    )
    assert "stopped this child" not in done.out


def test_images_are_predicted_as_table_csv_and_json(model, pets, tmp_path):
    bright, dark = str(pets / "test" / "bright" / "0.png"), str(pets / "test" / "dark" / "1.png")
    table = nasbench("predict", str(model), bright, dark)
    assert table.code == 0, table
    assert [line.split()[:2] for line in table.out.splitlines()[1:]] == [[bright, "bright"], [dark, "dark"]]
    rows = list(csv.DictReader(nasbench("predict", str(model), bright, dark, "--form", "csv").out.splitlines()))
    assert [(row["image"], row["rank"], row["class"]) for row in rows[:2]] == [
        (bright, "1", "bright"),
        (bright, "2", "dark"),
    ]
    assert sum(float(row["probability"]) for row in rows[:2]) == pytest.approx(1)
    target = tmp_path / "out" / "p.json"
    done = nasbench("predict", str(model), str(pets / "test"), "--top", "1", "--form", "json", "-o", str(target))
    assert done.code == 0, done
    assert nasbench("predict", str(model), str(pets / "test"), "--form", "csv", "-o", str(target)).code == 2
    found = json.loads(target.read_text())
    assert len(found) == 12
    assert all(Path(each["image"]).parent.name == each["classes"][0]["class"] for each in found)


def test_hidden_files_of_a_folder_are_not_predicted(model, pets, tmp_path):
    for name in ("cat.png", ".thumb.png", ".thumbnails/0.png", "__MACOSX/0.png", "more/dog.png"):
        (tmp_path / ".pets" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pets / "test" / "dark" / "0.png", tmp_path / ".pets" / name)
    (tmp_path / ".pets" / "._cat.png").write_bytes(b"left by another system")
    done = nasbench("predict", str(model), ".pets", "--top", "1", "--form", "csv", cwd=tmp_path)
    assert done.code == 0, done
    assert [row["image"] for row in csv.DictReader(done.out.splitlines())] == [".pets/cat.png", ".pets/more/dog.png"]
    alone = nasbench("predict", str(model), ".pets/.thumb.png", "--top", "1", "--form", "csv", cwd=tmp_path)
    assert [row["image"] for row in csv.DictReader(alone.out.splitlines())] == [".pets/.thumb.png"]


def test_python_and_the_command_line_predict_the_same(model, pets):
    loaded = suite.load_model(model)
    image = pets / "test" / "dark" / "0.png"
    expected = loaded(loaded.preprocess(image)).softmax(1)[0].max().item()
    (row,) = csv.DictReader(nasbench("predict", str(model), str(image), "--top", "1", "--form", "csv").out.splitlines())
    assert float(row["probability"]) == pytest.approx(expected, abs=1e-6)


def test_images_that_cannot_be_read_are_lines_and_the_code_is_2(model, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    done = nasbench("predict", str(model), str(tmp_path / "broken.png"), str(tmp_path / "nothing.png"))
    assert done.code == 2
    assert "broken.png is no image that Pillow can read" in done.err
    assert "nothing.png is not there" in done.err
    (tmp_path / "empty").mkdir()
    assert "has no image files" in nasbench("predict", str(model), str(tmp_path / "empty")).err


def test_a_folder_is_scored_by_class_with_a_picture(model, pets, tmp_path):
    picture = tmp_path / "confusion.png"
    done = nasbench(
        "evaluate", str(model), f"folder:{pets},size=8", "-o", str(picture), "--csv", str(tmp_path / "m.csv")
    )
    assert done.code == 0, done
    assert "accuracy 1.0000 (95% interval 0.7" in done.out
    assert ["dark", "6", "6", "1", "1"] in [line.split() for line in done.out.splitlines()]
    with Image.open(picture) as image:
        assert min(image.size) > 300
    assert (tmp_path / "m.csv").read_text().splitlines() == ["class,bright,dark", "bright,6,0", "dark,0,6"]
    facts = json.loads(nasbench("evaluate", str(model), f"folder:{pets},size=8", "--part", "all", "--json").out)
    assert (facts["images"], facts["classes"], np.sum(facts["confusion"])) == (72, ["bright", "dark"], 72)


def test_data_that_do_not_fit_are_refused_in_a_line(model, pets):
    for data, why in ((f"folder:{pets},size=16", "size=8"), ("digits", "10 class(es) that the model does not know")):
        done = nasbench("evaluate", str(model), data)
        assert done.code == 2
        assert why in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("train", "nothing", "-o", "m.safetensors"), "unknown architecture"),
        (("train", "a.h5", "-o", "m.safetensors"), "say which child: a.h5:best"),
        (("train", "a.h5:best", "-o", "m.safetensors"), "a.h5"),
        (("train", ":best", "-o", "m.safetensors"), "names no results file"),
        (
            ("train", CELL, "--data", "digits", "--set", "data=cifar10", "-o", "m.safetensors"),
            "'digits' and --set data='cifar10'",
        ),
        (("train", CELL, "--protocol", "digitz", "-o", "m.safetensors"), "did you mean 'digits'"),
        (("predict", "nothing", "x.png"), "no model file 'nothing'"),
        (("evaluate", "nothing", "digits"), "no model file 'nothing'"),
        (("export-model", "nothing", "-o", "m.onnx"), "no model file 'nothing'"),
    ],
)
def test_mistakes_are_one_line_and_the_code_is_2(tmp_path, words, why):
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 2
    assert why in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_images_of_16_bits_are_predicted_with_the_levels_of_the_training_images(tmp_path):
    root = make_deep_folder(tmp_path / "deep")
    data = f"folder:{root}"
    size = load_data(data).size
    path = str(tmp_path / "m.safetensors")
    done = nasbench("train", CELL, "--data", data, "--set", "validation=0.3", *SHORT, "-o", path)
    assert done.code == 0, done
    model = suite.load_model(path)
    assert model.description.levels is not None
    assert model.description.image_size == size
    image = next(file for file in sorted((root / "test").rglob("*.png")))
    low, high = model.description.levels
    with Image.open(image) as opened:
        levels = np.asarray(opened).astype(float)
    expected = np.rint(np.clip((levels - low) * 255 / (high - low), 0, 255))
    whitened = (expected - model.description.mean[0]) / model.description.deviation[0]
    assert np.allclose(model.preprocess(image)[0, 0].numpy(), whitened, atol=1e-4)


@pytest.mark.slow
def test_a_hash_is_trained_as_its_search_trained_it(tmp_path):
    results = str(tmp_path / "a.h5")
    words = ("--space", "nasbench201", "--strategy", "random", "--budget", "2 children", "--final", "none")
    assert nasbench("run", *words, "--seed", "4", *SHORT, "-o", results).code == 0
    row = suite.open(results).frame().iloc[0]
    done = nasbench("train", row["hash"][:8], results, "-o", str(tmp_path / "m.safetensors"), "--no-test")
    assert done.code == 0, done
    found = suite.load_model(tmp_path / "m.safetensors").description
    assert (found.seed, found.fingerprint, found.scores["val_acc"]) == (4, row["fingerprint"], row["val_acc"])
    assert found.scores["test_acc"] is None
    done = nasbench("train", row["hash"][:8], results, "--set", "epochs=1", "-o", str(tmp_path / "n.safetensors"), "-q")
    assert done.code == 0, done
    assert done.err == ""
    assert suite.load_model(tmp_path / "n.safetensors").description.protocol.epochs == 1


@pytest.mark.slow
def test_the_export_is_said_with_its_difference(model, tmp_path):
    require_onnx_export()
    done = nasbench("export-model", str(model), "-o", str(tmp_path / "m.onnx"))
    assert done.code == 0, done
    assert "results differ by at most" in done.out


def test_pictures_and_predictions_replace_only_their_own(model, pets, tmp_path):
    data, photo = f"folder:{pets},size=8", tmp_path / "photo.png"
    before = (pets / "test" / "dark" / "0.png").read_bytes()
    photo.write_bytes(before)
    done = nasbench("evaluate", str(model), data, "-o", str(photo))
    assert done.code == 2
    assert "exists and is no earlier picture" in done.err
    assert photo.read_bytes() == before
    assert list(tmp_path.iterdir()) == [photo]
    words = ("train", CELL, "--data", data, "--set", "validation=0.2", *SHORT)
    for name, why in (("m.safetensors", "no earlier picture"), ("m.png", "must be one of .safetensors")):
        done = nasbench(*words, "-o", str(tmp_path / name), "--curves", str(photo))
        assert (done.code, done.out) == (2, "")
        assert why in done.err
    assert nasbench(*words, "-o", str(tmp_path / "m.safetensors"), "--curves", str(tmp_path / "a.csv")).code == 2
    assert list(tmp_path.iterdir()) == [photo]
    mine = tmp_path / "mine.json"
    mine.write_text('["mine"]')
    assert nasbench("predict", str(model), str(photo), "--form", "json", "-o", str(mine)).code == 2
    assert mine.read_text() == '["mine"]'
    for _ in range(2):
        assert nasbench("evaluate", str(model), data, "-o", str(tmp_path / "c.png")).code == 0
        assert nasbench("predict", str(model), str(photo), "--form", "json", "-o", str(tmp_path / "p.json")).code == 0


def test_names_of_images_may_be_any_bytes(model, pets, tmp_path):
    odd = tmp_path / os.fsdecode(b"a\nb\xff.png")
    odd.write_bytes((pets / "test" / "dark" / "0.png").read_bytes())
    for words in ((), ("--form", "csv"), ("--form", "json"), ("-o", str(tmp_path / "p.csv"))):
        done = nasbench("predict", str(model), str(odd), "--top", "1", *words)
        assert done.code == 0, done
        done.out.encode()
    (row,) = csv.DictReader((tmp_path / "p.csv").read_text().splitlines(keepends=True))
    assert row["image"] == str(tmp_path / "a\\nb\\udcff.png")
    assert row["class"] == "dark"
