"""Numbers behind a page's plots and its table of children, as compact JSON: columns of ints, each name written once.

A missing number is null. In the columns of children it is -1, because nulls would take four letters each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import budget_label, spans_decades
from nasbench.analysis.comparison.bands import MEASURES, title
from nasbench.analysis.comparison.curves import KEYS
from nasbench.analysis.comparison.groups import group_rows, rows_of_each
from nasbench.analysis.plotting import style
from nasbench.costs.units import device_time
from nasbench.scores import judged_by
from nasbench.store.format.frames import from_the_start
from nasbench.store.format.schema import STATUSES

if TYPE_CHECKING:
    from nasbench.analysis.report.contents import Contents

Floats = NDArray[np.float64]
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
        ever have a score have one, up to what the strategy's runs spent.
    """
    budgets = table["budget"].to_numpy(dtype=float)
    first, last = (float(budgets.min()), float(budgets.max())) if len(budgets) else (0.0, 0.0)
    by = str(table["by"].iloc[0]) if len(table) else ""
    series, place = [], _places(strategies)
    counts, runs, spent = table["n"].to_numpy(), table["runs"].to_numpy(), table["spent"].to_numpy(dtype=float)
    written = {name: _drawn(table[name], 5) for name in ("median", "low", "high", "all_low", "all_high")}
    x = _each_once(budgets, _significant)
    names, measures = table["strategy"].tolist(), table["measure"].tolist()
    for rows in rows_of_each(table, ["strategy", "measure"]):
        n = counts[rows]
        whole = rows[(n == n.max()) & (n > 0)]
        if not len(whole):
            continue
        # The last row holds the state at the end, as in the picture of `compare`: beyond what these runs spent if others
        # spent more. Without a counted child nothing was spent (NaN).
        last, end = whole[-1], float(spent[whole[-1]])
        before = whole[:-1] if math.isnan(end) else whole[budgets[whole] < end]
        places = [*x[before].tolist(), x[last] if math.isnan(end) else _significant(end)]
        whole = np.append(before, last)
        series.append(
            {
                "s": place[names[rows[0]]],
                "measure": measures[rows[0]],
                "runs": int(runs[whole[-1]]),
                "n": int(counts[whole[-1]]),
                "x": places,
                **{name: values[whole].tolist() for name, values in written.items()},
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
    costs, error = table[cost].to_numpy(dtype=float), table["error"].to_numpy(dtype=float)
    x, y = _each_once(costs, _significant), _numbers(1 - error, 5)
    percent, runs, place = table["percent"].to_numpy(), table["runs"].to_numpy(), _places(strategies)
    series, names = [], table["strategy"].tolist()
    for rows in rows_of_each(table, ["strategy"]):
        ordered = rows[np.lexsort((-error[rows], costs[rows]))]
        surfaces = {}
        for each in np.unique(percent[rows]).tolist():
            part = ordered[percent[ordered] == each]
            surfaces[f"p{each}"] = {"x": x[part].tolist(), "y": y[part].tolist()}
        series.append({"s": place[names[rows[0]]], "runs": int(runs[rows[0]]), **surfaces})
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
        "s": list(map(_places(strategies).__getitem__, table["strategy"])),
        "seed": table["seed"].astype(int).tolist(),
        "val": _drawn(table["val_acc"], 5).tolist(),
        "test": _drawn(table["test_acc"], 5).tolist(),
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
                "y": _drawn(rows["val_acc"], 4).tolist(),
            }
        )
    rest = scored[~scored["front"]]
    number = rest.groupby(KEYS[::2], sort=False, observed=True).ngroup().to_numpy()
    others = int(number.max(initial=-1)) + 1
    step = max(1, -(-others // MOST_PALE_CURVES))
    drawn = number % step == 0
    scores = rest["val_acc"].to_numpy(dtype=float)[drawn]
    pale = [_drawn(scores[rows], 4).tolist() for rows in group_rows(number[drawn])]
    return {"front": front, "pale": pale, "others": others}


def children(table: pd.DataFrame, strategies: Sequence[str]) -> dict[str, Any]:
    """Make the table of children in columns.

    Args:
        table: result of `contents.searched_children`.
        strategies: names.

    Returns:
        runs: s and seed, and rows (how many children, one after the other). architectures: hash, params, mult_adds. A
        value for each child: index, architecture, status (a digit each, of `statuses`), flags (a digit each: 1 a
        duplicate, 2 beyond the budget), val, milliseconds of its devices, test (only those there are: place and value).
        Where trainings stopped early: stop (epochs after which each child stopped, 0 for a whole training). Where some
        go on: ms_from_start (of those children: place and milliseconds from the first epoch on).
    """
    runs = table.groupby("run", sort=False).agg(
        strategy=("strategy", "first"), seed=("run_seed", "first"), rows=("run", "size")
    )
    groups = table.groupby(["hash", "params", "mult_adds"], sort=False, dropna=False)
    architecture = groups.ngroup().to_numpy()
    kinds = table[["hash", "params", "mult_adds"]].iloc[np.unique(architecture, return_index=True)[1]]
    again = table["duplicate"].astype(bool) & (table["continues"] == "")  # one that goes on is no repetition
    flags = again.astype(int) + 2 * (~table["counted"].astype(bool)).astype(int)
    tested = np.flatnonzero(table["test_acc"].notna())
    return {
        "statuses": list(STATUSES),
        "runs": {
            "s": list(map(_places(strategies).__getitem__, runs["strategy"])),
            "seed": runs["seed"].astype(int).tolist(),
            "rows": runs["rows"].astype(int).tolist(),
        },
        "architectures": {
            "hash": _short_hashes(kinds["hash"]),
            "params": _whole(kinds["params"], 1),
            "mult_adds": _whole(kinds["mult_adds"], 1),
        },
        "index": table["index"].astype(int).tolist(),
        "architecture": architecture.tolist(),
        "status": _digits(table["status"]),
        "flags": "".join(map(str, flags.tolist())),
        "val": _scores(table["val_acc"]),
        "ms": _whole(table["device_seconds"], SECONDS_UNIT),
        "test": {
            "place": tested.tolist(),
            "value": _scores(table["test_acc"].iloc[tested]),
        },
        **_early_stops(table),
    }


def _early_stops(table: pd.DataFrame) -> dict[str, Any]:
    """What fronts need to know of trainings that stop early and go on; nothing where none does."""
    found: dict[str, Any] = {}
    if (table["stop_epoch"] > 0).any():
        found["stop"] = table["stop_epoch"].astype(int).tolist()
    places = np.flatnonzero((table["continues"] != "").to_numpy(dtype=bool))
    if len(places):
        all_epochs = from_the_start(table[["run", "index", "stage", "continues", "from_epoch", "device_seconds"]])
        seconds = all_epochs["device_seconds"].iloc[places]
        found["ms_from_start"] = {"place": places.tolist(), "value": _whole(seconds, SECONDS_UNIT)}
    return found


def _digits(statuses: pd.Series[str]) -> str:
    """A digit for each status, its place in `STATUSES`."""
    codes, names = pd.factorize(statuses)
    digits = np.array([str(STATUSES.index(name)) for name in names], dtype=object)
    return "".join(digits[codes].tolist())


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


def _places(strategies: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in reversed(list(enumerate(strategies)))}


def _numbers(values: pd.Series[Any] | Floats, digits: int) -> NDArray[np.object_]:
    """Round numbers for JSON; None stands for those that are not finite."""
    return _each_once(
        np.asarray(values, dtype=float), lambda value: round(value, digits) if math.isfinite(value) else None
    )


def _drawn(values: pd.Series[Any] | Floats, decimals: int) -> NDArray[np.object_]:
    """Round scores for JSON: accuracies to decimals, others to significant digits, as their unit may make them tiny."""
    if judged_by().is_accuracy:
        return _numbers(values, decimals)
    return _each_once(
        np.asarray(values, dtype=float), lambda value: _significant(value) if math.isfinite(value) else None
    )


def _each_once(values: Floats, call: Callable[[float], float | None]) -> NDArray[np.object_]:
    """Apply a function to each different number once, because plots repeat most of them; None for NaN."""
    codes, different = pd.factorize(values)
    found: NDArray[np.object_] = np.empty(len(different) + 1, dtype=object)
    found[:-1] = [call(value) for value in different.tolist()]
    at: NDArray[np.object_] = found[codes]  # the code of NaN is -1
    return at


def _significant(value: float) -> float:
    """Round to six digits, which is finer than a screen's pixels."""
    return float(f"{value:.6g}")
