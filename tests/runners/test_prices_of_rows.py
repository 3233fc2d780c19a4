"""A row says its price, and the ledger of a run is never less than what its rows and earlier attempts say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import searching
from made_up_children import MadeUp
from searching import search, tiny_plan

import nasbench
from nasbench.analysis.comparison.anytime import search_usd, trajectories
from nasbench.analysis.comparison.compare import summarize
from nasbench.costs.spent_usd import usd_spent
from nasbench.runners.search import accountant
from nasbench.runners.search.killed_runs import runs_as_spent
from nasbench.runners.search.loop import Search
from nasbench.runners.search.status import file_status
from nasbench.runners.strategies.random import RandomSearch
from nasbench.store.format.schema import LEDGER_CATEGORIES
from nasbench.store.query import Results

HOUR = 3600.0
LEDGER = [f"{name}_hours" for name in LEDGER_CATEGORIES]


def run_of(path: Path, run: str) -> pd.Series[Any]:
    runs = Results(str(path)).runs()
    return runs[runs["run"] == run].iloc[0]


@pytest.fixture
def slow_searcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `ask` takes a second of a clock that nothing else moves."""
    now = [0.0]
    ask = RandomSearch.ask

    def asked(self: RandomSearch) -> Any:
        now[0] += 1.0
        return ask(self)

    monkeypatch.setattr(RandomSearch, "ask", asked)
    monkeypatch.setattr(accountant.time, "perf_counter", lambda: now[0])


@pytest.mark.usefixtures("slow_searcher")
def test_the_searchers_seconds_for_a_free_child_keep_their_price(tmp_path: Path) -> None:
    """With --cached free a child is charged no hours, so that its USD say no price."""
    path, fields = tmp_path / "a.h5", {"final": "none", "cached": "free", "budget": "8 children"}
    search(tiny_plan(budget="8 children", final="none"), path, MadeUp())  # fills the cache with other prices
    plans = [tiny_plan(price=price, child_seeds="run", **fields) for price in ("36", "360", "3.6")]
    assert len({plan.run for plan in plans}) == 1
    run = plans[0].run

    stops = iter((3, 3))

    class Stopping(Search):
        """Ctrl-C after some children of this attempt."""

        left = 0

        def _tell(self, *given: Any) -> None:
            super()._tell(*given)
            if not self._repeats:
                self.left -= 1
                if self.left == 0:
                    raise KeyboardInterrupt

    real = searching.Search
    for plan in plans:
        Stopping.left = next(stops, -1)
        searching.Search = Stopping  # type: ignore[misc]
        try:
            search(plan, path, MadeUp())
        except KeyboardInterrupt:
            pass
        finally:
            searching.Search = real  # type: ignore[misc]
    frame = Results(str(path)).frame()
    mine = frame[(frame["run"] == run) & frame["counted"]]
    assert mine["gpu_hours"].tolist() == [0.0] * 8
    assert mine["usd_per_hour"].tolist() == [36.0] * 3 + [360.0] * 3 + [3.6] * 2
    searched = np.cumsum([0.01] * 3 + [0.1] * 3 + [0.001] * 2)
    assert trajectories(mine, Results(str(path)).runs(), "usd")["spent"].tolist() == pytest.approx(searched.tolist())
    status = next(each for each in file_status(str(path)).runs if each.run == run)
    assert status.usd == pytest.approx(searched[-1])
    # Beside the budget: the second attempt repeats three proposals, the third six.
    assert run_of(path, run)["usd"] == pytest.approx(searched[-1] + 3 * 0.1 + 6 * 0.001)
    assert f"{searched[-1]:.4g} USD; uncounted" in nasbench.Run(path, run)._spent_text()
    runs = Results(str(path)).runs()
    of_search = search_usd(frame, runs)
    assert of_search[run] == pytest.approx(searched[-1])
    compared = summarize(frame[frame["run"] == run], runs[runs["run"] == run]).iloc[0]
    assert compared["search_usd"] == pytest.approx(searched[-1])
    assert compared["usd_beside"] == pytest.approx(3 * 0.1 + 6 * 0.001)


def test_rows_without_a_price_have_that_of_their_usd() -> None:
    spent, hours, usd = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.0, 1.0]), np.array([1.0, 0.0, 2.0])
    found = usd_spent(spent, hours, usd)
    assert found is not None
    assert found.tolist() == [2.0, 4.0, 6.0]
    stated = usd_spent(spent, hours, usd, np.array([2.0, 10.0, np.nan]))
    assert stated is not None
    assert stated.tolist() == [2.0, 12.0, 14.0]
    assert usd_spent(spent, hours, np.full(3, np.nan)) is None
    assert usd_spent(np.array([1.0, np.nan, 3.0]), hours, usd) is None


@pytest.mark.parametrize("at", [0, 1, 4])
def test_ctrl_c_while_stored_rows_are_repeated_loses_no_charge(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plan = tmp_path / "a.h5", tiny_plan(budget="8 children", final="incumbents", cached="off", price="36")
    with pytest.raises(KeyboardInterrupt):
        search(plan, path, MadeUp(killed_at=5))
    before = run_of(path, plan.run)
    assert before["children"] == 5
    ask, calls = RandomSearch.ask, [0]

    def interrupted(self: RandomSearch) -> Any:
        if calls[0] == at:
            raise KeyboardInterrupt
        calls[0] += 1
        return ask(self)

    monkeypatch.setattr(RandomSearch, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(plan, path, MadeUp())
    after = run_of(path, plan.run)
    assert (after["status"], after["children"]) == ("interrupted", 5)
    searched = [name for name in LEDGER if name != "uncounted_hours"]
    assert after[searched].tolist() == pytest.approx(before[searched].tolist())
    assert after["uncounted_hours"] >= before["uncounted_hours"]
    assert after["usd"] >= before["usd"]
    assert after["wall_seconds"] >= before["wall_seconds"]
    monkeypatch.setattr(RandomSearch, "ask", ask)
    assert search(plan, path, MadeUp()).ledger.children == 8


class FirstFinal(MadeUp):
    """Ctrl-C in the final stage, after its first training."""

    finals = 0

    def submit(self, ticket: Any, child: Any) -> None:
        self.finals += child.test
        super().submit(ticket, child)

    def wait(self) -> Any:
        if self.finals and self._left == 0:
            raise KeyboardInterrupt
        if self.finals and self._left < 0:
            self._left = 1
        return super().wait()


def test_final_trainings_are_charged_before_the_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed attempt that is killed leaves a run whose row has them."""
    path = tmp_path / "a.h5"
    plan = tiny_plan(budget="3 children", final="best", final_seeds=2, cached="off", price="36")
    with pytest.raises(KeyboardInterrupt):
        search(plan, path, FirstFinal())
    assert run_of(path, plan.run)["final_hours"] * HOUR == pytest.approx(4.0)

    class Killed(Search):
        def _search(self) -> None:
            raise SystemExit

    monkeypatch.setattr(searching, "Search", Killed)
    with pytest.raises(SystemExit):
        search(plan, path, MadeUp())
    killed = run_of(path, plan.run)
    assert killed["status"] == "running"
    assert killed["final_hours"] * HOUR == pytest.approx(4.0)
    monkeypatch.undo()
    search(plan, path, MadeUp())
    assert run_of(path, plan.run)["final_hours"] * HOUR == pytest.approx(8.0)


def test_the_ledger_of_a_killed_run_is_that_of_its_rows(tmp_path: Path) -> None:
    path, plan = tmp_path / "a.h5", tiny_plan(budget="8 children", final="none", cached="off", price="36")

    class Killed(MadeUp):
        def wait(self) -> Any:
            if self._left == 0:
                raise SystemExit
            return super().wait()

    with pytest.raises(SystemExit):
        search(plan, path, Killed(killed_at=5))
    stale = run_of(path, plan.run)
    assert (stale["status"], stale["children"], stale["usd"]) == ("running", 0, 0.0)
    results = Results(str(path))
    found, frame = runs_as_spent(results).iloc[0], results.frame()
    assert found["children"] == 5
    assert (found["training_hours"] + found["evaluation_hours"]) * HOUR == pytest.approx(20.0)
    assert found[LEDGER].sum() == pytest.approx(frame["spent_gpu_hours"].iloc[-1])
    assert found["usd"] == pytest.approx(36.0 * frame["spent_gpu_hours"].iloc[-1])
    assert found["wall_seconds"] >= frame["wall_seconds"].max()
    assert nasbench.cost(str(path)).data["usd"].iloc[0] == pytest.approx(found["usd"])
