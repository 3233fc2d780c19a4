"""Checks of the clocks: the steady clock measures the seconds that are charged, the wall clock dates rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Final

from nasbench.doctor.findings import Finding

EARLIEST: Final = datetime(2025, 1, 29, tzinfo=timezone.utc)  # release of torch 2.6, the oldest supported version
FAR: Final = datetime(2046, 1, 1, tzinfo=timezone.utc)
COARSE_S: Final = 1e-3  # seconds; a coarser resolution cannot measure short steps
JUMP_S: Final = 0.05  # seconds by which the two clocks may differ over the short sleep
SLEEP_S: Final = 0.2
READINGS: Final = 5
_finding = partial(Finding, "clock")


@dataclass(frozen=True)
class ClockFacts:
    """Readings of the clocks around a short sleep.

    Args:
        now: seconds since 1970 by the wall clock.
        resolution: resolution of the steady clock in seconds.
        slept: requested seconds of the sleep.
        steady: seconds that passed by the steady clock.
        wall: seconds that passed by the wall clock.
    """

    now: float
    resolution: float
    slept: float
    steady: float
    wall: float


def clock_facts(
    seconds: float = SLEEP_S,
    steady: Callable[[], float] = time.perf_counter,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> ClockFacts:
    """Read both clocks around a short sleep.

    Args:
        seconds: length of the sleep in seconds, > 0.
        steady: returns the seconds of the steady clock.
        wall: returns the seconds since 1970 by the wall clock.
        sleep: sleeps for a number of seconds.

    Returns:
        The readings.
    """
    first, then = _together(steady, wall)
    sleep(seconds)
    last, now = _together(steady, wall)
    return ClockFacts(now, time.get_clock_info("perf_counter").resolution, seconds, last - first, now - then)


def _together(steady: Callable[[], float], wall: Callable[[], float]) -> tuple[float, float]:
    """Read both clocks at one moment; of several readings, return the shortest, as a busy machine may interrupt one."""
    readings = [(steady(), wall(), steady()) for _ in range(READINGS)]
    before, said, after = min(readings, key=lambda reading: reading[2] - reading[0])
    return (before + after) / 2, said


def check_clock(facts: ClockFacts) -> list[Finding]:
    """Check that the steady clock is precise, and that the wall clock is plausible and not being set.

    Args:
        facts: the readings.

    Returns:
        One finding per clock.
    """
    findings = []
    short = facts.slept * 0.95 - 2 * facts.resolution
    if facts.steady < short:
        found = f"{facts.steady:.3f} s passed in a sleep of {facts.slept:g} s: wrong seconds would be charged"
        advice = "choose another clock source of the system, or another machine"
        findings.append(_finding("steady clock", "wrong", found, advice, True))
    elif facts.resolution > COARSE_S:
        found = f"resolution {facts.resolution:.2g} s: seconds of training, evaluation and searcher are imprecise"
        findings.append(_finding("steady clock", "note", found))
    else:
        findings.append(_finding("steady clock", "ok", f"resolution {facts.resolution:.0e} s"))
    today = datetime.fromtimestamp(facts.now, timezone.utc) if 0 <= facts.now < 4e11 / 2 else None
    if today is None or not EARLIEST <= today <= FAR:
        said = today.isoformat(timespec="seconds") if today is not None else f"{facts.now:g} s after 1970"
        found = f"it says {said}, which cannot be: rows would have wrong dates"
        findings.append(_finding("wall clock", "wrong", found, "set the clock, e.g. by NTP"))
    elif abs(facts.wall - facts.steady) > JUMP_S:
        found = (
            f"it changed by {facts.wall:+.2f} s while {facts.steady:.2f} s passed: it is being set, and dates of rows "
            "may be wrong"
        )
        findings.append(
            _finding(
                "wall clock", "note", found, "check NTP; charged seconds are right, they are from the steady clock"
            )
        )
    else:
        findings.append(
            _finding("wall clock", "ok", f"{today.isoformat(timespec='seconds')}, runs like the steady clock")
        )
    return findings
