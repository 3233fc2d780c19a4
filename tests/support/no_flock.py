"""File systems that lack something, as this process or a started one sees them: flock, hard links, fsync of folders."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent


def take_flock_away(patch: pytest.MonkeyPatch, code: int = errno.ENOSYS) -> None:
    """Let flock fail in this process, and in those that it forks."""

    def none(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    patch.setattr(fcntl, "flock", none)


def take_links_away(patch: pytest.MonkeyPatch) -> None:
    """Let link(2) fail in this process, and in those that it forks, as on FAT."""

    def none(*_: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    patch.setattr(os, "link", none)


def built_library(folder: Path) -> Path:
    """Compile no_flock.c; skips the test where that cannot be done."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the preloaded library is for 64-bit Linux")
    if compiler is None:
        pytest.skip("no C compiler here to build the library that takes flock away")
    library = folder / "no_flock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _HERE / "no_flock.c"], check=True)
    return library


def environment(library: Path, code: int, log: Path, links: bool = True) -> dict[str, str]:
    """The environment of a process on such a file system: locks fail with `code`, fsync of folders with EINVAL.

    Args:
        library: from `built_library`.
        code: what locks fail with.
        log: gets a line for each lock that was asked for: the path of the file.
        links: whether there are hard links.
    """
    given = {"LD_PRELOAD": str(library), "NO_FLOCK_CODE": str(code), "NO_FLOCK_LOG": str(log), "OMP_NUM_THREADS": "1"}
    return os.environ | given | ({} if links else {"NO_FLOCK_LINK": "1"})
