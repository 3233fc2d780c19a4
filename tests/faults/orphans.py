"""SIGKILLs of the main process of `nasbench table build --devices cpu,cpu` at random moments: no worker may outlive it for 5 s.

    ORPHAN_KILLS=100 python tests/faults/orphans.py

Every process that the build starts inherits a variable of its environment, by which it is found in /proc. Ends with the counts, and
with code 1 where a process was left.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

MARK = "NASBENCH_ORPHAN_TEST"
ALLOWED_S = 5.0
FIRST_CHILD_S = 300.0  # within which the first build of all must have stored a child


@dataclass(frozen=True)
class Kill:
    """One kill.

    Args:
        after_seconds: how old the main process was.
        at_once: processes of it that were alive at the kill.
        gone_seconds: seconds until all had ended; at least `ALLOWED_S` where some had not.
        left: processes alive after `ALLOWED_S`, with their command lines.
    """

    after_seconds: float
    at_once: int
    gone_seconds: float
    left: tuple[str, ...]


def build(folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """Start the build of a table with two workers."""
    command = ["table", "build", "--space", "nasbench201", "--protocol", "digits201-2", "--devices", "cpu,cpu"]
    return subprocess.Popen(
        [sys.executable, "-m", "nasbench", *command, "-o", str(folder / "table.h5")],
        env=os.environ | {MARK: mark, "OMP_NUM_THREADS": "1", "NASBENCH_CONFIG": os.devnull},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def family(mark: str) -> dict[int, str]:
    """Processes with the mark in their environment, and their command lines; dead ones that wait for their parent have none."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except (OSError, ValueError):
            continue  # it has ended, or is another user's
    return found


def kill_after(seconds: float) -> Kill:
    """Start a build, kill its main process after some seconds, and look what is left of it."""
    mark = uuid4().hex
    with tempfile.TemporaryDirectory(prefix="nasbench-orphans-") as folder:
        process = build(Path(folder), mark)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        else:
            raise RuntimeError(f"the build ended by itself with code {process.returncode}")
        at_once = len(family(mark))
        process.kill()
        killed = time.monotonic()
        process.wait()
        left = family(mark)
        while left and time.monotonic() - killed < ALLOWED_S:
            time.sleep(0.02)
            left = family(mark)
        gone = time.monotonic() - killed
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    return Kill(seconds, at_once, gone, tuple(left.values()))


def seconds_to_first_child() -> float:
    """Seconds from the start of a build until its first child is in the journal."""
    mark = uuid4().hex
    with tempfile.TemporaryDirectory(prefix="nasbench-orphans-") as folder:
        began = time.monotonic()
        process = build(Path(folder), mark)
        try:
            journal = Path(folder) / "table.journal"
            while not (journal.exists() and b'"kind":"child"' in journal.read_bytes()):
                if process.poll() is not None or time.monotonic() - began > FIRST_CHILD_S:
                    raise RuntimeError("the build stored no child")
                time.sleep(0.05)
            return time.monotonic() - began
        finally:
            process.kill()
            process.wait()


def kills(number: int, seed: int = 0) -> Iterator[Kill]:
    """Kill so many builds, at moments from their start until some children are stored."""
    random_ = random.Random(seed)
    longest = 1.5 * seconds_to_first_child()
    for _ in range(number):
        yield kill_after(random_.uniform(0.0, longest))


def main() -> int:
    """Kill as many builds as ORPHAN_KILLS says; print each kill and the counts."""
    number = int(os.environ.get("ORPHAN_KILLS", "100"))
    done = []
    for kill in kills(number):
        done.append(kill)
        print(
            f"{len(done):4d}: killed after {kill.after_seconds:5.1f} s with {kill.at_once} processes, "
            f"all gone after {kill.gone_seconds:.2f} s; left: {', '.join(kill.left) or 'none'}",
            flush=True,
        )
    survivors = sum(len(kill.left) for kill in done)
    training = sum(kill.at_once > 1 for kill in done)
    slowest = max((kill.gone_seconds for kill in done), default=0.0)
    print(f"{number} kills, {training} of them with workers: {survivors} survivors, the slowest end {slowest:.2f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
