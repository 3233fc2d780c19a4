"""Files of surrogates: HDF5 of plain arrays and a description, digested, and checked before a value is used.

Layout:

    /                       attributes: format, schema_version, about (JSON), digest (BLAKE2b of about and all arrays)
    /score/<array>          base, roots, feature, threshold, left, value: see `trees.Ensemble`
    /log_seconds/<array>    likewise
    /noise/<array>          places, spreads, quantiles: see `noise.Noise`
    /residual/<array>       likewise

Nothing in a file is code. A file may come from anybody: only these datasets are read, and only if they are plain arrays
in the file itself, of the stated types, and of a size that the file can hold.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nasbench.errors import InputError, printable
from nasbench.outputs import replace_file
from nasbench.store.errors import StoreError
from nasbench.store.format.hdf5 import SURROGATE
from nasbench.store.format.opening import open_plain
from nasbench.tabular.surrogates.about import About
from nasbench.tabular.surrogates.model import Surrogate
from nasbench.tabular.surrogates.noise import Noise
from nasbench.tabular.surrogates.trees import Ensemble

FORMAT: Final = SURROGATE
SCHEMA_VERSION: Final = 1
LARGEST: Final = 500_000_000  # bytes of a file
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_MOST_TEXT: Final = 4_000_000
_MOST_RATIO: Final = 1100  # of values to stored bytes; zlib's is 1032
_TREES: Final = {"base": "<f8", "roots": "<i4", "feature": "<i4", "threshold": "<f8", "left": "<i4", "value": "<f8"}
_NOISE: Final = {"places": "<f8", "spreads": "<f8", "quantiles": "<f8"}
ARRAYS: Final = {
    f"{group}/{name}": kind
    for group, kinds in (("score", _TREES), ("log_seconds", _TREES), ("noise", _NOISE), ("residual", _NOISE))
    for name, kind in kinds.items()
}
"""Path of each dataset -> its type; all have one dimension."""


def is_surrogate(path: str | Path) -> bool:
    """Return whether a file says that it is a surrogate. Its other content is not read.

    Args:
        path: a file.

    Returns:
        False also for what cannot be read.
    """
    try:
        with open_plain(Path(path)) as handle:
            if handle.read(len(_SIGNATURE)) != _SIGNATURE:
                return False
            with h5py.File(handle, "r") as file:
                return _text(file, "format") == FORMAT
    except (OSError, StoreError, ValueError, KeyError, RuntimeError, TypeError):
        return False


def write_surrogate(surrogate: Surrogate, path: str | Path) -> None:
    """Write a surrogate to a new file.

    Args:
        surrogate: the surrogate.
        path: the file, ending in .h5.

    Raises:
        InputError: when something is there, or the file cannot be written.
    """
    require_new(path)
    replace_file(path, surrogate_bytes(surrogate))


def require_new(path: str | Path) -> None:
    """Refuse the name of a surrogate before it is fitted.

    Args:
        path: the file.

    Raises:
        InputError: when the name does not end in .h5, or something is there.
    """
    if Path(path).suffix != ".h5":
        raise InputError(f"cannot write {os.fspath(path)!r}; the name of a surrogate must end in .h5")
    if os.path.lexists(path):
        raise InputError(f"{os.fspath(path)} is there already, and a surrogate replaces no file; choose another name")


def surrogate_bytes(surrogate: Surrogate) -> bytes:
    """Pack a surrogate.

    Args:
        surrogate: the surrogate.

    Returns:
        Content of its file.
    """
    about = surrogate.about.model_dump_json()
    arrays = _arrays(surrogate)
    whole = io.BytesIO()
    with h5py.File(whole, "w", libver=("v110", "v110")) as file:
        file.attrs["format"] = FORMAT
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["digest"] = digest_of(about, arrays)
        # a dataset and no attribute, which HDF5 limits to 64 kB
        file.create_dataset("about", data=np.frombuffer(about.encode(), dtype=np.uint8))
        for name, values in arrays.items():
            packed = {"compression": "gzip", "shuffle": True, "fletcher32": True} if len(values) > 100 else {}
            file.create_dataset(name, data=values, **packed)
    return whole.getvalue()


def _arrays(surrogate: Surrogate) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for path, kind in ARRAYS.items():
        group, name = path.split("/")
        found[path] = np.atleast_1d(np.asarray(getattr(getattr(surrogate, group), name))).astype(kind)
    return found


def digest_of(about: str, arrays: dict[str, NDArray[Any]]) -> str:
    """Compute the digest of a file's content.

    Args:
        about: the description, JSON.
        arrays: path -> array, all of `ARRAYS`.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(about.encode(), digest_size=16)
    for path in ARRAYS:
        digest.update(f"|{path}|{len(arrays[path])}|".encode())
        digest.update(np.ascontiguousarray(arrays[path]).tobytes())
    return digest.hexdigest()


def read_surrogate(path: str | Path) -> Surrogate:
    """Read a surrogate.

    Args:
        path: the file.

    Returns:
        The surrogate, every number of it checked.

    Raises:
        InputError: when there is no such file, or it is no surrogate, newer than this version, or damaged.
    """
    where = os.fspath(path)
    try:
        with open_plain(Path(path)) as handle:
            size = os.fstat(handle.fileno()).st_size
            if size > LARGEST:
                raise InputError(f"{where} has {size:,} bytes; a surrogate has at most {LARGEST:,}")
            if handle.read(len(_SIGNATURE)) != _SIGNATURE:
                raise InputError(f"{where} is no surrogate: it is no HDF5 file; nasbench surrogate fit makes one")
            with h5py.File(handle, "r") as file:
                return _read(file, size, where)
    except (InputError, StoreError):
        raise
    except FileNotFoundError:
        raise InputError(f"there is no surrogate {where!r}; nasbench surrogate fit makes one") from None
    except RecursionError:
        raise _damaged(where, "its description is nested too deeply") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(where, f"{'.'.join(map(str, first['loc'])) or 'description'}: {first['msg']}") from None
    except Exception as error:  # HDF5 reports damage by whatever error is nearest
        raise _damaged(where, error) from None


def _read(file: Any, size: int, where: str) -> Surrogate:
    if _text(file, "format") != FORMAT:
        raise InputError(f"{where} is an HDF5 file, but no surrogate; nasbench surrogate fit makes one")
    version = file.attrs["schema_version"]
    if not isinstance(version, np.integer):
        raise ValueError("its schema version is no number")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{where} is a surrogate of schema {version}; this version reads {SCHEMA_VERSION}: update nasbench"
        )
    if version != SCHEMA_VERSION:
        raise ValueError(f"there is no schema {version}")
    strangers = sorted(set(file) - {"about", *(name.split("/")[0] for name in ARRAYS)})
    if strangers:
        raise ValueError(f"it has {strangers[0]!r}, which no surrogate has")
    stored = _array(file, "about", "|u1", size)
    if len(stored) > _MOST_TEXT:
        raise ValueError("its description is too long")
    about = stored.tobytes().decode()
    arrays = {name: _array(file, name, kind, size) for name, kind in ARRAYS.items()}
    if digest_of(about, arrays) != _text(file, "digest"):
        raise ValueError("its digest does not fit its content")
    parts: dict[str, Any] = {"about": About.model_validate_json(about)}
    for group in ("score", "log_seconds"):
        values = {name: arrays[f"{group}/{name}"] for name in _TREES}
        if len(values["base"]) != 1:
            raise ValueError(f"{group} has {len(values['base'])} values of base")
        base = float(values.pop("base")[0])
        parts[group] = Ensemble(base, **values)
    for group in ("noise", "residual"):
        parts[group] = Noise(**{name: arrays[f"{group}/{name}"] for name in _NOISE})
    return Surrogate(**parts)


def _array(file: Any, path: str, kind: str, size: int) -> NDArray[Any]:
    """Read one dataset, if it is a plain array of the file itself, of the type and of a size that the file can hold."""
    place: Any = file
    for step in path.split("/"):
        if not isinstance(place, h5py.Group) or not isinstance(place.get(step, getlink=True), h5py.HardLink):
            raise ValueError(f"{path!r} is missing, or a link to elsewhere")
        place = place[step]
    if not isinstance(place, h5py.Dataset) or place.is_virtual or place.external or place.ndim != 1:
        raise ValueError(f"{path!r} is no plain array of one dimension")
    if place.dtype.str != kind:
        raise ValueError(f"{path!r} has the type {place.dtype.str}, not {kind}")
    filters = place.id.get_create_plist()
    known = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
    if any(filters.get_filter(number)[0] not in known for number in range(filters.get_nfilters())):
        raise ValueError(f"{path!r} has a filter that no surrogate has")
    if place.size * place.dtype.itemsize > _MOST_RATIO * size:
        raise ValueError(f"{path!r} claims {place.size} values in a file of {size} bytes")
    values: NDArray[Any] = place[()]
    return values


def _text(file: Any, name: str) -> str:
    value = file.attrs.get(name)
    return value[:1000] if isinstance(value, str) else ""


def _damaged(where: str, reason: object) -> InputError:
    said = printable(" ".join(str(reason).split()))[:200] or type(reason).__name__
    return InputError(f"{where} is no surrogate, or is damaged: {said}; restore it, or fit it again")
