"""The table of measurements beside the children: journal, packing, check, repair, merge, diff, export and migration keep it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import h5py
import pytest
from commands import nasbench
from store_rows import child, expected, measured, measurement, plain, run, stored, write

from nasbench.errors import InputError
from nasbench.store.errors import NewerSchema
from nasbench.store.format.manifest import Manifest, checksum_of_text
from nasbench.store.format.schema import MEASUREMENT_COLUMNS, OLDEST_READABLE, SCHEMA_VERSION
from nasbench.store.journal import _seal, _spelled
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.merging import merge_files
from nasbench.store.maintenance.migrating import migrate_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

COUNT = 7


def wanted(count: int, start: int = 0) -> list[dict[str, object]]:
    return [plain(measurement(number)) for number in range(start, count)]


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A packed file with children and measurements."""
    path = tmp_path / "x.h5"
    write(path, 3)
    with ResultsWriter(path) as writer:
        writer.append_measurements([measurement(number) for number in range(COUNT)])
    return path


def test_measurements_come_back_from_the_journal_and_from_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.put_run(run())
        writer.append_measurements([measurement(0)])
        writer.append_child(*child(0))
        writer.append_measurements([measurement(number) for number in range(1, 4)])
        writer.append_measurements([])
        assert measured(path) == wanted(4)
        writer.pack()
        writer.append_measurements([measurement(4)])
        assert measured(path) == wanted(5)
    assert measured(path) == wanted(5)
    assert stored(path) == expected(1)
    assert check_file(path).measurements == 5


def test_a_file_may_hold_measurements_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_measurements([measurement(0)])
    with Results(path) as results:
        assert (len(results), len(results.runs()), len(results.frame())) == (0, 0, 0)
    assert measured(path) == wanted(1)
    assert check_file(path).sound


def test_a_file_without_measurements_has_an_empty_table_and_no_datasets_of_it(tmp_path: Path) -> None:
    write(tmp_path / "x.h5", 2)
    with Results(tmp_path / "x.h5") as results:
        assert list(results.measurements()) == [column.name for column in MEASUREMENT_COLUMNS]
        assert results.measurements().empty
    with h5py.File(tmp_path / "x.h5") as file:
        assert "measurements" not in file


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"direction": "down"}, "direction is 'down'; allowed: lower, higher"),
        ({"hash": ""}, "'hash' is empty"),
        ({"quantity": ""}, "'quantity' is empty"),
        ({"value": float("nan")}, "is not a number"),
        ({"colour": 1}, "unknown column 'colour'"),
        ({"n": 2.5}, "'n' must be an int"),
    ],
)
def test_a_wrong_row_writes_nothing(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with ResultsWriter(tmp_path / "x.h5") as writer:
        with pytest.raises(InputError, match=message):
            writer.append_measurements([measurement(0), measurement(1) | columns])
        writer.append_measurements([measurement(2)])
    assert measured(tmp_path / "x.h5") == wanted(3, 2)


def test_several_files_are_read_together_with_their_names(both: Path, tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "y.h5") as writer:
        writer.append_measurements([measurement(9)])
    with Results([both, tmp_path / "y.h5"]) as results:
        frame = results.measurements()
    assert frame["file"].tolist() == [str(both)] * COUNT + [str(tmp_path / "y.h5")]


def test_a_lost_dataset_is_named_and_the_other_rows_are_recovered(both: Path) -> None:
    with h5py.File(both, "r+") as file:
        file["measurements/spread"][2] = 5.0
    damage = [finding.text for finding in check_file(both).findings]
    assert len(damage) == 1
    assert f"affected: column 'spread' of {COUNT} measurements" in damage[0]
    done = repair_file(both)
    assert done is not None
    assert done.measurements == COUNT
    assert done.lost == [f"column 'spread' of {COUNT} measurements; it is missing now"]
    assert [row["value"] for row in measured(both)] == [row["value"] for row in wanted(COUNT)]
    assert stored(both) == expected(3)
    assert check_file(both).sound


def test_measurements_without_their_value_are_lost_and_said_so(both: Path) -> None:
    with h5py.File(both, "r+") as file:
        file["measurements/value"][0] = 5.0
    done = repair_file(both)
    assert done is not None
    assert (done.measurements, done.children) == (0, 3)
    assert done.lost == [f"{COUNT} measurements: the columns value"]


def test_rows_of_the_journal_are_recovered_beside_a_damaged_file(both: Path) -> None:
    writer = ResultsWriter(both)
    writer.append_measurements([measurement(COUNT)])
    writer._journal.close()
    writer._lock.release()
    with h5py.File(both, "r+") as file:
        file["children/val_loss"][0] = 5.0
    done = repair_file(both)
    assert done is not None
    assert measured(both) == wanted(COUNT + 1)


def test_a_merge_keeps_all_that_differ_and_equal_ones_once(both: Path, tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "y.h5") as writer:
        writer.append_measurements([measurement(COUNT - 1), measurement(COUNT), measurement(0, value=2.0)])
    done = merge_files([str(both), str(tmp_path / "y.h5")], str(tmp_path / "z.h5"))
    assert done.measurements == COUNT + 2
    assert measured(tmp_path / "z.h5") == [*wanted(COUNT + 1), plain(measurement(0, value=2.0))]
    assert stored(tmp_path / "z.h5") == expected(3)


def test_a_merge_with_conflicting_children_keeps_measurements_once(both: Path, tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "y.h5") as writer:
        writer.put_run(run())
        writer.append_child(*child(1, val_acc=0.5))
        writer.append_measurements([measurement(COUNT)])
    done = merge_files([str(both), str(tmp_path / "y.h5")], str(tmp_path / "z.h5"), "keep")
    assert done.renamed
    assert measured(tmp_path / "z.h5") == wanted(COUNT + 1)


def test_diff_compares_measurements(both: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.h5"
    again.write_bytes(both.read_bytes())
    assert nasbench("diff", str(both), str(again)).code == 0
    with ResultsWriter(again) as writer:
        writer.append_measurements([measurement(0, value=2.0)])
    done = nasbench("diff", str(both), str(again))
    assert done.code == 1
    assert f"{COUNT} measurements the same in both\n1 measurement only in {again}\n" in done.out
    assert nasbench("diff", str(both), str(again), "--ignore", "measurements").code == 0


def test_diff_can_ignore_the_values_of_repeated_measurements(both: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    write(other, 3)
    with ResultsWriter(other) as writer:
        writer.append_measurements([measurement(number, value=9.0, measured_at="later") for number in range(COUNT)])
    assert nasbench("diff", str(both), str(other), "--ignore", "value").code == 1
    assert nasbench("diff", str(both), str(other), "--ignore", "value,measured_at").code == 0


def test_export_and_the_numbers_that_commands_print(both: Path, tmp_path: Path) -> None:
    target = tmp_path / "measurements.jsonl"
    done = nasbench("export", str(both), "--what", "measurements", "-o", str(target))
    assert done.out == f"{target}: {COUNT} rows of measurements\n"
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["value"] for row in rows] == [measurement(number)["value"] for number in range(COUNT)]
    assert f"sound, 3 children, 1 run, {COUNT} measurements (" in nasbench("check", str(both)).out


def as_schema_3(path: Path) -> Manifest:
    """Make a packed file without measurements one of schema 3, whose manifest does not count them."""
    with h5py.File(path, "r+") as file:
        manifest = dataclasses.replace(Manifest.from_json(file.attrs["manifest"]), schema=3)
        content = json.loads(manifest.to_json())
        del content["measurements"]
        text = json.dumps(content)
        file.attrs["schema_version"] = 3
        file.attrs["manifest"] = text
        file.attrs["manifest_checksum"] = checksum_of_text(text)
    return manifest


def journal_of_schema_3(path: Path, manifest: Manifest, number: int) -> None:
    base = manifest.last_sequence
    header = {"format": "nasbench journal", "schema": 3, "file": manifest.file, "base": base}
    line = {"sequence": base + 1, "kind": "child", **_spelled(*child(number))}
    path.with_suffix(".journal").write_bytes(_seal(header) + _seal(line))


def test_a_file_of_schema_3_is_read_and_written_as_it_is(tmp_path: Path) -> None:
    assert (OLDEST_READABLE, SCHEMA_VERSION) == (3, 6)
    path = tmp_path / "x.h5"
    write(path, 3)
    journal_of_schema_3(path, as_schema_3(path), 3)
    assert stored(path) == expected(4)
    assert measured(path) == []
    assert check_file(path).sound
    with ResultsWriter(path) as writer:
        writer.append_child(*child(4))
        writer.append_measurements([measurement(0)])
        first = json.loads(path.with_suffix(".journal").read_text().splitlines()[0])
        assert first["schema"] == SCHEMA_VERSION  # a version that knows schema 3 only must not read this journal
        assert measured(path) == wanted(1)
    assert stored(path) == expected(5)
    with Results(path) as results:
        assert results._sources[0].snapshot.packed is not None
        assert results._sources[0].snapshot.packed.manifest.schema == SCHEMA_VERSION


def test_a_version_that_knows_schema_3_only_refuses_the_file(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench.store.format.hdf5.SCHEMA_VERSION", 3)
    with pytest.raises(NewerSchema, match="upgrade nasbench-suite"):
        Results(both)


def test_migration_of_schema_3_keeps_the_file_and_gives_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, 3)
    as_schema_3(path)
    done = migrate_file(path)
    assert (done.found, done.now, [copy.name for copy in done.copies]) == (3, SCHEMA_VERSION, ["x.h5.schema-3"])
    assert stored(path) == expected(3)
    assert measured(path) == []
    assert check_file(path).sound
