"""Open a file that a stranger may have put in place of a results file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from nasbench.store.errors import StoreError


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading, but no pipe, device or folder, which could block for ever or never end.

    Args:
        path: the file.

    Returns:
        The open file.

    Raises:
        OSError: when there is no such file or it cannot be opened.
        StoreError: when it is something else than a file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StoreError(f"{path} is a folder, pipe, device or socket, not a file; name a results file")
    return os.fdopen(handle, "rb")
