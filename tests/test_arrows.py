"""Imports point one way: runners -> nasbench <- analysis; only the API and the command line meet all three.

No packages import in a circle, and results open without torch.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from packages import PICTURE, arrows, floors, imports, picture, written_floors

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "nasbench": ("nasbench.runners", "nasbench.analysis"),
    "runners": ("nasbench.analysis", "nasbench.api", "nasbench.cli"),
    "analysis": ("nasbench.runners", "nasbench.api", "nasbench.cli"),
}
MEET_ALL = (("nasbench", "api"), ("nasbench", "cli"))


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_no_import_runs_against_the_arrows(room):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.relative_to(ROOT).parts[:2] not in MEET_ALL
        for name in sorted(imports(path))
        if name.startswith(FORBIDDEN[room])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        (
            "nasbench, nasbench.store.query, nasbench.store.writer, nasbench.spaces.nasnet, nasbench.spaces.nasbench201",
            {"torch", "pandas"},
        ),
        (
            "nasbench.analysis.comparison.compare, nasbench.analysis.pareto.pareto, nasbench.analysis.costs.cost, nasbench.analysis.drawings.architecture",
            {"torch"},
        ),
        (
            "nasbench.runners.strategies.random, nasbench.runners.strategies.evolution, nasbench.runners.replay.replay",
            {"torch"},
        ),
        (
            "nasbench, nasbench.callbacks; dir(nasbench); nasbench.get_space; nasbench.callbacks.EarlyStopping",
            {"torch", "pandas", "matplotlib", "h5py", "scipy", "sklearn", "tqdm", "IPython"},
        ),
        ("nasbench.cli.main", {"torch", "pandas", "numpy", "pydantic", "h5py", "scipy", "seaborn"}),
    ],
)
def test_light_modules_import_nothing_heavy(modules, unwanted):
    code = f"import sys, {modules}; print(*sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_no_packages_import_each_other_in_a_circle():
    found = floors()  # raises CycleError with the circle
    assert {"cli", "training", "store.format", "analysis.plotting", "runners.search"} <= set(found)


NOT_IN_THE_TABLE = {"__main__", "__version__", "analysis", "runners", "runners.suites", "store.errors"}


def test_the_table_of_floors_has_every_package():
    assert set(written_floors()) == set(floors()) - NOT_IN_THE_TABLE


def test_every_import_leads_to_a_lower_floor_of_the_table():
    placed = written_floors()
    wrong = [
        f"{package} (floor {placed[package]}) imports {other} (floor {placed[other]})"
        for package, others in arrows().items()
        for other in sorted(others)
        if package in placed and other in placed and placed[package] <= placed[other]
    ]
    assert wrong == []


def test_the_picture_of_the_packages_is_that_of_the_table():
    assert PICTURE.read_text(encoding="utf-8") == picture(), "draw it anew: python tests/support/packages.py"
