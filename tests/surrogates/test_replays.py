"""Replays of surrogates: the same bits again, and the word surrogate in what they write."""

from __future__ import annotations

import numpy as np
import pytest
from commands import nasbench

import nasbench as suite
from nasbench.runners.replay.jobs import replay_all
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_on_clock, replay_one_by_one
from nasbench.runners.search.budget import Budget
from nasbench.store.query import Results
from nasbench.tabular.surrogates.table import SurrogateTable


def searched(surrogate, name="random", seeds=(0, 1), draw="one", how=replay, children=30, **more):
    table = SurrogateTable(surrogate)
    budget = ReplayBudget(Budget.parse(f"{children} children"))
    return how(table, Setting.of(name, {}, more.pop("where_arch", "")), seeds, budget, draw, **more)


def choices(found):
    return [[found.table.architecture(code).choices for code in row] for row in found.codes.tolist()]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("draw", ["mean", "one"])
@pytest.mark.parametrize("name", ["random", "evolution", "local_search", "nsga2"])
def test_replays_repeat(surrogate, name, draw):
    first, second = searched(surrogate, name, draw=draw), searched(surrogate, name, draw=draw)
    assert choices(first) == choices(second)
    assert np.array_equal(first.outcomes, second.outcomes)
    assert np.isfinite(first.outcomes).all()
    one_by_one = searched(surrogate, name, draw=draw, how=replay_one_by_one)
    assert choices(one_by_one) == choices(first)
    assert np.array_equal(one_by_one.outcomes, first.outcomes)


def test_noise_depends_on_hash_and_seed_alone(surrogate):
    rng = np.random.default_rng(5)
    architectures = [surrogate.space.random(rng) for _ in range(200)]
    forward, back = SurrogateTable(surrogate), SurrogateTable(surrogate)
    codes = forward.code(np.array([each.choices for each in architectures]))
    others = back.code(np.array([each.choices for each in architectures[::-1]]))[::-1]
    assert codes.tolist() != others.tolist()
    for seed in (0, 1):
        mine = forward.outcomes(codes, np.array(seed), "one")
        assert np.array_equal(mine, back.outcomes(others, np.array(seed), "one"))
    seeds = forward.outcomes(codes[:, None], np.arange(50), "one")
    assert seeds.std(axis=1).min() > 0
    # the canonical architecture has the same hash, so the same prediction and the same noise
    canonical = forward.code(np.array([surrogate.space.canonical(each).choices for each in architectures]))
    assert np.array_equal(forward.val_acc[canonical], forward.val_acc[codes])
    assert np.array_equal(forward.outcomes(canonical, np.array(3), "one"), forward.outcomes(codes, np.array(3), "one"))


def test_several_devices_limits_and_processes(surrogate):
    two = searched(surrogate, how=replay_on_clock, devices=2)
    assert np.isfinite(two.outcomes).all()
    limited = searched(surrogate, "evolution", where_arch="params <= 8000", children=10)
    assert (limited.table.params[limited.codes] <= 8000).all()


def test_children_are_charged_their_predicted_seconds(surrogate):
    table = SurrogateTable(surrogate)
    found = replay(table, Setting.of("random", {}), (0, 1), ReplayBudget(Budget.parse("20 gpu-seconds")), "one")
    assert np.array_equal(found.costs, np.where(found.codes >= 0, table.seconds[found.codes], 0.0))
    assert ((found.costs.sum(axis=1) > 18) & (found.costs.sum(axis=1) <= 20)).all()


def test_a_budget_of_wall_time_pays_for_a_child_a_device(surrogate):
    table, mean = SurrogateTable(surrogate), surrogate.about.mean_seconds
    assert table.children_of(30 * mean, "wall_seconds") == pytest.approx(30)
    assert table.children_of(30 * mean, "wall_seconds", 4) == pytest.approx(120)
    assert table.children_of(30 * mean, "gpu_seconds", 4) == pytest.approx(30)


@pytest.mark.slow
def test_processes_give_the_same(surrogate):
    budget = ReplayBudget(Budget.parse("20 children"))
    setting = Setting.of("evolution", {"population": 10, "sample": 3})
    alone, shared = (
        replay_all(SurrogateTable(surrogate), [setting], range(15), budget, jobs, lambda *_: None, "one")[0]
        for jobs in (1, 2)
    )
    assert choices(alone) == choices(shared)
    assert np.array_equal(alone.outcomes, shared.outcomes)


def test_every_output_says_surrogate(file, tmp_path):
    rows, picture = tmp_path / "r.h5", tmp_path / "p.svg"
    words = ("--strategy", "random", "--strategy", "evolution:population=5,sample=2", "--draw", "one", "--seeds", "3")
    done = nasbench(
        *("replay", "--table", str(file), *words, "--budget", "12 children", "-o", str(rows), "--plot", str(picture))
    )
    assert done.code == 0, done
    assert "surrogate of nasnet:blocks=2" in done.out
    assert "no network was trained" in done.out
    assert (
        "budget of 12 children; the strategies' own seconds" in done.out + done.err
    )  # children have no costs to count
    assert "surrogate" in picture.with_suffix(".txt").read_text()
    with Results(str(rows)) as results:
        frame, runs = results.frame(), results.runs()
    assert set(frame["data"]) == {"surrogate of digits"}
    assert set(frame["protocol"]) == {"surrogate digits"}
    assert set(frame["device"]) == {"surrogate"}
    assert frame["cached_from"].str.startswith("surrogate ").all()
    assert '"surrogate": {"fingerprint"' in runs["config"].iloc[0]
    assert nasbench("check", str(rows)).code == 0
    told = nasbench("compare", str(rows))
    assert told.code == 0, told
    assert "Scores are predictions of a surrogate, not trainings: surrogate of digits" in told.out
    texts = [path.read_text() for path in tmp_path.glob("*.txt") if path.stem != "p"]
    assert texts
    assert all("surrogate" in text for text in texts)


@pytest.mark.slow
def test_the_report_and_the_checklist_say_surrogate(file, tmp_path):
    rows = tmp_path / "r.h5"
    words = ("--strategy", "random", "--strategy", "ppo", "--draw", "one", "--seeds", "2", "--budget", "12 children")
    assert nasbench("replay", "--table", str(file), *words, "-o", str(rows)).code == 0
    assert nasbench("report", str(rows), "-o", str(tmp_path / "r.html")).code == 0
    assert "predictions of a surrogate" in (tmp_path / "r.html").read_text()
    assert "scores were predicted by the surrogate of digits" in nasbench("checklist", str(rows)).out


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "--strategy", "asha", "--table"),
        ("replay", "--strategy", "random", "--search-seeds", "0", "--table"),
        ("replay", "--strategy", "random", "--report-on", "cifar10", "--table"),
        ("replay", "--strategy", "random", "--score", "val_loss", "--table"),
        ("replay", "--strategy", "random", "--space", "nasbench201", "--table"),
        ("replay", "--table"),
        ("table", "stats"),
        ("query",),
    ],
)
def test_what_a_surrogate_does_not_have_is_refused_in_one_line(words, file):
    done = nasbench(*words, str(file))
    assert (done.code, done.err.count("\n"), "Traceback" in done.err) == (2, 1, False), done
    assert any(word in done.err for word in ("surrogate", "predicts ")), done.err


def test_from_python(file):
    found = suite.replay(file, ["random"], seeds=2, budget="10 children", draw="one", progress=False)
    assert found.summary["data"].tolist() == ["surrogate of digits"]
    assert found.summary["children"].tolist() == [10.0]
    best = found.summary["best"].iloc[0]
    assert best == pytest.approx(found.table.val_acc.max())
    assert (found.regret()["mean"] >= 0).all()
