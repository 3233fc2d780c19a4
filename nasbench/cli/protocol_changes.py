"""Changes of a protocol by the options --set and --data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbench.cli.options import pairs
from nasbench.errors import InputError


def protocol_changes(set_: Sequence[str], data: str | None) -> dict[str, Any]:
    """Join the values of --set and --data.

    Args:
        set_: values of --set, "key=value".
        data: value of --data; None without it.

    Returns:
        Field of the protocol -> value.

    Raises:
        InputError: for a malformed value, a field given twice, or different data by both options.
    """
    changes: dict[str, Any] = pairs(set_, "--set")
    if data is None:
        return changes
    if changes.get("data", data) != data:
        raise InputError(f"--data {data!r} and --set data={changes['data']!r} differ; give one of them")
    return {**changes, "data": data}
