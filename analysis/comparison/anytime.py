"""Course of each search over its budget: the best score so far, and the incumbent's test accuracy.

The incumbent of a run is the first of its counted children with the highest validation accuracy so far. Its test
accuracy comes from the retrained rows (stage "final") of the same run and hash; if it was not retrained, the test
accuracy is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import no_choice, require_columns, require_distinct, unscored_runs
from nasbench.analysis.comparison.groups import repeated
from nasbench.analysis.comparison.sharing import once
from nasbench.costs.spent_usd import priced_columns, usd_spent
from nasbench.costs.units import DEVICE_HOURS, device_time
from nasbench.errors import InputError
from nasbench.store.format.schema import LEDGER_CATEGORIES, SEARCH_CATEGORIES

By = Literal["gpu_hours", "children", "usd", "wall"]

BUDGET_LABELS: dict[str, str] = {
    "gpu_hours": "device-hours spent",
    "children": "children trained",
    "usd": "USD spent",
    "wall": "wall time (hours)",
}
"""Axis labels by unit of spending; `budget_label` has that of device time for rows of GPUs."""

_SPENDING = {
    "gpu_hours": "What children cost in device-hours",
    "children": "The number of children",
    "usd": "What children cost in USD",
    "wall": "When children finished",
}
GRID_POINTS = 200
_CHOSEN_COLUMNS = ("run", "strategy", "run_seed", "hash", "status", "val_acc", "spent_gpu_hours", "wall_seconds")
_COURSE_COLUMNS = (*_CHOSEN_COLUMNS, "stage", "counted", "test_acc")
LOG_RATIO = 30  # budget axes that span more than this factor are logarithmic


def trajectories(frame: pd.DataFrame, runs: pd.DataFrame, by: By = "gpu_hours") -> pd.DataFrame:
    """Compute the course of each run: one row per counted child, in the order of their outcomes.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        by: unit of `spent`: device-hours charged by the ledger (including searcher and super-network), children, USD
            (these hours at the run's average price, or each at its own where attempts had several), or wall hours.

    Returns:
        strategy, run, seed, children (from 1), spent, score (NaN for a child without one), val_acc (best so far, NaN
        before the first score), hash (of the incumbent, '' before), test_acc (mean over the incumbent's retrained rows,
        NaN without).

    Raises:
        InputError: when a column is missing or `by` is unknown.
    """
    if by not in BUDGET_LABELS:
        raise InputError(f"cannot compare by {by!r}; allowed: {', '.join(BUDGET_LABELS)}")
    require_columns(frame, _COURSE_COLUMNS, "the children")
    rows, table = once(_courses, frame)
    table = table.copy()
    table.insert(4, "spent", _spent(rows, runs, table["children"], by))
    return table.reset_index(drop=True)


def at_the_end(course: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Select the last row of each run; pandas' `last` would give the last known value of each column.

    The test score of an earlier incumbent is not that of the choice, whose own may be missing.

    Args:
        course: rows of `trajectories`, all or a first part of each run's.
        columns: columns to select.

    Returns:
        The columns, by run.
    """
    return course.groupby("run").tail(1).set_index("run")[[*columns]]


def _courses(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counted children by run and device-hours, and their `trajectories` without what they spent."""
    within = np.flatnonzero(((frame["stage"] == "search") & frame["counted"].astype(bool)).to_numpy())
    run = pd.factorize(frame["run"].iloc[within], sort=True)[0]  # numbers are sorted and grouped faster than texts
    order = np.lexsort((frame["spent_gpu_hours"].to_numpy(dtype=float)[within], run))
    rows = frame[[*_CHOSEN_COLUMNS, *_priced(frame)]].iloc[
        within[order]
    ]  # all at once: each selection copies all columns
    run, places = run[order], np.arange(len(order))
    score = rows["val_acc"].where(rows["status"] == "ok").astype(float)
    best = score.groupby(run).cummax().groupby(run).ffill()
    gained = (score.notna() & (score > best.groupby(run).shift().fillna(-np.inf))).to_numpy()
    begun = np.maximum.accumulate(np.where(np.diff(run, prepend=-1) > 0, places, 0))  # where the row's run begins
    incumbent = np.maximum.accumulate(np.where(gained, places, -1))
    chosen = rows["hash"].iloc[np.where(incumbent >= begun, incumbent, 0)].set_axis(rows.index)
    table = pd.DataFrame(
        {
            "strategy": rows["strategy"],
            "run": rows["run"],
            "seed": rows["run_seed"],
            "children": places - begun + 1,
            "score": score,
            "val_acc": best,
            "hash": chosen.where(incumbent >= begun, ""),
        }
    )
    tests = frame[(frame["stage"] == "final") & (frame["status"] == "ok")].groupby(["run", "hash"])["test_acc"].mean()
    table["test_acc"] = np.nan
    if len(tests):
        keys = pd.MultiIndex.from_arrays([table["run"], table["hash"]])
        table["test_acc"] = tests.reindex(keys).to_numpy(dtype=float)
    return rows[["run", "spent_gpu_hours", "wall_seconds", *_priced(frame)]], table


def _priced(frame: pd.DataFrame) -> list[str]:
    """Columns from which the price of each child follows, as far as they are there."""
    return [name for name in ("gpu_hours", "usd", "usd_per_hour") if name in frame]


def hours_unit(frame: pd.DataFrame) -> str:
    """Name the unit of the children's device time.

    Args:
        frame: children; their column device is used if there is one.

    Returns:
        "GPU-hours" if all were trained on GPUs, else "device-hours".
    """
    return device_time(frame["device"].unique()) if "device" in frame else DEVICE_HOURS


def budget_label(by: str, unit: str = DEVICE_HOURS) -> str:
    """Label a budget axis.

    Args:
        by: a key of `BUDGET_LABELS`.
        unit: result of `hours_unit`.

    Returns:
        The label, with its unit.
    """
    return f"{unit} spent" if by == "gpu_hours" else BUDGET_LABELS[by]


def _spent(rows: pd.DataFrame, runs: pd.DataFrame, children: pd.Series[Any], by: By) -> pd.Series[Any]:
    if by == "children":
        return children.astype(float)
    if by == "wall":
        return rows["wall_seconds"] / 3600
    if by == "usd":
        return _usd_spent(rows, rows["spent_gpu_hours"] * rows["run"].map(run_rates(runs)).astype(float))
    return rows["spent_gpu_hours"].astype(float)


def _usd_spent(rows: pd.DataFrame, at_average: pd.Series[Any]) -> pd.Series[Any]:
    """USD spent with each child: at the run's average price, or at the prices of its rows where it has several."""
    if not {"gpu_hours", "usd"}.issubset(rows.columns):
        return at_average
    values = np.stack(priced_columns(rows), axis=1)
    found = at_average.to_numpy(dtype=float, copy=True)
    begins = np.flatnonzero(np.diff(pd.factorize(rows["run"])[0], prepend=-1))
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(rows)]):
        if (exact := usd_spent(*values[begin:end].T)) is not None:
            found[begin:end] = exact
    return pd.Series(found, index=rows.index)


def run_hours(runs: pd.DataFrame) -> pd.Series[Any]:
    """Add up the device-hours of each run over all ledger categories.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`, each run once.

    Returns:
        Hours, indexed by run id.

    Raises:
        InputError: when a column is missing or a run occurs twice.
    """
    return _sum_of_hours(runs, LEDGER_CATEGORIES)


def search_hours(runs: pd.DataFrame) -> pd.Series[Any]:
    """Add up the device-hours charged to the budget of each run: without final trainings and uncounted children.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`, each run once.

    Returns:
        Hours, indexed by run id.

    Raises:
        InputError: when a column is missing or a run occurs twice.
    """
    return _sum_of_hours(runs, SEARCH_CATEGORIES)


def _sum_of_hours(runs: pd.DataFrame, categories: Sequence[str]) -> pd.Series[Any]:
    """Sum of some ledger categories per run.

    Hours after or beside the search that a file does not hold (NaN) add nothing. Of a search whose hours are unknown, as in
    a table without costs, so is the sum.
    """
    columns = [f"{category}_hours" for category in categories]
    require_columns(runs, ("run", *columns), "the runs")
    require_distinct(runs)
    hours = runs.set_index("run")[columns]
    beside = [name for name in ("final_hours", "uncounted_hours") if name in columns]
    return cast("pd.Series[Any]", hours.fillna(dict.fromkeys(beside, 0.0)).sum(axis=1, skipna=False))


def run_rates(runs: pd.DataFrame) -> pd.Series[Any]:
    """Compute the average price of each run.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`, each run once.

    Returns:
        USD per device-hour, indexed by run id: 0 for a run that was charged nothing, NaN for a run without a price.

    Raises:
        InputError: when a column is missing or a run occurs twice.
    """
    require_columns(runs, ("run", "usd"), "the runs")
    hours, usd = run_hours(runs), runs.set_index("run")["usd"].astype(float)
    rates = usd / hours.where(hours > 0)
    return rates.mask(usd.notna() & ~(hours > 0), 0.0)


def search_usd(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.Series[Any]:
    """Add up the USD charged to the budget of each run: without final trainings and uncounted children.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`), of which some columns suffice: stage, counted, run, and those of
            `spent_usd.priced_columns`, without which each run has its average price.
        runs: their runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        USD, indexed by run id; NaN for a run without a price.

    Raises:
        InputError: when a column is missing or a run occurs twice.
    """
    average = (search_hours(runs) * run_rates(runs)).astype(float)
    if not {"stage", "counted", "spent_gpu_hours", "gpu_hours", "usd"}.issubset(frame.columns):
        return average
    within = frame[(frame["stage"] == "search") & frame["counted"].astype(bool) & frame["run"].isin(average.index)]
    rows = within[["run", "spent_gpu_hours", *_priced(frame)]].sort_values(["run", "spent_gpu_hours"], kind="stable")
    spent = _usd_spent(rows, rows["spent_gpu_hours"] * rows["run"].map(run_rates(runs)).astype(float))
    at_the_last = spent.groupby(rows["run"].astype(str)).last().reindex(average.index)
    return at_the_last.where(at_the_last.notna(), average)


def known_axis(frame: pd.DataFrame, runs: pd.DataFrame, by: By = "gpu_hours") -> tuple[By, str]:
    """Choose a budget axis on which something is known: children, where no run says what it spent in another unit.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        by: the wanted unit; see `trajectories`.

    Returns:
        The axis, and a sentence on the runs that do not say what they spent in the wanted unit; "" if there are none.

    Raises:
        InputError: as `trajectories`.
    """
    course = trajectories(frame, runs, by)
    known = course["spent"].notna().groupby(course["run"]).any()
    if known.all():
        return by, ""
    if not known.any():
        return "children", f"{_SPENDING[by]} is not known: the picture is by children."
    lost = runs.loc[runs["run"].isin(known.index[~known]), "strategy"].value_counts(sort=False)
    counts = ", ".join(f"{count} run{'s' * (count != 1)} of {name}" for name, count in lost.items())
    return by, f"{_SPENDING[by]} is not known of {counts}, which the picture lacks; one by children has them."


def anytime(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    by: By = "gpu_hours",
    grid: Sequence[float] | None = None,
    scores_only: bool = False,
) -> pd.DataFrame:
    """Compute the course of each run as a step function on a common budget grid.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`); a run without a counted child is included, without a
            score.
        by: see `trajectories`.
        grid: budgets, increasing; by default every budget at which any run changes, or 200 of them when there are more
            (evenly spaced, on a logarithmic scale where they span more than a factor of 30).
        scores_only: leave out seed, children and hash, which `bands.bands` does not need, and make categories of the
            texts: thousands of runs then take a fifth of the memory.

    Returns:
        strategy, run, seed, by, budget, children, val_acc, hash, test_acc: state of a run when it had spent `budget`. A
        run that ended earlier keeps its final state; a run without a score has that of no choice throughout (see
        `with_no_choice`); spent is what it spent until its last child (NaN without one); unit
        is that of device time, see `hours_unit`.
    """
    table, unit = trajectories(frame, runs, by), hours_unit(frame)
    budgets = np.asarray(grid, dtype=float) if grid is not None else _grid(table["spent"].to_numpy(dtype=float))
    order = table["run"].unique()
    lengths = table.groupby("run", sort=False).size().to_numpy()
    ends = np.cumsum(lengths)
    spent, at = table["spent"].to_numpy(dtype=float), dict(zip(order, range(len(order))))
    ids, wide = runs["run"].tolist(), len(budgets)
    # Row of `table` that each run is at, for each budget; -1 before its first child.
    rows = np.full((len(ids), wide), -1, dtype=np.int64)
    most = np.full(len(ids), np.nan)
    for place, run in enumerate(ids):
        if run in at:
            end = ends[at[run]]
            course = spent[end - lengths[at[run]] : end]
            step = np.searchsorted(course, budgets, side="right") - 1
            rows[place] = np.where(step >= 0, end - len(course) + step, -1)
            most[place] = np.fmax.reduce(course)
    started, taken = (rows >= 0).reshape(-1), rows.reshape(-1).clip(0)
    if table.empty:  # a row to take, which no run is at
        table = pd.DataFrame({"children": [0], "val_acc": [np.nan], "hash": [""], "test_acc": [np.nan]})
    each = np.repeat(np.arange(len(ids)), wide)
    columns: dict[str, Any] = {
        "strategy": repeated(runs["strategy"], each, scores_only),
        "run": repeated(runs["run"], each, scores_only),
        **({} if scores_only else {"seed": runs["seed"].to_numpy()[each]}),
        "by": repeated(pd.Series([by]), np.zeros_like(each), scores_only),
        "budget": np.tile(budgets, len(ids)),
    }
    if not scores_only:
        columns["children"] = np.where(started, table["children"].to_numpy()[taken], 0).astype(int)
    columns["val_acc"] = np.where(started, table["val_acc"].to_numpy(dtype=float)[taken], np.nan)
    if not scores_only:
        columns["hash"] = table["hash"].iloc[taken].reset_index(drop=True).where(started, "")
    columns["test_acc"] = np.where(started, table["test_acc"].to_numpy(dtype=float)[taken], np.nan)
    columns["spent"] = np.repeat(most, wide)
    columns["unit"] = repeated(pd.Series([unit]), np.zeros_like(each), scores_only)
    return with_no_choice(pd.DataFrame(columns, copy=False), frame, runs)


def with_no_choice(states: pd.DataFrame, frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Give runs without a score that of no choice (accuracy 0); see `checks.unscored_runs` and `checks.no_choice`.

    Args:
        states: rows with run, val_acc and test_acc. A column without any number is left alone: nothing was measured.
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        The same rows.
    """
    lost = states["run"].isin(set(unscored_runs(frame, runs)["run"]))
    measured = [name for name in ("val_acc", "test_acc") if states[name].notna().any()]
    return states.assign(**{name: states[name].mask(lost, no_choice(frame, name)) for name in measured})


def _grid(spent: np.ndarray) -> np.ndarray:
    events: np.ndarray = np.unique(spent[np.isfinite(spent)])
    if len(events) <= GRID_POINTS:
        return events
    first, last = events[0], events[-1]
    inner = (np.geomspace if spans_decades(first, last) else np.linspace)(first, last, GRID_POINTS)
    inner[[0, -1]] = first, last  # rounding must not make the grid end before the last child
    return inner


def spans_decades(first: float, last: float) -> bool:
    """Decide whether an axis should be logarithmic.

    Args:
        first: lowest value.
        last: highest value.

    Returns:
        True if both are positive and differ by more than a factor of 30.
    """
    return first > 0 and last / first > LOG_RATIO
