"""Checks of whether rows may be compared: one check per condition, e.g.

equal protocols, counted searcher time, no test scores.

A comparison that fails a check is refused, unless the check is allowed by name. Every table and plot states the allowed
checks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.analysis.comparison.sharing import once
from nasbench.errors import InputError
from nasbench.scores import judged_by
from nasbench.store.format.budgets import several_budgets
from nasbench.store.format.schema import TABLE
from nasbench.texts import json_object

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_SEEDS = 5
BASELINE = "random"
REPLAYED = "Replays: budgets and costs are the table's; the strategies' own seconds differ and are in none of them."
_DIFFER = ("protocol", "data", "space", "budget")

Check = Callable[["pd.DataFrame", "pd.DataFrame"], str]


def fairness(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Run every check of a comparison.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        One row per check: check (its name, for `--allow`), asks (the condition), met, finding ('' if it is met).

    Raises:
        InputError: when there are no runs, a column is missing, or a run occurs twice.
    """
    import pandas as pd

    require_columns(frame, _CHILD_COLUMNS, "the children")
    require_columns(runs, _RUN_COLUMNS, "the runs")
    if runs.empty:
        raise InputError("no runs to compare: the results file has none")
    require_distinct(runs)
    rows = [
        {"check": name, "asks": CHECKS[name][0], "met": not finding, "finding": finding}
        for name, finding in once(_findings, frame, runs)
    ]
    return pd.DataFrame(rows)


def _findings(frame: pd.DataFrame, runs: pd.DataFrame) -> list[tuple[str, str]]:
    return [(name, check(frame, runs)) for name, (_, check) in CHECKS.items()]


def check_comparable(frame: pd.DataFrame, runs: pd.DataFrame, allow: Collection[str] = ()) -> tuple[str, ...]:
    """Refuse a comparison that fails a check of `fairness`.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        allow: checks that may fail, by name; see `CHECKS`.

    Returns:
        Notes for the caption of a table or plot: the allowed failures, and what else weakens the comparison.

    Raises:
        InputError: when there are no rows, an unknown check is allowed, or a check that is not allowed fails; names the
            values.
    """
    unknown = sorted(set(allow) - set(CHECKS))
    if unknown:
        raise InputError(f"cannot allow {', '.join(map(repr, unknown))}; what may be allowed: {', '.join(CHECKS)}")
    checks = fairness(frame, runs)
    failed = checks[~checks["met"].astype(bool)].set_index("check")["finding"]
    refused = [name for name in failed.index if name not in allow]
    if refused:
        differ = [f"{name}: {failed[name]}" for name in refused if name in _DIFFER]
        others = [f"{name}: {failed[name]}" for name in refused if name not in _DIFFER]
        what = [f"they differ in {'; '.join(differ)}"] if differ else []
        advice = "Select rows of one kind"
        if "baseline" in refused:
            run_it = f"run random search into the same file, e.g. by {_baseline_command(runs)}"
            advice = f"{advice} and {run_it}" if len(refused) > 1 else run_it.capitalize()
        raise InputError(
            f"these rows are not comparable; {'; '.join([*what, *others])}. "
            f"{advice}, or allow it: {' '.join(f'--allow {name}' for name in refused)}"
        )
    return (*(_allowed(name, finding) for name, finding in failed.items()), *_weaknesses(frame, runs))


def check_tables(frame: pd.DataFrame, runs: pd.DataFrame, allow: Collection[str] = ()) -> list[str]:
    """Apply `check_comparable` to each table by itself, because tables (a space with a data set) may differ.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        allow: checks that may fail, by name; see `CHECKS`.

    Returns:
        The notes of all tables, each once.

    Raises:
        InputError: as `check_comparable`.
    """
    require_columns(runs, ("run", "space", "data"), "the runs")
    notes: dict[str, None] = {}
    for _, group in runs.groupby(["space", "data"], sort=True):
        notes |= dict.fromkeys(check_comparable(frame[frame["run"].isin(set(group["run"]))], group, allow))
    return list(notes)


def _allowed(name: object, finding: str) -> str:
    if name in _DIFFER:
        return f"Different {name} allowed: {finding}."
    return f"{finding} (allowed: {name})."


def require_columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Check that a frame has certain columns.

    Args:
        frame: the frame to check.
        names: required columns.
        what: name of the frame in the message.

    Raises:
        InputError: when a column is missing; the message names it.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"{what} lack the columns {', '.join(missing)}; give the frames of nasbench.open(path)")


def require_one_count(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse rows in which one architecture has several counts, which are never averaged.

    Args:
        rows: children.
        columns: columns that are analysed; only "params" and "mult_adds" are checked. Unknown counts are ignored.

    Raises:
        InputError: when rows of one hash differ in such a column.
    """
    for column in sorted({"params", "mult_adds"} & set(columns)):
        known = rows.loc[rows[column] > 0, ["hash", column]]
        counts = known.groupby("hash")[column].nunique()
        if (counts > 1).any():
            digest = str(counts.idxmax())
            values = ", ".join(f"{value:,}" for value in sorted(set(known.loc[known["hash"] == digest, column])))
            raise InputError(
                f"architecture {digest[:8]} has several values of {column} ({values}); {int((counts > 1).sum())} architectures "
                "do. Import the table again: its own counts then go to the published columns"
            )


def require_distinct(runs: pd.DataFrame) -> None:
    """Check that no run occurs twice, which happens if two of the given files contain it.

    Args:
        runs: rows with a column run.

    Raises:
        InputError: when a run occurs twice; the message names up to three.
    """
    twice = runs.loc[runs["run"].duplicated(), "run"].tolist()
    if twice:
        raise InputError(
            f"these runs occur more than once: {', '.join(twice[:3])}; give each results file once, and no copies"
        )


def unscored_runs(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Select the runs of searches none of whose counted children has a score, because all failed.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        Rows of `runs`.
    """
    have = once(_scored, frame)
    return runs[~runs["run"].isin(have) & (runs["strategy"] != TABLE)]


def _scored(frame: pd.DataFrame) -> Any:
    """Runs with a counted child that has a score."""
    scored = (frame["stage"] == "search") & frame["counted"].astype(bool) & (frame["status"] == "ok")
    return frame.loc[scored & frame["val_acc"].notna(), "run"].unique()


def no_choice(frame: pd.DataFrame, measure: str = "val_acc") -> float:
    """Score of a run that chose nothing: accuracy 0, or the worst of all children if runs are judged by another score.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        measure: "val_acc" or "test_acc".

    Returns:
        The oriented score.
    """
    return judged_by().no_choice(frame.loc[frame["status"] == "ok", measure])


def unscored_text(lost: pd.Series[Any], strategies: pd.Series[Any]) -> str:
    """Describe how many runs have no score, and how they enter every statistic.

    Args:
        lost: the strategy of each run without a score.
        strategies: the strategy of each run.

    Returns:
        Two sentences; "" if every run has a score.
    """
    counts, totals = lost.value_counts(), strategies.value_counts()
    named = [f"{counts[name]} of {totals[name]} of {name}" for name in sorted(counts.index)]
    if not named:
        return ""
    return (
        f"Runs without a score: {', '.join(named)}. They count as {judged_by().no_choice_words}: last in ranks and tests, tied, and in every "
        "mean and median."
    )


def _several(values: Collection[str]) -> str:
    distinct = sorted(set(values))
    return " / ".join(distinct) if len(distinct) > 1 else ""


def _space(_: pd.DataFrame, runs: pd.DataFrame) -> str:
    # spaces of the runs and not of the children: a strategy that grows cells trains children of smaller spaces
    if "config" not in runs:
        return _several(runs["space"])
    limits = [limits_of(str(config)) for config in runs["config"]]
    return _several([f"{space} with {each}" if each else space for space, each in zip(runs["space"], limits)])


def limits_of(config: str) -> str:
    """Read the limits under which a run searched.

    Args:
        config: the run's stored configuration, JSON.

    Returns:
        The condition of `where_arch`, e.g. "params <= 100k"; "" for none.
    """
    if '"where_arch"' not in config:
        return ""
    try:
        fields = json.loads(config)
    except (ValueError, RecursionError):
        return ""
    return str(fields.get("where_arch", "")) if isinstance(fields, dict) else ""


def _protocol(frame: pd.DataFrame, _: pd.DataFrame) -> str:
    known = frame[["stage", "protocol", "fingerprint"]].drop_duplicates()  # few of many rows
    found = [_several(rows["protocol"] + " (" + rows["fingerprint"] + ")") for _, rows in known.groupby("stage")]
    return " / ".join(dict.fromkeys(text for text in found if text))


def _budget(_: pd.DataFrame, runs: pd.DataFrame) -> str:
    return " / ".join(several_budgets(runs["budget"].unique()))


def _data(_: pd.DataFrame, runs: pd.DataFrame) -> str:
    return _several(runs["data"] + " (" + runs["data_digest"].str.slice(0, 8) + ")")


def _prices(frame: pd.DataFrame, _: pd.DataFrame) -> str:
    """Find devices whose price differs between runs, or that only some runs have a price for."""
    charged = frame.loc[frame["gpu_hours"] > 0, ["device", "run", "usd", "gpu_hours"]]
    priced = charged.assign(gpu_hours=charged["gpu_hours"].where(charged["usd"].notna()))
    totals = priced.groupby(["device", "run"])[["usd", "gpu_hours"]].sum(min_count=1)
    found = []
    for device, rows in totals.groupby(level="device"):
        rates = (rows["usd"] / rows["gpu_hours"]).to_numpy(dtype=float)
        known = rates[np.isfinite(rates)]
        if len(known) and not np.allclose(known, known[0], rtol=1e-6, atol=0):
            found.append(f"hours of {device or 'no device'} at {known.min():.4g} to {known.max():.4g} USD")
        elif 0 < len(known) < len(rates):
            found.append(f"{len(rates) - len(known)} of {len(rates)} runs have no price for {device or 'no device'}")
    return "; ".join(found)


def _children(frame: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Find searches some of whose counted children were filtered out, e.g. because only children with scores were kept."""
    runs = runs[runs["strategy"] != TABLE]  # rows of a complete table are of no search, and not counted
    within = (frame["stage"] == "search") & frame["counted"].astype(bool)
    counted = frame.loc[within, ["run"]].groupby("run").size()
    here = counted.reindex(runs["run"]).fillna(0).to_numpy(dtype=int)
    lacking = runs["children"].to_numpy(dtype=int) - here
    if not (lacking > 0).any():
        return ""
    return f"{lacking[lacking > 0].sum()} counted children of {(lacking > 0).sum()} runs are not here (failures and duplicates count)"


def _duplicates(frame: pd.DataFrame, _: pd.DataFrame) -> str:
    """Find children that repeat a hash of their run without being marked as duplicates."""
    rows = frame.loc[frame["stage"] == "search", ["run", "index", "hash", "duplicate", "counted"]]
    rows = rows.sort_values(["run", "index"], kind="stable")
    repeated = rows.duplicated(["run", "hash"]) & ~rows["duplicate"].astype(bool) & rows["counted"].astype(bool)
    return (
        f"{int(repeated.sum())} children repeat an architecture of their run and are not counted as duplicates"
        if repeated.any()
        else ""
    )


def _searcher(_: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Find runs with a budget of time or money that were not charged for the strategy's own time.

    Where every such run is a replay, no strategy is charged for it, and their budgets are equal.
    """
    timed = _timed(runs)
    free = timed[without_own_time(timed)]
    if free.empty or _are_replays(timed):
        return ""
    return f"{len(free)} of {len(runs)} runs were charged no time of their strategy's own, as replays on a simulated clock are not"


def without_own_time(runs: pd.DataFrame) -> pd.Series:
    """Find searches that were not charged for the time of their strategy itself.

    Args:
        runs: rows of runs.

    Returns:
        Bools, one a run. A replay that was charged for scores of untrained networks alone is among them.
    """
    charged = runs["searcher_hours"] > 0
    if charged.any() and "config" in runs:
        charged &= ~runs["config"].map(is_replay).astype(bool)
    return ~(charged | (runs["supernet_hours"] > 0))


def _timed(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs with children whose budget is time or money."""
    return runs[~runs["budget"].str.contains("child") & (runs["children"] > 0)]


def _are_replays(runs: pd.DataFrame) -> bool:
    """Whether every run is a search of a complete table on a simulated clock."""
    if "config" not in runs or runs.empty:
        return False
    return all(map(is_replay, runs["config"]))


def is_replay(config: object) -> bool:
    """Find out whether a run replayed a table.

    Args:
        config: configuration of the run (`store.format.schema.RUN_COLUMNS`).

    Returns:
        True if it did.
    """
    text = str(config)  # json is parsed only where it can say so: there may be thousands of runs
    return '"replay"' in text and "replay" in json_object(text)


def is_import(config: object) -> bool:
    """Find out whether a run was imported from another program's records.

    Args:
        config: configuration of the run (`store.format.schema.RUN_COLUMNS`).

    Returns:
        True if it was.
    """
    text = str(config)
    return '"import"' in text and "import" in json_object(text)


def _baseline_command(runs: pd.DataFrame) -> str:
    return "naming random as one more strategy of the replays" if _are_replays(runs) else "nasbench run --add-baseline"


def _baseline(_: pd.DataFrame, runs: pd.DataFrame) -> str:
    if BASELINE in set(runs["strategy"]):
        return ""
    return "No random search here: nothing shows that a strategy does better than chance"


def _test(frame: pd.DataFrame, _: pd.DataFrame) -> str:
    """Find children of a search that have a test score, which their strategy could have received."""
    search = frame.loc[frame["stage"] == "search", ["test_acc", "test_loss"]]
    seen = int(search.notna().any(axis=1).sum())
    return (
        f"{seen} children of searches have a test score, which a strategy must not see before its choice"
        if seen
        else ""
    )


def _parallelism(_: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Find runs that trained different numbers of children at once, which decides what a strategy knows when it asks."""
    if "config" not in runs:
        return ""
    at_once = {_children_at_once(str(config)) for config in runs["config"]} - {0}
    if len(at_once) < 2:
        return ""
    return f"children in training at once: {', '.join(map(str, sorted(at_once)))}"


def _children_at_once(config: str) -> int:
    """Children in training at once by a stored configuration; 0 where it does not say, as for some imports and tables."""
    try:
        fields = json.loads(config or "{}")
    except (ValueError, RecursionError):
        return 0
    if isinstance(fields, dict) and isinstance(fields.get("import"), dict):
        known = fields["import"].get("children_at_once", 0)
        return known if isinstance(known, int) else 0
    if isinstance(fields, dict) and "replay" in fields:
        devices = fields.get("children_at_once", 1)  # of the simulated clock; one is not stored
        return devices if isinstance(devices, int) else 0
    if not isinstance(fields, dict) or "executor" not in fields:
        return 0
    if fields["executor"] == "inline" or fields.get("ordered"):
        return 1  # an ordered run has the rows of one child at a time
    at_once: object = fields.get("children_at_once", 0)
    if fields["executor"] != "ray":
        devices, each = fields.get("devices", ["cpu"]), fields.get("children_per_device", 1)
        at_once = len(devices) * each if isinstance(devices, list) and isinstance(each, int) else 0
    return at_once if isinstance(at_once, int) else 0


CHECKS: dict[str, tuple[str, Check]] = {
    "protocol": ("children of one stage are trained under one protocol (fingerprint)", _protocol),
    "data": ("one data set, by the digest of its bytes", _data),
    "space": ("one search space with its options and limits", _space),
    "budget": ("one budget", _budget),
    "parallelism": ("one number of children in training at once", _parallelism),
    "prices": ("one price for the hours of a device", _prices),
    "children": ("every counted child is here, failures and duplicates too", _children),
    "duplicates": ("architectures that a run proposes again are counted as duplicates", _duplicates),
    "searcher": ("the strategy's own time is charged, where time is the budget, or all runs are replays", _searcher),
    "baseline": ("random search is among the strategies", _baseline),
    "test": ("no child of a search has a test score", _test),
}
_CHILD_COLUMNS = (
    *("run", "index", "strategy", "stage", "hash", "protocol", "fingerprint", "device", "platform", "gpu_hours", "usd"),
    *("counted", "duplicate", "status", "val_acc", "test_acc", "test_loss"),
)
_RUN_COLUMNS = (
    *("run", "strategy", "seed", "space", "data", "data_digest", "budget", "status", "children"),
    *("searcher_hours", "supernet_hours"),
)


def _not_known(runs: pd.DataFrame) -> list[str]:
    """Say what the sources of imported searches do not say, one sentence for each thing."""
    if "config" not in runs:
        return []
    lacking: dict[str, list[str]] = {}
    for strategy, config in zip(runs["strategy"], map(str, runs["config"])):
        for what in unknown_of_import(config):
            lacking.setdefault(what, []).append(str(strategy))
    found = []
    for what, strategies in lacking.items():
        counts = ", ".join(f"{strategies.count(name)} of {name}" for name in dict.fromkeys(strategies))
        found.append(f"Not known of imported searches ({counts}): {what}.")
    return found


def unknown_of_import(config: str) -> list[str]:
    """List what the source of an imported search does not say.

    Args:
        config: configuration of the run (`store.format.schema.RUN_COLUMNS`).

    Returns:
        Descriptions, e.g. `store.format.schema.UNKNOWN_SEARCHER`; empty for other runs.
    """
    # json is parsed only where it can say so: there may be thousands of runs
    about = json_object(config).get("import") if '"not_known"' in config else None
    return list(map(str, about.get("not_known", ()))) if isinstance(about, dict) else []


def of_surrogates(runs: pd.DataFrame) -> list[str]:
    """Make the notes on runs whose scores a surrogate predicted.

    Args:
        runs: rows of runs.

    Returns:
        One note per surrogate.
    """
    if "config" not in runs:
        return []
    notes: dict[str, None] = {}
    for data, config in zip(runs["data"].astype(str), runs["config"].astype(str)):
        # json is parsed only where it can say so: there may be thousands of runs
        found = json_object(config).get("surrogate") if '"surrogate"' in config else None
        if isinstance(found, dict):
            tau, count = found.get("kendall_tau"), found.get("trainings")
            how = f"held-out Kendall's tau {tau:.2f}" if isinstance(tau, float) else "Kendall's tau is not stated"
            notes[
                f"Scores are predictions of a surrogate, not trainings: {data}, fitted to {count} trainings, {how}."
            ] = None
    return list(notes)


def unfinished_note(runs: pd.DataFrame) -> str:
    """Name the runs that did not end by themselves.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        A sentence; "" if all are complete.
    """
    unfinished = runs.loc[runs["status"] != "complete", ["strategy", "seed", "status"]]
    which = [f"{strategy} seed {seed} ({status})" for strategy, seed, status in unfinished.values]
    return f"Unfinished: {', '.join(which)}." if which else ""


def budgets_note(runs: pd.DataFrame) -> str:
    """Name the budgets of searches, where these differ: with more of it, a search finds more.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`); complete tables have no budget.

    Returns:
        A sentence; "" for one budget.
    """
    searches = runs.loc[(runs["strategy"] != TABLE) & (runs["budget"] != ""), "budget"]
    several = " / ".join(several_budgets(searches.unique()))
    return f"Different budgets: {several}." if several else ""


def _weaknesses(frame: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    notes = [*filter(None, [unscored_text(unscored_runs(frame, runs)["strategy"], runs["strategy"])])]
    seeds = runs.groupby("strategy")["run"].nunique()
    few = [f"{strategy} {n}" for strategy, n in seeds.items() if n < ENOUGH_SEEDS]
    if few:
        notes.append(f"Insufficient seeds for an interval (fewer than {ENOUGH_SEEDS}): {', '.join(few)}.")
    repeated = runs[runs.duplicated(["strategy", "seed"], keep=False)]
    if not repeated.empty:
        which = sorted({f"{strategy} seed {seed}" for strategy, seed in zip(repeated["strategy"], repeated["seed"])})
        notes.append(f"Several runs of the same strategy and seed, with other options or budgets: {', '.join(which)}.")
    notes += [*filter(None, [unfinished_note(runs)]), *of_surrogates(runs)]
    if _are_replays(_timed(runs)):
        notes.append(REPLAYED)
    notes += _not_known(runs)
    devices = sorted(set(frame["device"].unique()) - {""})
    if len(devices) > 1:
        notes.append(f"Hours of different devices side by side: {', '.join(devices)}.")
    platforms = sorted(set(frame["platform"].unique()) - {""})
    if len(platforms) > 1:
        notes.append(f"Trained on different platforms: {' | '.join(platforms)}.")
    return notes
