"""Replayed searches on made-up tables: in step as one by one, and both as the runner itself."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from searching import search, tiny_plan
from small_spaces import Row

from nasbench.analysis.comparison.checks import without_own_time
from nasbench.analysis.comparison.compare import run_hours, summarize, trajectories
from nasbench.errors import InputError, UnknownName
from nasbench.runners.executors.base import Executor, ExecutorOptions
from nasbench.runners.replay import guidance
from nasbench.runners.replay.guidance import Guidance
from nasbench.runners.replay.jobs import replay_all
from nasbench.runners.replay.replay import ReplayBudget, Setting, is_vectorized, replay, replay_one_by_one
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search import accountant, config
from nasbench.runners.search.budget import Budget, Ledger
from nasbench.runners.strategies.reinforce_logits import ReinforceLogits, ReinforceLogitsConfig
from nasbench.spaces import get_space
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.tables import Table
from nasbench.training.evaluation import Evaluation
from nasbench.zero_cost import ZeroCost

SEEDS = range(7)


def made_up(space, seed: int = 0, failed: float = 0.0) -> Table:
    """Scores, some of them equal, and costs between 50 and 150 s, drawn at random."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(20, 90, space.size) / 100
    scores[rng.random(space.size) < failed] = math.nan
    return Table(
        name="made-up",
        space=space,
        val_acc=scores,
        test_acc=rng.random(space.size),
        seconds=rng.integers(200, 600, space.size) / 4,
        params=np.ones(space.size, dtype=np.int64),
        mult_adds=np.ones(space.size, dtype=np.int64),
    )


def price(text: str, usd_per_hour: float = 0.0) -> ReplayBudget:
    return ReplayBudget(Budget.parse(text), usd_per_hour)


def rows_of(replayed) -> list[list[int]]:
    return [[code for code in row if code >= 0] for row in replayed.codes.tolist()]


# -- in step and one by one --------------------------------------------------------------------------------------------


@pytest.mark.sampled(14)
@pytest.mark.parametrize("budget", ["7000 s", "150 children", "2 gpu-hours", "2 usd"])
@pytest.mark.parametrize(
    ("name", "options", "space"),
    [
        ("random", {}, Row((3, 1, 2, 4))),
        ("random", {}, get_space("nasbench201")),
        ("evolution", {"population": 10, "sample": 3, "identity": 0}, get_space("nasbench201")),
        ("evolution", {"population": 5, "sample": 4, "identity": 0.4}, Row((3, 1, 3, 3))),
        ("evolution", {"population": 1, "sample": 1}, Row((2, 2, 2))),
        ("reinforce_logits", {}, get_space("nasbench201")),
        ("reinforce_logits", {"learning_rate": 0.2, "init": 0.5}, Row((3, 1, 2, 4))),
    ],
)
def test_searches_in_step_are_those_of_ask_and_tell(name, options, space, budget):
    table, setting, limit = made_up(space, failed=0.1), Setting.of(name, options), price(budget, 0.5)
    assert setting.kind.vectorized(space, SEEDS, setting.config) is not None
    together, apart = replay(table, setting, SEEDS, limit), replay_one_by_one(table, setting, SEEDS, limit)
    assert rows_of(together) == rows_of(apart)
    assert min(map(len, rows_of(apart))) > 50
    assert together.frame().equals(apart.frame())
    assert together.incumbents().equals(apart.incumbents())


@pytest.mark.parametrize(
    ("name", "options", "space"),
    [
        ("random", {"unique": True}, Row((3, 1, 2, 4))),
        ("evolution", {"population": 5, "sample": 3, "drawing": "distinct"}, Row((3, 3))),
        ("evolution", {"population": 5, "sample": 3}, Row((3, 2))),
        ("local_search", {}, Row((3, 1, 2, 4))),
    ],
)
def test_what_cannot_go_in_step_is_asked_and_told(name, options, space):
    table, setting, limit = made_up(space), Setting.of(name, options), price("20 children")
    assert rows_of(replay(table, setting, SEEDS, limit)) == rows_of(replay_one_by_one(table, setting, SEEDS, limit))


def test_a_search_depends_on_its_own_seed_only():
    table, setting, limit = made_up(get_space("nasbench201")), Setting.of("evolution", {}), price("9000 s")
    every, some = replay(table, setting, range(6), limit), replay(table, setting, (4, 2), limit)
    assert rows_of(some) == [rows_of(every)[4], rows_of(every)[2]]


def test_a_search_that_is_over_early_ends():
    """Four architectures of different hash, and no more."""
    table, setting = made_up(Row((2, 2))), Setting.of("random", {"unique": True})
    assert [sorted(row) for row in rows_of(replay(table, setting, SEEDS, price("50 children")))] == [[0, 1, 2, 3]] * 7


# -- the stop rule -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["s", "gpu-seconds"])
def test_a_child_may_end_at_the_limit_but_not_beyond(unit):
    table = made_up(Row((2, 2, 2)))
    table.seconds[:] = 25.0
    for budget, children in ((100, 4), (99, 3), (101, 4)):
        for run in (replay, replay_one_by_one):
            found = run(table, Setting.of("random", {}), SEEDS, price(f"{budget} {unit}"))
            assert found.children.tolist() == [children] * 7
            assert found.frame()["spent"].tolist() == [25.0 * children] * 7


def test_nothing_fits():
    table = made_up(Row((2, 2, 2)))
    for run in (replay, replay_one_by_one):
        frame = run(table, Setting.of("random", {}), SEEDS, price("1 s")).frame()
        assert frame["children"].tolist() == [0] * 7
        assert frame["test_acc"].isna().all()
        assert frame["index"].tolist() == [-1] * 7


@pytest.mark.parametrize("budget", ["1000 s", "9 children", "1000 gpu-seconds", "0.25 usd"])
def test_many_ledgers_at_once_stop_as_one_does(budget):
    rng, limit = np.random.default_rng(0), price(budget, 0.9)
    before, cost = rng.integers(0, 2000, 500) / 2, rng.integers(0, 400, 500) / 2
    for children in (0, 8, 9):
        wanted = []
        for spent, seconds in zip(before.tolist(), cost.tolist()):
            ledger = Ledger(limit.budget, 0.9, children=children, wall_seconds=spent)
            ledger.charge("cached", spent)
            room = ledger.room(0)
            ledger.wall_seconds += seconds
            wanted.append(room and ledger.fits(seconds))
        assert limit.counted(before, cost, children).tolist() == wanted


class Clock:
    """Stands in for the module `time`; only what is trained takes time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.monotonic = self.perf_counter = lambda: self.now


class FromTable(Executor):
    """Answers from a table, while a clock goes on by what the child costs."""

    def __init__(self, table: Table, clock: Clock) -> None:
        super().__init__(ExecutorOptions())
        self._table, self._clock, self._waiting = table, clock, []

    def submit(self, ticket, child):
        self._waiting.append((ticket, child))

    def wait(self):
        ticket, child = self._waiting.pop()
        code = int(self._table.code(np.array(child.architecture.choices)))
        seconds, score = float(self._table.seconds[code]), float(self._table.val_acc[code])
        self._clock.now += seconds
        found = {"val_acc": score, "val_acc_best": score, "train_seconds": seconds}
        return [(ticket, Evaluation(status="failed" if math.isnan(score) else "ok", **found))]

    def drop(self):
        self._waiting.clear()
        return []

    def close(self):
        self._waiting.clear()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("budget", ["4000 s", "4000 gpu-seconds", "30 children", "1 usd"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("random", {}),
        ("evolution", {"population": 6, "sample": 3, "identity": 0.2}),
        ("reinforce_logits", {}),
        ("local_search", {}),
    ],
)
def test_the_runner_has_the_same_children_and_the_same_choice(name, options, budget, tmp_path, monkeypatch):
    """A real run whose executor answers from the table, into a real file."""
    clock = Clock()
    monkeypatch.setattr(accountant, "time", clock)
    table = made_up(get_space("nasbench201"), seed=1, failed=0.1)
    settings = {"strategy": name, "options": options, "space": "nasbench201", "budget": budget, "seed": 3}
    plan = tiny_plan(**settings, price="0.9", final="none", cached="off")
    search(plan, tmp_path / "run.h5", FromTable(table, clock))
    rows = Results(str(tmp_path / "run.h5")).frame()
    counted = rows[rows["counted"]].sort_values("index")

    replayed = replay(table, Setting.of(name, options), [3], price(budget, 0.9))
    wanted = [list(table.architecture(code).choices) for code in rows_of(replayed)[0]]
    assert [json.loads(choices) for choices in counted["choices"]] == wanted
    assert len(wanted) > 20
    np.testing.assert_allclose(counted["spent_gpu_hours"] * 3600, replayed.seconds[0], rtol=1e-12)
    assert counted.loc[counted["val_acc"].idxmax(), "index"] == replayed.frame()["index"][0]


@pytest.mark.parametrize(
    "guides",
    [
        {"warm_start": "zero_cost:params,candidates=20,children=5"},
        {"filter": "zero_cost:params,keep=0.4,candidates=10"},
        {
            "warm_start": "zero_cost:mult_adds,children=3,candidates=9",
            "filter": "zero_cost:params,keep=0.7,candidates=9",
        },
    ],
)
def test_guided_searches_are_those_of_the_runner(guides, tmp_path, monkeypatch):
    """A warm start and a filter: scores by the run's protocol and seed, in a real run and in a replay."""
    clock = Clock()
    monkeypatch.setattr(accountant, "time", clock)
    table = made_up(get_space("nasbench201"), seed=1)
    options = {"population": 6, "sample": 3}
    settings = {"strategy": "evolution", "options": options, "space": "nasbench201", "budget": "15 children", "seed": 3}
    plan = tiny_plan(**settings, **guides, set={}, final="none", cached="off")
    search(plan, tmp_path / "run.h5", FromTable(table, clock))
    rows = Results(str(tmp_path / "run.h5")).frame().sort_values("index")

    setting = Setting.of("evolution", options, guidance=Guidance.of(**guides, protocol="digits"))
    replayed = replay(table, setting, [3, 4], price("15 children"))
    wanted = [list(table.architecture(code).choices) for code in rows_of(replayed)[0]]
    assert [json.loads(choices) for choices in rows["choices"]] == wanted
    plain = replay(table, Setting.of("evolution", options), [3, 4], price("15 children"))
    assert rows_of(plain) != rows_of(replayed)
    assert not is_vectorized(table, setting)
    runs = [tables_of([each]).runs for each in (plain, replayed)]
    assert not set(runs[0]["run"]) & set(runs[1]["run"])
    assert "guidance" not in next(iter(runs[0]["config"]))
    assert json.loads(next(iter(runs[1]["config"])))["guidance"]["protocol"] == "digits"


def seven_seconds_a_score(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Let each score of an untrained network take seven seconds, in real runs and in replays."""

    def scored(architecture, *args) -> ZeroCost:
        clock.now += 7.0
        return ZeroCost(sum(architecture.choices), 7.0)

    for module in (config, guidance):
        monkeypatch.setattr(module, "zero_cost_score", scored)


@pytest.mark.parametrize("budget", ["4000 s", "4000 gpu-seconds", "1 usd", "30 children"])
def test_a_guided_replay_pays_for_scores_as_a_run_does(budget, tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(accountant, "time", clock)
    seven_seconds_a_score(monkeypatch, clock)
    table, options = made_up(get_space("nasbench201"), seed=1), {"population": 6, "sample": 3}
    guides = {"warm_start": "zero_cost:params,candidates=20,children=5", "filter": "zero_cost:synflow,candidates=9"}
    settings = {"strategy": "evolution", "options": options, "space": "nasbench201", "budget": budget, "seed": 3}
    plan = tiny_plan(**settings, **guides, set={}, price="0.9", final="none", cached="off")
    search(plan, tmp_path / "run.h5", FromTable(table, clock))
    real = Results(str(tmp_path / "run.h5"))
    rows = real.frame()
    rows = rows[rows["counted"]].sort_values("index")

    setting = Setting.of("evolution", options, guidance=Guidance.of(**guides))
    found = replay(table, setting, [3], price(budget, 0.9))
    assert [json.loads(each) for each in rows["choices"]] == [
        list(table.architecture(code).choices) for code in rows_of(found)[0]
    ]
    assert found.searcher[0].tolist() == rows["searcher_seconds"].tolist()
    assert found.searcher[0, 0] > 20 * 7
    write_new(str(tmp_path / "replay.h5"), tables_of([found]))
    replayed = Results(str(tmp_path / "replay.h5"))
    stored = replayed.frame().query("stage == 'search'").sort_values("index")
    for name in ("searcher_seconds", "spent_gpu_hours", "wall_seconds", "gpu_hours"):
        np.testing.assert_allclose(stored[name], rows[name], rtol=1e-12)
    run, again = real.runs().iloc[0], replayed.runs().iloc[0]
    assert again["searcher_hours"] == pytest.approx(run["searcher_hours"]) == pytest.approx(found.searcher.sum() / 3600)
    assert again["usd"] == pytest.approx(0.9 * (again["searcher_hours"] + again["cached_hours"]))
    assert without_own_time(replayed.runs()).tolist() == [True]  # its other work is not charged
    assert without_own_time(real.runs()).tolist() == [False]


def test_scores_use_up_the_budget_of_a_replay(monkeypatch):
    """Ten networks are scored for the first child: 70 s, in which the budget without it may end."""
    seven_seconds_a_score(monkeypatch, Clock())
    table = made_up(get_space("nasbench201"))
    table.seconds[:] = 25.0
    setting = Setting.of("random", {}, guidance=Guidance.of("zero_cost:params,candidates=10"))
    for devices, budget, children in ((1, 94, 0), (1, 95, 1), (1, 145, 3), (2, 94, 0), (2, 120, 4)):
        found = replay(table, setting, [0, 1], price(f"{budget} s"), devices=devices)
        assert found.children.tolist() == [children] * 2
        assert found.frame()["spent"].tolist() == [70.0 + 25.0 * math.ceil(children / devices) if children else 0.0] * 2
    assert found.searcher.tolist() == [[70.0, 0, 0, 0]] * 2
    assert found.ends.tolist() == [[95.0, 95.0, 120.0, 120.0]] * 2
    (together,) = replay_all(table, [setting], [0, 1], price("120 s"), 1, lambda *_: None, devices=2)
    assert together.searcher.tolist() == found.searcher.tolist()


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_scores_are_charged_to_a_budget_of_device_seconds_whatever_the_devices(devices, monkeypatch):
    """The first child costs 70 s of scores and 25 s of training; the others 25 s."""
    seven_seconds_a_score(monkeypatch, Clock())
    table = made_up(get_space("nasbench201"))
    table.seconds[:] = 25.0
    setting = Setting.of("random", {}, guidance=Guidance.of("zero_cost:params,candidates=10"))
    for limit, children in ((94, 0), (95, 1), (119, 1), (120, 2)):
        found = replay(table, setting, [0, 1], price(f"{limit} gpu-seconds"), devices=devices)
        assert found.children.tolist() == [children] * 2, limit


def test_children_in_training_go_on_while_networks_are_scored(monkeypatch):
    """Two devices; the filter scores each proposal for 7 s, and children take 5 s."""
    seven_seconds_a_score(monkeypatch, Clock())
    table = made_up(Row((5, 5, 5)))
    table.seconds[:] = 5.0
    setting = Setting.of(
        "random", {"unique": True}, guidance=Guidance.of(filter="zero_cost:params,keep=0.99,candidates=1")
    )
    found = replay(table, setting, [0], price("6 children"), devices=2)
    ends, paid = found.ends[0], found.searcher[0]
    assert (np.diff(ends) >= 0).all()
    assert paid.sum() == 7 * round(paid.sum() / 7) > 0
    assert ends[-1] <= paid.sum() + 2 * 5.0  # children are trained beside the scores, and not after them
    np.testing.assert_allclose(found.seconds[0, -1], paid.sum() + 6 * 5.0)


def test_a_warm_start_needs_a_random_beginning():
    with pytest.raises(InputError, match="'reinforce' does not begin with random architectures"):
        Setting.of("reinforce", {}, guidance=Guidance.of("zero_cost:params"))
    assert not Guidance.of()
    with pytest.raises(UnknownName, match="zero-cost score"):
        Guidance.of(filter="zero_cost:nothing")


# -- what comes out ------------------------------------------------------------------------------------------------------


def test_the_choice_is_the_first_best_that_did_not_fail():
    table = made_up(Row((4,)))
    table.val_acc[:] = [0.3, math.nan, 0.7, 0.7]
    frame = replay(table, Setting.of("random", {}), range(40), price("6 children")).frame()
    codes = rows_of(replay(table, Setting.of("random", {}), range(40), price("6 children")))
    for row, chosen in zip(codes, frame.itertuples()):
        scores = [-1.0 if math.isnan(table.val_acc[code]) else table.val_acc[code] for code in row]
        assert chosen.index == scores.index(max(scores)) or max(scores) < 0
        assert chosen.test_acc == table.test_acc[row[chosen.index]] or max(scores) < 0
    assert {row.index for row in frame.itertuples()} >= {0, 1}


def test_the_course_ends_at_the_choice():
    table, limit = made_up(get_space("nasbench201"), failed=0.1), price("9000 s")
    replayed = replay(table, Setting.of("evolution", {"population": 10, "sample": 3}), SEEDS, limit)
    course, frame = replayed.incumbents(), replayed.frame()
    last = course.groupby("seed").last()
    assert last["test_acc"].tolist() == frame["test_acc"].tolist()
    assert (last["children"] - 1).tolist() == frame["index"].tolist()
    assert (course.groupby("seed")["val_acc"].diff().dropna() > 0).all()
    assert (last["spent"].to_numpy() <= frame["spent"].to_numpy()).all()


def test_a_results_file_of_replays_reads_as_one_of_real_runs(tmp_path):
    table, limit = made_up(get_space("nasbench201"), failed=0.1), price("4000 s", 0.9)
    replays = [replay(table, Setting.of(name, {}), SEEDS, limit) for name in ("random", "reinforce_logits")]
    write_new(str(tmp_path / "replays.h5"), tables_of(replays))
    results = Results(str(tmp_path / "replays.h5"))
    frame, runs = results.frame(), results.runs()
    assert runs["children"].tolist() == [*replays[0].children, *replays[1].children]
    rows = frame[frame["stage"] == "search"]
    assert [list(map(json.loads, group["choices"])) for _, group in rows.groupby("run", sort=False)] == [
        [list(table.architecture(code).choices) for code in row] for run in replays for row in rows_of(run)
    ]
    for _, group in rows.groupby("run"):
        assert group["duplicate"].tolist() == group["hash"].duplicated().tolist()
        np.testing.assert_allclose(group["gpu_hours"].cumsum(), group["spent_gpu_hours"])
    assert rows["duplicate"].any()
    assert ((rows["status"] == "failed") == rows["val_acc"].isna()).all()
    assert rows["test_acc"].isna().all()
    final = frame[frame["stage"] == "final"]
    assert final["test_acc"].tolist() == [test for run in replays for test in run.incumbents()["test_acc"]]
    last = final.groupby("run", sort=False).tail(1)
    assert last["test_acc"].tolist() == [test for run in replays for test in run.frame()["test_acc"]]
    assert last["index"].tolist() == [each - 1 for each in final.groupby("run", sort=False).size()]
    course, wanted = trajectories(frame, runs), [run.incumbents() for run in replays]
    changed = course[course["hash"].ne(course.groupby("run")["hash"].shift()) & (course["hash"] != "")]
    by_run = {strategy: each.groupby("seed")["test_acc"].agg(list) for strategy, each in changed.groupby("strategy")}
    for each in wanted:  # a test accuracy at every moment, of the choice that the run had then
        mine = each.groupby("seed")["test_acc"].agg(list)
        theirs = by_run[each["strategy"].iloc[0]]
        # Cells of one hash have several entries in this table; tests of a run with one hash are averaged.
        single = [seed for seed in mine.index if set(theirs[seed]) <= set(mine[seed])]
        assert len(single) > len(SEEDS) / 2
        assert theirs[single].to_dict() == mine[single].to_dict()
    np.testing.assert_allclose(run_hours(runs), runs["wall_seconds"] / 3600)
    summary = summarize(frame, runs).set_index("strategy")
    assert summary.loc["random", "test_acc"] == np.median(replays[0].frame()["test_acc"])


# -- REINFORCE on logits -------------------------------------------------------------------------------------------------


def test_logits_learn_what_a_framework_learns():
    """Ten children against torch: Categorical, Adam, and the average of rewards corrected for its start."""
    import torch

    space, rate = Row((3, 3)), 0.1
    strategy = ReinforceLogits(space, 5, ReinforceLogitsConfig(learning_rate=rate))
    logits = torch.log(torch.tensor(strategy.probabilities)).requires_grad_()
    adam = torch.optim.Adam([logits], lr=rate)
    numerator = denominator = 0.0
    for index in range(10):
        architecture, accuracy = strategy.ask(), 0.1 * ((7 * index) % 10)
        strategy.tell(SimpleNamespace(index=index, architecture=architecture, status="ok", val_acc=accuracy))
        numerator, denominator = 0.9 * numerator + 0.1 * 100 * accuracy, 0.9 * denominator + 0.1
        policy = torch.distributions.Categorical(logits=logits)
        advantage = 100 * accuracy - numerator / denominator
        adam.zero_grad()
        (-policy.log_prob(torch.tensor(architecture.choices)).sum() * advantage).backward()
        adam.step()
        np.testing.assert_allclose(strategy.probabilities, logits.detach().softmax(-1).numpy(), rtol=1e-9)


def test_an_option_that_is_not_there_is_never_drawn():
    strategy = ReinforceLogits(Row((3, 1, 2, 4)), 0)
    assert (strategy.probabilities > 0).sum(axis=1).tolist() == [3, 1, 2, 4]
    drawn = np.array([strategy.ask().choices for _ in range(200)])
    assert drawn.max(axis=0).tolist() == [2, 0, 1, 3]


def test_a_score_that_is_missing_is_refused():
    strategy = ReinforceLogits(Row(), 0)
    outcome = SimpleNamespace(index=0, architecture=strategy.ask(), status="ok", val_acc=math.nan)
    with pytest.raises(InputError, match="reward nan"):
        strategy.tell(outcome)


# -- bad input -------------------------------------------------------------------------------------------------------------


def test_bad_input_is_refused():
    table = made_up(Row((2, 2)))
    with pytest.raises(InputError, match="at least one seed"):
        replay(table, Setting.of("random", {}), [], price("1 s"))
    with pytest.raises(InputError, match="never ends at 0 USD"):
        price("3 usd")
    with pytest.raises(UnknownName, match="did you mean 'evolution'"):
        Setting.of("evolutoin", {})
    with pytest.raises(InputError, match="population"):
        Setting.of("evolution", {"population": 0})
