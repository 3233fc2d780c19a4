"""Comparisons on a suite: scores, ranks, tests, targets and what they say of themselves."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu, sem

from nasbench.analysis.bench import comparison
from nasbench.analysis.bench.charts import GAP, NAME, RANK_SIDE, Span, cliques, curve_chart, rank_chart, span_chart
from nasbench.analysis.bench.comparison import compare_entries, search_scores
from nasbench.analysis.bench.page import MOST_FINDINGS, findings_of
from nasbench.analysis.bench.targets import reaching_times, shares_at, target_curves
from nasbench.analysis.inference.two_samples import holm
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import Entry

PROTOCOL = load_benchmark("suite-v1").protocol


def test_scores_are_those_of_the_incumbent_when_the_budget_is_spent(made):
    small = search_scores(made.entries, made.scales, "small")
    assert set(small["score"]) == {0.3}
    assert small["regret"].tolist() == pytest.approx([1.5] * len(small))  # (0.9 - 0.3) / (0.9 - 0.5)
    large = search_scores(made.entries, made.scales, "large")
    good = large[(large["strategy"] == "good") & (large["task"] == "first")]
    assert good["score"].tolist() == made.entries[0].runs["first"].scores[1::2].tolist()


def test_a_search_without_a_child_scores_zero_and_counts(made):
    runs = made.entries[0].runs["first"]
    none = search_scores(made.entries, {**made.scales, "first": made.scales["first"]}, "small")
    assert none["scored"].all()
    assert runs.at(0.5).tolist() == [-1] * 8


def test_ranks_tests_and_tallies(made):
    found = compare_entries(made.entries, (), made.scales, PROTOCOL)
    assert found.overall.sort_values("rank")["strategy"].tolist() == ["good", "middling", "poor"]
    assert found.overall.set_index("strategy")["rank"].to_dict() == {"good": 1.0, "middling": 2.0, "poor": 3.0}
    assert found.overall.set_index("strategy").loc["good", ["wins", "ties", "losses"]].tolist() == [6, 0, 0]
    assert found.overall.set_index("strategy").loc["poor", ["wins", "ties", "losses"]].tolist() == [0, 0, 6]
    table = found.tests["first"]
    scores = {entry.shown: entry.runs["first"].scores[1::2] for entry in made.entries}
    expected = [
        mannwhitneyu(scores[row.first], scores[row.second], method="exact").pvalue for row in table.itertuples()
    ]
    assert table["p"].tolist() == pytest.approx(expected, rel=1e-6)
    assert table["p_holm"].tolist() == pytest.approx(holm(np.array(expected)).tolist(), rel=1e-6)


def test_every_verdict_has_n_interval_p_and_what_was_detectable(made):
    found = compare_entries(made.entries, ("good",), made.scales, PROTOCOL)
    assert [len(table) for table in found.tests.values()] == [2, 2, 2]  # only pairs with the strategy in question
    for table in found.tests.values():
        for verdict in table["verdict"]:
            assert all(part in verdict for part in ("n=8 and 8", "Holm p", "points [", "detectable at this n:"))


def test_the_margin_of_equivalence_is_a_share_of_what_the_best_has_above_the_mean(made):
    steps = np.linspace(-0.01, 0.01, 20)
    scores = pd.DataFrame({"strategy": ["one"] * 20 + ["other"] * 20, "score": [*(0.75 + steps), *(0.751 + steps)]})
    wide = made.scales["first"]  # best 0.9, mean 0.5
    found = {}
    for mean in (0.5, 0.88):
        table = comparison.tests_of_task(scores, (), PROTOCOL, replace(wide, typical=mean))
        found[mean] = (table["margin"].item(), table["finding"].item())
    assert found[0.5] == (pytest.approx(0.05 * 0.4), "equivalent")
    assert found[0.88] == (pytest.approx(0.05 * 0.02), "not shown to differ")


def test_a_table_of_equal_scores_has_no_margin(made):
    flat = {name: replace(scale, typical=scale.best) for name, scale in made.scales.items()}
    tests = comparison.tests_of_task(
        search_scores(made.entries, made.scales, "large").query("task == 'first'"), (), PROTOCOL, flat["first"]
    )
    assert tests["margin"].isna().all()
    assert "equivalent" not in set(tests["finding"])


def test_regrets_over_tasks_are_means_over_tasks_with_intervals(made):
    found = compare_entries(made.entries, (), made.scales, PROTOCOL)
    row = found.overall.set_index("strategy").loc["good"]
    by_task = found.summary[found.summary["strategy"] == "good"]["regret"]
    assert row["regret"] == pytest.approx(by_task.mean())
    assert row["regret_low"] < row["regret"] < row["regret_high"]


def test_the_interval_over_tasks_is_around_their_mean_when_one_has_fewer_searches(made):
    good, middling, poor = (entry.runs for entry in made.entries)
    mine = {"first": good["first"], "second": poor["second"].of_searches(range(5))}
    scales = {task: made.scales[task] for task in mine}
    entries = [Entry("mine", {}, mine), Entry("other", {}, {task: middling[task] for task in mine})]
    found = compare_entries(entries, (), scales, PROTOCOL)
    row = found.overall.set_index("strategy").loc["mine"]
    regrets = [scales[task].regret(each.scores[1::2]) for task, each in mine.items()]
    mean, error = np.mean([each.mean() for each in regrets]), np.hypot(*(sem(each) for each in regrets)) / 2
    assert row["regret"] == pytest.approx(mean)
    assert 1.5 * error < mean - row["regret_low"] < 4 * error  # two errors, a few more with eight searches
    assert 1.5 * error < row["regret_high"] - mean < 4 * error


def test_few_tasks_are_said_to_be_few(made):
    three = compare_entries(made.entries, (), made.scales, PROTOCOL).notes
    assert any("the least p that 3 pairs can give is 0.25" in line for line in three)
    assert any(line.startswith("Friedman") for line in three)
    one = {"first": made.scales["first"]}
    entries = [type(each)(each.strategy, {}, {"first": each.runs["first"]}, label=each.label) for each in made.entries]
    notes = compare_entries(entries, (), one, PROTOCOL).notes
    assert any("Nothing can be concluded about other tasks" in line for line in notes)
    assert not any("Friedman" in line for line in notes)


def test_fewer_than_five_searches_have_neither_intervals_nor_tests(made):
    entries = [
        type(each)(
            each.strategy, {}, {task: runs.of_searches(range(4)) for task, runs in each.runs.items()}, label=each.label
        )
        for each in made.entries
    ]
    found = compare_entries(entries, (), made.scales, PROTOCOL)
    assert all(math.isnan(value) for table in found.tests.values() for value in table["p"])
    assert found.overall["regret_low"].isna().all()
    assert any("neither intervals nor tests" in line for line in found.notes)


def test_targets_are_reached_when_the_searched_score_is_good_enough(made):
    runs, scale = made.entries[0].runs["first"], made.scales["first"]
    times = reaching_times(runs, scale, (2.0, 0.5, 0.0))
    assert times[:, 0].tolist() == [1.0] * 8
    assert times[:, 1].tolist() == [20.0] * 8
    assert np.isinf(times[:, 2]).all()
    shares = shares_at(made.entries, made.scales, (2.0, 0.5, 0.0)).set_index("strategy")
    assert shares.loc["good"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    curves = target_curves(made.entries, made.scales, (2.0, 0.5, 0.0))
    for _, curve in curves.groupby("strategy"):
        assert curve["share"].is_monotonic_increasing
    last = curves.groupby("strategy")["share"].last()
    assert last["good"] == pytest.approx(shares.loc["good", "large"])


def test_bars_join_the_largest_groups_that_are_not_shown_to_differ():
    ranks = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    differ = frozenset({frozenset("ac"), frozenset("ad"), frozenset("bd")})
    assert cliques(ranks, differ) == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert cliques(ranks, frozenset()) == [["a", "b", "c", "d"]]


def test_ranks_of_many_strategies_with_long_names_fit_into_the_chart():
    names = [f"{number:02d}{'m' * NAME}" for number in range(24)]
    chart = rank_chart({name: 1.0 + place for place, name in enumerate(names)}, [], dict.fromkeys(names, 0), "Ranks")
    texts = re.findall(
        r'<text x="([-\d.]+)" y="[-\d.]+" text-anchor="(end|start)" class="row-name s0">([^<]+)</text>', chart
    )
    assert len(texts) == 24
    for place, anchor, text in texts:
        room = float(place) if anchor == "end" else 760 - float(place)
        assert len(text) * 7.3 <= room <= RANK_SIDE  # a bold letter of 12 px is 7.2 px wide in the mean
    assert len(re.findall(r'text-anchor="middle">\d+</text>', chart)) == 12  # numbers that do not touch


def test_the_page_begins_with_the_differences_of_all_tasks_that_are_shown(made):
    good, middling, poor = (entry.runs for entry in made.entries)
    first = {"first": middling["first"], "second": middling["second"]}
    same = {"first": middling["third"], "second": middling["third"]}
    mixed = {"first": middling["third"], "second": poor["second"]}
    others = [Entry(f"same{number}", {}, same) for number in range(12)]
    entries = [
        Entry("mine", {}, first),
        *others,
        Entry("mixed", {}, mixed),
        Entry("better", {}, {"first": good["first"], "second": good["second"]}),
    ]
    found = compare_entries(entries, ("mine",), {task: made.scales[task] for task in first}, PROTOCOL)
    lines = findings_of(found)
    assert len(lines) == MOST_FINDINGS + 1
    assert [line.split(": differs")[0] for line in lines[:3]] == [
        "first: mine against better",
        "second: mine against better",
        "second: mine against mixed",
    ]
    assert "not shown to differ" in lines[3]
    assert lines[-1] == "16 more comparisons are in the tables below, 0 of them with a difference that is shown"


@pytest.mark.parametrize("value", [0.0, 0.1234567, 0.35, 1.0, 9.1])
def test_one_value_without_an_interval_has_an_axis(value):
    chart = span_chart([Span("mine", value, math.nan, math.nan, "")], {"mine": 0}, "regret", "Regrets")
    assert len(re.findall("<circle", chart)) == 1
    assert len(re.findall('class="grid"', chart)) >= 2
    assert "nan" not in chart


@pytest.mark.parametrize("count", [1, 5, 22, 23, 30, 60])
def test_every_name_beside_the_curves_is_inside_the_picture(count):
    """All end near the same share: names are moved apart, up and down, and each is read beside its number."""
    names = [f"s{number:02d}" for number in range(count)]
    for least in (0.0, 0.9):
        ends = {name: least + 0.0015 * number for number, name in enumerate(names)}
        curves = pd.DataFrame(
            [{"strategy": name, "budget": budget, "share": ends[name]} for name in names for budget in (0.01, 1.0)]
        )
        chart = curve_chart(curves, {name: number for number, name in enumerate(names)}, "budget", "Shares")
        height = float(re.search(r'viewBox="0 0 \d+ (\d+)"', chart)[1])
        labels = re.findall(r'y="([-\d.]+)" class="end-name[^>]*>(\w+)', chart)
        places = [float(y) for y, _ in labels]
        assert [name for _, name in labels] == names[::-1], "the best one on top"
        assert all(b - a >= GAP - 0.11 for a, b in itertools.pairwise(places))
        assert places[0] >= 12  # room for the letters above their base line
        assert places[-1] <= height - 8
