"""Check of what a strategy proposes, before anything is trained or stored."""

from __future__ import annotations

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Space


def require_proposal(proposed: object, space: Space, strategy: str) -> Architecture:
    """Return a proposal if it is an architecture of the searched space.

    Args:
        proposed: what `ask()` returned, except None.
        space: the searched space. Variations of its options are accepted, e.g. cells with fewer blocks.
        strategy: name of the strategy, for the message.

    Returns:
        The architecture.

    Raises:
        InputError: when it is something else, an architecture of another space, or has choices out of range.
    """
    if not isinstance(proposed, Architecture):
        raise InputError(
            f"strategy {strategy!r} proposes {str(proposed)[:80]!r} ({type(proposed).__name__}); ask() returns an "
            "architecture, or None to end"
        )
    if proposed.space.name != space.name:
        raise InputError(
            f"strategy {strategy!r} proposes an architecture of the space {proposed.space.spec!r}, but the search is in "
            f"{space.spec!r}"
        )
    try:
        if proposed.space.decode(proposed.choices).choices == proposed.choices:
            return proposed
        why = f"choices {str(proposed.choices)[:80]} are no tuple of ints"
    except (InputError, TypeError, ValueError) as error:
        why = str(error)
    raise InputError(f"strategy {strategy!r} proposes what is no architecture of {proposed.space.spec!r}: {why}")
