"""Rules of a search that a fault of one line would break: what is charged, what counts, what becomes the incumbent, what is reused."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from made_up_children import CHILD_SECONDS, EVALUATION_SECONDS, MadeUp
from searching import search, tiny_plan

import nasbench
from nasbench.analysis.comparison.anytime import trajectories
from nasbench.runners.search import accountant
from nasbench.runners.search.budget import Budget, Ledger
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.status import file_status
from nasbench.runners.strategies.random import RandomSearch
from nasbench.store.cache import ScoreCache
from nasbench.store.format.schema import REPEATABLE_STATUSES, STATUSES
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

HOUR = 3600.0


@pytest.fixture
def ticking(monkeypatch) -> None:
    """Making the strategy, every `ask` and every `tell` take one second of the searcher's clock."""
    ticks = iter(range(10**6))
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)), monotonic=time.monotonic)
    monkeypatch.setattr(accountant, "time", clock)


def children(path):
    return Results(str(path)).frame(stage="search")


@pytest.mark.usefixtures("ticking")
def test_the_searchers_seconds_count_against_the_budget(tmp_path):
    plan = tiny_plan(budget="10 gpu-seconds", final="none", cached="off")
    search(plan, tmp_path / "a.h5", MadeUp())
    frame = children(tmp_path / "a.h5")
    # 4 s of training + 1 s of making the strategy + 1 s of ask; then 4 s + 1 s of tell + 1 s of ask: 12 of 10.
    assert frame["searcher_seconds"].tolist() == [2, 2]
    assert frame["counted"].tolist() == [True, False]
    assert frame["reward"].notna().tolist() == [True, False]  # what was not told has no reward
    # A child's own seconds and those of the searcher before it are part of what is spent when it is stored, if it counts.
    assert (frame["spent_gpu_hours"] * HOUR).tolist() == pytest.approx([CHILD_SECONDS + 2, CHILD_SECONDS + 2])
    run = Results(str(tmp_path / "a.h5")).runs().iloc[0]
    assert run["searcher_hours"] * HOUR == pytest.approx(2)
    assert run["training_hours"] * HOUR == pytest.approx(CHILD_SECONDS - EVALUATION_SECONDS)
    # The second child and the searcher's 2 s for it are beyond the budget; so is the 1 s in which it was stored.
    assert run["uncounted_hours"] * HOUR == pytest.approx(CHILD_SECONDS + 2 + 1)


class CutOff(MadeUp):
    """A child that has less time than it needs is stopped shortly before that time has passed."""

    def submit(self, ticket, child):
        super().submit(ticket, child)
        self.left = child.timeout_seconds

    def wait(self):
        ((ticket, evaluation),) = super().wait()
        if self.left < CHILD_SECONDS:
            spent = {"train_seconds": 0.95 * self.left, "eval_seconds": 0.0}
            evaluation = replace(evaluation, status="timed_out", val_acc=float("nan"), curves={}, **spent)
        return [(ticket, evaluation)]


def test_a_child_that_the_end_of_the_budget_stops_is_no_failure(tmp_path, monkeypatch):
    """It did not use up the budget, and was not too slow by itself: it must not be told, nor followed by another child."""
    executor, told = CutOff(), []
    monkeypatch.setattr(RandomSearch, "tell", lambda _self, outcome: told.append(outcome.index))
    search(tiny_plan(budget="10 gpu-seconds", final="none", cached="off"), tmp_path / "a.h5", executor)
    frame = children(tmp_path / "a.h5")
    assert frame["status"].tolist() == ["ok", "ok", "timed_out"]
    assert frame["counted"].tolist() == [True, True, False]
    assert told == [0, 1]
    assert 0 < executor.left <= 10 - 2 * CHILD_SECONDS


@pytest.mark.usefixtures("ticking")
def test_a_resumed_run_does_not_charge_the_searcher_again(tmp_path):
    plan = tiny_plan(budget="6 children", final="none", cached="off")
    search(plan, tmp_path / "whole.h5", MadeUp())
    with pytest.raises(KeyboardInterrupt):
        search(plan, tmp_path / "parts.h5", MadeUp(killed_at=4))
    search(plan, tmp_path / "parts.h5", MadeUp())
    whole, parts = (children(tmp_path / name)["searcher_seconds"].tolist() for name in ("whole.h5", "parts.h5"))
    assert whole == [2, 2, 2, 2, 2, 2]
    # The tell of child 3 and the ask of child 4 were lost with the first process; only the second ask of child 4 is charged.
    assert parts == [2, 2, 2, 2, 1, 2]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("step", ["ask", "tell"])
@pytest.mark.usefixtures("ticking")
def test_ctrl_c_in_the_strategys_own_work_does_not_lose_its_seconds(tmp_path, monkeypatch, step):
    """The second `ask`, or the second `tell`, is interrupted: what it took is uncounted, like a child in training."""
    usual, calls = getattr(RandomSearch, step), []

    def interrupted(self, *arguments):
        calls.append(step)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return usual(self, *arguments)

    monkeypatch.setattr(RandomSearch, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(tiny_plan(budget="6 children", final="none", cached="off"), tmp_path / "a.h5", MadeUp())
    run = Results(str(tmp_path / "a.h5")).runs().iloc[0]
    # Rows hold every second before their child was stored. After the last row: 1 s of tell, and 1 s of the second ask.
    assert run["uncounted_hours"] * HOUR == pytest.approx({"ask": 1 + 1, "tell": 1}[step])
    assert run["searcher_hours"] * HOUR == pytest.approx({"ask": 2, "tell": 2 + 2}[step])


@pytest.mark.usefixtures("ticking")
def test_every_hour_of_a_run_has_the_price_of_its_attempt(tmp_path):
    """A second costs 1, 10 and again 1 cent in the three attempts of one run."""
    path, fields = tmp_path / "a.h5", {"budget": "0.7 usd", "final": "none", "cached": "off"}
    cheap, dear = (tiny_plan(price=price, **fields) for price in ("36", "360"))
    assert cheap.run == dear.run
    for plan, executor in ((cheap, MadeUp(killed_at=2)), (dear, MadeUp(killed_at=1))):
        with pytest.raises(KeyboardInterrupt):
            search(plan, path, executor)
    done = search(cheap, path, MadeUp())
    frame, run = children(path), Results(str(path)).runs().iloc[0]
    # Child by child, with the searcher: 6 s and 6 s at 1 cent, 5 s at 10, 5 s at 1; then 6 s at 1, which cross 70 cents.
    spent = [0.06, 0.12, 0.62, 0.67]
    assert frame["counted"].tolist() == [True, True, True, True, False]
    assert frame["usd"].tolist() == pytest.approx([0.04, 0.04, 0.4, 0.04, 0.04])
    assert done.ledger.usd == pytest.approx(spent[-1])
    assert file_status(str(path)).runs[0].usd == pytest.approx(spent[-1])
    assert trajectories(frame, Results(str(path)).runs(), "usd")["spent"].tolist() == pytest.approx(spent)
    # Without a row: the strategy's 2 s that each Ctrl-C ended; 5 s and 7 s in which it repeated its choices; 1 s at the end.
    beside = 2 * 0.01 + 2 * 0.1 + 5 * 0.1 + 7 * 0.01 + 1 * 0.01 + 6 * 0.01
    assert run["usd"] == pytest.approx(spent[-1] + beside)
    assert f"{spent[-1]:.4g} USD; uncounted" in nasbench.Run(path)._spent_text()
    assert f"{beside:.4g} USD" in nasbench.Run(path)._spent_text()


def test_a_price_computed_from_a_row_is_the_ledgers():
    """Otherwise a resumed run would differ from one that never stopped by the rounding of a quotient."""
    ledger = Ledger(Budget.parse("1 usd"), 0.1)
    ledger.charge("training", 4.0, 0.1 * (1 + 1e-15))
    assert ledger.usd == 4 / 3600 * 0.1


@pytest.mark.sampled(3)
@pytest.mark.parametrize("status", STATUSES)
def test_what_a_child_is_charged_as_follows_from_its_end(tmp_path, status):
    search(tiny_plan(budget="3 children", final="none", cached="off"), tmp_path / "a.h5", MadeUp(status))
    run = Results(str(tmp_path / "a.h5")).runs().iloc[0]
    charged = {name: round(run[f"{name}_hours"] * HOUR, 6) for name in ("training", "evaluation", "failed", "cached")}
    if status in ("ok", "diverged"):
        assert charged == {"training": 9, "evaluation": 3, "failed": 0, "cached": 0}
    else:
        assert charged == {"training": 0, "evaluation": 0, "failed": 12, "cached": 0}


def test_a_tie_does_not_replace_the_incumbent(tmp_path):
    search(tiny_plan(budget="5 children", cached="off"), tmp_path / "a.h5", MadeUp(score=0.5))
    results = Results(str(tmp_path / "a.h5"))
    finals, found = results.frame(stage="final"), results.frame(stage="search")
    assert found["hash"].nunique() == 5
    assert finals["hash"].tolist() == [found["hash"].iloc[0]]


def test_a_training_that_diverged_is_known_up_to_the_epoch_in_which_it_did():
    """Of two trainings that stopped early, the one that is known farther is kept, whichever came first."""
    row = {
        "hash": "a",
        "fingerprint": "f",
        "seed": 0,
        "stage": "search",
        "curves": {},
        "from_epoch": 0,
        "stop_epoch": 5,
    }
    stopped, diverged = {**row, "status": "ok", "epochs": 1}, {**row, "status": "diverged", "epochs": 1}
    for order in ((stopped, diverged), (diverged, stopped)):
        cache = ScoreCache()
        for each in order:
            cache.add(each)
        found = cache.get("a", "f", 0, test=False, epochs=2)
        assert found is not None
        assert found["status"] == "diverged"


@pytest.mark.parametrize("status", STATUSES)
def test_only_ends_that_would_repeat_themselves_are_reused(status):
    assert set(REPEATABLE_STATUSES) == {"ok", "diverged"}
    cache = ScoreCache()
    cache.add({"hash": "a", "fingerprint": "f", "seed": 0, "stage": "search", "status": status, "curves": {}})
    hit = cache.get("a", "f", 0, test=False)
    assert (hit is not None) == (status in ("ok", "diverged"))


@pytest.mark.parametrize("status", ["timed_out", "failed", "out_of_memory"])
def test_a_search_trains_again_what_the_machine_ended(tmp_path, status):
    """Also where the row is read back from a file and not from the same process."""
    plan = tiny_plan(budget="2 children", final="none")
    search(plan, tmp_path / "a.h5", MadeUp(status))
    row = children(tmp_path / "a.h5").iloc[0]
    cache = ScoreCache([str(tmp_path / "a.h5")])
    assert cache.get(row["hash"], plan.fingerprint, int(row["seed"]), test=False) is None


@pytest.mark.parametrize(
    ("cached", "hours"), [("charge", CHILD_SECONDS / HOUR), ("free", 0.0), ("off", CHILD_SECONDS / HOUR)]
)
def test_a_final_training_is_taken_from_the_cache_unless_it_is_off(tmp_path, cached, hours):
    first = tiny_plan(budget="3 children", final="best")
    search(first, tmp_path / "a.h5", MadeUp())
    again = tiny_plan(budget="2 children", final="best", cached=cached)
    search(again, tmp_path / "a.h5", MadeUp())
    final = Results(str(tmp_path / "a.h5")).frame(stage="final")
    (row,) = final[final["run"] == again.run].to_dict("records")
    assert row["cached_from"] == ("" if cached == "off" else f"{first.run}/0")
    assert row["gpu_hours"] == pytest.approx(hours)


class Rising(MadeUp):
    """Every child of the search is better than the one before."""

    def wait(self):
        self._score += 0.1
        return super().wait()


@pytest.mark.parametrize(("final", "chosen"), [("best", [2]), ("incumbents", [0, 1, 2]), ("none", [])])
def test_what_is_trained_again_are_incumbents_and_none_of_it_counts(tmp_path, final, chosen):
    search(tiny_plan(budget="3 children", final=final, cached="off"), tmp_path / "a.h5", Rising(score=0.1))
    rows = Results(str(tmp_path / "a.h5")).frame()
    searched, again = rows[rows["stage"] == "search"], rows[rows["stage"] == "final"]
    assert again["hash"].tolist() == searched["hash"].iloc[chosen].tolist()
    assert len(set(searched["hash"])) == 3
    assert searched["counted"].all()
    assert not again["counted"].any()


class Kept:
    """Records which children are kept as the best one."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bool]] = []

    def keeper(self, index: int, best: float) -> None:
        return None

    def committed(self, index: int, incumbent: bool) -> None:
        self.calls.append((index, incumbent))


def test_the_network_of_a_child_beyond_the_budget_is_not_kept_as_the_best(tmp_path):
    plan, kept = tiny_plan(budget="10 gpu-seconds", final="none", cached="off"), Kept()
    with ResultsWriter(tmp_path / "a.h5") as writer, Rising(score=0.1) as executor:
        Search(plan, [], writer, ScoreCache([]), executor, Progress("test"), kept=kept).run()
    frame = children(tmp_path / "a.h5")
    assert frame["val_acc"].is_monotonic_increasing
    assert kept.calls == [(0, True), (1, True), (2, False)]
