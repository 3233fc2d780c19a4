"""Rank correlations between protocols and between seeds: does a cheap score rank architectures as a costly one does?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.inference.intervals import TOO_SMALL
from nasbench.analysis.plotting import style
from nasbench.errors import InputError
from nasbench.store.format.frames import whole_trainings
from nasbench.store.format.schema import TABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
_OF_VALIDATION = frozenset({"val_acc", "val_acc_best", "val_loss", "train_acc", "train_loss", "reward"})
_OF_TRAININGS = _OF_VALIDATION | {
    "test_acc",
    "test_loss",
    "epochs",
    "device_seconds",
    "train_seconds",
    "eval_seconds",
    "gpu_hours",
    "usd",
}
LEAST_FOR_INTERVALS = 20  # architectures, by measured coverage
TOP = 0.1
MOST_VECTORS = 2000


def protocol_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean score of each architecture by protocol, stage and score.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).

    Returns:
        hash, then one column per protocol and score, named "protocol validation" (stage search, and of tables also
        final) or "protocol test" (stage final), with the fingerprint where two protocols share a name; fractions, NaN
        where an architecture has no such score.

    Raises:
        InputError: when no child has a score.
    """
    need = ("hash", "stage", "status", "strategy", "protocol", "fingerprint", "data", "val_acc", "test_acc")
    require_columns(frame, need, "the children")
    whole = whole_trainings(frame)
    rows = whole[whole["status"] == "ok"]
    first, final = _first_trained(rows), rows[rows["stage"] == "final"]
    parts = [
        first.assign(kind="validation", score=first["val_acc"]),
        final.assign(kind="test", score=final["test_acc"]),
    ]
    long = pd.concat([part[part["score"].notna()] for part in parts])
    if long.empty:
        raise InputError("no child has a score to rank by")
    wide: pd.DataFrame = (
        long.groupby(["hash", "protocol", "fingerprint", "data", "kind"])["score"].mean().unstack([1, 2, 3, 4])
    )
    names, keys = [], list(wide.columns)
    for protocol, fingerprint, data, kind in keys:
        same = [key for key in keys if key[0] == protocol and key[3] == kind]
        several_data = len({key[2] for key in same}) == len(same)
        more = "" if len(same) == 1 else f" ({data})" if several_data else f" ({data}, {fingerprint[:6]})"
        names.append(f"{protocol} {kind}{more}")
    wide.columns = pd.Index(names)
    return wide.sort_index(axis=1).reset_index()


def seed_scores(frame: pd.DataFrame, fingerprint: str | None = None) -> pd.DataFrame:
    """Validation accuracy of each architecture by training seed, for one protocol.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        fingerprint: fingerprint of the protocol; None if there is only one.

    Returns:
        hash, then one column per seed ("seed 0", ...), for seeds with at least two architectures.

    Raises:
        InputError: when the children are of several protocols.
    """
    require_columns(frame, ("hash", "stage", "status", "strategy", "fingerprint", "seed", "val_acc"), "the children")
    whole = whole_trainings(frame)
    rows = _first_trained(whole[(whole["status"] == "ok") & whole["val_acc"].notna()])
    if fingerprint is not None:
        rows = rows[rows["fingerprint"] == fingerprint]
    if rows["fingerprint"].nunique() > 1:
        raise InputError(
            f"these children are of {rows['fingerprint'].nunique()} protocols: {', '.join(sorted(rows['fingerprint'].unique()))}; name one"
        )
    wide: pd.DataFrame = rows.groupby(["hash", "seed"])["val_acc"].mean().unstack()
    wide = wide.loc[:, wide.notna().sum() >= 2]
    wide.columns = pd.Index([f"seed {seed}" for seed in wide.columns])
    return wide.reset_index()


def architecture_values(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mean of numeric columns of each architecture, over its children with status ok.

    Validation scores are those of searches and of complete tables: final trainings of a search are of architectures that it
    chose by their score.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`), with further columns of measured quantities if wanted.
        names: two or more columns of numbers.

    Returns:
        hash, then the columns; only architectures of which all are known.

    Raises:
        InputError: when a column does not exist or holds no numbers, fewer than two are named, or the children are of
            several protocols or data sets and a column depends on these.
    """
    require_columns(frame, ("hash", "status", "stage", "strategy", "fingerprint", "data", *names), "the children")
    texts = [name for name in names if frame[name].dtype.kind not in "iuf"]
    if texts or len(set(names)) < 2:
        raise InputError(f"rank correlations need two or more different columns of numbers; got {', '.join(names)}")
    whole = whole_trainings(frame)
    rows = whole[whole["status"] == "ok"]
    if trained := [name for name in names if name in _OF_TRAININGS]:
        _require_one_protocol(rows, trained)
    values = rows[["hash", *names]].copy()
    first = [name for name in names if name in _OF_VALIDATION]
    values.loc[~rows.index.isin(_first_trained(rows).index), first] = np.nan
    means: pd.DataFrame = values.groupby("hash", sort=False)[list(names)].mean().dropna()
    return means.reset_index()


def _require_one_protocol(rows: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a mean over protocols or data sets, which is the score of no training."""
    kinds = sorted({f"{data} ({fingerprint})" for data, fingerprint in zip(rows["data"], rows["fingerprint"])})
    if len(kinds) > 1:
        raise InputError(
            f"{', '.join(names)}: these children are of {len(kinds)} data sets or protocols, and a mean over them is the score of no "
            f'training: {", ".join(kinds[:4])}{", ..." if len(kinds) > 4 else ""}; select one, e.g. --where "fingerprint == '
            f"'{rows['fingerprint'].iloc[0]}'\""
        )


def _first_trained(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose validation accuracy was not used for a selection before: those of searches and of complete tables."""
    return rows[(rows["stage"] == "search") | (rows["strategy"] == TABLE)]


def rank_correlations(
    scores: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 200, top: float = TOP
) -> pd.DataFrame:
    """Spearman's and Kendall's correlation of each pair of columns, over all architectures and among the best.

    Args:
        scores: hash and two or more columns of scores, e.g. of `protocol_scores` or `seed_scores`.
        seed: seed of the bootstrap over architectures.
        level: coverage in (0, 1) of the percentile intervals.
        resamples: bootstrap resamples, >= 1.
        top: share of architectures, the best by the second column, that the second row uses.

    Returns:
        Two rows a pair: first, second, among ("all", "top 10%"), n (architectures with both), spearman, spearman_low,
        spearman_high, kendall (tau-b), kendall_low, kendall_high, interval (text). NaN with fewer than 3, or where a
        column is constant; with fewer than 20 there is no interval, and interval says that n is too small: percentile
        intervals of correlations cover 92 to 97% from there on, also of tied scores.

    Raises:
        InputError: with fewer than two columns of scores.
    """
    columns = [name for name in scores.columns if name != "hash"]
    if len(columns) < 2:
        raise InputError(
            f"a rank correlation needs two scores of the same architectures; here is {', '.join(columns) or 'none'}"
        )
    rows = []
    for first, second in itertools.combinations(columns, 2):
        pair = scores[[first, second]].dropna().to_numpy(dtype=float)
        best = pair[pair[:, 1] >= np.quantile(pair[:, 1], 1 - top)] if len(pair) else pair
        for among, values in (("all", pair), (f"top {top:.0%}", best)):
            rng = generator(seed, first, second, among)
            row = {"first": first, "second": second, "among": among, "n": len(values)}
            rows.append(row | _with_intervals(values, rng, level, resamples))
    return pd.DataFrame(rows)


def _with_intervals(values: Floats, rng: np.random.Generator, level: float, resamples: int) -> dict[str, object]:
    from nasbench.analysis.statistics.agreement import correlations

    spearman, kendall = correlations(values)
    found: dict[str, object] = {"spearman": spearman, "spearman_low": np.nan, "spearman_high": np.nan}
    found |= {"kendall": kendall, "kendall_low": np.nan, "kendall_high": np.nan}
    if len(values) < LEAST_FOR_INTERVALS or not np.isfinite(spearman):
        return found | {"interval": f"n={len(values)}: {TOO_SMALL}"}
    drawn = np.array([correlations(values[rng.integers(len(values), size=len(values))]) for _ in range(resamples)])
    ends = [(1 - level) / 2, (1 + level) / 2]
    for place, name in enumerate(("spearman", "kendall")):
        # a resample that consists of one repeated value has no correlation
        found[f"{name}_low"], found[f"{name}_high"] = map(float, np.nanquantile(drawn[:, place], ends))
    return found | {"interval": f"n={len(values)}: {level:.0%} bootstrap"}


def draw_rank_correlation(
    scores: pd.DataFrame,
    ax: Axes,
    first: str,
    second: str,
    correlation: pd.DataFrame,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Draw one score against another, one point per architecture, with the correlations as text.

    Args:
        scores: argument of `rank_correlations`.
        ax: one plot.
        first: the column along x.
        second: the column along y.
        correlation: result of `rank_correlations`.
        labels: column -> label of its axis, with the unit; None if both are fractions, which are drawn in percent.
            With labels, axes are logarithmic if all values are positive.
    """
    pair = scores[[first, second]].dropna()
    if pair.empty:
        style.say(ax, f"No architecture has both {first} and {second}.")
        return
    many = len(pair) > MOST_VECTORS
    factor = 100 if labels is None else 1
    ax.scatter(
        factor * pair[first],
        factor * pair[second],
        s=5 if many else 14,
        color="#0072b2",
        alpha=0.15 if many else 0.6,
        linewidths=0,
        rasterized=many,
    )
    rows = correlation[(correlation["first"] == first) & (correlation["second"] == second)]
    lines = [
        f"{row['among']}, n={row['n']:,}\n  Kendall {row['kendall']:.3f}{_limits(row, 'kendall')}\n"
        f"  Spearman {row['spearman']:.3f}{_limits(row, 'spearman')}"
        for row in rows.to_dict("records")
    ]
    ax.annotate(
        "\n".join(lines),
        xy=(0.98, 0.03),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        multialignment="left",
        fontsize="small",
        color=style.ink(),
        bbox={"facecolor": style.ground(), "edgecolor": "none", "alpha": 0.85, "pad": 2},
    )
    if labels is None:
        ax.set(xlabel=f"{first} (%)", ylabel=f"{second} (%)")
        return
    if (pair[first] > 0).all():
        style.logarithmic(ax, float(pair[first].min()), float(pair[first].max()))
    if (pair[second] > 0).all():
        _log_ticks(ax)
    ax.set(xlabel=labels.get(first, first), ylabel=labels.get(second, second))


def _log_ticks(ax: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0), numticks=9))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short(value)))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _limits(row: dict, name: str) -> str:
    if np.isnan(row[f"{name}_low"]):
        return f" ({TOO_SMALL})"
    return f" [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"
