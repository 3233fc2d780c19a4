"""The site: every page is in the navigation and is linked from another page; links lead to something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)|src=\"([^\"]+)\"")


def links(path: Path) -> set[Path]:
    """The files that a Markdown file of the repository links to or shows."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [one or other for one, other in LINK.findall(text)]
    return {(path.parent / target).resolve() for target in targets if not re.match(r"\w+:", target)}


def test_the_navigation_names_every_page_once():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r"([\w/-]+\.md)$", text, re.MULTILINE)) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_linked_from_another_one(name):
    others = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(DOCS / page for page in PAGES if page != name)]
    if name != "index.md":  # where one starts
        assert any(DOCS / name in links(page) for page in others)


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(DOCS / name for name in PAGES)])
def test_every_link_leads_to_a_file(path):
    assert [str(target) for target in links(path) if not target.exists()] == []


def test_the_reference_has_every_name_that_the_package_exports():
    import nasbench

    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^::: nasbench\.(\w+)", text, re.MULTILINE))
    assert {*nasbench.__all__, "open"} <= named
