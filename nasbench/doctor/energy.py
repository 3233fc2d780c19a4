"""Check that the energy of trainings can be measured: counters of the processor (RAPL) and of NVIDIA's GPUs (NVML)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nasbench.doctor.findings import Finding
from nasbench.training.energy import POWERCAP, rapl_counters

_finding = partial(Finding, "devices")


def check_rapl(root: Path = POWERCAP) -> list[Finding]:
    """Say whether the processor's counters of energy are there and may be read.

    Args:
        root: Linux's folder of them.
    """
    readable = [counter.name for counter in rapl_counters(root)]
    zones = sorted(zone for zone in root.glob("intel-rapl:*") if (zone / "energy_uj").exists())
    if readable:
        return [_finding("RAPL", "ok", f"{', '.join(readable)}: energy of the processor is measured")]
    if zones:
        found = (
            f"{len(zones)} counters are there, and this user may not read them: no energy of the processor is measured"
        )
        return [_finding("RAPL", "note", found, f"as root: chmod a+r {root}/intel-rapl:*/energy_uj, after each start")]
    return [_finding("RAPL", "note", "no counters here (a virtual machine?): no energy of the processor is measured")]


def check_nvml(gpus: int, load: Callable[[], Any] = lambda: importlib.import_module("pynvml")) -> list[Finding]:
    """Say whether NVIDIA's library answers, and whether it counts energy.

    Args:
        gpus: NVIDIA GPUs that the driver lists.
        load: returns the module pynvml.
    """
    advice = "pip install 'nasbench-suite[nvml]'"
    try:
        pynvml = load()
    except ImportError:
        if gpus:
            return [_finding("NVML", "note", "nvidia-ml-py is not installed: no energy of GPUs is measured", advice)]
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if gpus:
            found = f"does not answer ({error}): no energy of GPUs is measured"
            return [_finding("NVML", "note", found, "reload or reinstall the NVIDIA driver; nvidia-smi says more")]
        return [_finding("NVML", "ok", f"nothing to measure: {error}")]
    try:
        return _energy(pynvml)
    finally:
        pynvml.nvmlShutdown()


def _energy(pynvml: Any) -> list[Finding]:
    findings = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        name = f"NVML {index}"
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            model, driver = pynvml.nvmlDeviceGetName(handle), pynvml.nvmlSystemGetDriverVersion()
            joules = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        except pynvml.NVMLError as error:
            findings.append(_finding(name, "note", f"energy cannot be read: {error}", "GPUs count it since Volta"))
        else:
            findings.append(_finding(name, "ok", f"{model}, driver {driver}: {joules:,.0f} J since the driver started"))
    return findings or [_finding("NVML", "ok", "answers, and lists no GPU")]
