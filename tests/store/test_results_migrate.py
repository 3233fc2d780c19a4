"""A file of every released schema version opens, and the way from an earlier version to this one works and keeps the file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import nasbench
from store_rows import expected, stored, write

from nasbench.store.assembled import Tables
from nasbench.store.checking import check_file
from nasbench.store.errors import CorruptResults, OlderSchema, StoreError
from nasbench.store.hdf5 import Manifest, checksum_of_text
from nasbench.store.migrations import MIGRATIONS, Migration, migrate_file
from nasbench.store.query import Results
from nasbench.store.schema import SCHEMA_VERSION

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


WAY: Mapping[int, Migration] = {0: with_usd}


def test_an_older_file_says_how_to_bring_it_up(old: Path) -> None:
    with pytest.raises(OlderSchema, match="nasbench migrate"):
        Results(old)
    with pytest.raises(OlderSchema, match="nasbench migrate"):
        check_file(old)


def test_an_older_file_is_brought_up_and_kept(old: Path) -> None:
    before = old.read_bytes()
    done = migrate_file(old, WAY)
    assert (done.found, done.now) == (0, SCHEMA_VERSION)
    assert done.copy is not None
    assert done.copy.read_bytes() == before
    assert stored(old) == expected(5)
    assert check_file(old).sound
    assert migrate_file(old, WAY).copy is None


def test_no_way_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreError, match="no way from schema 0 to 1"):
        migrate_file(old)
    assert old.read_bytes() == before


def test_a_migration_that_does_not_give_the_schema_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(CorruptResults, match="usd"):
        migrate_file(old, {0: lambda tables: tables})
    assert old.read_bytes() == before


def test_unpacked_rows_of_an_older_version_are_refused(old: Path) -> None:
    old.with_suffix(".journal").write_text(json.dumps({}))
    with pytest.raises(StoreError, match="not packed"):
        migrate_file(old, WAY)


def test_the_command_says_the_version(tmp_path: Path) -> None:
    write(tmp_path / "new.h5", 2)
    done = nasbench("migrate", str(tmp_path / "new.h5"))
    assert done.code == 0
    assert f"schema {SCHEMA_VERSION}, which is this version's; nothing to do" in done.out
    assert nasbench("migrate", str(tmp_path / "none.h5")).code == 2
    assert not list(tmp_path.glob("none.*"))
