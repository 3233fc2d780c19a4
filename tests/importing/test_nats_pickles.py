"""NATS-Bench's official pickles: what is read, that nothing is run, and that memory does not grow with the file."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import pickle
import tracemalloc
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from nats_pickles import architecture, dump, folder, whole

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.importers import plain_pickle
from nasbench.tabular.importers.plain_pickle import PlainPickle

SPACE = get_space("nats-size")
VALUES = 50_000  # of one item, in the tests of hostile files; usually it is a million
ARCHS = [SPACE.describe(SPACE.of_index(index)) for index in range(13)]
SHARED = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
RECORDS = SHARED / "nats_tss_3arch_full_records.json.gz"


def imported(path: Path, output: str = "out.h5") -> pd.DataFrame:
    done = nasbench("import", "nats-bench", str(path), "-o", str(path.parent / output))
    assert (done.code, done.err) == (0, ""), done.err
    with Results(path.parent / output) as results:
        return results.frame()


def refused(path: Path) -> str:
    done = nasbench("import", "nats-bench", str(path), "-o", str(path.parent / "out.h5"))
    assert done.code == 2, (done.out, done.err)
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert "Traceback" not in done.err
    assert not (path.parent / "out.h5").exists()
    return done.err


def test_an_architecture_has_the_scores_of_its_file_and_the_counts_that_the_benchmark_prints(tmp_path: Path) -> None:
    """Index 12 on CIFAR-10: 0.067378 M parameters, 7.991706 M operations (NATS-Bench, notebooks/create-query-sss.ipynb)."""
    results = architecture(12, ARCHS[12], ("12",), level=40.0, params=0.067378, flops=7.991706)
    path = dump(tmp_path / "000012.pickle.pbz2", results)
    frame = imported(path)
    search = frame[frame["stage"] == "search"].set_index("data")
    assert set(search.index) == {"cifar10-valid", "cifar100", "imagenet16-120"}
    row = search.loc["cifar10-valid"]
    assert (row["protocol"], row["epochs"], row["seed"], row["hash"]) == (
        "nats-size-12",
        12,
        777,
        SPACE.of_index(12).hash,
    )
    assert row["val_acc"] == pytest.approx(0.40011)
    assert row["val_loss"] == pytest.approx(1.511)
    assert (row["train_seconds"], row["eval_seconds"], row["device_seconds"]) == (66.0, 9.0, 75.0)
    final = frame[frame["stage"] == "final"].set_index("data")
    assert set(final.index) == {"cifar10-valid", "cifar10", "cifar100", "imagenet16-120"}
    assert final.loc["cifar10", "test_acc"] == pytest.approx(0.40011)
    assert final.loc["cifar100", "test_acc"] == pytest.approx(0.40035)  # x-test, not the union with the validation set
    row = final.loc["cifar10"]
    assert row["params"] == row["published_params"] == 67_378
    biases = 10
    assert row["mult_adds"] + biases == row["published_mult_adds"] == 7_991_706
    assert final.loc["cifar100", "params"] != 67_378  # the sample states CIFAR-10's count for all data sets
    assert imported(path, "again.h5")["fingerprint"].tolist() == frame["fingerprint"].tolist()


def test_a_benchmark_file_and_a_folder_give_the_same_children(tmp_path: Path) -> None:
    made = {index: architecture(index, ARCHS[index], ("01", "02"), level=30.0 + index) for index in (0, 5, 12)}
    one = imported(dump(tmp_path / "NATS-sss.pickle.pbz2", whole(made, ARCHS)), "one.h5")
    many = imported(folder(tmp_path / "simple", made, ARCHS), "many.h5")
    assert len(one) == 3 * 2 * (3 + 4)
    pd.testing.assert_frame_equal(one.drop(columns="run"), many.drop(columns="run"))
    assert one.groupby("hash")["val_acc"].max().round(6).nunique() == 3


@pytest.mark.skipif(not RECORDS.exists(), reason="needs the shared data; set NASBENCH_SHARED_DATA to its folder")
def test_the_real_records_give_the_same_children_from_pickles_as_from_json(tmp_path: Path) -> None:
    records = json.loads(gzip.decompress(RECORDS.read_bytes()))
    made: dict[int, Any] = {}
    for record in records:
        results = made.setdefault(record["index"], OrderedDict())
        state = results.setdefault(
            record["hp"], {"arch_index": record["index"], "arch_str": record["arch"], "all_results": {}}
        )
        state["all_results"][record["dataset"], record["seed"]] = {
            "params": np.float64(record["params_m"]),
            "flop": record["flops_m"],
            "train_acc1es": {int(epoch): value for epoch, value in record["train_acc"].items()},
            "train_losses": None,
            "train_times": OrderedDict((int(epoch), value) for epoch, value in record["train_times"].items()),
            "eval_acc1es": record["eval_acc"],
            "latency": record["latency_s"],
        }
    assert list(made) == [0, 11, 284]
    mine = imported(dump(tmp_path / "NATS-tss.pickle.pbz2", whole(made, [])), "mine.h5")
    theirs = imported(Path(_copy(RECORDS, tmp_path / "records.json.gz")), "theirs.h5")
    keys = ["data", "protocol", "stage", "hash", "seed"]
    same = [
        frame.sort_values(keys).drop(columns=["run", "index", "asked", "spent_gpu_hours"]) for frame in (mine, theirs)
    ]
    pd.testing.assert_frame_equal(same[0].reset_index(drop=True), same[1].reset_index(drop=True))


def _copy(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


class Calls:
    """Pickles to a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def programs(mark: Path) -> dict[str, tuple[bytes, str]]:
    """Name -> pickle, and a part of what is said of it. A run one would make the file `mark`."""
    import builtins
    import subprocess

    deep = b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b"."
    tuples = b"\x80\x04}K\x01" + b"\x85" * 40_000 + b"K\x02s."
    written = f"open({str(mark)!r}, 'w')"
    normal = architecture(0, ARCHS[0], ("01",))
    poisoned = architecture(0, ARCHS[0], ("01",))
    poisoned["01"]["all_results"]["cifar10", 777]["net_state_dict"] = Calls(os.system, f"touch {mark}")
    return {
        "os.system": (
            pickle.dumps(Calls(os.system, f"touch {mark}"), 4),
            "names posix.system, which is never imported",
        ),
        "eval": (pickle.dumps(Calls(builtins.eval, written), 4), "names builtins.eval"),
        "exec of protocol 2": (pickle.dumps(Calls(builtins.exec, written), 2), "names __builtin__.exec"),
        "subprocess": (pickle.dumps(Calls(subprocess.Popen, ["touch", str(mark)]), 5), "names subprocess.Popen"),
        "inside a result": (pickle.dumps(poisoned, 4), "names posix.system"),
        "attribute of numpy": (b"\x80\x04cnumpy\nf2py.os.system\n.", "names numpy.f2py.os.system"),
        "dotted name": (
            b"\x80\x04\x8c\x0bcollections\x8c\x10OrderedDict.pop_\x93.",
            "names collections.OrderedDict.pop_",
        ),
        "function of numpy": (pickle.dumps(np.arange(3), 4), "_reconstruct"),
        "factory": (pickle.dumps(defaultdict(list), 4), "names collections.defaultdict"),
        "call of a dict": (b"\x80\x04})R.", "calls a dict"),
        "OrderedDict with arguments": (b"\x80\x04ccollections\nOrderedDict\n(K\x01tR.", "with unusual arguments"),
        "state": (b"\x80\x04}}b.", "sets the state of a dict"),
        "old instance": (b"(ios\nsystem\n.", "has the instruction 0x69"),
        "persistent name": (b"Pname\n.", "has the instruction 0x50"),
        "extension": (b"\x80\x04\x82\x01.", "has the instruction 0x82"),
        "no protocol": (pickle.dumps(normal, 0), "has the instruction"),
        "deep lists": (deep, "is no file of NATS-Bench"),
        "deep marks": (b"\x80\x04" + b"(" * 100_000, "nests more than 64 containers"),
        "deep tuple as key": (tuples, "as a key"),
        "list as key": (b"\x80\x04}]K\x02s.", "has a list as a key"),
        "memo of four billion": (b"\x80\x04Nr\xff\xff\xff\xff.", "numbers its objects in an unusual order"),
        "reference to nothing": (b"\x80\x04h\x05.", "refers to an object that it has not made"),
        "long text": (b"\x80\x04X\xff\xff\xff\x7f" + b"a" * 100, "MiB of texts"),
        "long text of 64 bits": (b"\x80\x04\x8d" + b"\xff" * 8, "has the instruction 0x8d"),
        "long number": (b"\x80\x04\x8a\xff" + b"\x01" * 255 + b".", "a whole number of too many digits"),
        "many values": (b"\x80\x04(" + b"N" * (VALUES + 1), "values in one item"),
        "endless work": (b"\x80\x04" + b"\x95" + bytes(8) + b"\x80\x04" * (VALUES + 1), "values in one item"),
        "nothing": (b"", "ends too early"),
        "half": (pickle.dumps(normal, 4)[: len(pickle.dumps(normal, 4)) // 2], "ends too early"),
        "no pickle": (b"PK\x03\x04 a zip file", "has the instruction 0x50"),
        "a number": (b"\x80\x04K\x01.", "is no file of NATS-Bench"),
        "list": (b"\x80\x04]K\x01a.", "is no file of NATS-Bench"),
        "containers in each other": (b"\x80\x04]\x94h\x00a.", "is no file of NATS-Bench"),
    }


@pytest.mark.parametrize("name", list(programs(Path("unused"))))
def test_a_hostile_pickle_is_refused_in_one_line_and_runs_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_pickle, "MOST_VALUES", VALUES)
    mark = tmp_path / "was-run"
    program, said = programs(mark)[name]
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(program))
    message = refused(path)
    assert said in message
    assert path.name in message
    assert not mark.exists()
    path.write_bytes(program)
    assert said in refused(path)  # uncompressed, too
    assert not mark.exists()


def test_compressed_zeros_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MOST_TEXT", 1 << 20)
    bomb = b"\x80\x04]" + b"X\x00\x00\x00\x02" + bytes(1 << 25)
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(bomb))
    assert path.stat().st_size < 1000
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="MiB of texts"):
            PlainPickle(str(path), "results").value()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert "MiB of texts" in refused(path)


def test_damaged_compression_is_one_line(tmp_path: Path) -> None:
    path = dump(tmp_path / "000000.pickle.pbz2", architecture(0, ARCHS[0], ("01",)))
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 255
    path.write_bytes(packed)
    assert "is no pickle of NATS-Bench's results" in refused(path)
    path.write_bytes(packed[:50])
    assert "000000.pickle.pbz2" in refused(path)


def wrong(change: Any) -> Any:
    results = architecture(3, ARCHS[3], ("01",))
    change(results["01"])
    return results


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.update(arch_index=4), "arch_index of '8:8:8:8:32' is 3, got 4"),
        (lambda state: state.update(arch_str="8:8:8:8:9"), "five of 8, 16"),
        (lambda state: state.update(arch_str=7), "have no arch_str and all_results"),
        (lambda state: state.update(all_results={"cifar10": {}}), "all_results is by data set and seed, got 'cifar10'"),
        (
            lambda state: state["all_results"].update({("cifar10", 777): {}}),
            "seed 777 has no train_acc1es, train_times",
        ),
        (
            lambda state: state["all_results"]["cifar10", 777].update(params="1"),
            "params is a number of millions, got a str",
        ),
        (lambda state: state["all_results"]["cifar10", 777].update(train_acc1es={0: "x"}), "has numbers, got a str"),
        (
            lambda state: state["all_results"]["cifar10", 777].update(eval_acc1es=[1.0]),
            "one value per epoch, got a list",
        ),
        (
            lambda state: state["all_results"]["cifar10", 777].update(train_acc1es={0: 3184.0}),
            "train_acc is 31.84, not a",
        ),
        (lambda state: state["all_results"]["cifar10", 777].update(train_times={0: -1.0}), "it is at least 0"),
    ],
)
def test_impossible_values_name_file_and_training(change: Any, said: str, tmp_path: Path) -> None:
    path = dump(tmp_path / "000003.pickle.pbz2", wrong(change))
    message = refused(path)
    assert said in message
    assert path.name in message


def test_an_empty_folder_and_a_file_without_results_say_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no files NNNNNN.pickle.pbz2" in refused(tmp_path / "empty")
    meta = dump(tmp_path / "meta.pickle.pbz2", whole({}, ARCHS) | {"arch2infos": None})
    assert "has no results" in refused(meta)
    assert "nothing.pickle.pbz2" in refused(tmp_path / "nothing.pickle.pbz2")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_read_as_python_reads_them(protocol: int, tmp_path: Path) -> None:
    value = {
        "whole": [0, 255, 256, 65_535, 65_536, -1, 2**31, -(2**40)],
        "floats": (0.5, float("inf"), -1e300),
        "texts": ["", "ä" * 300, "8:8"],
        "others": {1: None, (1, "a"): True, "empty": ((), [], {}, OrderedDict())},
        "three": (1, 2, 3),
        "long": list(range(3000)),
    }
    path = tmp_path / "value.pickle"
    path.write_bytes(pickle.dumps(value, protocol))
    assert PlainPickle(str(path), "values").value() == value
    if protocol >= 4:
        scalars = {1, 2} and [np.float64(0.25), np.float32(0.5), np.int64(-7), np.bool_(True), {3, 4}]
        path.write_bytes(pickle.dumps([scalars, scalars[:2]], protocol))
        assert PlainPickle(str(path), "values").value() == [[0.25, 0.5, -7, True, {3, 4}], [0.25, 0.5]]


def test_memory_does_not_grow_with_the_number_of_architectures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "_BLOCK", 1 << 10)

    def peak(count: int) -> int:
        archs = [SPACE.describe(SPACE.of_index(index)) for index in range(count)]
        made = {index: architecture(index, archs[index], ("02",)) for index in range(count)}
        path = dump(tmp_path / f"{count}.pickle.pbz2", whole(made, archs))
        del made
        tracemalloc.start()
        try:
            keys = [index for index, _ in PlainPickle(str(path), "results").items("arch2infos")]
            assert keys == [*range(count), None]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(80) < peak(20) + (60 << 10)  # a kibibyte each, for names and indices; their results have ten
