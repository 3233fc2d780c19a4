"""Frames, curves, lookups and the score cache."""

import errno
import json
import os
import shutil
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from store_rows import child, expected, plain, run, write

from nasbench import open as open_results
from nasbench.errors import InputError, UnknownName
from nasbench.store import packing, query
from nasbench.store.cache import ScoreCache, source_row
from nasbench.store.errors import CorruptResults, StoreError
from nasbench.store.format import chunks, form, frames
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, RUN_COLUMNS, STAGES
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter


@pytest.fixture
def two_files(tmp_path):
    """File a: children 0 to 9 of run0. File b: children 0 to 4 of run1, the last two only in its journal."""
    write(tmp_path / "a.h5", 10)
    with ResultsWriter(tmp_path / "b.h5") as writer:
        writer.put_run(run("run1"))
        for number in range(3):
            writer.append_child(*child(number, run="run1"))
    writer = ResultsWriter(tmp_path / "b.h5")
    for number in range(3, 5):
        writer.append_child(*child(number, run="run1"))
    yield tmp_path
    writer.close()


def test_frame_has_the_schemas_columns_and_types(tmp_path):
    write(tmp_path / "a.h5", 10)
    frame = Results(tmp_path / "a.h5").frame()
    assert list(frame) == [column.name for column in CHILD_COLUMNS]
    text = pd.Series(["a"]).dtype
    types = {"int": np.dtype("int64"), "float": np.dtype("float64"), "bool": np.dtype(bool), "str": text}
    assert {name: frame[name].dtype for name in frame} == {column.name: types[column.type] for column in CHILD_COLUMNS}
    assert frame["hash"].tolist() == [child(number)[0]["hash"] for number in range(10)]
    assert frame["test_acc"].isna().all()
    assert (frame["error"] == "").all()
    frame.loc[0, "status"] = "changed"  # no read-only memory, no fixed categories
    assert frame["status"].tolist()[:2] == ["changed", "ok"]


def test_frame_reads_only_the_columns_asked_for(tmp_path, monkeypatch):
    write(tmp_path / "a.h5", 10)
    results = Results(tmp_path / "a.h5")
    read = []
    whole = type(results._sources[0].snapshot.packed).values
    monkeypatch.setattr(
        "nasbench.store.format.hdf5.PackedFile.values", lambda self, path: read.append(path) or whole(self, path)
    )
    assert list(results.frame(["val_acc", "params", "val_acc"])) == ["val_acc", "params"]
    assert read == ["children/val_acc", "children/params"]


def test_frame_of_one_stage(tmp_path):
    with ResultsWriter(tmp_path / "a.h5") as writer:
        for number in range(6):
            writer.append_child(*child(number, stage="final" if number % 3 == 0 else "search"))
    results = Results(tmp_path / "a.h5")
    assert results.frame(["index"], stage="final")["index"].tolist() == [0, 3]
    assert results.frame(["index"], stage="search")["index"].tolist() == [1, 2, 4, 5]
    with pytest.raises(UnknownName, match="unknown stage 'finale', did you mean 'final'"):
        results.frame(stage="finale")


def test_unknown_column(tmp_path):
    write(tmp_path / "a.h5", 1)
    with pytest.raises(UnknownName, match="unknown column 'val_ac', did you mean 'val_acc'"):
        Results(tmp_path / "a.h5").frame(["val_ac"])


def test_several_files_and_patterns(two_files):
    a, b = str(two_files / "a.h5"), str(two_files / "b.h5")
    for paths in ([a, b], two_files / "*.h5", str(two_files / "*.h5"), [a, two_files / "*.h5"]):
        results = open_results(paths)
        assert results.files == [a, b]
        assert len(results) == 15
        frame = results.frame()
        assert list(frame)[:2] == ["file", "run"]
        assert frame["file"].tolist() == [a] * 10 + [b] * 5
        assert frame["index"].tolist() == [*range(10), *range(5)]
        assert results.runs()[["file", "run"]].values.tolist() == [[a, "run0"], [b, "run1"]]
    assert results.frame(["index", "file"], stage="search")["file"].tolist() == [a] * 10 + [b] * 5
    assert repr(results) == f"<Results {a!r}, {b!r}: 15 children of 2 runs>"
    with pytest.raises(InputError, match="no results file given"):
        Results([])


def test_a_file_with_several_names_is_read_once(two_files, monkeypatch):
    monkeypatch.chdir(two_files)
    (two_files / "link.h5").symlink_to("b.h5")
    names = ["a.h5", "./a.h5", str(two_files / "a.h5"), "link.h5", "b.h5", "*.h5"]
    results = open_results(names)
    assert results.files == ["a.h5", "link.h5"], "each by the first of its names"
    assert len(results) == 15


def test_a_pattern_finds_a_file_that_has_only_a_journal(tmp_path):
    with ResultsWriter(tmp_path / "young.h5") as writer:
        writer.append_child(*child(0))
        assert Results(tmp_path / "*.h5").files == [str(tmp_path / "young.h5")]


def test_runs_have_the_schemas_columns(two_files):
    assert list(Results(two_files / "a.h5").runs()) == [column.name for column in RUN_COLUMNS]


def test_empty_frames_keep_their_types(tmp_path):
    with ResultsWriter(tmp_path / "a.h5") as writer:
        writer.put_run(run())
    for results in (Results(tmp_path / "a.h5"),):
        assert results.frame().shape == (0, len(CHILD_COLUMNS))
        assert results.frame()["val_acc"].dtype == np.float64
        assert results.all_curves().empty
        assert results.lookup("0" * 32, "f" * 16, 0) is None
        assert results.children_of("run0") == []


def test_curves_are_long(two_files):
    results = Results(two_files / "*.h5")
    row, curves = child(3)
    frame = results.curves(row["hash"])
    assert list(frame) == ["file", "run", "stage", "index", "hash", "seed", "epoch", *(curve.name for curve in CURVES)]
    assert frame["run"].tolist() == ["run0"] * 3 + ["run1"] * 3
    assert frame["epoch"].tolist() == [1, 2, 3, 1, 2, 3]
    for curve in CURVES:
        assert frame[curve.name].tolist() == curves[curve.name] * 2
    assert len(results.curves(row["hash"], seed=3)) == 6
    assert results.curves(row["hash"], seed=4).empty
    assert results.curves(row["hash"], fingerprint="0" * 16).empty
    assert results.curves("0" * 32).empty
    assert len(results.all_curves()) == sum(number % 4 for number in [*range(10), *range(5)])
    assert next(iter(Results(two_files / "a.h5").all_curves())) == "run"


def test_lookup(two_files):
    results = Results(two_files / "*.h5")
    for number in range(10):
        row = results.lookup(child(number)[0]["hash"], "f" * 16, number)
        assert plain(row) == expected(10)[number]
        assert row.file == str(two_files / "a.h5")
    assert results.lookup(child(1)[0]["hash"], "f" * 16, 2) is None
    assert results.lookup(child(1)[0]["hash"], "e" * 16, 1) is None
    assert results.lookup(child(1)[0]["hash"], "f" * 16, 1, stage="final") is None
    assert results.lookup(child(1)[0]["hash"], "f" * 16, np.int64(1)) is not None
    with pytest.raises(KeyError):
        results.lookup(child(1)[0]["hash"], "f" * 16, 1)["no such column"]


def test_lookup_prefers_an_outcome_of_the_architecture(tmp_path):
    same = {"hash": "a" * 32, "seed": 0}
    with ResultsWriter(tmp_path / "a.h5") as writer:
        for number, status in enumerate(["timed_out", "ok", "ok"]):
            writer.append_child(*child(number, status=status, **same))
    assert Results(tmp_path / "a.h5").lookup("a" * 32, "f" * 16, 0)["index"] == 1


def test_children_of_a_run_in_commit_order(two_files):
    rows = Results(two_files / "*.h5").children_of("run1")
    assert [row["index"] for row in rows] == list(range(5))
    assert [row["curves"]["val_acc"] for row in rows] == [tuple(child(number)[1]["val_acc"]) for number in range(5)]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "many.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_CHUNK_ROWS", 16)
        patch.setattr(os, "fsync", lambda handle: None)
        with ResultsWriter(path) as writer:
            for number in range(100):
                writer.append_child(
                    *child(number, error="é" * (number % 7), stage=("search", "final")[number % 3 == 0])
                )
        with ResultsWriter(path) as writer:
            for number in range(100, 102):
                error = ["longer than any of the others", ""][number - 100]
                writer.append_child(*child(number, error=error, stage="search"))
            return {ending: path.with_suffix(ending).read_bytes() for ending in (".h5", ".journal")}


@pytest.fixture
def many_chunks(made_once, tmp_path):
    """100 children in chunks of 16 rows, with a text that is not ASCII and is often repeated; then two in the journal."""
    for ending, data in made_once.items():
        (tmp_path / "many").with_suffix(ending).write_bytes(data)
    return tmp_path / "many.h5"


def copy_of(path):
    for ending in (".h5", ".journal"):
        shutil.copy(path.with_suffix(ending), path.with_name("copy.h5").with_suffix(ending))
    return path.with_name("copy.h5")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("rows", [[99, 3, 101, 3], [], [100], range(102), [5, 6]])
@pytest.mark.parametrize("stage", [None, "final"])
def test_some_rows_are_those_of_the_whole(many_chunks, rows, stage):
    results = Results([many_chunks, copy_of(many_chunks)])
    whole = results.frame()
    for shift in (0, len(whole) // 2):
        wanted = whole.iloc[[row + shift for row in rows]]
        wanted = wanted if stage is None else wanted[wanted["stage"] == stage]
        found = results.frame(list(whole), stage=stage, rows=[row + shift for row in rows])
        pd.testing.assert_frame_equal(found, wanted.reset_index(drop=True))
    assert results.positions("final").tolist() == whole.index[whole["stage"] == "final"].tolist()


@pytest.mark.parametrize("decompressor", [chunks.decompressor(), lambda data, size: zlib.decompress(data)])
def test_chunks_are_read_without_hdf5s_filters(many_chunks, monkeypatch, decompressor):
    columns = ["val_acc", "hash", "params", "duplicate"]
    wanted = Results(many_chunks).frame()[columns]
    read, whole = [], PackedFile.numbers
    monkeypatch.setattr(chunks, "decompressor", lambda: decompressor)
    monkeypatch.setattr(PackedFile, "numbers", lambda self, path: (read.append(path), whole(self, path))[1])
    pd.testing.assert_frame_equal(Results(many_chunks).frame(columns), wanted)
    assert not read


def test_without_arrows_strings_text_is_the_same(many_chunks, monkeypatch):
    wanted = Results(many_chunks).frame()
    monkeypatch.setattr(frames, "FixedTexts", ())  # as if nothing could be handed to Arrow undecoded
    pd.testing.assert_frame_equal(Results(many_chunks).frame(), wanted)


@pytest.mark.parametrize("crc", [True, False], ids=["crc32", "digest"])
def test_other_values_in_a_chunk_are_found(many_chunks, crc):
    with h5py.File(many_chunks, "r+") as file:
        if not crc:
            del file["children/reward"].attrs["crc32"]
        file["children/reward"][50] = 0.123
    with pytest.raises(CorruptResults, match=r"'children/reward' \(its checksum does not fit"):
        Results(many_chunks).frame(["reward"])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("crc", [True, False], ids=["crc32", "digest"])
def test_a_flipped_byte_in_a_chunk_is_found_or_harmless(many_chunks, crc):
    with h5py.File(many_chunks, "r+") as file:
        if not crc:
            del file["children/val_acc"].attrs["crc32"]
        place = file["children/val_acc"].id.get_chunk_info(3)  # rows 48 to 63
    data, wanted, found = many_chunks.read_bytes(), Results(many_chunks).frame(["val_acc"]), 0
    for offset in range(place.size):
        broken = bytearray(data)
        broken[place.byte_offset + offset] ^= 0x10
        many_chunks.write_bytes(broken)
        with Results(many_chunks) as results:
            with pytest.raises(CorruptResults, match="dataset 'children/val_acc'"):
                results.frame(["val_acc"], rows=[50])
            assert results.frame(["val_acc"], rows=[5])["val_acc"].tolist() == [wanted["val_acc"][5]]
            try:
                pd.testing.assert_frame_equal(results.frame(["val_acc"]), wanted)
            except CorruptResults:
                found += 1
    assert (
        place.size - 8 < found < place.size
    )  # not the four bytes of HDF5's own checksum, nor bits that zlib does not use


def test_lookups_before_and_after_there_is_an_index_agree(many_chunks):
    asked = [*range(0, 102, 7), 1, 3, 3]
    answers = []
    for searches in (0, 1000):
        results = Results([many_chunks, copy_of(many_chunks)])
        results._searches = -searches
        keys = [(child(number)[0]["hash"], "f" * 16, number, stage) for number in asked for stage in STAGES]
        answers.append([row and plain(row) for row in (results.lookup(*key) for key in keys)])
        assert ("_index" in vars(results)) == (searches == 0)
    assert answers[0] == answers[1]
    assert sum(answer is not None for answer in answers[0]) == len(asked)


def test_curves_in_part_are_those_of_the_whole(many_chunks, monkeypatch):
    monkeypatch.setattr(query, "_FEW_EPOCHS", 0)
    results = Results([many_chunks, copy_of(many_chunks)])
    everything = results.all_curves()
    for number in (0, 3, 50, 99, 101):
        one = everything[everything["hash"] == child(number)[0]["hash"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(results.curves(child(number)[0]["hash"]), one)
    rows = results.children_of("run0")
    assert [row["curves"] for row in rows] == [
        {name: tuple(values) for name, values in child(row["index"])[1].items()} for row in rows
    ]


def queried(path, *words):
    done = nasbench("query", str(path), *words, "--format", "json")
    assert done.code == 0, done.err
    return pd.DataFrame(json.loads(done.out))


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["--columns", "hash", "--where", "params < 5e6 and seed > 3"], {"stage", "params", "seed", "hash"}),
        (["--columns", "hash,val_acc", "--sort", "params"], {"stage", "params", "hash", "val_acc"}),
        (["--columns", "hash", "--where", "index < 3", "--sort", "index:asc"], {"stage", "index", "hash"}),
        (["--columns", "index", "--head", "3", "--stage", "all"], {"index"}),
    ],
)
def test_query_reads_only_what_the_expression_and_the_output_name(tmp_path, monkeypatch, words, read):
    write(tmp_path / "a.h5", 40)
    seen = set()
    whole = PackedFile._entry
    monkeypatch.setattr(PackedFile, "_entry", lambda self, path: (seen.add(path), whole(self, path))[1])
    queried(tmp_path / "a.h5", *words)
    assert {path.rpartition("/")[2] for path in seen} == read


@pytest.mark.parametrize(("words", "rows"), [(["--head", "3"], 3), (["--where", "index < 7"], 7), ([], 40)])
@pytest.mark.parametrize("form", ["table", "csv"])
def test_query_writes_only_the_rows_that_it_prints_one_column_after_the_other(tmp_path, monkeypatch, words, rows, form):
    write(tmp_path / "a.h5", 40)
    asked, read = [], Results.cells
    monkeypatch.setattr(
        Results, "cells", lambda self, names=None, rows=None: (asked.append((names, rows)), read(self, names, rows))[1]
    )
    monkeypatch.setattr(pd.DataFrame, "to_string", None)
    monkeypatch.setattr(pd.DataFrame, "to_csv", None)
    done = nasbench("query", str(tmp_path / "a.h5"), "--columns", "hash,val_acc,params", "--format", form, *words)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1 + rows
    assert [names for names, _ in asked] == [["hash"], ["val_acc"], ["params"]]
    assert {40 if chosen is None else len(chosen) for _, chosen in asked} == {rows}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("head", [[], ["--head", "4"], ["--head", "0"], ["--head", "500"]])
@pytest.mark.parametrize("stage", ["search", "all"])
@pytest.mark.parametrize("order", [[], ["--sort", "val_acc"], ["--sort", "error:asc"]])
@pytest.mark.parametrize("where", [[], ["--where", "params < 5e6 and not startswith(error, 'éé')"]])
def test_query_gives_what_pandas_gives(many_chunks, head, stage, order, where):
    wanted = Results(many_chunks).frame(stage=None if stage == "all" else stage)
    if where:
        wanted = wanted[(wanted["params"] < 5e6) & ~wanted["error"].str.startswith("éé")]
    if order:
        column, _, direction = order[1].partition(":")
        wanted = wanted.sort_values(column, ascending=direction == "asc", kind="stable")
    if head:
        wanted = wanted.head(int(head[1]))
    found = queried(many_chunks, "--columns", "index,hash,error,val_acc", "--stage", stage, *order, *where, *head)
    assert found.to_dict("list") == (
        wanted[["index", "hash", "error", "val_acc"]].to_dict("list") if len(wanted) else {}
    )


def test_rows_of_a_closed_file_are_not_called_damaged(tmp_path):
    write(tmp_path / "a.h5", 3)
    with open_results(tmp_path / "a.h5") as results:
        row = results.children_of("run0")[0]
    with pytest.raises(StoreError, match="was closed before") as caught:
        dict(row)
    assert not isinstance(caught.value, CorruptResults)


def test_cache_hits_across_files_only_what_another_training_would_repeat(tmp_path):
    statuses = ["ok", "diverged", "out_of_memory", "timed_out", "failed"]
    with ResultsWriter(tmp_path / "a.h5") as writer:
        for number, status in enumerate(statuses):
            writer.append_child(*child(number, status=status))
    with ResultsWriter(tmp_path / "b.h5") as writer:
        writer.append_child(*child(5, stage="final", test_acc=0.9))
        writer.append_child(*child(6, cached_from="elsewhere/3"))
    cache = ScoreCache([tmp_path / "a.h5", tmp_path / "b.h5"])
    assert len(cache) == 4

    def get(number, test=False):
        return cache.get(child(number)[0]["hash"], "f" * 16, number, test)

    assert [get(number) is not None for number in range(7)] == [True, True, False, False, False, False, True]
    assert get(5, test=True)["test_acc"] == 0.9
    assert get(0, test=True) is None
    assert source_row(get(0)) == "run0/0"
    assert source_row(get(6)) == "elsewhere/3"


def test_cache_learns_new_rows_and_keeps_the_first(tmp_path):
    cache = ScoreCache()
    assert cache.get("a" * 32, "f" * 16, 0, test=False) is None
    first = child(0, hash="a" * 32)[0]
    cache.add(child(1, hash="a" * 32, seed=0, status="failed")[0])
    cache.add(first)
    cache.add(child(2, hash="a" * 32, seed=0, cached_from="run0/0")[0])
    kept = cache.get("a" * 32, "f" * 16, 0, test=False)
    assert kept is not None
    assert plain(kept) == plain(first)


def test_cache_gives_back_any_of_many_added_rows_in_any_order():
    cache = ScoreCache()
    rows = [{**child(number)[0], "curves": child(number)[1]} for number in range(50)]
    for row in rows:
        cache.add(row)
    for number in [49, 0, *range(50)]:
        kept = cache.get(rows[number]["hash"], "f" * 16, number, test=False)
        assert kept is not None
        assert plain(kept) == plain(rows[number])
    assert len(cache) == 50


def test_cache_is_shared_by_searches_in_threads():
    cache, searches, children = ScoreCache(), 4, 150
    start = threading.Barrier(searches)

    def search(number):
        mine = [child(number * children + index)[0] for index in range(children)]
        start.wait()
        for place, row in enumerate(mine):
            cache.add(row)
            for earlier in (row, mine[place // 2]):
                kept = cache.get(earlier["hash"], "f" * 16, earlier["seed"], test=False)
                assert kept is not None
                assert plain(kept) == plain(earlier)

    with ThreadPoolExecutor(searches) as threads:
        for done in [threads.submit(search, number) for number in range(searches)]:
            done.result()
    assert len(cache) == searches * children


def test_a_packed_file_is_read_by_several_threads_at_once(tmp_path, monkeypatch):
    """As by searches that are resumed at the same time: none may read a dataset before its form is known."""
    write(tmp_path / "a.h5", 20)
    look = form.fault_of_dataset
    threads = 4
    start = threading.Barrier(threads)

    def slowly(*arguments):
        time.sleep(0.002)
        return look(*arguments)

    monkeypatch.setattr(form, "fault_of_dataset", slowly)

    def read(results):
        start.wait()
        return [plain(row) for row in results.children_of(child(0)[0]["run"])]

    with Results(str(tmp_path / "a.h5")) as results, ThreadPoolExecutor(threads) as pool:
        found = [done.result() for done in [pool.submit(read, results) for _ in range(threads)]]
    assert len(found[0]) > 0
    assert all(rows == found[0] for rows in found)


@pytest.mark.parametrize("when", ["opening", "writing"])
def test_cache_works_on_where_temporary_files_have_no_room(monkeypatch, when):
    def fails(*args, **options):
        raise OSError(errno.ENOSPC, "no space")

    cache = ScoreCache()
    rows = [child(number)[0] for number in range(2)]
    if when == "writing":
        cache.add(rows[0])
        monkeypatch.setattr("nasbench.store.cache._Spool.put", fails)
    else:
        monkeypatch.setattr("tempfile.TemporaryFile", fails)
    for row in rows:
        cache.add(row)
    for number, row in enumerate(rows):
        kept = cache.get(row["hash"], "f" * 16, number, test=False)
        assert kept is not None
        assert plain(kept) == plain(row)
