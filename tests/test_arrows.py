"""Imports point one way: runners -> nasbench <- analysis; only the API and the command line meet all three.

No packages import in a circle, and results open without torch.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "nasbench": ("nasbench.runners", "nasbench.analysis"),
    "runners": ("nasbench.analysis", "nasbench.api", "nasbench.cli"),
    "analysis": ("nasbench.runners", "nasbench.api", "nasbench.cli"),
}
MEET_ALL = (("nasbench", "api"), ("nasbench", "cli"))


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


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


def room_of(module: str) -> str:
    """The package of a module; that of analysis, runners and store is told apart one level further down."""
    parts = module.split(".")[1:]
    if module.startswith("nasbench.store.errors"):
        return "store.errors"  # imports nothing, and every part of the store raises them
    deeper = parts[0] in ("analysis", "runners") or parts[:2] in (["store", "format"], ["store", "maintenance"])
    return ".".join(parts[: 2 if deeper else 1])


def test_no_packages_import_each_other_in_a_circle():
    """Imports inside functions count: what a package needs to work lies below it."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for folder in ("nasbench", "runners", "analysis"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            module = module if module.startswith("nasbench") else f"nasbench.{module}"
            names = {name for name in imports(path) if name.startswith("nasbench.")}
            if module not in ("nasbench", "nasbench.api"):
                arrows[room_of(module)] |= {room_of(name) for name in names} - {room_of(module)}
    list(TopologicalSorter(arrows).static_order())  # raises CycleError with the circle
    assert {"cli", "training", "store.format", "analysis.plotting", "runners.search"} <= set(arrows)
