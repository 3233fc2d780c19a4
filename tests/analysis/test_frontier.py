"""The notes' figures 6 and 7: which networks they show, and names that can be read."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench.analysis.pareto.frontier import draw_frontier, frontier_data, label_frontier, paper_name, plot_frontier
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.labels import Label, place_labels
from nasbench.errors import InputError
from nasbench.tabular.published import published_networks


@pytest.fixture(scope="module")
def networks():
    return published_networks()


@pytest.mark.parametrize("x", ["mult_adds", "params"])
def test_the_frontier_has_both_kinds_each_network_once(networks, x):
    data = frontier_data(x, networks)
    assert not data["model"].duplicated().any()
    assert {"NASNet-A 4@1056", "NASNet-A 6@4032", "PNASNet-5 large", "ResNet-152", "VGG-16", "SENet"} <= set(
        data["model"]
    )
    assert data[x].is_monotonic_increasing
    assert data["year"].max() == 2017
    assert set(data[data["kind"] == "searched"]["family"]) == {"NASNet-A", "NASNet-B", "NASNet-C", "PNASNet"}


def test_a_verified_row_wins_and_later_recipes_stay_out(networks):
    data = frontier_data("params", networks).set_index("model")
    assert data.loc["Inception v3", "tag"] == "verified"
    assert data.loc["ResNeXt-101 64x4d", "tag"] == "recalled"
    assert data.loc["ResNeXt-101 64x4d", "top1_acc"] == 0.809
    assert not any(name.endswith("_bn") for name in data.index)


def test_the_front_by_definition(networks):
    data = frontier_data("mult_adds", networks)
    assert len(data) > 10
    for row in data.to_dict("records"):
        beaten = data[
            (data["mult_adds"] <= row["mult_adds"])
            & (data["top1_acc"] >= row["top1_acc"])
            & ((data["mult_adds"] < row["mult_adds"]) | (data["top1_acc"] > row["top1_acc"]))
        ]
        assert row["front"] == beaten.empty


def test_years_and_costs_can_be_chosen(networks):
    assert len(frontier_data("params", networks, until=None)) > len(frontier_data("params", networks)) + 20
    assert frontier_data("params", networks, until=2014)["year"].max() == 2014
    with pytest.raises(InputError, match="mult_adds, params"):
        frontier_data("latency", networks)


def test_names_as_the_papers_write_them():
    names = {name: paper_name(name) for name in ("resnet50", "vgg19", "wide_resnet50_2", "SENet", "vgg16_bn")}
    assert names == {
        "resnet50": "ResNet-50",
        "vgg19": "VGG-19",
        "wide_resnet50_2": "Wide ResNet-50",
        "SENet": "SENet",
        "vgg16_bn": "vgg16_bn",
    }


@pytest.mark.sampled(1)
@pytest.mark.parametrize("x", ["mult_adds", "params"])
def test_no_name_lies_on_another_or_on_a_point(networks, x):
    data = frontier_data(x, networks)
    with style.theme():
        figure = style.new_figure(9.0, 6.0)
        ax = figure.subplots()
        draw_frontier(data, ax, x)
        figure.draw_without_rendering()
        assert label_frontier(data, ax, x) == 0
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == len(data)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    heights = data["top1_acc"].clip(lower=0.68)
    points = ax.transData.transform(np.column_stack([data[x], heights]))
    assert not any(box.contains(*point) for box in boxes for point in points)
    inside = ax.get_window_extent()
    assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in boxes)


def test_labels_say_when_there_is_no_room():
    figure = style.new_figure(1.0, 1.0)
    ax = figure.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    crowd = [Label(0.5, 0.5, "a long name in a small plot") for _ in range(4)]
    assert place_labels(ax, crowd, np.full((4, 2), 0.5)) > 0
    assert place_labels(ax, [], np.empty((0, 2))) == 0


def test_our_own_runs_stand_below_at_the_same_cost(networks, make):
    rows = [
        {
            "run": "r",
            "index": i,
            "strategy": "random",
            "hash": f"{i:08d}",
            "params": 1000 * (i + 1),
            "mult_adds": 1,
            "val_acc": 0.5 + i / 9,
        }
        for i in range(4)
    ]
    few = frontier_data("params", networks[networks["system"] == "NASNet"])
    figure = plot_frontier(few, "params", make.children(rows))
    assert [ax.get_xlabel() for ax in figure.axes] == ["parameters", "parameters"]
    assert figure.axes[1].get_ylabel() == "validation accuracy (fraction)"


def test_nothing_to_draw_says_so(networks):
    assert (
        "No published network"
        in plot_frontier(frontier_data("params", networks, until=1990)).axes[0].texts[0].get_text()
    )
