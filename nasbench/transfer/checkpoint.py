"""Files of a training: a checkpoint to resume from and a record for people, each replaced atomically."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from nasbench.errors import InputError
from nasbench.store.files import sync_folder

CHECKPOINT, RECORD = "checkpoint.pt", "record.json"


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint; a crash at any moment leaves the old one or the new one."""
    _replace(folder / CHECKPOINT, lambda file: torch.save(state, file))


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Replace the record, JSON; a crash at any moment leaves the old one or the new one."""
    text = json.dumps(record, indent=1, allow_nan=True) + "\n"
    _replace(folder / RECORD, lambda file: file.write(text.encode()))


def read_checkpoint(folder: Path, identity: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
    """The state to go on from; None when nothing was trained here.

    Args:
        folder: folder of the checkpoint.
        identity: identity of the training; the checkpoint must have the same.
        device: device for its tensors.

    Raises:
        InputError: when the file cannot be read, or is of another training: names what differs.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise InputError(f"cannot read {str(path)!r} ({type(error).__name__}); remove it to start anew") from None
    there = state["identity"]
    if differs := sorted(key for key in identity.keys() | there.keys() if identity.get(key) != there.get(key)):
        shown = ", ".join(f"{key} {there.get(key)!r} instead of {identity.get(key)!r}" for key in differs[:3])
        raise InputError(f"{str(path)!r} is of another training: {shown}; choose another folder with -o")
    return state


def _replace(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    fresh = path.with_name(path.name + ".writing")
    with open(fresh, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    sync_folder(path.parent)
