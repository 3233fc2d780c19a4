"""Read a packed results file: one dataset per column, each with its checksum.

Layout, readable with plain h5py and h5dump as well:

    /                       attributes: format, schema_version, about, manifest (JSON: counts, and checksum and
                            encoding of every dataset)
    /children/<column>      one value per child in commit order; text columns with few distinct values hold codes, and
                            their attribute `categories` names the dataset of the values that the codes stand for
    /runs/<column>          likewise, one value per run
    /measurements/<column>  likewise, one value per measurement; not there in a file without measurements
    /curves/<curve>         all children's epochs end to end; child i has the rows curves/offsets[i] to
                            curves/offsets[i + 1]
    /categories/...         the values that codes stand for
    /ends/...               where each text ends, for the rare text dataset that is stored as its bytes end to end

A dataset's attribute `checksum` repeats the manifest's (BLAKE2b); `crc32`, which early files lack, is of the same bytes
(see `chunks`).

Text is UTF-8 of fixed width. A text dataset whose values HDF5 cannot hold as they are (zero bytes, lone surrogates) has
the attribute `escaped`: its values are written with JSON's escapes. The file format is that of HDF5 1.10, which
checksums the metadata as well.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any, Final, Literal, cast

import h5py
import numpy as np

from nasbench.store.errors import CorruptResults, MissingResults, NewerSchema, StoreError, explain, failed_call
from nasbench.store.format.chunks import Crc32, blake2b_16, digest_of, filters_of, read_chunks
from nasbench.store.format.columns import Data, FixedTexts, Numbers, Text, column_of
from nasbench.store.format.schema import CHILD_COLUMNS, MEASUREMENT_COLUMNS, RUN_COLUMNS, SCHEMA_VERSION, Column

_log = logging.getLogger(__name__)

Table = Literal["children", "runs", "measurements"]
Encoding = Literal["numbers", "codes", "fixed", "fixed escaped", "bytes", "bytes escaped"]

FORMAT: Final = "nasbench results"
TABLES: Final[dict[Table, tuple[Column, ...]]] = {
    "children": CHILD_COLUMNS,
    "runs": RUN_COLUMNS,
    "measurements": MEASUREMENT_COLUMNS,
}
CRC: Final = "crc32"
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"


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
            text: sound text.

        Returns:
            The manifest.
        """
        content = json.loads(text)
        return cls(**{**content, "datasets": {path: Entry(**entry) for path, entry in content["datasets"].items()}})


def checksum_of_text(text: str) -> str:
    """Compute the digest of a text.

    Args:
        text: any text.

    Returns:
        BLAKE2b of 16 bytes, in hexadecimal.
    """
    return blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def checksum_of(values: Numbers) -> str:
    """Compute the digest of an array's type, shape and bytes.

    Args:
        values: the array.

    Returns:
        BLAKE2b of 16 bytes, in hexadecimal.
    """
    return digest_of(values, blake2b_16)


def _schema_in(manifest: str) -> int:
    return int(json.loads(manifest)["schema"])


class PackedFile:
    """An open HDF5 results file.

    It stays readable, unchanged, while a writer replaces the file of that name by a newer one.

    Args:
        path: the HDF5 file.

    Raises:
        MissingResults: when there is no such file.
        CorruptResults: when it is not HDF5, not a nasbench results file, or damaged.
        NewerSchema: when a later version wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open_hdf5(path)
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self.close()
            raise

    def _read_manifest(self) -> Manifest:
        try:
            attributes = attributes_of(self._file)
        except Exception as error:  # HDF5 reports damage by whatever error is nearest
            raise self._damaged("its attributes", error) from error
        if attributes.get("format") != FORMAT:
            raise CorruptResults(f"{self.path} is an HDF5 file, but not a results file of nasbench")
        version, text = attributes.get("schema_version"), str(attributes.get("manifest"))
        sound = checksum_of_text(text) == attributes.get("manifest_checksum")
        # A later version's manifest may have another form but still contains the schema. If both are sound and differ,
        # the attribute is wrong.
        if (
            isinstance(version, Integral)
            and int(version) > SCHEMA_VERSION
            and not (sound and _schema_in(text) != version)
        ):
            raise NewerSchema.of(self.path, int(version), SCHEMA_VERSION)
        if not sound:
            raise self._damaged("the attribute 'manifest'", "its checksum does not fit")
        if version != _schema_in(text):
            raise self._damaged("the attribute 'schema_version'", f"it is {version}")
        return Manifest.from_json(text)

    def _damaged(self, what: str, reason: Exception | str) -> CorruptResults:
        if isinstance(reason, Exception) and (failed := failed_call(reason)):
            return CorruptResults(
                f"{self.path} cannot be read in {what} ({failed.strerror}); its bytes may be sound: repair the disk "
                "or the permission and try again"
            )
        detail = str(reason).splitlines()[0] if str(reason) else type(reason).__name__
        return CorruptResults(
            f"{self.path} is damaged in {what} ({detail}); other datasets may be sound, restore this one from a copy"
        )

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the open file, used to detect that another file has taken its name.

        Raises:
            StoreError: when the file's status cannot be read.
        """
        try:
            status = os.fstat(self._file.id.get_vfd_handle())
        except OSError as error:
            raise explain(error, self.path, "reading") from error
        return status.st_dev, status.st_ino

    def column(self, table: Table, column: Column) -> Data:
        """Read and verify one column.

        Args:
            table: name of the table.
            column: a column of that table.

        Returns:
            The column, shape [rows].

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        if table == "measurements" and not self.manifest.measurements:
            return column_of(column, [])
        path = f"{table}/{column.name}"
        if column.type != "str":
            return self.values(path)
        if self._entry(path).encoding == "codes":
            return Text(self.values(path), self._strings(f"categories/{path}"))
        values = self._strings(path)
        return Text(np.arange(len(values)), values)

    def column_at(self, table: Table, column: Column, positions: Numbers) -> Data:
        """Read some rows of one column, and only the chunks of the file that contain them.

        These chunks are verified by the checksums of HDF5 (Fletcher-32) and zlib, because the dataset's own checksum
        covers all of it.

        Args:
            table: name of the table.
            column: a column of that table.
            positions: ints, shape [rows].

        Returns:
            The rows in the order of `positions`.

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        path = f"{table}/{column.name}"
        if column.type != "str":
            return self.values_at(path, positions)
        encoding = self._entry(path).encoding
        if encoding == "fixed":
            return Text(np.arange(len(positions)), FixedTexts(self.values_at(path, positions)))
        categories = f"categories/{path}"
        if encoding == "codes" and self._entry(categories).encoding == "fixed":
            used, codes = np.unique(self.values_at(path, positions), return_inverse=True)
            return Text(codes, FixedTexts(self.values_at(categories, used.astype(np.int64))))
        return cast("Text", self.column(table, column)).take(positions)

    def values_at(self, path: str, positions: Numbers) -> Numbers:
        """Read some values of one dataset, as `column_at` does.

        Args:
            path: path of the dataset, e.g. "curves/val_acc".
            positions: ints, shape [values].

        Returns:
            The values in the order of `positions`.

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        self._entry(path)
        try:
            dataset = self._file[path]
            rows = dataset.chunks[0] if dataset.chunks and dataset.fletcher32 else len(dataset)
            places = positions // max(1, rows)
            chunks = np.unique(places).tolist()
            if 2 * len(chunks) * rows <= len(dataset):
                values: Numbers = np.empty(len(positions), dataset.dtype)
                for chunk in chunks:
                    here = places == chunk
                    values[here] = dataset[chunk * rows : (chunk + 1) * rows][positions[here] - chunk * rows]
                return values
        except Exception as error:  # HDF5 reports damage by whatever error is nearest
            raise self._damaged(f"dataset {path!r}", error) from error
        return self.values(path)[positions]

    def numbers(self, path: str) -> Numbers:
        """Read one dataset as it is stored, verified by HDF5's checksums and by its own digest.

        Args:
            path: path of the dataset, e.g. "curves/val_acc".

        Returns:
            Its values.

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        entry = self._entry(path)
        try:
            values: Numbers = self._file[path][()]
        except Exception as error:  # HDF5 reports damage by whatever error is nearest
            raise self._damaged(f"dataset {path!r}", error) from error
        if checksum_of(values) != entry.checksum:
            raise self._damaged(f"dataset {path!r}", "its checksum does not fit")
        return values

    def values(self, path: str) -> Numbers:
        """Read one dataset as `numbers` does, but verify only its CRC-32, or in earlier files only its digest.

        Args:
            path: path of the dataset, e.g. "curves/val_acc".

        Returns:
            Its values.

        Raises:
            CorruptResults: when it is damaged.
        """
        entry = self._entry(path)
        found = None
        try:
            dataset = self._file[path]
            if filters := filters_of(dataset):
                crc = dataset.attrs.get(CRC)
                kind, checksum = (blake2b_16, entry.checksum) if crc is None else (Crc32, crc.decode())
                found = read_chunks(dataset, filters, kind, checksum)
        except Exception:  # `numbers` reports what is wrong
            found = None
        return self.numbers(path) if found is None else found

    def _entry(self, path: str) -> Entry:
        if not self._file:
            raise StoreError(f"{self.path} was closed before these values were read; open it again")
        if path not in self.manifest.datasets:
            raise self._damaged(f"dataset {path!r}", "it is missing")
        return self.manifest.datasets[path]

    def _strings(self, path: str) -> Sequence[str]:
        encoding = self._entry(path).encoding
        if encoding == "fixed":
            return FixedTexts(self.values(path))
        if encoding.startswith("bytes"):
            data = self.numbers(path).tobytes()
            ends = [0, *self.numbers(f"ends/{path}").tolist()]
            values = [data[start:end].decode() for start, end in pairwise(ends)]
        else:
            values = [value.decode() for value in self.numbers(path).tolist()]
        return [json.loads(f'"{value}"') for value in values] if encoding.endswith("escaped") else values

    def verify(self) -> None:
        """Read every dataset.

        Raises:
            CorruptResults: when a dataset is damaged; the message names the first one.
        """
        for path in self.manifest.datasets:
            self.numbers(path)

    def close(self) -> None:
        """Close the file. An error is only logged, because the file was only read."""
        try:
            self._file.close()
        except (RuntimeError, OSError) as error:
            _log.warning("closing %s: %s", self.path, error)


def attributes_of(owner: Any) -> dict[str, Any]:
    """Read the attributes of a file or dataset.

    Args:
        owner: an h5py file or dataset.

    Returns:
        Name -> value. Text is str, both at fixed width (now) and at variable width (early files).
    """
    values = dict(owner.attrs)
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value for name, value in values.items()
    }


def _open_hdf5(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            signature = file.read(len(_SIGNATURE))
    except FileNotFoundError as error:
        raise MissingResults(f"{path}: no such results file") from error
    except OSError as error:
        raise explain(error, path, "opening it for reading") from error
    if signature != _SIGNATURE:
        raise CorruptResults(f"{path} is not an HDF5 file, or its first bytes are damaged; restore it from a copy")
    try:
        # Packed files never change, so readers need no lock; some network file systems have none.
        return h5py.File(path, "r", locking=False)
    except FileNotFoundError as error:
        raise MissingResults(f"{path}: no such results file") from error
    except Exception as error:  # HDF5 reports damage by whatever error is nearest
        if failed := failed_call(error):
            raise explain(failed, path, "opening it for reading") from error
        if "truncated" in str(error):
            raise CorruptResults(f"{path} is truncated: {error}; restore it from a copy") from error
        raise CorruptResults(f"{path} cannot be opened as HDF5: {error}; restore it from a copy") from error
