"""Started processes that report to a check: how one ended, in words."""

from __future__ import annotations

import signal
import subprocess


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Say how a process ended: its signal or exit status, and the last line that it wrote on standard error."""
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit status {done.returncode}"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"{how}: {lines[-1][:200]}" if lines else how
