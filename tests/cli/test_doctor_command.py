"""`nasbench doctor`: what it prints, its JSON, its exit code, and that it never ends in a traceback."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from commands import nasbench

from nasbench.doctor import checks
from nasbench.doctor.findings import Finding
from nasbench.training.golden import GOLDEN

MAIN = "from nasbench.cli import main; main()"


def in_a_process(*words, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-c", MAIN, "doctor", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def only(monkeypatch):
    """Let the command run some checks alone."""

    def choose(*chosen):
        monkeypatch.setattr(checks, "CHECKS", chosen)

    return choose


def named(*names):
    return [check for check in checks.CHECKS if check.name in names]


def of(level, breaks=False):
    return checks.DoctorCheck("c", "clock", lambda machine: [Finding("clock", "c", level, "found", "do", breaks)])


@pytest.mark.parametrize(
    ("level", "breaks", "code"),
    [("ok", False, 0), ("slow", False, 0), ("note", False, 0), ("wrong", False, 0), ("wrong", True, 1)],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_exit_code_says_whether_a_search_would_fail(only, level, breaks, code, form, monkeypatch, facts_of_torch):
    only(of("ok"), of(level, breaks))
    done = nasbench("doctor", *form)
    assert done.code == code
    if form:
        assert json.loads(done.out)["searches_work"] == (code == 0)
    else:
        assert done.out.splitlines()[-1].endswith(
            "a search would fail here (1 of them)" if code else "searches work here"
        )


@pytest.fixture
def facts_of_torch(monkeypatch):
    """No need to measure torch again in each test; it is measured in tests/doctor."""

    def none():
        raise RuntimeError("not measured")

    monkeypatch.setattr(checks, "torch_facts", none)


def test_a_check_that_raises_is_a_line_and_no_traceback(only):
    def broken(machine):
        raise ZeroDivisionError("division by zero")

    only(checks.DoctorCheck("odd", "clock", broken), of("ok"))
    done = nasbench("doctor")
    assert done.code == 1
    assert done.out.splitlines()[1] == "  WRONG odd: the check failed: ZeroDivisionError: division by zero"
    assert "  ok    c: found" in done.out
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize(
    ("words", "cwd_has", "tried"),
    [((), True, "results"), ((), False, "."), (("--folder", "elsewhere"), True, "elsewhere")],
)
def test_the_folder_for_results_is_tried(only, tmp_path, words, cwd_has, tried):
    only(*named("folder"))
    if cwd_has:
        (tmp_path / "results").mkdir()
    done = nasbench("doctor", *words, cwd=tmp_path)
    assert done.code == 0, done.out
    assert f"folder: {tried}" in done.out
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys, in which nobody can write")
def test_a_read_only_folder_is_exit_code_1(only):
    only(*named("folder"))
    done = nasbench("doctor", "--folder", "/sys/kernel")
    assert done.code == 1
    assert "WRONG folder: /sys/kernel: no permission" in done.out
    assert "a search would fail here" in done.out


@pytest.mark.slow
def test_quick_on_this_machine(tmp_path):
    """The whole of it without the kernels' tests, as a user runs it."""
    done = in_a_process("--quick", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads(done.stdout)
    names = [finding["name"] for finding in made["findings"]]
    for name in (
        "python",
        "libraries",
        "imports",
        "torch",
        "identity",
        "cores",
        "memory",
        "bfloat16",
        "folder",
        "fsync",
    ):
        assert name in names
    assert not any(finding["group"] == "kernels" for finding in made["findings"])
    assert made["searches_work"]
    assert made["machine"]["torch"]["version"]
    assert "importing the libraries: about 5 s ..." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_whole_on_this_machine(tmp_path):
    done = in_a_process(cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for golden in GOLDEN:
        assert f"golden: {golden.name}: " in " ".join(done.stdout.split())
    if platform.machine() == "x86_64":
        assert done.stdout.count("as expected") == len(GOLDEN)
    assert "self-test: as set: " in done.stdout
    assert done.stdout.splitlines()[-1].endswith("searches work here")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_torch_that_dies_is_lines_and_exit_code_1(tmp_path):
    (tmp_path / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    done = in_a_process("--folder", str(tmp_path), cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    out = " ".join(done.stdout.split())
    assert "WRONG imports: import torch: the process died: SIGILL" in out
    assert (
        "WRONG torch: the check failed: ProbeError: a process that imports torch and computes a little died: SIGILL"
        in out
    )
    assert "note self-test: not checked, because torch does not work" in out
    assert "ok ownership: flock" in out  # the rest is tried all the same
