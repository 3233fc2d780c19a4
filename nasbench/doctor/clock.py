"""The clocks: seconds are charged by the one that never jumps, and rows are dated by the wall's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Final

from nasbench.doctor.findings import Finding

EARLIEST: Final = datetime(2025, 1, 29, tzinfo=timezone.utc)  # torch 2.6, the oldest that is supported, is of this day
FAR: Final = datetime(2046, 1, 1, tzinfo=timezone.utc)
COARSE_S: Final = 1e-3  # resolution beyond which short steps cannot be charged
JUMP_S: Final = 0.05  # by which the wall's clock may differ from the steady one over the short sleep
SLEEP_S: Final = 0.2
READINGS: Final = 5
_finding = partial(Finding, "clock")


@dataclass(frozen=True)
class ClockFacts:
    """Readings of the clocks around a short sleep.

    Args:
        now: seconds since 1970 by the wall's clock.
        resolution: seconds, of the steady clock.
        slept: seconds that were asked for.
        steady: seconds that passed by the steady clock.
        wall: seconds that passed by the wall's.
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
        seconds: of sleep.
        steady: the clock by which seconds are charged.
        wall: the clock by which rows are dated.
        sleep: sleeps.
    """
    first, then = _together(steady, wall)
    sleep(seconds)
    last, now = _together(steady, wall)
    return ClockFacts(now, time.get_clock_info("perf_counter").resolution, seconds, last - first, now - then)


def _together(steady: Callable[[], float], wall: Callable[[], float]) -> tuple[float, float]:
    """Both clocks at one moment: of some readings the one during which the least time passed, as a busy machine stops in between."""
    readings = [(steady(), wall(), steady()) for _ in range(READINGS)]
    before, said, after = min(readings, key=lambda reading: reading[2] - reading[0])
    return (before + after) / 2, said


def check_clock(facts: ClockFacts) -> list[Finding]:
    """Judge the clocks.

    Args:
        facts: the readings.
    """
    findings = []
    short = facts.slept * 0.95 - 2 * facts.resolution
    if facts.steady < short:
        found = f"{facts.steady:.3f} s passed in a sleep of {facts.slept:g} s: seconds would be charged wrongly"
        advice = "choose another clock source for the machine, or another machine"
        findings.append(_finding("steady clock", "wrong", found, advice, True))
    elif facts.resolution > COARSE_S:
        found = f"resolution {facts.resolution:.2g} s: the shares of training, evaluation and searcher are coarse"
        findings.append(_finding("steady clock", "note", found))
    else:
        findings.append(_finding("steady clock", "ok", f"resolution {facts.resolution:.0e} s"))
    today = datetime.fromtimestamp(facts.now, timezone.utc) if 0 <= facts.now < 4e11 / 2 else None
    if today is None or not EARLIEST <= today <= FAR:
        said = today.isoformat(timespec="seconds") if today is not None else f"{facts.now:g} s after 1970"
        found = f"it says {said}, which cannot be: rows would be dated wrongly"
        findings.append(_finding("wall clock", "wrong", found, "set it, by NTP"))
    elif abs(facts.wall - facts.steady) > JUMP_S:
        found = f"it went {facts.wall:+.2f} s while {facts.steady:.2f} s passed: it is being set, and rows would be dated by it"
        findings.append(_finding("wall clock", "note", found, "seconds are charged by the steady clock; look at NTP"))
    else:
        findings.append(
            _finding("wall clock", "ok", f"{today.isoformat(timespec='seconds')}, goes with the steady one")
        )
    return findings
