"""What Ctrl-C and SIGTERM do while a command runs: both stop it resumably, and neither cuts off the note that it was stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C: stop cleanly and resumably."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Handlers that a library sets meanwhile do not stay."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set them
        yield
        return
    kept = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C changes nothing: for the moment in which the first is written down."""
    with handlers_kept():
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                signal.signal(number, signal.SIG_IGN)
        yield
