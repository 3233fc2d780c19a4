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
from nasbench.outputs import open_new, require_output
from nasbench.store.files import remove_if_there, sync_folder

CHECKPOINT, RECORD = "checkpoint.pt", "record.json"
_ENTRIES = {"version", "name", "size", "skeleton", "protocol", "seed"}  # of every record
_STATE = {"identity", "network", "average", "optimizer", "epochs", "sessions"}


def prepare_folder(folder: Path) -> None:
    """Make the folder of a training, and check before hours are spent that its files can be written.

    Args:
        folder: the folder, which is made if it is missing; what is above it may be a link, but not itself.

    Raises:
        InputError: when the folder is a link or no folder, something that is no record has the record's name, or nothing
            can be written there.
    """
    advice = "choose another folder with -o"
    if folder.is_symlink():
        raise InputError(f"{str(folder)!r} is a link, which is not followed; {advice}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (CHECKPOINT, RECORD):
            require_output(folder / name)
        require_output(folder / RECORD, _is_record, "record of a training")
        trial = folder / f"{RECORD}.writing"
        remove_if_there(trial)
        os.close(open_new(trial))
        trial.unlink()
    except OSError as error:
        raise InputError(f"cannot write into {str(folder)!r}: {error.strerror or error}; {advice}") from None


def _is_record(path: Path) -> bool:
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.keys() >= _ENTRIES


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint. A crash at any moment leaves either the old or the new file.

    Args:
        folder: an existing folder.
        state: the state, which `torch.save` writes; with the key "identity".

    Raises:
        InputError: when the file cannot be written; the old one stays.
    """
    _replace(folder / CHECKPOINT, lambda file: torch.save(state, file))


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Replace the record, record.json. A crash at any moment leaves either the old or the new file.

    Args:
        folder: an existing folder.
        record: JSON values.

    Raises:
        InputError: when the file cannot be written; the old one stays.
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
    if not isinstance(state, dict) or not state.keys() >= _STATE or not isinstance(state["identity"], dict):
        raise InputError(f"{str(path)!r} is no checkpoint of nasbench; choose another folder with -o")
    _require_same(path, state["identity"], identity)
    return state


def require_record_of(folder: Path, identity: dict[str, Any]) -> None:
    """Refuse a folder whose record is of another training, which would be lost.

    Args:
        folder: a folder that `prepare_folder` has checked.
        identity: entries of the record that identify the training, as JSON values; of an object only the entries that
            are given here are compared.

    Raises:
        InputError: when the record differs; the message names the differences.
    """
    path = folder / RECORD
    if path.exists():
        here = _flat(identity)
        there = _flat(json.loads(path.read_bytes()))
        _require_same(path, {key: there.get(key) for key in here}, here)


def _flat(entries: dict[str, Any]) -> dict[str, Any]:
    """Entries of a record, those of objects by the names of both: {"data": {"digest": 1}} is {"data digest": 1}."""
    flat: dict[str, Any] = {}
    for name, value in entries.items():
        flat |= {f"{name} {key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _require_same(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    if differs := sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key)):
        shown = ", ".join(f"{key} {there.get(key)!r} instead of {here.get(key)!r}" for key in differs[:3])
        raise InputError(f"{str(path)!r} belongs to another training: {shown}; choose another folder with -o")


def _replace(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    fresh = path.with_name(path.name + ".writing")
    try:
        remove_if_there(fresh)  # left by a kill, or a link that somebody planted
        with os.fdopen(open_new(fresh, path), "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    finally:
        fresh.unlink(missing_ok=True)
