"""Final score of each run, and mean, median and interquartile mean over runs with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import at_the_end, trajectories
from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import no_choice, require_columns, unscored_text
from nasbench.analysis.comparison.reaching import require_measure, table_of_runs
from nasbench.analysis.inference.intervals import (
    ALL_EQUAL,
    LEVEL,
    TOO_SMALL,
    Interval,
    iqm_interval,
    mean_interval,
    median_interval,
    pooled_interval,
)
from nasbench.analysis.plotting import style
from nasbench.errors import InputError
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
STATISTICS = ("mean", "median", "iqm")
NAMES = {"mean": "mean", "median": "median", "iqm": "interquartile mean"}


def final_scores(frame: pd.DataFrame, runs: pd.DataFrame, measure: str = "val_acc") -> pd.DataFrame:
    """Final score of each run: its best validation accuracy, or the test accuracy of its last incumbent.

    A run none of whose counted children has a score, because all crashed or diverged, is a result and not a gap: it has
    chosen nothing, and nothing has accuracy 0 (of another score: the worst of all children). So it ranks last in every rank, test, profile and area, tied with others
    of its kind, and lowers every mean; nothing is left out. `unscored_note` says how many such runs there are.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        measure: "val_acc" or "test_acc".

    Returns:
        strategy, table (space and data set, see `reaching.table_of_runs`), run, seed, score (fraction; 0 for a run
        without a score; NaN where the test score of the choice is not known, see `require_scores`), scored (False for
        both).

    Raises:
        InputError: for another measure, or when a column is missing.
    """
    require_measure(measure)
    require_columns(runs, ("run", "strategy", "seed", "space", "data"), "the runs")
    last = at_the_end(trajectories(frame, runs, "children"), ["hash", measure]).reindex(runs["run"])
    known, chose = last[measure].notna().to_numpy(), last["hash"].fillna("").ne("").to_numpy()
    return pd.DataFrame(
        {
            "strategy": runs["strategy"].to_numpy(),
            "table": table_of_runs(frame, runs, measure).to_numpy(),
            "run": runs["run"].to_numpy(),
            "seed": runs["seed"].to_numpy(),
            "score": np.where(known | chose, last[measure].to_numpy(dtype=float), no_choice(frame, measure)),
            "scored": known,
        }
    )


def unscored_note(scores: pd.DataFrame) -> str:
    """Describe how many runs ended without a score, and how they enter every statistic.

    Args:
        scores: result of `final_scores`.

    Returns:
        Two sentences; "" if every run has a score.
    """
    lost = scores[~scores["scored"].astype(bool) & scores["score"].notna()]
    return unscored_text(lost["strategy"], scores["strategy"])


def require_scores(scores: pd.DataFrame) -> None:
    """Refuse final scores some of which are not known, because the choice has no test score.

    Args:
        scores: result of `final_scores`.

    Raises:
        InputError: when a run's choice has no score; names runs, and what to do.
    """
    missing = scores[scores["score"].isna()]
    if missing.empty:
        return
    named = [f"{row.run} ({row.strategy}, seed {row.seed})" for row in missing.head(3).itertuples()]
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    raise InputError(
        f"{len(missing)} of {len(scores)} runs do not have the test score of their choice: {', '.join(named)}{more}; "
        "resume them or run searches with --final incumbents or best, leave them out with --where, or take --score val_acc"
    )


def below_best(scores: pd.DataFrame, optimum: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Convert scores to negative regrets, which makes tables of different difficulty comparable.

    Args:
        scores: result of `final_scores`.
        optimum: table -> its best score (fraction), if known; for other tables the best score of these runs is used.

    Returns:
        The same rows with score as a negative regret: 0 is the best, larger is better; NaN on a table on which no run
        has a score and no optimum is given.

    Raises:
        InputError: when a score is above the given optimum; names the run.
    """
    best = scores[scores["scored"].astype(bool)].groupby("table")["score"].max()
    for table, value in (optimum or {}).items():
        for _, run in scores[(scores["table"] == table) & (scores["score"] > value)].iterrows():
            require_regret(run, value, float(run["score"]))
        best[table] = value
    return scores.assign(score=scores["score"] - scores["table"].map(best))


def require_regret(run: pd.Series, optimum: float, score: float) -> None:
    """Refuse a negative regret: the run is of another table than the optimum.

    Args:
        run: strategy, table, run and seed of the run.
        optimum: the optimum given, a fraction.
        score: the best score of the run, a fraction.

    Raises:
        InputError: when the score is above the optimum; names the run.
    """
    if score > optimum + 1e-9:
        sign = judged_by().sign
        raise InputError(
            f"{run['table']}: the optimum given is {sign * optimum:g}, but run {run['run']} ({run['strategy']}, seed "
            f"{run['seed']}) found {sign * score:g}: its regret would be negative; give the table that it searched, and the same "
            "score"
        )


def score_intervals(scores: pd.DataFrame, seed: int = 0, level: float = LEVEL) -> pd.DataFrame:
    """Mean, median and interquartile mean of each strategy's final scores, with intervals.

    Args:
        scores: result of `final_scores`; of several tables those of `below_best`.
        seed: seed of the bootstraps; the same seed gives the same numbers, regardless of the other strategies.
        level: coverage in (0, 1).

    Returns:
        One row for each strategy and statistic: strategy, statistic (mean, median, iqm), runs, n (with a score),
        tables, value, low, high, interval (text: n and method). Methods are those of `inference.intervals`:
        `mean_interval` over the tables' runs; `median_interval` and `iqm_interval` on one table, `pooled_interval` over
        several. Where they do not hold, low and high are NaN, and interval says that n is too small.

    Source: the statistics: Agarwal et al. 2021 (2108.13264), section 4.
    """
    require_columns(scores, ("strategy", "table", "run", "score"), "the scores")
    places = scores.groupby("strategy", sort=False).indices
    table, values = pd.factorize(scores["table"], sort=True)[0], scores["score"].to_numpy(dtype=float)
    rows = []
    for strategy in style.in_order(scores["strategy"].unique().tolist()):
        mine = places[strategy]
        known = mine[~np.isnan(values[mine])]
        strata = [values[known[table[known] == each]] for each in np.unique(table[known])]
        pooled = np.concatenate(strata) if strata else np.zeros(0)
        for statistic in STATISTICS:
            found = _interval(statistic, strata, partial(generator, seed, strategy, "final", statistic), level)
            rows.append(
                {
                    "strategy": strategy,
                    "statistic": statistic,
                    "runs": len(mine),
                    "n": len(pooled),
                    "tables": len(strata),
                    "value": float(_OF[statistic](pooled[None])[0]) if len(pooled) else float("nan"),
                    "low": found.low,
                    "high": found.high,
                    "interval": f"n={len(pooled)}: {found.method}",
                }
            )
    return pd.DataFrame(rows)


def _interval(statistic: str, strata: list[Floats], rng: Callable[[], np.random.Generator], level: float) -> Interval:
    if statistic == "mean":
        return mean_interval(strata, rng, level)
    if len(strata) == 1:
        return median_interval(strata[0], level) if statistic == "median" else iqm_interval(strata[0], level)
    return pooled_interval(strata, _OF[statistic], rng(), level)


def _iqm(samples: Floats) -> Floats:
    """Mean of the middle half of each row, to the bit that of scipy's trim_mean, which takes milliseconds a call."""
    cut, n = samples.shape[1] // 4, samples.shape[1]
    means: Floats = np.partition(samples, (cut, n - cut - 1), axis=1)[:, cut : n - cut].mean(axis=1)
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
    strategies = style.in_order(data["strategy"].unique().tolist())
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
    if row["interval"].endswith(ALL_EQUAL):
        return f"{runs}, all equal"
    return runs if TOO_SMALL not in row["interval"] else f"{runs}, {TOO_SMALL}"
