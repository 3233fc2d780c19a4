"""Processes that checks start: how one ended, as text."""

from __future__ import annotations

import signal
import subprocess


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Describe how a process ended.

    Args:
        done: the process, with its standard error as text.

    Returns:
        Name of the signal or exit status, and the last line on standard error, if there is one.
    """
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit status {done.returncode}"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"{how}: {lines[-1][:200]}" if lines else how
