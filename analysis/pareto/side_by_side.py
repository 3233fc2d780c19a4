"""Fronts of one objective over several costs, side by side, and how far the costs rank architectures alike."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.pareto.objective_plots import draw_two
from nasbench.analysis.pareto.objectives import axis_label
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pair = tuple[str, str]
_LEAST = 2  # architectures that can be ranked
_WIDTH, _HEIGHT = 4.8, 4.6
_MOST = 3


def check_pairs(pairs: Sequence[Sequence[str]]) -> list[Pair]:
    """Check the objectives of fronts side by side.

    Args:
        pairs: names of objectives, as `objectives.parse_objectives` returns them.

    Returns:
        The pairs: what is drawn upwards, and the cost.

    Raises:
        InputError: when there are more than three, one has not two objectives, their first ones differ, or two are equal.
    """
    if len(pairs) > _MOST or any(len(pair) != 2 for pair in pairs):
        raise InputError(
            "--objectives given several times draws fronts side by side: two or three times, two objectives each"
        )
    if len({pair[0] for pair in pairs}) > 1:
        raise InputError(
            f"fronts side by side have one first objective, got {' and '.join(dict.fromkeys(pair[0] for pair in pairs))}"
        )
    if len({pair[1] for pair in pairs}) < len(pairs):
        raise InputError("fronts side by side have different costs; one is given twice")
    return [(pair[0], pair[1]) for pair in pairs]


def cost_agreement(fronts: Sequence[pd.DataFrame], pairs: Sequence[Pair]) -> pd.DataFrame:
    """Compare how two costs rank the architectures, and which of them are on both fronts.

    Args:
        fronts: per pair, the result of `objectives.objective_front`.
        pairs: result of `check_pairs`.

    Returns:
        One row per two costs: first, second, n (architectures of which both are known), tau (Kendall's tau-b of the costs
        over these; NaN with fewer than two, or where one is constant), first_front, second_front (architectures on each),
        both_fronts (on both).
    """
    rows = []
    for (one, left), (other, right) in itertools.combinations(zip(fronts, pairs), 2):
        costs = [_by_hash(points, pair[1]) for points, pair in ((one, left), (other, right))]
        known = pd.concat(costs, axis=1, join="inner").to_numpy(dtype=float)
        on = [set(points.loc[points["front"], "hash"]) for points in (one, other)]
        rows.append((left[1], right[1], len(known), _tau(known), len(on[0]), len(on[1]), len(on[0] & on[1])))
    return pd.DataFrame(rows, columns=["first", "second", "n", "tau", "first_front", "second_front", "both_fronts"])


def _by_hash(points: pd.DataFrame, name: str) -> pd.Series[float]:
    return points.groupby("hash", sort=False)[name].mean()


def _tau(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    if len(values) < _LEAST or min(len(np.unique(column)) for column in values.T) < _LEAST:
        return float("nan")
    from scipy.stats import kendalltau

    return float(kendalltau(values[:, 0], values[:, 1]).statistic)


def agreement_notes(agreement: pd.DataFrame) -> list[str]:
    """Write the agreement of costs as sentences.

    Args:
        agreement: result of `cost_agreement`.

    Returns:
        One sentence per two costs.
    """
    return [
        f"Kendall's tau between {row.first} and {row.second} over {row.n:,} architectures: {row.tau:.3f}; "
        f"{row.both_fronts} are on both fronts, of {row.first_front} and {row.second_front}."
        for row in agreement.itertuples()
    ]


def plot_side_by_side(
    fronts: Sequence[pd.DataFrame],
    pairs: Sequence[Pair],
    agreement: pd.DataFrame,
    notes: Sequence[str] = (),
    label: str = "",
    about: str = "",
) -> Figure:
    """Plot the fronts over several costs side by side; rings are the architectures of the first front, or of the second.

    Args:
        fronts: per pair, the result of `objectives.objective_front`.
        pairs: result of `check_pairs`.
        agreement: result of `cost_agreement`.
        notes: further sentences for the text beside the picture.
        label: label of the first objective's axis, e.g. "validation error (fraction)".
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    with style.theme():
        figure = style.new_figure(_WIDTH * len(pairs), _HEIGHT)
        axes = figure.subplots(1, len(pairs), squeeze=False)[0]
        taus = "; ".join(f"{row.tau:.3f}" for row in agreement.itertuples())
        key = f"Kendall's tau of the costs: {taus}. Black: the front. Rings: architectures of another cost's front."
        caption(figure, about, key, [*agreement_notes(agreement), *notes])
        for place, (points, pair, ax) in enumerate(zip(fronts, pairs, axes)):
            draw_two(points, ax, pair, label if place == 0 else " ")
            other = 0 if place else 1
            _rings(points, fronts[other], ax, pair, axis_label(pairs[other][1], fronts[other]))
    return figure


def _rings(points: pd.DataFrame, others: pd.DataFrame, ax: Axes, pair: Pair, name: str) -> None:
    """Mark the architectures that are on another front."""
    if points.empty or others.empty:
        return
    y, x = pair
    rows = points[points["hash"].isin(set(others.loc[others["front"], "hash"]))]
    ax.scatter(
        rows[x],
        rows[y],
        s=44,
        facecolors="none",
        edgecolors=style.ink(),
        linewidths=0.9,
        zorder=4,
        label=f"front over {name}",
    )
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize="small", borderaxespad=0.2)
