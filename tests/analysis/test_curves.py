"""Learning curves: ranks, what is in front, and plots of nothing."""

from __future__ import annotations

import pytest

from nasbench.analysis.comparison.curves import draw_curves, learning_curves, plot_curves
from nasbench.analysis.plotting.captions import caption_of
from nasbench.errors import InputError


def test_ranks_follow_the_last_validation_accuracy_once_a_hash(make):
    frame, _, curves = make.frames(children=15)
    table = learning_curves(curves, frame, best=4)
    search = frame[(frame["stage"] == "search") & (frame["status"] == "ok")]
    best = search.sort_values("val_acc", ascending=False)["hash"].drop_duplicates().tolist()
    ranked = table.dropna(subset="rank").drop_duplicates("rank").sort_values("rank")
    assert ranked["hash"].tolist() == best
    assert set(table.loc[table["front"], "hash"]) == set(best[:4])
    assert len(table) == len(curves)
    one = table[table["rank"] == 1]
    assert one["epoch"].tolist() == list(range(1, 9))
    assert one["val_acc"].iloc[-1] == pytest.approx(search["val_acc"].max(), abs=0.02)


def test_a_child_that_diverged_has_a_curve_but_no_rank(make):
    frame, _, curves = make.frames(children=5, failure=0.0)
    frame.loc[0, ["status", "val_acc"]] = ["diverged", float("nan")]
    row = learning_curves(curves, frame).query(f"run == '{frame['run'][0]}' and index == 0")
    assert row["rank"].isna().all()
    assert not row["front"].any()


def test_bad_calls_are_one_clear_line(make):
    frame, _, curves = make.frames(children=2)
    with pytest.raises(InputError, match="0 or more, got -1"):
        learning_curves(curves, frame, best=-1)
    with pytest.raises(InputError, match="the curves lack the columns epoch"):
        learning_curves(curves.drop(columns="epoch"), frame)


@pytest.mark.parametrize("best", [0, 5])
def test_the_plot_names_the_best_and_counts_all(make, best):
    frame, _, curves = make.frames(children=10)
    data = learning_curves(curves, frame, best)
    figure = plot_curves(data)
    figure.draw_without_rendering()
    assert len(figure.axes[0].texts) == best
    context = figure.axes[0].collections[0].get_segments()
    assert (
        len(context) == data.groupby(["run", "index"]).ngroups - data[data["front"]].groupby(["run", "index"]).ngroups
    )


def test_no_curves_is_a_plot_that_says_so(make):
    frame, _, curves = make.frames(children=3, failure=1.0)
    figure = plot_curves(learning_curves(curves, frame))
    assert "no learning" in figure.axes[0].texts[0].get_text().replace("\n", " ")


def test_a_plot_in_a_users_own_axes_keeps_their_settings(make):
    import matplotlib
    from matplotlib.figure import Figure

    frame, _, curves = make.frames(children=3)
    before = dict(matplotlib.rcParams)
    draw_curves(learning_curves(curves, frame), Figure().subplots())
    assert dict(matplotlib.rcParams) == before


def test_the_caption_counts_the_curves_that_are_drawn(make):
    """Of 6 children one diverged after some epochs with a score, and three before any: each end is counted by its name."""
    frame, _, curves = make.frames(strategies=("random",), seeds=1, children=6, failure=0.0, retrained=0)
    frame.loc[:3, "status"] = "diverged"
    curves.loc[curves["index"] < 3, "val_acc"] = float("nan")
    frame.loc[4, "status"] = "timed_out"
    data = learning_curves(curves, frame)
    assert "3 curves: 1 diverged, 1 timed out, 1 ok." in caption_of(plot_curves(data))
    said = caption_of(plot_curves(data, children=frame))
    assert "3 curves: 1 diverged, 1 timed out, 1 ok. 3 children have none: 3 diverged." in said
