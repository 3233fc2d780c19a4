"""What counts as a process with portable kernels, by torch's own word, and that a worker which is none starts no other."""

from __future__ import annotations

import pytest
import torch
from searching import tiny_plan

from nasbench.errors import InputError
from nasbench.kernels.portable import SETTINGS, is_portable_process
from nasbench.protocols.protocol import get_protocol
from nasbench.training import portable_worker as worker
from nasbench.training.evaluation import Child


@pytest.mark.parametrize(
    ("capability", "portable"), [("DEFAULT", True), ("NO AVX", True), ("AVX2", False), ("AVX512", False)]
)
def test_the_baseline_has_one_name_in_torch_2_6_and_another_later(monkeypatch, capability, portable):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert is_portable_process() is portable
    monkeypatch.delenv("MKL_CBWR")
    assert not is_portable_process()


@pytest.mark.slow
def test_a_worker_that_was_started_without_the_settings_refuses(monkeypatch):
    """It must not train in a worker of its own, which may fail in the same way, and so on without end."""
    monkeypatch.setattr(worker, "SETTINGS", {})
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    plan = tiny_plan()
    architecture = plan.space.decode((0,) * len(plan.space.decisions))
    fields = {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4, "validation": 0.5}
    started = worker.PortableWorker()
    try:
        with pytest.raises(InputError, match="kernels='portable'"):
            started.evaluate(
                Child(architecture, get_protocol("digits", {**fields, "kernels": "portable"}), seed=0), "cpu", 1.0
            )
    finally:
        started.close()
