"""The manifest of a packed results file: its tables, and checksum and encoding of every dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from hashlib import blake2b
from typing import Any, Final, Literal, get_args

from nasbench.store.format.schema import CHILD_COLUMNS, MEASUREMENT_COLUMNS, RUN_COLUMNS, Column

Table = Literal["children", "runs", "measurements"]
Encoding = Literal["numbers", "codes", "fixed", "fixed escaped", "bytes", "bytes escaped"]

FORMAT: Final = "nasbench results"
TABLES: Final[dict[Table, tuple[Column, ...]]] = {
    "children": CHILD_COLUMNS,
    "runs": RUN_COLUMNS,
    "measurements": MEASUREMENT_COLUMNS,
}
_LARGEST_COUNT: Final = 1 << 53


@dataclass(frozen=True)
class Entry:
    """Entry of the manifest for one dataset.

    Args:
        checksum: digest of its values.
        encoding: form in which its values are stored: numbers, codes of categories, or texts.
    """

    checksum: str
    encoding: Encoding


@dataclass(frozen=True)
class Manifest:
    """The table of contents of a packed file.

    Args:
        schema: version of the schema.
        file: id of the results file, the same over all its packs.
        last_sequence: number of the last journal record that is in this file.
        children: rows of the children table.
        runs: rows of the runs table.
        datasets: path in the file -> entry.
        measurements: rows of the table of measurements; files of schema 3 have none.
    """

    schema: int
    file: str
    last_sequence: int
    children: int
    runs: int
    datasets: Mapping[str, Entry]
    measurements: int = 0

    def rows(self, table: Table) -> int:
        """Return the number of rows of a table.

        Args:
            table: name of the table.

        Returns:
            The number, >= 0.
        """
        return {"children": self.children, "runs": self.runs, "measurements": self.measurements}[table]

    def to_json(self) -> str:
        """Convert to JSON. The file stores it beside its `checksum_of_text`.

        Returns:
            The text.
        """
        content = {**asdict(self), "datasets": {path: asdict(entry) for path, entry in self.datasets.items()}}
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse the text of `to_json`.

        Args:
            text: text whose checksum fits; its content may be anything.

        Returns:
            The manifest.

        Raises:
            ValueError: when it is no manifest; the message says why.
        """
        content = parsed_object(text)
        datasets = content.get("datasets")
        if not isinstance(datasets, dict):
            raise ValueError("'datasets' is missing or no JSON object")
        known = {field.name: field for field in fields(cls)}
        required = {name for name, each in known.items() if each.default is MISSING}
        if not required <= content.keys() <= known.keys():
            raise ValueError(
                f"it has the entries {', '.join(sorted(content))[:200]}; needed: {', '.join(sorted(required))}"
            )
        for name in known.keys() & content.keys() - {"datasets", "file"}:
            if type(content[name]) is not int or not 0 <= content[name] < _LARGEST_COUNT:
                raise ValueError(f"{name!r} is no count")
        if not isinstance(content["file"], str):
            raise ValueError("'file' is no text")
        return cls(**{**content, "datasets": {path: _entry_of(path, entry) for path, entry in datasets.items()}})


def _entry_of(path: str, entry: Any) -> Entry:
    if not isinstance(entry, dict) or entry.keys() != {"checksum", "encoding"}:
        raise ValueError(f"the entry of {path[:100]!r} has not just checksum and encoding")
    if not isinstance(entry["checksum"], str) or entry["encoding"] not in get_args(Encoding):
        raise ValueError(f"the entry of {path[:100]!r} has no checksum, or an unknown encoding")
    return Entry(**entry)


def parsed_object(text: str) -> dict[str, Any]:
    """Parse a JSON object that may come from a stranger.

    Args:
        text: any text.

    Returns:
        The object.

    Raises:
        ValueError: when it is not JSON, nested too deeply, or no object.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON, or nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content


def checksum_of_text(text: str) -> str:
    """Compute the digest of a text.

    Args:
        text: any text.

    Returns:
        BLAKE2b of 16 bytes, in hexadecimal.
    """
    return blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def schema_in(manifest: str) -> Any:
    """Return the schema version that a manifest states; a later version's manifest may have another form.

    Args:
        manifest: text of the manifest.

    Returns:
        Usually an int; None if it is missing.

    Raises:
        ValueError: when the text is no JSON object.
    """
    return parsed_object(manifest).get("schema")
