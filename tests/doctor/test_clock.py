"""Clocks that stand still, jump, are coarse or were never set."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from nasbench.doctor.clock import ClockFacts, check_clock, clock_facts

TODAY = datetime(2026, 6, 1, tzinfo=timezone.utc).timestamp()
GOOD = ClockFacts(now=TODAY, resolution=1e-9, slept=0.2, steady=0.2001, wall=0.2001)


def levels(facts):
    return {finding.name: (finding.level, finding.breaks) for finding in check_clock(facts)}


def test_good_clocks():
    assert levels(GOOD) == {"steady clock": ("ok", False), "wall clock": ("ok", False)}
    assert {level for level, _ in levels(clock_facts()).values()} == {"ok"}


@pytest.mark.parametrize(
    ("changes", "name", "level", "breaks"),
    [
        ({"steady": 0.0, "wall": 0.0}, "steady clock", "wrong", True),
        ({"steady": -0.2, "wall": -0.2}, "steady clock", "wrong", True),
        ({"steady": 0.15, "wall": 0.15}, "steady clock", "wrong", True),
        ({"steady": 3.0, "wall": 3.0}, "steady clock", "ok", False),  # a busy machine wakes late
        ({"resolution": 0.0156, "steady": 0.19, "wall": 0.19}, "steady clock", "note", False),
        ({"now": 0.0}, "wall clock", "wrong", False),
        ({"now": -1.0}, "wall clock", "wrong", False),
        ({"now": 1e30}, "wall clock", "wrong", False),
        ({"now": datetime(2024, 12, 31, tzinfo=timezone.utc).timestamp()}, "wall clock", "wrong", False),
        ({"now": datetime(2050, 1, 1, tzinfo=timezone.utc).timestamp()}, "wall clock", "wrong", False),
        ({"wall": 5.2}, "wall clock", "note", False),
        ({"wall": -3599.8}, "wall clock", "note", False),
    ],
)
def test_clocks_that_are_not_good(changes, name, level, breaks):
    facts = ClockFacts(**{**vars(GOOD), **changes})
    found = {finding.name: finding for finding in check_clock(facts)}[name]
    assert (found.level, found.breaks) == (level, breaks)


class Clocks:
    """Two clocks that a test moves."""

    def __init__(self):
        self.steady, self.wall, self.slept, self.stops = 10.0, TODAY, [], []

    def read_wall(self):
        if self.stops:
            self.steady += self.stops.pop()  # the process is stopped between two readings
        return self.wall

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.steady += seconds
        self.wall += 3600.0


def test_both_clocks_are_read_around_the_sleep():
    clocks = Clocks()
    facts = clock_facts(0.25, lambda: clocks.steady, clocks.read_wall, clocks.sleep)
    assert (clocks.slept, facts.slept, facts.steady, facts.wall, facts.now) == (
        [0.25],
        0.25,
        0.25,
        3600.0,
        TODAY + 3600,
    )
    assert levels(facts)["wall clock"] == ("note", False)


def test_a_busy_machine_that_stops_between_two_readings_is_no_jump():
    clocks = Clocks()
    clocks.stops = [0.0, 0.3, 0.2, 0.4, 0.5]
    facts = clock_facts(0.25, lambda: clocks.steady, clocks.read_wall, lambda seconds: None)
    assert facts.steady == pytest.approx(0.0)
    clocks.stops = [0.4, 0.3, 0.0, 0.2, 0.5]
    facts = clock_facts(0.25, lambda: clocks.steady, clocks.read_wall, lambda seconds: None)
    assert facts.steady == pytest.approx(0.3 + 0.4)  # what passed after the reading that is kept
