"""Results files, model files and folders that commands write: what becomes of what is there, as docs/commands.md says."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_inputs import limit
from commands import Done, nasbench
from full_disk import files_of_at_most
from image_folders import make_image_folder
from import_samples import FEW, SAMPLES
from nats_records import small_record
from output_calls import APPENDED, CELL, IMAGES, OTHERS, PATHS, QUICK_TRAINING, REFUSED, RESULTS
from store_rows import write
from tfrecords import evaluation, metrics, record
from tfrecords import write as write_records

from nasbench.data.source_files import is_in_source
from nasbench.spaces import get_space
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.tabular.surrogates import fitting
from nasbench.tabular.surrogates.files import is_surrogate, read_surrogate

CLAIMS = Path(__file__).parents[2] / "results" / "claims.h5"
QUICK_RUN = ("--executor", "inline", "--final", "none", *QUICK_TRAINING)
SEARCH = ("--space", "nasbench201", "--strategy", "random", "--budget", "1 child", *QUICK_RUN)
SUITE = """
[search]
space = "nasbench201"
strategy = "random"
budget = "1 child"
executor = "inline"
final = "none"
set = { epochs = 1, filters = 4, data = "fake:images=96,size=8,classes=3" }
[matrix]
seed = [5]
"""
TABLE = ("--space", "nasbench201", "--map", "architecture=cell", "--map", "val_acc=score", "--set", "data=cifar10")
TREES = (
    "--data",
    "folder:trees",
    "--pixels",
    "24",
    "--train",
    "--protocol",
    "nasnet-imagenet-mobile",
    "--workers",
    "0",
)
SHORT = ("--set", "epochs=1", "--set", "batch_size=4", "--set", "replica_batch=4", "--set", "precision=float32")
CALLS = {
    "run": SEARCH,
    "suite run": ("tiny.toml",),
    "rerun": ("RUN", "trained.h5"),
    "latency": (CELL, "--repetitions", "1", "--warm-up", "0"),
    "build": (
        "--space",
        "nasbench201",
        "--seeds",
        "1",
        "--devices",
        "cpu",
        *QUICK_TRAINING[:4],
        "--set",
        f"data={IMAGES}",
    ),
    "fit": ("claims.h5", "--folds", "2"),
    "merge": ("other.h5",),
    "csv": ("in.csv", *TABLE, "--set", "protocol=theirs"),
    "parquet": ("in.parquet", *TABLE, "--set", "protocol=theirs"),
    "nasbench101": ("in.tfrecord",),
    "nasbench201": ("in.json",),
    "train": (CELL, *QUICK_TRAINING),
    "export-model": ("model.safetensors",),
    "transfer": (
        get_space("nasnet:blocks=1").random(np.random.default_rng(0)).to_json(),
        "--sizes",
        "1@32",
        *TREES,
        *SHORT,
    ),
    "write": ("digits",),
    "measure": ("random", "--seeds", "2", "--options-tried", "0"),
    "leaderboard": ("--reference",),
    # Their sources, which `inputs` writes, and their options.
    **dict.fromkeys(("json", "optuna", "synetune", "nats-bench"), ()),
    **dict.fromkeys(("accel-nasbench", "hw-latency", "nasbench-macro", "suite-zero", "transnas"), ()),
}
ENDINGS = {"train": ".safetensors", "export-model": ".pt2"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an input for each of the commands; nothing in it was trained."""
    folder = tmp_path_factory.mktemp("inputs")
    for name, count in (("a", 3), ("other", 2), ("trained", 1)):
        write(folder / f"{name}.h5", count)
    (folder / "model.safetensors").write_bytes(b"mine")
    shutil.copy(CLAIMS, folder)
    table = pd.DataFrame({"cell": [json.dumps([3, 3, 1, 0, 2, 1])], "score": [0.5]})
    table.to_csv(folder / "in.csv", index=False)
    table.to_parquet(folder / "in.parquet", index=False)
    (folder / "in.json").write_text(json.dumps([small_record()]))
    evaluations = [evaluation(at, 50.0 * at, 0.5, 0.6, 0.7) for at in (0.0, 1.0, 2.0)]
    cell = ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])
    write_records(folder / "in.tfrecord", [record("0", 108, *cell, metrics(evaluations, 1000, 110.5))])
    (folder / "tiny.toml").write_text(SUITE)
    make_image_folder(folder / "trees")
    (folder / "victim").write_bytes(b"mine")
    for name in [name for name, words in CALLS.items() if not words]:
        (folder / f"of-{name}").mkdir()
        source, *options = SAMPLES[name](folder / f"of-{name}", 0)[1:]
        CALLS[name] = (str(Path(source).relative_to(folder)), *options)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search and a network that were trained."""
    folder = tmp_path_factory.mktemp("trained")
    assert nasbench("run", *SEARCH, "-o", "trained.h5", cwd=folder).code == 0
    assert nasbench("train", CELL, *QUICK_TRAINING, "-o", "model.safetensors", cwd=folder).code == 0
    return folder


@pytest.fixture
def folder(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    one = [get_space("nasbench201").decode([3, 3, 1, 0, 2, 1])]  # a table of all would take hours
    monkeypatch.setattr("nasbench.runners.tables.build.distinct_architectures", lambda _: one)
    few = list(itertools.islice(get_space("nasbench201").enumerate(), FEW))
    for model in (fitting.BOOSTING, fitting.FOREST):
        monkeypatch.setitem(model, "n_estimators", 2)
    monkeypatch.setattr("nasbench.tabular.importers.hw_latency._cells", lambda: [(cell, cell.hash) for cell in few])
    return tmp_path


def call(folder: Path, name: str, target: str, *more: str, given: str = "", unread: bool = False) -> Done:
    """Run a command with an output, with another input in the place of its first one if that is given."""
    words = [*CALLS[name], *more]
    if given:
        words[0] = given
    if name == "rerun":
        with Results(folder / "trained.h5") as results:
            words[0] = results.runs()["run"].iloc[0]
    named = () if name == "write" else ("-o",)
    return nasbench(*PATHS[name], *words, *named, target, cwd=folder, unread=unread)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder; where links lead is read, too."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, name: str, target: str, *more: str, given: str = "") -> str:
    """Check that a call is refused in one line and changes nothing; returns the line."""
    before = contents(folder)
    done = call(folder, name, target, *more, given=given)
    assert (done.code, done.err.count("error: ")) == (2, 1), done
    assert "Traceback" not in done.err
    assert contents(folder) == before
    return done.err


def rows(path: Path) -> int:
    """Children and measurements of a results file that must be sound; trainings that a surrogate was fitted to."""
    if is_surrogate(path):
        return read_surrogate(path).about.children
    assert check_file(path).sound
    with Results(path) as results:
        return len(results.frame()) + len(results.measurements())


def output_of(name: str, stem: str) -> str:
    return f"{stem}{ENDINGS.get(name, '.h5')}"


@pytest.mark.parametrize("name", [name for name, fate in OTHERS.items() if fate.existing == REFUSED])
def test_a_results_file_is_refused(name, folder):
    shutil.copy(folder / "a.h5", folder / output_of(name, "results"))
    refused(folder, name, output_of(name, "results"))


@pytest.mark.parametrize("name", [name for name, fate in OTHERS.items() if fate.given == REFUSED])
def test_an_input_is_refused(name, folder):
    given = {"rerun": "trained.h5", "merge": "other.h5", "write": "folder:trees", "transfer": ""}
    source = given.get(name, output_of(name, "input"))
    if name not in given:
        shutil.copy(folder / ("victim" if name == "train" else CALLS[name][0]), folder / source)
    if name == "train":
        assert "is the input" in refused(folder, name, source, source, "--replace")
    elif name == "export-model":
        refused(folder, name, source, "--replace", given=source)
    else:
        refused(folder, name, source.removeprefix("folder:") or "a.h5", *(() if source else ("a.h5",)), given=source)


@pytest.mark.parametrize("name", [name for name, fate in OTHERS.items() if fate.ending == REFUSED])
def test_an_unknown_ending_is_refused(name, folder):
    assert ENDINGS.get(name, ".h5") in refused(folder, name, "new.xyz")


@pytest.mark.parametrize("name", OTHERS)
def test_a_link_to_another_file_is_refused(name, folder):
    (folder / output_of(name, "link")).symlink_to(folder / "victim")
    refused(folder, name, output_of(name, "link"))
    assert (folder / output_of(name, "link")).is_symlink()


def written(folder: Path, name: str) -> None:
    """A results file is made in a missing folder; a disk too small leaves nothing that is in the way; then it grows or stays."""
    target = folder / "new/folder/x.h5"
    with files_of_at_most(0):
        refused(folder, name, str(target))
    for size in (300, 1500):
        with files_of_at_most(size):
            done = call(folder, name, str(target))
        assert (done.code, done.err.count("error: "), "Traceback" in done.err) == (2, 1, False), (size, done)
    done = call(folder, name, str(target))
    assert done.code == 0, done
    page = ["x.html"] if name == "measure" else []
    assert sorted(os.listdir(target.parent)) == ["x.h5", *page], "nothing is left of what failed"
    assert rows(target)
    assert call(folder, name, "unread.h5", unread=True).code == 0
    # Rows that were measured before the disk was full are in the first file, too.
    assert rows(target) >= rows(folder / "unread.h5") > 0, "a reader that ends, e.g. head, takes no row away"
    if OTHERS[name].existing != APPENDED:
        refused(folder, name, str(target))
        return
    (folder / "link.h5").symlink_to("a.h5")
    before = rows(folder / "a.h5")
    with files_of_at_most(100 + (folder / "a.h5").stat().st_size):
        assert call(folder, name, "link.h5").code == 2
    assert rows(folder / "a.h5") >= before
    assert call(folder, name, "link.h5").code == 0
    assert rows(folder / "a.h5") > before
    assert (folder / "link.h5").is_symlink()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "measure" else name
        for name, fate in OTHERS.items()
        if fate.full == "nothing is left" and name in RESULTS
    ],
)
def test_new_results_files_are_made_and_leave_nothing_on_a_full_disk(name, folder):
    written(folder, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RESULTS if OTHERS[name].existing == APPENDED])
def test_results_files_are_made_and_grow_also_after_a_full_disk(name, folder, trained):
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    written(folder, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_model_files_are_made_and_stay_on_a_full_disk(name, folder, trained):
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    target = folder / "new/folder" / output_of(name, "x")
    for size in (0, 1000):
        with files_of_at_most(size):
            done = call(folder, name, str(target))
        assert (done.code, done.err.count("error: "), "Traceback" in done.err) == (2, 1, False), (size, done)
    assert call(folder, name, str(target)).code == 0
    assert os.listdir(target.parent) == [target.name], "nothing is left of what failed"
    assert call(folder, name, output_of(name, "unread"), unread=True).code == 0
    assert (folder / output_of(name, "unread")).stat().st_size == target.stat().st_size
    before = target.read_bytes()
    refused(folder, name, str(target))
    with files_of_at_most(1000):
        assert call(folder, name, str(target), "--replace").code == 2
    assert target.read_bytes() == before
    (folder / output_of(name, "link")).symlink_to(target)
    assert call(folder, name, output_of(name, "link"), "--replace").code == 0
    assert not (folder / output_of(name, "link")).is_symlink()
    assert target.read_bytes() == before


def test_a_data_set_is_written_into_a_missing_folder_and_leaves_nothing_on_a_full_disk(folder):
    target = folder / "new/folder/digits"
    for size in (0, 60):
        with files_of_at_most(size):
            done = call(folder, "write", str(target), "--per-class", "2")
        assert (done.code, done.err.count("\n")) == (2, 1), done
        assert "File too large" in done.err
        assert os.listdir(target.parent) == []
    assert call(folder, "write", str(target), "--per-class", "2", unread=True).code == 0
    assert len(list(target.rglob("*.png"))) == 40


@pytest.mark.slow
def test_a_folder_of_a_transfer_is_made_and_keeps_its_record_on_a_full_disk(folder):
    made = folder / "new/transfer"
    assert call(folder, "transfer", str(made)).code == 0
    (inner,) = made.iterdir()
    before = contents(made)
    assert sorted(path.name for path in inner.iterdir()) == ["checkpoint.pt", "record.json"]
    (inner / "checkpoint.pt").unlink()
    for size in (0, 500):
        with files_of_at_most(size):
            done = call(folder, "transfer", str(made))
        assert (done.code, done.err.count("error: "), "Traceback" in done.err) == (2, 1, False), (size, done)
        assert "File too large" in done.err
        assert (inner / "record.json").read_bytes() == before[str(inner / "record.json")]
        assert os.listdir(inner) == ["record.json"]
    (inner / "record.json").write_bytes(b"my notes")
    assert "is no earlier record of a training" in refused(folder, "transfer", str(made))
    (inner / "record.json").unlink()
    (inner / "record.json").symlink_to(folder / "victim")
    assert "is a link" in refused(folder, "transfer", str(made))
    shutil.rmtree(inner)
    inner.symlink_to(folder / "trees", target_is_directory=True)
    assert "is a link" in refused(folder, "transfer", str(made))


@pytest.mark.parametrize("source", ["folder:trees,size=20", "csv:list.csv", "csv:sub/../list.csv=mine"])
def test_no_image_and_no_table_of_the_data_is_replaced(source, folder):
    (folder / "sub").mkdir()
    image = next((folder / "trees/train").rglob("*.png"))
    (folder / "list.csv").write_text(f"path,label\n{image},a\nelsewhere.png,b\n")
    targets = [str(image)] + ([] if source.startswith("folder") else ["list.csv"])
    for target in targets:
        option = "--csv" if target.endswith(".csv") else "-o"
        for more in ((), ("--force",)):
            before = contents(folder)
            done = nasbench("evaluate", "model.safetensors", source, option, target, *more, cwd=folder)
            assert (done.code, contents(folder)) == (2, before)
            assert f"is a part of the input '{source}'" in done.err, done.err
    (folder / "mine.png").write_bytes(b"mine")
    done = nasbench("evaluate", "model.safetensors", source, "-o", "mine.png", "--force", cwd=folder)
    assert "is no model file" in done.err, "an image elsewhere may be replaced"


@pytest.mark.parametrize("kind", ["folder", "csv", "npz", "hf"])
def test_a_pipe_that_is_named_as_data_is_not_opened(kind, folder):
    os.mkfifo(folder / "pipe")
    with limit(20):
        assert not is_in_source(f"{kind}:{folder / 'pipe'}", folder / "victim")
