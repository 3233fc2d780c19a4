"""A worker under syscalls.c: which system calls it made, and what becomes of its results file when they fail."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

KINDS = {
    "o": "open",
    "r": "read",
    "w": "write",
    "s": "fsync",
    "t": "ftruncate",
    "n": "rename",
    "l": "link",
    "u": "unlink",
    "m": "mkdir",
    "k": "flock",
    "c": "close",
    "f": "stat",
}
_HERE = Path(__file__).parent


def built_library(folder: Path) -> Path:
    """Compile syscalls.c; skips the test where that cannot be done."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the preloaded library is for 64-bit Linux")
    if compiler is None:
        pytest.skip("no C compiler here to build the library that lets system calls fail")
    library = folder / "syscalls.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _HERE / "syscalls.c"], check=True)
    return library


class Worker:
    """A process that appends and packs under the library, forked anew for each order."""

    def __init__(self, library: Path) -> None:
        environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(_HERE), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, _HERE / "syscall_worker.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def work(self, folder: Path, nth: int = 0, code: int = 0, lasting: bool = False, trace: str = "") -> dict[str, Any]:
        """Append to and pack folder/x.h5, the nth system call failing (none for 0); what became of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"folder": str(folder), "nth": nth, "code": code, "lasting": lasting, "trace": trace}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "crashed" not in answer, f"{order}: {answer['crashed']}"
        return answer


@dataclass(frozen=True)
class Operation:
    """One line of a trace: what was done to which file (by number) or name."""

    what: str
    object: int
    name: str
    place: int
    data: bytes


def read_trace(path: Path) -> list[Operation]:
    """The operations in the order in which they were done."""
    data, at, operations = path.read_bytes(), 0, []
    while at < len(data):
        end = data.index(b"\n", at)
        what, number, name, place, size = data[at:end].decode().split(" ")
        at = end + 1 + int(size)
        operations.append(Operation(what, int(number), name, int(place), data[end + 1 : at]))
    return operations
