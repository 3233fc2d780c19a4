"""From a folder with every oddity to an exported network: what is read, refused and reported, and equal predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Done
from commands import nasbench as command
from odd_images import add_corrupt, coloured, make_odd_folder, save
from onnx_exports import require_onnx_export
from PIL import Image

import nasbench
from nasbench.models.preprocessing import read_pictures

LIMIT = 100_000
SEARCH = ("--space", "nasnet:blocks=2", "--strategy", "random", "--budget", "3 children", "--final", "none")
SHORT = ("--protocol", "images", "--set", "epochs=2", "--set", "filters=16")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that can be wrong, below a folder for the outputs."""
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))
    root = make_odd_folder(tmp_path / "odd")
    add_corrupt(root)
    (root / "train" / "emu").mkdir()
    save(root / "train" / "fox" / "0.png", coloured(90))
    (root / "train" / "dog" / "round").symlink_to(root / "train" / "dog")
    return root


def lines_of(done: Done) -> list[str]:
    assert done.code == 2, done
    return [line.strip() for line in done.err.splitlines()]


def readable(root: Path) -> list[str]:
    """The images of a folder that Pillow reads, those that were left out of the data among them."""
    found = []
    for path in sorted(path for path in root.rglob("*.*") if path.is_file()):
        try:
            with Image.open(path) as image:
                image.load()
        except (OSError, SyntaxError):
            continue
        found.append(str(path))
    return found


def test_what_is_wrong_is_refused_together_and_what_is_odd_is_reported(folder: Path) -> None:
    refused = lines_of(command("data", "show", f"folder:{folder},size=8"))
    assert refused[0].endswith("cannot be used: 9 faults")
    assert sorted(line.split(" ", 1)[0] for line in refused[1:] if line.startswith("train/")) == [
        *(f"train/cat/broken0{number}.png" for number in range(3)),
        "train/cat/gone.png",
        "train/dog/empty.jpg",
        "train/dog/half.bmp",
        "train/dog/round",
    ]
    assert "class 'emu' has no images; add some, or write ,missing=allow" in refused
    assert "class 'fox' has no test images; add some, or write ,missing=allow" in refused
    assert any(
        "30x20 pixels" in line and ",size=32" in line for line in lines_of(command("data", "show", f"folder:{folder}"))
    )
    done = command("data", "show", f"folder:{folder},size=8,corrupt=skip,missing=allow")
    assert done.code == 0, done
    for words in (
        "21 training + 2 validation + 4 test images",
        "train, val (the validation images of every protocol) and test",
        "grey levels 0 to 4095 (the range of the training images) became 0 to 255",
        "1 image(s) turned upright by their EXIF orientation",
        "1 file(s) with several frames: the first was taken",
        "1 image(s) with transparency, which was dropped",
        "resized to 8x8 pixels",
        "2 hidden: train/.thumbnails",
        "7 not decodable: ",
        "1 beside train/: drafts",
        "1 in no class folder: train/stray.png",
        "1 with ending '.txt', which Pillow does not read: train/cat/notes.txt",
    ):
        assert words in done.out
    assert [line.split()[0] for line in done.out.splitlines()[-3:]] == ["cat", "dog", "fox"]


@pytest.mark.slow
@pytest.mark.timeout(600)  # of a busy machine
def test_a_network_of_odd_images_is_searched_trained_exported_and_predicts_the_same(
    folder: Path, tmp_path: Path
) -> None:
    require_onnx_export()
    import onnxruntime

    data = f"folder:{folder},size=8,corrupt=skip,missing=allow"
    results, model_file, export = (str(tmp_path / name) for name in ("a.h5", "m.safetensors", "m.onnx"))

    searched = command("run", *SEARCH, *SHORT, "--data", data, "--where-arch", f"params <= {LIMIT}", "-o", results)
    assert searched.code == 0, searched
    said = searched.err.splitlines()
    assert said[0].startswith("data folder-odd: 3 classes, 21 training + 2 validation + 4 test images, 3x8x8, digest ")
    assert "file(s) left out, see: nasbench data show" in said[0]
    assert said[1].startswith("protocol images+ for 21 training images of 8x8: batch_size=16, crop_from=10")
    children = nasbench.open(results).frame(stage="search")
    assert len(children) == 3
    assert children["params"].max() <= LIMIT
    space, scale = (
        nasbench.get_space("nasnet:blocks=2"),
        nasbench.get_protocol("images", {"filters": 16}).scale(8, 3, 3),
    )
    rng = np.random.default_rng(0)
    assert any(space.count(space.random(rng), scale).params > LIMIT for _ in range(100)), "the limit matters"

    trained = command("train", f"{results}:best", "--set", "epochs=4", "-o", model_file)
    assert trained.code == 0, trained
    exported = command("export-model", model_file, "-o", export)
    assert exported.code == 0, exported

    pictures = readable(folder)
    endings = {Path(path).suffix.lower() for path in pictures}
    assert endings == {".gif", ".jfif", ".jpg", ".tga", ".jp2", ".webp", ".png"}
    predicted = command("predict", model_file, *pictures, "--form", "json", "--top", "3")
    assert predicted.code == 0, predicted
    model = nasbench.load_model(model_file)
    by_torch = model(model.preprocess(pictures)).softmax(1).detach().numpy()
    session = onnxruntime.InferenceSession(export, providers=["CPUExecutionProvider"])
    logits, by_onnx = session.run(["logits", "probabilities"], {"images": read_pictures(pictures, model.description)})
    assert np.abs(by_onnx - by_torch).max() <= 1e-5
    assert logits.shape == (len(pictures), 3)
    for each, row in zip(json.loads(predicted.out), by_torch, strict=True):
        values = {entry["class"]: entry["probability"] for entry in each["classes"]}
        assert [values[name] for name in model.classes] == pytest.approx(row.tolist(), abs=1e-6)
    assert by_torch.std(axis=0).max() > 1e-3, "images are told apart"
