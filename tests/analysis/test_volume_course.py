"""Hypervolume over the budget, against the areas of the first children added up by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.pareto.volume_course import (
    at_quarters,
    comparison_lines,
    plot_volume_course,
    volume_bands,
    volume_courses,
    volume_tests,
    written,
)
from nasbench.analysis.plotting import saving
from nasbench.analysis.plotting.captions import caption_of
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.scores import Score, judging
from nasbench.spaces import get_space
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.tables import Table

OBJECTIVES = ("error", "params")
CORNER = {"error": 1.0, "params": 1000.0}


@pytest.fixture(scope="module")
def table() -> Table:
    space = get_space("choices:4/4/4")
    rng = np.random.default_rng(0)
    size = space.size
    accuracy, params = rng.uniform(0.1, 0.9, size), rng.integers(10, 900, size)
    accuracy[5] = np.nan
    return Table("made-up", space, accuracy, accuracy, np.full(size, 2.0), params, np.ones(size, dtype=np.int64))


@pytest.fixture(scope="module")
def searches(table, tmp_path_factory) -> tuple[pd.DataFrame, pd.DataFrame]:
    path = tmp_path_factory.mktemp("volumes") / "replays.h5"
    budget = ReplayBudget(Budget.parse("16 children"), 0.1)
    settings = [Setting.of("random", {}), Setting.of("nsga2", {"population": "4"})]
    write_new(str(path), tables_of([replay(table, setting, range(12), budget) for setting in settings]))
    with Results(str(path)) as results:
        return results.frame(), results.runs()


def area(children: pd.DataFrame) -> float:
    """Dominated area up to the corner: steps of the front in (log10 params, error)."""
    total, height = 0.0, 1.0
    for params, accuracy in sorted(zip(children["params"], children["val_acc"])):
        if np.isfinite(accuracy) and 1 - accuracy < height:
            total += (height - (1 - accuracy)) * (3 - np.log10(params))
            height = 1 - accuracy
    return total


def test_volumes_are_the_areas_of_the_first_children(searches):
    frame, runs = searches
    courses = volume_courses(frame, runs, OBJECTIVES, CORNER)
    assert sorted(set(courses["budget"])) == list(range(1, 17))
    search = frame[frame["stage"] == "search"].sort_values(["run", "index"])
    for (run, budget), rows in list(courses.groupby(["run", "budget"]))[::7]:
        first = search[search["run"] == run].head(int(budget))
        assert rows["hypervolume"].iloc[0] == pytest.approx(area(first)), (run, budget)
    rising = courses.groupby("run")["hypervolume"].apply(lambda each: (each.diff().dropna() >= -1e-12).all())
    assert rising.all()


def test_medians_bands_and_tests(searches, tmp_path):
    frame, runs = searches
    courses = volume_courses(frame, runs, OBJECTIVES, CORNER, by="gpu_hours", steps=5)
    data = volume_bands(courses)
    last = data[data["budget"] == data["budget"].max()].set_index("strategy")
    ends = courses[courses["budget"] == courses["budget"].max()].groupby("strategy")["hypervolume"]
    assert last["median"].to_dict() == pytest.approx(ends.median().to_dict())
    assert ((data["low"] <= data["median"]) & (data["median"] <= data["high"])).all()
    assert set(last["runs"]) == {12}
    tests = volume_tests(courses)
    means = ends.mean()
    assert tests["difference"].tolist() == pytest.approx([means["random"] - means["nsga2"]])
    (line,) = comparison_lines(tests)
    assert line.startswith("random - nsga2: ")
    assert len(at_quarters(data)) == 8
    saving.save_figure(plot_volume_course(data, ["a note"], "made up"), tmp_path / "course.svg")
    assert "hypervolume so far" in (tmp_path / "course.svg").read_text()


def test_small_differences_of_hypervolumes_are_never_called_equivalent():
    """A margin of one point is of accuracies: all hypervolumes of two searches may lie closer together than that."""
    rng = np.random.default_rng(3)
    ends = {"random": 1.24 + 3e-4 * rng.normal(size=40), "nsga2": 1.2401 + 3e-4 * rng.normal(size=40)}
    courses = pd.concat(
        pd.DataFrame({"strategy": name, "run": [f"{name}{n}" for n in range(40)], "budget": 1.0, "hypervolume": values})
        for name, values in ends.items()
    )
    tests = volume_tests(courses)
    assert tests["finding"].tolist() == ["not shown to differ"]
    (line,) = comparison_lines(tests)
    gap = np.mean(ends["random"]) - np.mean(ends["nsga2"])
    assert line.startswith(f"random - nsga2: {gap:+.3g} [")
    assert ", n=40 and 40, A12 " in line
    assert (
        f"not shown to differ; detectable at this n: {tests['detectable'][0]:.2g} (80% power, one test without correction)."
        in line
    )
    far = volume_tests(courses.assign(hypervolume=courses["hypervolume"] + (courses["strategy"] == "nsga2") * 0.001))
    assert far["finding"].tolist() == ["differs"]
    assert comparison_lines(far)[0].endswith(": differs.")


def test_hypervolumes_are_written_with_the_decimals_that_separate_them():
    quarters = pd.DataFrame(
        {"budget": [1, 1, 2, 2], "median": [1.2381, 1.23814, 1.5, 1.5], "low": 1.2, "high": [1.3, 1.3, 1.6, np.nan]}
    )
    assert written(quarters)["median"].tolist() == ["1.238100", "1.238140", "1.500000", "1.500000"]
    assert written(quarters[2:])["high"].tolist() == ["1.600", "nan"]


def test_the_caption_says_what_the_bands_of_few_runs_are(searches):
    frame, runs = searches
    for count, words in ((12, "95% simultaneous"), (6, "97% order statistics"), (3, "range (fewer than 5 seeds)")):
        kept = runs.groupby("strategy").head(count)
        courses = volume_courses(frame[frame["run"].isin(set(kept["run"]))], kept, OBJECTIVES, CORNER)
        said = caption_of(plot_volume_course(volume_bands(courses)))
        assert words in said


def test_what_has_no_course_is_refused(searches):
    frame, runs = searches
    with pytest.raises(InputError, match="take val_acc"):
        volume_courses(frame, runs, OBJECTIVES, CORNER, score="test_acc")
    with pytest.raises(InputError, match="complete table"):
        volume_courses(frame.assign(strategy="table"), runs, OBJECTIVES, CORNER)


def test_medians_are_positive_where_runs_are_judged_by_a_score_of_which_lower_is_better(searches):
    courses = volume_courses(*searches, OBJECTIVES, CORNER)
    with judging(Score("latency", unit="ms", direction="lower")):
        turned = volume_bands(courses)
    pd.testing.assert_frame_equal(turned, volume_bands(courses))
    assert (turned["median"] > 0).all()


def test_the_grid_ends_where_the_longest_run_did(make):
    """Rounded to 12 decimals, 0.0075433893554169 lies after its own grid's end, and the last child is lost."""
    frame, runs, _ = make.frames(strategies=("random",), children=6, seeds=2)
    hours = 0.0075433893554169 / frame["spent_gpu_hours"].max()
    frame = frame.assign(spent_gpu_hours=frame["spent_gpu_hours"] * hours)
    courses = volume_courses(frame, runs, ("error", "params"), {"error": 1.0, "params": 1e9}, by="gpu_hours")
    assert courses["budget"].max() == frame.loc[frame["stage"] == "search", "spent_gpu_hours"].max()


def test_a_run_without_a_counted_child_has_the_volume_0(searches):
    frame, runs = searches
    lost = runs.loc[runs["strategy"] == "nsga2", "run"].iloc[0]
    for without in (frame[frame["run"] != lost], frame.assign(counted=frame["counted"] & (frame["run"] != lost))):
        counts = runs["children"].where(runs["run"] != lost, 0)
        courses = volume_courses(without, runs.assign(children=counts), OBJECTIVES, CORNER)
        assert courses.groupby("strategy")["run"].nunique().to_dict() == {"random": 12, "nsga2": 12}
        assert (courses.loc[courses["run"] == lost, "hypervolume"] == 0).all()
        tests = volume_tests(courses)
        assert tests[["n_first", "n_second"]].to_numpy().tolist() == [[12, 12]]
    chosen = volume_courses(
        frame[frame["run"] != lost], runs, OBJECTIVES, CORNER
    )  # its children were left out by a condition
    assert lost not in set(chosen["run"])
