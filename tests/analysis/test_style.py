"""Colours, saving, and labels that keep their distance."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasbench import strategy_names
from nasbench.analysis import report as nasbench_report
from nasbench.analysis.plotting import saving, style
from nasbench.analysis.plotting.spacing import spread
from nasbench.errors import InputError
from nasbench.runners.strategies import STRATEGIES

BUILT_IN = ("random", "reinforce", "ppo", "evolution", "pnas", "enas", "zero_cost", "local_search")


def test_built_in_strategies_have_their_own_colours_and_markers():
    looks = [style.look(name) for name in BUILT_IN]
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == len(BUILT_IN)
    assert style.look("random").colour == "#6e6e6e"


def test_every_strategy_of_the_suite_is_known_and_looks_like_no_other():
    names = sorted(strategy_names.BUILT_IN)
    assert all(style.is_known(name) for name in names)
    assert not style.is_known("my_search")
    assert set(style._KNOWN) == set(names), "a strategy has no look of its own in analysis/plotting/style.py"
    for one, other in itertools.combinations(names, 2):
        first, second = style.look(one), style.look(other)
        apart = first.colour != second.colour or (first.marker != second.marker and first.dashes != second.dashes)
        assert apart, (one, other)
    plugins = {
        style.Look(*each) for each in itertools.product(style._SPARE_COLOURS, style._SPARE_MARKERS, style._SPARE_DASHES)
    }
    assert not plugins & {style.look(name) for name in names}


def test_the_strategies_of_the_registry_are_known():
    assert set(STRATEGIES) >= set(strategy_names.BUILT_IN)
    assert all(style.is_known(name) for name in STRATEGIES._builtin)


def test_looks_are_drawn_on_the_page_of_a_report():
    page = (Path(nasbench_report.__file__).parent / "static" / "chart.js").read_text()
    shapes = set(re.findall(r'^  "?(.)"?: "M', page, re.MULTILINE))
    assert {style.look(name).marker for name in strategy_names.BUILT_IN} <= shapes


def test_known_strategies_come_before_plug_ins():
    assert style.in_order(["aaa", "syne_tune", "bohb", "ppo", "random"]) == [
        "random",
        "ppo",
        "bohb",
        "syne_tune",
        "aaa",
    ]


def test_a_plugin_looks_the_same_in_every_process():
    code = "from nasbench.analysis.plotting.style import look; print(look('my_search'))"
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert told.stdout.strip() == str(style.look("my_search"))
    assert style.look("my_search").dashes
    assert style.look("my_search").colour not in {style.look(name).colour for name in BUILT_IN}


def _contrast(colour: str) -> float:
    """Contrast against white. Source: WCAG 2.1, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (float(np.dot(linear, [0.2126, 0.7152, 0.0722])) + 0.05)


def test_every_colour_is_visible_on_white():
    for name in (*strategy_names.BUILT_IN, *(f"plugin{i}" for i in range(40))):
        assert _contrast(style.look(name).colour) > 2.6, name


def test_the_theme_can_be_overridden_and_leaves_no_trace():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with style.theme({"font.size": 23}):
        assert matplotlib.rcParams["font.size"] == 23
    assert dict(matplotlib.rcParams) == before


def test_a_backend_that_loads_under_the_theme_stays_interactive():
    import matplotlib

    with matplotlib.rc_context({"interactive": False}):
        with style.theme():
            matplotlib.rcParams["interactive"] = True  # as a notebook's backend does when the first figure is made
        assert matplotlib.rcParams["interactive"]


def test_saving_writes_the_same_bytes_twice(tmp_path):
    data = pd.DataFrame({"x": [1.5]})
    written = []
    for name in ("a", "b"):
        with style.theme():
            figure = style.new_figure(3, 2)
            figure.subplots().plot([0, 1])
        written.append(saving.save(figure, tmp_path / name / "plot", data))
    assert [path.name for path in written[0]] == ["plot.png", "plot.svg", "plot.csv"]
    for first, second in zip(*written):
        assert first.read_bytes() == second.read_bytes()
    assert written[0][2].read_text() == "x\n1.5\n"


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    figure = style.new_figure(1, 1)
    with pytest.raises(InputError, match="cannot write"):
        saving.save(figure, tmp_path / "file" / "plot", pd.DataFrame())
    with pytest.raises(InputError, match=r"must end in \.png, \.svg or \.pdf"):
        saving.save_figure(figure, tmp_path / "plot.xls")


def test_spread_keeps_order_and_distance_and_moves_least():
    rng = np.random.default_rng(0)
    for _ in range(50):
        wanted = rng.normal(size=rng.integers(1, 9)).round(1)
        placed = spread(wanted.tolist(), 0.4)
        order = np.argsort(wanted, kind="stable")
        assert (np.diff(placed[order]) > 0.4 - 1e-9).all()
        assert placed.mean() == pytest.approx(wanted.mean())  # least squares moves no cluster as a whole
    np.testing.assert_allclose(spread([0, 0, 5], 1), [-0.5, 0.5, 5])


def test_labels_at_line_ends_do_not_overlap():
    figure = style.new_figure(5, 3)
    ax = figure.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    style.label_ends(ax, [(y, f"strategy {i}", "#000000") for i, y in enumerate([0.9, 0.9, 0.905, 0.2, 1.0, 0.0, 0.0])])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999.7, "1,000"),
        (9996, "10k"),
        (999950, "1M"),
        (0, "0"),
        (0.01234, "0.0123"),
        (12.34, "12.3"),
        (4321, "4,321"),
        (20000, "20k"),
        (4.2e6, "4.2M"),
    ],
)
def test_short_numbers(value, text):
    assert style.short(value) == text


def test_importing_an_analysis_is_quick_and_draws_nothing():
    code = (
        "import sys, nasbench.analysis.comparison.compare, nasbench.analysis.pareto.pareto, nasbench.analysis.costs.cost, nasbench.analysis.comparison.curves,"
        " nasbench.analysis.drawings.architecture; print({'torch', 'matplotlib', 'seaborn', 'moocore', 'scipy'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.parametrize("scale", [1.0, 1.15])
def test_the_settings_are_seaborns(scale):
    seaborn = pytest.importorskip("seaborn")
    theirs = {**seaborn.plotting_context("paper", font_scale=scale), **seaborn.axes_style("ticks")}
    ours = style.seaborn_settings(scale)
    assert set(theirs) - set(ours) == {"image.cmap"}
    assert {name: theirs[name] for name in ours} == {
        name: pytest.approx(value) if isinstance(value, float) else value for name, value in ours.items()
    }


def test_a_picture_of_many_strategies_says_how_many_it_draws():
    few = pd.DataFrame({"strategy": ["own", "random"]})
    assert style.drawn_rows(few)[1] == ""
    many = pd.DataFrame({"strategy": [f"own_{number:03}" for number in range(99)] + ["random"]})
    rows, said = style.drawn_rows(many)
    assert set(rows["strategy"]) == {"random", *(f"own_{number:03}" for number in range(39))}
    assert said.startswith("Drawn: 40 of 100 strategies")
