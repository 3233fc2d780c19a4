"""Test of a claim of the lecture notes: "random search is good, though slightly worse" than reinforcement learning.

Source: NASNet's figure on its search (Zoph et al. 2017, 1707.07012, section 4.4): the best model and the means of the
top 5 and top 25 different models found so far, against the number of models sampled, for reinforcement learning and for
random search.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.plotting import style
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOPS = (1, 5, 25)
BASELINE = "random"


def top_means(frame: pd.DataFrame, tops: Sequence[int] = TOPS) -> pd.DataFrame:
    """Compute the mean validation accuracy of the best k different architectures so far, for each child.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`); those counted in the search are used.
        tops: values of k, each >= 1.

    Returns:
        strategy, run, seed, top (k), children (from 1), mean (NaN while fewer than k different architectures have a
        score). An architecture that was trained several times counts once, with its best score.
    """
    require_columns(
        frame, ("run", "stage", "strategy", "run_seed", "hash", "status", "counted", "val_acc"), "the children"
    )
    rows = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    rows = rows.sort_values(["run", "spent_gpu_hours"], kind="stable")
    parts = []
    for run, course in rows.groupby("run", sort=False):
        scores = course["val_acc"].where(course["status"] == "ok").to_numpy(dtype=float)
        means = _running_tops(course["hash"].tolist(), scores, tops)
        for top in tops:
            part = {"strategy": course["strategy"].iloc[0], "run": run, "seed": course["run_seed"].iloc[0], "top": top}
            parts.append(pd.DataFrame({**part, "children": np.arange(1, len(course) + 1), "mean": means[top]}))
    columns = ["strategy", "run", "seed", "top", "children", "mean"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _running_tops(hashes: Sequence[str], scores: np.ndarray, tops: Sequence[int]) -> dict[int, list[float]]:
    best: dict[str, float] = {}
    means: dict[int, list[float]] = {top: [] for top in tops}
    for digest, score in zip(hashes, scores):
        if np.isfinite(score):
            best[digest] = max(float(score), best.get(digest, -np.inf))
        ranked = sorted(best.values(), reverse=True)
        for top in tops:
            means[top].append(float(np.mean(ranked[:top])) if len(ranked) >= top else np.nan)
    return means


def differences(
    data: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 10_000, baseline: str = BASELINE
) -> pd.DataFrame:
    """Compute each strategy's final difference to random search: of means over seeds, with an interval.

    Runs of equal budget may differ in their number of children, because the costs of children depend on the strategy;
    the last value of each run is used.

    Args:
        data: result of `top_means`.
        seed: seed of the bootstrap, which resamples the runs of both sides independently (equal seed numbers are no
            pairs).
        level: coverage in (0, 1) of the percentile interval.
        resamples: bootstrap resamples, >= 1.
        baseline: the strategy to compare with.

    Returns:
        top, strategy, n and n_baseline (runs with a value), mean, baseline_mean, difference, low, high (fractions; NaN
        with fewer than 2 runs on a side).

    Raises:
        InputError: when the baseline has no runs.
    """
    if baseline not in set(data["strategy"]):
        raise InputError(
            f"no runs of {baseline!r} to compare with; strategies here: {', '.join(sorted(set(data['strategy'])))}"
        )
    last = data.groupby(["strategy", "run", "top"], sort=False)["mean"].last().dropna().reset_index()
    rows = []
    for top in sorted(set(data["top"])):
        here = last[last["top"] == top]
        base = here.loc[here["strategy"] == baseline, "mean"].to_numpy(dtype=float)
        for strategy in style.in_order([name for name in data["strategy"].unique() if name != baseline]):
            mine = here.loc[here["strategy"] == strategy, "mean"].to_numpy(dtype=float)
            row = {"top": top, "strategy": strategy, "n": len(mine), "n_baseline": len(base)}
            row |= {"mean": _mean(mine), "baseline_mean": _mean(base), "difference": _mean(mine) - _mean(base)}
            low, high = np.nan, np.nan
            if min(len(mine), len(base)) >= 2:
                rng = np.random.default_rng([seed, top, zlib.crc32(strategy.encode())])
                drawn = _resampled_means(mine, rng, resamples) - _resampled_means(base, rng, resamples)
                low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
            rows.append({**row, "low": low, "high": high})
    return pd.DataFrame(rows)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _resampled_means(values: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    means: np.ndarray = values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
    return means


def verdict(table: pd.DataFrame, level: float = 0.95) -> list[str]:
    """Judge the claim "random search is good, though slightly worse" by `differences`, in one sentence per row.

    Args:
        table: result of `differences`.
        level: coverage of the intervals, for the text.

    Returns:
        The sentences.
    """
    lines = []
    for row in table.to_dict("records"):
        what = f"{row['strategy']}, {'best' if row['top'] == 1 else 'mean of top ' + str(row['top'])}"
        n = f"n={row['n']} and {row['n_baseline']}"
        if np.isnan(row["low"]):
            lines.append(f"{what}: insufficient ({n}).")
            continue
        points = f"{100 * row['difference']:+.2f} points [{100 * row['low']:+.2f}, {100 * row['high']:+.2f}] against random ({n}, {level:.0%})"
        if row["low"] > 0:
            text = "better than random: supported"
        elif row["high"] < 0:
            text = "worse than random: the claim is contradicted"
        else:
            text = "no difference from random is shown"
        few = (
            ""
            if min(row["n"], row["n_baseline"]) >= ENOUGH_SEEDS
            else f" (insufficient: fewer than {ENOUGH_SEEDS} seeds)"
        )
        lines.append(f"{what}: {points}; {text}{few}.")
    return lines


def draw_tops(data: pd.DataFrame, ax: Axes, top: int) -> None:
    """Draw the mean over seeds of a run's best k children by children trained, with the range over seeds as a band.

    Args:
        data: result of `top_means`.
        ax: one plot.
        top: k, one of those in `data`.
    """
    rows, ends = data[data["top"] == top], []
    for strategy in style.in_order(rows["strategy"].tolist()):
        wide = rows[rows["strategy"] == strategy].pivot(index="children", columns="run", values="mean")
        whole = wide.dropna()  # up to the end of the strategy's shortest run: a mean over fewer runs would jump
        if whole.empty:
            continue
        look = style.look(strategy)
        places, middle = whole.index.to_numpy(dtype=float), whole.mean(axis=1).to_numpy(dtype=float)
        low, high = (whole.agg(side, axis=1).to_numpy(dtype=float) for side in ("min", "max"))
        ax.fill_between(places, low, high, color=look.colour, alpha=0.13, linewidth=0)
        ax.plot(places, middle, color=look.colour, linestyle=style.line_style(strategy), linewidth=1.8)
        ends.append((float(middle[-1]), f"{strategy} (n={wide.shape[1]})", look.colour))
    if not ends:
        style.say(ax, f"No run found {top} different architectures with a score.")
        return
    ax.set_title("best so far" if top == 1 else f"mean of the top {top}", fontsize="medium")
    ax.set(xlabel="children", ylabel="validation accuracy (fraction)")
    style.label_ends(ax, ends)


def plot_tops(data: pd.DataFrame, notes: Sequence[str] = ()) -> Figure:
    """Make a figure of `draw_tops` like NASNet's figure on its search, with notes (from `verdict`) under it.

    Args:
        data: result of `top_means`.
        notes: lines under the plots.

    Returns:
        The figure.
    """
    count = max(1, data["top"].nunique())
    with style.theme():
        figure = style.new_figure(4.2 * count, 3.6 + 0.18 * len(notes))
        for ax, top in zip(figure.subplots(1, count, squeeze=False)[0], sorted(data["top"].unique())):
            draw_tops(data, ax, int(top))
        style.caption(figure, ["Lines: mean over seeds; bands: their range.", *notes])
    return figure
