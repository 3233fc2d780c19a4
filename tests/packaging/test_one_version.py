"""The version stands in one place, and every file that repeats it says the same."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import tomllib_compat as tomllib

import nasbench

ROOT = Path(__file__).resolve().parents[2]


def test_pyproject_reads_the_version_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "nasbench.__version__"}


def test_what_is_installed_has_the_version_of_the_source():
    assert metadata.version("nasbench-suite") == nasbench.__version__, "install it again: pip install -e ."


def test_the_citation_has_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", text, re.MULTILINE) == [nasbench.__version__]


def test_the_changelog_is_at_the_version_or_before_it():
    """A released version has a heading of its own; before the first release there is only "Unreleased"."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [heading.strip("[]") for heading in headings[1:]]
    if released:
        assert nasbench.__version__ == released[0]
    else:
        assert "No version has been released yet." in text
