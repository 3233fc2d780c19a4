"""Lists of numbers in the texts that spaces write for people, such as the "0,2" of "out [0,2]"."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from nasbench.errors import InputError


def write_numbers(numbers: Iterable[int]) -> str:
    """Write numbers with commas between them.

    Args:
        numbers: the numbers, in the order in which they are written.

    Returns:
        The text, e.g. "0,2"; "" without numbers.
    """
    return ",".join(map(str, numbers))


def read_numbers(text: str) -> tuple[int, ...]:
    """Read a set of numbers.

    Args:
        text: whole numbers with commas between them; spaces and empty parts are ignored.

    Returns:
        The numbers, in rising order.

    Raises:
        InputError: when one of them occurs twice: perhaps another one was meant.
    """
    numbers = sorted(int(part) for part in text.split(",") if part.strip())
    twice = [first for first, second in itertools.pairwise(numbers) if first == second]
    if twice:
        raise InputError(f"expected different numbers, got {twice[0]} twice in [{text}]")
    return tuple(numbers)
