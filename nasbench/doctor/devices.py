"""Checks of CUDA devices: whether torch can use the machine's GPUs, and whether all operations work on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nasbench.doctor.cuda_probe import CudaFacts, Device, Tried
from nasbench.doctor.findings import Finding

PCI: Final = Path("/sys/bus/pci/devices")
GRAPHS: Final = "CUDA graphs"  # name of their test in the self-test
NONE_VISIBLE: Final = "No CUDA GPUs are available"  # torch's message when there is a driver
SHOWN: Final = 5  # most failures, and most notes, of the self-test that are listed
LITTLE_BYTES: Final = 4 << 30
_finding = partial(Finding, "devices")


@dataclass(frozen=True)
class Hardware:
    """The NVIDIA GPUs of this machine.

    Args:
        cards: number of GPUs on the PCI bus, with or without a driver.
        driver: version of the driver; "" if none is loaded.
        visible: value of the environment variable CUDA_VISIBLE_DEVICES; None if it is not set.
    """

    cards: int
    driver: str
    visible: str | None


def cards_here(root: Path = PCI) -> int:
    """Count the NVIDIA GPUs on the PCI bus.

    Args:
        root: Linux's folder of the bus's devices.

    Returns:
        Number of display controllers and accelerators of NVIDIA.
    """

    def line(path: Path) -> str:
        try:
            return path.read_text().strip()
        except OSError:  # the device was removed, or this user may not read the folder
            return ""

    return sum(
        line(folder / "vendor") == "0x10de" and line(folder / "class").startswith("0x03") for folder in root.glob("*")
    )


def check_cuda(facts: CudaFacts, built_for: str, hardware: Hardware) -> list[Finding]:
    """Check whether torch can use this machine's GPUs, and report the self-test of each.

    Args:
        facts: CUDA as torch sees it.
        built_for: version of CUDA that torch was built for; "" for a CPU build.
        hardware: the GPUs of the machine.

    Returns:
        At least one finding.
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
            advice = "install torch's CUDA build; pytorch.org shows the command"
            return [_finding("CUDA", "slow", f"{there}, but torch is built for the CPU only", advice)]
        return [_finding("CUDA", "ok", "no NVIDIA GPU, and torch is built for the CPU only: searches run on the CPU")]
    if hardware.driver:
        found = (
            f"driver {hardware.driver}, but torch for CUDA {built_for} cannot use it: "
            f"{facts.error or 'it finds no device'}"
        )
        advice = "searches on the CPU work; for CUDA, update the driver, or install a torch built for an older CUDA"
        return [_finding("CUDA", "wrong", found, advice, True)]
    if hardware.cards:
        advice = (
            "install NVIDIA's driver (in a container: start it with access to the GPUs); until then, searches run on "
            "the CPU"
        )
        return [_finding("CUDA", "slow", f"{there}, but no driver is loaded", advice)]
    found = (
        f"no NVIDIA GPU: searches run on the CPU (torch's build for CUDA {built_for} works, but the CPU build is "
        "smaller)"
    )
    return [_finding("CUDA", "note", found)]


def _device(device: Device, facts: CudaFacts, hardware: Hardware) -> Iterator[Finding]:
    name = device.name
    about = f"{device.model}, {device.memory / 2**30:.1f} GiB, compute capability {device.capability}"
    if hardware.driver:
        about += f", driver {hardware.driver}"
    if device.error:
        kinds = f" (torch has kernels for {' '.join(facts.kinds)})" if facts.kinds else ""
        advice = (
            "install a torch that is built for this device; if this one is, reset the device or restart the machine"
        )
        yield _finding(name, "wrong", f"{about}: it cannot compute: {device.error}{kinds}", advice, True)
        return
    if device.memory < LITTLE_BYTES:
        yield _finding(name, "note", about, "its memory is enough for small networks and batches only")
    else:
        yield _finding(name, "ok", about)
    if int(device.capability.partition(".")[0] or 0) < 8:
        found = "no bfloat16 instructions: as slow as float32, or slower"
        yield _finding(f"{name} bfloat16", "slow", found, "leave out --set precision=bfloat16 on this device")
    else:
        yield _finding(f"{name} bfloat16", "ok", "has bfloat16 instructions")
    if device.tried is not None:
        yield from _tried(name, device.tried)


def _tried(name: str, tried: tuple[Tried, ...]) -> Iterator[Finding]:
    """Report the self-test of a device: counts, failures and notes."""
    failed = [one for one in tried if one.level == "failed"]
    noted = [one for one in tried if one.level == "note" and one.name != GRAPHS]
    title = f"{name} self-test"
    if failed:
        found = f"{len(failed)} of {len(tried)} tests failed: children would fail or get wrong scores"
        yield _finding(title, "wrong", found, "search on another device, and report it with this text", True)
        for one in failed[:SHOWN]:
            yield _finding(title, "wrong", f"{one.name}: {one.detail}", "as above", True)
    else:
        yield _finding(title, "ok", f"{len(tried)} tests, none failed")
    for one in noted[:SHOWN]:
        yield _finding(title, "note", f"{one.name}: {one.detail}")
    if len(noted) > SHOWN:
        yield _finding(title, "note", f"{len(noted) - SHOWN} more notes: make test-gpu shows all")
    if not failed and not noted:
        yield _finding(f"{name} bits", "ok", "every operation is deterministic and gives the same bits twice")
    for one in tried:
        if one.name == GRAPHS and one.level == "ok":
            yield _finding(f"{name} graphs", "ok", "training steps are recorded as CUDA graphs")
        elif one.name == GRAPHS and one.level == "note":
            yield _finding(f"{name} graphs", "slow", one.detail, "searches work all the same")
