"""Analyses as a notebook uses them: a frame goes in, `draw_*(data, ax)` draws on any axes and takes the settings in force."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import matplotlib
import matplotlib.style
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.text import Text

from nasbench import analysis
from nasbench.analysis.comparison.anytime import anytime
from nasbench.analysis.comparison.bands import bands
from nasbench.analysis.comparison.compare import draw_compare
from nasbench.analysis.comparison.curves import draw_curves, learning_curves
from nasbench.analysis.comparison.random_search_claim import draw_tops, top_means
from nasbench.analysis.costs.cost import cost_by_strategy, draw_cost
from nasbench.analysis.pareto.pareto import draw_pareto, pareto_front
from nasbench.analysis.plotting import saving, style
from nasbench.analysis.report.colours import contrast
from nasbench.analysis.statistics.final_scores import draw_score_intervals, final_scores, score_intervals
from nasbench.analysis.statistics.regret_area import draw_regret_areas, regret_areas
from nasbench.analysis.statistics.significance import draw_improvement, unpaired_tests
from nasbench.analysis.statistics.targets import budget_to_target, draw_targets, survival


def drawing_functions():
    found = []
    for module in pkgutil.iter_modules(analysis.__path__):
        loaded = importlib.import_module(f"{analysis.__name__}.{module.name}")
        for name, member in inspect.getmembers(loaded, inspect.isfunction):
            if name.startswith("draw_") and member.__module__ == loaded.__name__:
                found.append(pytest.param(member, id=name))
    return found


@pytest.mark.parametrize("draw", drawing_functions())
def test_every_drawing_takes_its_data_and_one_plot(draw):
    parameters = list(inspect.signature(draw).parameters.values())
    assert parameters[1].name == "ax"
    assert parameters[0].annotation in ("pd.DataFrame", "Structure")
    assert inspect.signature(draw).return_annotation == "None"


DRAWN = {
    "compare": lambda frame, runs, _, ax: draw_compare(bands(anytime(frame, runs, "gpu_hours")), ax),
    "tests": lambda frame, runs, _, ax: draw_compare(bands(anytime(frame, runs, "children")), ax, "test_acc"),
    "cost": lambda frame, runs, _, ax: draw_cost(cost_by_strategy(frame, runs), ax),
    "pareto": lambda frame, runs, _, ax: draw_pareto(pareto_front(frame), ax),
    "curves": lambda frame, runs, curves, ax: draw_curves(learning_curves(curves, frame), ax),
    "finals": lambda frame, runs, _, ax: draw_score_intervals(score_intervals(final_scores(frame, runs)), ax),
    "improvement": lambda frame, runs, _, ax: draw_improvement(unpaired_tests(final_scores(frame, runs), "random"), ax),
    "tops": lambda frame, runs, _, ax: draw_tops(top_means(frame), ax, 1),
    "targets": lambda frame, runs, _, ax: draw_targets(survival(budget_to_target(frame, runs, 0.8)), ax),
    "regret areas": lambda frame, runs, _, ax: draw_regret_areas(regret_areas(frame, runs), ax),
    "nothing": lambda frame, runs, _, ax: draw_pareto(pareto_front(frame[:0]), ax),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", DRAWN)
def test_a_dark_style_of_ones_own_is_followed(name, make):
    with matplotlib.rc_context(matplotlib.style.library["dark_background"]):
        before = dict(matplotlib.rcParams)
        ground = style.ground()
        ax = style.new_figure(6, 4).subplots()
        DRAWN[name](*make.frames(seeds=5, children=15), ax)
        ax.get_figure().canvas.draw()
        assert dict(matplotlib.rcParams) == before
    assert ground == "#000000"
    greys = {colour for colour in colours(ax) if len({colour[1:3], colour[3:5], colour[5:7]}) == 1}
    assert greys
    assert min(contrast(colour, ground) for colour in greys) > 3


def colours(ax) -> set[str]:
    """Of all letters, lines and edges but those of the axes themselves, whose colours are matplotlib's own to choose."""
    letters = [text.get_color() for text in ax.findobj(Text) if text.get_text()]
    lines = [line.get_color() for line in ax.lines]
    edges = [edge for collection in ax.collections if not collection.get_alpha() for edge in collection.get_edgecolor()]
    return {to_hex(colour) for colour in (*letters, *lines, *edges) if to_rgba(colour)[3] == 1}


def test_the_saved_picture_keeps_the_ground_of_the_style(tmp_path):
    from matplotlib.image import imread

    with style.theme({"figure.facecolor": "#102030"}):
        figure = style.new_figure(2, 1)
    corner = imread(saving.save_figure(figure, tmp_path / "dark.png"))[0, 0, :3]
    assert [round(255 * float(part)) for part in corner] == [0x10, 0x20, 0x30]
