"""What a disk may hold after a power cut: what was synced, and any part of what was not.

Harsher than file systems are: of the writes that no fsync followed any subset may be there, each torn at any sector, and likewise of the
creations, renames and removals that no fsync of the folder followed, in any combination.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from syscalls import Operation

SECTOR = 512


@dataclass
class _File:
    """The operations on one file, and how many of them are on the disk for sure."""

    operations: list[Operation] = field(default_factory=list)
    synced: int = 0


@dataclass
class Disk:
    """Files by number of their creation, and what was done to their names, up to one moment.

    Args:
        directory: inode of the folder, to tell its fsync from that of a file.
        files: in order of creation.
        names: operations on names: ("put", name, file), ("link", from, to), ("move", from, to) and ("drop", name).
        synced: how many of these are on the disk for sure.
        acknowledged: rows that the writer was told are kept.
    """

    directory: int
    files: list[_File] = field(default_factory=list)
    names: list[tuple[str, str, int | str]] = field(default_factory=list)
    synced: int = 0
    acknowledged: int = 0
    _by_inode: dict[int, int] = field(default_factory=dict)

    def start_with(self, name: str, data: bytes, inode: int) -> None:
        """A file that was there before, on the disk."""
        self._by_inode[inode] = len(self.files)
        self.files.append(_File([Operation("write", 0, "", 0, data)], synced=1))
        self.names.append(("put", name, 0))
        self.synced = 1

    def apply(self, operation: Operation) -> None:
        """Do one operation of the trace."""
        match operation.what:
            case "create":
                self._by_inode[operation.object] = len(self.files)
                self.names.append(("put", Path(operation.name).name, len(self.files)))
                self.files.append(_File())
            case "rename":
                self.names.append(("move", Path(operation.name).name, Path(operation.data.decode()).name))
            case "link":
                self.names.append(("link", Path(operation.name).name, Path(operation.data.decode()).name))
            case "unlink":
                self.names.append(("drop", Path(operation.name).name, ""))
            case "sync" if operation.object == self.directory:
                self.synced = len(self.names)
            case "sync":
                file = self.files[self._by_inode[operation.object]]
                file.synced = len(file.operations)
            case "acknowledge":
                self.acknowledged = operation.object
            case _:
                self.files[self._by_inode[operation.object]].operations.append(operation)

    def after_a_power_cut(self, rng: random.Random) -> dict[str, bytes]:
        """One of the states in which the folder may be found: name -> bytes."""
        share = rng.choice((0.0, 0.5, 0.9, 1.0))
        there: dict[str, int] = {}
        for number, (what, name, other) in enumerate(self.names):
            if number >= self.synced and rng.random() >= share:
                continue
            if what == "put":
                there[name] = int(other)
            elif what == "link" and name in there:
                there[str(other)] = there[name]
            elif name in there:
                file = there.pop(name)
                if what == "move":
                    there[str(other)] = file
        return {name: _bytes_of(self.files[file], rng, share) for name, file in there.items()}


def _bytes_of(file: _File, rng: random.Random, share: float) -> bytes:
    data = bytearray()
    for number, operation in enumerate(file.operations):
        synced = number < file.synced
        if not synced and rng.random() >= share:
            continue
        if operation.what == "truncate":
            del data[operation.place :]
            data.extend(bytes(max(0, operation.place - len(data))))
            continue
        whole = synced or rng.random() < 0.5
        for start, piece in _sectors(operation):
            if whole or rng.random() < 0.5:
                data.extend(bytes(max(0, start - len(data))))
                data[start : start + len(piece)] = piece
    return bytes(data)


def _sectors(operation: Operation) -> Sequence[tuple[int, bytes]]:
    """A write's parts between the borders of the disk's sectors: a power cut leaves each as it was or as it was to be."""
    place, end = operation.place, operation.place + len(operation.data)
    borders = [place, *range(place - place % SECTOR + SECTOR, end, SECTOR), end]
    return [(start, operation.data[start - place : stop - place]) for start, stop in pairwise(borders)]
