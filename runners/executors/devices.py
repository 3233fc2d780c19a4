"""Devices of this machine by the names that users give them."""

from __future__ import annotations

from collections.abc import Sequence

from nasbench.errors import InputError


def device_name(device: str) -> str:
    """The name a device goes by in results and prices: "cpu", or what CUDA calls it.

    Args:
        device: "cpu", "cuda" or "cuda:INDEX".

    Raises:
        InputError: when it is not there.
    """
    if device == "cpu":
        return device
    from nasbench.training.evaluate import device_name as name_of
    from nasbench.training.evaluate import resolve_device

    return name_of(resolve_device(device))


def check_devices(devices: Sequence[str]) -> None:
    """Refuse devices that are not on this machine, and GPUs that are named twice.

    A GPU named twice would be charged twice for the same time. "cpu" may be: each stands for a core.

    Args:
        devices: "cpu", "cuda" (the first one) or "cuda:INDEX". Indices count the devices that CUDA_VISIBLE_DEVICES leaves visible.

    Raises:
        InputError: when one is not there, with those that are; or when one is named twice.
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
