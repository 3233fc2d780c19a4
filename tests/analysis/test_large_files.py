"""What makes large files quick to look at: each shortcut gives the result of the long way, to the bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench

from nasbench.analysis.comparison import anytime as courses
from nasbench.analysis.comparison.anytime import anytime, trajectories
from nasbench.analysis.comparison.bands import bands
from nasbench.analysis.comparison.curves import KEYS, learning_curves
from nasbench.analysis.comparison.groups import group_rows, rows_of_each
from nasbench.analysis.comparison.random_search_claim import differences, top_means
from nasbench.analysis.comparison.sharing import computed_once, once
from nasbench.analysis.pareto.objectives import (
    attainment,
    objective_points,
    objective_volumes,
    run_volumes,
    run_volumes_of_planes,
)
from nasbench.analysis.plotting.spacing import rising
from nasbench.analysis.report.contents import Selection, contents, files
from nasbench.analysis.statistics.final_scores import _iqm
from nasbench.store.query import Results

RESULTS = Path(__file__).parents[2] / "results"


def test_rising_numbers_are_those_of_scipy():
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(0)
    for digits in (0, 1, 9):
        for count in (1, 2, 3, 10, 40):
            wanted = rng.normal(size=count).round(digits)
            assert rising(wanted.tolist()) == isotonic_regression(wanted).x.tolist()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 100])
def test_interquartile_means_are_those_of_scipy(count):
    from scipy.stats import trim_mean

    samples = np.random.default_rng(count).normal(size=(20, count)).round(2)
    assert _iqm(samples).tolist() == trim_mean(samples, 0.25, axis=1).tolist()


def test_rows_of_groups_are_those_of_pandas():
    frame = pd.DataFrame({"a": ["y", "x", "y", "z", "x"], "b": [1, 1, 1, 2, 1]})
    assert [rows.tolist() for rows in rows_of_each(frame, ["a", "b"])] == [[0, 2], [1, 4], [3]]
    assert [rows.tolist() for rows in group_rows(np.array([5, 2, 5]))] == [[1], [0, 2]]
    assert group_rows(np.zeros(0, dtype=np.intp)) == []


def test_a_result_is_kept_for_the_same_frames_within_a_block_only(make):
    frame, runs, _ = make.frames(children=3)
    calls = []

    def count(*frames):
        calls.append(frames)
        return len(calls)

    assert [once(count, frame), once(count, frame)] == [1, 2]
    with computed_once():
        assert [once(count, frame), once(count, runs), once(count, frame), once(count, frame.copy())] == [3, 4, 3, 5]
    assert once(count, frame) == 6


def test_courses_are_the_same_within_a_block(make):
    frame, runs, _ = make.frames(children=6)
    with computed_once():
        for by in ("gpu_hours", "children", "wall"):
            shared = [trajectories(frame, runs, by), trajectories(frame, runs, by)]
            shared[0]["val_acc"] = 0.0  # the caller's own
            pd.testing.assert_frame_equal(shared[1], trajectories(frame, runs, by))
            assert shared[1]["val_acc"].gt(0).any()


def test_a_course_has_the_incumbent_of_each_child():
    """By the definition: the first of the counted children with the highest score so far."""
    rng = np.random.default_rng(1)
    rows = [
        {"run": run, "hash": f"{run}{number}", "spent_gpu_hours": float(rng.permutation(9)[0]), "val_acc": score}
        for run in ("b", "a")
        for number, score in enumerate(rng.integers(0, 4, 8) / 4)
    ]
    frame = pd.DataFrame(rows).assign(stage="search", strategy="random", run_seed=0, status="ok", counted=True)
    frame = frame.assign(test_acc=np.nan, wall_seconds=0.0)
    frame.loc[[0, 1, 9], "status"] = "failed"
    found = trajectories(frame, pd.DataFrame({"run": ["b", "a"]}), "children")
    expected = []
    for run in ("a", "b"):
        best, holder = np.nan, ""
        ordered = frame[frame["run"] == run].sort_values("spent_gpu_hours", kind="stable")
        for number, row in enumerate(ordered.itertuples(), 1):
            if row.status == "ok" and not row.val_acc <= best:
                best, holder = row.val_acc, row.hash
            expected.append((run, number, best, holder))
    pd.testing.assert_frame_equal(
        found[["run", "children", "val_acc", "hash"]],
        pd.DataFrame(expected, columns=["run", "children", "val_acc", "hash"]),
        check_dtype=False,
    )


def test_categories_change_no_number(make):
    frame, runs, curves = make.frames(children=8)
    pd.testing.assert_frame_equal(
        bands(anytime(frame, runs)), bands(anytime(frame, runs, scores_only=True)), check_dtype=False
    )
    for make_table in (
        lambda as_categories: top_means(frame, (1, 3), as_categories),
        lambda as_categories: learning_curves(curves, frame, 2, as_categories),
    ):
        plain, categories = make_table(False), make_table(True)
        assert plain.to_csv() == categories.to_csv()
    assert differences(top_means(frame)).to_csv() == differences(top_means(frame, as_categories=True)).to_csv()


def test_learning_curves_are_those_of_a_join(make):
    frame, _, curves = make.frames(children=6)
    curves = pd.concat([curves, curves.head(3).assign(run="of another file")], ignore_index=True).sample(
        frac=1.0, random_state=0
    )
    found = learning_curves(curves, frame.iloc[2:])
    children = frame.iloc[2:].query("stage == 'search'")[[*KEYS, "strategy", "hash", "status"]]
    joined = curves[[*KEYS, "epoch", "val_acc"]].merge(children, on=KEYS).sort_values(["run", "index", "epoch"])
    names = ["run", "index", "strategy", "hash", "status", "epoch", "val_acc"]
    pd.testing.assert_frame_equal(found[names], joined[names].reset_index(drop=True), check_dtype=False)


def test_points_of_all_strategies_are_those_of_each(make):
    """Volumes and surfaces of a strategy do not depend on which others are there."""
    frame, _, _ = make.frames(children=12)
    objectives = ("error", "params")
    points, single = objective_points(frame, objectives), objective_points(frame, objectives, by_run=True)
    corner = {"error": 1.0, "params": 1e7}
    for call, table in ((objective_volumes, points), (run_volumes, single)):
        whole = call(table, objectives, corner).set_index("strategy")
        for strategy in table["strategy"].unique():
            alone = call(table[table["strategy"] == strategy], objectives, corner).set_index("strategy")
            assert whole.loc[[strategy]].to_csv() == alone.loc[[strategy]].to_csv()
    surfaces = attainment(single, objectives)
    for strategy, rows in surfaces.groupby("strategy"):
        alone = attainment(single[single["strategy"] == strategy], objectives)
        assert rows.to_csv(index=False) == alone.to_csv(index=False)


def test_volumes_of_several_planes_are_those_of_each(make):
    frame, _, _ = make.frames(children=12)
    every = ("error", "params", "mult_adds")
    single = objective_points(frame, every, by_run=True)
    planes = [
        (single, names, {"error": 1.0, "params": 1e7, "mult_adds": 1e10}) for names in (every[:2], every[::2], every)
    ]
    together = run_volumes_of_planes(planes, seed=1)
    assert [table.to_csv() for table in together] == [run_volumes(*plane, seed=1).to_csv() for plane in planes]


def test_surfaces_of_all_percentages_are_those_of_each(make):
    frame, _, _ = make.frames(children=12)
    single = objective_points(frame, ("error", "params"), by_run=True)
    together = attainment(single, ("error", "params"), (20, 50, 75, 100))
    for percent, rows in together.groupby("percent"):
        alone = attainment(single, ("error", "params"), (percent,))
        assert rows.to_csv(index=False) == alone.to_csv(index=False)
    assert set(together["percent"]) == {20, 50, 75, 100}


def test_a_comparison_computes_the_courses_of_its_runs_once(tmp_path, monkeypatch):
    calls, made = [], courses._courses
    monkeypatch.setattr(courses, "_courses", lambda frame: (calls.append(len(frame)), made(frame))[1])
    done = nasbench("compare", str(RESULTS / "claims.h5"), "--by", "children", "-o", str(tmp_path / "a.svg"))
    assert (done.code, len(calls)) == (0, 1), done.err


def test_a_report_reads_its_curves_once_when_it_needs_them_and_keeps_none(make):
    frame, runs, curves = make.frames(children=6)
    reads = []
    selection = Selection(frame.assign(choices="[]"), runs, lambda: (reads.append(len(curves)), curves)[1], ())
    found = contents(selection)
    assert reads == [len(curves)]
    assert found.selection is selection
    whole = contents(Selection(selection.frame, runs, curves, ()))
    assert found.learned.to_csv() == whole.learned.to_csv()
    with Results(RESULTS / "claims.h5") as results:
        assert callable(Selection.of(results).curves)


def test_a_files_digest_is_that_of_all_its_blocks(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(bytes(range(256)) * 4097)  # a megabyte and a part
    assert files([str(path)])["sha256"].item() == hashlib.sha256(path.read_bytes()).hexdigest()
