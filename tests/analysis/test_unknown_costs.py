"""Searches whose costs are unknown (replays of tables without costs, imported logs): missing, not 0 (docs/scores.md)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nasbench.analysis.comparison.checklist import checklist
from nasbench.analysis.comparison.compare import anytime, bands, known_axis, plot_compare, readable, summarize
from nasbench.analysis.costs.cost import cost_by_strategy, plot_cost
from nasbench.analysis.report.contents import Selection, contents
from nasbench.analysis.report.markdown import markdown_report
from nasbench.analysis.report.page import html_report
from nasbench.analysis.report.wording import facts
from nasbench.store.format.schema import UNKNOWN_SEARCHER

NAN = float("nan")
NOW = "2026-01-02T03:04:05"


def without_costs(frame, runs, which=None):
    """The same searches, of which some runs (all if None) do not say what they cost."""
    which = runs["run"] if which is None else which
    lost, theirs = runs["run"].isin(which), frame["run"].isin(which)
    hidden = runs.assign(**{name: runs[name].mask(lost) for name in ("training_hours", "usd")})
    costs = ("gpu_hours", "usd", "spent_gpu_hours", "train_seconds")
    return frame.assign(**{name: frame[name].mask(theirs) for name in costs}), hidden


@pytest.fixture
def unknown(make):
    """Three strategies of 5 runs and 20 children each, of unknown cost."""
    frame, runs, _ = make.frames(children=20, seeds=5, retrained=0)
    return without_costs(frame.assign(choices="[]", space="unknown-space"), runs)


def test_a_cost_that_is_not_known_is_not_nothing(unknown):
    data = cost_by_strategy(*unknown)
    assert plot_cost(data).axes[0].texts[0].get_text() == "What these runs cost is not known."
    said = set(data["priced_at"])
    assert said == {
        "as charged, at a price that is not known, on cpu; 5 of 5 runs are not in the USD: how many hours they spent is not known"
    }


def test_nothing_and_not_known_are_said_apart(make):
    runs = make.runs(
        [
            {"run": "a", "strategy": "random"},
            {"run": "b", "strategy": "evolution", "training_hours": NAN, "usd": NAN},
        ]
    )
    text = plot_cost(cost_by_strategy(make.children([]), runs)).axes[0].texts[0].get_text()
    assert " ".join(text.split()).startswith(
        "What these runs cost is not known, except of random, which spent no device-"
    )


def test_hours_that_are_known_without_their_usd(make):
    runs = make.runs([{"run": "a", "strategy": "random", "training_hours": 2.0, "usd": NAN}])
    said = cost_by_strategy(make.children([]), runs)["priced_at"].iloc[0]
    assert said.endswith("; 1 of 1 runs are not in the USD: what they were charged is not known")


def test_a_report_says_that_costs_are_not_known(make, unknown):
    found = contents(Selection(*unknown, make.frames(seeds=1, children=1)[2], ()))
    assert ("–", "device-hours") in facts(found)
    page = html_report(found, NOW)
    assert "What these runs cost is not known." in page
    assert "What was charged in USD is not known." in page
    assert "nothing was charged" not in page.lower()
    assert "do not hold what their children cost" in markdown_report(found, NOW)


def test_a_report_says_of_which_searches_its_sums_are(make):
    """5 runs of unknown cost beside 10: the sum is of the 10."""
    frame, runs, curves = make.frames(children=20, seeds=5, retrained=0)
    frame, hidden = without_costs(
        frame.assign(choices="[]", space="unknown-space"), runs, runs.loc[runs["strategy"] == "ppo", "run"]
    )
    found = contents(Selection(frame, hidden, curves, ()))
    captions = {fact.what: fact.value for fact in facts(found)}
    assert "USD, known of 10 of 15 searches" in captions
    assert any(what.startswith("device-") and what.endswith(", known of 10 of 15 searches") for what in captions)
    assert "hours not known" in html_report(found, NOW)


def test_the_share_of_a_searcher_that_an_import_does_not_say_is_missing(make):
    """Of two runs with 9 h of training, one says 1 h of its searcher (10 %), and the other nothing, stored as 0."""
    runs = make.runs(
        [
            {
                "run": name,
                "strategy": name[0],
                "seed": 0,
                "training_hours": 9.0,
                "searcher_hours": hours,
                "config": config,
            }
            for name, hours, config in (
                ("a", 1.0, "{}"),
                ("a2", 0.0, json.dumps({"import": {"not_known": [UNKNOWN_SEARCHER]}})),
                ("b", 0.0, json.dumps({"import": {"not_known": [UNKNOWN_SEARCHER]}})),
                ("c", 0.0, "{}"),
            )
        ]
    )
    rows = [{"run": name, "strategy": name[0], "hash": name, "val_acc": 0.5} for name in runs["run"]]
    data = summarize(make.children(rows), runs).set_index("strategy")
    np.testing.assert_allclose(data.loc[["a", "b", "c"], "searcher_share"], [0.1, NAN, 0.0])
    assert readable(data.reset_index()).set_index("strategy").loc["b", "searcher"] == "-"


def test_the_checklist_misses_a_cost_that_is_not_known(unknown):
    answers = checklist(*unknown).set_index("number")
    assert answers.loc["3.2", "answer"] == "not met"
    assert answers.loc["3.2", "evidence"].startswith("15 of 15 searches")


@pytest.mark.parametrize("by", ["gpu_hours", "usd"])
def test_a_comparison_is_by_children_where_no_run_says_what_it_spent(unknown, by):
    """All have scores, so that a picture without lines, "No child finished with a score", would be wrong."""
    axis, said = known_axis(*unknown, by)
    assert axis == "children"
    assert said.startswith("What children cost in")
    data = bands(anytime(*unknown, axis))
    assert data.loc[data["measure"] == "val_acc", "median"].notna().any()
    assert len(plot_compare(data).axes[0].lines) >= 3


def test_a_comparison_names_the_runs_that_its_axis_lacks(make):
    frame, runs, _ = make.frames(children=20, seeds=5)
    assert known_axis(frame, runs, "gpu_hours") == ("gpu_hours", "")
    some = without_costs(frame, runs, runs.loc[runs["strategy"] == "ppo", "run"])
    axis, said = known_axis(*some, "gpu_hours")
    assert (axis, "5 runs of ppo" in said) == ("gpu_hours", True)
    assert known_axis(*some, "children") == ("children", "")


def test_a_report_has_no_plot_by_what_no_run_says(make, unknown):
    curves = make.frames(seeds=1, children=1)[2]
    assert list(contents(Selection(*unknown, curves, ())).courses) == ["children"]
    frame, runs, _ = make.frames(children=20, seeds=5, retrained=0)
    frame, runs = without_costs(frame.assign(choices="[]", space="unknown-space"), runs, [runs["run"].iloc[0]])
    found = contents(Selection(frame, runs, curves, ()))
    assert list(found.courses) == ["children", "gpu_hours"]
    assert any("is not known of 1 run of" in note for note in found.notes)
