"""Test of a claim of the lecture notes: "random search is good, though slightly worse" than reinforcement learning.

Source: NASNet's figure on its search (Zoph et al. 2017, 1707.07012, section 4.4): the best model and the means of the
top 5 and top 25 different models found so far, against the number of models sampled, for reinforcement learning and for
random search.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.comparison.groups import repeated
from nasbench.analysis.inference.equivalence import MARGIN
from nasbench.analysis.inference.intervals import LEVEL
from nasbench.analysis.inference.two_samples import COMPARISON, compare_groups, corrected
from nasbench.analysis.inference.verdicts import DIFFERS, EQUIVALENT, comparison_text, disagreement
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
TOPS = (1, 5, 25)
NASNET_SHARE = 25 / 20_000  # Zoph et al. 2017, section 4.4: 25 of 20,000 sampled
BASELINE = "random"
SKIPPED = 0.01
"""Part of the children whose steep rise the vertical axis leaves out."""


def top_means(frame: pd.DataFrame, tops: Sequence[int] = TOPS, as_categories: bool = False) -> pd.DataFrame:
    """Compute the mean validation accuracy of the best k different architectures so far, for each child.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`); those counted in the search are used.
        tops: values of k, each >= 1.
        as_categories: see `groups.repeated`.

    Returns:
        strategy, run, seed, top (k), children (from 1), distinct (architectures with a score so far), mean (NaN while
        these are fewer than k). An architecture that was trained several times counts once, with its best score.
    """
    require_columns(
        frame, ("run", "stage", "strategy", "run_seed", "hash", "status", "counted", "val_acc"), "the children"
    )
    within = (frame["stage"] == "search") & frame["counted"].astype(bool)
    places = np.flatnonzero(within.to_numpy())
    run = pd.factorize(frame["run"].iloc[places], sort=True)[0]
    order = np.lexsort((frame["spent_gpu_hours"].to_numpy(dtype=float)[places], run))
    rows = frame[["run", "strategy", "run_seed", "hash", "status", "val_acc"]].iloc[places[order]]
    columns = ["strategy", "run", "seed", "top", "children", "distinct", "mean"]
    if rows.empty:
        return pd.DataFrame(columns=columns)
    lengths = np.bincount(run)  # numbers are sorted and grouped faster than texts
    starts = np.cumsum(lengths) - lengths
    scores = rows["val_acc"].where(rows["status"] == "ok").to_numpy(dtype=float)
    hashes = pd.factorize(rows["hash"])[0].tolist()
    # Rows of one run follow each other; each has one block of its children per k.
    courses = [
        _running_tops(hashes[start : start + length], scores[start : start + length], tops)
        for start, length in zip(starts.tolist(), lengths.tolist())
    ]
    blocks = np.repeat(lengths, len(tops))
    each = np.repeat(np.repeat(starts, len(tops)), blocks)
    texts = {name: repeated(rows[name], each, as_categories) for name in ("strategy", "run")}
    return pd.DataFrame(
        {
            **texts,
            "seed": rows["run_seed"].to_numpy()[each],
            "top": np.repeat(np.tile(np.array(tops, dtype=np.int64), len(lengths)), blocks),
            "children": np.arange(1, blocks.sum() + 1) - np.repeat(np.cumsum(blocks) - blocks, blocks),
            "distinct": np.concatenate([distinct for _, distinct in courses for _ in tops]),
            "mean": np.concatenate([means[top] for means, _ in courses for top in tops]),
        },
        copy=False,
    )


def _running_tops(
    hashes: Sequence[int], scores: np.ndarray, tops: Sequence[int]
) -> tuple[dict[int, Floats], NDArray[np.int64]]:
    """Mean of the best k so far, by k, and the number of different architectures with a score so far."""
    distinct: list[int] = []
    best: dict[int, float] = {}
    ascending: list[float] = []  # best scores of the architectures so far, each negative: the highest score is first
    changes: dict[int, list[int]] = {top: [] for top in tops}  # children at which the best k became others
    lists: dict[int, list[float]] = {top: [] for top in tops}  # these, end to end
    for child, (kind, score) in enumerate(zip(hashes, scores.tolist())):
        before = best.get(kind, -np.inf)
        if math.isfinite(score) and score > before:
            if kind in best:
                del ascending[bisect_left(ascending, -before)]
            best[kind] = score
            first = bisect_left(ascending, -score)  # the first place that changes
            ascending.insert(first, -score)
            for top in tops:
                if first < top <= len(ascending):
                    changes[top].append(child)
                    lists[top] += ascending[:top]
        distinct.append(len(best))
    places, means = np.arange(len(scores)), {}
    for top in tops:
        sums = np.add.reduce(np.array(lists[top]).reshape(-1, top), axis=1)
        now = np.concatenate([[math.nan], -sums / top])
        means[top] = now[np.searchsorted(changes[top], places, side="right")]
    return means, np.array(distinct, dtype=np.int64)


def differences(
    data: pd.DataFrame, level: float = LEVEL, margin: float = MARGIN, baseline: str = BASELINE
) -> pd.DataFrame:
    """Compare each strategy's final top means with those of random search, as samples of independent runs.

    Runs of equal budget may differ in their number of children, because the costs of children depend on the strategy;
    the last value of each run is used. Holm's correction is over all rows: each is a chance to be wrong.

    Args:
        data: result of `top_means`.
        level: coverage in (0, 1) of the intervals.
        margin: differences within +-margin count as "as good as"; a fraction, > 0.
        baseline: the strategy to compare with; equal seed numbers are no pairs.

    Returns:
        top, strategy, share (of the distinct architectures of a run that the top k are: mean over both sides' runs),
        mean, baseline_mean, and the columns of `two_samples.compare_groups` and `two_samples.corrected`, of which
        n_first counts the runs of the strategy that have a value, n_second those of the baseline.

    Raises:
        InputError: when the baseline has no runs.
    """
    if baseline not in set(data["strategy"].unique()):
        raise InputError(
            f"no runs of {baseline!r} to compare with; strategies here: {', '.join(sorted(set(data['strategy'].unique())))}"
        )
    each = data.groupby(["strategy", "run", "top"], sort=False, observed=True)
    last = each[["mean", "distinct"]].last().dropna().reset_index()
    strategies = style.in_order([name for name in data["strategy"].unique() if name != baseline])
    rows, none = [], np.zeros(0, dtype=np.int64)
    for top in sorted(set(data["top"].unique())):
        here = last[last["top"] == top]
        places = here.groupby("strategy", sort=False, observed=True).indices
        means, distinct = here["mean"].to_numpy(dtype=float), here["distinct"].to_numpy()
        base = places.get(baseline, none)
        for strategy in strategies:  # positions in arrays: a frame for each of 2,000 strategies would take seconds
            mine = places.get(strategy, none)
            a, b = means[mine], means[base]
            row = {"top": top, "strategy": strategy}
            row |= {"share": _mean(top / np.concatenate([distinct[mine], distinct[base]]))}
            row |= {"mean": _mean(a), "baseline_mean": _mean(b)}
            rows.append(row | compare_groups(a, b, level, margin))
    return corrected(pd.DataFrame(rows, columns=["top", "strategy", "share", "mean", "baseline_mean", *COMPARISON]))


def left_out_of_tops(data: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """Say which runs have no mean of the top k: those with fewer than k architectures that have a score.

    Args:
        data: result of `top_means`.
        runs: all runs, those without children among them.

    Returns:
        One sentence for each k of which runs are left out; means of the others are those of runs that went well.
    """
    ends = data.groupby(["run", "top"], observed=True)["mean"].last()  # a mean that is known stays known
    sentences = []
    for top in sorted(set(data["top"].unique())):
        known = set(ends.xs(top, level="top").dropna().index)
        lost = runs[~runs["run"].isin(known)].groupby("strategy")["run"].size()
        if len(lost):
            counts = ", ".join(
                f"{lost[name]} of {int((runs['strategy'] == name).sum())} of {name}"
                for name in style.in_order(list(lost.index))
            )
            sentences.append(
                f"Left out of the top {top}: {counts}, with fewer than {top} scored architecture{'s' if top != 1 else ''}; the "
                "means are of the other runs."
            )
    return sentences


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def verdict(table: pd.DataFrame) -> list[str]:
    """Judge the claim "random search is good, though slightly worse" by `differences`, in one sentence per row.

    Args:
        table: result of `differences`.

    Returns:
        The sentences, and one on how large a part of a run's architectures the largest top is.
    """
    lines = []
    for row in table.to_dict("records"):
        what = "best" if row["top"] == 1 else f"mean of top {row['top']}"
        lines.append(f"{row['strategy']} against random, {what}: {comparison_text(row)}{_ruling(row)}.")
    largest = table[table["top"] == table["top"].max()]
    if len(largest) and largest["top"].iloc[0] > 1 and largest["share"].notna().any():
        top, share = int(largest["top"].iloc[0]), float(largest["share"].mean())
        lines.append(
            f"The top {top} are {share:.{0 if share >= 0.1 else 1}%} of the architectures that a run trained here, and were {NASNET_SHARE:.1%} in "
            f"NASNet's search: {_SPEAKS_OF_MOST if share > 0.5 else _SPEAKS_OF_BEST}."
        )
    return lines


def _ruling(row: dict[Any, Any]) -> str:
    """What a comparison means for the claim that random search is slightly worse."""
    if row["finding"] == DIFFERS:
        if disagreement(row["improvement"] - 0.5, row["difference"]):
            return ": so nothing is said of the claim"
        return ": the claim is supported" if row["improvement"] > 0.5 else ": the claim is contradicted"
    return ": random is as good" if row["finding"] == EQUIVALENT else ""


_SPEAKS_OF_MOST = "their mean speaks of most of what was sampled, not of the best"
_SPEAKS_OF_BEST = "their mean speaks of the better part of what was sampled"


def draw_tops(data: pd.DataFrame, ax: Axes, top: int, predicted: bool = False) -> None:
    """Draw the mean over seeds of a run's best k children by children trained, with the range over seeds as a band.

    It is of the runs that have found k architectures with a score; where these have no number of children in common at
    which all have, a marker shows the mean and range of their last values.

    The vertical axis begins where the lowest band is after the first hundredth of the children, so that curves of thousands
    of children are seen apart.

    Args:
        data: result of `top_means`.
        ax: one plot.
        top: k, one of those in `data`.
        predicted: whether a surrogate predicted the accuracies, which the axis then says.
    """
    rows, ends = data[data["top"] == top], []
    seen: list[float] = []
    first = SKIPPED * rows["children"].max()
    for strategy in style.in_order(rows["strategy"].unique().tolist()):
        wide = rows[rows["strategy"] == strategy].pivot(index="children", columns="run", values="mean")
        known = wide.dropna(axis="columns", how="all")  # runs that have a value, as those of `differences`
        if not known.shape[1]:
            continue
        whole = known.dropna()  # up to the end of the strategy's shortest run: a mean over fewer runs would jump
        if whole.empty:  # a run ended before another had a value: there is no line, and their last values are a marker
            whole = known.ffill().tail(1)
        look = style.look(strategy)
        places, middle = whole.index.to_numpy(dtype=float), whole.mean(axis=1).to_numpy(dtype=float)
        low, high = (whole.agg(side, axis=1).to_numpy(dtype=float) for side in ("min", "max"))
        if len(whole) > 1:
            ax.fill_between(places, low, high, color=look.colour, alpha=0.13, linewidth=0)
            ax.plot(places, middle, color=look.colour, linestyle=style.line_style(strategy), linewidth=1.8)
        else:
            reach = [np.maximum(middle - low, 0), np.maximum(high - middle, 0)]
            ax.errorbar(places, middle, yerr=reach, color=look.colour, marker=look.marker, markersize=5, capsize=2.5)
        ends.append((float(middle[-1]), f"{strategy} ({style.of_runs(known.shape[1], wide.shape[1])})", look.colour))
        later = places >= min(first, places[-1])
        seen += [float(low[later].min()), float(high.max())]
    if not ends:
        style.say(ax, f"No run found {top} different architectures with a score.")
        return
    ax.set_title("best so far" if top == 1 else f"mean of the top {top}", fontsize="medium")
    source = ",\nsimulated by a surrogate" if predicted else " (fraction)"
    ax.set(xlabel="children", ylabel=f"validation accuracy{source}")
    margin = 0.05 * (max(seen) - min(seen))
    if margin > 0:
        ax.set_ylim(min(seen) - margin, max(seen) + margin)
    style.label_ends(ax, ends)


def plot_tops(data: pd.DataFrame, notes: Sequence[str] = (), about: str = "", predicted: bool = False) -> Figure:
    """Make a figure of `draw_tops` like NASNet's figure on its search, with the verdicts as notes.

    Args:
        data: result of `top_means`.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.
        predicted: see `draw_tops`.

    Returns:
        The figure.
    """
    data, said = style.drawn_rows(data)
    count = max(1, data["top"].nunique())
    with style.theme():
        figure = style.new_figure(max(6.0, 3.3 * count), 3.9)
        axes = figure.subplots(1, count, squeeze=False)[0]
        caption(
            figure, about, f"{said} Lines and markers: mean over seeds; bands and bars: their range.".strip(), notes
        )
        for ax, top in zip(axes, sorted(data["top"].unique())):
            draw_tops(data, ax, int(top), predicted)
            if ax is not axes[0]:
                ax.set_ylabel("")
    return figure
