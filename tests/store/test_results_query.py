"""Frames, curves, lookups and the score cache."""

import numpy as np
import pandas as pd
import pytest
from store_rows import child, expected, plain, run, write

import nasbench
from nasbench.errors import InputError, UnknownName
from nasbench.store.cache import ScoreCache, origin
from nasbench.store.query import Results
from nasbench.store.schema import CHILD_COLUMNS, CURVES, RUN_COLUMNS
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
    whole = type(results._sources[0].snapshot.packed).numbers
    monkeypatch.setattr(
        "nasbench.store.hdf5.PackedFile.numbers", lambda self, path: read.append(path) or whole(self, path)
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
        results = nasbench.open(paths)
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
    assert origin(get(0)) == "run0/0"
    assert origin(get(6)) == "elsewhere/3"


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
