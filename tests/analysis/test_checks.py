"""Fairness checks: each fails on the comparison that it is there for, is refused in one line, and can be allowed by name."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.comparison.checks import CHECKS, REPLAYED, _budget, check_comparable, check_tables, fairness
from nasbench.analysis.pareto.objectives import objective_points
from nasbench.analysis.pareto.pareto import pareto_front
from nasbench.analysis.statistics.table_statistics import architecture_means
from nasbench.errors import InputError
from nasbench.store.format.budgets import several_budgets


@pytest.fixture
def fair(make):
    """Two strategies, five seeds, nothing to object to."""
    frame, runs, _ = make.frames(strategies=("random", "ppo"), children=6, seeds=5)
    return frame, runs


def failing(frame, runs):
    return fairness(frame, runs).query("not met")["check"].tolist()


def test_a_fair_comparison_passes_every_check(fair):
    table = fairness(*fair)
    assert table["check"].tolist() == list(CHECKS)
    assert table["met"].all()
    assert (table["finding"] == "").all()
    assert check_comparable(*fair) == ()


def test_rows_of_several_platforms_are_said(fair):
    frame, runs = fair
    frame["platform"] = ["EPYC; torch 2", "Xeon; torch 2"] * (len(frame) // 2)
    assert check_comparable(frame, runs) == ("Trained on different platforms: EPYC; torch 2 | Xeon; torch 2.",)


def spoil_prices(frame, runs):
    frame.loc[frame["run"] == runs["run"].iloc[0], "usd"] *= 3
    return frame, runs


def lose_prices(frame, runs):
    frame.loc[frame["run"] == runs["run"].iloc[0], "usd"] = np.nan
    return frame, runs


def drop_failures(frame, runs):
    return frame[(frame["stage"] != "search") | (frame["index"] != 2)], runs


def hide_duplicates(frame, runs):
    frame.loc[frame["stage"] == "search", ["hash", "duplicate"]] = ["same", False]
    return frame, runs


def free_searcher(frame, runs):
    runs.loc[runs["strategy"] == "ppo", "searcher_hours"] = 0.0
    runs["budget"] = "24 gpu-seconds"
    return frame, runs


def no_baseline(frame, runs):
    return frame[frame["strategy"] != "random"], runs[runs["strategy"] != "random"].copy()


def leak_test(frame, runs):
    frame.loc[(frame["stage"] == "search") & (frame["index"] == 0), "test_acc"] = 0.5
    return frame, runs


@pytest.mark.parametrize(
    ("name", "spoil", "finding"),
    [
        ("prices", spoil_prices, "hours of cpu at 0.2 to 0.6 USD"),
        ("prices", lose_prices, "1 of 10 runs have no price for cpu"),
        ("children", drop_failures, "10 counted children of 10 runs are not here"),
        ("duplicates", hide_duplicates, "50 children repeat an architecture"),
        ("searcher", free_searcher, "5 of 10 runs were charged no time"),
        ("baseline", no_baseline, "No random search here"),
        ("test", leak_test, "10 children of searches have a test score"),
    ],
)
def test_what_is_unfair_is_refused_and_printed_when_allowed(fair, name, spoil, finding):
    frame, runs = spoil(*fair)
    assert failing(frame, runs) == [name]
    with pytest.raises(InputError) as caught:
        check_comparable(frame, runs)
    message = str(caught.value)
    assert finding in message
    assert message.endswith(f"or allow it: --allow {name}")
    assert ("Run random search into the same file, e.g. by nasbench run --add-baseline" in message) == (
        name == "baseline"
    )
    assert "\n" not in message
    (note,) = check_comparable(frame, runs, [name])
    assert finding in note
    assert f"(allowed: {name})" in note


def test_replays_without_random_search_are_told_to_replay_it(fair):
    frame, runs = no_baseline(*fair)
    runs["config"] = '{"replay": "digits", "budget": "24 gpu-seconds"}'
    with pytest.raises(InputError, match=r"e\.g\. by naming random as one more strategy of the replays, or allow it"):
        check_comparable(frame, runs)


def test_several_failures_are_named_together(fair):
    frame, runs = no_baseline(*fair)
    runs.loc[runs.index[0], "budget"] = "9 children"
    with pytest.raises(
        InputError, match=r"differ in budget: .*; baseline: No random.*--allow budget --allow baseline$"
    ):
        check_comparable(frame, runs)


@pytest.mark.parametrize(
    ("one", "other"), [("1 gpu-hours", "60gpu-minutes"), ("9 children", "9.0children"), ("1 h", "60 min")]
)
def test_spellings_of_one_budget_do_not_differ(one, other):
    texts = pd.Series([one, other, one])
    assert several_budgets(texts) == []
    assert several_budgets([one, other, "unknown"]) != []
    assert _budget(pd.DataFrame(), pd.DataFrame({"budget": texts})) == ""
    assert "7 usd" in _budget(pd.DataFrame(), pd.DataFrame({"budget": [one, "7 usd"]}))


def test_a_budget_of_children_does_not_ask_for_the_searchers_time(fair):
    frame, runs = fair
    runs["searcher_hours"] = 0.0
    assert failing(frame, runs) == []
    runs["budget"] = "1 gpu-hours"
    runs["supernet_hours"] = 0.1
    assert failing(frame, runs) == []  # the strategy's time went into shared weights


def test_replays_are_charged_alike_and_say_so_once(fair):
    frame, runs = fair
    runs["searcher_hours"], runs["budget"] = 0.0, "24 gpu-seconds"
    assert failing(frame, runs) == ["searcher"]  # of these nobody knows why nothing was charged
    runs["config"] = '{"replay": "digits", "budget": "24 gpu-seconds"}'
    assert failing(frame, runs) == []
    assert check_comparable(frame, runs) == (REPLAYED,)
    runs["budget"] = "5 children"
    assert check_comparable(frame, runs) == ()  # where children are the budget, seconds decide nothing
    runs["budget"] = "24 gpu-seconds"
    runs.loc[runs["strategy"] == "ppo", ["config", "searcher_hours"]] = ['{"protocol": "digits"}', 0.1]
    assert failing(frame, runs) == ["searcher"]  # a replay beside a search that paid for its own time
    assert "5 of 10 runs were charged no time" in fairness(frame, runs).query("not met")["finding"].item()
    runs["config"] = '["replay"]'
    assert failing(frame, runs) == ["searcher"]


def test_two_seeds_are_insufficient_in_the_notes(make):
    frame, runs, _ = make.frames(children=6, seeds=2)
    (note,) = check_comparable(frame, runs)
    assert note.startswith("Insufficient seeds for an interval (fewer than 5): ")
    assert "random 2" in note


def test_runs_with_several_children_at_once_are_not_comparable_with_one_at_a_time(make):
    import json

    from nasbench.analysis.comparison.checks import check_comparable

    frame, runs, _ = make.frames(strategies=("random", "ppo"), seeds=2, children=3)
    one = {"executor": "local", "devices": ["cpu"], "children_per_device": 1}
    configs = [{**one, "devices": ["cpu"] * count} for count in (1, 1, 1, 4)]
    runs["config"] = pd.Series([json.dumps(config) for config in configs], dtype=object)
    with pytest.raises(InputError, match="parallelism: children in training at once: 1, 4"):
        check_comparable(frame, runs)
    check_comparable(frame, runs, allow=["parallelism"])
    shared = [json.dumps({**one, "children_per_device": count}) for count in (1, 1, 1, 2)]
    with pytest.raises(InputError, match="parallelism: children in training at once: 1, 2"):
        check_comparable(frame, runs.assign(config=pd.Series(shared, dtype=object)))
    runs["config"] = pd.Series([json.dumps({**config, "ordered": True}) for config in configs], dtype=object)
    check_comparable(frame, runs)  # an ordered run knows what a run with one child at a time knows


def test_replays_with_several_devices_are_not_comparable_with_one_device(make):
    """Of one device the configuration does not speak; a budget of wall time pays for as many children on each."""
    frame, runs, _ = make.frames(strategies=("random", "ppo"), seeds=2, children=3)
    configs = [{"replay": "digits"}, {"replay": "digits"}, *[{"replay": "digits", "children_at_once": 8}] * 2]
    runs["config"] = pd.Series([json.dumps(config) for config in configs], dtype=object)
    with pytest.raises(InputError, match="parallelism: children in training at once: 1, 8"):
        check_comparable(frame, runs)
    runs["config"] = pd.Series([json.dumps(configs[2])] * 4, dtype=object)
    check_comparable(frame, runs)
    local = json.dumps({"executor": "local", "devices": ["cpu"] * 8})
    runs["config"] = pd.Series([json.dumps(configs[2])] * 3 + [local], dtype=object)
    assert "parallelism" not in failing(frame, runs)


def test_duplicates_that_are_marked_pass_and_test_losses_do_not(fair):
    frame, runs = fair
    search = frame["stage"] == "search"
    frame.loc[search, "hash"] = "same"
    frame.loc[search, "duplicate"] = frame.loc[search, "index"] > 0
    assert failing(frame, runs) == []
    frame.loc[search & (frame["index"] == 0), "test_loss"] = 0.5
    assert (
        fairness(frame, runs)
        .set_index("check")
        .loc["test", "finding"]
        .startswith("10 children of searches have a test")
    )


def test_runs_under_limits_are_not_compared_with_runs_without(fair):
    frame, runs = fair
    runs["config"] = ['{"where_arch": "params <= 2k"}'] * len(runs)
    assert failing(frame, runs) == []
    runs.loc[runs["strategy"] == "ppo", "config"] = ['{"where_arch": ""}', "{}", "", "no JSON", '{"strategy": "ppo"}']
    assert failing(frame, runs) == ["space"]
    space = runs["space"].iloc[0]
    with pytest.raises(InputError, match=f"space: {space} / {space} with params <= 2k"):
        check_comparable(frame, runs)
    check_comparable(frame, runs, allow=["space"])


def test_tables_may_differ_from_each_other_and_each_is_checked(fair):
    frame, runs = fair
    other = frame.assign(run="x" + frame["run"], data="other"), runs.assign(run="x" + runs["run"], data="other")
    both = pd.concat([frame, other[0]]), pd.concat([runs, other[1]])
    assert "data" in failing(*both)
    assert check_tables(*both) == []
    second = both[0]["strategy"].ne("random") | both[0]["data"].ne("other")
    lacking = both[0][second], both[1][both[1]["run"].isin(both[0].loc[second, "run"])]
    assert failing(*lacking) == ["data"]  # random search on the first table is none on the second
    with pytest.raises(InputError, match="No random search here"):
        check_tables(*lacking)
    assert len(check_tables(*lacking, ["baseline"])) == 1


def test_rows_of_a_complete_table_are_not_missed_as_children_of_a_search(make):
    frame = make.children([{"run": "t", "strategy": "table", "stage": "final", "counted": False, "test_acc": 0.5}])
    runs = make.runs([{"run": "t", "strategy": "table", "children": 1}])
    assert failing(frame, runs) == ["baseline"]


def test_several_counts_of_one_architecture_are_refused_and_unknown_ones_ignored(make):
    fields = {"run": "a", "strategy": "random", "hash": "f00", "val_acc": 0.5, "mult_adds": 7}
    frame = make.children([{**fields, "params": 1000}, {**fields, "params": -1}])
    assert architecture_means(frame)["params"].tolist() == [1000]
    frame.loc[1, "params"] = 3000
    said = re.escape("architecture f00 has several values of params (1,000, 3,000); 1 architectures do")
    for analysis in (architecture_means, pareto_front, lambda rows: objective_points(rows, ("error", "params"))):
        with pytest.raises(InputError, match=said):
            analysis(frame)
