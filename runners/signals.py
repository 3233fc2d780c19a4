"""Handling of Ctrl-C, SIGTERM and SIGHUP (a terminal that was closed): they stop a command resumably, and the interruption is always recorded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


_EXPLAINED: Final = "nasbench_explained"


@contextmanager
def termination_as_interrupt(here_only: bool = False) -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C: stop cleanly and resumably. Where SIGHUP is ignored (nohup), it stays so.

    Args:
        here_only: whether processes that are forked inside end at once, as without this function.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    process = os.getpid()

    def interrupt(number: int, _: Any) -> None:
        if here_only and os.getpid() != process:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        raise KeyboardInterrupt

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    treated = (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in treated}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def explained(interrupt: KeyboardInterrupt) -> KeyboardInterrupt:
    """Mark an interruption of which the user was told what to do next.

    Args:
        interrupt: the exception, to be raised on.

    Returns:
        The same exception.
    """
    vars(interrupt)[_EXPLAINED] = True
    return interrupt


def is_explained(interrupt: BaseException) -> bool:
    """Check whether `explained` marked an exception.

    Args:
        interrupt: any exception.

    Returns:
        Whether the user was told what to do next.
    """
    return _EXPLAINED in vars(interrupt)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Restore the signal handlers after the block, in case a library changes them."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    kept = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def interruptions_deferred() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP wait until the block has ended; other threads receive no signals anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    try:
        with handlers_kept():
            for number in _STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, lambda received, _: arrived.append(received))
            yield
    finally:
        for first in arrived[:1]:
            signal.raise_signal(first)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP within the block, while the interruption is being recorded."""
    with handlers_kept():
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                signal.signal(number, signal.SIG_IGN)
        yield
