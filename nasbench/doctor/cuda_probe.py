"""CUDA devices as torch sees them, and their self-test, in a process of its own: `python -m nasbench.doctor.cuda_probe [quick]`.

A process of its own, because a device that fails may end it, and because whoever has used CUDA holds some of the device's memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from nasbench.doctor.probe import MARK, ProbeError
from nasbench.doctor.processes import last_words

SECONDS: Final = 300.0  # after which the process hangs


@dataclass(frozen=True)
class Tried:
    """Result of a device's self-test for one part; same fields as `nasbench.training.device_checks.DeviceFinding`."""

    name: str
    level: str
    detail: str


@dataclass(frozen=True)
class Device:
    """A device as torch sees it.

    Args:
        name: e.g. "cuda:0".
        model: e.g. "NVIDIA H100 80GB HBM3".
        capability: compute capability, e.g. "9.0".
        memory: bytes.
        error: why nothing can be computed on it; "" where something can.
        tried: results of its self-test; None if it was not run.
    """

    name: str
    model: str
    capability: str
    memory: int
    error: str
    tried: tuple[Tried, ...] | None


@dataclass(frozen=True)
class CudaFacts:
    """CUDA as torch sees it.

    Args:
        devices: in torch's order.
        error: why torch cannot use CUDA at all, in its words; "" where it can, and where it was built without.
        kinds: for which torch has kernels, e.g. ("sm_80", "sm_90").
    """

    devices: tuple[Device, ...]
    error: str
    kinds: tuple[str, ...]


def cuda_facts(quick: bool = False, environment: Mapping[str, str] | None = None) -> CudaFacts:
    """Look at the CUDA devices, and try each, in a process of its own.

    Args:
        quick: without their self-tests.
        environment: of that process; None for this one's.

    Raises:
        ProbeError: when that process dies or hangs.
    """
    words = [sys.executable, "-m", "nasbench.doctor.cuda_probe", *(["quick"] if quick else [])]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"the process that tries the CUDA devices was still going on after {SECONDS:.0f} s") from None
    found = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if found is None:
        raise ProbeError(f"the process that tries the CUDA devices died: {last_words(done)}")
    return _facts(json.loads(found.removeprefix(MARK)))


def _facts(read: dict[str, Any]) -> CudaFacts:
    def device(fields: dict[str, Any]) -> Device:
        tried = fields.pop("tried")
        return Device(**fields, tried=None if tried is None else tuple(Tried(**one) for one in tried))

    return CudaFacts(tuple(map(device, read["devices"])), read["error"], tuple(read["kinds"]))


def main() -> None:
    """Look at all devices, and print what was found."""
    import torch

    quick = "quick" in sys.argv[1:]
    error = ""
    if torch.version.cuda:
        try:
            torch.cuda.init()  # type: ignore[no-untyped-call]
        except (RuntimeError, AssertionError) as failure:  # how torch says that there is no driver, or a wrong one
            error = " ".join(str(failure).split())[:300]
    names = [] if error or not torch.version.cuda else [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    facts = CudaFacts(
        tuple(look_at(name, quick) for name in names), error, tuple(torch.cuda.get_arch_list() if names else ())
    )
    print(f"\n{MARK}{json.dumps(asdict(facts))}", flush=True)


def look_at(name: str, quick: bool) -> Device:
    """Look at a device, compute something on it, and do its self-test.

    Args:
        name: e.g. "cuda:0".
        quick: without its self-test.
    """
    import torch

    place, error = torch.device(name), ""
    model, capability, memory = _identity(place)
    try:
        assert (torch.ones(2, device=place) + 1).tolist() == [2.0, 2.0], "1 + 1 is not 2 there"
    except (RuntimeError, AssertionError) as failure:
        error = " ".join(str(failure).split())[:300]
    tried: Sequence[Tried] | None = None
    if not quick and not error:
        from nasbench.training.device_checks import device_self_test

        tried = [Tried(finding.name, finding.level, finding.detail) for finding in device_self_test(place)]
    return Device(name, model, capability, memory, error, None if tried is None else tuple(tried))


def _identity(place: Any) -> tuple[str, str, int]:
    """Model, compute capability and bytes of memory."""
    import torch

    if place.type != "cuda":
        return place.type, "", 0
    properties = torch.cuda.get_device_properties(place)
    return properties.name, f"{properties.major}.{properties.minor}", properties.total_memory


if __name__ == "__main__":
    main()
