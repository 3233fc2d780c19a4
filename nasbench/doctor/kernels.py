"""Checks of the processor's kernels: the self-test, and the golden trainings, whose bits are known."""

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
    """Report the result of the self-test of kernels.

    Args:
        report: result of `nasbench.kernel_tests.self_test.quick_self_test`.

    Returns:
        At least one finding; at most five faults are listed.
    """
    name = "self-test"
    if not report.tried:
        return [_finding(name, "wrong", "no case was tested", "report it with this text", True)]
    if report.faults:
        advice = (
            "searches would crash or give wrong scores: try another version of torch, and report it with the output of "
            "make test-kernels"
        )
        kinds = sorted({fault.kind for fault in report.faults})
        findings = [
            _finding(
                name, "wrong", f"{len(report.faults)} faults in {report.tried} cases: {', '.join(kinds)}", advice, True
            )
        ]
        for fault in report.faults[:SHOWN_FAULTS]:
            findings.append(_finding(name, "wrong", str(fault), "as above", True))
        return findings
    findings = [_finding(name, "ok", report.summary)]
    if not report.checked:
        found = "buffer overruns are not detected: the C library's checking allocator is missing"
        findings.append(_finding(name, "note", found, "install glibc's libc_malloc_debug.so.0 (Debian: libc6)"))
    return findings


def check_golden(outcomes: Iterable[GoldenOutcome], machine: str) -> list[Finding]:
    """Compare the bits of the golden trainings on this machine with the expected ones.

    Args:
        outcomes: result of `nasbench.training.golden.train_golden`.
        machine: architecture, from `platform.machine()`.

    Returns:
        One finding per training.
    """
    findings = []
    for outcome in outcomes:
        name, written = f"golden: {outcome.golden.name}", outcome.golden.digest
        if outcome.status != "ok":
            found = f"the training ended as {outcome.status}: {outcome.error}"
            findings.append(_finding(name, "wrong", found, "report it with this text", True))
        elif outcome.agrees:
            findings.append(_finding(name, "ok", f"{outcome.digest}, as expected ({outcome.seconds:.1f} s)"))
        elif machine in ("x86_64", "AMD64"):
            found = (
                f"{outcome.digest} instead of {written}: with kernels=portable, rows would have other bits than on "
                "other processors"
            )
            advice = "report it with this text; searches with kernels=fast are not affected"
            findings.append(_finding(name, "wrong", found, advice))
        else:
            found = f"{outcome.digest} instead of {written} on x86-64: {machine} computes other last bits"
            findings.append(_finding(name, "note", found, "verify compares with rows from x86-64 within the tolerance"))
    return findings
