"""The simulated clock: children of K devices end in the order of their times, as in a run that trains them."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import nasbench
from searching import search, tiny_plan

from nasbench.errors import InputError
from nasbench.runners.executors.base import Executor, ExecutorOptions
from nasbench.runners.replay.clock import Course, Courses, Scored, simulate
from nasbench.runners.replay.guidance import ScoringSeconds
from nasbench.runners.replay.jobs import replay_all
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_on_clock, replay_one_by_one
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget, Ledger
from nasbench.runners.strategies import Outcome, Proposal, Strategy, StrategyConfig
from nasbench.runners.strategies.rungs import RungConfig
from nasbench.spaces import get_space
from nasbench.spaces.stored_choices import hash_of_choices
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.table_curves import TableCurves
from nasbench.tabular.tables import Table
from nasbench.training.evaluation import Child, Evaluation

EPOCHS = 9
ROOT = Path(__file__).parent.parent.parent


@cache
def table(spec: str = "choices:4/3/4/5", failing: bool = True) -> Table:
    """Architectures whose scores rise with their epochs and cost what their first choices say."""
    space = get_space(spec)
    rng = np.random.default_rng(7)
    final = rng.uniform(0.3, 0.95, space.size)
    curves = final[:, None] * np.linspace(0.5, 1.0, EPOCHS) * rng.uniform(0.8, 1.0, (space.size, EPOCHS))
    per_epoch = rng.uniform(0.5, 3.0, (space.size, 1)) * rng.uniform(0.9, 1.1, (space.size, EPOCHS))
    seconds = 0.2 + per_epoch.cumsum(axis=1)
    if failing:
        curves[::17] = np.nan
    counts = np.ones(space.size, dtype=np.int64)
    return Table(
        name="made up",
        space=space,
        val_acc=curves[:, -1],
        test_acc=curves[:, -1] - 0.01,
        seconds=seconds[:, -1],
        params=counts,
        mult_adds=counts,
        curves=TableCurves(np.arange(space.size), curves, seconds),
    )


def budget(text: str) -> ReplayBudget:
    return ReplayBudget(Budget.parse(text), 1.0)


EARLY = {
    "asha": {"eta": "3"},
    "hyperband": {},
    "successive_halving": {"children": "10"},
    "bohb": {},
    "dehb": {},
    "median_stop": {"interval": "2"},
}


@pytest.mark.parametrize("limit", ["40 children", "300 gpu-seconds", "300 s", "0.1 usd"])
@pytest.mark.parametrize("name", ["random", "evolution"])
def test_one_device_is_the_replay_without_a_clock(name: str, limit: str) -> None:
    setting = Setting.of(name, {"population": "5", "sample": "2"} if name == "evolution" else {})
    seeds = range(4)
    before = replay_one_by_one(table(), setting, seeds, budget(limit))
    now = replay_on_clock(table(), setting, seeds, budget(limit))
    assert (now.codes == before.codes).all()
    assert now.seconds == pytest.approx(before.seconds)
    assert now.ends == pytest.approx(before.seconds)
    assert now.frame().drop(columns="choices").equals(before.frame().drop(columns="choices"))


@pytest.mark.parametrize("devices", [1, 8])
@pytest.mark.parametrize("name", ["asha", "hyperband", "successive_halving"])
def test_the_algorithm_alone_is_the_strategy(name: str, devices: int) -> None:
    setting, limit = Setting.of(name, EARLY[name]), budget("400 gpu-seconds")
    fast = replay_on_clock(table(), setting, range(5), limit, devices=devices)
    slow = replay_on_clock(table(), setting, range(5), limit, devices=devices, whole_strategy=True)
    assert (fast.codes == slow.codes).all()
    assert fast.courses is not None
    assert slow.courses is not None
    for column in ("stops", "bases", "costs", "ends", "indices", "continues", "asked"):
        assert (getattr(fast.courses, column) == getattr(slow.courses, column)).all(), column
    assert fast.frame().equals(slow.frame())


@pytest.mark.parametrize("devices", [1, 5])
@pytest.mark.parametrize("name", EARLY)
def test_times_costs_and_scores_are_those_of_the_table(name: str, devices: int) -> None:
    found = replay(table(), Setting.of(name, EARLY[name]), range(3), budget("500 gpu-seconds"), devices=devices)
    courses, curves = found.courses, table().curves
    assert courses is not None
    assert curves is not None
    assert (courses.continues >= 0).any() or name == "dehb"
    for run in range(3):
        n = int(found.children[run])
        by_index = {int(courses.indices[run, at]): at for at in range(n)}
        starts = []
        for at in range(n):
            code, stop = int(found.codes[run, at]), int(courses.stops[run, at]) or EPOCHS
            cost = curves.seconds[code, stop - 1]
            if (earlier := int(courses.continues[run, at])) >= 0:
                before = by_index[earlier]
                assert found.codes[run, before] == code
                assert courses.stops[run, before] == courses.bases[run, at] < stop
                assert courses.ends[run, before] <= courses.ends[run, at] - courses.costs[run, at] + 1e-9
                cost -= curves.seconds[code, courses.bases[run, at] - 1]
            assert courses.costs[run, at] == pytest.approx(cost)
            assert found.outcomes[run, at] == pytest.approx(curves.val_acc[code, stop - 1], nan_ok=True)
            starts.append((courses.ends[run, at] - cost, courses.ends[run, at]))
        assert (np.diff(courses.ends[run, :n]) >= 0).all()
        for _, end in starts:  # never more in training at once than there are devices
            assert sum(start < end - 1e-9 and end <= until for start, until in starts) <= devices
        assert found.seconds[run, n - 1] <= 500


def test_the_clock_of_eight_devices_runs_faster_than_their_device_time() -> None:
    found = replay(table(), Setting.of("asha", {}), range(3), budget("2000 gpu-seconds"), devices=8)
    ratio = found.seconds[:, -1] / found.ends[:, -1]
    assert ((ratio > 7) & (ratio <= 8 + 1e-9)).all()
    on_time = replay(table(), Setting.of("asha", {}), range(3), budget("100 s"), devices=8)
    assert (on_time.ends[:, -1] <= 100).all()
    assert (on_time.seconds[:, -1] > 600).all()
    assert (on_time.frame()["spent"] <= 100).all()


class SleepingExecutor(Executor):
    """K workers that sleep for as long as a table says, and report the table's score."""

    def __init__(self, devices: int, source: Table, scale: float) -> None:
        super().__init__(ExecutorOptions(devices=("cpu",) * devices))
        self._table, self._scale = source, scale
        self._began: float | None = None
        self._idle = [0.0] * devices  # simulated times at which workers became free
        self._ended = threading.Condition()
        self._done: list[tuple[int, float, Evaluation]] = []
        self.late = 0.0  # seconds by which the search took its latest step after a worker's time

    @property
    def share(self) -> float:
        return 1.0

    def submit(self, ticket: int, child: Child) -> None:
        if self._began is None:
            self._began = time.monotonic()
        curves = self._table.curves
        assert curves is not None
        code, last = int(self._table.code(np.array(child.architecture.choices))), child.last_epoch
        source = getattr(child.keeper, "source", None)
        base = int(source.stem.rpartition("-")[2]) if source is not None else 0
        cost = float(curves.seconds[code, last - 1] - (curves.seconds[code, base - 1] if base else 0.0))
        start = self._idle.pop(0)
        end = start + cost
        self.late = max(self.late, time.monotonic() - self._began - start * self._scale)
        values = {
            name: tuple(curves.val_acc[code, :last]) for name in ("val_acc", "train_acc", "val_loss", "train_loss")
        }
        evaluation = Evaluation(
            "ok",
            val_acc=float(curves.val_acc[code, last - 1]),
            epochs=last,
            from_epoch=base,
            train_seconds=cost,
            curves={**values, "seconds": tuple(np.diff(curves.seconds[code, :last], prepend=0.0).tolist())},
        )

        def sleep() -> None:
            assert self._began is not None
            time.sleep(max(self._began + end * self._scale - time.monotonic(), 0.0))
            with self._ended:
                self._done.append((ticket, end, evaluation))
                self._ended.notify()

        threading.Thread(target=sleep, daemon=True).start()

    def wait(self) -> list[tuple[int, Evaluation]]:
        with self._ended:
            while not self._done:
                self._ended.wait()
            done, self._done = sorted(self._done, key=lambda item: item[0]), []
        assert self._began is not None
        self.late = max(self.late, *(time.monotonic() - self._began - end * self._scale for _, end, _ in done))
        self._idle.extend(end for _, end, _ in done)
        return [(ticket, evaluation) for ticket, _, evaluation in done]

    def drop(self) -> list[tuple[int, Evaluation]]:
        return []

    def close(self) -> None:
        """Leave the sleeping threads, which nobody waits for."""


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "options"), [("asha", {"eta": "3"}), ("random", {})])
def test_a_run_on_sleeping_workers_has_the_order_of_the_clock(
    name: str, options: dict[str, str], tmp_path: Path
) -> None:
    spec, children, devices = "pnas:blocks=1", 16, 4
    source = table(spec, failing=False)
    changes = {"data": "fake:images=96,size=8,classes=3", "epochs": EPOCHS, "filters": 4, "validation": 0.5}
    settings: dict[str, Any] = {"strategy": name, "options": options, "space": spec, "set": changes, "final": "none"}
    limit, setting = budget(f"{children} children"), Setting.of(name, options)
    many = replay(source, setting, range(60), limit, devices=devices)
    gaps = np.diff(many.ends, axis=1).min(axis=1)
    seed = int((gaps / many.ends[:, -1]).argmax())  # a search whose children end at times that differ most
    found = replay(source, setting, [seed], limit, devices=devices)
    given = {"budget": limit.text, "seed": seed, "cached": "off", "executor": "local", "devices": "cpu,cpu,cpu,cpu"}
    plan = tiny_plan(**settings, **given)
    for gap in (0.03, 0.12, 0.5):  # seconds between two ends; a busy machine is late by more than the first
        scale = gap / float(gaps[seed])
        assert scale * many.ends[seed, -1] < 200 * gap
        path = tmp_path / f"{gap}.h5"
        workers = SleepingExecutor(devices, source, scale)
        search(plan, path, workers)
        if workers.late < gap:
            break  # else ends came later than the next ones, whose order is that of the machine
    assert workers.late < gap
    with Results(str(path)) as results:
        rows = [dict(row) for row in results.children_of(plan.run)]
    choices = [str(list(source.architecture(int(code)).choices)).replace(" ", "") for code in found.codes[0]]
    courses = found.courses
    assert courses is not None
    assert [row["index"] for row in rows] == courses.indices[0].tolist()
    assert [row["choices"] for row in rows] == choices
    assert [row["stop_epoch"] for row in rows] == courses.stops[0].tolist()
    assert [row["from_epoch"] for row in rows] == courses.bases[0].tolist()
    assert [row["asked"] for row in rows] == courses.asked[0].tolist()
    assert [row["gpu_hours"] * 3600 for row in rows] == pytest.approx(found.costs[0].tolist())
    assert [row["val_acc"] for row in rows] == pytest.approx(found.outcomes[0].tolist())


def test_a_results_file_of_side_by_side_children_is_sound_and_names_what_goes_on(tmp_path: Path) -> None:
    found = replay(table(), Setting.of("asha", {"eta": "3"}), range(3), budget("60 children"), devices=4)
    path = tmp_path / "x.h5"
    write_new(str(path), tables_of([found]))
    assert check_file(path, hash_of_choices).findings == []
    with Results(str(path)) as results:
        frame, runs = results.frame(stage="search"), results.runs()
    assert '"children_at_once": 4' in runs["config"].iloc[0]
    assert runs["wall_seconds"].tolist() == pytest.approx(found.ends[:, -1].tolist())
    for _, rows in frame.groupby("run"):
        assert sorted(rows["index"]) != rows["index"].tolist()
        named = rows.set_index(rows["run"] + "/" + rows["index"].astype(str))
        going = rows[rows["continues"] != ""]
        assert len(going)
        for row in going.itertuples():
            earlier = named.loc[row.continues]
            assert (earlier["hash"], earlier["stop_epoch"]) == (row.hash, row.from_epoch)


def test_groups_of_searches_in_several_processes_are_joined() -> None:
    setting, limit = Setting.of("asha", {}), budget("300 gpu-seconds")
    (together,) = replay_all(table(), [setting], range(23), limit, 1, lambda name, count: None, devices=3)
    whole = replay(table(), setting, range(23), limit, devices=3)
    assert (together.codes == whole.codes).all()
    assert together.frame().equals(whole.frame())
    assert isinstance(together.courses, Courses)


def test_a_strategy_that_stops_early_needs_curves() -> None:
    whole = replace(table(), curves=None)
    with pytest.raises(InputError, match="scores of whole trainings only; choose another strategy"):
        replay(whole, Setting.of("asha", {}), [0], budget("5 children"))


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        (0, "up to epoch 0; a whole training has 9"),
        (10, "up to epoch 10; a whole training has 9"),
        (np.int64(3), "up to epoch '3' (int64); it takes an int"),
        (2.0, "up to epoch '2.0' (float); it takes an int"),
        (True, "up to epoch 'True' (bool); it takes an int"),
    ],
)
@pytest.mark.parametrize("devices", [1, 2])
def test_epochs_that_a_strategy_cannot_propose(proposed: Any, said: str, devices: int) -> None:
    class Wrong(Backwards):
        def ask(self) -> Proposal:
            return replace(super().ask(), epochs=proposed)

    class Undeclared(Backwards):
        asks_epochs = False

    with pytest.raises(InputError, match=re.escape(said)):
        replay(table(), Setting("wrong", Wrong, RungConfig()), [0], budget("5 children"), devices=devices)
    with pytest.raises(InputError, match="its class must say so: asks_epochs = True"):
        replay(table(), Setting("undeclared", Undeclared, RungConfig()), [0], budget("5 children"), devices=devices)


@pytest.mark.parametrize("name", EARLY)
def test_options_with_more_epochs_than_a_training_has_are_refused_before_a_child(name: str) -> None:
    """With few children, none might come to the epochs that are not there."""
    setting = Setting.of(name, {"max_epochs": "10"})
    said = f"options of strategy '{name}': max_epochs is 10, and a whole training has 9; take 9 or fewer"
    with pytest.raises(InputError, match=said):
        replay(table(), setting, [0], budget("1 children"))
    with pytest.raises(InputError, match="max_epochs is 10, and a whole training has 2"):
        _ = tiny_plan(strategy=name, options={"max_epochs": 10}, set={"epochs": 2}).options
    plan = tiny_plan(strategy=name, options={"max_epochs": 0}, set={"epochs": 2})
    assert plan.options.model_dump()["max_epochs"] == 2


@pytest.mark.slow
class Backwards(Strategy[RungConfig]):
    """Trains one architecture up to epoch 6, then "continues" that child to an epoch that it has reached already."""

    name, config_type, asks_epochs = "backwards", RungConfig, True
    asked = 0

    def ask(self) -> Proposal:
        self.asked += 1
        architecture = self.space.decode([1] * len(self.space.decisions))
        return Proposal(architecture, 6 if self.asked == 1 else (3, 6)[self.asked % 2], 0 if self.asked > 1 else None)

    def tell(self, outcome: Outcome) -> None:
        pass


class Scoring(Strategy[StrategyConfig]):
    """Proposes one architecture again and again; scores of untrained networks take a given time before each."""

    name = "scoring"

    def __init__(self, scoring: ScoringSeconds, takes: list[float]) -> None:
        super().__init__(table(failing=False).space, 0)
        self._scoring, self._takes = scoring, takes

    def ask(self) -> Any:
        self._scoring.total += self._takes.pop(0) if self._takes else 0.0
        return self.space.decode([1] * len(self.space.decisions))

    def tell(self, outcome: Outcome) -> None:
        pass


def test_scores_of_untrained_networks_take_their_time_on_the_clock_and_are_charged_once() -> None:
    """Two devices, children of ten seconds, and two seconds of scores before the first two, thirty before the third."""

    def course(limit: str, takes: list[float]) -> tuple[Course, Ledger]:
        scoring, ledger = ScoringSeconds(), Ledger(Budget.parse(limit), 1.0)
        found = simulate(
            table(failing=False), Scoring(scoring, takes), ledger, 2, lambda *_: Scored(0.5, 10.0), scoring=scoring
        )
        return found, ledger

    found, ledger = course("6 children", [2.0, 2.0, 30.0])
    assert found.ends == [12.0, 42.0, 52.0, 52.0, 62.0, 62.0]  # the second ended at 14, while the third was asked for
    assert found.indices == [0, 1, 2, 3, 4, 5]
    assert found.searcher == [4.0, 30.0, 0.0, 0.0, 0.0, 0.0]
    assert found.asked == [2, 3, 4, 4, 6, 6]
    assert found.costs == [10.0] * 6
    charged = {name: seconds for name, seconds in ledger.device_seconds.items() if seconds}
    assert charged == {"searcher": 34.0, "cached": 60.0}
    assert course("13.9 gpu-seconds", [2.0, 2.0])[0].codes == []
    assert len(course("14 gpu-seconds", [2.0, 2.0])[0].codes) == 1
    assert course("11.9 s", [2.0, 2.0])[0].codes == []
    assert course("14 s", [2.0, 2.0])[0].ends == [12.0, 14.0]


def test_a_child_that_takes_the_rest_of_the_budget_is_ended_then_and_ends_the_search() -> None:
    """The first takes 31 of 30 seconds: it is ended at 30, just before the third of the other device, which is not counted."""

    class InTurn(Scoring):
        asked = -1

        def ask(self) -> Any:
            self.asked += 1
            return self.space.decode([self.asked % 4, 0, 0, 0])

    made_up = table(failing=False)
    first = int(made_up.code(np.array([0, 0, 0, 0])))
    ledger = Ledger(Budget.parse("30 gpu-seconds"), 1.0)
    found = simulate(
        made_up,
        InTurn(ScoringSeconds(), []),
        ledger,
        2,
        lambda code, _: Scored(0.5, 31.0 if code == first else 10.0),
    )
    assert found.ends == [10.0, 20.0]
    assert found.indices == [1, 2]
    assert ledger.wall_seconds == 30.0


@pytest.mark.parametrize("fails", [False, True])
def test_a_strategy_is_told_the_curve_the_epochs_and_the_seconds_that_were_charged(fails: bool) -> None:
    """What failed cannot go on: it is trained from the start again."""
    told: list[Outcome] = []

    class Further(Backwards):
        def ask(self) -> Proposal:
            return replace(super().ask(), epochs=(3, 6, 9)[self.asked - 1])

        def tell(self, outcome: Outcome) -> None:
            told.append(outcome)

    def score(_: int, stop: int) -> Scored:
        epochs = stop or EPOCHS
        return Scored(float("nan") if fails else 0.01 * epochs, 2.0 * epochs)

    found = simulate(table(), Further(table().space, 0), Ledger(Budget.parse("3 children"), 1.0), 1, score)
    assert found.bases == ([0, 0, 0] if fails else [0, 3, 3])
    assert [each.device_seconds for each in told] == found.costs == ([6.0, 12.0, 18.0] if fails else [6.0, 6.0, 12.0])
    assert [each.epochs for each in told] == ([0, 0, 0] if fails else [3, 6, 9])
    assert [each.status for each in told] == ["failed" if fails else "ok"] * 3
    assert told[1].val_curve == (() if fails else pytest.approx((0.01, 0.02, 0.03, 0.04, 0.05, 0.06)))


def test_epochs_that_a_table_says_took_less_than_no_time_cost_nothing() -> None:
    class Further(Backwards):
        def ask(self) -> Proposal:
            return replace(super().ask(), epochs=3 if self.asked == 1 else 6)

    found = simulate(
        table(),
        Further(table().space, 0),
        Ledger(Budget.parse("2 children"), 1.0),
        1,
        lambda _, stop: Scored(0.5, 5.0 if stop <= 3 else 4.9),
    )
    assert found.costs == [5.0, 0.0]
    assert found.bases == [0, 3]


def test_a_child_that_reached_the_epoch_already_is_trained_from_the_start_as_in_a_run() -> None:
    setting = Setting("backwards", Backwards, RungConfig())
    courses = replay(table(), setting, [0], budget("5 children")).courses
    assert courses is not None
    assert courses.stops.tolist() == [[6, 3, 6, 3, 6]]
    assert courses.bases.tolist() == [[0] * 5]
    assert courses.continues.tolist() == [[-1] * 5]
    curves = table().curves
    assert curves is not None
    row = curves.seconds[int(table().code(np.array([1, 1, 1, 1])))]
    assert courses.costs[0].tolist() == [row[5], row[2], row[5], row[2], row[5]]


def test_the_command_searches_the_shipped_table_with_several_devices(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    given = ["replay", "--table", str(ROOT / "results" / "digits201.h5"), "--strategy", "asha", "--strategy", "random"]
    done = nasbench(*given, "--seeds", "5", "--budget", "20 s", "--children-at-once", "4", "-o", str(path))
    assert done.code == 0, done.err
    assert "asha" in done.out
    assert check_file(path, hash_of_choices).findings == []


def untimed() -> Table:
    """The table without costs, of whole trainings and up to an epoch."""
    timed = table()
    assert timed.curves is not None
    unknown = np.full_like(timed.curves.seconds, np.nan)
    return replace(timed, seconds=unknown[:, -1], curves=replace(timed.curves, seconds=unknown))


@pytest.mark.parametrize("name", ["random", "asha"])
def test_costs_that_are_not_known_are_stored_as_such(name: str, tmp_path: Path) -> None:
    """And not as 0 s and 0 USD, with which the file would be a table of children that cost nothing."""
    setting = Setting.of(name, {})
    (found,) = replay_all(untimed(), [setting], range(3), budget("30 children"), 1, lambda *_: None)
    path = tmp_path / "u.h5"
    write_new(str(path), tables_of([found]))
    assert check_file(path, hash_of_choices).findings == []
    with Results(str(path)) as results:
        rows, runs = results.frame(), results.runs()
    searched = rows[rows["stage"] == "search"]
    assert len(searched) == 3 * 30
    for column in ("device_seconds", "gpu_hours", "usd", "wall_seconds", "spent_gpu_hours"):
        assert searched[column].isna().all(), column
    assert runs[["cached_hours", "usd", "wall_seconds"]].isna().all(axis=None)


def test_children_side_by_side_need_costs() -> None:
    """They say which child ends first."""
    for how in (replay, replay_on_clock):
        with pytest.raises(InputError, match="order in which 4 children at once end is not known; leave --children-at"):
            how(untimed(), Setting.of("random", {}), [0], budget("9 children"), devices=4)


@pytest.mark.parametrize("limit", ["10 s", "10 gpu-seconds", "1 usd"])
def test_a_budget_in_time_of_children_that_cost_nothing_is_refused(limit: str) -> None:
    """It would never end."""
    free = replace(table(), seconds=np.zeros(table().space.size))
    assert free.children_of(10.0, budget(limit).unit) is None
    with pytest.raises(InputError, match="every child costs 0 s; give a budget in children"):
        replay(free, Setting.of("random", {}), [0], budget(limit))
    assert replay(free, Setting.of("random", {}), [0], budget("9 children")).children.tolist() == [9]
