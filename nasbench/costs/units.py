"""How hours of devices are named: "GPU-hours" where all devices are GPUs, "device-hours" otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

DEVICE_HOURS: Final = "device-hours"
LEAST_SHARE: Final = 1e-3
"""Share of a run's hours below which a part is not named: microseconds between two steps."""
_NO_GPU: Final = ("cpu", "tpu", "table", "surrogate")  # the last two: the simulated clock of a replay


def device_time(devices: Iterable[object], unit: str = "hours") -> str:
    """Name the unit of time on devices. A device that is a CPU is one core.

    Args:
        devices: as rows name them ("cpu", "NVIDIA H200") or as options do ("cuda:0"); "" and missing values are devices
            that are not known.
        unit: "hours", "minutes", "seconds" or "days".

    Returns:
        "GPU-" and the unit if at least one device is known and all known ones are GPUs; otherwise "device-" and the
        unit.
    """
    known = {name.lower() for name in devices if isinstance(name, str) and name}
    gpus = known and not any(word in _NO_GPU for name in known for word in re.findall(r"[a-z]+", name))
    return f"{'GPU' if gpus else 'device'}-{unit}"
