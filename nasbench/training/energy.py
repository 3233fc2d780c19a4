"""Energy by the counters of the hardware: the processor's packages and memory (RAPL) and NVIDIA's GPUs (NVML).

The counters are those of whole packages and devices: what else runs there is in them. Where one cannot be read it is left out; a machine
without readable counters gives no figure, and never an estimate.
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
# RAPL's counters begin again after some 65 to 262 kJ, which a busy server spends in minutes.
READ_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Counter:
    """A counter of energy.

    Args:
        name: the device measured, e.g. "rapl:package-0" or "nvml:GPU-5f3e... NVIDIA H100 80GB HBM3".
        read: joules since some moment in the past; it may raise OSError.
        wraps_at: joules after which it begins again at 0; inf for never.
    """

    name: str
    read: Callable[[], float]
    wraps_at: float = math.inf


class EnergyMeter:
    """Measure joules by counter since entry. Use as a context manager; a thread reads regularly, because counters wrap.

    Args:
        counters: the counters to read.
        every: seconds between readings.
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
        """Since it was entered."""
        return time.monotonic() - self._entered_at

    def joules(self) -> dict[str, float]:
        """Joules by counter up to now; a counter that failed once is left out."""
        with self._lock:
            for counter in self._counters:
                if counter.name in self._last:
                    self._read(counter)
            return dict(self._joules)

    def _read(self, counter: Counter) -> None:
        try:
            now = counter.read()
        except OSError:
            self._last.pop(counter.name, None)
            self._joules.pop(counter.name, None)
            return
        added = now - self._last[counter.name]
        if added < 0:
            added += counter.wraps_at
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
    """The readable counters of this machine's processors and of the GPUs among `devices`; without the package nvidia-ml-py, of no GPU.

    Args:
        devices: "cpu", "cuda" or "cuda:INDEX"; those that are not on this machine have no counter here.
    """
    gpus = [device for device in devices if device != "cpu"]
    found = rapl_counters()
    if gpus:
        with contextlib.suppress(MissingExtra, InputError):
            found += nvml_counters(_uuids(gpus))
    return found


def rapl_counters(root: Path = POWERCAP) -> list[Counter]:
    """The processors' packages, and their memory where it is counted by itself, as far as this user may read them.

    Source: Linux's powercap interface, Documentation/power/powercap.
    """
    zones = sorted(root.glob("intel-rapl:*"))  # AMD's have this name, too
    packages = [zone for zone in zones if zone.name.count(":") == 1]
    memories = [zone for zone in zones if zone.name.count(":") == 2 and _line(zone / "name") == "dram"]
    return [counter for zone in (*packages, *memories) for counter in _rapl(zone)]


def _rapl(zone: Path) -> Iterator[Counter]:
    def read() -> float:
        return int((zone / "energy_uj").read_text()) / 1e6

    try:
        read()
    except OSError:  # since 2020 Linux lets only root read it
        return
    name, limit = _line(zone / "name") or zone.name, _line(zone / "max_energy_range_uj")
    of = f" of package {zone.name.split(':')[1]}" if zone.name.count(":") == 2 else ""
    yield Counter(f"rapl:{name}{of}", read, int(limit) / 1e6 if limit else math.inf)


def _line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def nvml_counters(uuids: Sequence[str]) -> list[Counter]:
    """NVIDIA GPUs whose energy can be read: Volta and later.

    Args:
        uuids: as NVML has them, "GPU-...".

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
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3  # of millijoules
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
    """NVML's names of CUDA devices, for any CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER."""
    import torch

    from nasbench.training.evaluate import resolve_device

    return [f"GPU-{torch.cuda.get_device_properties(resolve_device(device)).uuid}" for device in devices]
