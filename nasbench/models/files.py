"""Reading and writing of safetensors files with one JSON document in their metadata."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nasbench.errors import InputError, MissingData
from nasbench.outputs import open_new, require_output
from nasbench.processes import process_runs
from nasbench.store.files import remove_if_there, sync_folder

MODEL: Final = "nasbench.model"
"""Key of the metadata that holds the description of a model."""

STATE: Final = "nasbench.training"
"""Key of the metadata that holds the description of an unfinished training."""


START_ANEW: Final = "delete it to start anew, or choose another name with -o"
"""Advice for the state of a training that cannot be continued."""

LEFT_OVER_SECONDS: Final = 60


def write_document(path: Path, tensors: Mapping[str, Tensor], key: str, document: str) -> None:
    """Write a file beside its final name, and rename it. A crash leaves the old file or the new one.

    Args:
        path: the file; its folder is created if it is missing. A file of another kind is not replaced.
        tensors: the tensors, on any device.
        key: `MODEL` or `STATE`.
        document: the JSON document.

    Raises:
        InputError: when the path holds another kind of file, or cannot be written.
    """
    require_replaceable(path, key)
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, {key: document})
    write_beside(path, content)


def write_beside(path: Path, content: bytes) -> None:
    """Write bytes beside the final name, sync them to the disk, and rename.

    What killed processes left beside this name is removed. A link at either name is replaced, and not followed. Mode and
    owner of an earlier file are kept.

    Args:
        path: the file.
        content: its bytes.

    Raises:
        InputError: when an input of the command, a results file or a journal is there, or the file cannot be written.
    """
    _require_name(path)
    require_output(path)
    fresh = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left_over(path)
        remove_if_there(fresh)  # of a process of this number, or a link that somebody planted
        handle = open_new(fresh, path)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None


def remove_left_over(path: Path) -> None:
    """Remove what processes that were killed while they wrote a file left beside it.

    Only files of processes that do not run are removed, and not before they are a minute old: where several machines
    write into one folder, the process may run on another one.

    Args:
        path: the file.
    """
    name = re.compile(re.escape(path.name) + r"\.(\d{1,10})\.writing")
    with contextlib.suppress(OSError):  # a folder that cannot be listed: writing to it gives the error
        for entry in os.scandir(path.parent):
            found = name.fullmatch(entry.name)
            if found and not process_runs(int(found[1])) and time.time() - entry.stat().st_mtime > LEFT_OVER_SECONDS:
                os.unlink(entry.path)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.writing")


def make_folder(path: Path) -> None:
    """Make the folder of a file, and check that the file can be written, before hours are spent on its content.

    Args:
        path: the file; a file that is there stays as it is.

    Raises:
        InputError: when the folder cannot be made or written, or the name is too long.
    """
    _require_name(path)
    longest = path.with_name(f"{path.name}.{os.getpid():010}.writing")  # another process's number may have more digits
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        longest.unlink(missing_ok=True)
        longest.touch(exist_ok=False)  # a link that somebody planted is not followed
        longest.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep other processes from training into the same file.

    The lock is that of the system on PATH.lock, which is removed at the end; one that a killed process left holds
    nothing. On file systems without locks nothing is kept out.

    Args:
        path: the file.

    Yields:
        Nothing.

    Raises:
        InputError: when another process holds it, or the file beside it cannot be made.
    """
    beside = path.with_name(f"{path.name}.lock")
    while True:
        try:
            lock = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(f"{str(beside)!r} is a link, which is not followed; remove it") from None
            raise InputError(f"cannot write {str(beside)!r}: {error.strerror or error}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise InputError(
                f"another process trains into {str(path)!r} now; wait for it, or choose another name with -o"
            ) from None
        except OSError:
            break  # a file system without locks
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(beside)):
                break
        os.close(lock)  # the process that held it removed it meanwhile
    try:
        yield
    finally:
        beside.unlink(missing_ok=True)
        os.close(lock)


def read_document(path: Path, key: str) -> tuple[str, dict[str, Tensor]]:
    """Read a file. Nothing in it is run.

    Args:
        path: the file.
        key: `MODEL` or `STATE`.

    Returns:
        The JSON document, not checked, and the tensors on the CPU.

    Raises:
        MissingData: when there is no such file.
        InputError: when it is another kind of file, or damaged.
    """
    if not path.is_file():
        raise MissingData(f"no model file {str(path)!r}; nasbench train makes one")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            if key not in metadata:
                raise _another_kind(path, key)
            return metadata[key], {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        what, advice = ("model file", "") if key == MODEL else ("state of an unfinished training", f"; {START_ANEW}")
        raise InputError(f"{str(path)!r} is no {what}, or damaged: {' '.join(str(error).split())}{advice}") from None


def require_replaceable(path: Path, key: str) -> None:
    """Refuse a path that holds another kind of file, or a folder.

    Args:
        path: the file to write.
        key: `MODEL` or `STATE`.

    Raises:
        InputError: when the file there is of another kind.
    """
    try:
        if not path.exists() and not path.is_symlink():
            return
    except OSError as error:
        raise _unwritable(path, error) from None
    if not path.is_file():
        raise InputError(f"{str(path)!r} is not a file; choose another name with -o")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            if key in (file.metadata() or {}):
                return
    except (SafetensorError, OSError):
        pass  # not a safetensors file: refused below
    raise InputError(
        f"{str(path)!r} exists and is another kind of file, which is not replaced; choose another name with -o"
    )


def _require_name(path: Path) -> None:
    if str(path) == "-":
        raise InputError("'-' is standard output elsewhere, and here a file is written; choose a name with -o")


def _unwritable(path: Path, error: OSError) -> InputError:
    advice = "; choose a shorter one with -o" if error.errno == errno.ENAMETOOLONG else ""
    return InputError(f"cannot write {str(path)!r}: {error.strerror or error}{advice}")


def _another_kind(path: Path, key: str) -> InputError:
    kind = "model file of nasbench" if key == MODEL else f"unfinished training of nasbench; {START_ANEW}"
    return InputError(f"{str(path)!r} is a safetensors file, but no {kind}")
