"""Strategies against each other: best-so-far validation and the test accuracy of the incumbent, by what had been spent.

The incumbent of a run is the first of its counted children with the highest validation accuracy so far. Its test accuracy comes from
the retrained rows (stage "final") of the same run and hash; where it was not retrained there is none, and none is made up.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from nasbench.analysis import style
from nasbench.analysis.checks import ENOUGH_SEEDS, check_comparable, require_columns, require_distinct
from nasbench.errors import InputError
from nasbench.store.schema import LEDGER_CATEGORIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "anytime",
    "bands",
    "check_comparable",
    "draw_compare",
    "plot_compare",
    "readable",
    "run_hours",
    "run_rates",
    "summarize",
    "trajectories",
]

By = Literal["gpu_hours", "children", "usd", "wall"]

BUDGET_LABELS: dict[str, str] = {
    "gpu_hours": "GPU-hours spent",
    "children": "children trained",
    "usd": "USD spent",
    "wall": "wall time (hours)",
}
MEASURES = {"val_acc": "Best validation accuracy so far", "test_acc": "Test accuracy of the incumbent"}
GRID_POINTS = 200
LOG_RATIO = 30  # a budget axis whose ends differ by more than this factor is logarithmic
_CHUNK = 100  # bootstrap resamples at once, so that memory stays small


def trajectories(frame: pd.DataFrame, runs: pd.DataFrame, by: By = "gpu_hours") -> pd.DataFrame:
    """The course of each run: one row for each counted child of the search, in the order in which they were told.

    Args:
        frame: children (`store.schema.CHILD_COLUMNS`).
        runs: their runs (`store.schema.RUN_COLUMNS`).
        by: what `spent` counts: device-hours charged by the ledger (searcher and super-network included), children, USD (those hours
            at the run's average price), or wall hours.

    Returns:
        strategy, run, seed, children (from 1), spent, score (NaN for a child without one), val_acc (best so far, NaN before the first
        score), hash (of the incumbent, '' before), test_acc (mean over the incumbent's retrained rows, NaN without).

    Raises:
        InputError: when a column is missing or `by` is unknown.
    """
    if by not in BUDGET_LABELS:
        raise InputError(f"cannot compare by {by!r}; allowed: {', '.join(BUDGET_LABELS)}")
    need = ("run", "stage", "strategy", "run_seed", "hash", "status", "counted", "val_acc", "test_acc")
    require_columns(frame, (*need, "spent_gpu_hours", "wall_seconds"), "the children")
    rows = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    rows = rows.sort_values(["run", "spent_gpu_hours"], kind="stable")
    run = rows["run"]
    score = rows["val_acc"].where(rows["status"] == "ok").astype(float)
    best = score.groupby(run).cummax().groupby(run).ffill()
    gained = score.notna() & (score > best.groupby(run).shift().fillna(-np.inf))
    incumbent = rows["hash"].where(gained).groupby(run).ffill().fillna("")
    table = pd.DataFrame(
        {
            "strategy": rows["strategy"],
            "run": run,
            "seed": rows["run_seed"],
            "children": rows.groupby("run").cumcount() + 1,
            "score": score,
            "val_acc": best,
            "hash": incumbent,
        }
    )
    table.insert(4, "spent", _spent(rows, runs, table["children"], by))
    tests = frame[(frame["stage"] == "final") & (frame["status"] == "ok")].groupby(["run", "hash"])["test_acc"].mean()
    keys = pd.MultiIndex.from_arrays([table["run"], table["hash"]])
    table["test_acc"] = tests.reindex(keys).to_numpy(dtype=float)
    return table.reset_index(drop=True)


def _spent(rows: pd.DataFrame, runs: pd.DataFrame, children: pd.Series[Any], by: By) -> pd.Series[Any]:
    if by == "children":
        return children.astype(float)
    if by == "wall":
        return rows["wall_seconds"] / 3600
    if by == "usd":
        return rows["spent_gpu_hours"] * rows["run"].map(run_rates(runs)).astype(float)
    return rows["spent_gpu_hours"].astype(float)


def run_hours(runs: pd.DataFrame) -> pd.Series[Any]:
    """Device-hours charged to each run over all ledger categories, by run id."""
    columns = [f"{category}_hours" for category in LEDGER_CATEGORIES]
    require_columns(runs, ("run", *columns), "the runs")
    require_distinct(runs)
    return cast("pd.Series[Any]", runs.set_index("run")[columns].sum(axis=1))


def run_rates(runs: pd.DataFrame) -> pd.Series[Any]:
    """The average price of each run in USD per device-hour, by run id; 0 for a run that was charged nothing."""
    require_columns(runs, ("run", "usd"), "the runs")
    hours = run_hours(runs)
    return (runs.set_index("run")["usd"] / hours.where(hours > 0)).fillna(0.0)


def anytime(
    frame: pd.DataFrame, runs: pd.DataFrame, by: By = "gpu_hours", grid: Sequence[float] | None = None
) -> pd.DataFrame:
    """The course of each run as a step function on one budget grid.

    Args:
        frame: children (`store.schema.CHILD_COLUMNS`).
        runs: their runs (`store.schema.RUN_COLUMNS`); a run without a counted child stays in, without a score.
        by: see `trajectories`.
        grid: budgets, increasing; by default every budget at which any run changes, or 200 of them when there are more (evenly spaced,
            on a logarithmic scale where they span more than a factor of 30).

    Returns:
        strategy, run, seed, by, budget, children, val_acc, hash, test_acc: what a run had when it had spent `budget`. A run that ended
        earlier keeps what it ended with.
    """
    table = trajectories(frame, runs, by)
    budgets = np.asarray(grid, dtype=float) if grid is not None else _grid(table["spent"].to_numpy(dtype=float))
    courses = dict(iter(table.groupby("run", sort=False)))
    parts = []
    for run, strategy, seed in runs[["run", "strategy", "seed"]].itertuples(index=False):
        course = courses.get(run, table.iloc[:0])
        place = np.searchsorted(course["spent"].to_numpy(dtype=float), budgets, side="right") - 1
        started = place >= 0
        part = course.iloc[place.clip(0)] if len(course) else course.reindex(range(len(budgets)))
        parts.append(
            pd.DataFrame(
                {
                    "strategy": strategy,
                    "run": run,
                    "seed": seed,
                    "by": by,
                    "budget": budgets,
                    "children": np.where(started, part["children"].to_numpy(dtype=float), 0).astype(int),
                    "val_acc": np.where(started, part["val_acc"].to_numpy(dtype=float), np.nan),
                    "hash": np.where(started, part["hash"].to_numpy(dtype=object), ""),
                    "test_acc": np.where(started, part["test_acc"].to_numpy(dtype=float), np.nan),
                }
            )
        )
    columns = ["strategy", "run", "seed", "by", "budget", "children", "val_acc", "hash", "test_acc"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _grid(spent: np.ndarray) -> np.ndarray:
    events: np.ndarray = np.unique(spent[np.isfinite(spent)])
    if len(events) <= GRID_POINTS:
        return events
    first, last = events[0], events[-1]
    inner = (np.geomspace if _is_log(first, last) else np.linspace)(first, last, GRID_POINTS)
    inner[[0, -1]] = first, last  # rounding must not put the last child beyond the end of the grid
    return inner


def _is_log(first: float, last: float) -> bool:
    return first > 0 and last / first > LOG_RATIO


def bands(data: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 1000) -> pd.DataFrame:
    """Median over seeds at each budget, with an interval.

    Args:
        data: what `anytime` returns.
        seed: of the bootstrap's resampling of whole runs; the same seed gives the same numbers, whatever other strategies are there.
        level: coverage in (0, 1) of the pointwise percentile bootstrap interval of the median.
        resamples: bootstrap resamples, >= 1.

    Returns:
        strategy, by, measure (val_acc, test_acc), budget, runs (of the strategy), n (with a score at that budget), median, low, high,
        interval (what low and high are). With fewer than 5 scores low and high are their range, and the text says so.
    """
    parts = []
    for strategy in style.in_order(data["strategy"].tolist()):
        rows = data[data["strategy"] == strategy]
        for measure in MEASURES:
            wide = rows.pivot(index="run", columns="budget", values=measure)
            values = wide.to_numpy(dtype=float)
            n = np.isfinite(values).sum(axis=0)
            middle, low, high = _intervals(values, _generator(seed, strategy, measure), level, resamples)
            parts.append(
                pd.DataFrame(
                    {
                        "strategy": strategy,
                        "by": rows["by"].iloc[0],
                        "measure": measure,
                        "budget": wide.columns.to_numpy(dtype=float),
                        "runs": len(wide),
                        "n": n,
                        "median": middle,
                        "low": low,
                        "high": high,
                        "interval": [interval_name(count, level) for count in n],
                    }
                )
            )
    columns = ["strategy", "by", "measure", "budget", "runs", "n", "median", "low", "high", "interval"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def interval_name(n: int, level: float = 0.95) -> str:
    """What the interval over n seeds is, in words."""
    if n < 2:
        return "n=1" if n else "no score"
    return f"n={n}: range" if n < ENOUGH_SEEDS else f"n={n}: {level:.0%} bootstrap"


def _generator(seed: int, strategy: str, measure: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(strategy.encode()), zlib.crc32(measure.encode())])


def _intervals(
    values: np.ndarray, rng: np.random.Generator, level: float, resamples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median and interval of each column of `values` (runs x budgets; NaN: no score), NaN where a column has no score."""
    middle, low, high = (np.full(values.shape[1], np.nan) for _ in range(3))
    finite = np.isfinite(values)
    for pattern in np.unique(finite, axis=1).T:
        columns = (finite == pattern[:, None]).all(axis=0)
        scores = values[pattern][:, columns]
        if not len(scores):
            continue
        middle[columns] = np.median(scores, axis=0)
        if len(scores) < ENOUGH_SEEDS:
            low[columns], high[columns] = scores.min(axis=0), scores.max(axis=0)
        else:
            low[columns], high[columns] = _bootstrap(scores, rng, level, resamples)
    return middle, low, high


def _bootstrap(
    scores: np.ndarray, rng: np.random.Generator, level: float, resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    picks = rng.integers(len(scores), size=(resamples, len(scores)))
    medians = np.concatenate(
        [np.median(scores[picks[start : start + _CHUNK]], axis=1) for start in range(0, resamples, _CHUNK)]
    )
    tail = (1 - level) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], axis=0)
    return low, high


def summarize(
    frame: pd.DataFrame, runs: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 2000
) -> pd.DataFrame:
    """One row for each strategy: what it found, how sure that is, and what it cost.

    Args:
        frame: children (`store.schema.CHILD_COLUMNS`).
        runs: their runs (`store.schema.RUN_COLUMNS`).
        seed: of the bootstrap; see `bands`.
        level: coverage of the intervals in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        strategy; runs; n, val_acc, val_low, val_high, interval (final best validation, median over seeds); n_test, test_acc, test_low,
        test_high, test_interval (of the retrained incumbents); children, distinct (counted children and different hashes, totals);
        duplicates and failures (totals among the counted); search_gpu_hours, final_gpu_hours and usd (median a run, usd of both);
        searcher_share (searcher's part of the search's hours, all runs together; NaN where nothing was charged).
    """
    table = trajectories(frame, runs)
    last = runs[["run", "strategy"]].merge(table.groupby("run")[["val_acc", "test_acc"]].last(), on="run", how="left")
    counted = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    hours, final = run_hours(runs), runs.set_index("run")["final_hours"]
    rows = []
    for strategy in style.in_order(runs["strategy"].tolist()):
        mine = last[last["strategy"] == strategy]
        ids = mine["run"].to_numpy()
        children = counted[counted["run"].isin(ids)]
        row: dict[str, Any] = {"strategy": strategy, "runs": len(mine)}
        for measure, prefix, count, name in (
            ("val_acc", "val", "n", "interval"),
            ("test_acc", "test", "n_test", "test_interval"),
        ):
            scores = mine[measure].to_numpy(dtype=float)[:, None]
            middle, low, high = _intervals(scores, _generator(seed, strategy, measure), level, resamples)
            n = int(np.isfinite(scores).sum())
            row |= {count: n, measure: middle[0], f"{prefix}_low": low[0], f"{prefix}_high": high[0]}
            row[name] = interval_name(n, level)
        search = (hours - final).loc[ids]
        searcher = runs.set_index("run").loc[ids, "searcher_hours"].sum()
        row |= {
            "children": len(children),
            "distinct": children.groupby("run")["hash"].nunique().sum(),
            "duplicates": int(children["duplicate"].sum()),
            "failures": int((children["status"] != "ok").sum()),
            "search_gpu_hours": search.median(),
            "final_gpu_hours": final.loc[ids].median(),
            "usd": runs.set_index("run").loc[ids, "usd"].median(),
            "searcher_share": searcher / search.sum() if search.sum() > 0 else np.nan,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def readable(summary: pd.DataFrame) -> pd.DataFrame:
    """The table of `summarize` for people: accuracies in % with their intervals, counts and costs as short texts."""
    if summary.empty:
        return summary
    columns: dict[str, list[str]] = {"strategy": [], "seeds": []}
    headings = ("validation %", "test %", "children", "duplicates", "failed", "GPU-hours", "USD", "searcher")
    columns |= {heading: [] for heading in headings}
    for row in summary.itertuples():
        share = "-" if np.isnan(row.searcher_share) else f"{row.searcher_share:.1%}"
        texts = (
            _interval_text(row.val_acc, row.val_low, row.val_high, row.interval),
            _interval_text(row.test_acc, row.test_low, row.test_high, row.test_interval),
            f"{row.children}",
            f"{row.duplicates}",
            f"{row.failures}",
            f"{row.search_gpu_hours:.3g} + {row.final_gpu_hours:.3g} final",
            f"{row.usd:.3g}",
            share,
        )
        columns["strategy"].append(row.strategy)
        columns["seeds"].append(str(row.runs))
        for heading, text in zip(headings, texts):
            columns[heading].append(text)
    return pd.DataFrame(columns)


def _interval_text(middle: float, low: float, high: float, interval: str) -> str:
    if np.isnan(middle):
        return interval
    if low == high == middle:
        return f"{100 * middle:.2f} ({interval})"
    return f"{100 * middle:.2f} [{100 * low:.2f}, {100 * high:.2f}] ({interval})"


def draw_compare(data: pd.DataFrame, axes: Sequence[Axes]) -> None:
    """Draw best-so-far validation (first plot) and the incumbents' test accuracy (second) by budget spent.

    Args:
        data: what `bands` returns. A line starts where all runs that ever have a score have one.
        axes: two plots.
    """
    for ax, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        rows = data[(data["measure"] == measure) & data["median"].notna()]
        if rows.empty:
            style.say(ax, _nothing(measure))
            continue
        ax.set_title(label, loc="left")
        ax.set(xlabel=BUDGET_LABELS[rows["by"].iloc[0]], ylabel="accuracy (fraction)")
        parts = [rows[rows["strategy"] == strategy] for strategy in style.in_order(rows["strategy"].tolist())]
        ends = [_draw_strategy(ax, part) for part in parts]
        strip = 0.0
        if measure == "test_acc":
            # Often only final incumbents are retrained, and lines have no length: show the end points beside the axis.
            strip = 0.05 + 0.04 * len(parts)
            for place, part in enumerate(parts):
                _draw_end(ax, part, 10.0 * (place + 1))
        _budget_axis(ax, data["budget"].to_numpy(dtype=float), strip)
        ax.margins(y=0.08)
        ax.autoscale_view(scalex=False)
        style.label_ends(ax, ends)


def _nothing(measure: str) -> str:
    if measure == "test_acc":
        return "No incumbent was retrained and tested: there are no rows of stage 'final' for them."
    return "No child finished with a score."


def _complete(rows: pd.DataFrame) -> pd.DataFrame:
    """The budgets at which all runs that ever have a score have one: a median over fewer would jump for no reason."""
    return rows[rows["n"] == rows["n"].max()]


def _draw_strategy(ax: Axes, rows: pd.DataFrame) -> tuple[float, str, str]:
    """Draw one strategy's line and band; return where its name belongs, the name and its colour."""
    strategy, full = str(rows["strategy"].iloc[0]), _complete(rows)
    look = style.look(strategy)
    budget, middle, low, high = (full[name].to_numpy(dtype=float) for name in ("budget", "median", "low", "high"))
    ax.fill_between(budget, low, high, step="post", color=look.colour, alpha=0.15, linewidth=0)
    ax.plot(
        budget, middle, drawstyle="steps-post", color=look.colour, linestyle=style.line_style(strategy), linewidth=1.8
    )
    n, runs = int(full["n"].iloc[-1]), int(full["runs"].iloc[-1])
    return middle[-1], f"{strategy} (n={n})" if n == runs else f"{strategy} (n={n} of {runs})", look.colour


def _draw_end(ax: Axes, rows: pd.DataFrame, aside: float) -> None:
    """Draw one strategy's last median with its interval, so many points to the right of its budget."""
    from matplotlib.transforms import ScaledTranslation

    look, end = style.look(str(rows["strategy"].iloc[0])), _complete(rows).iloc[-1]
    figure = ax.get_figure()
    assert figure is not None
    ax.errorbar(
        [end["budget"]],
        [end["median"]],
        yerr=[[end["median"] - end["low"]], [end["high"] - end["median"]]],
        color=look.colour,
        marker=look.marker,
        markersize=5,
        capsize=2.5,
        linewidth=1.2,
        transform=ax.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans),
    )


def _budget_axis(ax: Axes, budgets: np.ndarray, strip: float) -> None:
    """Scale and limits of the budget axis, with a strip of that share of its width left free at the right."""
    from matplotlib.ticker import MaxNLocator

    first, last = np.nanmin(budgets), np.nanmax(budgets)
    if _is_log(first, last):
        style.logarithmic(ax, first, last)
        ax.set_xlim(first, last * (last / first) ** (strip / (1 - strip) + 0.005))
    elif last > 0:
        ax.set_xlim(0, last * (1 / (1 - strip) + 0.01))
        ax.xaxis.set_major_locator(MaxNLocator(4))


def plot_compare(data: pd.DataFrame, notes: Sequence[str] = ()) -> Figure:
    """A figure of `draw_compare` with notes (of `check_comparable`) under it."""
    with style.theme():
        figure = style.new_figure(9.0, 3.6 + 0.18 * len(notes))
        draw_compare(data, figure.subplots(1, 2))
        kinds = sorted({name.partition(": ")[2] for name in data["interval"]} - {""})
        bars = (
            f"; bands: {' or '.join(kinds)}. At the right of the tests: the last median and its band." if kinds else "."
        )
        lines = [f"Lines: median over seeds{bars}"]
        style.caption(figure, [*lines, *notes])
    return figure
