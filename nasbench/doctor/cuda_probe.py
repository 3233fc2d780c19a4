"""Program that describes and tests the CUDA devices: `python -m nasbench.doctor.cuda_probe [quick]`.

It runs in a separate process, because a faulty device may end it, and because a process that has used CUDA keeps some
of the device's memory.
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

SECONDS: Final = 300.0  # after which the process is considered to hang


@dataclass(frozen=True)
class Tried:
    """Result of one test of a device's self-test; a copy of `nasbench.training.device_checks.DeviceFinding` without
    torch.

    Args:
        name: the part tested.
        level: "ok", "note" or "failed".
        detail: the limitation or failure in one line; "" for none.
    """

    name: str
    level: str
    detail: str


@dataclass(frozen=True)
class Device:
    """A CUDA device as torch sees it.

    Args:
        name: torch's name, e.g. "cuda:0".
        model: model of the GPU, e.g. "NVIDIA H100 80GB HBM3".
        capability: compute capability, e.g. "9.0".
        memory: bytes of memory.
        error: why the device cannot compute; "" if it can.
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
        devices: the devices, in torch's order.
        error: torch's message if it cannot use CUDA at all; "" if it can, or if it is a CPU build.
        kinds: architectures for which torch has kernels, e.g. ("sm_80", "sm_90").
    """

    devices: tuple[Device, ...]
    error: str
    kinds: tuple[str, ...]


def cuda_facts(quick: bool = False, environment: Mapping[str, str] | None = None) -> CudaFacts:
    """Describe and test the CUDA devices in a separate process.

    Args:
        quick: True to leave out the self-tests.
        environment: environment variables of the process; None for this process's.

    Returns:
        The devices.

    Raises:
        ProbeError: when the process dies or takes more than 300 seconds.
    """
    words = [sys.executable, "-m", "nasbench.doctor.cuda_probe", *(["quick"] if quick else [])]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"the process that tests the CUDA devices did not end within {SECONDS:.0f} s") from None
    found = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if found is None:
        raise ProbeError(f"the process that tests the CUDA devices died: {last_words(done)}")
    return _facts(json.loads(found.removeprefix(MARK)))


def _facts(read: dict[str, Any]) -> CudaFacts:
    def device(fields: dict[str, Any]) -> Device:
        tried = fields.pop("tried")
        return Device(**fields, tried=None if tried is None else tuple(Tried(**one) for one in tried))

    return CudaFacts(tuple(map(device, read["devices"])), read["error"], tuple(read["kinds"]))


def main() -> None:
    """Describe and test all devices, and print the result."""
    import torch

    quick = "quick" in sys.argv[1:]
    error = ""
    if torch.version.cuda:
        try:
            torch.cuda.init()  # type: ignore[no-untyped-call]
        except (RuntimeError, AssertionError) as failure:  # torch's errors for a missing or unsuitable driver
            error = " ".join(str(failure).split())[:300]
    names = [] if error or not torch.version.cuda else [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    facts = CudaFacts(
        tuple(look_at(name, quick) for name in names), error, tuple(torch.cuda.get_arch_list() if names else ())
    )
    print(f"\n{MARK}{json.dumps(asdict(facts))}", flush=True)


def look_at(name: str, quick: bool) -> Device:
    """Describe a device, compute something on it, and run its self-test.

    Args:
        name: torch's name, e.g. "cuda:0".
        quick: True to leave out the self-test.

    Returns:
        The device.
    """
    import torch

    place, error = torch.device(name), ""
    model, capability, memory = _identity(place)
    try:
        assert (torch.ones(2, device=place) + 1).tolist() == [2.0, 2.0], "1 + 1 is not 2 on this device"
    except (RuntimeError, AssertionError) as failure:
        error = " ".join(str(failure).split())[:300]
    tried: Sequence[Tried] | None = None
    if not quick and not error:
        from nasbench.training.device_checks import device_self_test

        tried = [Tried(finding.name, finding.level, finding.detail) for finding in device_self_test(place)]
    return Device(name, model, capability, memory, error, None if tried is None else tuple(tried))


def _identity(place: Any) -> tuple[str, str, int]:
    """Return model, compute capability and bytes of memory."""
    import torch

    if place.type != "cuda":
        return place.type, "", 0
    properties = torch.cuda.get_device_properties(place)
    return properties.name, f"{properties.major}.{properties.minor}", properties.total_memory


if __name__ == "__main__":
    main()
