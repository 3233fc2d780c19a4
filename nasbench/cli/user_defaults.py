"""Values that the user's environment or configuration file gives for options that are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench.cli.output import note


def with_usual_devices(given: Mapping[str, Any], executor: str) -> dict[str, Any]:
    """Add the user's usual devices where none are given. A Ray cluster takes no devices.

    Args:
        given: fields of a search's configuration.
        executor: "inline", "local" or "ray".

    Returns:
        The fields, with "devices" if the user has usual ones. A note says so.
    """
    if "devices" in given or executor == "ray":
        return dict(given)
    value = _said("devices")
    return {**given, "devices": value} if value is not None else dict(given)


def usual_price(price: str | None) -> str:
    """Choose the price of a device-hour: the given one, or the user's usual one with a note.

    Args:
        price: value of the option; None if it was left out.

    Returns:
        USD per device-hour, or the path of a price table; "" for the shipped table.
    """
    return price if price is not None else _said("price") or ""


def _said(key: str) -> str | None:
    """Return a value of the environment or the file, with a note; None for the default."""
    from nasbench.user_config import user_setting

    found = user_setting(key)
    if found.source == "default" or not found.value:
        return None
    note(f"{key} {found.value}, from {found.origin}", err=True)
    return found.value
