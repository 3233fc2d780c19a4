"""Every mistake ends in one clear line, exit code 2, no traceback, and nothing lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from commands import nasbench
from searching import search, tiny_plan

RUN = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "2 children", "--executor", "inline")
FAKE = ("--data", "fake:images=96,size=8,classes=3", "--set", "epochs=1", "--set", "filters=4")


def with_(*changed: str) -> tuple[str, ...]:
    """The run command with an option's value replaced, or an option added."""
    words = [*RUN, *FAKE]
    for option, value in zip(changed[::2], changed[1::2]):
        if option in words and option not in ("--set", "--option"):
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    return tuple(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("rum",), "did you mean 'run'"),
        (with_("--space", "nasnt"), "unknown space 'nasnt', did you mean 'nasnet'?; allowed: "),
        (with_("--space", "nasnet:block=2"), "has no option 'block', did you mean 'blocks'"),
        (with_("--space", "nasnet:blocks=0"), "blocks"),
        (with_("--space", "nasnet:blocks=two"), "'two'"),
        (with_("--strategy", "randm"), "unknown strategy 'randm', did you mean 'random'?; allowed: "),
        (with_("--option", "uniqe=true"), "no field 'uniqe', did you mean 'unique'"),
        (with_("--protocol", "digit"), "unknown protocol 'digit', did you mean 'digits'?; allowed: "),
        (with_("--devices", "cuda:7"), "cuda:7"),
        (with_("--devices", "tpu"), "tpu"),
        (with_("--executor", "remote"), "unknown executor 'remote'"),
        (with_("--set", "epoch=3"), "no field 'epoch', did you mean 'epochs'"),
        (with_("--set", "learning_rate=-1"), "learning_rate"),
        (with_("--set", "epochs"), "key=value"),
        (with_("--budget", "0 children"), "above 0"),
        (with_("--budget", "10 potatoes"), "unknown unit 'potatoes'"),
        (with_("--budget", "1 usd", "--price", "0"), "never ends"),
        (with_("--price", "-1"), "-1"),
        (with_("--data", "folder:/nowhere/at/all"), "/nowhere/at/all"),
        (with_("--data", "cifar11"), "did you mean 'cifar1"),
        (with_("--seed", "-1"), "seed"),
        (with_("--seed", "x"), "--seed"),
        (with_("--timeout", "-3"), "timeout"),
        (("query", "nowhere.h5"), "nowhere.h5"),
        (("resume", "nowhere.h5"), "nowhere.h5"),
        (("compare", "nowhere.h5"), "nowhere.h5"),
        (("show", "abc", "nowhere.h5"), "nowhere.h5"),
        (("show", '{"space": "nasnet", "choices": [1]}'), "decisions"),
        (("suite", "run", "defalt"), "did you mean 'default'"),
        (("suite", "show", "nowhere.toml"), "nowhere.toml"),
        (("protocols", "show", "digit"), "did you mean 'digits'"),
        (("strategies", "show", "ppp"), "did you mean 'ppo'"),
        (("spaces", "show", "nsa"), "did you mean 'nas'"),
        (("devices", "--price", "nowhere.csv"), "nowhere.csv"),
        (("cost",), "--published"),
        (("cost", "a.h5", "--published"), "--published prices the published searches and not a.h5"),
        (("cost", "--published", "--where", "params > 1"), "--where is for results files"),
        (("cost", "--published", "--target", "0.9"), "--target is for results files"),
        (("query", "a.h5", "--runs", "--measured"), "--measured does nothing for --runs"),
        (("query", "a.h5", "--runs", "--stage", "search"), "--stage does nothing for --runs"),
        (("query", "a.h5", "--measured", "-m", "latency"), "--measure does nothing for --measured"),
        (("query", "published", "--runs"), "--runs does nothing for published networks"),
        (("bench", "random", "--name", "A. Author"), "--name is stated in a submission: add --submit"),
        (("bench", "random", "--tuned-on", "seeds 0 to 9"), "--tuned-on is stated in a submission: add --submit"),
        (with_("--cached", "off", "--cache", __file__), "cached=off reuses no scores"),
    ],
)
def test_a_mistake_is_one_line_with_exit_2(words, expected, tmp_path):
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 2, done
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1, done.err
    assert expected in done.err
    assert not list(tmp_path.rglob("*.h5")), "nothing is written for a mistake"


@pytest.mark.parametrize("fields", ["cutout=9", "crop_from=7", "train_images=97"])
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_run_that_its_protocol_refuses_leaves_no_file(tmp_path: Path, fields: str, executor: str) -> None:
    done = nasbench(*with_("--set", fields, "--executor", executor), "-o", str(tmp_path / "new" / "x.h5"))
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert fields in line
    assert list(tmp_path.iterdir()) == []


def test_cifar_without_files_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path))
    done = nasbench(*with_("--data", "cifar10"), cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--download" in done.err


@pytest.fixture
def results(tmp_path) -> Path:
    path = tmp_path / "a.h5"
    search(tiny_plan(budget="3 children", final="none"), path)
    return path


def test_a_query_that_does_not_evaluate_names_the_columns(results):
    for words in (("--where", "parms < 3"), ("--where", "params <"), ("--columns", "parms"), ("--sort", "val")):
        done = nasbench("query", str(results), *words)
        assert (done.code, done.err.count("\n")) == (2, 1), done
        assert "params" in done.err


def test_a_corrupt_file_is_refused_and_left_alone(results):
    content = bytearray(results.read_bytes())
    content[len(content) // 2] ^= 0xFF
    results.write_bytes(content)
    done = nasbench(*with_("-o", str(results)))
    assert done.code == 2, done
    assert done.err.count("\n") == 1
    assert str(results) in done.err
    assert results.read_bytes() == content
    results.write_bytes(b"no HDF5 at all")
    done = nasbench("query", str(results))
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_a_file_of_a_newer_schema_is_refused(tmp_path, monkeypatch):
    for module in ("packing", "format.hdf5", "journal"):
        monkeypatch.setattr(f"nasbench.store.{module}.SCHEMA_VERSION", 99)
    path = tmp_path / "newer.h5"
    search(tiny_plan(budget="1 child", final="none"), path)
    monkeypatch.undo()
    done = nasbench("query", str(path))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "99" in done.err
    assert "upgrade" in done.err


def test_a_second_writer_is_told_who_writes(results):
    from nasbench.store.writer import ResultsWriter

    with ResultsWriter(results):
        done = nasbench(*with_("-o", str(results)))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert str(os.getpid()) in done.err


def test_a_full_disk_loses_nothing(tmp_path):
    """On a tmpfs of 24 KiB: the search ends in one line, and goes on after there is room."""
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small tmpfs here (needs root)")
    path = small / "a.h5"
    words = with_("-o", str(path), "--budget", "30 children", "--cached", "off", "--final", "none")
    try:
        done = nasbench(*words)
        assert (done.code, done.err.count("error: ")) == (2, 1), done
        assert "disk full while" in done.err
        before = int(nasbench("query", str(path), "--columns", "index", "--format", "csv").out.split()[-1])
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        done = nasbench("resume", str(path))
        assert done.code == 0, done
        rows = nasbench("query", str(path), "--columns", "index", "--format", "csv").out.split()[1:]
        assert before > 0
        assert sorted(map(int, rows)) == list(range(30))
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_a_read_only_folder_is_one_line(tmp_path):
    import subprocess

    folder = tmp_path / "locked"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("cannot make a read-only folder here")
    try:
        done = nasbench(*with_("-o", str(folder / "a.h5")))
        assert (done.code, done.err.count("\n")) == (2, 1), done
        assert "a.h5" in done.err or "locked" in done.err
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=False)
        folder.chmod(0o700)


def test_resuming_after_the_data_changed_is_refused(results, tmp_path, monkeypatch):
    import json

    from nasbench.store.query import Results
    from nasbench.store.writer import ResultsWriter

    run = Results(str(results)).runs().iloc[0].to_dict()
    run.pop("file", None)
    config = json.loads(run["config"])
    config["set"]["data"] = "fake:images=100,size=8,classes=3"
    other = tmp_path / "b.h5"
    shutil.copy(results, other)
    with ResultsWriter(other) as writer:
        writer.put_run({**run, "status": "interrupted", "config": json.dumps(config)})
    done = nasbench("resume", str(other))
    assert (done.code, done.err.count("\n")) == (2, 1), done
    assert "fingerprint" in done.err
