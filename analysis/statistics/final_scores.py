"""Final score of each run, and mean, median and interquartile mean over runs with stratified bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import trajectories
from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.plotting import style
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
STATISTICS = ("mean", "median", "iqm")
NAMES = {"mean": "mean", "median": "median", "iqm": "interquartile mean"}


def final_scores(frame: pd.DataFrame, runs: pd.DataFrame, measure: str = "val_acc") -> pd.DataFrame:
    """Final score of each run: its best validation accuracy, or the test accuracy of its last incumbent.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`); a run without a score stays in, with NaN.
        measure: "val_acc" or "test_acc".

    Returns:
        strategy, table (space and data set), run, seed, score (fraction).

    Raises:
        InputError: for another measure, or when a column is missing.
    """
    if measure not in ("val_acc", "test_acc"):
        raise InputError(f"a run ends with val_acc or test_acc, not with {measure!r}")
    require_columns(runs, ("run", "strategy", "seed", "space", "data"), "the runs")
    last = trajectories(frame, runs, "children").groupby("run")[measure].last()
    return pd.DataFrame(
        {
            "strategy": runs["strategy"].to_numpy(),
            "table": (runs["space"] + ", " + runs["data"]).to_numpy(),
            "run": runs["run"].to_numpy(),
            "seed": runs["seed"].to_numpy(),
            "score": last.reindex(runs["run"]).to_numpy(dtype=float),
        }
    )


def below_best(scores: pd.DataFrame, optimum: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Convert scores to negative regrets, which makes tables of different difficulty comparable.

    Args:
        scores: result of `final_scores`.
        optimum: table -> its best score (fraction), if known; for other tables the best score of these runs is used.

    Returns:
        The same rows with score as a negative regret (0 is the best, larger is better).

    Raises:
        InputError: when a score is above the given optimum.
    """
    best = scores.groupby("table")["score"].max()
    for table, value in (optimum or {}).items():
        if table in best and best[table] > value + 1e-9:
            raise InputError(
                f"{table}: the optimum given is {value:g}, but a run found {best[table]:g}; give that of the same measure"
            )
        best[table] = value
    return scores.assign(score=scores["score"] - scores["table"].map(best))


def score_intervals(scores: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 2000) -> pd.DataFrame:
    """Mean, median and interquartile mean of each strategy's final scores, with percentile bootstrap intervals.

    Args:
        scores: result of `final_scores`; of several tables those of `below_best`.
        seed: seed of the bootstrap; the same seed gives the same numbers, regardless of the other strategies.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        One row for each strategy and statistic: strategy, statistic (mean, median, iqm), runs, n (with a score),
        tables, value, low, high, interval (text). Runs are resampled within each table (stratified). With fewer than 5
        scores low and high are NaN, and interval says that they are insufficient.

    Source: Agarwal et al. 2021 (2108.13264), section 4: stratified bootstrap and interquartile mean.
    """
    require_columns(scores, ("strategy", "table", "run", "score"), "the scores")
    rows = []
    for strategy in style.in_order(scores["strategy"].tolist()):
        mine = scores[scores["strategy"] == strategy]
        strata = [group["score"].dropna().to_numpy(dtype=float) for _, group in mine.groupby("table", sort=True)]
        strata = [stratum for stratum in strata if len(stratum)]
        pooled = np.concatenate(strata) if strata else np.zeros(0)
        enough = bool(strata) and min(len(stratum) for stratum in strata) >= ENOUGH_SEEDS
        drawn = resampled(strata, generator(seed, strategy, "final"), resamples) if enough else None
        for statistic in STATISTICS:
            value = float(_OF[statistic](pooled[None])[0]) if len(pooled) else float("nan")
            low = high = float("nan")
            if drawn is not None:
                low, high = np.quantile(_OF[statistic](drawn), [(1 - level) / 2, (1 + level) / 2])
            rows.append(
                {
                    "strategy": strategy,
                    "statistic": statistic,
                    "runs": len(mine),
                    "n": len(pooled),
                    "tables": len(strata),
                    "value": value,
                    "low": float(low),
                    "high": float(high),
                    "interval": f"n={len(pooled)}: {level:.0%} bootstrap, seed {seed}"
                    if enough
                    else f"n={len(pooled)}: insufficient",
                }
            )
    return pd.DataFrame(rows)


def resampled(strata: list[Floats], rng: np.random.Generator, resamples: int) -> Floats:
    """Draw bootstrap samples: from each stratum as many scores as it has, with replacement.

    Args:
        strata: scores per stratum, shape [scores] each.
        rng: source of the samples.
        resamples: number of samples, >= 1.

    Returns:
        Scores, shape [resamples, scores of all strata].
    """
    drawn = [stratum[rng.integers(len(stratum), size=(resamples, len(stratum)))] for stratum in strata]
    return np.concatenate(drawn, axis=1)


def _iqm(samples: Floats) -> Floats:
    """Mean of the middle half of each row."""
    from scipy.stats import trim_mean

    means: Floats = np.asarray(trim_mean(samples, 0.25, axis=1))
    return means


_OF: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda samples: samples.mean(axis=1),
    "median": lambda samples: np.asarray(np.median(samples, axis=1)),
    "iqm": _iqm,
}


def draw_score_intervals(data: pd.DataFrame, ax: Axes, label: str = "final validation accuracy (fraction)") -> None:
    """Draw mean, median and interquartile mean of each strategy with their intervals, one line per strategy.

    Args:
        data: result of `score_intervals`.
        ax: one plot.
        label: label of the axis: name and unit of the scores.
    """
    known = data[data["value"].notna()]
    if known.empty:
        style.say(ax, "No run ended with a score.")
        return
    strategies = style.in_order(data["strategy"].tolist())
    markers = {"mean": "o", "median": "|", "iqm": "D"}
    for place, strategy in enumerate(reversed(strategies)):
        colour = style.look(strategy).colour
        for offset, statistic in zip((0.22, 0.0, -0.22), STATISTICS):
            row = data[(data["strategy"] == strategy) & (data["statistic"] == statistic)].iloc[0]
            y = place + offset
            if np.isfinite(row["low"]):
                ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
            ax.plot([row["value"]], [y], color=colour, marker=markers[statistic], markersize=6, markeredgewidth=1.6)
    rows = data.drop_duplicates("strategy").set_index("strategy")
    names = [f"{name}\n({_count(rows.loc[name])})" for name in reversed(strategies)]
    ax.set_yticks(range(len(strategies)), names)
    for tick, strategy in zip(ax.get_yticklabels(), reversed(strategies)):
        tick.set_color(style.look(strategy).colour)
    ax.set(xlabel=label, ylim=(-0.6, len(strategies) - 0.4))
    ax.grid(visible=False, axis="y")
    ax.set_title("○ mean, | median, ◇ interquartile mean", loc="left", fontsize="small", color=style.muted())


def _count(row: pd.Series) -> str:
    runs = f"n={row['n']}" if row["n"] == row["runs"] else f"n={row['n']} of {row['runs']}"
    return runs if "insufficient" not in row["interval"] else f"{runs}, insufficient"
