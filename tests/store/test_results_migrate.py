"""A file of every released schema version opens, and the way from an earlier version to this one works and keeps the file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import nasbench
from store_rows import child, expected, run, stored, write

from nasbench.store.errors import CorruptResults, MissingResults, OlderSchema, StoreError
from nasbench.store.format.manifest import Manifest, checksum_of_text
from nasbench.store.format.schema import SCHEMA_VERSION
from nasbench.store.journal import _seal, _spelled
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.migrating import migrate_file
from nasbench.store.maintenance.migrations import MIGRATIONS, Migration
from nasbench.store.maintenance.table_builder import Tables
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

RELEASED = sorted((Path(__file__).parent.parent / "data-files").glob("schema-*.h5"))


def test_there_is_a_file_of_every_released_version() -> None:
    assert [path.stem for path in RELEASED] == [f"schema-{version}" for version in range(1, SCHEMA_VERSION + 1)]
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION))


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_released_files_open_after_migration(released: Path, tmp_path: Path) -> None:
    path = tmp_path / released.name
    path.write_bytes(released.read_bytes())
    migrate_file(path)
    assert check_file(path).sound
    with Results(path) as results:
        frame = results.frame(stage="search")
        assert frame["val_acc"].between(0, 1).all()
        assert len(frame) == 2
        assert results.runs()["status"].tolist() == ["complete"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of an invented schema 0, which had no column `usd`."""
    path = tmp_path / "old.h5"
    write(path, 5)
    with h5py.File(path, "r+") as file:
        manifest = Manifest.from_json(file.attrs["manifest"])
        datasets = {name: entry for name, entry in manifest.datasets.items() if name != "children/usd"}
        text = dataclasses.replace(manifest, schema=0, datasets=datasets).to_json()
        del file["children/usd"]
        file.attrs["schema_version"] = 0
        file.attrs["manifest"] = text
        file.attrs["manifest_checksum"] = checksum_of_text(text)
    return path


def with_usd(tables: Tables) -> Tables:
    assert "usd" not in tables.children
    return dataclasses.replace(tables, children={**tables.children, "usd": np.full(len(tables.lengths), np.nan)})


WAY: Mapping[int, Migration] = {0: with_usd, **dict.fromkeys(range(1, SCHEMA_VERSION), lambda tables: tables)}


def test_an_older_file_says_how_to_bring_it_up(old: Path) -> None:
    with pytest.raises(OlderSchema, match="nasbench migrate"):
        Results(old)
    with pytest.raises(OlderSchema, match="nasbench migrate"):
        check_file(old)


def test_an_older_file_is_brought_up_and_kept(old: Path) -> None:
    before = old.read_bytes()
    done = migrate_file(old, WAY)
    assert (done.found, done.now) == (0, SCHEMA_VERSION)
    (copy,) = done.copies
    assert copy.read_bytes() == before
    assert stored(old) == expected(5)
    assert check_file(old).sound
    assert not migrate_file(old, WAY).copies


def test_no_way_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreError, match="no way from schema 0 to 1"):
        migrate_file(old)
    assert old.read_bytes() == before


def test_a_migration_that_does_not_give_the_schema_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(CorruptResults, match="usd"):
        migrate_file(old, {**WAY, 0: lambda tables: tables})
    assert old.read_bytes() == before


PROVENANCE = json.dumps(
    {"processor": "Abacus; wooden", "packages": {"torch": "2.7.0", "h5py": "3.9", "numpy": "2.1.0"}}
)
PLATFORM = "Abacus, wooden; torch 2.7.0; numpy 2.1.0"


def write_journal(path: Path, file: str, base: int, numbers: Sequence[int]) -> None:
    """A journal as schema 1 wrote it, without the column `platform`: a run, and children of which the third failed."""
    lines: list[dict[str, Any]] = [{"format": "nasbench journal", "schema": 1, "file": file, "base": base}]
    known = run(config='{"protocol": "digits"}', provenance=PROVENANCE)
    lines.append({"sequence": base + 1, "kind": "run", **_spelled(known, {})})
    for number in numbers:
        row, curves = child(number, **({"status": "failed"} if number == 2 else {}))
        del row["platform"]
        lines.append({"sequence": base + len(lines), "kind": "child", **_spelled(row, curves)})
    path.with_suffix(".journal").write_bytes(b"".join(map(_seal, lines)))


def platforms(path: Path) -> list[str]:
    with Results(path) as results:
        return results.frame(["platform"])["platform"].tolist()


def test_schema_2_has_the_platform_of_children_that_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write_journal(path, "a" * 32, 0, range(4))
    before = path.with_suffix(".journal").read_bytes()
    with pytest.raises(OlderSchema, match=r"x\.journal was written by schema 1.* nasbench migrate .*x\.h5$"):
        Results(path)
    done = migrate_file(path)
    assert [copy.name for copy in done.copies] == ["x.journal.schema-1"]
    assert done.copies[0].read_bytes() == before
    assert platforms(path) == [PLATFORM, PLATFORM, "", PLATFORM]
    assert check_file(path).sound
    assert not path.with_suffix(".journal").exists()


def test_a_run_without_children_is_brought_up(tmp_path: Path) -> None:
    write_journal(tmp_path / "x.h5", "a" * 32, 0, [])
    migrate_file(tmp_path / "x.h5")
    with Results(tmp_path / "x.h5") as results:
        assert results.runs()["run"].tolist() == ["run0"]
        assert platforms(tmp_path / "x.h5") == []


def as_schema_1(path: Path) -> Manifest:
    """Take the column `platform` out of a packed file."""
    with h5py.File(path, "r+") as file:
        manifest = Manifest.from_json(file.attrs["manifest"])
        datasets = {name: entry for name, entry in manifest.datasets.items() if not name.endswith("/platform")}
        older = dataclasses.replace(manifest, schema=1, datasets=datasets)
        del file["children/platform"]
        file.attrs["schema_version"] = 1
        file.attrs["manifest"] = older.to_json()
        file.attrs["manifest_checksum"] = checksum_of_text(older.to_json())
    return older


def test_rows_that_are_not_packed_are_packed_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, 3)
    manifest = as_schema_1(path)
    write_journal(path, manifest.file, manifest.last_sequence, [3, 4])
    done = migrate_file(path)
    assert [copy.name for copy in done.copies] == ["x.h5.schema-1", "x.journal.schema-1"]
    assert platforms(path) == [PLATFORM] * 5  # of the run's latest record, which the journal had
    assert [row["val_acc"] for row in stored(path)] == [row["val_acc"] for row in expected(5)]
    assert check_file(path).sound


def test_a_migration_that_was_killed_before_it_removed_the_journal_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, 3)
    manifest = as_schema_1(path)
    write_journal(path, manifest.file, manifest.last_sequence, [3])
    before, old = path.read_bytes(), path.with_suffix(".journal").read_bytes()
    first = migrate_file(path)
    path.with_suffix(".journal").write_bytes(old)
    migrate_file(path)
    assert [copy.read_bytes() for copy in first.copies] == [before, old]
    assert len(platforms(path)) == 4
    assert not path.with_suffix(".journal").exists()


def test_a_journal_of_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, 3)
    write_journal(path, "b" * 32, as_schema_1(path).last_sequence, [3])
    before = path.read_bytes()
    with pytest.raises(CorruptResults, match="belongs to another"):
        migrate_file(path)
    assert path.read_bytes() == before


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write_journal(path, "a" * 32, 0, range(4))
    journal = path.with_suffix(".journal")
    journal.write_bytes(journal.read_bytes().replace(b'"run0"', b'"run1"', 2))
    with pytest.raises(CorruptResults, match="checksum does not fit"):
        migrate_file(path)
    with pytest.raises(MissingResults):
        migrate_file(tmp_path / "none.h5")


def test_the_command_says_the_version(tmp_path: Path) -> None:
    write(tmp_path / "new.h5", 2)
    done = nasbench("migrate", str(tmp_path / "new.h5"))
    assert done.code == 0
    assert f"schema {SCHEMA_VERSION}, which is this version's; nothing to do" in done.out
    assert nasbench("migrate", str(tmp_path / "none.h5")).code == 2
    assert not list(tmp_path.glob("none.*"))


def test_a_file_of_schema_4_has_only_whole_trainings(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes((RELEASED[0].parent / "schema-4.h5").read_bytes())

    def later() -> list[tuple[int, int, str]]:
        with Results(path) as results:
            frame = results.frame(["stop_epoch", "from_epoch", "continues"])
            one = results.frame(["stop_epoch", "continues"], rows=[0])
        assert (one["stop_epoch"].tolist(), one["continues"].tolist()) == ([0], [""])
        return list(frame.itertuples(index=False, name=None))

    assert set(later()) == {(0, 0, "")}  # read as it is
    assert check_file(path).sound
    before = len(later())
    with ResultsWriter(path) as writer:
        writer.append_child(*child(1, run="other", stop_epoch=1, from_epoch=0, continues=""))
    assert later()[before:] == [(1, 0, "")]
    with Results(path) as results:
        assert results._sources[0].snapshot.packed is not None
        assert results._sources[0].snapshot.packed.manifest.schema == SCHEMA_VERSION


def test_a_journal_of_schema_4_is_packed_before_a_row_of_schema_5_is_stored(tmp_path: Path) -> None:
    path, later = tmp_path / "x.h5", ("stop_epoch", "from_epoch", "continues")
    row, curves = child(0)
    line = {"sequence": 1, "kind": "child", **_spelled({key: row[key] for key in row if key not in later}, curves)}
    header = {"format": "nasbench journal", "schema": 4, "file": "a" * 32, "base": 0, "claim": False}
    path.with_suffix(".journal").write_bytes(_seal(header) + _seal(line))
    assert stored(path) == expected(1)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(1))
        first = json.loads(path.with_suffix(".journal").read_text().splitlines()[0])
        assert (first["schema"], first["base"]) == (SCHEMA_VERSION, 1)
    assert stored(path) == expected(2)
