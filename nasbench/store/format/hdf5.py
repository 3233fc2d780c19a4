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
checksums the metadata as well. Behind HDF5's last byte there may be a mark, see `journal_mark`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import Any, Final, cast

import h5py
import numpy as np

from nasbench.store.errors import CorruptResults, MissingResults, NewerSchema, StoreError, explain, failed_call
from nasbench.store.format.chunks import (
    Crc32,
    StoredDataset,
    blake2b_16,
    digest_of,
    read_chunk,
    read_chunks,
)
from nasbench.store.format.columns import Data, FixedTexts, Numbers, Text, column_of, constant, decoded_texts, is_ascii
from nasbench.store.format.form import Form
from nasbench.store.format.journal_mark import says_journal
from nasbench.store.format.manifest import FORMAT, TABLES, Entry, Manifest, Table, checksum_of_text, schema_in
from nasbench.store.format.opening import open_plain
from nasbench.store.format.schema import SCHEMA_VERSION, Column

_log = logging.getLogger(__name__)

CRC: Final = "crc32"
SURROGATE: Final = "nasbench surrogate"  # what `nasbench.tabular.surrogates.files` writes as the format
_SHOWN_STRANGERS: Final = 20
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"


def checksum_of(values: Numbers) -> str:
    """Compute the digest of an array's type, shape and bytes.

    Args:
        values: the array.

    Returns:
        BLAKE2b of 16 bytes, in hexadecimal.
    """
    return digest_of(values, blake2b_16)


class PackedFile:
    """An open HDF5 results file.

    It stays readable, unchanged, while a writer replaces the file of that name by a newer one.

    Args:
        path: the HDF5 file.

    Attributes:
        manifest: its table of contents.
        has_journal: whether it says that rows were stored in a journal beside it.

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
            self.has_journal = self._says_journal()
            rows = {str(table): self.manifest.rows(table) for table in TABLES}
            encodings = {path: entry.encoding for path, entry in self.manifest.datasets.items()}
            self._form = Form(self._file, encodings, rows, dict(TABLES.items()), self._size())
            if why := self._form.fault_of_rows():
                raise self._damaged("the attribute 'manifest'", why)
        except BaseException:
            self.close()
            raise

    def _says_journal(self) -> bool:
        # Read once, before the journal: a mark that is written later may be of a journal that the reader did not see.
        try:
            return says_journal(self._file.id.get_vfd_handle(), self.manifest.file, self.manifest.last_sequence)
        except OSError as error:
            raise explain(error, self.path, "reading") from error

    def _size(self) -> int:
        try:
            return os.fstat(self._file.id.get_vfd_handle()).st_size
        except OSError as error:
            raise explain(error, self.path, "reading") from error

    def _read_manifest(self) -> Manifest:
        try:
            attributes = attributes_of(self._file)
        except Exception as error:  # HDF5 reports damage by whatever error is nearest
            raise self._damaged("its attributes", error) from error
        if text_in(attributes, "format") != FORMAT:
            kind = text_in(attributes, "format") == SURROGATE
            what = "; it is a surrogate, see: nasbench surrogate show" if kind else ""
            raise CorruptResults(f"{self.path} is an HDF5 file, but not a results file of nasbench{what}")
        version, text = attributes.get("schema_version"), text_in(attributes, "manifest")
        sound = checksum_of_text(text) == text_in(attributes, "manifest_checksum")
        # A later version's manifest may have another form but still contains the schema. If both are sound and differ,
        # the attribute is wrong.
        if not isinstance(version, Integral):
            raise self._damaged("the attribute 'schema_version'", "it is no number")
        try:
            stated = schema_in(text) if sound else None
            if int(version) > SCHEMA_VERSION and not (sound and stated != version):
                raise NewerSchema.of(self.path, int(version), SCHEMA_VERSION)
            if not sound:
                raise self._damaged("the attribute 'manifest'", "its checksum does not fit")
            if version != stated:
                raise self._damaged("the attribute 'schema_version'", f"it is {version}")
            return Manifest.from_json(text)
        except ValueError as error:
            raise self._damaged("the attribute 'manifest'", error) from error

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
        if self._is_earlier_than(column):
            return constant(column, self.manifest.rows(table))
        path = f"{table}/{column.name}"
        if column.type != "str":
            return self.values(path)
        if self._entry(path).encoding == "codes":
            return self._text_of_codes(path, self.values(path), self._strings(f"categories/{path}"))
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
        if self._is_earlier_than(column):
            return constant(column, len(positions))
        path = f"{table}/{column.name}"
        if column.type != "str":
            return self.values_at(path, positions)
        encoding = self._entry(path).encoding
        if encoding == "fixed":
            return Text(np.arange(len(positions)), self._fixed(path, self.values_at(path, positions)))
        categories = f"categories/{path}"
        if encoding == "codes" and self._entry(categories).encoding == "fixed":
            used, codes = np.unique(self.values_at(path, positions), return_inverse=True)
            if len(used) and int(used[-1]) >= self._form.dataset(categories).length:
                raise self._damaged(f"dataset {path!r}", f"it has the code {used[-1]}, which stands for no category")
            return Text(codes, self._fixed(categories, self.values_at(categories, used.astype(np.int64))))
        return cast("Text", self.column(table, column)).take(positions)

    def _is_earlier_than(self, column: Column) -> bool:
        """Whether the file was written before its schema had a column."""
        return self.manifest.schema < column.since

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
            dataset = self._form.dataset(path)
            rows = dataset.rows or dataset.length
            places = positions // max(1, rows)
            chunks = np.unique(places).tolist()
            if 2 * len(chunks) * rows <= len(dataset):
                values: Numbers = np.empty(len(positions), dataset.dtype)
                for chunk in chunks:
                    here = places == chunk
                    values[here] = read_chunk(dataset, chunk * rows)[positions[here] - chunk * rows]
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
            values = self._form.dataset(path).whole()
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
            dataset = self._form.dataset(path)
            if dataset.filters:
                crc = _crc_of(dataset)
                kind, checksum = (Crc32, crc) if crc else (blake2b_16, entry.checksum)
                found = read_chunks(dataset, kind, checksum)
        except Exception:  # `numbers` reports what is wrong
            found = None
        return self.numbers(path) if found is None else found

    def _entry(self, path: str) -> Entry:
        if not self._file:
            raise StoreError(f"{self.path} was closed before these values were read; open it again")
        if path not in self.manifest.datasets:
            raise self._damaged(f"dataset {path!r}", "it is missing")
        try:
            why = self._form.fault(path)
        except Exception as error:  # HDF5 reports damage by whatever error is nearest
            raise self._damaged(f"dataset {path!r}", error) from error
        if why:
            raise self._damaged(f"dataset {path!r}", why)
        return self.manifest.datasets[path]

    def _text_of_codes(self, path: str, codes: Numbers, categories: Sequence[str]) -> Text:
        if len(codes) and int(codes.max()) >= len(categories):
            raise self._damaged(f"dataset {path!r}", f"it has the code {codes.max()}, which stands for no category")
        return Text(codes, categories)

    def _fixed(self, path: str, raw: Numbers) -> FixedTexts:
        """Wrap texts that are decoded later, after a check that they can be."""
        if not is_ascii(raw):
            try:
                for value in raw.tolist():
                    value.decode()  # strict
            except UnicodeDecodeError as error:
                raise self._damaged(f"dataset {path!r}", f"a text is not UTF-8: {error.reason}") from error
        return FixedTexts(raw)

    def offsets(self) -> Numbers:
        """Read the borders of the children in the curves.

        Returns:
            Ints, shape [children + 1]; child i has the epochs offsets[i] to offsets[i + 1].

        Raises:
            CorruptResults: when the dataset is damaged, or the borders do not fit the curves.
        """
        path = "curves/offsets"
        found = self.values(path)
        epochs = self._form.dataset("curves/val_acc").length if self._entry("curves/val_acc") else 0
        if found[0] != 0 or found[-1] != epochs or (np.diff(found) < 0).any():
            raise self._damaged(f"dataset {path!r}", f"it does not rise from 0 to the {epochs} epochs of the curves")
        return found

    def _strings(self, path: str) -> Sequence[str]:
        encoding = self._entry(path).encoding
        if encoding == "fixed":
            return self._fixed(path, self.values(path))
        try:
            return decoded_texts(
                self.numbers(path),
                self.numbers(f"ends/{path}") if encoding.startswith("bytes") else None,
                encoding.endswith("escaped"),
            )
        except ValueError as error:
            raise self._damaged(f"dataset {path!r}", error) from error

    def verify(self) -> None:
        """Read every dataset, and decode every text.

        Raises:
            CorruptResults: when a dataset is damaged; the message names the first one.
        """
        for path in self.manifest.datasets:
            self.verify_dataset(path)

    def verify_dataset(self, path: str) -> int:
        """Verify one dataset: its form, its checksum, codes, texts and offsets.

        Args:
            path: path of a dataset in the manifest.

        Returns:
            Number of its values.

        Raises:
            CorruptResults: when it is damaged.
        """
        entry = self._entry(path)
        values = self.numbers(path)
        if entry.encoding == "fixed":
            self._fixed(path, values)
        elif entry.encoding == "codes":
            self._text_of_codes(path, values, self._strings(f"categories/{path}"))
        elif entry.encoding != "numbers":
            self._strings(path)
        elif path == "curves/offsets":
            self.offsets()
        return len(values)

    def strangers(self) -> list[tuple[str, str]]:
        """Find what is in the file although no results file has it.

        Returns:
            Path, and what it is, for at most 20 of them.

        Raises:
            CorruptResults: when the groups cannot be listed.
        """
        try:
            return list(islice(self._form.strangers(), _SHOWN_STRANGERS))
        except Exception as error:  # HDF5 reports damage by whatever error is nearest
            raise self._damaged("its groups", error) from error

    def close(self) -> None:
        """Close the file. An error is only logged, because the file was only read."""
        try:
            self._file.close()
        except (RuntimeError, OSError) as error:
            _log.warning("closing %s: %s", self.path, error)


def text_in(attributes: Mapping[str, Any], name: str) -> str:
    """Return an attribute that is text; "" if it is missing or anything else.

    Args:
        attributes: from `attributes_of`.
        name: name of the attribute.

    Returns:
        The text.
    """
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


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
        with open_plain(path) as file:
            signature = file.read(len(_SIGNATURE))
    except FileNotFoundError as error:
        raise MissingResults(f"{path}: no such results file") from error
    except OSError as error:
        raise explain(error, path, "opening it for reading") from error
    if signature != _SIGNATURE:
        raise CorruptResults(f"{path} is not an HDF5 file, or its first bytes are damaged; restore it from a copy")
    try:
        # Packed files never change but for the mark at their end, so readers need no lock; some network file systems have none.
        return h5py.File(path, "r", locking=False)
    except FileNotFoundError as error:
        raise MissingResults(f"{path}: no such results file") from error
    except Exception as error:  # HDF5 reports damage by whatever error is nearest
        if failed := failed_call(error):
            raise explain(failed, path, "opening it for reading") from error
        if "truncated" in str(error):
            raise CorruptResults(f"{path} is truncated: {error}; restore it from a copy") from error
        if "locking flag" in str(error):  # by h5py, in this process
            raise CorruptResults(
                f"{path} is open in this program otherwise than nasbench opens it; close it first"
            ) from error
        raise CorruptResults(f"{path} cannot be opened as HDF5: {error}; restore it from a copy") from error


def _crc_of(dataset: StoredDataset) -> str:
    """Read the CRC-32 that is stored beside a dataset; "" in early files, which have none."""
    name = CRC.encode()
    if not h5py.h5a.exists(dataset.identifier, name):
        return ""
    attribute = h5py.h5a.open(dataset.identifier, name)
    if attribute.shape or attribute.dtype.kind != "S":
        raise ValueError(f"the attribute {CRC!r} is no text of fixed width")
    value = np.empty((), attribute.dtype)
    attribute.read(value)
    return bytes(value.item()).decode() or "empty"
