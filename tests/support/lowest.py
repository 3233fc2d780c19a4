"""Prints the lowest versions that pyproject.toml allows, as pip's constraints: `make test-oldest` installs them."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib_compat as tomllib

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

# name, lower bound, whatever else bounds it, environment marker
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*>=\s*([0-9][0-9.]*)\s*(?:,[^;]*)?(;.*)?$")


def lowest(project: str) -> list[str]:
    """The lower bounds of the dependencies and of the extras for users; what only developers install may be newer.

    Args:
        project: The text of a pyproject.toml.

    Returns:
        Lines `name==version`, with the requirement's environment marker where it has one, sorted.

    Raises:
        ValueError: A requirement has no lower bound, or two requirements give one package different ones.
    """
    table = tomllib.loads(project)["project"]
    extras = [extra for name, extra in table.get("optional-dependencies", {}).items() if name != "dev"]
    found: dict[str, str] = {}
    for requirement in [*table["dependencies"], *(one for extra in extras for one in extra)]:
        match = _REQUIREMENT.match(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} in pyproject.toml has no lower bound: write it as 'name>=version'")
        name, version, marker = match.groups()
        line = f"{name}=={version}{marker or ''}"
        if found.setdefault(name, line) != line:
            raise ValueError(f"pyproject.toml gives {name} two lower bounds: {found[name]} and {line}")
    return sorted(found.values())


if __name__ == "__main__":
    print("\n".join(lowest(PROJECT.read_text(encoding="utf-8"))))
