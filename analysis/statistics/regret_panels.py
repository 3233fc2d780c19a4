"""Regret of the same searches on several data sets: a panel each, because their scores have units of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.analysis.statistics.regret import draw_regret
from nasbench.scores import TEST_ACC, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS: Final = 4
_WIDTH, _HEIGHT = 3.3, 2.9  # inches of a panel


@dataclass(frozen=True)
class Panel:
    """Regret on one data set.

    Args:
        name: name of the data set.
        regret: result of `regret.regret`.
        score: the score whose regret it is.
        best: best score of the table, oriented.
        kendall: rank correlation (tau-b) of the scores of all architectures with those that were searched; NaN on the
            searched data set.
        measure: "test_acc" or "val_acc": the part of the data.
    """

    name: str
    regret: pd.DataFrame
    score: Score
    best: float
    kendall: float = math.nan
    measure: str = TEST_ACC

    @property
    def title(self) -> str:
        """Data set, best score of the table, and agreement with the searched scores."""
        unit = "%" if self.score.is_accuracy else f" {self.score.unit}".rstrip()
        agreement = "searched" if math.isnan(self.kendall) else f"τ = {self.kendall:.2f}"
        return f"{self.name}\nbest {self.score.text(self.best)}{unit}; {agreement}"

    @property
    def label(self) -> str:
        """Label of the axis of regrets, short enough for a panel."""
        if self.score.is_accuracy:
            return "regret (points)"
        return f"regret of {self.score.bare}" + (f" ({self.score.unit})" if self.score.unit else "")


def plot_panels(panels: Sequence[Panel], unit: str, notes: Sequence[str] = (), about: str = "") -> Figure:
    """Draw the regret on each data set, all panels with the same budgets.

    Args:
        panels: one or more data sets.
        unit: unit of the budget, for the axes.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption.

    Returns:
        The figure, with the names of the strategies in a free panel or above the panels.
    """
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    with style.theme():
        figure = style.new_figure(_WIDTH * columns, _HEIGHT * rows + 0.6)
        places = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
        key = "Lines: mean over seeds; bands: from the lower to the upper quartile of the seeds. τ: rank agreement of all architectures with the searched scores."
        caption(figure, about, key, notes)
        for ax, panel in zip(places, panels):
            ax.set_title(panel.title, loc="left", fontsize="medium")
            draw_regret(panel.regret, ax, unit, panel.score, panel.measure, named=False)
            ax.set_ylabel(panel.label)
        for ax in places[len(panels) :]:
            ax.set_axis_off()
        _name_strategies(figure, places, panels)
    return figure


def _name_strategies(figure: Figure, places: Sequence[Axes], panels: Sequence[Panel]) -> None:
    from matplotlib.lines import Line2D

    runs: dict[str, int] = {}
    for panel in panels:
        for strategy, count in panel.regret.groupby("strategy")["runs"].first().items():
            runs.setdefault(str(strategy), int(count))
    lines = [
        Line2D([], [], color=style.look(name).colour, linestyle=style.line_style(name), linewidth=2.2)
        for name in style.in_order(list(runs))
    ]
    names = [f"{name} (n={runs[name]})" for name in style.in_order(list(runs))]
    if not lines:
        return
    if len(places) > len(panels):
        places[len(panels)].legend(lines, names, loc="center left", frameon=False)
    else:
        figure.legend(lines, names, loc="outside upper left", ncols=len(lines), frameon=False)


def panels_frame(panels: Sequence[Panel]) -> pd.DataFrame:
    """Put the data of all panels into one table.

    Args:
        panels: the panels.

    Returns:
        data, strategy, budget, runs, mean, low, high; see `regret.regret`.
    """
    parts = [panel.regret.assign(data=panel.name) for panel in panels]
    frame = pd.concat(parts, ignore_index=True)
    return frame[["data", *(name for name in frame.columns if name != "data")]]
