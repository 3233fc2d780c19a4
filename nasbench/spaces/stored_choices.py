"""Architectures as rows of results files hold them: a space's specification and choices as JSON."""

from __future__ import annotations

import json

from nasbench.errors import InputError, NasbenchError, printable
from nasbench.spaces import Architecture, Space, get_space
from nasbench.texts import shortened


def choices_of(text: str) -> list[int] | None:
    """Read the choices of a row.

    Args:
        text: JSON list of ints.

    Returns:
        The choices; None if the text is something else.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(type(choice) is int for choice in found) else None


def decode_stored(space: Space, choices: str) -> Architecture:
    """Decode the choices of a row.

    Args:
        space: the space of the row.
        choices: JSON list of ints.

    Returns:
        The architecture.

    Raises:
        InputError: when the text is no such list, or the choices are none of the space.
    """
    found = choices_of(choices)
    if found is None:
        raise InputError(
            f"the choices of a stored architecture of {space.spec!r} are no JSON list of whole numbers but "
            f"{printable(shortened(choices, 60))!r}: nasbench did not write them"
        )
    return space.decode(found)


def hash_of_choices(space: str, choices: str) -> str | None:
    """Compute the hash of stored choices.

    Args:
        space: specification of the space.
        choices: JSON list of ints, or "" where a row has none.

    Returns:
        The hash; "" if the choices are none of the space; None if this installation does not have the space, or the
        row has no choices.
    """
    if not choices:
        return None
    try:
        found = get_space(space)
    except NasbenchError:
        return None
    try:
        return decode_stored(found, choices).hash
    except NasbenchError:
        return ""
