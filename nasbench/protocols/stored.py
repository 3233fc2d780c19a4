"""The protocol that a run's stored configuration names, checked: a results file may come from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbench.errors import InputError
from nasbench.texts import stored_object


def config_of(text: str, run: str) -> dict[str, Any]:
    """Read a run's stored configuration.

    Args:
        text: JSON, or "" for a run without one.
        run: id of the run, for messages.

    Returns:
        The configuration; {} without one.

    Raises:
        InputError: when it is no JSON object.
    """
    return stored_object(text, f"the configuration of run {run}")


def named_protocol(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the protocol's name and the fields that a run replaced.

    Args:
        config: the stored configuration of a run that trained.

    Returns:
        Name of the protocol, and field -> value.

    Raises:
        InputError: when the configuration names none, or something else is in their places.
    """
    name, changes = config.get("protocol"), config.get("set", {})
    if not isinstance(name, str) or not isinstance(changes, dict):
        raise InputError("the stored configuration of a run names no protocol; say which one: --protocol NAME")
    return name, changes
