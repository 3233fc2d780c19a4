"""The processor's kernels: the self-test, and the golden trainings, whose bits are written down."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from nasbench.doctor.findings import Finding
from nasbench.kernel_tests.self_test import Report
from nasbench.training.golden import GoldenOutcome

SHOWN_FAULTS: Final = 5
_finding = partial(Finding, "kernels")


def check_self_test(report: Report) -> list[Finding]:
    """Say what the self-test of layers found.

    Args:
        report: of `nasbench.kernel_tests.self_test.quick_self_test`.
    """
    name = "self-test"
    if not report.tried:
        return [_finding(name, "wrong", "it tried no case at all", "report it with this text", True)]
    if report.faults:
        advice = "a search would crash or train wrongly: another version of torch may help; report it, with the output of make test-kernels"
        kinds = sorted({fault.kind for fault in report.faults})
        findings = [
            _finding(
                name, "wrong", f"{len(report.faults)} faults in {report.tried} cases: {', '.join(kinds)}", advice, True
            )
        ]
        for fault in report.faults[:SHOWN_FAULTS]:
            findings.append(_finding(name, "wrong", str(fault), "the same", True))
        return findings
    findings = [_finding(name, "ok", report.summary)]
    if not report.checked:
        found = "writing past a buffer would not be noticed: the C library's checking allocator is not there"
        findings.append(_finding(name, "note", found, "install glibc's libc_malloc_debug.so.0 (Debian: libc6)"))
    return findings


def check_golden(outcomes: Iterable[GoldenOutcome], machine: str) -> list[Finding]:
    """Compare the golden trainings' bits with those that are written down.

    Args:
        outcomes: of `nasbench.training.golden.train_golden`.
        machine: architecture, as `platform.machine()` says it.
    """
    findings = []
    for outcome in outcomes:
        name, written = f"golden: {outcome.golden.name}", outcome.golden.digest
        if outcome.status != "ok":
            found = f"the training ended as {outcome.status}: {outcome.error}"
            findings.append(_finding(name, "wrong", found, "report it with this text", True))
        elif outcome.agrees:
            findings.append(_finding(name, "ok", f"{outcome.digest}, as written down ({outcome.seconds:.1f} s)"))
        elif machine in ("x86_64", "AMD64"):
            found = f"{outcome.digest} instead of {written}: rows of kernels=portable would not have the bits that they promise"
            advice = "report it with this text; searches with kernels=fast are as good as ever"
            findings.append(_finding(name, "wrong", found, advice))
        else:
            found = f"{outcome.digest}, and {written} on x86-64: {machine} computes other last bits"
            findings.append(_finding(name, "note", found, "compare with rows of x86-64 by the tolerance"))
    return findings
