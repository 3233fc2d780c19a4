"""What is written comes back exactly, from the journal and from HDF5, and other programs can read it."""

import json
import math
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from store_rows import child, expected, plain, run, stored, write

import nasbench
from nasbench.errors import InputError, printable_data
from nasbench.store.errors import DuplicateChild
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, RUN_COLUMNS, SCHEMA_VERSION, STAGES, STATUSES
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

FLOATS = st.floats(width=64) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308])
TEXTS = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\0", "a\0", "\udc80", "\\u0000", '"', "é\u2028", "nan", "\n", "𝔸"]
)
VALUES = {"int": st.integers(-(2**63), 2**63 - 1), "float": FLOATS, "bool": st.booleans(), "str": TEXTS}


def columns(schema, **special):
    return st.fixed_dictionaries({column.name: special.get(column.name, VALUES[column.type]) for column in schema})


@st.composite
def children(draw):
    row = draw(
        columns(CHILD_COLUMNS, run=st.just("run0"), stage=st.sampled_from(STAGES), status=st.sampled_from(STATUSES))
    )
    epochs = draw(st.integers(0, 3))
    return row, {curve.name: draw(st.lists(FLOATS, min_size=epochs, max_size=epochs)) for curve in CURVES}


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    packed=st.lists(children(), max_size=2),
    fresh=st.lists(children(), max_size=2),
    one=columns(RUN_COLUMNS, run=st.just("r")),
)
def test_any_value_comes_back_exactly(tmp_path_factory, packed, fresh, one):
    places = {(row["stage"], row["index"]) for row, _ in packed + fresh}
    assume(len(places) == len(packed + fresh))  # a child that is there already is refused
    path = tmp_path_factory.mktemp("any") / "x.h5"
    wanted = [plain(row | {"curves": curves}) for row, curves in packed + fresh]
    with ResultsWriter(path) as writer:
        writer.put_run(one)
        for row, curves in packed:
            writer.append_child(row, curves)
        writer.pack()
        for row, curves in fresh:
            writer.append_child(row, curves)
        assert stored(path) == wanted
    assert stored(path) == wanted
    with Results(path) as results:
        shown = {name: printable_data(value) if isinstance(value, str) else value for name, value in one.items()}
        assert plain(results.runs().iloc[0].to_dict() | {name: one[name] for name in INTS}) == plain(shown)


INTS = [
    column.name for column in RUN_COLUMNS if column.type == "int"
]  # pandas gives numpy ints in a row of mixed types


def test_repacking_changes_no_row(tmp_path):
    path = tmp_path / "x.h5"
    for start in range(0, 60, 20):
        write(path, 20, start)
        assert not path.with_suffix(".journal").exists()
    assert stored(path) == expected(60)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.h5"]


def test_a_growing_journal_is_packed_without_being_asked(tmp_path):
    path = tmp_path / "x.h5"
    with ResultsWriter(path, pack_bytes=10_000) as writer:
        for number in range(200):
            writer.append_child(*child(number))
        assert path.exists()
        assert stored(path) == expected(200)


def test_the_journal_alone_is_a_results_file(tmp_path):
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_child(*child(0))
        assert not path.exists()
        assert stored(path) == expected(1)
        for line in path.with_suffix(".journal").read_text().splitlines():
            json.loads(line, parse_constant=pytest.fail)  # NaN as a bare word would be no JSON


def test_a_later_row_of_a_run_takes_the_place_of_the_earlier(tmp_path):
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.put_run(run("a"))
        writer.put_run(run("b"))
        writer.pack()
        writer.put_run(run("a", status="complete", children=7))
        for _ in range(2):
            runs = Results(path).runs()
            assert runs[["run", "status", "children"]].values.tolist() == [["a", "complete", 7], ["b", "running", 0]]
            writer.pack()


@pytest.mark.parametrize("lengths", [[5], [100_000, *[3] * 300]], ids=["even", "one far longer"])
def test_long_texts(tmp_path, lengths):
    texts = [chr(ord("a") + place % 26) * length + str(place) for place, length in enumerate(lengths)]
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        for number, text in enumerate(texts):
            writer.append_child(*child(number, error=text))
    assert Results(path).frame(["error"])["error"].tolist() == [printable_data(text) for text in texts]
    assert [row["error"] for row in Results(path).children_of("run0")] == texts


@pytest.mark.parametrize("escaped", [False, True])
def test_texts_too_uneven_for_a_fixed_width(tmp_path, monkeypatch, escaped):
    monkeypatch.setattr("nasbench.store.packing._FIXED_BYTES", 100)
    texts = ["x" * 1000 + ("\0" if escaped else "")] + [f"é{place}" for place in range(50)]
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        for number, text in enumerate(texts):
            writer.append_child(*child(number, error=text))
    with h5py.File(path) as file:
        assert file["children/error"].dtype == np.uint8
    assert Results(path).frame(["error"])["error"].tolist() == [printable_data(text) for text in texts]
    assert [row["error"] for row in Results(path).children_of("run0")] == texts


def test_plain_h5py_reads_everything(tmp_path):
    path = tmp_path / "x.h5"
    write(path, 40)
    with h5py.File(path) as file:
        assert file.attrs["schema_version"] == SCHEMA_VERSION
        assert list(file["children"]) == [column.name for column in CHILD_COLUMNS]
        assert list(file["runs"]) == [column.name for column in RUN_COLUMNS]
        for column in CHILD_COLUMNS:
            dataset = file["children"][column.name]
            assert dataset.shape == (40,)
            assert dataset.attrs["meaning"].decode() == column.meaning
            assert dataset.attrs["unit"].decode() == column.unit
            assert dataset.chunks
        assert file["children/val_acc"].compression == "gzip"
        codes = file["children/strategy"]
        names = file[codes.attrs["categories"]].asstr()[:]
        assert set(names[codes[:]]) == {"random"}
        assert file["children/hash"].asstr()[:].tolist() == [child(number)[0]["hash"] for number in range(40)]
        assert file["children/duplicate"].dtype == bool
        assert file["children/params"].dtype == np.int64
        start, end = file["curves/offsets"][3:5]
        assert file["curves/val_acc"][start:end].tolist() == child(3)[1]["val_acc"]
        file.visititems(lambda _, item: item.dtype.kind != "O" if isinstance(item, h5py.Dataset) else None)


def test_h5dump_reads_the_header(tmp_path):
    if shutil.which("h5dump") is None:
        pytest.skip("h5dump is not installed (package hdf5-tools)")
    path = tmp_path / "x.h5"
    write(path, 5)
    header = subprocess.run(["h5dump", "-H", str(path)], capture_output=True, text=True, check=True).stdout
    assert 'DATASET "val_acc"' in header
    values = subprocess.run(
        ["h5dump", "-d", "/children/hash", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert child(0)[0]["hash"] in values


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_acc": "0.5"}, "'val_acc' must be a float"),
        ({"val_acc": True}, "'val_acc' must be a float"),
        ({"params": 1.0}, "'params' must be an int"),
        ({"params": True}, "'params' must be an int"),
        ({"params": 2**63}, "64 bits"),
        ({"duplicate": 1}, "'duplicate' must be a bool"),
        ({"error": None}, "'error' must be a str"),
        ({"status": "fine"}, "allowed: ok, diverged"),
        ({"stage": "test"}, "allowed: search, final"),
        ({"val_ac": 0.5}, "unknown column 'val_ac', did you mean 'val_acc'"),
    ],
)
def test_a_row_that_is_not_the_schemas_is_refused(tmp_path, change, message):
    with ResultsWriter(tmp_path / "x.h5") as writer:
        row, curves = child(0)
        with pytest.raises(InputError, match=message):
            writer.append_child(row | change, curves)
        writer.append_child(row, curves)
    assert stored(tmp_path / "x.h5") == expected(1)


def test_missing_columns_and_uneven_curves_are_refused(tmp_path):
    row, curves = child(3)
    with ResultsWriter(tmp_path / "x.h5") as writer:
        with pytest.raises(InputError, match="missing val_acc"):
            writer.append_child({name: value for name, value in row.items() if name != "val_acc"}, curves)
        with pytest.raises(InputError, match="lengths differ"):
            writer.append_child(row, curves | {"val_acc": [0.1]})
        with pytest.raises(InputError, match="missing seconds"):
            writer.append_child(row, {name: values for name, values in curves.items() if name != "seconds"})
        with pytest.raises(InputError, match="every run needs an id"):
            writer.put_run(run(""))


def test_numpy_scalars_are_taken_as_numbers(tmp_path):
    with ResultsWriter(tmp_path / "x.h5") as writer:
        writer.append_child(*child(0, val_acc=np.float32(0.5), params=np.int32(7), duplicate=np.bool_(True), reward=1))
    row = Results(tmp_path / "x.h5").children_of("run0")[0]
    assert [row["val_acc"], row["params"], row["duplicate"], row["reward"]] == [0.5, 7, True, 1.0]
    assert [type(row[name]) for name in ("val_acc", "params", "duplicate", "reward")] == [float, int, bool, float]


def test_opening_results_imports_neither_torch_nor_pandas(tmp_path):
    write(tmp_path / "x.h5", 3)
    script = (
        "import sys, nasbench; results = nasbench.open(sys.argv[1]); row = results.children_of('run0')[0]; row['val_acc'];"
        "print(len(results), sorted({'torch', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x.h5")], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split(maxsplit=1) == ["3", "[]\n"]


def test_nothing_written_leaves_nothing(tmp_path):
    with ResultsWriter(tmp_path / "new" / "x.h5"):
        pass
    assert list((tmp_path / "new").iterdir()) == []


def test_the_readmes_one_liner(tmp_path):
    write(tmp_path / "x.h5", 30)
    best = nasbench.open(str(tmp_path / "x.h5")).frame().query("status == 'ok' and params < 5e6").nlargest(5, "val_acc")
    rows = sorted((child(number)[0] for number in range(30)), key=lambda row: -row["val_acc"])
    assert best["hash"].tolist() == [row["hash"] for row in rows if row["params"] < 5e6][:5]


@pytest.mark.parametrize("where", ["journal", "packed", "same writer"])
def test_a_child_that_is_there_already_is_refused(tmp_path, where):
    path = tmp_path / "x.h5"
    writer = ResultsWriter(path)
    for number in (5, 3, 4):
        writer.append_child(*child(number))
    if where == "journal":
        writer._journal.close()
        writer._lock.release()
        writer = ResultsWriter(path)
    elif where == "packed":
        writer.close()
        writer = ResultsWriter(path)
    before = stored(path)
    with pytest.raises(DuplicateChild, match=r"x\.h5 has child 3 of run run0 \(stage search\) already; nothing was"):
        writer.append_child(*child(3))
    assert stored(path) == before
    writer.append_child(*child(3, stage="final"))
    writer.append_child(*child(3, run="run1"))
    writer.append_child(*child(6))
    with pytest.raises(DuplicateChild):
        writer.append_child(*child(3, stage="final"))
    writer.close()
    assert check_file(path).children == 6
