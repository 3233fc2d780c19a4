"""The two files of a training: a checkpoint to resume from, and a readable record; each is replaced atomically."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from nasbench.errors import InputError
from nasbench.outputs import open_new
from nasbench.store.files import remove_if_there, sync_folder

CHECKPOINT, RECORD = "checkpoint.pt", "record.json"


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint. A crash at any moment leaves either the old or the new file.

    Args:
        folder: an existing folder.
        state: the state, which `torch.save` writes; with the key "identity".

    Raises:
        OSError: when the file cannot be written.
    """
    _replace(folder / CHECKPOINT, lambda file: torch.save(state, file))


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Replace the record, record.json. A crash at any moment leaves either the old or the new file.

    Args:
        folder: an existing folder.
        record: JSON values.

    Raises:
        OSError: when the file cannot be written.
    """
    text = json.dumps(record, indent=1, allow_nan=True) + "\n"
    _replace(folder / RECORD, lambda file: file.write(text.encode()))


def read_checkpoint(folder: Path, identity: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
    """Read the state to resume from.

    Args:
        folder: folder of the checkpoint.
        identity: JSON values that identify the training; the checkpoint must have the same.
        device: device for the state's tensors.

    Returns:
        The state; None if the folder has no checkpoint.

    Raises:
        InputError: when the file cannot be read, or belongs to another training; the message names the differences.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise InputError(f"cannot read {str(path)!r} ({type(error).__name__}); delete it to start again") from None
    there = state["identity"]
    if differs := sorted(key for key in identity.keys() | there.keys() if identity.get(key) != there.get(key)):
        shown = ", ".join(f"{key} {there.get(key)!r} instead of {identity.get(key)!r}" for key in differs[:3])
        raise InputError(f"{str(path)!r} belongs to another training: {shown}; choose another folder with -o")
    return state


def _replace(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    fresh = path.with_name(path.name + ".writing")
    remove_if_there(fresh)  # left by a kill, or a link that somebody planted
    with os.fdopen(open_new(fresh, path), "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    sync_folder(path.parent)
