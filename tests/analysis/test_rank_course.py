"""Ranks at parts of the budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.analysis.statistics.rank_course import course_text, ranks_over_budget
from nasbench.analysis.statistics.ranks import expected_ranks
from nasbench.errors import InputError
from nasbench.runners.search.budget_of_runs import one_budget


def test_at_the_whole_budget_they_are_the_ranks_of_the_final_scores(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo", "evolution"), seeds=4, children=12)
    ranks = ranks_over_budget(frame, runs)
    whole = ranks[ranks["part"] == 1.0].set_index("strategy")["rank"]
    expected = expected_ranks(final_scores(frame, runs)).set_index("strategy")["rank"]
    pd.testing.assert_series_equal(whole, expected)


def test_a_part_counts_only_children_that_were_paid_from_it(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=3, children=12)
    half = ranks_over_budget(frame, runs, "children", parts=(0.5,)).set_index("strategy")["rank"]
    first = frame[(frame["stage"] != "search") | (frame.groupby(["run", "stage"])["spent_gpu_hours"].rank() <= 6)]
    expected = expected_ranks(final_scores(first, runs)).set_index("strategy")["rank"]
    np.testing.assert_allclose(half[expected.index], expected)


def test_the_sentence_names_the_pairs_that_change_their_order():
    rows = [(0.25, "random", 1.0), (0.25, "ppo", 2.0), (1.0, "random", 2.0), (1.0, "ppo", 1.0)]
    said = course_text(pd.DataFrame(rows, columns=["part", "strategy", "rank"]).assign(stated=True))
    assert said == (
        "Ranks at 25%, 100% of the budget: ppo 2.00 1.00, random 1.00 2.00. The order of ppo and random changes."
    )
    steady = pd.DataFrame(
        [row if row[0] == 1 else (row[0], row[1], 3 - row[2]) for row in rows], columns=["part", "strategy", "rank"]
    ).assign(stated=False)
    assert course_text(steady).endswith("No two change their order.")
    assert "of the most that a run spent: " in course_text(steady)
    assert course_text(steady.head(2)) == ""


def test_many_pairs_that_change_their_order_are_counted():
    """Four strategies in the opposite order: six pairs."""
    names = ("random", "ppo", "evolution", "reinforce")
    rows = [
        (part, name, float(place if part == 1 else 5 - place))
        for part in (0.5, 1.0)
        for place, name in enumerate(names, 1)
    ]
    said = course_text(pd.DataFrame(rows, columns=["part", "strategy", "rank"]).assign(stated=True))
    assert said.endswith("evolution 2.00 3.00, reinforce 1.00 4.00. 6 of 6 pairs change their order.")


def test_one_earlier_part_with_another_order_is_a_change():
    rows = [(0.25, "random", 1.0), (0.25, "ppo", 2.0), (0.5, "random", 2.0), (0.5, "ppo", 1.0)]
    rows += [(1.0, "random", 2.0), (1.0, "ppo", 1.0)]
    said = course_text(pd.DataFrame(rows, columns=["part", "strategy", "rank"]).assign(stated=True))
    assert said.endswith("The order of ppo and random changes.")


def test_a_run_without_a_score_at_a_part_is_last_there(make):
    fields = {"status": "ok", "counted": True}
    courses = {"random/0": [0.5, 0.9], "random/1": [0.6, 0.9], "ppo/0": [0.7, 0.9], "ppo/1": [None, 0.9]}
    children = [
        {
            **fields,
            "run": run,
            "strategy": run.split("/")[0],
            "index": index,
            "hash": f"{run}{index}",
            "val_acc": np.nan if score is None else score,
            "status": "ok" if score is not None else "failed",
            "spent_gpu_hours": index + 1.0,
        }
        for run, scores in courses.items()
        for index, score in enumerate(scores)
    ]
    runs = [{"run": run, "strategy": run.split("/")[0], "seed": 0} for run in courses]
    half = ranks_over_budget(make.children(children), make.runs(runs), "children", parts=(0.5,))
    # One run of ppo beats both of random, the other one loses to both.
    assert half.set_index("strategy")["rank"].to_dict() == {"random": 1.5, "ppo": 1.5}


def test_parts_are_of_the_budget_and_not_of_what_was_spent(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=3, children=12)
    table = (runs["space"] + ", " + runs["data"]).iloc[0]
    half = ranks_over_budget(frame, runs, "children", parts=(0.5,), budgets={table: 20.0})
    ten = ranks_over_budget(frame, runs, "children", parts=(10 / 12,))
    assert half["rank"].tolist() == ten["rank"].tolist()
    assert half["stated"].all()
    assert not ten["stated"].any()
    five = ranks_over_budget(frame, runs, "children", parts=(0.25,), budgets={table: 20.0})
    assert five["rank"].tolist() == ranks_over_budget(frame, runs, "children", parts=(5 / 12,))["rank"].tolist()


def test_runs_of_several_budgets_have_no_one_budget():
    runs = pd.DataFrame({"budget": ["5 children", "5 children", "60 children"]})
    assert one_budget(runs.head(2), "children") == 5
    assert one_budget(runs.head(2), "gpu_hours") is None
    with pytest.raises(InputError, match=r"several budgets \(5 children, 60 children\): choose one by --where"):
        one_budget(runs, "children")
    assert one_budget(pd.DataFrame({"budget": ["60 gpu-seconds", "1 gpu-minutes"]}), "gpu_hours") == 1 / 60


def test_bad_parts_are_one_clear_line(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=2, children=3)
    with pytest.raises(InputError, match=r"parts in \(0, 1\], got 'val_acc', \[2\]"):
        ranks_over_budget(frame, runs, parts=(2,))


def test_unknown_spending_gives_no_rank(make):
    """It was taken for a score of 0."""
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=5, children=6)
    frame.loc[frame["strategy"] == "ppo", "spent_gpu_hours"] = float("nan")
    with pytest.raises(InputError, match="what some of these runs spent in gpu-hours is not known"):
        ranks_over_budget(frame, runs)
    assert len(ranks_over_budget(frame, runs, "children"))
