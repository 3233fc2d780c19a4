"""Checks of a space's options. Each raises one clear line that names the space, the option and the value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbench.errors import InputError, did_you_mean


def check_range(space: str, option: str, value: Any, low: int, high: int) -> None:
    """Check that an option is an int in [low, high].

    Args:
        space: the space's name, for the message.
        option: the option's name, for the message.
        value: the option's value.
        low: smallest allowed value.
        high: largest allowed value.

    Raises:
        InputError: when the value is not an int in this range; a bool is no int here.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(
            f"option {option!r} of space {space!r} takes a whole number from {low} to {high}, got {value!r}"
        )


def check_one_of(space: str, option: str, value: Any, allowed: Sequence[str]) -> None:
    """Check that an option is one of the allowed words.

    Args:
        space: the space's name, for the message.
        option: the option's name, for the message.
        value: the option's value.
        allowed: the words to choose from.

    Raises:
        InputError: when the value is none of them; suggests the closest one.
    """
    if value not in allowed:
        hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
        raise InputError(f"option {option!r} of space {space!r} takes one of {', '.join(allowed)}, got {value!r}{hint}")


def check_words(space: str, option: str, values: Any, allowed: Sequence[str]) -> None:
    """Check that an option is a tuple of one or more different words, all of them allowed.

    Args:
        space: the space's name, for the message.
        option: the option's name, for the message.
        values: the option's value, a tuple of hashable values.
        allowed: the words to choose from.

    Raises:
        InputError: when the value is no tuple, is empty, has a word twice, or has a word that is not allowed.
    """
    _check_tuple(space, option, values)
    for value in values:
        check_one_of(space, option, value, allowed)


def check_numbers(space: str, option: str, values: Any, low: int, high: int) -> None:
    """Check that an option is a tuple of one or more different ints, all of them in [low, high].

    Args:
        space: the space's name, for the message.
        option: the option's name, for the message.
        values: the option's value, a tuple of hashable values.
        low: smallest allowed number.
        high: largest allowed number.

    Raises:
        InputError: when the value is no tuple, is empty, has a number twice, or has a number out of range.
    """
    _check_tuple(space, option, values)
    for value in values:
        check_range(space, option, value, low, high)


def _check_tuple(space: str, option: str, values: Any) -> None:
    if not isinstance(values, tuple) or not values or len(set(values)) < len(values):
        raise InputError(f"option {option!r} of space {space!r} takes one or more different values, got {values!r}")
