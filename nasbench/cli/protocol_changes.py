"""Changes of a protocol by the options --set and --data, and advice where the usual protocol does not suit the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from nasbench.cli.options import pairs
from nasbench.cli.output import note
from nasbench.errors import InputError

USUAL_PROTOCOL: Final = "digits"


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


def note_on_own_images(protocol: str | None, data: object) -> None:
    """Advise the protocol `images` where images of one's own are trained by the protocol that is made for digits.

    Args:
        protocol: the protocol that was named; None for the default.
        data: data of the training, as `load_data` takes them; None for those of the protocol.
    """
    from nasbench.data import OWN_IMAGES

    if protocol is None and str(data).partition(":")[0] in OWN_IMAGES:
        note("the protocol is that of the embedded digits; --protocol images suits images of any number", err=True)
