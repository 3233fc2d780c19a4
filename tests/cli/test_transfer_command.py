"""`nasbench transfer`: counts of the family, trainings, and mistakes in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from commands import nasbench
from image_folders import make_image_folder

from nasbench.spaces import get_space
from nasbench.spaces.genotypes import GENOTYPES

SPACE = get_space("nasnet:blocks=1")
TINY = SPACE.decode([1 % decision.options for decision in SPACE.decisions])
QUICK = ("--workers", "0", "--set", "epochs=1", "--set", "batch_size=4", "--set", "precision=float32")


def test_the_family_is_counted_beside_the_published_rows():
    done = nasbench("transfer", "nasnet-a", "--sizes", "4@1056,6@4032")
    assert done.code == 0, done
    mobile, large = (line.split() for line in done.out.splitlines()[1:])
    assert mobile[:6] == ["4@1056", "44", "224", "1000", "5,289,978", "563,638,816"]
    assert large[:6] == ["6@4032", "168", "331", "1000", "88,753,150", "23,783,414,658"]
    assert large[-5:] == ["88.9M", "23,800.0M", "0.827", "NASNet-A", "6@4032"]


def test_cifar_sizes_and_architectures_by_json():
    done = nasbench("transfer", "nasnet-a", "--sizes", "6@768", "--data", "cifar10")
    assert done.out.splitlines()[1].split()[:6] == ["6@768", "32", "32", "10", "3,346,538", "544,333,312"]
    assert nasbench("transfer", TINY.to_json(), "--sizes", "1@32").code == 0


def test_amoebanets_sizes_are_by_its_initial_filters():
    done = nasbench("transfer", "amoebanet-a", "--sizes", "6@190,6@448")
    assert done.code == 0, done
    small, large = (line.split() for line in done.out.splitlines()[1:])
    assert small[:6] == ["6@190", "190", "331", "1000", "86,718,797", "23,133,663,507"]
    assert small[7:10] == ["86.7M", "23,100.0M", "0.828"]
    assert large[:5] == ["6@448", "448", "331", "1000", "468,151,184"]
    space = get_space("amoebanet:output=explicit")
    evolved = space.from_cells(GENOTYPES["amoebanet-a"]).to_json()
    as_evolved = nasbench("transfer", evolved, "--sizes", "6@190").out.splitlines()[1].split()
    assert as_evolved[:6] == small[:6], "cells of the space amoebanet are named and started as AmoebaNet's"
    as_nasnet = get_space("nasnet:output=explicit").from_cells(GENOTYPES["amoebanet-a"]).to_json()
    assert "16 x its initial filters" in nasbench("transfer", as_nasnet, "--sizes", "6@190").err
    help_text = " ".join(nasbench("transfer", "--help").out.split())
    assert (
        "for amoebanet-a and architectures of the space amoebanet the initial filters, as in AmoebaNet's 6@190"
        in help_text
    )


def test_training_on_a_folder_writes_a_record_and_goes_on(tmp_path):
    make_image_folder(tmp_path / "trees")
    words = ("transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{tmp_path / 'trees'}", "--pixels", "24")
    done = nasbench(*words, "--train", *QUICK, "-o", "out", cwd=tmp_path)
    assert done.code == 0, done
    folder = tmp_path / "out" / f"{TINY.hash[:12]}-1@32"
    record = json.loads((folder / "record.json").read_text())
    assert (record["status"], record["encoding"], record["protocol"]["name"]) == (
        "ok",
        TINY.to_json(),
        "nasnet-imagenet-mobile+",
    )
    assert done.out.splitlines()[1].split()[3] == "3", "classes of the folder"
    assert f"{record['params']:,}" in done.out
    assert "top1_acc" in done.out
    again = nasbench(*words, "--train", *QUICK, "-o", "out", cwd=tmp_path)
    assert (again.code, again.out) == (0, done.out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nasnet-a", "--sizes", "5@1538"), "nearest: 5@1536 or 5@1560"),
        (("nasnet-a", "--sizes", "large"), "size 'large' should read N@F"),
        (("nasnet-a",), "--sizes"),
        (("nas-v1", "--sizes", "4@1056"), "nas-v1 has no cells to repeat at other sizes (it is a LayerStack)"),
        (("nasnet-a", "--sizes", "4@1056", "--data", "imagnet"), "did you mean 'imagenet'"),
        (("nasnet-a", "--sizes", "4@1056", "--data", "folder:"), "unknown data 'folder:'"),
        (("nasnet-a", "--sizes", "4@1056", "--data", "folder:none"), "should hold train/<class>/<image>"),
        (("nasnet-a", "--sizes", "4@1056", "--train"), "should contain train/<class>/<image>"),
        (("nasnet-a", "--sizes", "4@1056", "--pixels", "2"), "images of 3 pixels or more, got 2"),
        (("nasnet-a", "--sizes", "6@768", "--data", "cifar10", "--pixels", "64"), "have 32 pixels, got --pixels 64"),
        (("nasnet-a", "--sizes", "6@768", "--data", "cifar10", "--set", "epochs=1"), "add --train"),
        (("nasnet-a", "--sizes", "6@768", "--data", "cifar10", "--train", "--processes", "2"), "trained on one device"),
        (
            ("nasnet-a", "--sizes", "6@768", "--data", "cifar10", "--train", "--set", "cells=2"),
            "come from --data and --sizes",
        ),
        (
            ("nasnet-a", "--sizes", "24@96", "--data", "folder:trees", "--train", "--set", "epoch=1"),
            "did you mean 'epochs'",
        ),
        (
            ("nasnet-a", "--sizes", "1@96", "--data", "folder:trees", "--train", "--protocol", "x"),
            "unknown transfer protocol",
        ),
        (
            ("nasnet-a", "--sizes", "1@96", "--data", "folder:trees", "--train", "--set", "batch_size=1600"),
            "use --set batch_size=15",
        ),
        (
            ("nasnet-a", "--sizes", "1@96", "--data", "folder:trees,test=0.5", "--train"),
            "needs a protocol that holds the images in memory, e.g. --protocol images",
        ),
        (
            ("nasnet-a", "--sizes", "1@96", "--data", "folder:trees", "--train", "--protocol", "cifar10-quick"),
            "use --set train_images=0",
        ),
        (
            ("nasnet-a", "--sizes", "1@96", "--data", "folder:trees", "--train", *QUICK, "--processes", "3"),
            "not a multiple of the number of processes, 3",
        ),
        (("nasnet-a", "--sizes", "1@96", "--data", "folder:trees", "--train", *QUICK, "--device", "cuda:9"), "cuda:9"),
        (
            ("nasnet-a", "--sizes", "1@96", "--data", "folder:trees,size=16", "--pixels", "32"),
            "--pixels 32 and size=16",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, words, message):
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "nothing"))
    make_image_folder(tmp_path / "trees")
    done = nasbench("transfer", *words, cwd=tmp_path)
    assert done.code == 2, done
    assert message in done.err
    assert done.err.count("\n") == 1, done.err
    assert not list(tmp_path.rglob("record.json"))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_broken_image_is_one_line(tmp_path, workers):
    root = make_image_folder(tmp_path / "trees")
    for file in (root / "train" / "birch").iterdir():
        file.write_bytes(file.read_bytes()[:60])
    words = ("transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{root}", "--pixels", "24", "--train")
    done = nasbench(*words, *QUICK, "--workers", workers, cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith(f"error: '{root / 'train' / 'birch'}")
    assert ".png' cannot be decoded: " in done.err
    assert done.err.count("\n") == 1


def test_protocols_are_listed_and_shown():
    assert "nasnet-imagenet-mobile" in nasbench("protocols").out
    shown = nasbench("protocols", "show", "nasnet-imagenet-large").out
    assert "tensorflow/models" in shown
    assert "average_decay" in shown


def wait_for_epochs(record: Path, epochs: int) -> None:
    deadline = time.monotonic() + 200
    while not record.exists() or json.loads(record.read_text())["epochs"] < epochs:
        assert time.monotonic() < deadline, "no epoch ends"
        time.sleep(0.05)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {f"{part} {name}": value for part in ("network", "average") for name, value in state[part].items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "processes"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 1), (signal.SIGKILL, 2)]
)
def test_a_stopped_command_goes_on_to_the_same_weights(tmp_path, stop, processes):
    root = make_image_folder(tmp_path / "trees", train=24)
    words = ["transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{root}", "--pixels", "24", "--train"]
    words += [*QUICK, "--processes", str(processes), "--set", "drop_path_keep=0.7"]
    words[words.index("epochs=1")] = "epochs=12"
    command = [sys.executable, "-c", "from nasbench.cli import main; main()", *words, "-o"]
    whole, halved = (tmp_path / name / f"{TINY.hash[:12]}-1@32" for name in ("whole", "halved"))
    subprocess.run([*command, str(whole.parent)], check=True, capture_output=True)
    with subprocess.Popen([*command, str(halved.parent)], start_new_session=True, stderr=subprocess.PIPE) as stopped:
        wait_for_epochs(halved / "record.json", 2)
        if stop == signal.SIGINT:
            stopped.send_signal(stop)  # to the command alone: it has to end its processes
        else:
            os.killpg(stopped.pid, stop)
        _, said = stopped.communicate()  # until the last process lets go of the pipe
    if stop == signal.SIGINT:
        assert stopped.returncode == 130
        assert b"stopped; the same command goes on from the last complete epoch" in said
    assert json.loads((halved / "record.json").read_text())["status"] == "running"
    subprocess.run([*command, str(halved.parent)], check=True, capture_output=True)
    record = json.loads((halved / "record.json").read_text())
    assert (record["status"], len(record["sessions"])) == ("ok", 2)
    mine, theirs = weights(halved), weights(whole)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.slow
def test_torchrun_starts_the_processes(tmp_path):
    root = make_image_folder(tmp_path / "trees")
    words = [
        "transfer",
        TINY.to_json(),
        "--sizes",
        "1@32",
        "--data",
        f"folder:{root}",
        "--pixels",
        "24",
        "--train",
        *QUICK,
    ]
    runner = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    command = [*runner, sys.executable, "-c", "from nasbench.cli import main; main()", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("top1_acc") == done.stdout.count("auxiliary params") == 1
    record = json.loads((tmp_path / "transfer" / f"{TINY.hash[:12]}-1@32" / "record.json").read_text())
    assert (record["status"], record["sessions"][0]["processes"]) == ("ok", 2)


@pytest.mark.slow
def test_mistakes_that_only_several_processes_find_are_one_line(tmp_path):
    root = make_image_folder(tmp_path / "trees")
    words = ("transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{root}", "--pixels", "24", "--train")
    assert nasbench(*words, *QUICK, cwd=tmp_path).code == 0
    done = nasbench(*words, *QUICK, "--processes", "2", "--seed", "1", cwd=tmp_path)
    assert done.code == 2
    assert "belongs to another training: seed 0 instead of 1" in done.err


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("protocol", ["cifar10-quick", "images", "digits"])
def test_any_protocol_trains_on_a_folder(tmp_path, monkeypatch, protocol):
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))
    make_image_folder(tmp_path / "trees")
    words = ["transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{tmp_path / 'trees'}", "--train"]
    words += ["--protocol", protocol, "--set", "epochs=1", "--set", "train_images=0", "-o", "out"]
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 0, done
    record = json.loads((tmp_path / "out" / f"{TINY.hash[:12]}-1@32" / "record.json").read_text())
    assert (record["status"], record["protocol"]["stem"], record["protocol"]["name"]) == ("ok", "cifar", f"{protocol}+")
    assert record["protocol"]["data"].endswith(",size=20"), "the shorter side of the first image"
    assert f"{record['params']:,}" in done.out, "the network that was counted"
    assert ("batch_size=16" in done.err) == (protocol == "images")


def test_the_table_counts_the_network_that_the_protocol_builds(tmp_path, monkeypatch):
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))
    make_image_folder(tmp_path / "trees")
    words = ["transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{tmp_path / 'trees'},size=32", "--train"]
    words += ["--protocol", "images", "--set", "epochs=1", "--set", "stem=imagenet", "-o", "out"]
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 0, done
    record = json.loads((tmp_path / "out" / f"{TINY.hash[:12]}-1@32" / "record.json").read_text())
    counted = done.out.splitlines()[1].split()
    assert counted[4:6] == [f"{record['params']:,}", f"{record['mult_adds']:,}"]


@pytest.mark.slow
def test_small_images_have_the_cifar_stem_and_a_batch_that_fits(tmp_path):
    make_image_folder(tmp_path / "trees")
    words = ["transfer", TINY.to_json(), "--sizes", "1@32", "--data", f"folder:{tmp_path / 'trees'}", "--train"]
    words += ["--set", "epochs=1", "--set", "precision=float32", "--workers", "0", "-o", "out"]
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 0, done
    record = json.loads((tmp_path / "out" / f"{TINY.hash[:12]}-1@32" / "record.json").read_text())
    assert (record["scale"]["stem"], record["scale"]["image_size"]) == ("cifar", 20)
    assert record["protocol"]["batch_size"] == 4
    assert record["protocol"]["learning_rate"] == pytest.approx(2.0 * 4 / 1600)
    assert (
        "for 15 training images: batch_size=4, learning_rate=0.005, replica_batch=4 (its batch_size is 1600" in done.err
    )
