"""Cost of searches: device-hours and USD by ledger category, per child, and to reach an accuracy."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import hours_unit, run_hours, run_rates, search_hours, search_usd
from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.comparison.reaching import budget_to_target, require_target
from nasbench.analysis.inference.survival import median_time
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.costs.pricing import PriceTable, price_of, shipped_prices
from nasbench.store.format.schema import LEDGER_CATEGORIES
from nasbench.texts import json_object

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST = 0.005  # of the USD of a run: where less is beside the budget, nothing is said of it
_ROUNDING = 1e-6  # of prices that are computed from hours and USD

# Colours from cool (useful work) to warm (overhead), all different from the strategies' colours.
CATEGORY_COLOURS = {
    "training": "#46648c",
    "evaluation": "#8fa9c8",
    "cached": "#c9d6e4",
    "failed": "#b2182b",
    "searcher": "#e0a458",
    "supernet": "#8c6d31",
    "final": "#5e8c6a",
    "uncounted": "#b9a9bd",
}


def cost_by_strategy(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    prices: PriceTable | None = None,
    target: float | None = None,
    at: str | None = None,
    budget: float | None = None,
) -> pd.DataFrame:
    """Compute the cost of each strategy's runs by category, for runs of one table (space and data set).

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        prices: table of prices for all hours; None keeps the USD that the runs were charged.
        target: validation accuracy in [0, 1] to reach, or None.
        at: price all hours at this device ("V100") instead of their own. The hours remain those measured; the different
            speed of that device is not estimated. Uses the shipped prices if `prices` is None.
        budget: the runs' budget in device-hours; None if it is in another unit. See `reaching.budget_to_target`.

    Returns:
        One row per strategy: strategy, runs, priced_at (which price, in words); unit (name of that of the hours);
        <category>_hours, gpu_hours and usd (means over the runs whose hours are known, so that the parts add up; NaN
        without one), search_usd (mean of what was charged to the budget, without final trainings and uncounted hours), runs_known (number of these), gpu_hours_low and gpu_hours_high (range over runs); children,
        hours_per_child, usd_per_child (median of counted children of the search); and with a target: target, reached (runs that reached it), hours_to_target and usd_to_target (median
        over all runs by Kaplan-Meier, those that never reached it censored, as `targets.target_summary` has it; NaN if
        it is beyond the budget), to_target (text).

    Raises:
        InputError: for a target outside [0, 1], or a device without a price.
    """
    if target is not None:
        require_target(target)
    categories = [f"{category}_hours" for category in LEDGER_CATEGORIES]
    require_columns(runs, ("run", "strategy", "usd", *categories), "the runs")
    require_columns(frame, ("run", "stage", "counted", "gpu_hours", "device"), "the children")
    by_run = run_rates(runs) if prices is None and at is None else _rates(frame, runs, prices, at)
    within = (frame["stage"] == "search") & frame["counted"].astype(bool)
    counted = frame.loc[within, ["run", "gpu_hours"]]
    reach = None if target is None else budget_to_target(frame, runs, target, budget=budget)
    # Hours that a file does not hold (NaN) are those of `uncounted_note`.
    hours = runs[categories].fillna(0.0).to_numpy(dtype=float)
    rates, totals = by_run.to_numpy(dtype=float), run_hours(runs).to_numpy(dtype=float)  # in the order of `runs`
    unit, table = hours_unit(frame), shipped_prices() if prices is None else prices
    strategy_of = runs.set_index("run")["strategy"]
    used = frame[["run", "device"]].drop_duplicates()
    childless = devices_of_childless(runs, set(runs["run"]) - set(frame.loc[frame["device"] != "", "run"]))
    used = pd.concat([used, pd.DataFrame(list(childless.items()), columns=["run", "device"])])
    devices_of = used.groupby(used["run"].map(strategy_of))["device"].unique().to_dict()
    children_of = counted.groupby(counted["run"].map(strategy_of)).indices
    per_child = counted["gpu_hours"].to_numpy(dtype=float)
    usd_per_child = per_child * counted["run"].map(by_run).to_numpy(dtype=float)
    charged = prices is None and at is None
    own_prices = _own_prices(frame.loc[within]) if charged else {}
    if charged and "usd" in frame:
        own = frame.loc[within, "usd"].to_numpy(dtype=float)
        usd_per_child = np.where(np.isfinite(own), own, usd_per_child)
    of_search = (search_usd(frame, runs) if charged else search_hours(runs) * by_run).to_numpy(dtype=float)
    reach_usd = budget_to_target(frame, runs, target, by="usd") if charged and target is not None else None
    none = np.zeros(0, dtype=np.int64)
    runs_of = runs.groupby("strategy", sort=False).indices
    rows = []
    for strategy in style.in_order(runs["strategy"].unique().tolist()):
        mine, children = runs_of[strategy], children_of.get(strategy, none)
        rate, total = rates[mine], totals[mine]
        known = mine[~np.isnan(total)]
        devices = sorted(set(devices_of.get(strategy, [])) - {""})
        row: dict[str, Any] = {
            "strategy": strategy,
            "runs": len(mine),
            "priced_at": _priced_at(
                devices,
                [
                    price
                    for run, each in zip(runs["run"].iloc[mine], rate.tolist())
                    for price in own_prices.get(run, [each])
                ],
                table,
                prices is None,
                at,
            )
            + _unpriced(rate, total, charged),
            **dict(zip(categories, _mean_parts(hours[known]))),
            "unit": unit,
            "runs_known": len(known),
            "gpu_hours": _mean(total),
            "gpu_hours_low": np.fmin.reduce(total),
            "gpu_hours_high": np.fmax.reduce(total),
            "usd": _mean(total * rate),
            "search_usd": _mean(of_search[mine]),
            "children": len(children),
            "hours_per_child": _median(per_child[children]),
            "usd_per_child": _median(usd_per_child[children]),
        }
        if reach is not None and target is not None:
            reaches = reach.iloc[mine]
            usd = reaches["spent"].to_numpy(dtype=float) * rate
            if reach_usd is not None:
                exact = reach_usd["spent"].to_numpy(dtype=float)[mine]
                priced = reaches["reached"].to_numpy(dtype=bool) & np.isfinite(exact)
                usd[priced] = exact[priced]
            row |= _to_target(reaches, usd, target)
        rows.append(row)
    return pd.DataFrame(rows)


def _mean_parts(hours: np.ndarray) -> list[float]:
    """Mean of each column of hours, [runs, categories]; NaN without a run."""
    if not len(hours):
        return [math.nan] * hours.shape[1]
    means: list[float] = (np.ascontiguousarray(hours.T).sum(axis=1) / len(hours)).tolist()
    return means


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are known; NaN without one."""
    known = ~np.isnan(values)
    return float(np.where(known, values, 0.0).sum() / known.sum()) if known.any() else math.nan


def _median(values: np.ndarray) -> float:
    """Median of the values that are known; NaN without one."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def uncounted_note(runs: pd.DataFrame) -> str:
    """Say how many runs do not hold what they spent beyond their budget.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`.

    Returns:
        The sentence; "" if all runs hold it.
    """
    unknown = int(runs["uncounted_hours"].isna().sum())
    if not unknown:
        return ""
    return (
        f"What was spent on children that the budget did not cover is not known of {unknown} of {len(runs)} runs "
        "(files of schema 1 and 2), and not in these hours"
    )


def part_cores_note(frame: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Say how many runs were charged less than a core for children that each held one, as an earlier rule had it.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`), with configuration and provenance.

    Returns:
        The sentence, with the factor that makes core-hours of the stored hours; "" if there is no such run.
    """
    require_columns(frame, ("run", "device", "devices"), "the children")
    require_columns(runs, ("run", "config", "provenance"), "the runs")
    held = frame.loc[frame["device"] == "cpu", ["run", "devices"]].groupby("run")["devices"].max()
    factors = [
        _share_of_a_core(str(row["config"]), str(row["provenance"])) / float(held[row["run"]])
        for row in runs.to_dict("records")
        if row["run"] in held.index
    ]
    less = [factor for factor in factors if factor > 1 + 1e-9]
    if not less:
        return ""
    times = " to ".join(dict.fromkeys((style.short(min(less)), style.short(max(less)))))
    return (
        f"{len(less)} of {len(runs)} runs were charged a part of a core for children that each held a core (the rule "
        f"of an earlier version): their core-hours are {times} times these hours"
    )


def _share_of_a_core(config: str, provenance: str) -> float:
    """Share of a core that a child of a run on processors held; 0 if the run does not say."""
    try:
        fields, made = json.loads(config), json.loads(provenance)
        devices = fields["devices"]
        at_once = int(len(devices) * fields["children_per_device"] * fields["runs_per_device"])
        cores = float(made["processors"])
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):  # imports, and runs of early versions
        return 0.0
    if "searches_at_once" in made:  # a version with the present rule, in which a resumed run may have had other jobs
        return 0.0
    # A Ray cluster has nodes with other numbers of cores than the one that the provenance describes.
    if fields.get("executor") == "ray" or not devices or set(devices) != {"cpu"}:
        return 0.0
    return min(1.0, cores / at_once)


def _rates(frame: pd.DataFrame, runs: pd.DataFrame, prices: PriceTable | None, at: str | None) -> pd.Series[Any]:
    """USD per device-hour of each run: the price of `at`, else of its devices, weighted by their hours."""
    table = shipped_prices() if prices is None else prices
    if at is not None:
        return pd.Series(price_of(at, table).usd, index=runs["run"], dtype=float)
    used = frame[frame["device"] != ""]
    price = {device: price_of(device, table).usd for device in used["device"].unique()}
    spent = (
        used.assign(usd=used["device"].map(price).astype(float) * used["gpu_hours"])
        .groupby("run")[["usd", "gpu_hours"]]
        .sum()
    )
    rate = spent["usd"] / spent["gpu_hours"].where(spent["gpu_hours"] > 0)
    plain = used.assign(price=used["device"].map(price).astype(float)).groupby("run")["price"].mean()
    rate = rate.fillna(plain).reindex(runs["run"])
    for run, device in devices_of_childless(runs, set(rate.index[rate.isna()])).items():
        rate[run] = price_of(device, table).usd
    nothing = (run_hours(runs) == 0).reindex(rate.index)
    return rate.where(rate.notna() | ~nothing, 0.0)


def devices_of_childless(runs: pd.DataFrame, names: Collection[str]) -> dict[str, str]:
    """Find on which device runs spent their hours that charged no child, e.g. all of it to a super-network.

    Args:
        runs: their runs (`store.format.schema.RUN_COLUMNS`), with configuration and provenance.
        names: ids of the runs without charged children.

    Returns:
        Run -> "cpu", or the model of the only kind of GPU that it saw; without runs that do not say it.
    """
    found: dict[str, str] = {}
    if not names or not {"config", "provenance"}.issubset(runs.columns):
        return found
    for row in runs[runs["run"].isin(set(names))].to_dict("records"):
        devices = set(map(str, json_object(str(row["config"])).get("devices", [])))
        gpus = set(map(str, json_object(str(row["provenance"])).get("gpus", [])))
        if devices == {"cpu"}:
            found[row["run"]] = "cpu"
        elif devices and "cpu" not in devices and len(gpus) == 1:
            found[row["run"]] = gpus.pop()
    return found


def _priced_at(devices: Sequence[str], rates: Sequence[float], table: PriceTable, charged: bool, at: str | None) -> str:
    """Say which price some hours have: that of `at`, the charged one, or that of the devices in a table."""
    if at is not None:
        return f"hours of {', '.join(devices) or 'no device'}, priced as {price_of(at, table)}"
    if charged:
        where = ", ".join(devices) or "no device"
        values = [f"{value:.3g}" for value in sorted(set(rates)) if not math.isnan(value)]
        if not values:
            return f"as charged, at a price that is not known, on {where}"
        return f"as charged, {' to '.join(dict.fromkeys((values[0], values[-1])))} USD/h of {where}"
    return "; ".join(str(price_of(device, table)) for device in devices) or "no device used"


def _unpriced(rates: np.ndarray, hours: np.ndarray, charged: bool) -> str:
    """Say how many runs are not in the USD, and why: their hours are unknown, or what an hour of theirs costs."""
    unknown = np.isnan(hours)
    why = (
        "what they were charged is not known"
        if charged
        else "they charged no child, and do not say on which device they ran"
    )
    reasons = (
        (int(unknown.sum()), "how many hours they spent is not known"),
        (int((np.isnan(rates) & ~unknown).sum()), why),
    )
    return "".join(f"; {count} of {len(rates)} runs are not in the USD: {reason}" for count, reason in reasons if count)


def _own_prices(counted: pd.DataFrame) -> dict[str, list[float]]:
    """Least and greatest USD per hour of the children of each run that was charged at several prices."""
    if "usd" not in counted:
        return {}
    charged = counted[(counted["gpu_hours"] > 0) & counted["usd"].notna()]
    prices = (charged["usd"] / charged["gpu_hours"]).groupby(charged["run"], observed=True).agg(["min", "max"])
    several = prices[prices["max"] - prices["min"] > _ROUNDING * prices["max"]]
    return {str(run): [low, high] for run, low, high in several.itertuples()}


def _to_target(reaches: pd.DataFrame, usd: np.ndarray, target: float) -> dict[str, Any]:
    hours, reached = reaches["spent"].to_numpy(dtype=float), reaches["reached"].to_numpy(dtype=bool)
    priced = np.isfinite(usd[np.isfinite(hours)]).all()
    median_hours = median_time(hours, reached).value
    median_usd = median_time(usd, reached).value if priced else float("nan")
    n = f"{reached.sum()} of {len(hours)}"
    if np.isfinite(median_hours):
        text = f"median {style.short(median_hours)} h, {style.short(median_usd)} USD ({n})"
    else:
        text = f"median not reached ({n})"
    return {
        "target": target,
        "reached": int(reached.sum()),
        "hours_to_target": median_hours,
        "usd_to_target": median_usd,
        "to_target": text,
    }


def nothing_charged(data: pd.DataFrame, unit: str = "device-hours") -> str:
    """Say why there is no cost to show: nothing was spent, or what was spent is not known.

    Args:
        data: result of `cost_by_strategy`, no strategy with hours above 0.
        unit: name of what was spent.

    Returns:
        The sentence.
    """
    free = [] if data.empty else data.loc[data["gpu_hours"].notna(), "strategy"].tolist()
    if data.empty or len(free) == len(data):
        return f"Nothing was charged: these runs spent no {unit}."
    but = f", except of {', '.join(free)}, which spent no {unit}" if free else ""
    return f"What these runs cost is not known{but}."


def draw_cost(data: pd.DataFrame, ax: Axes) -> None:
    """Draw device-hours per run as stacked bars by ledger category, with USD, children and cost of the target as text.

    Args:
        data: result of `cost_by_strategy`.
        ax: one plot.
    """
    if data.empty or not data["gpu_hours"].max() > 0:
        style.say(ax, nothing_charged(data))
        return
    places = np.arange(len(data))[::-1]
    left = np.zeros(len(data))
    for category, colour in CATEGORY_COLOURS.items():
        part = data[f"{category}_hours"].fillna(0.0).to_numpy(dtype=float)  # no bar where hours are unknown
        if part.max() > 0:
            ax.barh(
                places,
                part,
                left=left,
                height=0.6,
                color=colour,
                edgecolor=style.ground(),
                linewidth=0.5,
                label=category,
            )
            left = left + part
    low, high, mean = (data[name].to_numpy(dtype=float) for name in ("gpu_hours_low", "gpu_hours_high", "gpu_hours"))
    reach = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
    several = data["runs_known"].to_numpy() > 1
    whisker: dict[str, Any] = {"fmt": "none", "ecolor": style.ink(), "elinewidth": 0.9, "capsize": 2.5}
    ax.errorbar(mean[several], places[several], xerr=[side[several] for side in reach], **whisker)
    ends = np.fmax(left, high)
    for place, right, row in zip(places, ends, data.to_dict("records")):
        ax.annotate(
            _bar_text(row), (right, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize="small"
        )
    several = "table" in data and data["table"].nunique() > 1
    names = [f"{row.strategy}, {row.table}" if several else row.strategy for row in data.itertuples()]
    counts = [style.of_runs(known, runs) for known, runs in zip(data["runs_known"], data["runs"])]
    ax.set_yticks(places, [f"{name}\n({count})" for name, count in zip(names, counts)])
    for tick, strategy in zip(ax.get_yticklabels(), data["strategy"]):
        tick.set_color(style.look(strategy).colour)
    # Leaves room at the right for the texts, which are about as wide as the longest bar.
    ax.set(
        xlabel=f"{data['unit'].iloc[0]} per run (mean; whisker: range over runs)",
        xlim=(0, 1.75 * float(ends.max())),
    )
    ax.set_ylim(-0.6, len(data) - 0.4)
    ax.grid(visible=False, axis="y")
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=7, fontsize="small", borderaxespad=0.2, columnspacing=1.2
    )


def _bar_text(row: dict[Any, Any]) -> str:
    if math.isnan(row["gpu_hours"]):
        return "hours not known"
    lines = ["USD not known" if math.isnan(row["usd"]) else f"{style.short(row['usd'])} USD per run (mean)"]
    if row["search_usd"] < (1 - _LEAST) * row["usd"]:
        lines.append(f"of these {style.short(row['search_usd'])} in the budget")
    if not math.isnan(row["usd_per_child"]):
        lines.append(f"{style.short(row['usd_per_child'])} USD per child (median)")
    if "to_target" in row:
        lines.append(f"to reach {row['target']:g}: {row['to_target']}")
    return "\n".join(lines)


def plot_cost(data: pd.DataFrame, notes: Sequence[str] = (), about: str = "") -> Figure:
    """Make a figure of `draw_cost` with the prices in the caption.

    Args:
        data: result of `cost_by_strategy`.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    data, said = style.drawn_rows(data) if len(data) else (data, "")
    with style.theme():
        figure = style.new_figure(8.0, 2.0 + 0.6 * max(1, len(data)))
        draw_cost(data, figure.subplots())
        prices = list(dict.fromkeys(data["priced_at"])) if len(data) else []
        price = f"Price: {'; '.join(prices)}." if prices else ""
        caption(figure, about, f"{said} {price}".strip(), notes)
    return figure
