"""The page of plots, captions of at most two lines, labels that stay apart, and marks at budgets that were spent."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.comparison.compare import anytime, bands, plot_compare
from nasbench.analysis.pareto.frontier import FLOOR, frontier_data, plot_frontier
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import MOST_LINES, caption, caption_of, describe_rows
from nasbench.analysis.plotting.page import Page, on_page, parse_aspect
from nasbench.errors import InputError


@pytest.mark.parametrize(("text", "aspect"), [("16:9", 16 / 9), ("4:3", 4 / 3), ("1.6", 1.6), ("1:5", 0.2)])
def test_shapes(text, aspect):
    assert parse_aspect(text) == pytest.approx(aspect)


@pytest.mark.parametrize("text", ["", "16", "a:b", "-4:3", "1:1:1", "0:1", "nan", "inf:1"])
def test_wrong_shapes(text):
    with pytest.raises(InputError, match="is not W:H"):
        parse_aspect(text)


def test_no_side_of_a_figure_becomes_smaller():
    for aspect in (0.5, 1.0, 16 / 9):
        width, height = Page(aspect=aspect).fitted(8.0, 3.0)
        assert width / height == pytest.approx(aspect)
        assert (width, height) >= (8.0, 3.0) or height >= 3.0
        assert min(width / 8.0, height / 3.0) == pytest.approx(1.0)
    assert Page().fitted(8.0, 3.0) == (8.0, 3.0)


def test_a_page_sets_shape_and_letters_of_figures_inside_it_alone():
    with on_page(Page(16 / 9, 20.0)), style.theme():
        figure = style.new_figure(4, 4)
        figure.subplots().set_title("a")
    assert figure.get_figwidth() / figure.get_figheight() == pytest.approx(16 / 9)
    assert figure.axes[0].xaxis.label.get_fontsize() == pytest.approx(20.0, rel=0.01)
    with style.theme():
        assert style.new_figure(4, 4).get_size_inches().tolist() == [4, 4]


def test_rows_are_described_by_data_space_protocol_runs_and_scores(make):
    frame, runs, _ = make.frames(children=3)
    text = describe_rows(frame, ("val_acc", "test_acc"))
    data, space, protocol = (frame[name].iloc[0] for name in ("data", "space", "protocol"))
    expected = (
        f"Data {data}; space {space}; protocol {protocol}; {len(runs)} runs; validation accuracy and test accuracy"
    )
    assert text == expected.replace(",", ", ")
    many = pd.DataFrame({"space": [f"space{i}" for i in range(9)]})
    assert describe_rows(many) == "Space space0, space1 and 7 others"
    assert describe_rows(many.iloc[:0], (), 1) == "1 run"


@pytest.mark.parametrize("words", [5, 40, 400])
def test_a_caption_has_at_most_two_lines_and_its_text_is_whole(words):
    about, key, notes = "data " * words, "key " * words, ["A note.", "A note.", "Another."]
    with style.theme():
        figure = style.new_figure(7, 4)
        figure.subplots()
        caption(figure, about.strip(), key.strip(), notes)
        figure.draw_without_rendering()
    shown = figure._supxlabel
    assert len(shown.get_text().split("\n")) <= MOST_LINES
    assert shown.get_window_extent().x1 <= figure.bbox.x1 + 1
    assert caption_of(figure).split("\n") == [about.strip() + ".", key.strip() + ".", "A note.", "Another."]


def test_sentences_of_a_key_that_do_not_fit_are_left_out_of_the_picture():
    with style.theme():
        figure = style.new_figure(7, 4)
        caption(figure, "data " * 20, "Ranks: 1 is best. " + "A long explanation " * 10)
    assert figure._supxlabel.get_text().endswith("Ranks: 1 is best.")


@pytest.mark.parametrize("page", [Page(), Page(16 / 9, 18.0), Page(1.0, 9.0)])
@pytest.mark.parametrize("count", [3, 12, 30])
def test_long_labels_at_line_ends_stay_apart_and_inside(page, count):
    heights = np.linspace(0.9, 0.91, count)
    with on_page(page), style.theme():
        figure = style.new_figure(7, 4)
        ax = figure.subplots()
        ax.set(xlim=(0, 1), ylim=(0, 1))
        caption(figure, "data " * 30)
        style.label_ends(
            ax, [(y, f"a strategy with a long name {i} (n=200)", "#000000") for i, y in enumerate(heights)]
        )
        figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 and box.x1 <= figure.bbox.x1 + 1 for box in boxes)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("page", [Page(), Page(16 / 9), Page(16 / 9, 16.0)])
@pytest.mark.parametrize(("low", "high"), [(1.5e-4, 7e-3), (2.2e4, 5.5e4), (1.1, 1.2), (10.0, 1e9)])
def test_ticks_of_logarithmic_axes_stay_apart(page, low, high):
    with on_page(page), style.theme():
        figure = style.new_figure(9, 3.6)
        for ax in figure.subplots(1, 3):
            ax.plot([low, high], [0, 1])
            style.logarithmic(ax, low, high)
        figure.draw_without_rendering()
    for ax in figure.axes:
        assert_ticks_apart(ax)


@pytest.mark.parametrize("page", [Page(), Page(16 / 9, 18.0)])
def test_ticks_of_linear_axes_stay_apart(page):
    with on_page(page), style.theme():
        figure = style.new_figure(9, 3.6)
        for ax in figure.subplots(1, 3):
            ax.plot([0, 0.0064], [0, 1])
            style.linear(ax)
        figure.draw_without_rendering()
    for ax in figure.axes:
        assert_ticks_apart(ax)


def assert_ticks_apart(ax) -> None:
    low, high = ax.get_xlim()
    shown = [
        label.get_window_extent()
        for tick, label in zip(ax.get_xticks(), ax.get_xticklabels())
        if low <= tick <= high and label.get_text()
    ]
    assert shown
    boxes = sorted(shown, key=lambda box: box.x0)
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("x", ["mult_adds", "params"])
@pytest.mark.parametrize("page", [Page(), Page(16 / 9)])
def test_names_in_figures_6_and_7_find_room(make, x, page):
    frame, _, _ = make.frames(children=5)
    data = frontier_data(x)
    with on_page(page):
        figure = plot_frontier(data, x, frame)
        ax = figure.axes[0]
        names = [text for text in ax.texts if text.get_text()]
        boxes = [text.get_window_extent() for text in names]
        assert len(names) == len(data)
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        markers = ax.transData.transform(
            data.assign(y=data["top1_acc"].clip(lower=FLOOR))[[x, "y"]].to_numpy(dtype=float)
        )
        assert not any(box.contains(*marker) for box in boxes for marker in markers)
        inside = ax.get_window_extent().padded(1)
        assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in boxes)
    left, right = (panel.get_position() for panel in figure.axes[:2])
    assert (right.x0 > left.x1) == page.wide


def test_no_line_or_marker_lies_beyond_what_its_runs_spent(make):
    frame, runs, _ = make.frames(children=12)
    data = bands(anytime(frame, runs))
    figure = plot_compare(data)
    figure.draw_without_rendering()
    searched = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    spent = searched.groupby("strategy")["spent_gpu_hours"].max()
    drawn = 0
    for ax in figure.axes:
        if not ax.get_xlabel().endswith("spent"):
            continue
        for line in ax.lines:
            for strategy, limit in spent.items():
                if line.get_color() == style.look(strategy).colour and line.get_transform().contains_branch(
                    ax.transData
                ):
                    assert np.max(np.asarray(line.get_xdata(), dtype=float)) <= limit * (1 + 1e-9)
                    drawn += 1
        assert ax.get_xlim()[1] <= 1.02 * spent.max()
    assert drawn >= len(spent)


def test_a_strategy_that_ended_earlier_has_a_shorter_line(make):
    frame, runs, _ = make.frames(children=12)
    early = runs["strategy"].iloc[-1]
    frame = frame[(frame["strategy"] != early) | (frame["index"] < 4)]
    data = bands(anytime(frame, runs))
    ends = data.groupby("strategy")["spent"].first()
    assert ends[early] < 0.8 * ends.drop(early).min()
    ax = plot_compare(data).axes[0]
    line = next(line for line in ax.lines if line.get_color() == style.look(early).colour and len(line.get_xdata()) > 2)
    assert line.get_xdata()[-1] == pytest.approx(ends[early])


def test_tests_known_at_the_end_alone_have_no_budget_axis(make):
    frame, runs, _ = make.frames(children=12)
    data = bands(anytime(frame, runs))
    tests = data["measure"] == "test_acc"
    late = data["budget"] >= 0.9 * data["budget"].max()
    data.loc[tests & ~late, ["median", "low", "high"]] = np.nan
    data.loc[tests & ~late, "n"] = 0
    figure = plot_compare(data)
    assert [ax.get_xlabel() for ax in figure.axes][-1] == "at the end"
    assert len(figure.axes) == 2
    assert list(figure.axes[1].get_xticks()) == []
