"""benchmarks/gpu.py on a machine without a GPU: it says so, and can be tried in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(BENCHMARKS / "gpu.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_is_one_line_and_exit_code_2() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: device 'cuda' is not on this machine; there is: cpu")
    assert done.stderr.count("\n") == 1


def test_what_a_step_must_move_is_counted_by_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.ReLU())
    numbers = (3 + 4) * 25 + (4 + 4) * 25
    assert gpu.bytes_of_training(network, torch.zeros(2, 3, 5, 5), 4) == 3 * 4 * numbers


@pytest.mark.slow
def test_it_runs_in_small_on_a_processor() -> None:
    record = BENCHMARKS / "results.csv"
    before = record.read_bytes()
    done = run("--device", "cpu", "--quick")
    assert done.returncode == 0, done.stderr
    assert "TFLOP/s in float32" in done.stdout
    assert "ours, bfloat16, no graph" in done.stdout
    assert "2 children a device" in done.stdout
    assert record.read_bytes() == before
