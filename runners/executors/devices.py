"""Devices of this machine, by the names that users give."""

from __future__ import annotations

import os
from collections.abc import Sequence

from nasbench.errors import InputError


def device_name(device: str) -> str:
    """Name of a device in results and prices: "cpu", or the model name from CUDA.

    Args:
        device: "cpu", "cuda" or "cuda:INDEX".

    Returns:
        The name, e.g. "cpu" or "NVIDIA H200".

    Raises:
        InputError: when there is no such device.
    """
    if device == "cpu":
        return device
    from nasbench.training.evaluate import device_name as name_of
    from nasbench.training.evaluate import resolve_device

    return name_of(resolve_device(device))


def check_devices(devices: Sequence[str]) -> None:
    """Refuse devices that are not on this machine, and GPUs that are named twice.

    A GPU named twice would be charged twice for the same time. "cpu" may be named several times, because each stands
    for a core.

    Args:
        devices: "cpu", "cuda" (the first one) or "cuda:INDEX". Indices count the devices that CUDA_VISIBLE_DEVICES
            leaves visible.

    Raises:
        InputError: when a device does not exist (the message lists those that do), or when a GPU is named twice.
    """
    seen: set[str] = set()
    for device in devices:
        if device == "cpu":
            continue
        from nasbench.training.evaluate import resolve_device

        name = str(resolve_device(device))
        if name in seen:
            raise InputError(
                f"device {name!r} is given twice in {','.join(devices)!r}; several children share a GPU by --children-per-device"
            )
        seen.add(name)


def usable_cores() -> int:
    """Number of CPU cores that this process may use, >= 1."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
