"""`check` names every damage and changes nothing; `repair` keeps a copy and recovers all that is sound."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import nasbench
from store_rows import child, expected, plain, run, stored, write

from nasbench.store.duplicate_index import DuplicateIndex
from nasbench.store.errors import CorruptResults, MissingResults, ResultsLocked
from nasbench.store.files import ResultsPaths
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.maintenance.table_builder import tables_of_snapshot, take_children, write_new
from nasbench.store.query import Results
from nasbench.store.reader import open_snapshot
from nasbench.store.writer import ResultsWriter

COUNT = 40


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "results.h5"
    write(path, COUNT)
    return path


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """20 children in the HDF5 file, 20 more in the journal of a writer that was killed."""
    path = tmp_path / "results.h5"
    write(path, 20)
    other = tmp_path / "other" / "results.h5"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    writer = ResultsWriter(other)
    for number in range(20, COUNT):
        writer.append_child(*child(number))
    path.with_suffix(".journal").write_bytes(other.with_suffix(".journal").read_bytes())
    writer.close()
    return path


def chunk_of(path: Path, dataset: str) -> int:
    """Where the first chunk of a dataset lies in the file."""
    with h5py.File(path, "r") as file:
        return int(file[dataset].id.get_chunk_info(0).byte_offset)


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def break_line(path: Path, number: int) -> None:
    journal = path.with_suffix(".journal")
    lines = journal.read_bytes().split(b"\n")
    lines[number] = lines[number].replace(b'"row"', b'"wor"')
    journal.write_bytes(b"\n".join(lines))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_sound_file_is_sound_and_untouched(packed: Path) -> None:
    before = bytes_of(packed.parent)
    health = check_file(packed)
    assert health.sound
    assert health.findings == []
    assert (health.children, health.runs) == (COUNT, 1)
    assert repair_file(packed) is None
    assert bytes_of(packed.parent).items() >= before.items()
    assert not list(packed.parent.glob("*damaged*"))


def test_every_dataset_that_is_damaged_is_named(packed: Path) -> None:
    for dataset in ("children/val_acc", "children/params", "curves/val_loss"):
        flip(packed, chunk_of(packed, dataset) + 3)
    before = bytes_of(packed.parent)
    health = check_file(packed)
    said = "\n".join(finding.text for finding in health.findings)
    assert not health.sound
    assert len(health.findings) == 3
    for affected in (f"column 'val_acc' of {COUNT} children", "column 'params'", f"the curves of {COUNT} children"):
        assert affected in said
    assert bytes_of(packed.parent) == before


def test_a_lost_score_is_missing_and_the_rest_is_recovered(packed: Path) -> None:
    damaged = bytearray(packed.read_bytes())
    damaged[chunk_of(packed, "children/val_acc") + 3] ^= 0x10
    packed.write_bytes(damaged)
    done = repair_file(packed)
    assert done is not None
    assert done.children == COUNT
    assert [copy.read_bytes() for copy in done.copies] == [bytes(damaged)]
    assert any(f"'val_acc' of {COUNT} children" in line for line in done.lost)
    assert check_file(packed).sound
    assert stored(packed) == [row | {"val_acc": "nan"} for row in expected(COUNT)]


def test_a_lost_curve_is_missing_and_the_rest_is_recovered(packed: Path) -> None:
    flip(packed, chunk_of(packed, "curves/val_loss") + 3)
    done = repair_file(packed)
    assert done is not None
    assert any("curve 'val_loss'" in line for line in done.lost)
    for row, was in zip(stored(packed), expected(COUNT)):
        assert row["curves"].pop("val_loss") == ["nan"] * len(was["curves"].pop("val_loss"))
        assert row == was


def test_children_whose_identity_is_lost_are_dropped_and_said(packed: Path) -> None:
    flip(packed, chunk_of(packed, "children/seed") + 3)
    done = repair_file(packed)
    assert done is not None
    assert done.children == 0
    assert any(line.startswith(f"{COUNT} children (run run0 search 0, ") and "seed" in line for line in done.lost)
    assert check_file(packed).sound


def test_a_broken_journal_line_costs_its_row_only(unpacked: Path) -> None:
    assert stored(unpacked) == expected(COUNT)
    break_line(unpacked, 6)
    health = check_file(unpacked)
    assert [("line 7" in finding.text, "child 24 of run run0" in finding.text) for finding in health.findings] == [
        (True, True)
    ]
    done = repair_file(unpacked)
    assert done is not None
    assert len(done.lost) == 1
    assert len(done.copies) == 2
    rows = expected(COUNT)
    assert stored(unpacked) == rows[:24] + rows[25:]
    assert not unpacked.with_suffix(".journal").exists()


def test_a_repaired_file_takes_more_rows(unpacked: Path) -> None:
    break_line(unpacked, 5)
    repair_file(unpacked)
    with ResultsWriter(unpacked) as writer:
        writer.append_child(*child(COUNT))
    assert stored(unpacked)[-1] == expected(COUNT + 1)[-1]
    assert check_file(unpacked).sound


def test_a_torn_end_is_a_note(unpacked: Path) -> None:
    with unpacked.with_suffix(".journal").open("ab") as journal:
        journal.write(b'{"blake2b":"0123')
    health = check_file(unpacked)
    assert health.sound
    assert ["never acknowledged" in finding.text for finding in health.findings] == [True]
    assert repair_file(unpacked) is None


def test_an_unreadable_hdf5_file_leaves_what_the_journal_has(unpacked: Path) -> None:
    unpacked.write_bytes(b"\0" * 2048)
    assert not check_file(unpacked).sound
    done = repair_file(unpacked)
    assert done is not None
    assert stored(unpacked) == expected(COUNT)[20:]
    assert any("all of results.h5" in line for line in done.lost)
    assert any("run run0" in line for line in done.lost)
    with Results(unpacked) as results:
        assert results.runs()["strategy"].tolist() == ["random"]
        assert results.runs()["status"].tolist() == ["interrupted"]


def test_a_lost_hdf5_file_leaves_what_the_journal_has(unpacked: Path) -> None:
    unpacked.unlink()
    assert not check_file(unpacked).sound
    assert repair_file(unpacked) is not None
    assert stored(unpacked) == expected(COUNT)[20:]


def test_a_lost_table_of_contents_loses_nothing(unpacked: Path) -> None:
    with h5py.File(unpacked, "r+") as file:
        file.attrs["manifest"] = "?"
    assert not check_file(unpacked).sound
    assert repair_file(unpacked) is not None
    assert stored(unpacked) == expected(COUNT)


def test_nothing_to_recover_changes_nothing(packed: Path) -> None:
    packed.write_bytes(b"\0" * 2048)
    before = bytes_of(packed.parent)
    with pytest.raises(CorruptResults, match="nothing can be recovered"):
        repair_file(packed)
    assert bytes_of(packed.parent).items() >= before.items()


def test_a_file_and_the_journal_of_another_are_not_mixed(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "third").mkdir()
    write(tmp_path / "third" / "results.h5", 3)
    unpacked.write_bytes((tmp_path / "third" / "results.h5").read_bytes())
    assert not check_file(unpacked).sound
    with pytest.raises(CorruptResults, match="belongs to another results file"):
        repair_file(unpacked)


def test_a_file_in_use_is_not_repaired(packed: Path) -> None:
    flip(packed, chunk_of(packed, "children/val_acc") + 3)
    damaged = packed.read_bytes()
    packed.unlink()
    with ResultsWriter(packed) as writer:
        packed.write_bytes(damaged)
        with pytest.raises(ResultsLocked):
            repair_file(packed)
        packed.unlink()
        writer.append_child(*child(0))


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingResults):
        check_file(tmp_path / "none.h5")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(10))
def test_whatever_a_flipped_byte_hits_no_wrong_number_is_recovered(unpacked: Path, seed: int) -> None:
    rng = random.Random(seed)
    target = rng.choice([unpacked, unpacked.with_suffix(".journal")])
    flip(target, rng.randrange(target.stat().st_size))
    if check_file(unpacked).sound:
        assert stored(unpacked) == expected(COUNT)
        return
    try:
        repair_file(unpacked)
    except CorruptResults:
        return
    right = {row["index"]: row for row in expected(COUNT)}
    for row in stored_of_any_run(unpacked):
        for name, value in row.items():
            if name != "curves":
                assert value in (right[row["index"]][name], "nan", plain({"x": ""})["x"])
    assert check_file(unpacked).sound


def stored_of_any_run(path: Path) -> list[dict[str, Any]]:
    with Results(path) as results:
        return [plain(row) for name in results.runs()["run"] for row in results.children_of(name)]


def append(path: Path, rows: list[tuple[dict[str, Any], dict[str, list[float]]]], runs: list[dict[str, Any]]) -> None:
    with ResultsWriter(path) as writer:
        for row in runs:
            writer.put_run(row)
        for given, curves in rows:
            writer.append_child(given, curves)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("rows", "runs", "said"),
    [
        ([child(1), child(1)], [run()], "more than once: run run0 search 1"),
        ([child(1)], [], "the run run0 of 1 children is not in the table of runs"),
        ([child(1, counted=True)], [run(status="complete", children=2)], "complete with 2 children, but 1"),
    ],
)
def test_counts_that_do_not_fit_are_damage(
    tmp_path: Path, rows: Any, runs: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DuplicateIndex, "refuse_known", lambda known, rows: None)  # as the writer was once
    append(tmp_path / "odd.h5", rows, runs)
    health = check_file(tmp_path / "odd.h5")
    assert [said in finding.text for finding in health.findings] == [True]
    repair_file(tmp_path / "odd.h5")
    assert check_file(tmp_path / "odd.h5").sound


def test_commands_say_it(packed: Path) -> None:
    sound = nasbench("check", str(packed))
    assert (sound.code, sound.err) == (0, "")
    assert f"sound, {COUNT} children, 1 run " in sound.out
    flip(packed, chunk_of(packed, "children/val_acc") + 3)
    damaged = nasbench("check", str(packed))
    assert damaged.code == 1
    assert "DAMAGED" in damaged.out
    assert "nasbench repair" in damaged.out
    repaired = nasbench("repair", str(packed))
    assert repaired.code == 0
    assert "lost: column 'val_acc'" in repaired.out
    assert "results.h5.damaged-1" in repaired.out
    assert nasbench("check", str(packed)).code == 0
    assert "nothing to repair" in nasbench("repair", str(packed)).out
    assert nasbench("check", str(packed.parent / "none.h5")).code == 2


def test_packed_file_stays_openable_by_the_reader_after_repair(packed: Path) -> None:
    flip(packed, chunk_of(packed, "children/reward") + 3)
    repair_file(packed)
    file = PackedFile(packed)
    file.verify()
    assert file.manifest.children == COUNT
    file.close()


def test_a_damaged_chunk_costs_its_rows_only(tmp_path: Path) -> None:
    """Columns are stored in chunks of 65,536 rows, each with a checksum of its own."""
    write(tmp_path / "small.h5", COUNT)
    snapshot = open_snapshot(ResultsPaths.of(tmp_path / "small.h5"))
    few = tables_of_snapshot(snapshot)
    snapshot.close()
    rows, chunk = 70_000, 65_536
    many = take_children(few, np.arange(rows) % COUNT)
    many = dataclasses.replace(many, children={**many.children, "index": np.arange(rows)})
    path = tmp_path / "large.h5"
    write_new(str(path), many)
    with h5py.File(path, "r") as file:
        second = file["children/seed"].id.get_chunk_info(1)
        assert second.chunk_offset == (chunk,)
    flip(path, second.byte_offset + 5)
    done = repair_file(path)
    assert done is not None
    assert done.children == chunk
    assert done.lost[0].startswith(f"{rows - chunk} children (run run0 search {chunk}, ")
    with Results(path) as results:
        frame = results.frame(["index", "val_acc", "seed"])
        np.testing.assert_array_equal(frame["index"], np.arange(chunk))
        np.testing.assert_array_equal(frame["seed"], np.arange(chunk) % COUNT)
        assert results.children_of("run0")[chunk - 1]["curves"] == plain_curves((chunk - 1) % COUNT)


def plain_curves(number: int) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values) for name, values in child(number)[1].items()}


def test_nothing_lies_where_hdf5_has_no_checksum(packed: Path) -> None:
    """Text of variable width would lie in a global heap (signature GCOL), where zeros make the HDF5 library read for ever."""
    assert b"GCOL" not in packed.read_bytes()
