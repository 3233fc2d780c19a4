"""Checks of a space's options, each ending in one clear line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbench.errors import InputError, did_you_mean


def check_range(space: str, option: str, value: Any, low: int, high: int) -> None:
    """Refuse an option that is not an int in [low, high].

    Raises:
        InputError: naming the space, the option, the range and the value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(
            f"option {option!r} of space {space!r} takes a whole number from {low} to {high}, got {value!r}"
        )


def check_one_of(space: str, option: str, value: Any, allowed: Sequence[str]) -> None:
    """Refuse an option that is not one of the allowed words.

    Raises:
        InputError: naming the space, the option, the allowed words and the value.
    """
    if value not in allowed:
        hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
        raise InputError(f"option {option!r} of space {space!r} takes one of {', '.join(allowed)}, got {value!r}{hint}")


def check_words(space: str, option: str, values: Any, allowed: Sequence[str]) -> None:
    """Refuse an option that is not a non-empty tuple of distinct allowed words.

    Raises:
        InputError: naming the space, the option and what is wrong with the value.
    """
    _check_tuple(space, option, values)
    for value in values:
        check_one_of(space, option, value, allowed)


def check_numbers(space: str, option: str, values: Any, low: int, high: int) -> None:
    """Refuse an option that is not a non-empty tuple of distinct ints in [low, high].

    Raises:
        InputError: naming the space, the option and what is wrong with the value.
    """
    _check_tuple(space, option, values)
    for value in values:
        check_range(space, option, value, low, high)


def _check_tuple(space: str, option: str, values: Any) -> None:
    if not isinstance(values, tuple) or not values or len(set(values)) < len(values):
        raise InputError(f"option {option!r} of space {space!r} takes one or more different values, got {values!r}")
