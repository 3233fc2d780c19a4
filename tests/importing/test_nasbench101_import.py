"""NAS-Bench-101's TFRecord is read to the bit, and every damage of it is named."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path

import pytest
from commands import nasbench
from tfrecords import crc32c as divided
from tfrecords import evaluation, framed, metrics, record, varint, write

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.tabular.importers.protobuf import double, fields
from nasbench.tabular.importers.tfrecord import crc32c, masked_crc32c, read_records

DIAMOND = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
OPERATIONS = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]
CHAIN = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def trained(validation: float, test: float, total: float = 110.5) -> bytes:
    evaluations = [
        evaluation(0.0, 0.0, 0.1, 0.1, 0.1),
        evaluation(54.0, 50.25, 0.9, 0.8, 0.7),
        evaluation(108.0, 100.25, 0.99, validation, test),
    ]
    return metrics(evaluations, 2_694_282, total)


def sample(path: Path) -> Path:
    chain = ["input", "conv1x1-bn-relu", "output"]
    return write(
        path,
        [
            record("aa", 108, DIAMOND, OPERATIONS, trained(0.91, 0.9)),
            record("aa", 108, DIAMOND, OPERATIONS, trained(0.92, 0.89)),
            record("bb", 108, CHAIN, chain, trained(0.8, 0.7)),
            record("aa", 4, DIAMOND, OPERATIONS, trained(0.5, 0.4)),
        ],
    )


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (bytes(32), 0x8A9136AA),  # RFC 3720, appendix B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
        (b"123456789", 0xE3069283),
    ],
)
def test_crc32c_is_the_standards(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert divided(data) == crc


def test_the_mask_is_a_rotation_and_a_sum() -> None:
    assert masked_crc32c(b"") == 0xA282EAD8
    assert framed(b"")[8:12] == masked_crc32c(bytes(8)).to_bytes(4, "little")


def test_rows_are_what_the_file_says(tmp_path: Path) -> None:
    done = nasbench("import", "nasbench101", str(sample(tmp_path / "small.tfrecord")), "-o", str(tmp_path / "out.h5"))
    assert (done.code, done.err) == (0, "")
    assert "8 children (4 search, 4 final) of 2 runs" in done.out
    assert check_file(tmp_path / "out.h5").sound
    with Results(tmp_path / "out.h5") as results:
        frame = results.frame(stage="search").set_index(["protocol", "index"])
        final = results.frame(stage="final").set_index(["protocol", "index"])
    long = frame.loc["nasbench101-108"]
    assert long["val_acc"].tolist() == [0.91, 0.92, 0.8]
    assert long["test_acc"].isna().all()
    assert final.loc["nasbench101-108", "test_acc"].tolist() == [0.9, 0.89, 0.7]
    assert long["seed"].tolist() == [0, 1, 0]
    assert long["duplicate"].tolist() == [False, True, False]
    assert frame["params"].tolist() == [2_694_282] * 4
    assert frame["train_seconds"].tolist() == [100.25] * 4
    assert frame["eval_seconds"].tolist() == [10.25] * 4
    assert frame.loc[("nasbench101-4", 0), "epochs"] == 4
    assert frame["val_loss"].isna().all()
    space = get_space("nasbench101")
    expected = space.from_matrix(DIAMOND, OPERATIONS)  # type: ignore[attr-defined]
    assert long["hash"].tolist()[:2] == [expected.hash] * 2
    assert len(set(long["hash"])) == 2
    assert re.search(r"missing: .*\bval_loss\b[^;]* of 4\b", done.out)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    data = sample(tmp_path / "small.tfrecord").read_bytes()
    path = tmp_path / "flipped.tfrecord"
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        with pytest.raises(InputError, match="record "):
            list(read_records(path))


def test_every_truncation_is_found(tmp_path: Path) -> None:
    data = sample(tmp_path / "small.tfrecord").read_bytes()
    ends = {0}
    for item in read_records(tmp_path / "small.tfrecord"):
        ends.add(max(ends) + len(item) + 16)
    path = tmp_path / "cut.tfrecord"
    for length in range(0, len(data), 13):
        path.write_bytes(data[:length])
        if length in ends:
            continue
        with pytest.raises(InputError, match="cut off"):
            list(read_records(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{}", "expected a JSON list"),
        (b"\xff", "record 0 is not one"),
        (record("a", 4, DIAMOND, OPERATIONS[:3], trained(0.5, 0.4)), "9 digits"),
        (record("a", 4, DIAMOND, ["input", "conv5x5", "maxpool3x3", "output"], trained(0.5, 0.4)), "conv5x5"),
        (record("a", 4, DIAMOND, OPERATIONS, metrics([], 1, 1.0)), "got 0"),
        (record("a", 4, DIAMOND, OPERATIONS, trained(0.5, 0.4)[:-3]), "ends within field 3"),
    ],
)
def test_a_record_that_is_none_is_named_and_nothing_written(tmp_path: Path, data: bytes, said: str) -> None:
    path = write(tmp_path / "odd.tfrecord", [data])
    done = nasbench("import", "nasbench101", str(path), "-o", str(tmp_path / "out.h5"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
    assert not list(tmp_path.glob("out*"))


def test_a_missing_or_empty_file_is_refused(tmp_path: Path) -> None:
    assert "none.tfrecord" in nasbench("import", "nasbench101", str(tmp_path / "none.tfrecord"), "-o", "x.h5").err
    empty = write(tmp_path / "empty.tfrecord", [])
    assert "no rows" in nasbench("import", "nasbench101", str(empty), "-o", str(tmp_path / "x.h5")).err


def test_protobuf_of_every_wire_type() -> None:
    message = varint(1 << 3) + varint(300) + varint(2 << 3 | 5) + b"abcd" + varint(3 << 3 | 2) + varint(2) + b"hi"
    assert list(fields(message)) == [(1, 300), (2, b"abcd"), (3, b"hi")]
    assert math.copysign(1, double(b"\0" * 7 + b"\x80")) == -1
    for broken in (b"\x08", b"\x0b", b"\x80" * 11, varint(1 << 3 | 1) + b"1234567"):
        with pytest.raises(InputError, match="not a protocol-buffer message"):
            list(fields(broken))
    with pytest.raises(InputError, match="8 bytes"):
        double(7)


def test_base64_with_line_breaks_is_read(tmp_path: Path) -> None:
    """The official file's generators wrote `base64.encodebytes`."""
    message = trained(0.91, 0.9)
    parts = json.loads(record("aa", 108, DIAMOND, OPERATIONS, message))
    wrapped = base64.encodebytes(message).decode("ascii")
    assert "\n" in wrapped[:-1]
    path = write(tmp_path / "wrapped.tfrecord", [json.dumps([*parts[:4], wrapped]).encode()] * 2)
    done = nasbench("import", "nasbench101", str(path), "-o", str(tmp_path / "out.h5"))
    assert (done.code, done.err) == (0, "")
    assert "2 trainings read, 2 stored: 2 ok\n" in done.out
    with Results(tmp_path / "out.h5") as results:
        assert results.frame(stage="final")["test_acc"].tolist() == [0.9, 0.9]
        run = results.runs().iloc[0]
    # Each training is a row with the validation score and one with the test score, and is charged once.
    hours = sum(run[f"{name}_hours"] for name in ("training", "evaluation", "failed", "final"))
    assert 3600 * hours == pytest.approx(2 * 110.5)


def test_base64_with_other_characters_is_refused(tmp_path: Path) -> None:
    parts = json.loads(record("aa", 108, DIAMOND, OPERATIONS, trained(0.91, 0.9)))
    path = write(tmp_path / "odd.tfrecord", [json.dumps([*parts[:4], parts[4] + "!"]).encode()])
    done = nasbench("import", "nasbench101", str(path), "-o", str(tmp_path / "out.h5"))
    assert (done.code, "record 0 is not one of NAS-Bench-101" in done.err) == (2, True)


def test_an_accuracy_above_1_names_the_record(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.tfrecord", [record("aa", 108, DIAMOND, OPERATIONS, trained(91.0, 0.9))])
    done = nasbench("import", "nasbench101", str(path), "-o", str(tmp_path / "out.h5"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{path}: record 0: val_acc is 91, not a fraction between 0 and 1" in done.err
