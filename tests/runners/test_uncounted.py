"""What a search spends on children that its budget does not cover: charged as uncounted, with a row for each child."""

from __future__ import annotations

import metered
import pytest
from metered import Metered
from searching import search, tiny_plan

from nasbench.runners.executors.base import UNFINISHED
from nasbench.runners.search.accountant import Accountant
from nasbench.runners.search.budget import Budget, Ledger
from nasbench.runners.strategies import STRATEGIES
from nasbench.store.format.schema import LEDGER_CATEGORIES
from nasbench.store.query import Results


@pytest.mark.sampled(2)
@pytest.mark.parametrize("budget", ["7 children", "40 gpu-seconds"])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("slots", [1, 4])
def test_the_ledger_is_what_the_devices_were_held_for(tmp_path, slots, ordered, budget):
    plan = tiny_plan(
        budget=budget, final="none", cached="off", ordered=ordered, executor="local", devices=("cpu",) * slots
    )
    executor = Metered(slots)
    search(plan, tmp_path / "a.h5", executor)
    results = Results(str(tmp_path / "a.h5"))
    run, frame = results.runs().iloc[0], results.frame()
    total = 3600 * sum(run[f"{name}_hours"] for name in LEDGER_CATEGORIES)
    searcher = 3600 * run["searcher_hours"]
    counted = frame[frame["counted"]]
    in_rows = 3600 * frame["gpu_hours"].sum()
    assert in_rows == pytest.approx(executor.held)
    assert total - searcher == pytest.approx(executor.held, abs=0.5)  # the searcher's own seconds beyond the budget
    assert total - searcher >= executor.held - 1e-6
    assert 3600 * (run["training_hours"] + run["evaluation_hours"] + run["failed_hours"]) == pytest.approx(
        3600 * counted["gpu_hours"].sum()
    )
    beyond = frame[~frame["counted"]]
    assert 3600 * run["uncounted_hours"] >= 3600 * beyond["gpu_hours"].sum() - 1e-6
    if "children" in budget:
        assert len(counted) == 7
        assert set(beyond["status"]) <= {"unfinished", "ok"}
        assert len(beyond) == 0  # a budget of children never asks for more than it covers
    else:
        assert len(beyond) >= 1
        assert not beyond["status"].eq("unfinished").any() or slots > 1


def test_children_in_training_at_the_end_have_rows(tmp_path):
    plan = tiny_plan(budget="40 gpu-seconds", final="none", cached="off", executor="local", devices=("cpu",) * 4)
    search(plan, tmp_path / "a.h5", Metered(4))
    frame = Results(str(tmp_path / "a.h5")).frame()
    unfinished = frame[frame["status"] == "unfinished"]
    assert len(unfinished) >= 1
    assert (unfinished["error"] == UNFINISHED).all()
    assert not unfinished["counted"].any()
    assert unfinished["val_acc"].isna().all()


def test_children_that_waited_for_their_turn_at_the_end_have_rows_with_their_scores(tmp_path):
    fields = {"ordered": True, "executor": "local", "devices": ("cpu",) * 4, "cached": "off", "final": "none"}
    executor = Metered(4)
    search(tiny_plan(budget="40 gpu-seconds", **fields), tmp_path / "a.h5", executor)
    frame = Results(str(tmp_path / "a.h5")).frame()
    waited = frame[~frame["counted"] & (frame["status"] == "ok")].iloc[1:]  # the first crossed the limit
    assert len(waited) >= 1
    assert waited["val_acc"].notna().all()
    assert 3600 * frame["gpu_hours"].sum() == pytest.approx(executor.held)


def test_a_run_with_such_rows_is_read_back_as_it_was(tmp_path):
    plan = tiny_plan(budget="40 gpu-seconds", final="best", cached="off", executor="local", devices=("cpu",) * 4)
    first = search(plan, tmp_path / "a.h5", Metered(4))
    rows = len(Results(str(tmp_path / "a.h5")).frame())
    again = search(plan, tmp_path / "a.h5", Metered(4))
    assert len(Results(str(tmp_path / "a.h5")).frame()) == rows
    assert again.ledger.device_seconds["training"] == pytest.approx(first.ledger.device_seconds["training"])
    assert again.ledger.device_seconds["uncounted"] == pytest.approx(first.ledger.device_seconds["uncounted"], abs=0.5)


@pytest.fixture
def one_proposal(monkeypatch) -> None:
    """Random search proposes one architecture again and again, whose training takes 5 s."""
    monkeypatch.setattr(
        STRATEGIES.get("random"), "ask", lambda self: self.space.decode([1] * len(self.space.decisions))
    )
    monkeypatch.setattr(metered, "seconds_of", lambda ticket: 5.0)


@pytest.mark.sampled(1)
@pytest.mark.usefixtures("one_proposal")
@pytest.mark.parametrize("ordered", [False, True])
def test_a_cached_child_beyond_the_budget_charges_nothing_in_its_row(tmp_path, ordered):
    plan = tiny_plan(budget="12 gpu-seconds", final="none", ordered=ordered, price="36")
    executor = Metered(1)
    run = search(plan, tmp_path / "a.h5", executor)
    assert executor.held == 5  # the second and the third child are the first one's score
    results = Results(str(tmp_path / "a.h5"))
    frame, row = results.frame(), results.runs().iloc[0]
    assert frame["counted"].tolist() == [True, True, False]
    assert (frame["cached_from"] != "").tolist() == [False, True, True]
    assert (3600 * frame["gpu_hours"]).tolist() == pytest.approx([5, 5, 0])
    assert frame["usd"].tolist() == pytest.approx([0.05, 0.05, 0])
    assert frame["device_seconds"].tolist() == pytest.approx([5, 5, 5])  # of the one training
    ours = sum(row[f"{name}_hours"] for name in LEDGER_CATEGORIES if name not in ("searcher", "uncounted"))
    assert ours == pytest.approx(frame["gpu_hours"].sum())
    assert 3600 * row["uncounted_hours"] < 0.5  # the searcher's last seconds
    stored = search(plan, tmp_path / "a.h5", Metered(1)).ledger.device_seconds
    assert stored["cached"] == pytest.approx(run.ledger.device_seconds["cached"]) == pytest.approx(5)
    assert stored["uncounted"] < 1


def test_rows_of_earlier_versions_with_a_price_for_it_are_not_charged_either():
    accounts = Accountant(Ledger(Budget.parse("12 gpu-seconds"), 0.0), 0.5, "searcher")
    row = {
        "gpu_hours": 5 / 3600,
        "searcher_seconds": 2.0,
        "cached_from": "a/0",
        "continues": "",
        "devices": 1.0,
        "usd": 0.0,
    }
    accounts.enter_uncounted(row)
    assert accounts.ledger.device_seconds["uncounted"] == 1
    accounts.enter_uncounted({**row, "cached_from": "", "devices": 0.5})
    assert accounts.ledger.device_seconds["uncounted"] == pytest.approx(7)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("cached", "price"), [("charge", 5), ("free", 0)])
@pytest.mark.usefixtures("one_proposal")
def test_a_final_training_from_the_cache_costs_what_a_cached_child_costs(tmp_path, cached, price):
    search(tiny_plan(budget="1 children", final_seeds=2), tmp_path / "a.h5", Metered(1))
    plan = tiny_plan(budget="2 children", final_seeds=2, cached=cached)
    executor = Metered(1)
    run = search(plan, tmp_path / "a.h5", executor)
    assert executor.held == 0
    frame = Results(str(tmp_path / "a.h5")).frame()
    mine = frame[frame["run"] == plan.run]
    assert (3600 * mine.loc[mine["stage"] == "final", "gpu_hours"]).tolist() == pytest.approx([price, price])
    assert run.ledger.device_seconds["final"] == pytest.approx(2 * price)
    assert run.ledger.device_seconds["cached"] == pytest.approx(2 * price)
