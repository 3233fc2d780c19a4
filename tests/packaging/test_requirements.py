"""What pyproject.toml requires: the lowest versions by script, and every package that the source imports."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
import tomllib_compat as tomllib
from lowest import PROJECT, lowest

SOURCES = ("nasbench", "runners", "analysis", "results")

EXAMPLE = """
[project]
dependencies = ["torch>=2.6", "h5py >= 3.10", "mypy>=1.11,<2.5", "tomli>=2.0; python_version < '3.11'"]
[project.optional-dependencies]
parquet = ["pyarrow>=15", "torch>=2.6"]
dev = ["pytest>=8.2", "ruff"]
"""


def test_the_lowest_versions_are_the_lower_bounds():
    bounds = ["h5py==3.10", "mypy==1.11", "pyarrow==15", "tomli==2.0; python_version < '3.11'", "torch==2.6"]
    assert lowest(EXAMPLE) == bounds


@pytest.mark.parametrize(
    ("requirement", "why"),
    [
        ("torch", "'torch' in pyproject.toml has no lower bound"),
        ("torch<3", "'torch<3' in pyproject.toml has no lower bound"),
        ("torch>=2.7", "gives torch two lower bounds: torch==2.6 and torch==2.7"),
    ],
)
def test_a_bound_that_says_nothing_is_refused(requirement, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        lowest(EXAMPLE.replace('"pyarrow>=15"', f'"{requirement}"'))


def test_every_requirement_of_the_suite_has_a_lower_bound():
    named = {line.split("==")[0] for line in lowest(PROJECT.read_text(encoding="utf-8"))}
    assert {"torch", "torchvision", "numpy", "pyarrow", "deflate"} <= named


def provides(distribution: str) -> set[str]:
    """The names that one can import of a distribution; its own name where it is not installed here."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return {distribution.replace("-", "_")}
    return {file.parts[0].split(".")[0] for file in files}


def imported() -> set[str]:
    """The packages that any statement of the source imports, by their first name; the suite's own left out."""
    found: set[str] = set()
    for folder in SOURCES:
        for path in (PROJECT.parent / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    found.add(node.module.split(".")[0])
    return found - {"nasbench", "tomllib", "tomli"} - set(sys.stdlib_module_names)


def test_every_package_that_the_source_imports_is_required_by_name():
    """Not only by another package, which may drop it."""
    table = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = [one for name, extra in table["optional-dependencies"].items() if name != "dev" for one in extra]
    names = [re.split(r"[ ><=;\[]", one)[0] for one in [*table["dependencies"], *extras]]
    assert imported() - set().union(*map(provides, names)) == set()
