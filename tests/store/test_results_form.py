"""Each rule of the form by itself: one change of a sound file, checksums made anew, and the reason that is given."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile_files import _replace, _seal_manifest
from store_rows import write

from nasbench.store.errors import CorruptResults
from nasbench.store.format.chunks import _decompress, fletcher32
from nasbench.store.format.form import MAX_TEXT_BYTES
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results

ROWS = 12
Change = Callable[[Any, dict[str, Any], Path], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "x.h5"
    write(path, ROWS)
    return path


def changed(sound: Path, folder: Path, change: Change) -> Path:
    path = folder / "x.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "r+") as file:
        manifest = json.loads(file.attrs["manifest"])
        change(file, manifest, path)
        _seal_manifest(file, manifest)
    return path


def other(values: Any, column: str = "children/val_acc", **storage: Any) -> Change:
    return lambda file, manifest, path: _replace(file, manifest, column, values, **storage)


def soft_link(file: Any, manifest: dict[str, Any], path: Path) -> None:
    del file["children/val_acc"]
    file["children/val_acc"] = h5py.SoftLink("/children/train_acc")


def external_link(file: Any, manifest: dict[str, Any], path: Path) -> None:
    with h5py.File(path.with_name("o.hdf5"), "w") as elsewhere:
        elsewhere["v"] = file["children/val_acc"][()]
    del file["children/val_acc"]
    file["children/val_acc"] = h5py.ExternalLink(str(path.with_name("o.hdf5")), "v")


def external_storage(file: Any, manifest: dict[str, Any], path: Path) -> None:
    bytes_of = path.with_name("o.bin")
    bytes_of.write_bytes(file["children/val_acc"][()].tobytes())
    del file["children/val_acc"]
    file.create_dataset("children/val_acc", (ROWS,), "f8", external=[(str(bytes_of), 0, 8 * ROWS)])


def virtual(file: Any, manifest: dict[str, Any], path: Path) -> None:
    layout = h5py.VirtualLayout((ROWS,), "f8")
    layout[:] = h5py.VirtualSource(".", "children/train_acc", (ROWS,))
    del file["children/val_acc"]
    file.create_virtual_dataset("children/val_acc", layout)


def group(file: Any, manifest: dict[str, Any], path: Path) -> None:
    del file["children/val_acc"]
    file.create_group("children/val_acc")


def claims(rows: int) -> Change:
    def change(file: Any, manifest: dict[str, Any], path: Path) -> None:
        del file["children/val_acc"]
        file.create_dataset("children/val_acc", (rows,), "f8", chunks=(1024,), compression="gzip", fletcher32=True)

    return change


def grows(file: Any, manifest: dict[str, Any], path: Path) -> None:
    """A chunk of 96 bytes that decompresses to 64 MB."""
    del file["children/val_acc"]
    made = file.create_dataset("children/val_acc", (ROWS,), "f8", chunks=(ROWS,), compression="gzip", fletcher32=True)
    data = zlib.compress(bytes(1 << 26))
    made.id.write_direct_chunk((0,), data + fletcher32(data).to_bytes(4, "little"))


def in_manifest(**values: Any) -> Change:
    return lambda file, manifest, path: manifest.update(values)


def encoded(encoding: Any, path: str = "children/val_acc") -> Change:
    return lambda file, manifest, _: manifest["datasets"][path].update(encoding=encoding)


def read_everything(path: Path) -> None:
    with Results(path) as results:
        results.frame()
        results.all_curves()


NUMBERS = np.zeros(ROWS)
DEFLATED = {"chunks": (ROWS,), "compression": "gzip"}


@pytest.mark.sampled(13)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (soft_link, "is a soft link"),
        (external_link, "is a link to another file"),
        (external_storage, "its values are in another file"),
        (virtual, "it is virtual"),
        (group, "it is no dataset"),
        (other(NUMBERS.reshape(1, -1)), "not one dimension"),
        (other(np.zeros(())), "not one dimension"),
        (other(NUMBERS[:-1]), "it has 11 values where 12 are expected"),
        (other(np.zeros(ROWS, "f4")), "its values are of type <f4; allowed: <f8"),
        (other(np.zeros(ROWS, "i8")), "its values are of type <i8; allowed: <f8"),
        (other(np.zeros(ROWS, [("a", "i8")])), "it holds values of a compound type"),
        (other(np.array(["a"] * ROWS, h5py.string_dtype())), "it holds text"),
        (other(np.zeros(ROWS, "S4"), "children/hash", **DEFLATED), "it has the filters [1]; known:"),
        (other(NUMBERS, **DEFLATED), "it has the filters [1]; known:"),
        (other(NUMBERS, chunks=(ROWS,), compression="lzf"), "it has the filters [32000]"),
        (
            other(NUMBERS, chunks=(4096,), maxshape=(None,), compression="gzip", fletcher32=True),
            "its chunks have 4096 values",
        ),
        (claims(10**9), "bytes of values in 0 stored bytes"),
        (grows, "the chunk at 0"),
        (encoded("codes"), "its values are of type <f8; allowed: |u1"),
        (encoded("fixed"), "it holds floats, not text of fixed width"),
        (encoded("pickle"), "unknown encoding"),
        (encoded(5), "unknown encoding"),
        (other(np.full(ROWS, 200, "u1"), "children/strategy"), "the code 200, which stands for no category"),
        (other(np.full(ROWS, b"\xff\xfe"), "children/hash"), "a text is not UTF-8"),
        (other(np.full(ROWS, b"x" * (MAX_TEXT_BYTES + 1)), "children/hash"), "its texts have 1048577 bytes"),
        (other(np.arange(ROWS, -1, -1), "curves/offsets"), "it does not rise from 0"),
        (other(np.full(ROWS + 1, 2**62), "curves/offsets"), "it does not rise from 0"),
        (other(np.zeros(3), "curves/val_loss"), "it has 3 values where"),
        (in_manifest(children=-1), "'children' is no count"),
        (in_manifest(children=True), "'children' is no count"),
        (in_manifest(children="12"), "'children' is no count"),
        (in_manifest(children=10**9), "it claims 1000000000 rows of children in a file of"),
        (in_manifest(file=5), "'file' is no text"),
        (in_manifest(new=1), "it has the entries"),
        (in_manifest(datasets=[]), "'datasets' is missing or no JSON object"),
        (in_manifest(datasets={"children/val_acc": {"checksum": 1, "encoding": "numbers"}}), "has no checksum"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(
    sound: Path, tmp_path: Path, change: Change, why: str
) -> None:
    path = changed(sound, tmp_path, change)
    with pytest.raises(CorruptResults) as error:
        read_everything(path)
    assert why in str(error.value)
    assert "\n" not in str(error.value)
    assert any(why in finding.text for finding in check_file(path).findings)


@pytest.mark.parametrize("rows", [[3], [11, 0]])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other(np.full(ROWS, 200, "u1"), "children/strategy"), "stands for no category"),
        (other(np.full(ROWS, b"\xff\xfe"), "children/hash"), "a text is not UTF-8"),
        (external_link, "is a link to another file"),
    ],
)
def test_rows_that_are_read_in_part_are_checked_too(
    sound: Path, tmp_path: Path, change: Change, why: str, rows: list[int]
) -> None:
    with Results(changed(sound, tmp_path, change)) as results, pytest.raises(CorruptResults, match=why):
        results.frame(["strategy", "hash", "val_acc"], rows=rows)


def test_datasets_that_share_their_bytes_are_refused(sound: Path, tmp_path: Path) -> None:
    """Each of them claims no more than its bytes could hold, but all of them together claim more than the file has."""
    texts = np.frombuffer(os.urandom(ROWS * 4096), "S4096")
    texts = np.array([bytes(each).hex().encode()[:4000] for each in texts], "S4000")

    def change(file: Any, manifest: dict[str, Any], path: Path) -> None:
        _replace(file, manifest, "children/hash", texts)
        names = ("choices", "started_at", "finished_at", "error", "cached_from", "platform", "device")
        for name in names:
            entry = manifest["datasets"][f"children/{name}"]
            del file[f"children/{name}"]
            file[f"children/{name}"] = file["children/hash"]  # a second name of the same dataset
            entry.update(manifest["datasets"]["children/hash"])

    with (
        Results(changed(sound, tmp_path, change)) as results,
        pytest.raises(CorruptResults, match="stored bytes in a file"),
    ):
        results.frame()


def test_what_the_manifest_does_not_name_is_found(sound: Path, tmp_path: Path) -> None:
    def change(file: Any, manifest: dict[str, Any], path: Path) -> None:
        file["children/extra"] = np.zeros(3)
        file["more"] = h5py.ExternalLink("/etc/hostname", "x")

    said = [finding.text for finding in check_file(changed(sound, tmp_path, change)).findings]
    assert any("'children/extra' is no part of a results file (it is not in the manifest)" in text for text in said)
    assert any("'more' is no part of a results file ('more' is a link to another file)" in text for text in said)


def test_damage_is_named_for_every_path_that_a_manifest_can_have(sound: Path, tmp_path: Path) -> None:
    """Ends of categories, and paths that no schema has."""
    names = ("ends/categories/children/strategy", "ends/ends/x", "categories", "nowhere/at/all")

    def change(file: Any, manifest: dict[str, Any], path: Path) -> None:
        for name in names:
            manifest["datasets"][name] = {"checksum": "0" * 32, "encoding": "numbers"}

    said = [finding.text for finding in check_file(changed(sound, tmp_path, change)).findings]
    for name in names:
        assert any(f"dataset {name!r}" in text for text in said), name
    assert any("affected: column 'strategy' of 12 children" in text for text in said)


def test_the_checksum_of_chunks_is_hdf5s(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for length in (1, 2, 3, 7, 255, 4096, 65_535):
            data = rng.integers(0, 256, length).astype("u1")
            made = file.create_dataset(str(length), data=data, chunks=(length,), fletcher32=True)
            _, raw = made.id.read_direct_chunk((0,))
            assert fletcher32(bytes(raw[:-4])).to_bytes(4, "little") == bytes(raw[-4:])


def test_decompression_stops_behind_the_expected_size() -> None:
    bomb = zlib.compress(bytes(1 << 26))
    assert len(_decompress(bomb, 96)) == 97
    assert _decompress(zlib.compress(b"abc"), 3) == b"abc"
    with pytest.raises(ValueError, match="ends too early"):
        _decompress(zlib.compress(b"abcdefgh")[:-5], 8)


def test_texts_longer_than_the_widest_are_written_and_read(tmp_path: Path) -> None:
    from store_rows import child, run

    from nasbench.store.writer import ResultsWriter

    path, long = tmp_path / "x.h5", "x" * (MAX_TEXT_BYTES + 7)
    with ResultsWriter(path) as writer:
        writer.put_run(run(children=2))
        writer.append_child(*child(0, error=long))
        writer.append_child(*child(1))
    with Results(path) as results:
        assert results.children_of("run0")[0]["error"] == long
    assert check_file(path).sound
