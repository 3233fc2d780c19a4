"""Architectures as rows of results files hold them: a space's specification and choices as JSON."""

from __future__ import annotations

import json

from nasbench.errors import NasbenchError
from nasbench.spaces import get_space


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
        return found.decode(json.loads(choices)).hash
    except (NasbenchError, ValueError, TypeError, RecursionError):
        return ""
