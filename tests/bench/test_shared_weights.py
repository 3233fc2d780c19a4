"""Strategies with shared weights on a task: what they are charged, and what of them another machine repeats."""

from __future__ import annotations

import re
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nasbench
from nasbench.api.benching import _repeatable, open_tasks
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import BenchmarkRuns, TaskScale
from nasbench.errors import InputError
from nasbench.runners.bench.reference import OPTIONS, equal_searches, make_reference, setting_of, space_of
from nasbench.runners.bench.replays import budget_of, entry_of, replay_task
from nasbench.runners.bench.submissions import check_entry
from nasbench.runners.replay.replay import Setting

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import one_shot_reference
    import one_shot_table
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

SUITE = load_benchmark("suite-v1")
TASK = "digits201-2"
SMALL = "gdas:cells=1,filters=2,epochs=1"  # by protocol digits, whose kernels any process has
SHARING = ("darts", "drnas", "enas", "gdas", "pcdarts", "rs_ws")


@pytest.fixture(scope="module")
def opened():
    return open_tasks(SUITE, [], [TASK])[0]


def searched(monkeypatch, opened, seconds: float):
    """Searches whose super-network takes some seconds: each reading of the clock is that much later."""
    readings = count()
    monkeypatch.setattr("nasbench.runners.replay.replay.reading", lambda clock: seconds * next(readings))
    return replay_task(setting_of(SMALL), opened[TASK], SUITE.protocol, [0, 1])


def test_seconds_are_charged_as_measured_and_proposals_are_compared(monkeypatch, opened):
    quick, children = searched(monkeypatch, opened, 0.1)
    slow, _ = searched(monkeypatch, opened, 2.0)
    table, limit = opened[TASK].searched, budget_of(opened[TASK], SUITE.protocol).budget.limit
    for number, codes in enumerate(children.codes):
        codes = codes[codes >= 0]
        assert quick.spent[number] == pytest.approx(table.seconds[codes].sum() + 0.1 * len(codes))
    assert (quick.spent <= limit).all()
    assert (slow.children < quick.children).all()
    assert quick.searcher_seconds == pytest.approx(0.1 * np.median(quick.children))
    assert equal_searches(slow, quick, measured=True) == equal_searches(quick, slow, measured=True) == 2
    assert equal_searches(slow, quick) == 0
    scales = {TASK: TaskScale.of(opened[TASK])}
    entry = entry_of(setting_of(SMALL), {TASK: quick})
    runs = BenchmarkRuns(SUITE.name, SUITE.digest, scales, (entry,))
    (checked,) = check_entry(entry, runs, SUITE, opened, 2, 0, run_code=False)
    assert (checked.reproduced, checked.faults) == (True, ())
    quick.codes[1] = (quick.codes[1] + 1) % len(table.val_acc)
    assert equal_searches(slow, quick, measured=True) == 1


def test_a_search_of_which_no_child_is_seen_again_is_not_reproduced(monkeypatch, opened):
    quick, _ = searched(monkeypatch, opened, 0.1)
    none, _ = searched(monkeypatch, opened, 1e6)
    assert none.children.tolist() == [0, 0]
    assert equal_searches(none, quick, measured=True) == 0


def test_a_task_without_super_networks_is_refused_before_others_are_searched(monkeypatch):
    monkeypatch.setattr("nasbench.runners.bench.replays.replay_all", lambda *given: pytest.fail("searched"))
    with pytest.raises(
        InputError, match=f"task conv-size-cifar16: .* has no super-network .*; the others: --task {TASK}"
    ):
        nasbench.bench(SMALL, seeds=1, progress=False)


def test_another_device_than_the_processor_is_refused(opened):
    with pytest.raises(InputError, match="the seconds of a task are those of a processor"):
        replay_task(setting_of(f"{SMALL},device=cuda"), opened[TASK], SUITE.protocol, [0])


def test_only_portable_kernels_make_the_same_proposals_elsewhere():
    assert _repeatable(setting_of("darts")) == " Its proposals are the same on every x86-64 processor."
    assert _repeatable(setting_of("random")) == ""


def test_the_page_says_that_seconds_were_measured_here(opened):
    found = nasbench.bench(SMALL, seeds=1, tasks=[TASK], against=["random"], progress=False)
    (said,) = [line for line in found.notes if "was charged for its super-network" in line]
    assert re.search(rf" s of (399|400) s on {TASK}", said)
    assert said.endswith("may differ on another processor, too, because protocol 'digits' has no portable kernels.")
    assert said in found.html().replace("&#39;", "'")


@pytest.mark.parametrize("name", SHARING)
def test_options_of_reference_runs_are_those_of_the_rule_for_300_children(name):
    auto = {} if name == "enas" else {"preset": "auto"}
    given = {"protocol": TASK, "cells": "1", **auto}
    assert setting_of(name).config == Setting.of(name, given, children=300).config
    assert name in OPTIONS


def test_reference_runs_are_made_of_the_tasks_that_have_super_networks(monkeypatch):
    both, _ = open_tasks(SUITE)
    stored = []
    found, skipped = make_reference(SUITE, both, [SMALL], 1, 1, None, lambda *ended: None, stored.append)
    assert [list(entry.runs) for entry in found.entries] == [[TASK]]
    assert [each.why.endswith("(task conv-size-cifar16)") for each in skipped] == [True]
    monkeypatch.setattr("nasbench.runners.bench.reference.STRATEGIES", ["gdas"])
    found, skipped = make_reference(SUITE, both, [], 1, 1, None, lambda *ended: None, stored.append)
    assert not found.entries
    assert "name it to make its runs" in skipped[0].why


def test_stored_searches_are_those_of_a_replay(monkeypatch, opened):
    """The searches of results/one_shot_searches.csv need not be made again to be reference runs."""
    monkeypatch.setattr(one_shot_table, "setting_of", lambda strategy: setting_of(SMALL))
    seeds = [one_shot_table.OWN_STREAMS, one_shot_table.OWN_STREAMS + 1]
    rows = [one_shot_table.searched("gdas", seed, opened[TASK], SUITE.protocol) for seed in seeds]
    stored = one_shot_reference.runs_of(pd.DataFrame(rows), opened[TASK])
    again, _ = replay_task(setting_of(SMALL), opened[TASK], SUITE.protocol, seeds)
    assert equal_searches(again, stored, measured=True) == equal_searches(stored, again, measured=True) == 2
    assert (stored.spent <= budget_of(opened[TASK], SUITE.protocol).budget.limit).all()
    with pytest.raises(SystemExit, match=r"no incumbents of 1 seeds, e\.g\. 68"):
        one_shot_reference.runs_of(pd.DataFrame(rows[:1]).assign(incumbents=np.nan), opened[TASK])


def test_the_papers_settings_are_those_of_the_tasks_space(opened):
    assert space_of(open_tasks(SUITE)[0].values()) == ""
    config = setting_of("drnas:preset=paper", space_of(opened.values())).config
    assert (config.cells, config.filters, config.epochs, config.learning_rate) == (5, 16, 100, 0.025)
