"""The wheel installs one top-level package and runs outside the clone, and a plug-in adds a strategy to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomllib_compat as tomllib
from fake_images import FAKE_WORDS

ROOT = Path(__file__).resolve().parents[2]


def pip(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder that holds the installed wheel and the installed plug-in, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
        .stdout.decode()
        .split("\0")
    )
    if not any(tracked):
        pytest.skip("not a git checkout: the list of shipped files is not known")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source))
    pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source / "examples" / "greedy"))
    wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == 2
    pip("install", "-q", "--no-deps", "--no-compile", "--target", str(folder / "site"), *map(str, wheels))
    return folder / "site"


def outside(site: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the installed wheel in front, in a folder outside the clone."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_wheel_holds_one_top_level_package(site):
    wheel = next(site.parent.glob("nasbench_suite-*.whl"))
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"nasbench"}


def test_every_package_folder_is_in_the_wheel(site):
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = set()
    for top, name in (
        ("nasbench", "nasbench"),
        ("runners", "nasbench.runners"),
        ("analysis", "nasbench.analysis"),
        ("results", "nasbench.results"),
    ):
        for init in (ROOT / top).rglob("__init__.py"):
            there.add(".".join([name, *init.parent.relative_to(ROOT / top).parts]))
    assert declared == there


@pytest.mark.slow
def test_the_installed_command_runs_outside_the_clone_with_the_plug_in(site, tmp_path):
    code = "import nasbench, nasbench.runners, nasbench.analysis; print(nasbench.__file__, nasbench.runners.__file__)"
    shown = outside(site, "-c", code, cwd=tmp_path).stdout
    assert shown.count(str(site)) == 2
    command = ["-c", "from nasbench.cli import main; main()"]
    words = [
        "run",
        "--space",
        "nasnet:blocks=1",
        "--strategy",
        "greedy",
        "--option",
        "restart=0.2",
        "--budget",
        "4 children",
    ]
    done = outside(site, *command, *words, *FAKE_WORDS, "-o", "a.h5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    query = outside(site, *command, "query", "a.h5", "--format", "json", cwd=tmp_path)
    assert [row["strategy"] for row in json.loads(query.stdout)] == ["greedy"] * 4
    assert "greedy" in outside(site, *command, "strategies", cwd=tmp_path).stdout


def test_the_plug_in_is_short_and_keeps_the_contract(monkeypatch):
    lines = (ROOT / "examples" / "greedy" / "greedy.py").read_text().splitlines()
    assert len(lines) <= 40
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "greedy"))
    from greedy import Greedy

    from nasbench.runners.strategies.conformance import check_strategy
    from nasbench.spaces import get_space

    for spec in ("nasnet:blocks=2", "nasbench201", "nas:layers=4"):
        check_strategy(Greedy, get_space(spec))
