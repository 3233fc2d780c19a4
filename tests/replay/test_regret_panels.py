"""One picture of the regret on several data sets: a panel each, in its own unit, with the agreement with what was searched."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from scipy.stats import kendalltau

from nasbench.analysis.statistics.regret_panels import Panel, panels_frame, plot_panels
from nasbench.api.replaying import Replay
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.search.budget import Budget
from nasbench.scores import ACCURACY, Score
from nasbench.spaces import get_space
from nasbench.tabular.tables import Table, agreement

SPACE = get_space("choices:3/3/3")
SHIPPED = str(Path(__file__).parents[2] / "results" / "digits201.h5")
PERPLEXITY = Score("val_perplexity", "", "", "lower")


def table(name: str, values: np.ndarray, score: Score = ACCURACY) -> Table:
    unknown = np.full(SPACE.size, np.nan)
    none = np.full(SPACE.size, -1)
    return Table(name, SPACE, score.sign * values, unknown, unknown, none, none, score=score)


@pytest.fixture(scope="module")
def found() -> Replay:
    rng = np.random.default_rng(0)
    quality = rng.random(SPACE.size)
    searched = table("faces", 0.5 + quality / 4)
    others = (searched, table("words", 30 - 9 * quality, PERPLEXITY), table("noise", rng.random(SPACE.size)))
    budget = ReplayBudget(Budget.parse("20 children"), 0.0)
    runs = tuple(replay(searched, Setting.of(name, {}), range(9), budget) for name in ("random", "evolution"))
    return Replay(runs, searched, others, pd.DataFrame(columns=["strategy", "test_acc", "test_sd", "paper", "options"]))


def test_every_panel_says_its_best_and_how_far_it_agrees(found: Replay) -> None:
    faces, words, noise = found.panels()
    assert math.isnan(faces.kendall)
    assert words.kendall == pytest.approx(1.0)
    expected = kendalltau(found.table.val_acc, found.scored[2].val_acc).statistic
    assert noise.kendall == pytest.approx(expected)
    assert faces.title == f"faces\nbest {100 * found.table.val_acc.max():.2f}%; searched"
    assert words.title == f"words\nbest {-found.scored[1].val_acc.max():.4g}; τ = 1.00"
    assert [panel.label for panel in (faces, words)] == ["regret (points)", "regret of perplexity"]


def test_the_picture_has_a_panel_for_each_and_names_the_strategies_once(found: Replay) -> None:
    figure = found.plot_panels()
    assert [ax.get_title(loc="left").partition("\n")[0] for ax in figure.axes] == ["faces", "words", "noise"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["random (n=9)", "evolution (n=9)"]
    # The regret of the perfectly agreeing task falls with that of the searched one: to 0 where the best is found.
    for strategy in ("random", "evolution"):
        ends = [panel.regret[panel.regret["strategy"] == strategy]["mean"].iloc[-1] for panel in found.panels()[:2]]
        assert ends[1] == pytest.approx(ends[0] * 36, abs=1e-9)  # 9 / (1 / 4)


def test_a_free_panel_has_the_names(found: Replay) -> None:
    panels = found.panels() + [replace(panel, name=f"{panel.name} 2") for panel in found.panels()[:2]]
    figure = plot_panels(panels, "children")
    assert len(figure.axes) == 8
    assert figure.axes[5].get_legend() is not None
    assert figure.legends == []


def test_the_table_beside_the_picture_names_the_data_sets(found: Replay) -> None:
    frame = panels_frame(found.panels())
    assert list(frame.columns) == ["data", "strategy", "budget", "runs", "mean", "low", "high"]
    assert frame["data"].unique().tolist() == ["faces", "words", "noise"]
    assert (frame["mean"] >= 0).all()


def test_a_panel_without_choices_says_so() -> None:
    empty = pd.DataFrame(columns=["strategy", "budget", "runs", "mean", "low", "high"])
    figure = plot_panels([Panel("faces", empty, ACCURACY, 0.9)], "children")
    assert "No search has a choice" in "".join(text.get_text() for text in figure.axes[0].texts)


def test_tables_of_other_spaces_do_not_agree(found: Replay) -> None:
    other = get_space("choices:27")
    with pytest.raises(InputError, match="no architectures in common"):
        agreement(found.table, replace(found.table, space=other))


def test_panels_need_the_name_of_a_picture() -> None:
    done = nasbench("replay", "--table", SHIPPED, "--panels")
    assert done.code == 2
    assert "give its name by --plot" in done.err


def test_the_command_writes_one_picture(tmp_path) -> None:
    words = (
        "--strategy",
        "random",
        "--seeds",
        "2",
        "--budget",
        "3 children",
        "--search-on",
        "digits",
        "--report-on",
        "digits",
    )
    done = nasbench("replay", "--table", SHIPPED, *words, "--plot", str(tmp_path / "fig.png"), "--panels")
    assert done.code == 0, done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fig.csv", "fig.png", "fig.txt"]
    assert pd.read_csv(tmp_path / "fig.csv")["data"].unique().tolist() == ["digits"]
