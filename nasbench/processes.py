"""Whether a process of this machine runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_ENDED: Final = frozenset("ZXx")  # states in proc(5): a zombie, and dead


def process_runs(pid: int) -> bool:
    """Return whether a process of this machine runs.

    A process that was killed stays as a zombie until its parent asks for its end, in a container whose first process never
    does so for good. It does not run any more.

    Args:
        pid: number of the process.

    Returns:
        False if there is no such process, or it is a zombie; True for one of another user.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    fields = process_fields(pid)
    return not fields or fields[0] not in _ENDED


def process_fields(pid: int) -> list[str]:
    """Return the fields of proc(5) stat from the third one on, the state.

    Args:
        pid: number of the process.

    Returns:
        The fields; [] where the system does not say them.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    # Field 2, the command, is in parentheses and may itself contain blanks and parentheses.
    return stat.rpartition(")")[2].split()
