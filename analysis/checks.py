"""Whether rows may be put into one comparison: same space, data, protocol and budget, and random search among the strategies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from nasbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ASPECTS = ("protocol", "data", "space", "budget")
ENOUGH_SEEDS = 5


def check_comparable(frame: pd.DataFrame, runs: pd.DataFrame, allow: Collection[str] = ()) -> tuple[str, ...]:
    """Refuse a comparison of rows that differ in more than the strategy and the seed.

    Args:
        frame: children (`store.schema.CHILD_COLUMNS`).
        runs: their runs (`store.schema.RUN_COLUMNS`).
        allow: aspects that may differ, of "protocol", "data", "space" and "budget".

    Returns:
        Notes for the caption of a table or plot: what was allowed, and what weakens the comparison.

    Raises:
        InputError: when there are no rows, an unknown aspect is allowed, or an aspect differs that is not allowed; names the values.
    """
    unknown = sorted(set(allow) - set(ASPECTS))
    if unknown:
        raise InputError(f"cannot allow {', '.join(map(repr, unknown))}; what may differ: {', '.join(ASPECTS)}")
    require_columns(frame, ("run", "strategy", "stage", "protocol", "fingerprint", "device"), "the children")
    require_columns(runs, ("run", "strategy", "seed", "space", "data", "data_digest", "budget", "status"), "the runs")
    if runs.empty:
        raise InputError("no runs to compare: the results file has none")
    require_distinct(runs)
    different = _different(frame, runs)
    refused = [f"{aspect}: {' / '.join(values)}" for aspect, values in different.items() if aspect not in allow]
    if refused:
        names = ", ".join(aspect for aspect in different if aspect not in allow)
        raise InputError(
            f"these rows are not comparable; they differ in {'; '.join(refused)}. Select rows of one kind, or allow it: {names}"
        )
    allowed = [f"Different {aspect} allowed: {' / '.join(values)}." for aspect, values in different.items()]
    return (*allowed, *_weaknesses(frame, runs))


def require_columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Raise InputError, naming them, when columns are missing from a frame."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"{what} lack the columns {', '.join(missing)}; give the frames of nasbench.open(path)")


def require_distinct(runs: pd.DataFrame) -> None:
    """Raise InputError when a run occurs twice, as it does when two of the files given hold it."""
    twice = runs.loc[runs["run"].duplicated(), "run"].tolist()
    if twice:
        raise InputError(
            f"these runs occur more than once: {', '.join(twice[:3])}; give each results file once, and no copies"
        )


def _different(frame: pd.DataFrame, runs: pd.DataFrame) -> dict[str, list[str]]:
    """Aspect -> its values, for each aspect that has several."""
    protocols = []
    for _, rows in frame.groupby("stage"):
        pairs = (rows["protocol"] + " (" + rows["fingerprint"] + ")").unique()
        protocols += sorted(pairs) if len(pairs) > 1 else []
    found = {
        "protocol": list(dict.fromkeys(protocols)),
        "data": sorted((runs["data"] + " (" + runs["data_digest"].str.slice(0, 8) + ")").unique()),
        "space": sorted(
            runs["space"].unique()
        ),  # of the runs: a strategy that grows asks for children of smaller spaces
        "budget": sorted(runs["budget"].unique()),
    }
    return {aspect: values for aspect, values in found.items() if len(values) > 1}


def _weaknesses(frame: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    notes = []
    if "random" not in set(runs["strategy"]):
        notes.append("No random search here: nothing shows that a strategy does better than chance.")
    seeds = runs.groupby("strategy")["run"].nunique()
    few = [f"{strategy} {n}" for strategy, n in seeds.items() if n < ENOUGH_SEEDS]
    if few:
        notes.append(f"Insufficient seeds for an interval (fewer than {ENOUGH_SEEDS}), ranges shown: {', '.join(few)}.")
    repeated = runs[runs.duplicated(["strategy", "seed"], keep=False)]
    if not repeated.empty:
        which = sorted({f"{strategy} seed {seed}" for strategy, seed in zip(repeated["strategy"], repeated["seed"])})
        notes.append(f"Several runs of the same strategy and seed, with other options or budgets: {', '.join(which)}.")
    unfinished = runs[runs["status"] != "complete"]
    if not unfinished.empty:
        which = [
            f"{strategy} seed {seed} ({status})"
            for strategy, seed, status in unfinished[["strategy", "seed", "status"]].values
        ]
        notes.append(f"Unfinished: {', '.join(which)}.")
    devices = sorted(set(frame["device"]) - {""})
    if len(devices) > 1:
        notes.append(f"Hours of different devices side by side: {', '.join(devices)}.")
    return notes
