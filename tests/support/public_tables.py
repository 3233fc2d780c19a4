"""Where the public tables are that some tests read, and the mark of tests that need one. They are never committed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "tables"


def table(name: str) -> Path:
    """The path of a table, whether or not it is there."""
    return FOLDER / name


def needs(*names: str) -> pytest.MarkDecorator:
    """A mark that skips a test where one of the tables is absent."""
    absent = [name for name in names if not table(name).exists()]
    return pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)} (NASBENCH_SHARED_DATA names its folder)")
