"""The journal: an append-only text file with one checksummed line per record.

A record is acknowledged once it is on the disk.

Lines of the file:

1. The header: schema version, id of the results file, and `base`, the last sequence number before this journal.
2. The commit counter, a line of fixed length: the sequence number of the last record that is known to be on the disk.
3. The records. A line is one JSON object, `{"blake2b":"<16 hex
digits>","sequence":7,"kind":"child","row":{...},"curves":{...}}`. The digest covers the exact bytes that follow it, up
to the end of the line. Children that are stored together share one line,
`{..."sequence":7,"kind":"children","children":[{"row":{...},"curves":{...}},...]}`, which takes one sequence number per
child; they are on the disk together or not at all. Measurements are likewise of kind "measurement", or "measurements"
where several are stored together.

Sequence numbers rise by one per record over the whole life of a results file, across packs. Therefore a record that is
already in the HDF5 file is not counted twice, and a lost line is noticed.

The commit counter is overwritten in place after each record's fsync and is not synced itself, so neither a kill nor a
power cut leaves a counter that exceeds the last record. If the counter exceeds the last record, the journal was
truncated later, even if the cut is between two lines. A journal gets its name by a rename after header and counter are
on the disk, so a journal without them was truncated, too. Journals of the earlier form have no commit counter (their
header lacks `"claim":true`); a cut between two of their lines is not noticed.

While there is a journal, the HDF5 file says so at its end (`format.journal_mark`).

JSON has no NaN and no infinities: they are written as the strings "nan", "inf" and "-inf". Other floats are written by
repr, which is exact.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal, TypeGuard, cast

from nasbench.errors import InputError
from nasbench.outputs import open_new
from nasbench.store.errors import CorruptResults, NewerSchema, OlderSchema, explain
from nasbench.store.files import ResultsPaths, close_handle, read_all, remove_if_there, sync_folder, write_at
from nasbench.store.format.journal_mark import is_marked, mark_of
from nasbench.store.format.rows import (
    Curves,
    Row,
    child_row,
    measurement_row,
    run_row,
    spell_float,
    unspell_floats,
)
from nasbench.store.format.schema import (
    CHILD_COLUMNS,
    CURVES,
    MEASUREMENT_COLUMNS,
    OLDEST_READABLE,
    RUN_COLUMNS,
    SCHEMA_VERSION,
    STAGES,
    STATUSES,
    Column,
)

_log = logging.getLogger(__name__)

Kind = Literal["run", "child", "measurement"]

_OPENING: Final = b'{"blake2b":"'
_ROW: Final = b'"row":{'
_DIGITS: Final = 16
_BODY: Final = len(_OPENING) + _DIGITS
_FORMAT: Final = "nasbench journal"
_COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "child": CHILD_COLUMNS,
    "run": RUN_COLUMNS,
    "measurement": MEASUREMENT_COLUMNS,
}
_NAMES: Final = {kind: {column.name for column in columns} for kind, columns in _COLUMNS.items()}
_FLOATS: Final = {
    kind: tuple(column.name for column in columns if column.type == "float") for kind, columns in _COLUMNS.items()
}
# Kind of a line with several records -> kind of each.
_SEVERAL: Final[dict[str, Kind]] = {"children": "child", "measurements": "measurement"}
_PLAIN: Final = {"int": int, "float": float, "bool": bool, "str": str}
_TYPES: Final = {kind: tuple(_PLAIN[column.type] for column in columns) for kind, columns in _COLUMNS.items()}
_INTS: Final = {
    kind: tuple(column.name for column in columns if column.type == "int") for kind, columns in _COLUMNS.items()
}
_LARGEST_INT: Final = 1 << 63
_CHECKED: Final[dict[str, Callable[[Mapping[str, Any]], Row]]] = {
    "child": child_row,
    "run": run_row,
    "measurement": measurement_row,
}
_CURVE_NAMES: Final = {curve.name for curve in CURVES}
_FLOAT_ONLY: Final = {float}
_LARGEST_SEQUENCE: Final = 1 << 53
# A power cut can leave a hole of zeros inside the last, unacknowledged line; no line is ever written with a zero byte.
_HOLE: Final = b"\0" * 8


@dataclass(frozen=True)
class Header:
    """First line of a journal.

    Args:
        file: id of the results file to which it belongs.
        base: last sequence number before this journal.
        schema: version of the schema.
    """

    file: str
    base: int
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Record:
    """One acknowledged record: a child with its curves, a run, or a measurement. A later record of a run replaces the
    earlier.

    Args:
        sequence: number of the record in the file, without gaps.
        kind: "child", "run" or "measurement".
        row: its columns.
        curves: curves of a child, one value per epoch; empty for other records.
    """

    sequence: int
    kind: Kind
    row: Row
    curves: Curves


@dataclass(frozen=True)
class Damage:
    """A line of the journal whose bytes are not those that were written.

    Args:
        line: number of the line.
        text: what is wrong with it.
    """

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True)
class JournalContents:
    """Parsed contents of a journal.

    Args:
        header: the first line; None if it is missing or damaged, as in an empty journal.
        records: the sound records in order.
        damages: acknowledged lines that are damaged; empty for a sound journal.
        good_length: bytes up to the end of the last sound record.
        torn_length: bytes after that, from a record that was never acknowledged. If the commit counter shows that it
            was acknowledged, this is
            a damage.
        commit_counter_at: offset of the commit counter in bytes, 0 in a journal that has none.
        commit_counter_broken: whether the commit counter is damaged; no record is affected, and the next append writes
            it again.
    """

    header: Header | None = None
    records: list[Record] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    good_length: int = 0
    torn_length: int = 0
    commit_counter_at: int = 0
    commit_counter_broken: bool = False

    def require_sound(self, path: Path) -> None:
        """Raise if a line is damaged.

        Args:
            path: the journal, for the message.

        Raises:
            CorruptResults: when a line is damaged; the message names the first one, its records, and the number of
                others.
        """
        if self.damages:
            more = f" (and {len(self.damages) - 1} more)" if len(self.damages) > 1 else ""
            raise CorruptResults(f"{path}, {self.damages[0]}{more}; {len(self.records)} other records are sound")


def read_journal(path: Path, older: bool = False) -> JournalContents:
    """Read a journal, also while another process appends to it. A missing journal reads as an empty one.

    Args:
        path: the journal.
        older: whether a journal of an earlier schema, whose rows have other columns, is accepted.

    Returns:
        Everything sound and everything damaged; damage is not raised here.

    Raises:
        NewerSchema: when a later version wrote it.
        OlderSchema: when an earlier version wrote it, unless `older`.
        StoreError: when it cannot be read.
    """
    try:
        data = read_all(path)
    except OSError as error:
        raise explain(error, path, "reading the journal") from error
    return JournalContents() if data is None else parse_journal(data, path, older)


def parse_journal(data: bytes, path: Path, older: bool = False) -> JournalContents:
    """Parse the bytes of a journal into sound records, damaged lines and the incomplete end that a kill may leave.

    Args:
        data: the journal's bytes.
        path: for error messages.
        older: see `read_journal`.

    Returns:
        Everything sound and everything damaged; damage is not raised here.

    Raises:
        NewerSchema, OlderSchema: see `read_journal`.
    """
    commit_counter_at = _counter_position(data)
    commit_counter = data[commit_counter_at : commit_counter_at + _COUNTER_BYTES] if commit_counter_at else b""
    lines, tail = _whole_lines(data[commit_counter_at + len(commit_counter) :])
    reader = _Parser(path, older)
    if commit_counter_at:
        reader.take(1, data[: commit_counter_at - 1])
    for number, line in enumerate(lines, start=3 if commit_counter_at else 1):
        reader.take(number, line)
    acknowledged = _acknowledged_in(commit_counter)
    reader.end(acknowledged, begun=not reader.has_commit_counter or len(commit_counter) == _COUNTER_BYTES)
    return JournalContents(
        reader.header,
        reader.records,
        reader.damages,
        good_length=len(data) - len(tail),
        torn_length=len(tail),
        commit_counter_at=commit_counter_at,
        commit_counter_broken=len(commit_counter) == _COUNTER_BYTES and acknowledged is None,
    )


def _counter_position(data: bytes) -> int:
    """Offset of the commit counter: behind the header if that is sound and announces a counter, else 0."""
    end = data.find(b"\n")
    header = _unseal(data[:end]) if end > 0 else None
    return end + 1 if header and header.get("claim") else 0


def _acknowledged_in(commit_counter: bytes) -> int | None:
    """Sequence number in a commit counter, or None if the counter is damaged."""
    content = _unseal(commit_counter[:-1]) if commit_counter.endswith(b"\n") else None
    said = content.get("acknowledged") if content else None
    return int(said) if isinstance(said, str) and said.isascii() and said.isdigit() else None


def _whole_lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Split into complete lines and the incomplete end that a kill may have left."""
    lines = data.split(b"\n")
    tail = lines.pop()
    if _unseal(tail) is not None:  # complete, only its newline is missing
        return [*lines, tail], b""
    if tail and _unseal(tail[:-1]) is not None:  # complete, with another byte in place of its newline
        return [*lines, tail[:-1]], tail[-1:]
    if not tail and lines and _HOLE in lines[-1]:
        return lines[:-1], lines[-1] + b"\n"
    return lines, tail


class _Parser:
    def __init__(self, path: Path, older: bool) -> None:
        self.path, self._older = path, older
        self.header: Header | None = None
        self.records: list[Record] = []
        self.damages: list[Damage] = []
        self.has_commit_counter = False
        self._known = True  # whether rows have this schema's columns
        self._next: int | None = None
        self._lines = 0

    def take(self, number: int, line: bytes) -> None:
        self._lines = number
        content = _unseal(line)
        if content is None:
            self.damages.append(Damage(number, f"checksum does not fit, {_affected(number, line, self._next)}"))
            self._next = None if self._next is None else self._next + _records_in(line)
        elif number == 1:
            self._take_header(content)
        elif "acknowledged" not in content:  # after a damaged header the commit counter is an ordinary line
            self._take_line(number, content)

    def end(self, acknowledged: int | None, begun: bool) -> None:
        """Note a damage if acknowledged records are missing, or if the start of the file is missing (not `begun`)."""
        number = self._lines + 1
        if not begun or not self._lines:
            base = f" after {self.header.base}" if self.header else ""
            self.damages.append(
                Damage(number, f"the journal was cut before its first record; all records{base} that it held are lost")
            )
        elif acknowledged is not None and self._next is not None and acknowledged >= self._next:
            lost = _numbered(self._next, acknowledged)
            self.damages.append(Damage(number, f"the journal was cut here: {lost}, acknowledged once, are not there"))

    def _take_header(self, content: Mapping[str, Any]) -> None:
        schema = content.get("schema", SCHEMA_VERSION)
        if type(schema) is int and schema > SCHEMA_VERSION:
            raise NewerSchema.of(self.path, schema, SCHEMA_VERSION)
        if content.get("format") != _FORMAT:
            self.damages.append(Damage(1, "the header is missing, so the records before this line are lost"))
            return
        if type(schema) is not int or not _is_count(content.get("base")) or not isinstance(content.get("file"), str):
            self.damages.append(Damage(1, "the header lacks the file's id or the number of the record before it"))
            return
        if schema < OLDEST_READABLE and not self._older:
            raise OlderSchema.of(self.path, schema, SCHEMA_VERSION)
        self.header = Header(content["file"], content["base"], schema)
        self._known = schema >= OLDEST_READABLE
        self.has_commit_counter = bool(content.get("claim"))
        self._next = self.header.base + 1

    def _take_line(self, number: int, content: Mapping[str, Any]) -> None:
        several = str(content.get("kind"))
        if several not in _SEVERAL:
            self._take_record(number, content)
            return
        records, first = content.get(several), content.get("sequence")
        if not isinstance(records, list) or not _is_count(first) or not all(isinstance(each, dict) for each in records):
            self.damages.append(Damage(number, f"it is no list of {several}"))
            return
        for offset, record in enumerate(records):
            self._take_record(number, {"sequence": first + offset, "kind": _SEVERAL[several], **record})

    def _take_record(self, number: int, content: Mapping[str, Any]) -> None:
        sequence, kind, row = content.get("sequence"), content.get("kind"), content.get("row")
        if not isinstance(kind, str) or kind not in _NAMES or not isinstance(row, dict):
            self.damages.append(Damage(number, "it is no record of a child, a run or a measurement"))
            return
        if not _is_count(sequence):
            self.damages.append(Damage(number, f"this {kind!r} record has no number"))
            return
        if self._known and self.header is not None and self.header.schema < SCHEMA_VERSION:
            row |= {name: spell_float(value) for name, value in _later(kind, self.header.schema).items()}
        if self._known and row.keys() != _NAMES[kind]:
            self.damages.append(Damage(number, f"the columns of this {kind!r} record are not those of the schema"))
            return
        if self._next is not None and sequence != self._next:
            self.damages.append(
                Damage(number, f"record {sequence} follows where {self._next} should: the records between are lost")
            )
        self._next = sequence + 1
        try:
            plain = unspell_floats(row, _FLOATS[kind])
            if self._known and not _is_as_written(plain, kind):
                plain = _CHECKED[kind](plain)
            curves = _checked_curves(content.get("curves"), kind, self._known)
        except (InputError, TypeError, ValueError, OverflowError) as error:
            self.damages.append(Damage(number, " ".join(str(error).split())))
            return
        self.records.append(Record(sequence, cast("Kind", kind), plain, curves))


def _later(kind: str, schema: int) -> Row:
    """Values of the columns that a journal of an earlier schema lacks."""
    return {column.name: column.earlier for column in _COLUMNS[kind] if column.since > schema}


def _is_as_written(row: Row, kind: str) -> bool:
    """Whether a row is of the form in which rows are written: a quick look that spares most rows the check of each value."""
    if kind == "measurement" or tuple(map(type, row.values())) != _TYPES[kind]:  # rows have the schema's order
        return False
    if kind == "child" and (row["status"] not in STATUSES or row["stage"] not in STAGES):
        return False
    return all(-_LARGEST_INT <= row[name] < _LARGEST_INT for name in _INTS[kind])


def _checked_curves(curves: Any, kind: str, known: bool) -> Curves:
    if not isinstance(curves, dict) or not all(isinstance(values, list) for values in curves.values()):
        raise ValueError("its curves are no lists")
    plain = {
        name: values if _FLOAT_ONLY.issuperset(map(type, values)) else [_curve_value(value) for value in values]
        for name, values in curves.items()
    }
    lengths = {len(values) for values in plain.values()}
    if known and kind == "child" and (plain.keys() != _CURVE_NAMES or len(lengths) != 1):
        raise ValueError("its curves are not those of the schema, or of different lengths")
    return plain


def _curve_value(value: Any) -> float:
    if type(value) not in (float, str, int):
        raise ValueError(f"a curve has the value {str(value)[:40]!r}")
    return float(value)


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < _LARGEST_SEQUENCE


def _records_in(line: bytes) -> int:
    """Number of records in a damaged line: more than one if children were stored together, or if a newline was lost."""
    return max(1, line.count(_OPENING), line.count(_ROW))


def _affected(number: int, line: bytes, sequence: int | None) -> str:
    if number == 1:
        return "the header is affected (which results file the journal belongs to)"
    if _records_in(line) > 1:
        cause = "the newline between records is gone, " if line.count(_OPENING) > 1 else ""
        last = "" if sequence is None else f" {sequence} to {sequence + _records_in(line) - 1}"
        return f"{cause}the records{last} are affected"
    name = f"record {sequence}" if sequence is not None else "one record"
    run = re.search(rb'"run":"([^"\\]{1,40})"', line)
    index = re.search(rb'"index":(\d{1,12})', line)
    if run and index:
        return f"{name} is affected (it seems to be child {index[1].decode()} of run {run[1].decode(errors='replace')})"
    if run:
        return f"{name} is affected (it seems to be about run {run[1].decode(errors='replace')})"
    return f"{name} is affected"


def _numbered(first: int, last: int) -> str:
    return f"record {first}" if first == last else f"records {first} to {last}"


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGITS // 2).hexdigest().encode()


def _seal(content: Mapping[str, Any]) -> bytes:
    body = b'",' + json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")[1:]
    return _OPENING + _digest(body) + body + b"\n"


def _unseal(line: bytes) -> dict[str, Any] | None:
    body = line[_BODY:]
    if line[:_BODY] != _OPENING + _digest(body):
        return None
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):  # bytes that a stranger sealed
        return None
    return content if isinstance(content, dict) else None


class JournalWriter:
    """Appends records to the journal. Only the owner of the results file's lock may have one.

    A failed append leaves the file as it was before: bytes that it may have written are cut off at once or, if even
    that fails, before the next append. Once the cause is removed, the same append can be tried again.

    Args:
        paths: the results file; its journal is created at the first append.
        header: first line of the journal if it is created.
        contents: result of `read_journal`, without damage.
        confirm: called before and after each write; raises `OwnershipLost` if this process is no longer the owner.
        packed: number of the last record in the HDF5 file, in which is noted that it has a journal; None if there is no
            such file.
    """

    def __init__(
        self,
        paths: ResultsPaths,
        header: Header,
        contents: JournalContents,
        confirm: Callable[[], None],
        packed: int | None,
    ) -> None:
        self._h5, self._packed = paths.h5, packed
        self.path, self._begun_at, self._header = paths.journal, paths.beginning, header
        self._confirm = confirm
        self.sequence = contents.records[-1].sequence if contents.records else header.base
        self.length = contents.good_length if contents.header else 0
        self.schema = contents.header.schema if contents.header else SCHEMA_VERSION
        self._commit_counter_at = contents.commit_counter_at
        self._handle = -1
        self._settled = False

    def append(self, kind: Kind, row: Row, curves: Mapping[str, Sequence[float]]) -> None:
        """Write one record and wait until it is on the disk. The record is acknowledged when this returns.

        Args:
            kind: "run", "child" or "measurement".
            row: its columns, checked.
            curves: curves of a child; {} for other records.

        Raises:
            StoreError: when it could not be written; nothing of it is stored, and all earlier records still are.
        """
        self._append_line({"sequence": self.sequence + 1, "kind": kind, **_spelled(row, curves)}, 1)

    def append_several(
        self,
        kind: Literal["children", "measurements"],
        records: Sequence[tuple[Row, Mapping[str, Sequence[float]]]],
    ) -> None:
        """Write records as one line, all or none, and wait once until they are on the disk.

        Args:
            kind: what they are.
            records: rows with the curves of children, at least one; {} for measurements.

        Raises:
            StoreError: when they could not be written; none of them is stored, and all earlier records still are.
        """
        spelled = [_spelled(row, curves) for row, curves in records]
        self._append_line({"sequence": self.sequence + 1, "kind": kind, kind: spelled}, len(spelled))

    def _append_line(self, content: Mapping[str, Any], records: int) -> None:
        line = _seal(content)
        self._confirm()
        try:
            self._prepare()
            if self._packed is not None:
                self._mark_packed(self._packed)
                self._packed = None
            self._settled = False
            write_at(self._handle, line, self.length)
            os.fsync(self._handle)
        except OSError as error:
            self._cut_now_or_later()
            raise explain(error, self.path, "appending a row") from error
        self._confirm()  # an owner that took over before this line was on the disk may have read the journal without it
        self.length += len(line)
        self.sequence += records
        self._settled = True
        self._write_commit_counter()

    def _write_commit_counter(self) -> None:
        """Write the last record's number into the commit counter.

        The record is on the disk already, so a failure here is only logged.
        """
        if not self._commit_counter_at:
            return
        try:
            write_at(self._handle, _counter_line(self.sequence), self._commit_counter_at)
        except OSError as error:
            _log.warning(
                "%s: record %d is kept, but the commit counter was not written: %s", self.path, self.sequence, error
            )

    def settle(self) -> None:
        """Cut off bytes that a failed append may have left. Afterwards the file holds acknowledged records only.

        Raises:
            StoreError: when that fails.
        """
        try:
            self._prepare()
        except OSError as error:
            raise explain(error, self.path, "cutting off what was not acknowledged") from error

    def _prepare(self) -> None:
        if not self.length:
            self._begin()
        if self._handle < 0:
            self._handle = self._opened()
        if os.fstat(self._handle).st_nlink == 0:
            raise CorruptResults(
                f"{self.path} was removed while this process was writing it; rows since the last pack are lost: stop "
                "and resume"
            )
        if not self._settled:
            self._cut()
            self._settled = True

    def _opened(self) -> int:
        """Open the journal and check that it is this owner's.

        A new owner would have put another file under the name.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._confirm()
        except BaseException:
            close_handle(handle)
            raise
        return handle

    def _mark_packed(self, last_sequence: int) -> None:
        """Note in the HDF5 file that it has a journal: before a record is written, which a copy without it would lack."""
        try:
            handle = os.open(self._h5, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            _log.warning("%s cannot be written (%s), so copy it with its journal only", self._h5, error.strerror)
            return
        try:
            status = os.fstat(handle)
            mark = mark_of(self._header.file, last_sequence)
            # Other names of the same file are those of backups, which need no journal.
            if status.st_nlink != 1 or is_marked(handle, self._header.file, last_sequence):
                return
            self._confirm()
            try:
                write_at(handle, mark, status.st_size)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, status.st_size)
                raise
        finally:
            close_handle(handle)

    def packed_up_to(self, last_sequence: int) -> None:
        """Take note of a new HDF5 file: the next append notes in it that it has a journal.

        Args:
            last_sequence: number of the last record that is in it.
        """
        self._packed = last_sequence

    def _begin(self) -> None:
        """Create the journal. Header and commit counter are on the disk before it gets its name."""
        header = _seal(_header_line(self._header))
        head = header + _counter_line(self._header.base)
        _put_in_place(self._begun_at, head, self.path, self._h5, self._confirm)
        self.length, self._commit_counter_at, self._settled = len(head), len(header), True

    def _cut(self) -> None:
        os.ftruncate(self._handle, self.length)
        if self.length and os.pread(self._handle, 1, self.length - 1) != b"\n":
            write_at(self._handle, b"\n", self.length)
            self.length += 1

    def _cut_now_or_later(self) -> None:
        if self._handle < 0:
            return
        try:
            self._cut()
            self._settled = True
        except OSError:
            self._settled = False  # the next append cuts first, and fails if it cannot

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._handle >= 0:
            close_handle(self._handle)
            self._handle = -1

    def start_again(self, header: Header) -> None:
        """Forget the journal that was packed and removed; the next append creates a new one.

        Args:
            header: header of the new journal.
        """
        self.close()
        self.schema = SCHEMA_VERSION
        self._header, self.sequence, self.length, self._commit_counter_at, self._settled = (
            header,
            header.base,
            0,
            0,
            False,
        )


def renew_journal(paths: ResultsPaths, confirm: Callable[[], None]) -> None:
    """Copy the journal into a new file of the same name.

    A previous owner that still has the old file open then writes where nobody reads.

    Args:
        paths: the results file, which this process has just taken while a previous owner may still continue.
        confirm: raises `OwnershipLost` if this process is no longer the owner.

    Raises:
        StoreError: when it cannot be written; the journal stays as it is.
    """
    try:
        data = read_all(paths.journal)
        if data is not None:
            _put_in_place(paths.beginning, data, paths.journal, paths.h5, confirm)
    except OSError as error:
        raise explain(error, paths.journal, "copying the journal of the owner before") from error


def _put_in_place(fresh: Path, data: bytes, path: Path, h5: Path, confirm: Callable[[], None]) -> None:
    """Write a journal completely to the disk, then give it its name. Its mode is that of the old one or the HDF5 file."""
    remove_if_there(fresh)  # left by a killed process, or a link that somebody planted
    handle = open_new(fresh, path, h5, least=0o600)  # this user writes it, also beside a file that is read only
    try:
        write_at(handle, data, 0)
        os.fsync(handle)
        confirm()  # a new owner has a journal of its own by now; later than this it has removed `fresh`
        os.replace(fresh, path)
        sync_folder(path.parent)
    finally:
        close_handle(handle)


def _spelled(row: Row, curves: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    return {
        "row": {name: spell_float(value) for name, value in row.items()},
        "curves": {name: [spell_float(value) for value in values] for name, values in curves.items()},
    }


def _header_line(header: Header) -> dict[str, Any]:
    return {"format": _FORMAT, "schema": SCHEMA_VERSION, "file": header.file, "base": header.base, "claim": True}


def _counter_line(sequence: int) -> bytes:
    return _seal({"acknowledged": f"{sequence:020}"})


_COUNTER_BYTES: Final = len(_counter_line(0))
