from __future__ import annotations

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
