"""`make environment` in a small project without network: what it prints, what it refuses, and what it does after a failure."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import environment
import pytest

ROOT = Path(__file__).resolve().parents[2]
MINE = "{}.{}".format(*sys.version_info)

PROJECT = f"""
[build-system]
requires = []
build-backend = "wheels"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
classifiers = ["Programming Language :: Python :: {MINE}"]
[project.optional-dependencies]
dev = ["helper>=2"]
"""

# A build backend in 15 lines, so that nothing has to be downloaded to install the project.
BACKEND = """
import pathlib, zipfile

def write_wheel(folder, name, version, module, requires=""):
    target = pathlib.Path(folder) / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{requires}"
    with zipfile.ZipFile(target, "w") as wheel:
        wheel.writestr(f"{name}.py", module)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return target.name

def build_editable(folder, config_settings=None, metadata_directory=None):
    return write_wheel(folder, "tiny", "1", "import helper", "Provides-Extra: dev\\nRequires-Dist: helper>=2; extra == 'dev'\\n")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our Makefile in a folder whose name has a space."""
    folder = tmp_path / "a b"
    (folder / "tests" / "support").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "tests" / "support" / "environment.py", folder / "tests" / "support")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "wheels.py").write_text(BACKEND)
    return folder


def make(project: Path, *words: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """`make environment` with pip held to what is on the disk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "environment", f"PYTHON={python}", *words],
        cwd=project,
        env={**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_it_says_what_it_does_and_goes_on_after_a_failure(project):
    without = make(project)
    assert without.returncode == 2
    assert f"Setting up the environment .venv with Python {MINE}. Several GB are downloaded" in without.stdout
    assert "The environment .venv is not complete: this failed:" in without.stderr
    assert not (project / ".venv" / ".ready").exists()

    wheels = project / "my wheels"
    wheels.mkdir()
    code = f"from wheels import write_wheel; write_wheel({str(wheels)!r}, 'helper', '2.0', 'ANSWER = 42')"
    subprocess.run([sys.executable, "-c", code], cwd=project, check=True)
    done = make(project, "PIP_OPTIONS=--find-links 'my wheels'")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^environment: \.venv, 0\.\d GB, \d+ s$", done.stdout, re.MULTILINE)
    inside = [str(project / ".venv" / "bin" / "python"), "-c", "import tiny; print(tiny.helper.ANSWER)"]
    assert subprocess.run(inside, capture_output=True, text=True, check=True).stdout == "42\n"

    assert "Nothing to be done" in make(project).stdout


def test_other_pythons_get_one_line(project):
    nowhere = make(project, python="/no such/python3")
    assert nowhere.returncode == 2
    assert nowhere.stderr.startswith("There is no /no such/python3 here. Name a Python that is: make demo PYTHON=")

    (project / "pyproject.toml").write_text(PROJECT.replace(MINE, "3.7"))
    wrong = make(project)
    assert wrong.returncode == 2
    line, _ = wrong.stderr.split("\n", 1)
    assert (
        line == f"nasbench needs Python 3.7 to 3.7, and {sys.executable} is Python {MINE}: make demo PYTHON=python3.7"
    )
    assert not (project / ".venv").exists()


def test_the_versions_are_those_of_the_classifiers():
    versions = environment.supported((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (3, 10) in versions
    assert environment.supported(
        '"Programming Language :: Python :: 3.9", "Programming Language :: Python :: 3.10"'
    ) == [
        (3, 9),
        (3, 10),
    ]
    assert environment.unusable((3, 11), [(3, 10), (3, 11)]) == ""
    assert "needs Python 3.10 to 3.12" in environment.unusable((3, 9), [(3, 10), (3, 11), (3, 12)])
    assert "PYTHON=python3.11" in environment.unusable((4, 0), [(3, 10), (3, 11), (3, 12)])


def test_a_python_that_makes_no_environments_is_named():
    why = environment.unusable((3, 11), [(3, 11)], ("venv", "no_such_module"))
    assert f"{sys.executable} (Python 3.11) has no module no_such_module" in why
    assert "apt install python3.11-venv" in why
    assert "\n" not in why


def test_the_script_is_of_the_syntax_of_python_3_6():
    source = (ROOT / "tests" / "support" / "environment.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__ import annotations" not in source


def test_an_environment_of_another_python_is_made_anew(tmp_path):
    folder = tmp_path / "environment"
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.1.4\n")
    (folder / ".ready").touch()
    text = environment.introduction(str(folder))
    assert text.startswith(f"Setting up the environment {folder} with Python {MINE} anew (it was of Python 3.1)")
    assert not folder.exists()


def test_an_environment_that_is_there_is_brought_up_to_date(tmp_path):
    (tmp_path / "pyvenv.cfg").write_text(f"version = {MINE}.1\n")
    assert "Several GB" in environment.introduction(str(tmp_path)), "an unfinished one still has to download"
    (tmp_path / ".ready").touch()
    assert (
        environment.introduction(str(tmp_path))
        == f"Bringing the environment {tmp_path} up to date with pyproject.toml."
    )


def test_the_size_counts_a_file_of_two_names_once(tmp_path):
    (tmp_path / "one").write_bytes(os.urandom(100_000))
    once = environment.size(str(tmp_path))
    os.link(tmp_path / "one", tmp_path / "two")
    assert environment.size(str(tmp_path)) == once
    assert 100_000 <= once < 120_000
