"""Flipped bytes, lost ends and foreign files: found, named, and never a wrong number."""

import errno
import json
import os
import random
import shutil
import time

import h5py
import pytest
from fault_time import deadline
from store_rows import child, expected, stored, write

from nasbench.errors import InputError
from nasbench.store.errors import CorruptResults, MissingResults, NewerSchema, StoreError, failed_call
from nasbench.store.format.schema import SCHEMA_VERSION
from nasbench.store.journal import _COUNTER_BYTES, _counter_line, _seal, parse_journal
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter


@pytest.fixture(scope="module")
def journal_only(tmp_path_factory):
    """A results file of six rows in the journal, left as by a killed writer."""
    path = tmp_path_factory.mktemp("journal") / "x.h5"
    writer = ResultsWriter(path)
    for number in range(6):
        writer.append_child(*child(number))
    writer._journal.close()
    writer._lock.release()
    return path


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "x.h5"
    write(path, 30)
    return path


def with_claim(data, sequence):
    """The journal's bytes with another count of acknowledged records."""
    start = data.index(b"\n") + 1
    return data[:start] + _counter_line(sequence) + data[start + _COUNTER_BYTES :]


def of_the_earlier_form(data):
    """The journal's bytes as they were written before there were claims."""
    header = json.loads(data[: data.index(b"\n")])
    del header["blake2b"], header["claim"]
    return _seal(header) + data[data.index(b"\n") + 1 + _COUNTER_BYTES :]


def ends_of_lines(data):
    return [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]


def copy_with(original, folder, suffix, data):
    """A copy of the results file whose file of that suffix has other bytes."""
    path = folder / "x.h5"
    path.with_suffix(suffix).write_bytes(data)
    if suffix == ".journal" and original.exists():
        shutil.copy(original, path)
    return path


@pytest.mark.parametrize("form", [bytes, of_the_earlier_form], ids=["now", "earlier"])
def test_any_flipped_byte_of_a_journal_is_found_or_harmless(journal_only, tmp_path, form):
    data = form(journal_only.with_suffix(".journal").read_bytes())
    rng = random.Random(0)
    positions = [*rng.sample(range(len(data)), 150), *range(300), *range(len(data) - 40, len(data))]
    positions += [end - 1 for end in ends_of_lines(data)]
    found = claims = 0
    for position in sorted({*positions}):
        broken = bytearray(data)
        broken[position] ^= rng.randrange(1, 256)
        contents = parse_journal(bytes(broken), tmp_path / "x.journal")
        if not contents.damages:
            assert len(contents.records) == 6
            assert contents.commit_counter_broken or position == len(data) - 1  # the newline at the very end
        found += bool(contents.damages)
        claims += contents.commit_counter_broken
        for record in contents.records:
            assert record.row["index"] == record.sequence - 1
            assert record.row["hash"] == child(record.row["index"])[0]["hash"]
    assert found > 200
    assert claims == (0 if form is of_the_earlier_form else _COUNTER_BYTES)


def test_a_broken_claim_is_said_and_mended_by_the_next_row(journal_only, tmp_path):
    data = bytearray(journal_only.with_suffix(".journal").read_bytes())
    data[data.index(b"acknowledged") + 20] ^= 1
    path = copy_with(journal_only, tmp_path, ".journal", bytes(data))
    health = check_file(path)
    assert health.findings[0].severity == "note"
    assert "line 2: the count of acknowledged records is not what was written" in health.findings[0].text
    writer = ResultsWriter(path)
    writer.append_child(*child(6))
    assert stored(path) == expected(7)
    assert not parse_journal(path.with_suffix(".journal").read_bytes(), path).commit_counter_broken
    writer.close()


def test_a_broken_line_is_named_with_what_it_affects(journal_only, tmp_path):
    lines = journal_only.with_suffix(".journal").read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b'"status":"ok"', b'"status":"OK"')
    path = copy_with(journal_only, tmp_path, ".journal", b"\n".join(lines))
    message = r"x.journal, line 5: checksum does not fit, record 3 is affected \(it seems to be child 2 of run run0\); 5 other"
    with pytest.raises(CorruptResults, match=message):
        Results(path)
    with pytest.raises(CorruptResults, match=message):
        ResultsWriter(path)
    assert path.with_suffix(".journal").read_bytes() == b"\n".join(lines)


def test_a_lost_line_in_the_middle_is_found(journal_only, tmp_path):
    lines = journal_only.with_suffix(".journal").read_bytes().split(b"\n")
    path = copy_with(journal_only, tmp_path, ".journal", b"\n".join(lines[:4] + lines[5:]))
    with pytest.raises(CorruptResults, match="line 5: record 4 follows where 3 should"):
        Results(path)


def test_a_lost_header_is_found(journal_only, tmp_path):
    lines = journal_only.with_suffix(".journal").read_bytes().split(b"\n")
    path = copy_with(journal_only, tmp_path, ".journal", b"\n".join(lines[1:]))
    with pytest.raises(CorruptResults, match="line 1: the header is missing"):
        Results(path)


@pytest.mark.slow
def test_a_journal_cut_anywhere_is_found_with_what_is_missing(journal_only, tmp_path):
    data = journal_only.with_suffix(".journal").read_bytes()
    ends = ends_of_lines(data)
    lengths = [*random.Random(1).sample(range(len(data) - 1), 12), *ends[:-1], *(end - 1 for end in ends[:-1]), 0, 1]
    for length in lengths:
        whole = max(0, sum(end - 1 <= length for end in ends) - 2)  # before them header and claim
        path = copy_with(journal_only, tmp_path, ".journal", data[:length])
        first = f"record {whole + 1}" if whole == 5 else f"records {whole + 1} to 6"
        message = rf"cut here: {first}, acknowledged once|cut before its first record"
        with pytest.raises(CorruptResults, match=message):
            Results(path)
        health = check_file(path)
        assert [finding.severity for finding in health.findings] == ["damage"]
        if whole:
            assert repair_file(path).children == whole
            assert stored(path) == expected(whole)
            path.unlink()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("form", [of_the_earlier_form, lambda data: with_claim(data, 0)], ids=["earlier", "unclaimed"])
def test_a_journal_that_a_kill_cut_keeps_its_whole_lines_and_goes_on(journal_only, tmp_path, form):
    data = form(journal_only.with_suffix(".journal").read_bytes())
    ends = ends_of_lines(data)
    before = 1 if form is of_the_earlier_form else 2
    lengths = [*random.Random(1).sample(range(ends[before - 1], len(data)), 12), *(end - 1 for end in ends[before:])]
    for length in lengths:
        whole = sum(end - 1 <= length for end in ends) - before  # a line without its newline is whole
        path = copy_with(journal_only, tmp_path, ".journal", data[:length])
        assert stored(path) == expected(whole)
        with ResultsWriter(path) as writer:
            writer.append_child(*child(whole))
            assert stored(path) == expected(whole + 1)
        assert stored(path) == expected(whole + 1)
        path.unlink()


def test_a_hole_that_a_power_cut_left_in_the_last_line_is_cut_off(journal_only, tmp_path):
    data = bytearray(with_claim(journal_only.with_suffix(".journal").read_bytes(), 5))
    data[-500:-200] = bytes(300)
    path = copy_with(journal_only, tmp_path, ".journal", bytes(data))
    assert stored(path) == expected(5)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(5))
    assert stored(path) == expected(6)


def read_everything(path):
    with Results(path) as results:
        rows = [dict(row) for row in results.children_of("run0")]
        return rows, results.runs(), results.all_curves()


def test_any_flipped_byte_of_hdf5_is_found_or_harmless(packed, tmp_path):
    assert flip(packed, tmp_path, count=60) > 30


@pytest.mark.slow
def test_thousands_of_flipped_bytes_of_hdf5_are_found_or_harmless(packed, tmp_path):
    until, done, noticed = deadline("flips"), 0, 0
    while done < 6000 and time.monotonic() < until:
        noticed += flip(packed, tmp_path, count=60, seed=done + 3)
        done += 60
    assert noticed > done / 2
    print(f"\n{done} flipped bytes of HDF5: {noticed} noticed, the others changed nothing that is read")


def flip(packed, folder, count, seed=2):
    """Flip that many bytes, one at a time; return how many were noticed. The others changed nothing that is read."""
    data = packed.read_bytes()
    wanted = repr(read_everything(packed))
    rng = random.Random(seed)
    noticed = 0
    first = range(0, 48, 4) if seed == 2 else ()
    for position in [*first, *rng.sample(range(len(data)), count)]:
        broken = bytearray(data)
        broken[position] ^= rng.randrange(1, 256)
        path = copy_with(packed, folder, ".h5", bytes(broken))
        try:
            assert repr(read_everything(path)) == wanted
        except (CorruptResults, NewerSchema):
            noticed += 1
    return noticed


def test_hdf5_cut_anywhere_is_found(packed, tmp_path):
    data = packed.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, *random.Random(3).sample(range(len(data)), 20), len(data) - 1]:
        path = copy_with(packed, tmp_path, ".h5", data[:length])
        with pytest.raises(CorruptResults, match=r"not an HDF5 file|truncated|cannot be opened|damaged"):
            read_everything(path)


def chunks_of(path):
    """Where every chunk of every dataset begins and ends in the file."""
    places = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and item.chunks:
            for number in range(item.id.get_num_chunks()):
                chunk = item.id.get_chunk_info(number)
                places[name, number] = (chunk.byte_offset, chunk.byte_offset + chunk.size)

    with h5py.File(path) as file:
        file.visititems(visit)
    return places


def test_hdf5_cut_at_any_border_of_a_chunk_is_found(packed, tmp_path):
    data = packed.read_bytes()
    borders = sorted({place for chunk in chunks_of(packed).values() for place in chunk} - {len(data)})
    assert len(borders) > 100
    for number, length in enumerate(borders):
        path = copy_with(packed, tmp_path, ".h5", data[:length])
        with pytest.raises(CorruptResults, match=r"truncated|cannot be opened|damaged"):
            read_everything(path)
        if number % 20 == 0:
            assert [finding.severity for finding in check_file(path).findings] == ["damage"]


def test_a_flipped_byte_of_any_chunk_is_named_with_its_dataset(packed, tmp_path):
    data = packed.read_bytes()
    rng = random.Random(4)
    wanted = Results(packed).frame(["index", "hash"])
    chunks = chunks_of(packed)
    for (name, _), (start, end) in rng.sample(sorted(chunks.items()), 25):
        broken = bytearray(data)
        broken[rng.randrange(start, end)] ^= rng.randrange(1, 256)
        path = copy_with(packed, tmp_path, ".h5", bytes(broken))
        damages = [finding.text for finding in check_file(path).findings if finding.severity == "damage"]
        assert any(name in text for text in damages), (name, damages)
        if not name.endswith(("/index", "/hash")):
            assert Results(path).frame(["index", "hash"]).equals(wanted)


def test_a_damaged_dataset_is_named_and_the_others_are_readable(packed, tmp_path):
    path = copy_with(packed, tmp_path, ".h5", packed.read_bytes())
    with h5py.File(path, "r+") as file:
        file["children/val_acc"][3] = 0.99
    results = Results(path)
    with pytest.raises(CorruptResults, match=r"dataset 'children/val_acc' \(its checksum does not fit\)"):
        results.frame()
    assert results.frame(["params", "hash"])["params"].tolist() == [child(number)[0]["params"] for number in range(30)]


def test_a_damaged_file_is_not_packed_over(packed, tmp_path):
    path = copy_with(packed, tmp_path, ".h5", packed.read_bytes())
    with h5py.File(path, "r+") as file:
        file["children/val_acc"][3] = 0.99
    before = path.read_bytes()
    with pytest.raises(CorruptResults, match="children/val_acc"), ResultsWriter(path) as writer:
        writer.append_child(*child(30))
    assert path.read_bytes().startswith(before + b"\nnasbench: a journal has the records after ")
    shutil.copy(packed, path)  # the repair: the same file from a copy
    assert stored(path) == expected(31)


def test_a_missing_dataset_is_named(packed, tmp_path):
    path = copy_with(packed, tmp_path, ".h5", packed.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["children/reward"]
    with pytest.raises(CorruptResults, match="children/reward"):
        Results(path).frame()


def test_foreign_files(tmp_path):
    path = tmp_path / "x.h5"
    path.write_text("hello, world")
    with pytest.raises(CorruptResults, match=r"x\.h5 is not an HDF5 file"):
        Results(path)
    with h5py.File(path, "w") as file:
        file["numbers"] = [1, 2]
    with pytest.raises(CorruptResults, match="not a results file of nasbench"):
        Results(path)
    with pytest.raises(CorruptResults, match="not a results file of nasbench"):
        ResultsWriter(path)


def test_a_newer_schema(packed, tmp_path, monkeypatch):
    path = copy_with(packed, tmp_path, ".h5", packed.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION + 1
    with pytest.raises(CorruptResults, match="schema_version"):
        Results(path)
    with monkeypatch.context() as patch:
        patch.setattr("nasbench.store.packing.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        patch.setattr("nasbench.store.format.hdf5.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        write(tmp_path / "newer.h5", 1)
    path = tmp_path / "newer.h5"
    message = (
        f"written by schema {SCHEMA_VERSION + 1}, this nasbench reads up to {SCHEMA_VERSION}: upgrade nasbench-suite"
    )
    with pytest.raises(NewerSchema, match=message):
        Results(path)
    with pytest.raises(NewerSchema, match=message):
        ResultsWriter(path)


def test_a_journal_of_a_newer_schema(tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    with monkeypatch.context() as patch:
        patch.setattr("nasbench.store.journal.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        writer = ResultsWriter(path)
        writer.append_child(*child(0))
        writer._journal.close()
        writer._lock.release()
    with pytest.raises(NewerSchema, match=rf"x\.journal was written by schema {SCHEMA_VERSION + 1}"):
        Results(path)


def test_hdf5_and_journal_that_do_not_belong_together(packed, journal_only, tmp_path):
    shutil.copy(packed, tmp_path / "x.h5")
    shutil.copy(journal_only.with_suffix(".journal"), tmp_path / "x.journal")
    with pytest.raises(CorruptResults, match="belongs to another results file"):
        Results(tmp_path / "x.h5")


def test_an_hdf5_file_older_than_its_journal_or_gone(tmp_path):
    path = tmp_path / "x.h5"
    write(path, 3)
    shutil.copy(path, tmp_path / "old")
    write(path, 3, start=3)
    writer = ResultsWriter(path)
    writer.append_child(*child(6))
    writer._journal.close()
    writer._lock.release()
    shutil.move(tmp_path / "old", path)
    with pytest.raises(CorruptResults, match="records 5 to 8 are in neither"):
        Results(path)
    path.unlink()
    with pytest.raises(CorruptResults, match="records 1 to 8 that came before"):
        Results(path)


def test_killed_between_rename_and_removal_of_the_journal_counts_nothing_twice(tmp_path):
    path = tmp_path / "x.h5"
    writer = ResultsWriter(path)
    for number in range(4):
        writer.append_child(*child(number))
    journal = path.with_suffix(".journal").read_bytes()
    writer.close()
    path.with_suffix(".journal").write_bytes(journal)
    assert stored(path) == expected(4)
    with ResultsWriter(path) as writer:
        assert not path.with_suffix(".journal").exists()
        writer.append_child(*child(4))
    assert stored(path) == expected(5)


def test_missing_files(tmp_path):
    with pytest.raises(MissingResults, match="there is no folder"):
        Results(tmp_path / "no" / "x.h5")
    with pytest.raises(MissingResults, match="that folder has no results file"):
        Results(tmp_path / "x.h5")
    write(tmp_path / "y.h5", 1)
    with pytest.raises(MissingResults, match=r"there are: y\.h5"):
        Results(tmp_path / "x.h5")
    with pytest.raises(MissingResults, match="no results file fits"):
        Results(str(tmp_path / "z*.h5"))
    with pytest.raises(InputError, match="is a folder"):
        Results(tmp_path)
    with pytest.raises(InputError, match=r"must end in \.h5"):
        Results(tmp_path / "y.hdf5")


def test_a_journal_removed_under_its_writer_is_noticed(tmp_path):
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_child(*child(0))
        writer.pack()
        writer.append_child(*child(1))
        os.unlink(path.with_suffix(".journal"))
        with pytest.raises(StoreError, match="was removed while"):
            writer.append_child(*child(2))
        with pytest.raises(StoreError, match="was removed while"):
            writer.close()
    assert stored(path) == expected(1)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            OSError("Can't synchronously read data (file read failed: time = now, errno = 5, error message = '?')"),
            errno.EIO,
        ),
        (KeyError("Unable to synchronously open object (file read failed: errno = 30, buf = 0x55)"), errno.EROFS),
        (OSError(errno.EIO, "read failed"), errno.EIO),
        (
            OSError("Can't synchronously read data (file read failed: errno = 22, error message = 'Invalid argument')"),
            None,
        ),
        (OSError("Unable to synchronously open file (truncated file: eof = 96, sblock->base_addr = 0)"), None),
        (ValueError("its checksum does not fit"), None),
    ],
)
def test_a_failing_disk_is_told_from_damage(said, expected):
    """As HDF5 2.0 words it under a call that fails, and in files that are damaged."""
    found = failed_call(said)
    assert (found.errno if found else None) == expected


def test_a_failing_disk_is_not_called_damage(packed, monkeypatch):
    def fail(*_, **__):
        raise OSError("Unable to synchronously open file (file read failed: errno = 5, error message = '?', buf = 0x1)")

    monkeypatch.setattr("h5py.File", fail)
    with pytest.raises(StoreError, match="Input/output error while opening it for reading; fix it") as caught:
        Results(packed)
    assert not isinstance(caught.value, CorruptResults)
