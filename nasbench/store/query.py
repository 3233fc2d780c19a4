"""Queries of results files: whole tables as DataFrames, single rows as mappings."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from nasbench.errors import InputError, UnknownName
from nasbench.store.errors import MissingResults
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Data, Numbers, Text, gather, join_columns, shown, take
from nasbench.store.format.frames import for_pandas
from nasbench.store.format.manifest import TABLES, Table
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, REPEATABLE_STATUSES, STAGES
from nasbench.store.reader import Snapshot, open_snapshot

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | os.PathLike[str]
Key = tuple[str, str, int, str]

_CHILD: Final = {column.name: column for column in CHILD_COLUMNS}
_FILE: Final = "file"
UNKNOWN_AS_NAN: Final = (
    "params",
    "mult_adds",
    "published_params",
    "published_mult_adds",
    "epochs",
    "peak_memory",
)
"""Counts that files hold as -1 where they are unknown, and frames as NaN. A seed of -1 is a mean over seeds."""
_MANY: Final = 8  # whole columns are read if more than one row in 8 is wanted
_FEW_EPOCHS: Final = 1 << 17
_SEARCHES: Final = 32  # number of lookups before an index is built, and of single curves read before all are cached
_CURVE_KEYS: Final = ("run", "stage", "index", "hash", "seed")


class Row(Mapping[str, Any]):
    """One child as a mapping: the columns of `schema.CHILD_COLUMNS`, then `curves`, curve -> one value per epoch.

    Values are plain Python values and are read on access. `dict(row)` reads all of them and detaches the row from its
    file.

    Args:
        source: the opened file that holds the child.
        position: place of the child in the file's table, from 0.
    """

    __slots__ = ("_position", "_source")

    def __init__(self, source: Source, position: int) -> None:
        self._source, self._position = source, position

    @property
    def file(self) -> str:
        """Name of the results file that holds the row."""
        return self._source.name

    def __getitem__(self, name: str) -> Any:
        if name == "curves":
            return self._source.curves_of(self._position)
        if name not in _CHILD:
            raise KeyError(name)
        value = self._source.column(name)[self._position]
        return value if isinstance(value, str) else value.item()

    def __iter__(self) -> Iterator[str]:
        yield from _CHILD
        yield "curves"

    def __len__(self) -> int:
        return len(_CHILD) + 1

    def __repr__(self) -> str:
        return f"Row({dict(self)!r})"


class Source:
    """One opened results file, with a cache of the columns that were used.

    Args:
        name: name of the file.
        snapshot: the file as it was when it was opened.
    """

    def __init__(self, name: str, snapshot: Snapshot) -> None:
        self.name, self.snapshot = name, snapshot
        self._columns: dict[str, Data] = {}
        self._curves_read = 0

    def column(self, name: str) -> Data:
        """Read a column of the children table, and cache it.

        Args:
            name: name of the column.

        Returns:
            The column, shape [children].

        Raises:
            CorruptResults: when the column is damaged.
        """
        if name not in self._columns:
            self._columns[name] = self.snapshot.column("children", _CHILD[name])
        return self._columns[name]

    @cached_property
    def curves(self) -> dict[str, Numbers]:
        """All curves: name -> the epochs of all children end to end."""
        return {curve.name: self.snapshot.curve(curve.name) for curve in CURVES}

    @cached_property
    def offsets(self) -> Numbers:
        """Start of each child's epochs in the curves, and the end of the last: ints, shape [children + 1]."""
        return self.snapshot.offsets()

    def curves_of(self, position: int) -> dict[str, tuple[float, ...]]:
        """Read the curves of one child.

        In a large file, reads single curves at first, then loads and caches all of them.

        Args:
            position: position of the child in the file.

        Returns:
            Curve -> one value per epoch.

        Raises:
            CorruptResults: when a curve is damaged.
        """
        start, end = self.offsets[position], self.offsets[position + 1]
        self._curves_read += 1
        if self._curves_read > _SEARCHES or self.offsets[-1] < _FEW_EPOCHS:
            return {name: tuple(values[start:end].tolist()) for name, values in self.curves.items()}
        epochs = np.arange(start, end)
        return {curve.name: tuple(self.snapshot.curve_at(curve.name, epochs).tolist()) for curve in CURVES}


class Results:
    """One or several results files, as they were when this object was created; other processes may continue to write.

    Text becomes pandas strings (not categoricals, whose unused categories appear in groups and legends), int becomes
    int64, missing floats become NaN. A count with unknown values, which files hold as -1, becomes float64 with NaN, so that
    no condition such as `params < 1e6` takes an unknown count for a small one. In frames, characters of texts that would change a terminal or end a line are escapes,
    e.g. a line break is a backslash and an n; a `Row` has the texts as they are. Every dataset read is verified by its
    checksum.

    >>> nasbench.open("results/demo.h5").frame().query("status == 'ok' and params < 1e6").nlargest(5, "val_acc")  # doctest: +SKIP

    Args:
        paths: a file name, a pattern such as "results/*.h5", or several of either.

    Raises:
        MissingResults: when a file does not exist or a pattern matches none.
        CorruptResults: when a file is damaged.
        NewerSchema: when a later version wrote it.
    """

    def __init__(self, paths: PathLike | Iterable[PathLike]) -> None:
        self.files = find_files(paths)
        self._sources: list[Source] = []
        self._searches = 0
        try:
            for file in self.files:
                self._sources.append(Source(file, open_snapshot(ResultsPaths.of(file))))
        except BaseException:
            self.close()
            raise

    def frame(
        self,
        columns: Sequence[str] | None = None,
        stage: str | None = None,
        rows: Sequence[int] | Numbers | None = None,
    ) -> pd.DataFrame:
        """The children as a DataFrame in commit order.

        Args:
            columns: names of the columns, in the order wanted; None for all. "file", the file's name, may be among
                them; with None it is the first column if there are several files. Only these columns are read.
            stage: "search" or "final" for the children of that stage only; None for all.
            rows: positions in commit order over all files, in the order wanted; None for all. From a large file only
                the chunks that hold these rows are read; they are verified by HDF5's own checksums.

        Returns:
            One row per child.

        Raises:
            UnknownName: when a column or the stage does not exist.
            CorruptResults: when a dataset is damaged; the message names it.
        """
        import pandas as pd

        names = self._frame_columns(columns)
        chosen = None if rows is None else np.asarray(rows, dtype=np.int64)
        if stage is not None:
            there = self.positions(stage)
            chosen = there if chosen is None else chosen[np.isin(chosen, there)]
        frame = {name: for_pandas(_with_nan(name, self._child_column(name, chosen))) for name in names}
        return pd.DataFrame(frame, columns=names, copy=False)

    def cells(self, names: Sequence[str] | None = None, rows: Numbers | None = None) -> dict[str, Data]:
        """Read columns of the children with the values that `frame` has, as arrays instead of a DataFrame.

        Args:
            names: see `frame`.
            rows: positions in commit order over all files, in the order wanted; None for all.

        Returns:
            Name -> the column, shape [rows].

        Raises:
            UnknownName: when a column does not exist.
            CorruptResults: when a dataset is damaged; the message names it.
        """
        chosen = None if rows is None else np.asarray(rows, dtype=np.int64)
        return {name: shown(_with_nan(name, self._child_column(name, chosen))) for name in self._frame_columns(names)}

    def columns(self, names: Sequence[str], table: Table = "children") -> dict[str, Data]:
        """Read columns as arrays, without pandas, which takes longer to import than a small file to read.

        Args:
            names: names of columns of that table.
            table: "children", "runs" or "measurements".

        Returns:
            Name -> numbers, or the texts as they are in the file; shape [rows], in the order of `frame` or `runs`.

        Raises:
            UnknownName: when the table has no such column.
            CorruptResults: when a dataset is damaged; the message names it.
        """
        known = [column.name for column in TABLES[table]]
        for name in names:
            if name not in known:
                raise UnknownName("column", name, known)
        return {name: self._joined(table, name) for name in names}

    def positions(self, stage: str | None = None) -> Numbers:
        """Positions of the children of a stage in commit order over all files.

        Args:
            stage: "search" or "final"; None for both.

        Returns:
            Ints, shape [children].

        Raises:
            UnknownName: when the stage does not exist.
        """
        if stage is None:
            return np.arange(len(self))
        if stage not in STAGES:
            raise UnknownName("stage", stage, STAGES)
        return np.flatnonzero(cast("Text", self._joined("children", "stage")).equals(stage))

    def _child_column(self, name: str, positions: Numbers | None) -> Data:
        if name == _FILE:
            return self._file_column() if positions is None else take(self._file_column(), positions)
        if positions is None:
            return self._joined("children", name)
        if _MANY * len(positions) > len(self):
            return take(self._joined("children", name), positions)
        sources = [source.snapshot for source in self._sources]
        sizes = [snapshot.children for snapshot in sources]
        return gather(positions, sizes, lambda part, places: sources[part].children_at(_CHILD[name], places))

    def _frame_columns(self, columns: Sequence[str] | None) -> list[str]:
        if columns is None:
            return [*([_FILE] if len(self.files) > 1 else []), *_CHILD]
        names = [columns] if isinstance(columns, str) else list(dict.fromkeys(columns))
        for name in names:
            if name != _FILE and name not in _CHILD:
                raise UnknownName("column", name, [*_CHILD, _FILE])
        return names

    def _file_column(self) -> Text:
        sizes = [source.snapshot.children for source in self._sources]
        return Text(np.repeat(np.arange(len(sizes)), sizes), [source.name for source in self._sources])

    def _joined(self, table: Table, name: str) -> Data:
        column = next(column for column in TABLES[table] if column.name == name)
        return join_columns([source.snapshot.column(table, column) for source in self._sources])

    def runs(self) -> pd.DataFrame:
        """The runs as a DataFrame in order of first appearance, one row per run: the latest that was stored.

        Returns:
            The columns of `schema.RUN_COLUMNS`; "file" comes first if there are several files.

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        import pandas as pd

        frame = {column.name: for_pandas(self._joined("runs", column.name)) for column in TABLES["runs"]}
        if len(self.files) > 1:
            sizes = [source.snapshot.runs for source in self._sources]
            names = Text(np.repeat(np.arange(len(sizes)), sizes), [source.name for source in self._sources])
            frame = {_FILE: for_pandas(names), **frame}
        return pd.DataFrame(frame, copy=False)

    def measurements(self) -> pd.DataFrame:
        """The measurements as a DataFrame in commit order: latencies, and other quantities of architectures.

        Returns:
            The columns of `schema.MEASUREMENT_COLUMNS`; "file" comes first if there are several files. Several rows of
            one architecture differ in quantity, device, method, batch, threads or time.

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        import pandas as pd

        frame = {
            column.name: for_pandas(self._joined("measurements", column.name)) for column in TABLES["measurements"]
        }
        if len(self.files) > 1:
            sizes = [source.snapshot.measurements for source in self._sources]
            names = Text(np.repeat(np.arange(len(sizes)), sizes), [source.name for source in self._sources])
            frame = {_FILE: for_pandas(names), **frame}
        return pd.DataFrame(frame, copy=False)

    def curves(self, hash: str, fingerprint: str | None = None, seed: int | None = None) -> pd.DataFrame:
        """The curves of every child of one architecture, in long form: one row per child and epoch.

        Args:
            hash: hash of the architecture, 32 hexadecimal digits.
            fingerprint: only children of that protocol; None for all.
            seed: only trainings with that seed; None for all.

        Returns:
            Columns run, stage, index, hash, seed, epoch (from 1), then the curves of `schema.CURVES`; empty if no child
            matches.
        """
        chosen = cast("Text", self._joined("children", "hash")).equals(hash)
        if fingerprint is not None:
            chosen &= cast("Text", self._joined("children", "fingerprint")).equals(fingerprint)
        if seed is not None:
            chosen &= cast("Numbers", self._joined("children", "seed")) == seed
        return self._long(np.flatnonzero(chosen))

    def all_curves(self, columns: Sequence[str] | None = None, as_categories: bool = False) -> pd.DataFrame:
        """Read the curves of every child.

        Args:
            columns: columns of `curves` to read; None for all.
            as_categories: make categories of the texts, which then take a few bytes a row and not their length.

        Returns:
            These columns.

        Raises:
            UnknownName: when there is no such column.
            CorruptResults: when a dataset is damaged; the message names it.
        """
        return self._long(np.arange(len(self)), columns, as_categories)

    def epochs_at(self, positions: Numbers, curve: str) -> tuple[Numbers, Numbers]:
        """Read one curve of some children.

        Args:
            positions: ints, positions of the children in commit order over all files.
            curve: name of a curve of `schema.CURVES`.

        Returns:
            Number of epochs of each child, and the values of all of them end to end.
        """
        starts, lengths = self._epochs()
        repeats = lengths[positions]
        return repeats, self._epochs_of(curve, np.repeat(starts[positions], repeats) + _counted(repeats))

    def _long(
        self, children: Numbers, columns: Sequence[str] | None = None, as_categories: bool = False
    ) -> pd.DataFrame:
        import pandas as pd

        known = [*([_FILE] if len(self.files) > 1 else []), *_CURVE_KEYS, "epoch", *(curve.name for curve in CURVES)]
        names = known if columns is None else list(columns)
        for name in names:
            if name not in known:
                raise UnknownName("column of the curves", name, known)
        starts, lengths = self._epochs()
        repeats = lengths[children]
        epochs = _counted(repeats)
        positions = np.repeat(starts[children], repeats) + epochs
        each = np.repeat(np.arange(len(children)), repeats)
        frame: dict[str, Any] = {}
        for name in names:
            if name == "epoch":
                frame[name] = epochs + 1
            elif name == _FILE or name in _CURVE_KEYS:
                data = self._child_column(name, children)
                if as_categories and isinstance(data, Text):
                    frame[name] = pd.Categorical(for_pandas(data)).take(each)
                else:
                    frame[name] = for_pandas(take(data, each))
            else:
                frame[name] = self._epochs_of(name, positions)
        return pd.DataFrame(frame, copy=False)

    def _epochs_of(self, curve: str, positions: Numbers) -> Numbers:
        snapshots = [source.snapshot for source in self._sources]
        sizes = [int(snapshot.offsets()[-1]) for snapshot in snapshots]
        if _MANY * len(positions) > sum(sizes):
            return np.concatenate([snapshot.curve(curve) for snapshot in snapshots])[positions]
        return cast("Numbers", gather(positions, sizes, lambda part, places: snapshots[part].curve_at(curve, places)))

    def _epochs(self) -> tuple[Numbers, Numbers]:
        """Start and number of each child's epochs in the curves of all files end to end: two int arrays [children]."""
        lengths = np.concatenate([np.diff(source.snapshot.offsets()) for source in self._sources])
        return np.cumsum(lengths) - lengths, lengths

    def lookup(self, hash: str, fingerprint: str, seed: int, stage: str = "search") -> Row | None:
        """Find the row of one training.

        The first 32 calls search the columns; then an index is built, and a call takes microseconds.

        Args:
            hash: hash of the architecture.
            fingerprint: fingerprint of the protocol with its data.
            seed: training seed.
            stage: "search", or "final" for the row with a test score.

        Returns:
            The earliest matching row whose outcome is a property of the architecture (ok or diverged), else the
            earliest of any status, else None.
        """
        key = (hash, fingerprint, int(seed), stage)
        self._searches += 1
        return self._search(key) if self._searches <= _SEARCHES else self._index.get(key)

    def _search(self, key: Key) -> Row | None:
        found = []
        for source in self._sources:
            fits = cast("Numbers", source.column("seed")) == key[2]
            for name, value in zip(("hash", "fingerprint", "stage"), (key[0], key[1], key[3])):
                fits &= cast("Text", source.column(name)).equals(value)
            found += [Row(source, position) for position in np.flatnonzero(fits).tolist()]
        return next((row for row in found if row["status"] in REPEATABLE_STATUSES), found[0] if found else None)

    @cached_property
    def _index(self) -> dict[Key, Row]:
        index: dict[Key, Row] = {}
        for determined in (True, False):
            for source in self._sources:
                statuses = cast("Text", source.column("status"))
                positions = np.flatnonzero(np.isin(statuses.objects(), REPEATABLE_STATUSES) == determined)
                for position, key in zip(positions.tolist(), keys_of(source, positions)):
                    index.setdefault(key, Row(source, position))
        return index

    def determined(self) -> Iterator[tuple[Key, Row]]:
        """Iterate over all rows with status ok or diverged.

        Their scores depend on architecture, protocol and seed alone.

        Yields:
            Key (hash, fingerprint, seed, stage) and row.
        """
        for source in self._sources:
            statuses = cast("Text", source.column("status"))
            positions = np.flatnonzero(np.isin(statuses.objects(), REPEATABLE_STATUSES))
            for position, key in zip(positions.tolist(), keys_of(source, positions)):
                yield key, Row(source, position)

    def children_of(self, run: str) -> list[Row]:
        """List the rows of one run in commit order, both stages, as needed to resume it.

        Args:
            run: id of the run.

        Returns:
            Its rows; empty for an unknown run.
        """
        return [
            Row(source, position)
            for source in self._sources
            for position in np.flatnonzero(cast("Text", source.column("run")).equals(run)).tolist()
        ]

    def __len__(self) -> int:
        return sum(source.snapshot.children for source in self._sources)

    def __repr__(self) -> str:
        runs = sum(source.snapshot.runs for source in self._sources)
        names = ", ".join(repr(file) for file in self.files[:3]) + (", ..." if len(self.files) > 3 else "")
        return f"<Results {names}: {len(self)} children of {runs} runs>"

    def close(self) -> None:
        """Close the files. Values that were not read before cannot be read afterwards."""
        for source in self._sources:
            source.snapshot.close()

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_nan(name: str, data: Data) -> Data:
    """Replace the unknown values of a count, -1 in files, by NaN; a column without unknown values stays as it is."""
    if name not in UNKNOWN_AS_NAN or isinstance(data, Text) or not len(data) or int(data.min()) >= 0:
        return data
    return np.where(data < 0, np.nan, data)


def keys_of(source: Source, positions: Numbers) -> Iterator[Key]:
    """Make the keys (hash, fingerprint, seed, stage) of some rows.

    Args:
        source: the file.
        positions: ints, positions of its children.

    Yields:
        One key per position.
    """
    texts = [cast("Text", source.column(name)).take(positions).objects() for name in ("hash", "fingerprint", "stage")]
    seeds = cast("Numbers", source.column("seed"))[positions].tolist()
    return zip(texts[0].tolist(), texts[1].tolist(), seeds, texts[2].tolist())


def find_files(paths: PathLike | Iterable[PathLike], missing_ok: bool = False) -> list[str]:
    """List all matching results files, each once; a pattern also matches files that have only a journal so far.

    A file that is named in several ways, e.g. by a link, has the first of its names.

    Args:
        paths: a file name, a pattern such as "results/*.h5", or several of either.
        missing_ok: whether a pattern may match no file.

    Returns:
        Their names. None is opened, so that a file of a pattern may be something else.

    Raises:
        InputError: for no name, an empty one, or a folder.
        MissingResults: when a pattern matches none.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not given:
        raise InputError("no results file given; name one, e.g. results/demo.h5")
    found: dict[str, str] = {}
    for path in given:
        for name in _matches(os.fspath(path), missing_ok):
            found.setdefault(os.path.realpath(name), name)
    return list(found.values())


def _matches(path: str, missing_ok: bool) -> list[str]:
    if not path:
        raise InputError("the name of a results file is empty; name one, e.g. results/demo.h5")
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; name a file in it, or all by {os.path.join(path, '*.h5')!r}")
    if not glob.has_magic(path) or os.path.exists(path):
        return [path]
    unpacked = [str(Path(name).with_suffix(".h5")) for name in glob.glob(str(Path(path).with_suffix(".journal")))]
    matches = sorted({name for name in [*glob.glob(path), *unpacked] if name.endswith(".h5")})
    if not matches and not missing_ok:
        raise MissingResults(f"{path}: no results file fits this pattern")
    return matches


def _counted(lengths: Numbers) -> Numbers:
    """Concatenation of range(length) over all lengths: ints, shape [sum of lengths]."""
    ends = np.cumsum(lengths)
    counted: Numbers = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    return counted
