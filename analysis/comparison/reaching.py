"""What a run spent until it reached a target, and the budget that all runs were given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import By, hours_unit, run_hours, run_rates, trajectories
from nasbench.analysis.comparison.checks import require_columns
from nasbench.errors import InputError
from nasbench.scores import judged_by

Floats = NDArray[np.float64]
TableBudgets = float | Mapping[str, float | None] | None
"""One budget for all tables, or one for each; None where it is not known in the unit at hand."""
MEASURES = ("val_acc", "test_acc")
_NAMED = 3  # runs that a message names


def require_measure(measure: str) -> None:
    """Check that a score is one of those that a run is judged by.

    Args:
        measure: "val_acc" or "test_acc".

    Raises:
        InputError: for another score.
    """
    if measure not in MEASURES:
        raise InputError(f"a run is judged by val_acc or test_acc, not by {measure!r}")


def table_of_runs(frame: pd.DataFrame, runs: pd.DataFrame, measure: str = "val_acc") -> pd.Series[str]:
    """Name the table (space and data set) to which each run's scores belong, by run id.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        measure: "val_acc", or "test_acc", whose data set may be another one than the searched one.

    Returns:
        "space, data set", by run id, in the order of `runs`.

    Raises:
        InputError: when test scores of a run are of several data sets or protocols.
    """
    require_columns(runs, ("run", "space", "data"), "the runs")
    data = runs.set_index("run")["data"]
    if measure == "test_acc":
        finals = frame[frame["stage"] == "final"].drop_duplicates(["run", "data", "fingerprint"])
        several = finals[finals.duplicated("run", keep=False)]
        if len(several):
            which = sorted(set(several["protocol"]))
            raise InputError(
                f"runs have test scores of several protocols ({', '.join(which)}), which are never averaged: choose one, "
                f"e.g. --where \"stage == 'search' or protocol == '{which[0]}'\""
            )
        data = finals.set_index("run")["data"].reindex(data.index).fillna(data)
    return runs.set_index("run")["space"] + ", " + data


def require_tested(course: pd.DataFrame, runs: pd.DataFrame, last: bool = False) -> None:
    """Refuse test accuracies that are known of some incumbents only: the others would count as not reached.

    Args:
        course: result of `anytime.trajectories`.
        runs: the runs, to name them.
        last: whether only the incumbent at the end of each run is needed.

    Raises:
        InputError: when an incumbent has no test score; names runs, and what to do.
    """
    rows = course[course["hash"] != ""]
    rows = rows.groupby("run").tail(1) if last else rows
    missing = rows.loc[rows["test_acc"].isna(), "run"].unique()
    if not len(missing):
        return
    known = runs.set_index("run")
    named = [f"{run} ({known.loc[run, 'strategy']}, seed {known.loc[run, 'seed']})" for run in missing[:_NAMED]]
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    which = "their last incumbent" if last else "every incumbent"
    raise InputError(
        f"{len(missing)} of {len(runs)} runs do not have the test score of {which}: {', '.join(named)}{more}; replay "
        "them again, run searches with --final incumbents, or take --score val_acc"
    )


def require_finished(runs: pd.DataFrame, why: str) -> None:
    """Refuse runs that did not end by themselves: what they would have found with the rest of their budget is unknown.

    Args:
        runs: the runs.
        why: name of the result that needs whole runs, e.g. "a regret over the budget".

    Raises:
        InputError: when a run is not complete; names it, and what to do.
    """
    open_runs = runs[runs["status"] != "complete"]
    if len(open_runs):
        named = [f"{row.run} ({row.strategy}, seed {row.seed}, {row.status})" for row in open_runs.itertuples()]
        raise InputError(
            f"{why} needs whole runs, and {len(named)} of {len(runs)} are not: {', '.join(named[:_NAMED])}; resume them "
            "(nasbench resume), or leave them out with --where"
        )


def require_target(value: float) -> None:
    """Check that a score can be a target.

    Args:
        value: the score, in its own direction.

    Raises:
        InputError: when it is no number, or an accuracy outside [0, 1].
    """
    if not np.isfinite(value) or (judged_by().is_accuracy and not 0 <= value <= 1):
        what = "accuracy to reach is a fraction in [0, 1]" if judged_by().is_accuracy else "score to reach is a number"
        raise InputError(f"the {what}, got {value:g}")


def budget_to_target(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    target: float | Mapping[str, float],
    by: By = "gpu_hours",
    measure: str = "val_acc",
    budget: TableBudgets = None,
) -> pd.DataFrame:
    """Spending of each run until it first reached the target or, if it never did, until it was last watched.

    A complete run is watched to the end of its budget, although its last child ends before: the child that would exceed
    the budget does not count. An unfinished run is watched until it stopped.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`); a run without a score never reaches the target.
        target: score to reach, of accuracies in [0, 1], or one for each table (see `table_of_runs`); of a score whose
            lower values are better, runs reach it from above.
        by: unit of spending; see `anytime.trajectories`.
        measure: "val_acc" (best so far) or "test_acc" (of the incumbent).
        budget: the runs' budget in that unit, the smallest if they differ, or one for each table; None if their budget
            is in another unit, which leaves what each run spent.

    Returns:
        strategy, table, run, seed, by, unit (name of that of device time), measure, target, spent (> 0), reached
        (False: censored), horizon (up to which all runs of the table were watched: the budget, or less where a run was
        interrupted before it reached the target; without a budget what the run that spent least had spent). What was reached beyond the budget does not count.

    Raises:
        InputError: for a target outside [0, 1], another measure, unknown spending, or an incumbent without test score.
    """
    require_measure(measure)
    tables = table_of_runs(frame, runs, measure)
    targets = {name: target if isinstance(target, float | int) else target[name] for name in tables.unique()}
    for value in targets.values():
        require_target(value)
    course = trajectories(frame, runs, by)
    if course["spent"].isna().any():
        raise InputError(f"some of these runs have no {by.replace('_', '-')}: what they spent is not known")
    if measure == "test_acc":
        require_tested(course, runs)
    wanted = judged_by().sign * course["run"].map(tables).map(targets).astype(float)
    first = course[course[measure] >= wanted].groupby("run")["spent"].min().reindex(runs["run"])
    budgets = budgets_of(tables, budget)
    ends = watched_until(course, runs, by, tables.map(budgets))
    reached = (first.notna() & (first <= ends * (1 + 1e-12))).to_numpy(dtype=bool)
    result = runs[["strategy", "run", "seed"]].reset_index(drop=True)
    result.insert(1, "table", tables.to_numpy())
    result = result.assign(
        by=by,
        unit=hours_unit(frame),
        measure=judged_by().name(measure),
        target=result["table"].map(targets).astype(float),
        spent=np.where(reached, first.to_numpy(dtype=float), ends.to_numpy(dtype=float)),
        reached=reached,
    )
    # What a run had found when it reached the target is known, wherever it stopped after that.
    limit = tables.map(budgets).astype(float)
    watched = ends.mask(pd.Series(reached, ends.index) & limit.notna(), limit)
    return result.assign(horizon=result["table"].map(watched.groupby(tables).min()))


def budgets_of(tables: pd.Series[str], budget: TableBudgets) -> dict[str, float]:
    """Give each table its budget.

    Args:
        tables: result of `table_of_runs`.
        budget: one budget for all tables, or table -> budget; None where it is not known in the unit at hand.

    Returns:
        Table -> budget, without those whose budget is not known.
    """
    each = {name: budget.get(name) if isinstance(budget, Mapping) else budget for name in tables.unique()}
    return {name: value for name, value in each.items() if value is not None}


def watched_until(course: pd.DataFrame, runs: pd.DataFrame, by: By, budget: pd.Series[float]) -> pd.Series[float]:
    """Spending up to which it is known whether a run has reached something, by run id.

    Args:
        course: result of `anytime.trajectories` in unit `by`.
        runs: the runs.
        by: unit of spending.
        budget: budget of each run in that unit, by run id; NaN if it is in another unit.

    Returns:
        The budget of a complete run; else, or where it is not known, what its search spent in all, including after its last
        child.
    """
    ends = course.groupby("run")["spent"].max().reindex(runs["run"]).fillna(0.0)
    if by not in ("children", "wall"):
        require_columns(runs, ("final_hours",), "the runs")
        hours = run_hours(runs) - runs.set_index("run")["final_hours"]
        charged = hours if by == "gpu_hours" else hours * run_rates(runs)
        ends = np.fmax(ends, charged.reindex(ends.index).astype(float))
    limit = budget.reindex(ends.index).astype(float)
    complete = (runs.set_index("run")["status"] == "complete").reindex(ends.index)
    return np.fmin(ends, limit).mask(complete & limit.notna(), limit)
