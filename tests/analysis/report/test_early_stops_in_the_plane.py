"""The page's plane of searches that stop trainings early has the points of the analyses: longest trainings, with all their costs."""

from __future__ import annotations

import pandas as pd
import pytest

from nasbench.analysis.pareto.objectives import objective_points
from nasbench.analysis.report.contents import Selection, contents, searched_children
from nasbench.analysis.report.page import html_report
from nasbench.analysis.report.payload import children

# run, index, hash, stop_epoch, from_epoch, continues, val_acc, seconds. In the first run b goes on twice, the second time it is trained
# again, and c goes on once; in the second one b stops early.
CHILDREN = (
    ("r", 0, "a", 1, 0, "", 0.30, 1.0),
    ("r", 1, "b", 1, 0, "", 0.40, 2.0),
    ("r", 2, "b", 3, 1, "r/1", 0.70, 4.0),
    ("r", 3, "b", 0, 0, "r/2", 0.90, 12.0),
    ("r", 4, "c", 1, 0, "", 0.20, 3.0),
    ("r", 5, "c", 3, 1, "r/4", 0.60, 5.0),
    ("q", 0, "b", 1, 0, "", 0.50, 2.5),
    ("q", 1, "a", 1, 0, "", 0.32, 1.5),
)


@pytest.fixture
def stopping(make) -> Selection:
    frame, runs, curves = make.frames(strategies=("random",), children=10, seeds=1)
    names = ["run", "index", "hash", "stop_epoch", "from_epoch", "continues", "val_acc", "device_seconds"]
    rows = frame[frame["stage"] == "search"].head(len(CHILDREN)).reset_index(drop=True)
    rows = rows.assign(**{name: [child[at] for child in CHILDREN] for at, name in enumerate(names)})
    rows = rows.assign(status="ok", counted=True, choices="[]", space="unknown-space")
    rows = rows.assign(duplicate=rows["continues"] != "", run_seed=(rows["run"] == "q").astype(int))
    rows = rows.assign(params=rows["hash"].map({"a": 10, "b": 20, "c": 30}), mult_adds=5)
    both = pd.concat([runs.assign(run="r", seed=0, children=6), runs.assign(run="q", seed=1, children=2)])
    return Selection(rows, both.reset_index(drop=True), curves.iloc[:0], ())


def test_the_page_knows_how_long_children_were_trained_and_what_they_cost_from_the_start(stopping):
    packed = children(searched_children(stopping.frame), ["random"])
    assert packed["stop"] == [1, 1, 1, 1, 3, 0, 1, 3]  # the run q comes first
    assert packed["ms_from_start"] == {"place": [4, 5, 7], "value": [6000, 12000, 8000]}
    assert packed["ms"] == [2500, 1500, 1000, 2000, 4000, 12000, 3000, 5000]


def test_a_page_without_early_stops_has_nothing_of_them(selection):
    packed = children(searched_children(selection.frame), ["random", "reinforce", "ppo"])
    assert not {"stop", "ms_from_start"} & set(packed)


def points_of(tab, cost: str) -> dict[str, tuple[float, float, int]]:
    found = tab.js(f"planePoints(COSTS.{cost}, SCORES.val).map(one => [one.hash, one.score, one.cost, one.n])")
    return {name: (pytest.approx(score), pytest.approx(spent), n) for name, score, spent, n in found}


@pytest.mark.slow
def test_points_of_the_plane_are_those_of_the_analyses(browser, stopping, tmp_path):
    path = tmp_path / "stopping.html"
    path.write_text(html_report(contents(stopping), "2026-01-02T03:04:05"), encoding="utf-8")
    tab = browser.open(path)
    for page_cost, cost in (("params", "params"), ("seconds", "device_seconds")):
        points = objective_points(stopping.frame, ("error", cost))
        assert points_of(tab, page_cost) == {
            row.hash: (1 - row.error, getattr(row, cost), row.n) for row in points.itertuples()
        }
    assert points_of(tab, "seconds") == {"a": (0.31, 1.25, 2), "b": (0.9, 12.0, 1), "c": (0.6, 8.0, 1)}
    tab.js(
        "filter.change({ query: 'run_seed == 1' })"
    )  # as `nasbench pareto --where` takes the longest of what is left
    assert points_of(tab, "params") == {"a": (0.32, 10, 1), "b": (0.5, 20, 1)}
    tab.js("filter.change({ query: 'device_seconds_from_start > 7' })")  # what a rectangle over that axis writes
    assert points_of(tab, "seconds") == {"b": (0.9, 12.0, 1), "c": (0.6, 8.0, 1)}
    assert tab.complaints() == []
    tab.close()
