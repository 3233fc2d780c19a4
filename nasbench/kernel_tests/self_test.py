"""Self-test of the processor's kernels: finds layers that crash, compute wrong values, or are not repeatable.

Cases run in a child process. Its C library checks the ends of all blocks of memory and fills new ones with large
numbers, which shows kernels that write past a buffer or read memory that was not written. A crash is recorded as a
fault, and the test continues with the next case.

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

BATCH: Final = 40  # cases per forked child process


@dataclass
class Report:
    """Result of a self-test.

    Args:
        isa: requested instruction sets, a key of `ISAS`, or "" for those of this process's environment.
        faults: all faults.
        tried: number of cases.
        distance: largest difference from the definition among float32 cases without a fault, as a share of the largest
            expected value.
        seconds: wall time in seconds.
        hello: properties of the worker process: versions of "torch" and "onednn"; "isa", oneDNN's instruction sets;
            "capability", those of torch's own kernels; "checked", True if the allocator detects buffer overruns.
    """

    isa: str
    faults: list[Fault] = field(default_factory=list)
    tried: int = 0
    distance: float = 0.0
    seconds: float = 0.0
    hello: dict[str, Any] = field(default_factory=dict)

    @property
    def checked(self) -> bool:
        """True if buffer overruns would have been detected."""
        return bool(self.hello.get("checked"))

    @property
    def summary(self) -> str:
        """One line with the number of cases and faults, and the instruction sets."""
        found = f"{len(self.faults)} faults" if self.faults else "no fault"
        unchecked = "" if self.checked else "; buffer overruns not tested (needs glibc's libc_malloc_debug.so.0)"
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
    """Run cases in child processes and collect their faults.

    Args:
        cases: the cases, in order; they may be endless if `seconds` is finite.
        isa: a key of `ISAS`; "" for the kernels that this process's environment chooses.
        seconds: seconds of wall time after which no further batch of cases starts; the first batch always runs.
        jobs: number of processes at the same time, >= 1.
        threads: threads per process, >= 1.
        on_fault: called with each fault when it is found.
        command: command that starts a worker process.

    Returns:
        The report.

    Raises:
        InputError: when `isa` is unknown.
        SelfTestError: when a worker process does not start.
    """
    if isa and isa not in ISAS:
        raise InputError(
            f"unknown instruction sets {isa!r}; allowed: {', '.join(ISAS)}, or '' for those of this process's "
            "environment"
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
    """Run small cases for some seconds, beginning with the shapes of known faults.

    Args:
        seconds: seconds of wall time; the start of the process and the last batch take some more.
        isa: a key of `ISAS`; "" for the kernels that this process's environment chooses.
        seed: seed of the random cases, >= 0.

    Returns:
        The report.

    Raises:
        InputError: when `isa` is unknown.
        SelfTestError: when the worker process does not start.
    """
    return self_test(quick_cases(seed), isa, seconds=seconds)


def _batched(cases: Iterator[Case], size: int) -> Iterator[list[Case]]:
    while batch := list(itertools.islice(cases, size)):
        yield batch
