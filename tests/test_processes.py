"""Whether a process runs: a zombie does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasbench.processes import process_fields, process_runs
from nasbench.store.owner import Owner


def test_processes_that_run_and_that_never_did() -> None:
    assert process_runs(os.getpid())
    assert process_runs(1)  # perhaps of another user
    assert not process_runs(2**22 + 1)  # more than Linux gives
    assert not process_runs(10**12)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
def test_a_zombie_does_not_run_and_owns_no_file() -> None:
    """As after a kill in a container whose first process does not ask for the ends of its children."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = Owner(child.pid, os.uname().nodename, process_fields(child.pid)[19], "")
    assert process_runs(child.pid)
    assert owner.lives
    child.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process_fields(child.pid)[:1] != ["Z"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process_fields(child.pid)[0] == "Z"
    assert not process_runs(child.pid)
    assert owner.lives is False
    child.wait()
