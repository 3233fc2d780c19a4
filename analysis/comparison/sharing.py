"""Intermediate results that several parts of one report need, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_found: ContextVar[dict[Any, tuple[tuple[Any, ...], Any]] | None] = ContextVar("found", default=None)


@contextmanager
def computed_once() -> Iterator[None]:
    """Let `once` keep its results within the block, in which no frame may be changed."""
    token = _found.set({})
    try:
        yield
    finally:
        _found.reset(token)


def once(call: Callable[..., T], *frames: Any) -> T:
    """Call a function, or return what it returned for the same frames before within a block of `computed_once`.

    Args:
        call: a function of the frames alone.
        *frames: its arguments; "the same" is meant by identity, not by content.

    Returns:
        Its result, which must not be changed.
    """
    kept = _found.get()
    if kept is None:
        return call(*frames)
    key = (call, *map(id, frames))
    if key not in kept:
        kept[key] = frames, call(*frames)  # kept with the frames, so that no other frame gets their ids
    found: T = kept[key][1]
    return found
