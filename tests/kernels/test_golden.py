"""With portable kernels the bits are those that are written down, on every x86-64 machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import pytest

from nasbench.spaces import SPACES
from nasbench.training.evaluate import evaluate
from nasbench.training.golden import GOLDEN, digest_of_evaluation, train_golden

x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="golden digests are those of x86-64")


@x86
def test_golden_trainings_give_the_bits_that_are_written_down() -> None:
    outcomes = train_golden()
    assert len(outcomes) == len(GOLDEN) >= 15
    found = {outcome.golden.name: (outcome.status, outcome.error, outcome.digest) for outcome in outcomes}
    assert found == {golden.name: ("ok", "", golden.digest) for golden in GOLDEN}


def test_every_space_and_schedule_has_a_golden_training() -> None:
    protocols = [golden.child().protocol for golden in GOLDEN]
    assert {golden.space.partition(":")[0] for golden in GOLDEN} == set(SPACES)
    schedules = get_args(type(protocols[0]).model_fields["schedule"].annotation)
    assert {protocol.schedule for protocol in protocols} == set(schedules)
    optimizers = get_args(type(protocols[0]).model_fields["optimizer"].annotation)
    assert {protocol.optimizer for protocol in protocols} == set(optimizers)


@pytest.mark.slow
@x86
def test_settings_of_the_callers_process_change_nothing() -> None:
    """A process that was told to use other kernels starts its worker with the portable ones."""
    code = (
        "from nasbench.training.golden import GOLDEN, train_golden\n"
        "if __name__ == '__main__':\n"
        "    print(*(outcome.digest for outcome in train_golden(GOLDEN[:1])))"
    )
    told = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **told}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [GOLDEN[0].digest]


def test_a_digest_sees_the_last_bit() -> None:
    golden = next(golden for golden in GOLDEN if golden.name == "vertices")
    evaluation = evaluate(golden.child())
    changed = replace(evaluation, test_loss=evaluation.test_loss * (1 + 2**-50))
    assert digest_of_evaluation(changed) != digest_of_evaluation(evaluation)
