"""Reading and writing of safetensors files with one JSON document in their metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nasbench.errors import InputError, MissingData
from nasbench.store.files import sync_folder

MODEL: Final = "nasbench.model"
"""Key of the metadata that holds the description of a model."""

STATE: Final = "nasbench.training"
"""Key of the metadata that holds the description of an unfinished training."""


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

    Args:
        path: the file.
        content: its bytes.

    Raises:
        InputError: when the file cannot be written.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(fresh, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None


def make_folder(path: Path) -> None:
    """Make the folder of a file, before hours are spent on its content.

    Args:
        path: the file.

    Raises:
        InputError: when the folder cannot be made, or not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot write {str(path)!r}: its folder cannot be written")


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
        raise InputError(f"{str(path)!r} is no model file, or damaged: {' '.join(str(error).split())}") from None


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
    except OSError as error:  # e.g. a name that is too long
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
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


def _another_kind(path: Path, key: str) -> InputError:
    kind = "model file of nasbench" if key == MODEL else "unfinished training of nasbench"
    return InputError(f"{str(path)!r} is a safetensors file, but no {kind}")
