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
    """Return the given price, or the user's usual one; "" for the shipped table. A note says that it is the usual one.

    Args:
        price: the option; None where it is left out.
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
