from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import InputError
from nasbench.runners.search.budget import Budget, Ledger


@pytest.mark.parametrize(
    ("text", "limit", "unit"),
    [
        ("6 children", 6, "children"),
        ("1 child", 1, "children"),
        ("2.5 gpu-hours", 9000, "gpu_seconds"),
        ("2.5 device-hours", 9000, "gpu_seconds"),
        ("90 Device-Seconds", 90, "gpu_seconds"),
        ("1 GPU-hour", 3600, "gpu_seconds"),
        ("3 usd", 3, "usd"),
        ("12000 s", 12000, "wall_seconds"),
        ("10min", 600, "wall_seconds"),
        ("1e3 gpu-seconds", 1000, "gpu_seconds"),
    ],
)
def test_reads_budgets(text, limit, unit):
    budget = Budget.parse(text)
    assert (budget.limit, budget.unit) == (limit, unit)


@pytest.mark.parametrize(
    "text",
    ["", "6", "0 children", "10 potatoes", "-1 usd", "1.5 children", "1e999 usd", "..3 s", "children", "nan usd"],
)
def test_refuses_what_is_no_budget_in_one_line(text):
    with pytest.raises(InputError) as error:
        Budget.parse(text)
    assert "\n" not in str(error.value)
    assert repr(text) in str(error.value)


def test_suggests_the_unit():
    with pytest.raises(InputError, match="did you mean 'gpu-hours'"):
        Budget.parse("3 gpuhours")


@given(
    st.lists(st.floats(0.01, 50), min_size=1, max_size=60),
    st.sampled_from(["100 gpu-seconds", "7 children", "0.02 usd"]),
)
def test_counted_children_never_overshoot(costs, text):
    ledger = Ledger(Budget.parse(text), usd_per_hour=1.0)
    for cost in costs:
        if not ledger.room(0) or not ledger.fits(cost):
            break
        ledger.charge("training", cost)
        ledger.children += 1
        assert ledger.spent <= ledger.budget.limit * (1 + 1e-12)


def test_final_retraining_is_beside_the_search_budget():
    ledger = Ledger(Budget.parse("10 gpu-seconds"), usd_per_hour=3600.0)
    ledger.charge("training", 4.0)
    ledger.charge("final", 100.0)
    assert ledger.spent == 4.0
    assert ledger.usd == 4.0
    assert ledger.device_seconds_left == 6.0


# -- exact values, found missing by mutation testing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit", "unit"),
    [
        ("1 gpu-day", 86400, "gpu_seconds"),
        ("2 gpu-minutes", 120, "gpu_seconds"),
        ("3 gpu-seconds", 3, "gpu_seconds"),
        ("4 seconds", 4, "wall_seconds"),
        ("1 min", 60, "wall_seconds"),
        ("5 minutes", 300, "wall_seconds"),
        ("2 h", 7200, "wall_seconds"),
        ("1.5 hours", 5400, "wall_seconds"),
        ("0.25 USD", 0.25, "usd"),
        ("1 children", 1, "children"),
    ],
)
def test_every_unit_is_worth_what_it_says(text, limit, unit):
    assert (Budget.parse(text).limit, Budget.parse(text).unit) == (limit, unit)


@pytest.mark.parametrize("text", ["2.5 children", "0.5 child"])
def test_only_children_come_whole(text):
    with pytest.raises(InputError, match="children come whole"):
        Budget.parse(text)
    assert Budget.parse(text.split()[0] + " gpu-hours").limit == float(text.split()[0]) * 3600


def spent(text: str, usd_per_hour: float = 2.0) -> Ledger:
    """A ledger with 3 children, 90 s of training, 10 s of the searcher, 50 s of final trainings and 700 s of wall time."""
    ledger = Ledger(Budget.parse(text), usd_per_hour)
    ledger.children, ledger.wall_seconds = 3, 700.0
    for category, seconds in (("training", 90.0), ("searcher", 10.0), ("final", 50.0)):
        ledger.charge(category, seconds)
    return ledger


@pytest.mark.parametrize(
    ("text", "amount"),
    [("9 children", 3), ("1000 gpu-seconds", 100), ("1 usd", 100 / 3600 * 2), ("1000 s", 700)],
)
def test_what_is_spent_is_in_the_budgets_unit_and_without_final_trainings(text, amount):
    assert spent(text).spent == pytest.approx(amount, rel=1e-12)
    assert spent(text).usd == pytest.approx(100 / 3600 * 2, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "seconds", "fits"),
    [
        ("4 children", 1e9, True),
        ("3 children", 0.0, False),
        ("120 gpu-seconds", 20.0, True),
        ("120 gpu-seconds", 20.001, False),
        ("0.0625 usd", 12.5, True),  # 112.5 s at 2 USD an hour
        ("0.0625 usd", 12.6, False),
        ("700 s", 1e9, True),
        ("699 s", 0.0, False),
    ],
)
def test_a_child_fits_up_to_and_with_the_limit(text, seconds, fits):
    assert spent(text).fits(seconds) is fits


@pytest.mark.parametrize(
    ("text", "outstanding", "room"),
    [
        ("4 children", 0, True),
        ("4 children", 1, False),
        ("5 children", 1, True),
        ("3 children", 0, False),
        ("2 children", 0, False),
        ("2 children", 3, False),
        ("100 gpu-seconds", 0, False),
        ("100.1 gpu-seconds", 9, True),
        ("99 gpu-seconds", 0, False),
        ("700 s", 0, False),
        ("701 s", 0, True),
    ],
)
def test_there_is_room_while_something_is_left(text, outstanding, room):
    assert spent(text).room(outstanding) is room


@pytest.mark.parametrize(
    ("text", "price", "left"),
    [
        ("130 gpu-seconds", 2.0, 30.0),
        ("1 usd", 2.0, 1700.0),  # 1800 s for 1 USD
        ("1 usd", 0.5, 7100.0),
        ("1 usd", 0.0, float("inf")),
        ("9 children", 2.0, float("inf")),
        ("9000 s", 2.0, float("inf")),
    ],
)
def test_device_seconds_that_are_left(text, price, left):
    assert spent(text, price).device_seconds_left == pytest.approx(left, rel=1e-12)


def test_amounts_of_many_searches_at_once():
    amounts = {
        "children": np.array([1.0, 2.0]),
        "device_seconds": np.array([3.0, 4.0]),
        "usd": np.array([5.0, 6.0]),
        "wall_seconds": np.array([7.0, 8.0]),
    }
    for text, name in (
        ("1 child", "children"),
        ("1 gpu-hour", "device_seconds"),
        ("1 usd", "usd"),
        ("1 s", "wall_seconds"),
    ):
        assert Budget.parse(text).amount(**amounts) is amounts[name]
