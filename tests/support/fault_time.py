"""How long the parts of `make test-faults` may take: FAULT_MINUTES is the time for all of them, without end when it is not set."""

from __future__ import annotations

import os
import time

# Of the time for all: what each part gets.
SHARES = {
    "kills": 0.4,
    "calls": 0.2,
    "calls of Python": 0.05,
    "power cuts": 0.1,
    "flips": 0.1,
    "hostile files": 0.1,
    "takeovers": 0.05,
}


def minutes_for(part: str) -> float:
    """Minutes that a part may take, infinity when all of it is to be done."""
    return SHARES[part] * float(os.environ.get("FAULT_MINUTES", "inf"))


def deadline(part: str) -> float:
    """When a part that begins now has to stop, on the clock of `time.monotonic`."""
    return time.monotonic() + 60 * minutes_for(part)
