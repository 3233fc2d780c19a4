"""Results files as a stranger could make them: sound checksums, and a form or content that no writer of ours produces."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from nasbench.store.format.chunks import Crc32, digest_of
from nasbench.store.format.hdf5 import checksum_of
from nasbench.store.format.manifest import checksum_of_text
from nasbench.store.journal import _seal

Change = Callable[[Any, dict[str, Any], random.Random, Path], None]
SECRET: Final = "a secret of another file"
DEEP: Final = "[" * 100_000


def make_hostile(path: Path, seed: int) -> str:
    """Change a sound file in one to three ways, and make all its checksums anew.

    Args:
        path: packed results file with a journal beside it; both may be changed.
        seed: decides the changes.

    Returns:
        The changes' names, for messages.
    """
    rng = random.Random(seed)
    if path.with_suffix(".journal").exists() and rng.random() < 0.35:
        return _hostile_journal(path.with_suffix(".journal"), rng)
    names = []
    with h5py.File(path, "r+") as file:
        manifest = json.loads(_text(file.attrs["manifest"]))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            change = rng.choice(CHANGES)
            try:
                change(file, manifest, rng, path)
                names.append(change.__name__.strip("_"))
            except (LookupError, ValueError, TypeError, AttributeError, OSError, RuntimeError) as error:
                # A second change may not be possible on what the first has left.
                names.append(f"{change.__name__.strip('_')} not possible ({type(error).__name__})")
        if "manifest" in file.attrs and not manifest.pop("left as it is", False):
            _seal_manifest(file, manifest)
    return f"seed {seed}: {', '.join(names)}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _seal_manifest(file: Any, manifest: Any) -> None:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    for name, value in (("manifest", text), ("manifest_checksum", checksum_of_text(text))):
        raw = value.encode(errors="surrogateescape")
        file.attrs.create(name, np.array(raw, dtype=h5py.string_dtype("utf-8", max(len(raw), 1))))


def _replace(file: Any, manifest: dict[str, Any], path: str, values: Any, **storage: Any) -> Any:
    """Put other values under a path, with checksums that fit."""
    del file[path]
    dataset = file.create_dataset(path, data=values, **storage)
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        manifest["datasets"][path]["checksum"] = checksum_of(values)
        crc = digest_of(values, Crc32).encode()
        dataset.attrs.create("crc32", np.array(crc, dtype=h5py.string_dtype("utf-8", len(crc))))
    return dataset


def _values(file: Any, name: str) -> Any:
    """Values of a dataset; one that an earlier change made to claim very many is left as it is."""
    if file[name].nbytes > 1 << 26:
        raise ValueError(f"{name} claims {file[name].nbytes} bytes")
    return file[name][()]


def _any_path(manifest: dict[str, Any], rng: random.Random) -> str:
    return rng.choice(sorted(manifest["datasets"]))


def _of_encoding(manifest: dict[str, Any], rng: random.Random, *encodings: str) -> str:
    return rng.choice(sorted(path for path, entry in manifest["datasets"].items() if entry["encoding"] in encodings))


def _external_storage(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    other = path.with_name("secret.bin")
    other.write_bytes((SECRET * 100).encode())
    name = _of_encoding(manifest, rng, "fixed", "numbers", "codes")
    old = file[name]
    shape, dtype = old.shape, old.dtype
    del file[name]
    file.create_dataset(name, shape, dtype, external=[(str(other), 0, h5py.h5f.UNLIMITED)])
    manifest["datasets"][name]["checksum"] = checksum_of(_values(file, name))


def _soft_link(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    del file[name]
    file[name] = h5py.SoftLink(rng.choice(["/children/hash", "/nowhere", "/", name]))


def _external_link(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    other = path.with_name("other.hdf5")
    name = _any_path(manifest, rng)
    values = _values(file, name)
    with h5py.File(other, "w") as elsewhere:
        elsewhere["values"] = values
    del file[name]
    file[name] = h5py.ExternalLink(str(other), "values")


def _external_group(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    other = path.with_name("group.hdf5")
    with h5py.File(other, "w") as elsewhere:
        for name in file["children"]:
            elsewhere[f"children/{name}"] = _values(file, f"children/{name}")
    del file["children"]
    file["children"] = h5py.ExternalLink(str(other), "children")


def _virtual(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    old = file[name]
    layout = h5py.VirtualLayout(shape=old.shape, dtype=old.dtype)
    layout[:] = h5py.VirtualSource(str(path.with_name("other.hdf5")), "values", shape=old.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def _other_type(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    rows = len(file[name])
    kind = rng.choice(
        ["f4", "i1", ">i8", "c16", "S3", "u8", "V4", "compound", "vlen", "reference", "bool", "array", "enum"]
    )
    if kind == "compound":
        values: Any = np.zeros(rows, dtype=[("a", "i8"), ("b", "S4")])
    elif kind == "vlen":
        values = np.array(["text"] * rows, dtype=h5py.string_dtype())
    elif kind == "reference":
        values = np.array([file.ref] * rows, dtype=h5py.ref_dtype)
    elif kind == "array":
        values = np.zeros(rows, dtype=[("a", "i8", (3,))])["a"]
    elif kind == "enum":
        values = np.zeros(rows, dtype=h5py.enum_dtype({"a": 0, "b": 1}, basetype="u1"))
    else:
        values = np.zeros(rows, dtype=kind)
    _replace(file, manifest, name, values)


def _other_length(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    old = _values(file, name)
    length = rng.choice([0, 1, max(0, len(old) - 1), len(old) + 1, 10 * len(old) + 3])
    _replace(file, manifest, name, np.resize(old, length) if length and len(old) else old[:0])


def _other_shape(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    old = _values(file, name)
    shaped = rng.choice([old[:1].reshape(1, 1), old.reshape(-1, 1), old.reshape(1, -1), np.zeros((), old.dtype)])
    _replace(file, manifest, name, shaped)


def _empty_space(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    del file[name]
    file[name] = h5py.Empty("f8")


def _group_instead(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = rng.choice([_any_path(manifest, rng), "children", "curves", "categories/runs"])
    del file[name]
    if rng.random() < 0.7:
        file.create_group(name)
    else:
        file[name] = np.zeros(3)


def _claims_much(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    dtype = rng.choice(["i8", "f8", "u1", "S1000"])
    rows = rng.choice([10**6, 10**9, 2**40])
    del file[name]
    file.create_dataset(name, (rows,), dtype, chunks=(min(rows, 2**16),), compression="gzip", fletcher32=True)


def _bomb(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    rows = rng.choice([1 << 20, 1 << 24, 1 << 25])
    values = np.zeros(rows, dtype=rng.choice(["u1", "f8"]))
    _replace(file, manifest, name, values, chunks=(len(values),), compression="gzip", fletcher32=rng.random() < 0.5)
    if rng.random() < 0.5:
        for table in ("children", "runs"):
            manifest[table] = rows


def _bomb_of_text(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _of_encoding(manifest, rng, "fixed")
    values = np.full(len(file[name]), b"x" * rng.choice([100_000, 1_000_000, 2_000_000]))
    storage = {"chunks": (1,), "compression": "gzip", "fletcher32": True} if len(values) else {}
    _replace(file, manifest, name, values, **storage)


def _chunk_grows(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    """One chunk that decompresses to far more than the dataset has."""
    import zlib

    name = _of_encoding(manifest, rng, "numbers")
    rows = len(file[name])
    dtype = file[name].dtype
    del file[name]
    dataset = file.create_dataset(name, (rows,), dtype, chunks=(max(rows, 1),), compression="gzip", fletcher32=True)
    dataset.id.write_direct_chunk((0,), zlib.compress(b"\0" * (1 << 27)) + b"\0" * 4)


def _other_filter(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    values = _values(file, name)
    _replace(file, manifest, name, values, chunks=(max(1, len(values)),), compression="lzf")


def _strange_text(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _of_encoding(manifest, rng, "fixed")
    text = rng.choice(
        [
            b"\xff\xfe",
            b"\xed\xa0\x80",
            b"\x1b[31m",
            b"[" * 5000,
            b"{}",
            b'{"a":' * 2000,
            b"[1,2",
            b"null",
            b"-1",
            b"nan",
            b'{"options": 5, "set": [], "devices": "x"}',
            b"[1e400, -5, 99999999999999999999]",
            b"=cmd()",
            b"$\\bad{",
        ]
    )
    _replace(file, manifest, name, np.full(len(file[name]), text))


def _strange_config(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = f"runs/{rng.choice(['config', 'provenance', 'budget', 'status', 'strategy', 'space', 'started_at'])}"
    name = f"categories/{name}" if f"categories/{name}" in manifest["datasets"] else name
    text = rng.choice(
        [
            b"5",
            b"null",
            b"[]",
            b'"x"',
            b"{",
            b'{"a":' * 50000,
            b'{"options": 5}',
            b'{"set": 7}',
            b'{"draw": {}}',
            b"[" * 90000,
            b'{"energy": 3}',
            b'{"command": {}}',
            b'{"protocol": 5, "devices": 3, "stream": []}',
            b"nasnet:blocks=99999999",
        ]
    )
    _replace(file, manifest, name, np.full(len(file[name]), text))


def _strange_numbers(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _of_encoding(manifest, rng, "numbers")
    old = _values(file, name)
    if old.dtype.kind == "f":
        values = np.full(len(old), rng.choice([np.nan, np.inf, -np.inf, -1.0, 1e308, 1.7, 0.0]))
    elif old.dtype.kind == "i":
        values = np.full(len(old), rng.choice([-1, -(2**63), 2**63 - 1, 0, 2**40]), dtype=old.dtype)
    else:
        values = ~old
    _replace(file, manifest, name, values)


def _strange_offsets(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    old = _values(file, "curves/offsets")
    values = rng.choice([old[::-1].copy(), old * 1000, old - 5, np.zeros_like(old), np.full_like(old, 2**62), old + 1])
    _replace(file, manifest, "curves/offsets", values)


def _codes_out_of_range(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _of_encoding(manifest, rng, "codes")
    dtype = rng.choice(["u1", "u2", "u4", "u8", "i1", "i8"])
    value = -1 if dtype[0] == "i" else min(np.iinfo(dtype).max, rng.choice([7, 255, 2**31, 2**63]))
    _replace(file, manifest, name, np.full(len(file[name]), value, dtype=dtype))


def _other_encoding(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    manifest["datasets"][name]["encoding"] = rng.choice(
        ["numbers", "codes", "fixed", "fixed escaped", "bytes", "bytes escaped", "pickle", "", 5, None, []]
    )


def _bytes_and_ends(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _of_encoding(manifest, rng, "fixed")
    rows = len(file[name])
    texts = [rng.choice([b"abc", b"\xff", b"\\", b'"', b"\\ud800", b""]) for _ in range(rows)]
    ends = np.cumsum([len(text) for text in texts], dtype="<i8") if rows else np.zeros(0, "<i8")
    ends = rng.choice([ends, ends[::-1].copy(), ends + 5, ends * 0, ends - 1, ends.astype("<i4")])
    _replace(file, manifest, name, np.frombuffer(b"".join(texts), dtype=np.uint8))
    manifest["datasets"][name]["encoding"] = rng.choice(["bytes", "bytes escaped"])
    file[f"ends/{name}"] = ends
    manifest["datasets"][f"ends/{name}"] = {"checksum": checksum_of(ends), "encoding": "numbers"}


def _stray(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = rng.choice(["extra", "children/extra", "children/../x", "curves/" + "x" * 300])
    file[name] = np.zeros(5)
    if rng.random() < 0.5:
        manifest["datasets"][name] = {"checksum": checksum_of(np.zeros(5)), "encoding": "numbers"}


def _missing(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = _any_path(manifest, rng)
    if rng.random() < 0.5:
        del file[name]
    if rng.random() < 0.5:
        del manifest["datasets"][name]


def _manifest_values(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    field = rng.choice(["schema", "file", "last_sequence", "children", "runs", "measurements", "datasets", "new"])
    manifest[field] = rng.choice([None, -1, 2**70, 10**6, 10**12, 0, "text", [], {}, 1.5, True, {"a": 1}, {"a": {}}])


def _manifest_text(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    text = rng.choice(
        ["", "5", "null", "[]", "{}", DEEP, '{"schema":' * 50_000, "{" * 9, '{"schema": 4}', "\x00", "9" * 5000]
    )
    if len(text) > 60_000:
        file.create_dataset("manifest_is_long", data=np.zeros(1))
    _seal_manifest(file, text)
    manifest["left as it is"] = True


def _attributes(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    name = rng.choice(["format", "schema_version", "manifest", "manifest_checksum", "about"])
    value = rng.choice(
        [0, -1, 2**40, 1.5, np.zeros(3), np.zeros((0,)), "x", h5py.Empty("f8"), np.array([b"a", b"b"]), None]
    )
    del file.attrs[name]
    if value is not None:
        file.attrs[name] = value
    else:
        file.attrs.create(name, file.ref, dtype=h5py.ref_dtype)
    if name.startswith("manifest"):
        manifest["left as it is"] = True


def _dataset_attributes(file: Any, manifest: dict[str, Any], rng: random.Random, path: Path) -> None:
    owner = file[_any_path(manifest, rng)]
    name = rng.choice(["crc32", "checksum", "categories", "ends", "escaped", "unit"])
    owner.attrs[name] = rng.choice([5, "x", np.zeros(3), h5py.Empty("f8"), "/nowhere", b"\xff\xff"])


CHANGES: Final[tuple[Change, ...]] = (
    _external_storage,
    _soft_link,
    _external_link,
    _external_group,
    _virtual,
    _other_type,
    _other_type,
    _other_length,
    _other_shape,
    _empty_space,
    _group_instead,
    _claims_much,
    _bomb,
    _bomb_of_text,
    _chunk_grows,
    _other_filter,
    _strange_text,
    _strange_text,
    _strange_config,
    _strange_config,
    _strange_numbers,
    _strange_offsets,
    _codes_out_of_range,
    _other_encoding,
    _bytes_and_ends,
    _stray,
    _missing,
    _manifest_values,
    _manifest_values,
    _manifest_text,
    _attributes,
    _dataset_attributes,
)

ODD: Final = (None, -1, 2**70, 1.5, "text", "nan", [], {}, True, [1], {"a": 1}, "\ud800", "9" * 5000, "\x1b[31m")


def _hostile_journal(path: Path, rng: random.Random) -> str:
    """Change the records of a journal, and seal each line anew."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    lines = [{name: value for name, value in line.items() if name != "blake2b"} for line in lines]
    place = rng.choice([0, 1, *range(2, len(lines)), *range(2, len(lines))])
    line, what = lines[place], rng.choice(["field", "row", "curve", "text", "missing", "twice", "many"])
    sealed = None
    if what == "field":
        line[rng.choice([*line, "kind", "sequence", "children", "measurements"])] = rng.choice(ODD)
    elif what == "row" and isinstance(line.get("row"), dict):
        line["row"][rng.choice([*line["row"], "new"])] = rng.choice(ODD)
    elif what == "curve" and isinstance(line.get("curves"), dict):
        line["curves"][rng.choice(["val_acc", "seconds", "new"])] = rng.choice(
            [*ODD, [None], ["x"], [[1.0]], [2**70], [True]]
        )
    elif what == "text":
        text = rng.choice(['","a":' + DEEP, '","a":' + "9" * 5000 + "}", '",5]', '"', '","a":1,"a":2}'])
        sealed = _sealed_text(text)
    elif what == "missing" and line:
        del line[rng.choice(sorted(line))]
    elif what == "twice":
        lines.insert(place, dict(line))
    else:
        kind = rng.choice(["children", "measurements"])
        lines.append(
            {
                "sequence": rng.choice(ODD),
                "kind": kind,
                kind: rng.choice([*ODD, [{}], [{"row": {}}], [{"row": 5, "curves": 5}]]),
            }
        )
    texts = [_sealed_line(each) for each in lines]
    if sealed is not None:
        texts[place] = sealed
    path.write_bytes(b"".join(texts))
    return f"journal, line {place + 1}: {what}"


def _sealed_line(content: dict[str, Any]) -> bytes:
    return _seal(content)


def _sealed_text(body: str) -> bytes:
    from nasbench.store.journal import _OPENING, _digest

    return _OPENING + _digest(body.encode()) + body.encode() + b"\n"
