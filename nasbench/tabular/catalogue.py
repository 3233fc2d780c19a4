"""The tables that ship with the suite, by name: where each came from, its digests, and how it was verified."""

from __future__ import annotations

import hashlib
import sys
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from nasbench.errors import UnknownName
from nasbench.tabular.array_files import ENDING
from nasbench.tabular.tables import Selection, Table, read_tables

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LIST: Final = "tables.toml"


class ShippedTable(BaseModel):
    """One table that ships with the suite, as `results/tables/tables.toml` describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="name of the table, and of its file without .npz")
    what: str = Field(description="what one row is, in a sentence")
    space: str = Field(description="space of the architectures")
    data: str = Field(description="name of the data set")
    protocol: str = Field(description="protocol of the trainings")
    architectures: int = Field(ge=1, description="distinct architectures")
    trainings: int = Field(ge=1, description="trainings")
    seeds: tuple[int, ...] = Field(description="training seeds")
    source: str = Field(description="results file from which it was made, in the repository")
    source_sha256: str = Field(description="SHA-256 of that file")
    made: str = Field(description="command that trained it")
    core_hours: float = Field(ge=0, description="core-hours of the trainings")
    date: str = Field(description="day on which the trainings ended, ISO 8601")
    verified: str = Field(description="when and how rows were trained again")
    licence: str = Field(description="licence of the table; that of the images where it is another")
    cite: tuple[str, ...] = Field(description="keys of `nasbench cite`")
    sha256: str = Field(description="SHA-256 of the compact file")
    fingerprints: dict[str, str] = Field(description="training seeds (0, 0,1 or all) -> fingerprint of their table")

    @property
    def path(self) -> Path:
        """The compact file in the installed package."""
        return folder() / f"{self.name}{ENDING}"

    def selections(self) -> dict[str, Selection]:
        """Selections of training seeds that the compact file has, by their text."""
        return {text: Selection(None, seeds_of(text)) for text in self.fingerprints}

    def read(self, *selections: Selection) -> list[Table]:
        """Read the table.

        Args:
            *selections: training seeds; none for one table with all.

        Returns:
            One table per selection.

        Raises:
            InputError: when the file does not have these seeds together, or is damaged.
        """
        return read_tables(self.path, selections or (Selection(),))

    def check(self) -> list[str]:
        """Compare the file and what it holds with the digests.

        Returns:
            One line per difference; none if all are as described.

        Raises:
            InputError: when the file is no compact table.
        """
        there = hashlib.sha256(self.path.read_bytes()).hexdigest()
        faults = [] if there == self.sha256 else [f"{self.path}: SHA-256 is {there}, expected {self.sha256}"]
        chosen = self.selections()
        for text, table in zip(chosen, self.read(*chosen.values())):
            if table.fingerprint != self.fingerprints[text]:
                faults.append(
                    f"{self.name}, training seeds {text}: fingerprint {table.fingerprint}, expected {self.fingerprints[text]}"
                )
        return faults


def seeds_of(text: str) -> tuple[int, ...] | None:
    """Read training seeds as the list of tables writes them.

    Args:
        text: "all", or numbers with commas, "0,1".

    Returns:
        The seeds; None for all.
    """
    return None if text == "all" else tuple(map(int, text.split(",")))


def folder() -> Path:
    """Return the folder of the tables in the installed package."""
    return Path(str(resources.files("nasbench.results"))) / "tables"


def shipped_tables() -> dict[str, ShippedTable]:
    """Return the tables that ship with the suite, by name."""
    document = tomllib.loads((folder() / _LIST).read_text(encoding="utf-8"))
    return {name: ShippedTable(name=name, **values) for name, values in document.items()}


def shipped_table(name: str) -> ShippedTable:
    """Return a table that ships with the suite.

    Args:
        name: its name, e.g. "digits201-2".

    Returns:
        The table's description; `read` reads it.

    Raises:
        UnknownName: when there is none of that name.
    """
    tables = shipped_tables()
    if name not in tables:
        raise UnknownName("shipped table", name, tables)
    return tables[name]


def table_file(name: str | Path) -> Path:
    """Find the file of a table that a user named.

    Args:
        name: path of a file, or name of a table that ships.

    Returns:
        The path; of a shipped table, that of the compact file. A file of that name comes first.
    """
    path = Path(name)
    if path.exists() or str(name) not in shipped_tables():
        return path
    return shipped_tables()[str(name)].path
