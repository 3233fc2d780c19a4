"""Checks of the energy counters: of the processor (RAPL), and of NVIDIA GPUs (NVML)."""

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
    """Check whether the processor has energy counters that this user may read.

    Args:
        root: folder of Linux's powercap interface.

    Returns:
        One finding.
    """
    readable = [counter.name for counter in rapl_counters(root)]
    zones = sorted(zone for zone in root.glob("intel-rapl:*") if (zone / "energy_uj").exists())
    if readable:
        return [_finding("RAPL", "ok", f"{', '.join(readable)}: the processor's energy is measured")]
    if zones:
        found = f"{len(zones)} counters exist, but this user may not read them: the processor's energy is not measured"
        return [_finding("RAPL", "note", found, f"as root, after each boot: chmod a+r {root}/intel-rapl:*/energy_uj")]
    return [_finding("RAPL", "note", "no counters (a virtual machine?): the processor's energy is not measured")]


def check_nvml(gpus: int, load: Callable[[], Any] = lambda: importlib.import_module("pynvml")) -> list[Finding]:
    """Check whether NVIDIA's library works, and which GPUs count energy.

    Args:
        gpus: number of NVIDIA GPUs that the driver lists.
        load: imports and returns the module pynvml.

    Returns:
        Findings; none if there is neither a GPU nor the package nvidia-ml-py.
    """
    advice = "pip install 'nasbench-suite[nvml]'"
    try:
        pynvml = load()
    except ImportError:
        if gpus:
            return [_finding("NVML", "note", "nvidia-ml-py is not installed: the GPUs' energy is not measured", advice)]
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if gpus:
            found = f"does not work ({error}): the GPUs' energy is not measured"
            return [_finding("NVML", "note", found, "reload or reinstall the NVIDIA driver; nvidia-smi may say more")]
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
            findings.append(_finding(name, "note", f"energy cannot be read: {error}", "needs a Volta GPU or newer"))
        else:
            findings.append(_finding(name, "ok", f"{model}, driver {driver}: {joules:,.0f} J since the driver started"))
    return findings or [_finding("NVML", "ok", "works, but lists no GPU")]
