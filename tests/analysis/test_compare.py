"""Best-so-far step functions, incumbents, intervals, summaries, and what may be compared at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.comparison.bands import MEASURES, simultaneous_rank
from nasbench.analysis.comparison.compare import (
    anytime,
    bands,
    check_comparable,
    counted_notes,
    interval_name,
    plot_compare,
    readable,
    run_rates,
    summarize,
    trajectories,
    with_simultaneous,
)
from nasbench.analysis.inference.intervals import median_interval
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption_of
from nasbench.analysis.report.tables import score
from nasbench.errors import InputError
from nasbench.store.format.schema import TABLE

NAN = float("nan")


@pytest.fixture
def small(make):
    """One run of five children by hand: spent 1, 2, 4, 5, 9 hours; the third failed; the last one is a tie; one not counted."""
    scores = [0.5, 0.7, NAN, 0.6, 0.7, 0.9]
    spent = [1.0, 2.0, 4.0, 5.0, 9.0, 10.0]
    rows = [
        {
            "run": "r",
            "index": i,
            "strategy": "random",
            "hash": f"h{i}",
            "val_acc": score,
            "status": "ok" if score == score else "failed",
            "spent_gpu_hours": hours,
            "wall_seconds": 3600 * hours / 2,
            "gpu_hours": 0.5,
            "counted": i < 5,
            "duplicate": i == 4,
        }
        for i, (score, hours) in enumerate(zip(scores, spent))
    ]
    tests = [("h1", 0.65), ("h1", 0.67), ("h9", 0.99)]
    rows += [
        {"run": "r", "index": i, "stage": "final", "strategy": "random", "hash": code, "test_acc": acc, "val_acc": 0.7}
        for i, (code, acc) in enumerate(tests)
    ]
    run = {
        "run": "r",
        "strategy": "random",
        "training_hours": 8.0,
        "searcher_hours": 1.0,
        "final_hours": 1.0,
        "usd": 20.0,
    }
    return make.children(rows), make.runs([run])


def test_the_course_of_a_run_is_the_hand_computed_one(small):
    table = trajectories(*small)
    assert table["spent"].tolist() == [1, 2, 4, 5, 9]
    assert table["val_acc"].tolist() == [0.5, 0.7, 0.7, 0.7, 0.7]
    assert table["hash"].tolist() == ["h0", "h1", "h1", "h1", "h1"]  # the tie keeps the first
    np.testing.assert_allclose(table["test_acc"], [NAN, 0.66, 0.66, 0.66, 0.66])  # h9 was never the incumbent


@pytest.mark.parametrize(
    ("by", "spent"),
    [("children", [1, 2, 3, 4, 5]), ("wall", [0.5, 1, 2, 2.5, 4.5]), ("usd", [2, 4, 8, 10, 18])],
)
def test_what_is_spent_has_four_readings(small, by, spent):
    np.testing.assert_allclose(trajectories(*small, by=by)["spent"], spent)


def test_a_step_function_holds_its_value_until_the_next_child(small):
    steps = anytime(*small, grid=[0.5, 1.0, 1.99, 2.0, 100.0])
    np.testing.assert_allclose(steps["val_acc"], [NAN, 0.5, 0.5, 0.7, 0.7])
    assert steps["children"].tolist() == [0, 1, 1, 2, 5]
    assert steps["hash"].tolist() == ["", "h0", "h0", "h1", "h1"]
    np.testing.assert_allclose(steps["test_acc"], [NAN, NAN, NAN, 0.66, 0.66])


@pytest.mark.parametrize("by", ["gpu_hours", "children", "usd", "wall"])
def test_steps_agree_with_a_naive_loop(make, by):
    frame, runs, _ = make.frames(children=60, seeds=2)
    steps = anytime(frame, runs, by)
    course = trajectories(frame, runs, by)
    for row in steps.sample(40, random_state=0).itertuples():
        told = course[(course["run"] == row.run) & (course["spent"] <= row.budget)]
        scores = [score for score in told["score"] if score == score]
        assert row.children == len(told)
        np.testing.assert_equal(row.val_acc, max(scores, default=NAN))


def test_the_default_grid_is_exact_or_reaches_both_ends(make):
    few, runs, _ = make.frames(children=20, seeds=2)
    assert set(trajectories(few, runs)["spent"]) == set(anytime(few, runs)["budget"])
    many, runs, _ = make.frames(children=150, seeds=2)
    budgets, spent = anytime(many, runs)["budget"], trajectories(many, runs)["spent"]
    assert budgets.nunique() == 200
    assert (budgets.min(), budgets.max()) == (spent.min(), spent.max())


def test_order_is_by_what_was_spent_not_by_row(make):
    frame, runs, _ = make.frames(children=30, seeds=2)
    shuffled = frame.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(anytime(frame, runs), anytime(shuffled, runs))


def test_median_and_range_by_hand(make):
    scores = {"a": 0.2, "b": 0.6, "c": 0.4}
    rows = [
        {"run": name, "strategy": "random", "hash": name, "val_acc": acc, "spent_gpu_hours": 1.0}
        for name, acc in scores.items()
    ]
    runs = make.runs([{"run": name, "strategy": "random", "seed": i} for i, name in enumerate(scores)])
    row = bands(anytime(make.children(rows), runs)).query("measure == 'val_acc'").iloc[0]
    assert (row["n"], row["median"], row["low"], row["high"], row["interval"]) == (
        3,
        0.4,
        0.2,
        0.6,
        "n=3: range, insufficient",
    )


def test_a_run_without_a_score_is_counted(make):
    frame, runs, _ = make.frames(strategies=("random",), children=5, seeds=3)
    first = runs["run"].iloc[0]
    frame.loc[frame["run"] == first, ["status", "val_acc"]] = ["failed", NAN]
    last = bands(anytime(frame, runs)).query("measure == 'val_acc'").iloc[-1]
    assert (last["runs"], last["n"], last["low"]) == (3, 3, 0)
    lost = frame[frame["run"] != first]
    assert bands(anytime(lost, runs)).query("measure == 'val_acc'").iloc[-1]["runs"] == 3


def test_bands_use_their_seed_and_only_that(make):
    frame, runs, _ = make.frames(children=10, seeds=12)
    data = anytime(frame, runs)
    pd.testing.assert_frame_equal(bands(data, seed=1), bands(data, seed=1))
    # With few drawn signs the rank of the band depends on them.
    low = [bands(data, seed=seed, resamples=3)["all_low"] for seed in range(6)]
    assert any(not each.equals(low[0]) for each in low)
    alone = bands(data[data["strategy"] == "ppo"], seed=1)
    together = bands(data, seed=1).query("strategy == 'ppo'").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, together)


def test_the_interval_of_a_median_is_that_of_order_statistics(make):
    frame, runs, _ = make.frames(strategies=("random",), children=10, seeds=25)
    mine = summarize(frame, runs).iloc[0]
    final = np.sort(trajectories(frame, runs).groupby("run")["val_acc"].last().to_numpy())
    theirs = median_interval(final)
    assert mine["interval"] == "n=25: 96% order statistics"
    assert (mine["val_low"], mine["val_high"]) == (theirs.low, theirs.high) == (final[7], final[17])
    last = bands(anytime(frame, runs)).query("measure == 'val_acc'").iloc[-1]
    assert (last["low"], last["high"]) == (theirs.low, theirs.high)


def test_a_median_of_equal_scores_has_no_interval_and_one_of_tied_scores_shows_its_ends(make):
    frame, runs, _ = make.frames(strategies=("random",), children=3, seeds=9, failure=0.0)
    equal = summarize(frame.assign(val_acc=0.94), runs)
    assert equal["interval"].item() == "n=9: all scores are equal, no interval"
    shown = "94.00 (n=9: all scores are equal, no interval)"
    assert readable(equal)["validation %, median"].item() == shown
    first = runs["run"].iloc[0]
    tied = frame.assign(val_acc=[0.95 if run == first else 0.94 for run in frame["run"]])
    assert readable(summarize(tied, runs))["validation %, median"].item().startswith("94.00 [94.00, 94.00] (n=9: ")
    assert score(0.94, 0.94, 0.94, "n=9: 96% order statistics").aside == "[94.00, 94.00]\nn=9: 96%"
    assert score(0.94, 0.94, 0.94, equal["interval"].item()).aside == equal["interval"].item()


def test_what_an_interval_is_called():
    assert (interval_name(0), interval_name(1)) == ("no score", "n=1")
    assert interval_name(4) == "n=4: range, insufficient"
    assert interval_name(5) == "n=5: 94% order statistics"
    assert interval_name(5, 0.9) == "n=5: 94% order statistics"


def courses(rng, kind: str, size: tuple[int, int]) -> np.ndarray:
    """Best so far of 40 children, or lines that cross."""
    if kind == "crossing":
        return 0.3 * np.cumsum(rng.normal(0, 1, size), axis=1) + rng.normal(0, 1, size)
    children = rng.normal(0, 1, size) if kind == "normal" else -rng.exponential(1, size)
    return np.maximum.accumulate(children, axis=1)


@pytest.mark.parametrize("kind", ["normal", "skewed", "crossing"])
@pytest.mark.parametrize("n", [10, 20, 50])
def test_the_whole_line_lies_in_the_band_as_often_as_it_says(kind, n):
    """Bootstrap bands held it in 64, 79 and 89% at these n. Order statistics go in steps, which makes these cover more."""
    rng = np.random.default_rng(n)
    truth = np.median(courses(rng, kind, (20_001, 40)), axis=0)
    held = given = 0
    for _ in range(200):
        lines = courses(rng, kind, (n, 40))
        rank = simultaneous_rank(lines, rng, resamples=500)
        ordered = np.sort(lines, axis=0)
        given += rank > 0
        held += rank > 0 and bool(((ordered[rank - 1] <= truth) & (truth <= ordered[-rank])).all())
    assert given >= (90 if kind == "crossing" and n == 10 else 200)
    assert held / given >= 0.92 - 2 * np.sqrt(0.05 * 0.95 / given)


def test_with_five_runs_bands_stay_pointwise_and_say_so(make):
    for seeds, name in ((5, "n=5: 94% order statistics"), (12, "n=12: 95% simultaneous")):
        frame, runs, _ = make.frames(strategies=("random",), children=10, seeds=seeds)
        data = with_simultaneous(bands(anytime(frame, runs)).query("measure == 'val_acc'"))
        assert data["interval"].iloc[-1] == name
        assert (data["low"] <= data["high"]).all()


def test_summary_of_the_hand_made_run(small):
    row = summarize(*small).iloc[0]
    assert (row["runs"], row["n"], row["val_acc"], row["n_test"]) == (1, 1, 0.7, 1)
    assert row["test_acc"] == pytest.approx(0.66)
    assert (row["children"], row["distinct"], row["duplicates"], row["failures"]) == (5, 5, 1, 1)
    assert (row["search_gpu_hours"], row["final_gpu_hours"], row["usd"]) == (9.0, 1.0, 20.0)
    assert row["searcher_share"] == pytest.approx(1 / 9)
    assert readable(summarize(*small)).loc[0, "validation %, median"] == "70.00 (n=1)"


def test_a_child_that_continues_another_is_no_duplicate(small):
    frame, runs = small
    frame.loc[frame["index"].eq(4) & frame["stage"].eq("search"), "continues"] = "r/1"
    assert summarize(frame, runs)["duplicates"].tolist() == [0]


def test_children_that_the_budget_does_not_cover_are_said(make):
    frame, _, _ = make.frames(children=6, seeds=2)
    assert counted_notes(frame) == ()
    total = int((frame["stage"] == "search").sum())
    last = frame["stage"].eq("search") & (frame["index"] == 5)
    frame.loc[last, "counted"] = False
    within = total - int(last.sum())
    assert counted_notes(frame) == (f"{total} children, {within} of them within the budget: only these are counted.",)
    frame.loc[last, "strategy"] = TABLE  # rows of a complete table are of no search, and have no budget
    assert counted_notes(frame) == ()


def test_random_search_comes_first(make):
    frame, runs, _ = make.frames(strategies=("zebra", "ppo", "random", "apex"), children=3)
    assert summarize(frame, runs)["strategy"].tolist() == ["random", "ppo", "apex", "zebra"]


def test_a_run_that_was_charged_nothing_has_the_rate_zero(make):
    assert run_rates(make.runs([{"run": "r", "strategy": "random"}])).tolist() == [0.0]


@pytest.mark.parametrize(
    ("column", "aspect", "values"),
    [("fingerprint", "protocol", r"digits \(0bad\) / digits \(f00df00df00df00d\)")],
)
def test_children_that_differ_are_refused_unless_allowed(make, column, aspect, values):
    frame, runs, _ = make.frames(children=4)
    frame.loc[0, column] = "0bad"
    with pytest.raises(InputError, match=f"differ in {aspect}: {values}.*allow it: --allow {aspect}$"):
        check_comparable(frame, runs)
    assert any(f"Different {aspect} allowed" in note for note in check_comparable(frame, runs, [aspect]))


def test_children_of_a_strategy_that_grows_may_be_of_smaller_spaces(make):
    frame, runs, _ = make.frames(children=4)
    frame.loc[0, "space"] = "nasnet:blocks=2"
    check_comparable(frame, runs)


@pytest.mark.parametrize(
    ("column", "aspect"), [("data_digest", "data"), ("data", "data"), ("budget", "budget"), ("space", "space")]
)
def test_runs_that_differ_are_refused_unless_allowed(make, column, aspect):
    frame, runs, _ = make.frames(children=4)
    runs.loc[0, column] = "other"
    with pytest.raises(InputError, match=f"differ in {aspect}: .*other"):
        check_comparable(frame, runs)
    check_comparable(frame, runs, [aspect])


def test_the_final_protocol_may_differ_from_the_search(make):
    frame, runs, _ = make.frames(children=4)
    frame.loc[frame["stage"] == "final", "fingerprint"] = "longer"
    check_comparable(frame, runs)


def test_notes_name_what_weakens_a_comparison(make):
    frame, runs, _ = make.frames(strategies=("ppo",), children=4)
    runs.loc[0, "status"] = "interrupted"
    runs.loc[1, "seed"] = runs.loc[0, "seed"]
    frame.loc[0, "device"] = "NVIDIA H100"
    notes = " ".join(check_comparable(frame, runs, ["baseline"]))
    for text in (
        "No random search",
        "fewer than 5",
        "ppo seed 0 (interrupted)",
        "same strategy and seed",
        "NVIDIA H100, cpu",
    ):
        assert text in notes
    frame, runs, _ = make.frames(children=4, seeds=5)
    assert check_comparable(frame, runs) == ()


def test_bad_calls_are_one_clear_line(make):
    frame, runs, _ = make.frames(children=2)
    with pytest.raises(
        InputError,
        match="cannot allow 'colour'; what may be allowed: protocol, data, space, budget, parallelism, prices",
    ):
        check_comparable(frame, runs, ["colour"])
    with pytest.raises(InputError, match="no runs to compare"):
        check_comparable(frame, runs.iloc[:0])
    with pytest.raises(InputError, match="cannot compare by 'naps'; allowed: gpu_hours"):
        trajectories(frame, runs, by="naps")
    with pytest.raises(InputError, match="the children lack the columns hash"):
        trajectories(frame.drop(columns="hash"), runs)
    with pytest.raises(InputError, match="occur more than once"):
        summarize(frame, pd.concat([runs, runs.iloc[:1]]))


@pytest.mark.parametrize(
    ("options", "left", "right"),
    [
        ({}, "random (n=3)", "random (n=3)"),
        ({"retrained": 0}, "random (n=3)", None),
        ({"failure": 1.0}, "No child finished", None),
        ({"strategies": ("random",), "seeds": 1, "children": 1, "failure": 0.0}, "random (n=1)", "random (n=1)"),
    ],
)
def test_plots_of_full_and_degenerate_data(make, options, left, right):
    frame, runs, _ = make.frames(**{"children": 12, **options})
    figure = plot_compare(bands(anytime(frame, runs)), check_comparable(frame, runs))
    figure.draw_without_rendering()
    shown = [left, right] if right is not None else [left]  # no plot of test scores that there are none of
    assert len(figure.axes) >= len(shown)
    assert (len(figure.axes) == 1) == (right is None)
    assert ("No incumbent was retrained" in caption_of(figure)) == (right is None)
    for ax, text in zip(figure.axes, shown):
        assert any(text in artist.get_text().replace("\n", " ") for artist in ax.texts)


def test_no_children_at_all_is_a_plot_that_says_so(make):
    _, runs, _ = make.frames(children=2)
    frame = make.children([])
    data = bands(anytime(frame, runs))
    assert summarize(frame, runs)["n"].tolist() == [0, 0, 0]
    assert "No child finished" in plot_compare(data).axes[0].texts[0].get_text()


def test_runs_without_a_score_count_as_accuracy_0(make):
    """Four of six runs of ppo crash: its median is 0 and not that of its two survivors."""
    frame, runs, _ = make.frames(children=12, seeds=6)
    lost = runs.loc[runs["strategy"] == "ppo", "run"].tolist()[:4]
    frame = frame[(frame["stage"] == "search") | ~frame["run"].isin(lost)].copy()
    frame.loc[frame["run"].isin(lost), "status"] = "out_of_memory"
    summary = summarize(frame, runs).set_index("strategy")
    assert summary.loc["ppo", ["val_acc", "n", "test_acc", "n_test"]].tolist() == [0, 6, 0, 6]
    assert summary.loc["random", "val_acc"] > 0.8
    course = anytime(frame, runs)
    assert (course.loc[course["run"].isin(lost), ["val_acc", "test_acc"]] == 0).all(axis=None)
    last = bands(course).query("strategy == 'ppo' and measure == 'val_acc'").iloc[-1]
    assert (last["median"], last["n"]) == (0, 6)
    notes = check_comparable(frame, runs)
    assert notes[0].startswith("Runs without a score: 4 of 6 of ppo. They count as accuracy 0")
    untested = frame[frame["stage"] == "search"]
    assert summarize(untested, runs)["n_test"].tolist() == [0, 0, 0]  # nothing was tested, which is no failure


@pytest.mark.parametrize("measure", ["val_acc", "test_acc"])
def test_a_line_ends_at_the_strategys_final_median(make, measure):
    """Also where another strategy spent more, so that the last budget lies beyond this one's end."""
    frame, runs, _ = make.frames(seeds=3, children=30, retrained=40, failure=0.0, seed=11)
    summary = summarize(frame, runs).set_index("strategy")
    figure = plot_compare(bands(anytime(frame, runs)), ())
    (ax,) = [ax for ax in figure.axes if ax.get_title(loc="left") == MEASURES[measure]]
    ends = {line.get_color(): line.get_ydata()[-1] for line in ax.get_lines() if len(line.get_xdata()) > 2}
    assert len(ends) == 3
    for strategy in runs["strategy"].unique():
        assert ends[style.look(strategy).colour] == pytest.approx(summary.loc[strategy, measure], abs=1e-12), strategy


def test_a_simultaneous_band_begins_where_every_run_has_a_score():
    """Twelve runs, one of which has its first score at the second budget."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "strategy": "random",
            "by": "children",
            "run": f"r{run}",
            "budget": budget,
            "val_acc": 0.8 + rng.normal(0, 0.02),
        }
        for run in range(12)
        for budget in (1.0, 2.0, 3.0)
    ]
    data = pd.DataFrame(rows).assign(test_acc=np.nan, spent=3.0, seed=0)
    whole = bands(data).query("measure == 'val_acc'")
    assert whole["all_low"].notna().all()
    data.loc[0, "val_acc"] = np.nan
    late = bands(data).query("measure == 'val_acc'")
    assert late["n"].tolist() == [11, 12, 12]
    assert late["all_low"].isna().tolist() == [True, False, False]
    assert late["low"].notna().all()
