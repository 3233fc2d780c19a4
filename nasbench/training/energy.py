"""Energy measured by hardware counters: of processors and their memory (RAPL), and of NVIDIA GPUs (NVML).

A counter measures a whole processor or GPU, including the work of other programs. A counter that cannot be read is left
out. Energy is never estimated: without readable counters there is no figure.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from nasbench.errors import InputError, MissingExtra

POWERCAP = Path("/sys/class/powercap")
# RAPL counters restart at 0 after about 65 to 262 kJ, which a busy server uses in minutes.
READ_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Counter:
    """An energy counter.

    Args:
        name: the device measured, e.g. "rapl:package-0" or "nvml:GPU-5f3e... NVIDIA H100 80GB HBM3".
        read: returns the joules used since an unknown moment; raises OSError if the counter cannot be read.
        wraps_at: joules after which the counter restarts at 0; inf for never, or not known.
    """

    name: str
    read: Callable[[], float]
    wraps_at: float = math.inf


class EnergyMeter:
    """Context manager that measures the energy used since its start. A thread reads the counters before they wrap.

    Args:
        counters: the counters to read.
        every: seconds between two readings, > 0.
    """

    def __init__(self, counters: Sequence[Counter], every: float = READ_EVERY_SECONDS) -> None:
        self._counters, self._every = tuple(counters), every
        self._last: dict[str, float] = {}
        self._joules: dict[str, float] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._entered_at = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._entered_at

    def joules(self) -> dict[str, float]:
        """Read the counters.

        Returns:
            Name of the counter -> joules used since the start. A counter that could not be read once is left out, and so
            is one that restarted after an unknown number of joules.
        """
        with self._lock:
            for counter in self._counters:
                if counter.name in self._last:
                    self._read(counter)
            return dict(self._joules)

    def _read(self, counter: Counter) -> None:
        try:
            now = counter.read()
        except OSError:
            now = math.nan
        added = now - self._last[counter.name]
        if added < 0:
            added += counter.wraps_at
        if not 0 <= added < math.inf:  # NaN, or a restart after unknown joules
            self._last.pop(counter.name, None)
            self._joules.pop(counter.name, None)
            return
        self._last[counter.name] = now
        self._joules[counter.name] += added

    def _read_now_and_then(self) -> None:
        while not self._ended.wait(self._every):
            self.joules()

    def __enter__(self) -> EnergyMeter:
        self._entered_at = time.monotonic()
        for counter in self._counters:
            with contextlib.suppress(OSError):
                self._last[counter.name] = counter.read()
                self._joules[counter.name] = 0.0
        if self._last:
            self._thread = threading.Thread(target=self._read_now_and_then, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()


def counters_of(devices: Sequence[str]) -> list[Counter]:
    """Return the readable counters of this machine's processors and of some of its GPUs.

    Args:
        devices: "cpu", "cuda" or "cuda:INDEX". The processors are always included.

    Returns:
        The counters. Those of GPUs are missing if the package nvidia-ml-py is not installed, or if one of the devices
        is not on this machine.
    """
    gpus = [device for device in devices if device != "cpu"]
    found = rapl_counters()
    if gpus:
        with contextlib.suppress(MissingExtra, InputError):
            found += nvml_counters(_uuids(gpus))
    return found


def rapl_counters(root: Path = POWERCAP) -> list[Counter]:
    """Return the readable RAPL counters: one per processor package, and one per memory that is counted beside its package.

    Args:
        root: folder of Linux's powercap interface.

    Returns:
        The counters that this user may read.

    Source: Linux, Documentation/power/powercap.
    """
    zones = {zone.name: _line(zone / "name") for zone in sorted(root.glob("intel-rapl:*"))}  # also the name on AMD's
    # Not psys, the whole platform: it contains the packages.
    packages = [zone for zone, name in zones.items() if zone.count(":") == 1 and name.startswith("package")]
    memories = [zone for zone, name in zones.items() if name == "dram" and zone.rpartition(":")[0] in packages]
    return [counter for zone in (*packages, *memories) for counter in _rapl(root / zone)]


def _rapl(zone: Path) -> Iterator[Counter]:
    def read() -> float:
        try:
            return int((zone / "energy_uj").read_text()) / 1e6
        except ValueError as error:
            raise OSError(f"{zone}: {error}") from error

    try:
        read()
    except OSError:  # since 2020 only root may read it by default
        return
    limit = _line(zone / "max_energy_range_uj")
    of = f" of package {zone.name.split(':')[1]}" if zone.name.count(":") == 2 else ""
    yield Counter(f"rapl:{_line(zone / 'name')}{of}", read, int(limit) / 1e6 if limit.isdecimal() else math.inf)


def _line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def nvml_counters(uuids: Sequence[str]) -> list[Counter]:
    """Return the counters of NVIDIA GPUs; GPUs before Volta have none.

    Args:
        uuids: NVML's identifiers of the GPUs, "GPU-...".

    Returns:
        The counters that can be read; none without NVIDIA's driver.

    Raises:
        MissingExtra: when the package nvidia-ml-py is not installed.
    """
    try:
        import pynvml
    except ImportError:
        raise MissingExtra("nvidia-ml-py", "nvml") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return []
    return [counter for uuid in uuids for counter in _nvml(pynvml, uuid)]


def _nvml(pynvml: Any, uuid: str) -> Iterator[Counter]:
    def read() -> float:
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3  # millijoules to joules
        except pynvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from error

    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        name = pynvml.nvmlDeviceGetName(handle)
        read()
    except (pynvml.NVMLError, OSError):
        return
    yield Counter(f"nvml:{uuid} {name}", read)


def _uuids(devices: Sequence[str]) -> list[str]:
    """Return NVML's identifiers of CUDA devices; torch's indices depend on the environment, these do not."""
    import torch

    from nasbench.training.evaluate import resolve_device

    return [f"GPU-{torch.cuda.get_device_properties(resolve_device(device)).uuid}" for device in devices]
