"""CUDA devices: whether torch can use what the machine has, and whether every operation works on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nasbench.doctor.cuda_probe import CudaFacts, Device, Tried
from nasbench.doctor.findings import Finding

PCI: Final = Path("/sys/bus/pci/devices")
GRAPHS: Final = "CUDA graphs"  # as the self-test names them
NONE_VISIBLE: Final = "No CUDA GPUs are available"  # as torch says it, where there is a driver
SHOWN: Final = 5  # things of the self-test that failed, or are to be noted, by name
LITTLE_BYTES: Final = 4 << 30
_finding = partial(Finding, "devices")


@dataclass(frozen=True)
class Hardware:
    """GPUs of NVIDIA in this machine.

    Args:
        cards: that the bus lists, with or without a driver.
        driver: version of the driver; "" where none is loaded.
        visible: the environment variable CUDA_VISIBLE_DEVICES; None where it is not set.
    """

    cards: int
    driver: str
    visible: str | None


def cards_here(root: Path = PCI) -> int:
    """Count the displays and accelerators of NVIDIA on the bus.

    Args:
        root: Linux's folder of the bus's devices.
    """

    def line(path: Path) -> str:
        try:
            return path.read_text().strip()
        except OSError:  # the device went, or the folder is not for this user
            return ""

    return sum(
        line(folder / "vendor") == "0x10de" and line(folder / "class").startswith("0x03") for folder in root.glob("*")
    )


def check_cuda(facts: CudaFacts, built_for: str, hardware: Hardware) -> list[Finding]:
    """Say whether torch can use the GPUs of this machine, and how each does.

    Args:
        facts: devices as torch sees them.
        built_for: version of CUDA that torch was built with; "" for a build without.
        hardware: devices that are installed.
    """
    if facts.devices:
        return [finding for device in facts.devices for finding in _device(device, facts, hardware)]
    there = f"{hardware.cards} NVIDIA GPU{'s' * (hardware.cards != 1)}"
    hidden = hardware.visible is not None and (not facts.error or NONE_VISIBLE in facts.error)
    if hidden and built_for and hardware.driver:
        found = f"CUDA_VISIBLE_DEVICES={hardware.visible!r} hides all GPUs: searches run on the CPU"
        return [_finding("CUDA", "note", found, "unset CUDA_VISIBLE_DEVICES to use them")]
    if not built_for:
        if hardware.cards or hardware.driver:
            advice = "install torch's CUDA build: pytorch.org says with which index"
            return [_finding("CUDA", "slow", f"{there}, and torch is built for the CPU alone", advice)]
        return [_finding("CUDA", "ok", "no NVIDIA GPU, and torch is built for the CPU alone: searches run on the CPU")]
    if hardware.driver:
        found = f"driver {hardware.driver}, and torch for CUDA {built_for} cannot use it: {facts.error or 'it finds no device'}"
        advice = (
            "searches on the CPU work; for CUDA update the driver, or install a torch that is built for an older CUDA"
        )
        return [_finding("CUDA", "wrong", found, advice, True)]
    if hardware.cards:
        advice = "install NVIDIA's driver (in a container: start it with access to the GPUs); until then searches run on the CPU"
        return [_finding("CUDA", "slow", f"{there}, and no driver is loaded", advice)]
    found = f"no NVIDIA GPU: searches run on the CPU (torch's build for CUDA {built_for} works, and is larger than the CPU's)"
    return [_finding("CUDA", "note", found)]


def _device(device: Device, facts: CudaFacts, hardware: Hardware) -> Iterator[Finding]:
    name = device.name
    about = f"{device.model}, {device.memory / 2**30:.1f} GiB, compute capability {device.capability}"
    if hardware.driver:
        about += f", driver {hardware.driver}"
    if device.error:
        kinds = f" (torch has kernels for {' '.join(facts.kinds)})" if facts.kinds else ""
        advice = "install a torch that is built for this device; if it was, reset the device or restart the machine"
        yield _finding(name, "wrong", f"{about}: nothing can be computed: {device.error}{kinds}", advice, True)
        return
    if device.memory < LITTLE_BYTES:
        yield _finding(name, "note", about, "small networks and batches only")
    else:
        yield _finding(name, "ok", about)
    if int(device.capability.partition(".")[0] or 0) < 8:
        found = "no instructions for it: as slow as float32, or slower"
        yield _finding(f"{name} bfloat16", "slow", found, "leave out --set precision=bfloat16 on this device")
    else:
        yield _finding(f"{name} bfloat16", "ok", "has instructions for it")
    if device.tried is not None:
        yield from _tried(name, device.tried)


def _tried(name: str, tried: tuple[Tried, ...]) -> Iterator[Finding]:
    """Results of the self-test: counts, each failure, each note."""
    failed = [one for one in tried if one.level == "failed"]
    noted = [one for one in tried if one.level == "note" and one.name != GRAPHS]
    title = f"{name} self-test"
    if failed:
        found = f"{len(failed)} of {len(tried)} things failed: children would fail, or have wrong scores"
        yield _finding(title, "wrong", found, "search on another device, and report it with this text", True)
        for one in failed[:SHOWN]:
            yield _finding(title, "wrong", f"{one.name}: {one.detail}", "the same", True)
    else:
        yield _finding(title, "ok", f"{len(tried)} things tried forward and backward, none failed")
    for one in noted[:SHOWN]:
        yield _finding(title, "note", f"{one.name}: {one.detail}")
    if len(noted) > SHOWN:
        yield _finding(title, "note", f"{len(noted) - SHOWN} more such: make test-gpu shows all")
    if not failed and not noted:
        yield _finding(
            f"{name} bits", "ok", "every operation has a deterministic backward pass and gives the same bits twice"
        )
    for one in tried:
        if one.name == GRAPHS and one.level == "ok":
            yield _finding(f"{name} graphs", "ok", "training steps are recorded as CUDA graphs")
        elif one.name == GRAPHS and one.level == "note":
            yield _finding(f"{name} graphs", "slow", one.detail, "nothing is to be done for searches to work")
