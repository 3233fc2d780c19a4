"""Numbers behind a page's plots and its table of children, as compact JSON: columns of ints, each name written once.

A missing number is null. In the columns of children it is -1, because nulls would take four letters each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import budget_label, spans_decades
from nasbench.analysis.comparison.bands import MEASURES, title
from nasbench.analysis.comparison.curves import KEYS
from nasbench.analysis.plotting import style
from nasbench.costs.units import device_time
from nasbench.scores import judged_by
from nasbench.store.format.schema import STATUSES

if TYPE_CHECKING:
    from nasbench.analysis.report.contents import Contents

HASH_DIGITS = 12  # digits that suffice for `nasbench show`; more if two hashes share them
SCORE_UNIT = 1e-5
SECONDS_UNIT = 1e-3
MOST_PALE_CURVES = 300  # maximum of pale curves behind the best ones; more would be a grey block
MISSING = -1


def payload(found: Contents) -> dict[str, Any]:
    """Make all data that the page's scripts read.

    Args:
        found: contents of the report.

    Returns:
        JSON values: strategies (name, marker, dashes), courses (by budget), finals, attained, learned, children,
        seconds_unit (name of that of device time), score (names, unit and sign).
    """
    return {
        "strategies": [_look(name) for name in found.strategies],
        "courses": [course(table, found.strategies) for table in found.courses.values()],
        "finals": finals(found.finals, found.strategies),
        "attained": [attained(table, found.strategies) for table in found.attained.values()],
        "learned": learned(found.learned, found.strategies),
        "children": children(found.children, found.strategies),
        "seconds_unit": device_time(found.devices, "seconds"),
        "score": _score(),
    }


def _score() -> dict[str, Any]:
    """The score by which the runs are judged: its names, unit and sign."""
    own = judged_by()
    heads = ["Validation", "Test"] if own.is_accuracy else [own.name("val_acc"), own.name("test_acc")]
    return {
        "accuracy": own.is_accuracy,
        "unit": "" if own.is_accuracy else own.unit,
        "sign": own.sign,
        "bare": own.bare,
        "val": own.words("val_acc"),
        "test": own.words("test_acc"),
        "heads": heads,
    }


def as_script(values: Any) -> str:
    """Convert to JSON that is safe inside a script element: no text in it can end the element.

    Args:
        values: values that JSON can express; no NaN.

    Returns:
        The JSON, in ASCII.

    Raises:
        ValueError: for NaN or infinity.
    """
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _look(strategy: str) -> dict[str, Any]:
    look = style.look(strategy)
    return {"name": strategy, "marker": look.marker, "dashes": list(look.dashes)}


def course(table: pd.DataFrame, strategies: Sequence[str]) -> dict[str, Any]:
    """Make one budget axis with a line and a band per strategy and measure.

    Args:
        table: result of `compare.bands`.
        strategies: names of strategies; `s` of a series is its index here.

    Returns:
        by, label, log, and series: s, measure, runs, n, and x, median, low, high, all_low, all_high where all runs that
        ever have a score have one.
    """
    budgets = table["budget"].to_numpy(dtype=float)
    first, last = (float(budgets.min()), float(budgets.max())) if len(budgets) else (0.0, 0.0)
    by = str(table["by"].iloc[0]) if len(table) else ""
    series = []
    for (strategy, measure), rows in table.groupby(["strategy", "measure"], sort=False):
        whole = rows[(rows["n"] == rows["n"].max()) & (rows["n"] > 0)]
        if whole.empty:
            continue
        values = {name: _numbers(whole[name], 5) for name in ("median", "low", "high", "all_low", "all_high")}
        series.append(
            {
                "s": strategies.index(str(strategy)),
                "measure": measure,
                "runs": int(whole["runs"].iloc[-1]),
                "n": int(whole["n"].iloc[-1]),
                "x": [_significant(value) for value in whole["budget"]],
                **values,
            }
        )
    return {
        "by": by,
        "label": budget_label(by, str(table["unit"].iloc[0])) if by else "",
        "log": bool(spans_decades(first, last)),
        "measures": {name: title(name) for name in MEASURES},
        "series": series,
    }


def attained(table: pd.DataFrame, strategies: Sequence[str]) -> dict[str, Any]:
    """Make the attainment surfaces of one plane.

    Args:
        table: result of `objectives.attainment` for the error and one cost.
        strategies: names of strategies; `s` of a series is its index here.

    Returns:
        cost, and series: s, runs, and for 25, 50 and 75 percent of the runs x (cost) and y (accuracy) of the corners, x
        growing.
    """
    cost = str(table.columns[-1])
    series = []
    for strategy, rows in table.groupby("strategy", sort=False):
        ordered = rows.sort_values([cost, "error"], ascending=[True, False])
        parts = {f"p{percent}": part for percent, part in ordered.groupby("percent")}
        surfaces = {
            name: {"x": [_significant(value) for value in part[cost]], "y": _numbers(1 - part["error"], 5)}
            for name, part in parts.items()
        }
        series.append({"s": strategies.index(str(strategy)), "runs": int(rows["runs"].iloc[0]), **surfaces})
    return {"cost": cost, "series": series}


def finals(table: pd.DataFrame, strategies: Sequence[str]) -> dict[str, Any]:
    """Make the columns of each run's final state.

    Args:
        table: result of `contents.finals`.
        strategies: names; positions in this list stand for them.

    Returns:
        s (position of the strategy), seed, val, test, hash -> one value per run.
    """
    return {
        "s": [strategies.index(name) for name in table["strategy"]],
        "seed": table["seed"].astype(int).tolist(),
        "val": _numbers(table["val_acc"], 5),
        "test": _numbers(table["test_acc"], 5),
        "hash": [str(value)[:HASH_DIGITS] if isinstance(value, str) else "" for value in table["hash"]],
    }


def learned(table: pd.DataFrame, strategies: Sequence[str]) -> dict[str, Any]:
    """Make learning curves for the page.

    Args:
        table: result of `learning_curves`.
        strategies: names; positions in this list stand for them.

    Returns:
        "front" -> the best children (s, rank, hash, x, y), "pale" -> the others (y from epoch 1).
    """
    scored = table[table["val_acc"].notna()]
    front = []
    for rank, rows in scored[scored["front"]].groupby("rank"):
        front.append(
            {
                "s": strategies.index(str(rows["strategy"].iloc[0])),
                "rank": int(rank),
                "hash": str(rows["hash"].iloc[0])[:HASH_DIGITS],
                "x": rows["epoch"].astype(int).tolist(),
                "y": _numbers(rows["val_acc"], 4),
            }
        )
    rest = [_numbers(rows["val_acc"], 4) for _, rows in scored[~scored["front"]].groupby(KEYS[::2], sort=False)]
    step = max(1, -(-len(rest) // MOST_PALE_CURVES))
    return {"front": front, "pale": rest[::step], "others": len(rest)}


def children(table: pd.DataFrame, strategies: Sequence[str]) -> dict[str, Any]:
    """Make the table of children in columns.

    Args:
        table: result of `contents.searched_children`.
        strategies: names.

    Returns:
        runs: s and seed, and rows (how many children, one after the other). architectures: hash, params, mult_adds. A
        value for each child: index, architecture, status (a digit each, of `statuses`), flags (a digit each: 1 a
        duplicate, 2 beyond the budget), val, milliseconds of its devices, test (only those there are: place and value).
    """
    runs = table.groupby("run", sort=False).agg(
        strategy=("strategy", "first"), seed=("run_seed", "first"), rows=("run", "size")
    )
    kinds = table[["hash", "params", "mult_adds"]].drop_duplicates(ignore_index=True)
    place = pd.Series(range(len(kinds)), index=pd.MultiIndex.from_frame(kinds))
    flags = table["duplicate"].astype(int) + 2 * (~table["counted"].astype(bool)).astype(int)
    tested = np.flatnonzero(table["test_acc"].notna())
    return {
        "statuses": list(STATUSES),
        "runs": {
            "s": [strategies.index(name) for name in runs["strategy"]],
            "seed": runs["seed"].astype(int).tolist(),
            "rows": runs["rows"].astype(int).tolist(),
        },
        "architectures": {
            "hash": _short_hashes(kinds["hash"]),
            "params": _whole(kinds["params"], 1),
            "mult_adds": _whole(kinds["mult_adds"], 1),
        },
        "index": table["index"].astype(int).tolist(),
        "architecture": place.reindex(pd.MultiIndex.from_frame(table[["hash", "params", "mult_adds"]])).tolist(),
        "status": "".join(str(STATUSES.index(status)) for status in table["status"]),
        "flags": "".join(str(flag) for flag in flags),
        "val": _scores(table["val_acc"]),
        "ms": _whole(table["device_seconds"], SECONDS_UNIT),
        "test": {
            "place": tested.tolist(),
            "value": _scores(table["test_acc"].iloc[tested]),
        },
    }


def _short_hashes(hashes: pd.Series[Any]) -> list[str]:
    """Shorten hashes to twelve digits, or to as many as make all of them different."""
    distinct = hashes.drop_duplicates()
    digits = HASH_DIGITS
    while distinct.str.slice(0, digits).duplicated().any():
        digits += 4
    return [str(value) for value in hashes.str.slice(0, digits)]


def _scores(values: pd.Series[Any]) -> list[int] | list[float | None]:
    """Accuracies as whole numbers of `SCORE_UNIT`; other scores as they are, in their own direction."""
    own = judged_by()
    if own.is_accuracy:
        return _whole(values, SCORE_UNIT)
    return [None if not np.isfinite(value) else float(f"{own.sign * value:.7g}") for value in values]


def _whole(values: pd.Series[Any], unit: float) -> list[int]:
    numbers = values.to_numpy(dtype=float) / unit
    whole: list[int] = np.where(np.isfinite(numbers), np.rint(np.nan_to_num(numbers)), MISSING).astype(int).tolist()
    return whole


def _numbers(values: Iterable[float], digits: int) -> list[float | None]:
    return [None if not np.isfinite(value) else round(float(value), digits) for value in values]


def _significant(value: float) -> float:
    """Round to six digits, which is finer than a screen's pixels."""
    return float(f"{value:.6g}")
