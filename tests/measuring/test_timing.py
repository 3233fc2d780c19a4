"""Interleaved timing and its statistics, with a fake clock: no test depends on this machine's speed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.measuring.timing import Timing, interleaved_seconds


class Machine:
    """A clock that only moves when a function runs; each call of function i takes `costs[i]` times the pace."""

    def __init__(self, costs: list[float]) -> None:
        self.now, self.pace = 0.0, 1.0
        self.called: list[int] = []
        self.calls = [self.function(place, cost) for place, cost in enumerate(costs)]

    def function(self, place: int, cost: float):
        def call() -> None:
            self.called.append(place)
            self.now += cost * self.pace

        return call

    def clock(self) -> float:
        return self.now


def test_each_call_is_timed_alone_and_exactly() -> None:
    machine = Machine([1.0, 2.0, 4.0])
    seconds = interleaved_seconds(machine.calls, 5, 3, clock=machine.clock)
    assert seconds.tolist() == [[1.0] * 5, [2.0] * 5, [4.0] * 5]


def test_each_round_has_every_function_once_after_an_untimed_call() -> None:
    machine = Machine([1.0, 1.0, 1.0])
    rounds: list[int] = []
    interleaved_seconds(machine.calls, 6, 2, seed=1, clock=machine.clock, after_round=rounds.append)
    assert machine.called[:6] == [0, 0, 1, 1, 2, 2]  # warm-up
    pairs = np.array(machine.called[6:]).reshape(6, 3, 2)
    assert (pairs[..., 0] == pairs[..., 1]).all()
    assert (np.sort(pairs[..., 0], axis=1) == [0, 1, 2]).all()
    assert len({tuple(order) for order in pairs[..., 0].tolist()}) > 1
    assert rounds == [1, 2, 3, 4, 5, 6]


def test_the_order_follows_from_the_seed() -> None:
    orders = []
    for seed in (3, 3, 4):
        machine = Machine([1.0] * 5)
        interleaved_seconds(machine.calls, 4, 0, seed=seed, clock=machine.clock)
        orders.append(machine.called)
    assert orders[0] == orders[1] != orders[2]


def test_a_slow_phase_of_the_machine_falls_on_all_alike() -> None:
    machine = Machine([1.0, 2.0])

    def drift(round_: int) -> None:
        machine.pace = 10.0 if round_ >= 4 else 1.0  # the second half of the rounds is ten times slower

    seconds = interleaved_seconds(machine.calls, 8, 0, clock=machine.clock, after_round=drift)
    assert (seconds[1] == 2 * seconds[0]).all()
    first, second = (Timing.of(each) for each in seconds)
    assert second.median == 2 * first.median


def test_a_function_that_sleeps_takes_at_least_as_long() -> None:
    (seconds,) = interleaved_seconds([lambda: time.sleep(0.002)], 3, 0)
    assert (seconds >= 0.002).all()


@pytest.mark.parametrize("seed", range(5))
def test_statistics_are_numpys(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(size=37)
    timing = Timing.of(values)
    assert timing.median == np.median(values)
    assert (timing.low, timing.high) == (np.quantile(values, 0.05), np.quantile(values, 0.95))
    assert timing.spread == np.median(np.abs(values - np.median(values)))
    assert (timing.n, timing.minimum, timing.mean) == (37, values.min(), values.mean())


def test_outliers_are_counted_and_kept() -> None:
    timing = Timing.of([1.0, 1.1, 1.2, 1.3, 1.4, 100.0])
    assert (timing.outliers, timing.n) == (1, 6)
    assert timing.mean > 10
    assert Timing.of([2.0]) == Timing(2.0, 2.0, 2.0, 0.0, 2.0, 2.0, 1, 0)


def test_numbers_out_of_range_are_refused() -> None:
    for repetitions, warm_up in ((0, 0), (1, -1)):
        with pytest.raises(InputError, match="repetitions >= 1 and warm-up >= 0"):
            interleaved_seconds([int], repetitions, warm_up)
    with pytest.raises(InputError, match="at least one call"):
        Timing.of([])
