"""`make test-gpu`: on a machine without a GPU it says so; its table is never better than what was run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from nasbench.training.device_checks import DeviceFinding

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_report

    return gpu_report


@pytest.mark.sampled(1)
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "error: device 'cuda' is not on this machine; there is: cpu; nothing was tested"),
        (("--device", "cpu"), "error: make test-gpu tests CUDA devices, and got 'cpu'; nothing was tested"),
    ],
)
def test_without_a_gpu_it_is_one_line_and_exit_code_2(words: tuple[str, ...], said: str) -> None:
    command = [sys.executable, str(BENCHMARKS / "gpu_report.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said + "\n")


def test_make_has_it() -> None:
    text = (BENCHMARKS.parent / "Makefile").read_text()
    assert "\ntest-gpu: $(READY)\n\t" in text
    assert "benchmarks/gpu_report.py" in text.split("\ntest-gpu:")[1].split("\n\n")[0]


@pytest.mark.slow
def test_the_self_test_runs_in_a_process_of_its_own(report: ModuleType) -> None:
    rows = report.rows_of_self_test("cpu")
    assert [(row.check, row.outcome) for row in rows] == [("self-test", "passed")]
    assert rows[0].figures.endswith("without a remark")


def test_what_does_not_end_was_not_run(report: ModuleType) -> None:
    (row,) = report.rows_of_self_test("cpu", seconds=0.1)
    assert (row.outcome, row.figures) == ("not run", "not finished in 0 s")


@pytest.mark.slow
def test_what_crashes_has_failed(report: ModuleType) -> None:
    (row,) = report.rows_of_self_test("cuda:99")
    assert row.outcome == "failed"
    assert "device 'cuda:99' is not on this machine" in row.figures


def test_findings_that_are_not_ok_have_their_rows(report: ModuleType) -> None:
    findings = [
        DeviceFinding("memory", "ok", "70.0 of 79.1 GiB free"),
        DeviceFinding("conv_1x1", "ok"),
        DeviceFinding("bfloat16", "note", "works, slowly"),
        DeviceFinding("augmentation", "failed", "images differ"),
    ]
    rows = report.rows_of_findings(findings)
    assert rows == [
        report.Row("self-test", "passed", "2 of 4 without a remark; memory: 70.0 of 79.1 GiB free"),
        report.Row("self-test: bfloat16", "note", "works, slowly"),
        report.Row("self-test: augmentation", "failed", "images differ"),
    ]
    assert report.rows_of_findings([])[0].outcome == "not run"


TESTS = """
import pytest
@pytest.mark.gpu
def test_good(): pass
@pytest.mark.gpu
def test_bad(): assert 1 == 2
@pytest.mark.gpu
@pytest.mark.skipif(True, reason="no CUDA device")
def test_left_out(): pass
def test_other(): pass
"""


def test_a_test_that_is_skipped_was_not_run(report: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(TESTS)
    (tmp_path / "test_none.py").write_text("def test_other(): pass\n")
    files = report.files_of_gpu_tests(tmp_path)
    assert files == [str(file)]
    rows = {row.check: row for row in report.rows_of_tests(files)}
    assert {name: row.outcome for name, row in rows.items()} == {
        "test: test_good": "passed",
        "test: test_bad": "failed",
        "test: test_left_out": "not run",
    }
    assert "assert 1 == 2" in rows["test: test_bad"].figures
    assert report.summary(list(rows.values()), 3.0) == report.Row(
        "all", "failed", "1 passed, 0 notes, 2 failed or not run, in 3 s"
    )


def test_no_test_at_all_is_no_pass(report: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text("def test_other(): pass\n")
    (row,) = report.rows_of_tests([str(file)])
    assert (row.outcome, row.figures) == ("not run", "none was found")


def test_the_tests_that_need_a_gpu_are_found(report: ModuleType) -> None:
    found = {Path(path).name for path in report.files_of_gpu_tests(BENCHMARKS.parent / "tests")}
    assert {"test_stepping.py", "test_evaluator.py"} <= found


def test_measurements_and_the_table(report: ModuleType) -> None:
    lines = [
        "NVIDIA H100: 51.2 TFLOP/s in float32; copies 2.3e+03 GB/s",
        "training of NASNet cells, N=2, F=32: ours, bfloat16: 3.1 x the usual loop (3,100 against 1,000 images/s) NVIDIA H100; 9% of it",
        "",
        "energy of the GPU cannot be read",
    ]
    rows = report.rows_of_measurements(lines)
    assert [row.check for row in rows] == [
        "benchmark: NVIDIA H100",
        "benchmark: training of NASNet cells, N=2, F=32: ours, bfloat16",
        "benchmark",
    ]
    assert rows[1].figures.startswith("3.1 x the usual loop")
    shown = report.table([*rows, report.Row("a|b", "passed", "x" * 300)])
    assert all(line.count("|") - line.count("\\|") == 4 for line in shown.splitlines())
    assert "a\\|b" in shown
    assert max(map(len, shown.splitlines())) < 260
