"""Self-test of the processor's kernels: do the layers crash, compute wrong values, or other bits the second time?

Cases run in a child process whose C library checks the ends of all memory blocks and fills new ones with large numbers,
so that kernels which write past a buffer or read what nobody wrote are seen. A crash is a fault with a name, and the
test goes on with the next case.

    from nasbench.kernel_tests.self_test import quick_self_test
    report = quick_self_test(seconds=5)   # report.faults, report.tried, report.summary

`python -m nasbench.kernel_tests.sweep` (`make test-kernels`) is the long form.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.kernel_tests.case_process import ISAS, WORKER, CaseProcess, Fault
from nasbench.kernel_tests.cases import Case, quick_cases

__all__ = ["ISAS", "Case", "Fault", "Report", "quick_self_test", "self_test"]

BATCH: Final = 40  # cases that one forked child runs


@dataclass
class Report:
    """What a self-test tried and found.

    Args:
        isa: what was asked for, a key of `ISAS` or "".
        faults: all that was found.
        tried: cases that were run.
        distance: largest distance from the definition among float32 cases without fault.
        seconds: wall time.
        hello: what the worker said of itself: versions of "torch" and "onednn", "isa" in oneDNN's words, "capability"
        in torch's, and
            "checked", whether the C library's allocator checks for overruns there.
    """

    isa: str
    faults: list[Fault] = field(default_factory=list)
    tried: int = 0
    distance: float = 0.0
    seconds: float = 0.0
    hello: dict[str, Any] = field(default_factory=dict)

    @property
    def checked(self) -> bool:
        """Whether buffer overruns were looked for."""
        return bool(self.hello.get("checked"))

    @property
    def summary(self) -> str:
        """One line: how many cases, what was found, on which instruction sets."""
        found = f"{len(self.faults)} faults" if self.faults else "no fault"
        unchecked = (
            "" if self.checked else "; without looking for buffer overruns (needs glibc's libc_malloc_debug.so.0)"
        )
        used = self.hello.get("isa") or f"torch's kernels for {self.hello.get('capability', '?')}"
        return f"{self.isa or 'as set'}: {self.tried:,} cases, {found}, {self.seconds:.0f} s; {used}{unchecked}"


def self_test(
    cases: Iterable[Case],
    isa: str = "",
    *,
    seconds: float = math.inf,
    jobs: int = 1,
    threads: int = 1,
    on_fault: Callable[[Fault], None] = lambda fault: None,
    command: Sequence[str] = WORKER,
) -> Report:
    """Run cases in child processes and collect what is wrong.

    Args:
        cases: what to try, in this order; may be endless where `seconds` is given.
        isa: a key of `ISAS`; "" for what this process's environment says.
        seconds: of wall time after which no further batch of cases starts; the first always runs.
        jobs: processes at the same time.
        threads: of each process's kernels.
        on_fault: called with each fault as it is found.
        command: starts the processes that run the cases.

    Returns:
        The report.

    Raises:
        InputError: when there is no such isa.
        SelfTestError: when the process does not start at all.
    """
    if isa and isa not in ISAS:
        raise InputError(
            f"unknown instruction sets {isa!r}; allowed: {', '.join(ISAS)}, or nothing for this process's own"
        )
    report, lock, start = Report(isa), Lock(), time.monotonic()
    batches = _batched(iter(cases), BATCH)

    def take() -> list[Case]:
        with lock:
            late = report.tried > 0 and time.monotonic() - start > seconds
            return [] if late else next(batches, [])

    def work() -> None:
        with CaseProcess(isa, threads, command) as worker:
            with lock:
                report.hello = worker.hello
            while batch := take():
                faults, distance = worker.run(batch)
                with lock:
                    report.tried += len(batch)
                    report.distance = max(report.distance, distance)
                    report.faults += faults
                    for fault in faults:
                        on_fault(fault)

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(work) for _ in range(jobs)]:
            done.result()
    report.seconds = time.monotonic() - start
    return report


def quick_self_test(seconds: float = 5.0, isa: str = "", seed: int = 0) -> Report:
    """Run as many small cases as fit into some seconds, the shapes of known faults first.

    Args:
        seconds: of wall time for the cases; starting the process and the last batch come on top.
        isa: as for `self_test`.
        seed: of the random cases.
    """
    return self_test(quick_cases(seed), isa, seconds=seconds)


def _batched(cases: Iterator[Case], size: int) -> Iterator[list[Case]]:
    while batch := list(itertools.islice(cases, size)):
        yield batch
