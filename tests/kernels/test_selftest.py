"""The self-test finds what broken kernels do, names the case and goes on; this machine's have no fault in a sample."""

from __future__ import annotations

import ctypes
import itertools
import math
import platform
import sys
from pathlib import Path

import broken_kernels
import pytest

from nasbench.errors import InputError
from nasbench.kernel_tests import case_process
from nasbench.kernel_tests.cases import Case, quick_cases
from nasbench.kernel_tests.self_test import quick_self_test, self_test

BROKEN = [sys.executable, str(Path(broken_kernels.__file__))]
SOUND = 8


def pool(channels: int) -> Case:
    return Case("avg_pool", 2, channels, channels, 5, 5, (3, 3))


def broken(*channels: int, **options):
    """A self-test of pools with these channels, and its faults by channels."""
    report = self_test([pool(each) for each in channels], command=BROKEN, **options)
    return report, {fault.case.inputs: fault for fault in report.faults}


@pytest.fixture(scope="module")
def report_and_faults():
    found = [broken_kernels.WRONG, broken_kernels.UNSTABLE, broken_kernels.SEGFAULT, broken_kernels.PYTHON_ERROR]
    return broken(SOUND, *itertools.chain.from_iterable((each, SOUND) for each in found), broken_kernels.OVERRUN, SOUND)


@pytest.mark.slow
def test_all_cases_are_tried_and_only_the_broken_ones_are_faults(report_and_faults) -> None:
    report, faults = report_and_faults
    assert report.tried == 11
    expected = {broken_kernels.WRONG, broken_kernels.UNSTABLE, broken_kernels.SEGFAULT, broken_kernels.PYTHON_ERROR}
    assert faults.keys() - {broken_kernels.OVERRUN} == expected
    assert len(report.faults) == len(faults)
    assert "faults" in report.summary


def test_a_crash_is_named_by_its_signal(report_and_faults) -> None:
    fault = report_and_faults[1][broken_kernels.SEGFAULT]
    assert (fault.kind, fault.where, math.isnan(fault.distance)) == ("crash", "SIGSEGV", True)
    assert "crash in nasbench avg_pool 2x11x5x5" in str(fault)


def test_wrong_values_say_how_far(report_and_faults) -> None:
    fault = report_and_faults[1][broken_kernels.WRONG]
    assert (fault.kind, fault.where) == ("wrong values", "output")
    assert fault.distance == pytest.approx(0.5, rel=1e-4)


def test_other_bits_the_second_time_are_a_fault(report_and_faults) -> None:
    fault = report_and_faults[1][broken_kernels.UNSTABLE]
    assert (fault.kind, fault.where) == ("not repeatable", "output")
    assert 0 < fault.distance < 1e-5


def test_an_error_in_python_is_a_fault_with_its_words(report_and_faults) -> None:
    fault = report_and_faults[1][broken_kernels.PYTHON_ERROR]
    assert (fault.kind, fault.where) == ("crash", "exit status 1")
    assert "no kernel for that" in fault.detail


def test_a_byte_past_a_buffer_is_a_fault(report_and_faults) -> None:
    report, faults = report_and_faults
    if not report.checked:
        pytest.skip("the C library has no checking allocator here")
    assert (faults[broken_kernels.OVERRUN].kind, faults[broken_kernels.OVERRUN].where) == ("crash", "SIGABRT")


@pytest.mark.slow
def test_an_overrun_that_a_later_case_meets_is_said_to_come_from_before() -> None:
    report, _ = broken(SOUND, broken_kernels.LATE, SOUND + 2)
    if not report.checked:
        pytest.skip("the C library has no checking allocator here")
    (fault,) = report.faults
    assert fault.case.inputs == SOUND + 2
    assert "only after the 2 cases before it" in fault.detail


@pytest.mark.slow
def test_memory_that_nobody_wrote_is_not_zero() -> None:
    report, faults = broken(broken_kernels.UNWRITTEN)
    if not report.checked:
        pytest.skip("the C library does not fill new memory here")
    assert faults[broken_kernels.UNWRITTEN].kind == "wrong values"
    assert faults[broken_kernels.UNWRITTEN].distance == math.inf  # 0 times infinity, the square of the filling


@pytest.mark.slow
def test_a_case_that_hangs_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(case_process, "CASE_SECONDS", 5.0)
    report, faults = broken(SOUND, broken_kernels.HANG, SOUND + 2)
    assert report.tried == 3
    assert [fault.kind for fault in report.faults] == ["hang"]
    assert faults[broken_kernels.HANG].where == "after 5 s"


def test_the_checking_allocator_is_used_where_there_is_one(report_and_faults) -> None:
    try:
        ctypes.CDLL("libc_malloc_debug.so.0")
    except OSError:
        pytest.skip("the C library has no checking allocator here")
    assert report_and_faults[0].checked


@pytest.mark.slow
def test_without_the_checking_allocator_it_runs_and_says_so(monkeypatch) -> None:
    monkeypatch.setattr(case_process, "_ALLOCATOR", "libno_such_library.so.0")
    report = self_test([pool(SOUND)])
    assert report.faults == []
    assert not report.checked
    assert "buffer overruns not tested" in report.summary


@pytest.mark.slow
def test_where_processes_cannot_be_forked_a_crash_is_found_too(monkeypatch) -> None:
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(Path(broken_kernels.__file__).parent)!r}); {UNFORKED}",
    ]
    report = self_test([pool(SOUND), pool(broken_kernels.SEGFAULT), pool(SOUND)], command=command)
    assert [(fault.case.inputs, fault.where) for fault in report.faults] == [(broken_kernels.SEGFAULT, "SIGSEGV")]
    assert report.tried == 3
    assert not report.checked


UNFORKED = (
    "import broken_kernels as b; b.case_worker.CAN_FORK = False; "
    "b.case_layers.BUILDERS['avg_pool'] = lambda case: b.BrokenPool(case.inputs); b.case_worker.main()"
)


def test_a_process_that_does_not_start_is_one_line() -> None:
    with pytest.raises(
        case_process.SelfTestError, match=r"^the self-test's process does not start: ImportError: no torch$"
    ):
        self_test([pool(SOUND)], command=[sys.executable, "-c", "raise ImportError('no torch')"])


def test_unknown_instruction_sets_are_refused() -> None:
    with pytest.raises(InputError, match="unknown instruction sets 'AVX3'; allowed: SSE41, AVX, AVX2"):
        self_test([], "AVX3")


def test_kernels_that_the_processor_lacks_are_not_asked_for(monkeypatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx512")
    assert case_process.environment("default").get("ATEN_CPU_CAPABILITY") is None
    old = case_process.processor_here().__class__("v", "1", "1", "1", "old", frozenset({"sse4_1"}))
    monkeypatch.setattr(case_process, "processor_here", lambda: old)
    assert case_process.environment("AVX2").get("ATEN_CPU_CAPABILITY") is None
    assert case_process.environment("AVX2")["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert case_process.environment("SSE41")["ATEN_CPU_CAPABILITY"] == "default"


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86-64's instruction sets")
@pytest.mark.parametrize("isa", ["AVX2", "default"])
def test_a_sample_of_this_machines_kernels_has_no_fault(isa) -> None:
    report = self_test(itertools.islice(quick_cases(), 120), isa, seconds=60)
    assert [str(fault) for fault in report.faults] == []
    assert report.tried >= 80


@pytest.mark.slow
def test_the_quick_look_is_quick_and_begins_with_known_faults() -> None:
    report = quick_self_test(seconds=0.0)
    assert report.tried == 40
    assert report.faults == []
    assert next(quick_cases()).stride == (2, 2)
