"""The long self-test's command: which cases, what it prints, its exit status."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from nasbench.kernel_tests import sweep
from nasbench.kernel_tests.cases import Case, known_cases
from nasbench.kernel_tests.self_test import Fault, Report

HELLO = {"torch": "2.0", "onednn": "3.0", "isa": "Intel AVX2", "capability": "AVX2", "checked": True}
FAULT = Fault(Case("linear", 2, 3, 4, 1, 1), "AVX2", "wrong values", "output", 0.5)


@pytest.mark.slow
def test_the_grid_is_spread_evenly_between_known_faults_and_random_cases() -> None:
    known = list(known_cases())
    cases = list(sweep.sweep_cases(300, 50, seed=1))
    assert cases[: len(known)] == known
    assert len(known) + 50 + 280 <= len(cases) <= len(known) + 50 + 300
    assert len({case.layer for case in cases}) >= 12
    assert list(sweep.sweep_cases(0, 5, seed=1))[len(known) :] == cases[-50:-45]
    assert list(sweep.sweep_cases(300, 0, seed=2))[len(known)] != cases[len(known)]


@pytest.mark.slow
def test_a_short_sweep_runs_and_prints_a_table() -> None:
    result = CliRunner().invoke(sweep.main, ["--isa", "default", "--grid", "0", "--random", "3", "--jobs", "1"])
    assert result.exit_code == 0, result.output
    tried = len(list(known_cases())) + 3
    assert f"default: {tried} cases, no fault" in result.output
    (row,) = [line for line in result.output.splitlines() if line.startswith("| default |")]
    assert f"| {tried} | 0 | 0 | 0 |" in row


def test_faults_are_counted_written_and_end_with_1(monkeypatch, tmp_path) -> None:
    def found(cases, isa, on_fault, **options):
        faults = [Fault(FAULT.case, isa, kind, "output", 0.5) for kind in ("crash", "hang", "wrong values")]
        for fault in faults:
            on_fault(fault)
        return Report(isa, faults, 10, 1e-5, 3.0, HELLO)

    monkeypatch.setattr(sweep, "self_test", found)
    target = tmp_path / "faults.jsonl"
    result = CliRunner().invoke(sweep.main, ["--isa", "AVX2", "--plain", "--faults", str(target)])
    assert result.exit_code == 1
    assert (
        "AVX2: wrong values in nasbench linear 2x3x1x1 outputs=4 channels_last: output off by 5.0e-01" in result.output
    )
    assert "| AVX2 | Intel AVX2 | AVX2 | 10 | 2 | 1 | 0 | 1e-05 | yes | 3 |" in result.output
    written = [json.loads(line) for line in target.read_text().splitlines()]
    assert [fault["kind"] for fault in written] == ["crash", "hang", "wrong values"]
    assert written[0]["case"]["inputs"] == 3


def test_unknown_instruction_sets_are_one_line() -> None:
    result = CliRunner().invoke(sweep.main, ["--isa", "AVX3"])
    assert result.exit_code == 2
    assert "'AVX3' is not one of 'SSE41', 'AVX', 'AVX2'" in result.output
