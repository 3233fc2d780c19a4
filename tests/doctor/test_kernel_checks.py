"""What the self-test and the golden trainings showed, in findings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nasbench.doctor.kernels import SHOWN_FAULTS, check_golden, check_self_test
from nasbench.kernel_tests.cases import quick_cases
from nasbench.kernel_tests.self_test import Fault, Report
from nasbench.training.golden import GOLDEN, GoldenOutcome

CASE = next(iter(quick_cases(0)))
HELLO = {"torch": "2.14.1", "onednn": "3.12.0", "isa": "Intel AVX2", "capability": "AVX2", "checked": True}


def levels(found):
    return [(finding.level, finding.breaks) for finding in found]


def test_a_self_test_without_faults_is_one_line():
    report = Report("", tried=80, seconds=5.0, hello=HELLO)
    (found,) = check_self_test(report)
    assert (found.level, found.found) == ("ok", report.summary)
    assert "80 cases, no fault" in found.found


def test_overruns_that_would_not_be_noticed_are_noted():
    found = check_self_test(Report("", tried=80, hello={**HELLO, "checked": False}))
    assert levels(found) == [("ok", False), ("note", False)]
    assert "buffer overruns" in found[1].found


@pytest.mark.parametrize("count", [1, SHOWN_FAULTS + 3])
def test_faults_break_searches_and_the_first_are_shown(count):
    faults = [
        Fault(CASE, "", "crash", "SIGSEGV"),
        *(Fault(CASE, "", "wrong values", f"output {i}", 0.5) for i in range(count - 1)),
    ]
    found = check_self_test(Report("", faults=faults, tried=80, hello=HELLO))
    assert levels(found) == [("wrong", True)] * (1 + min(count, SHOWN_FAULTS))
    assert found[0].found.startswith(f"{count} faults in 80 cases: crash")
    assert found[1].found == str(faults[0])


def test_a_self_test_that_tried_nothing_is_wrong():
    assert levels(check_self_test(Report("", tried=0, hello=HELLO))) == [("wrong", True)]


def outcome(digest=None, status="ok", error=""):
    return GoldenOutcome(GOLDEN[0], GOLDEN[0].digest if digest is None else digest, status, error, 1.25)


@pytest.mark.parametrize(
    ("outcome", "machine", "level", "breaks", "words"),
    [
        (outcome(), "x86_64", "ok", False, f"{GOLDEN[0].digest}, as expected (1.2 s)"),
        (outcome(), "aarch64", "ok", False, GOLDEN[0].digest),
        (outcome("0123456789abcdef"), "x86_64", "wrong", False, f"0123456789abcdef instead of {GOLDEN[0].digest}"),
        (outcome("0123456789abcdef"), "AMD64", "wrong", False, "kernels=portable"),
        (outcome("0123456789abcdef"), "aarch64", "note", False, "aarch64 computes other last bits"),
        (outcome("", "failed", "its worker process died"), "x86_64", "wrong", True, "failed: its worker process died"),
        (outcome("", "diverged", "loss is nan"), "aarch64", "wrong", True, "diverged: loss is nan"),
    ],
)
def test_golden_trainings(outcome, machine, level, breaks, words):
    (found,) = check_golden([outcome], machine)
    assert (found.name, found.level, found.breaks) == (f"golden: {GOLDEN[0].name}", level, breaks)
    assert words in found.found


def test_each_golden_training_is_named():
    outcomes = [GoldenOutcome(golden, golden.digest, "ok", "", 1.0) for golden in GOLDEN]
    outcomes[3] = replace(outcomes[3], digest="0" * 16)
    found = check_golden(outcomes, "x86_64")
    assert len({finding.name for finding in found}) == len(GOLDEN)
    assert [finding.level for finding in found].count("wrong") == 1
    assert found[3].level == "wrong"
