"""Estimated cost of the same searches on other devices, from the speeds of the devices; and measured energy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.comparison.compare import run_hours, run_rates
from nasbench.analysis.costs.cost import devices_of_childless
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.costs.carbon import CarbonIntensity
from nasbench.costs.pricing import PriceTable, price_of, shipped_prices
from nasbench.costs.speeds import Rate, Speed, shipped_speeds, speed_ratio
from nasbench.costs.units import device_time
from nasbench.errors import InputError
from nasbench.store.format.schema import LEDGER_CATEGORIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURED, ESTIMATE = "as run", "estimate"
JOULES_PER_KWH = 3.6e6
TABLE_DEVICE = "table"  # device name of replays, whose hours are those of a table's simulated clock
_COLUMNS = ("strategy", "runs", "device", "kind", "times", "gpu_hours", "usd", "price", "basis", "caveat")


def cost_on_other_devices(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    devices: Sequence[str],
    prices: PriceTable | None = None,
    speeds: tuple[Speed, ...] | None = None,
    rates: tuple[Rate, ...] = (),
    ran_on: str | None = None,
) -> pd.DataFrame:
    """Compute device-hours and USD of each strategy's runs as measured, and estimates for other devices.

    Hours of children are scaled by the ratio of speeds; the strategy's own time (category searcher) is unchanged.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        devices: devices to estimate for, e.g. ("A100", "H100").
        prices: table of prices; None for the shipped one.
        speeds: table of peaks; None for the shipped one.
        rates: measured rates, which are preferred to peaks if both devices have a rate for the same task.
        ran_on: device of the hours if rows name none (a table's simulated clock); None for the devices of the rows.

    Returns:
        strategy, runs, device, kind ("as run" or "estimate"), times (how many times as fast as the device of the runs;
        1 as run), gpu_hours and usd (means over runs; USD as charged for what was run), price (text), basis (of the
        ratio), caveat.

    Raises:
        InputError: for a device without a speed or price, or hours of a table's clock without `ran_on`.
    """
    categories = [f"{category}_hours" for category in LEDGER_CATEGORIES]
    require_columns(runs, ("run", "strategy", "usd", *categories), "the runs")
    require_columns(frame, ("run", "device", "gpu_hours"), "the children")
    table, peaks = shipped_prices() if prices is None else prices, shipped_speeds() if speeds is None else speeds
    here = _places(frame, runs, ran_on)
    hours, charged = run_hours(runs), run_rates(runs)
    own = runs.set_index("run")["searcher_hours"].astype(float)
    rows: list[dict[str, Any]] = []
    for strategy in style.in_order(runs["strategy"].unique().tolist()):
        ids = runs.loc[runs["strategy"] == strategy, "run"]
        names = ", ".join(sorted(set(here.columns[(here.loc[ids] > 0).any()]))) or "no device"
        first = {"strategy": strategy, "runs": len(ids)}
        spent = {"gpu_hours": hours[ids].mean(), "usd": (hours[ids] * charged[ids]).mean()}
        rows.append(
            {
                **first,
                "device": names,
                "kind": MEASURED,
                "times": 1.0,
                **spent,
                "price": "as charged",
                "basis": "",
                "caveat": "",
            }
        )
        for device in devices:
            price = price_of(device, table)
            ratios = {name: speed_ratio(device, name, peaks, rates) for name in here.columns[(here.loc[ids] > 0).any()]}
            shorter = sum(
                (here.loc[ids, name] / ratio.times for name, ratio in ratios.items()), start=pd.Series(0.0, index=ids)
            )
            shorter = shorter.where(here.loc[ids].sum(axis=1) > 0)  # NaN where it is not known what the run used
            rest = hours[ids] - own[ids]
            there = (rest * shorter).where(rest != 0, 0.0) + own[ids]
            basis, caveat = (
                "; ".join(dict.fromkeys(filter(None, (getattr(ratio, name) for ratio in ratios.values()))))
                for name in ("basis", "caveat")
            )
            caveat = "; ".join(filter(None, [caveat, *_left_out(strategy, hours[ids], there)]))
            times = float(1 / shorter.mean()) if shorter.mean() > 0 else float("nan")
            found = {
                "gpu_hours": there.mean(),
                "usd": there.mean() * price.usd,
                "price": str(price),
                "basis": basis,
                "caveat": caveat,
            }
            rows.append({**first, "device": device, "kind": ESTIMATE, "times": times, **found})
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _left_out(strategy: str, hours: pd.Series[Any], there: pd.Series[Any]) -> list[str]:
    """Say how many of a strategy's runs have no estimate, and why: by their hours as run and as estimated."""
    unknown = int(hours.isna().sum())
    reasons = (
        (unknown, "do not say how many hours they spent"),
        (int(there.isna().sum()) - unknown, "do not say on which device they ran (name it by --from)"),
    )
    return [
        f"{count} of {len(hours)} runs of {strategy} {why}: they are left out" for count, why in reasons if count > 0
    ]


def _places(frame: pd.DataFrame, runs: pd.DataFrame, ran_on: str | None) -> pd.DataFrame:
    """Share of each run's hours by device, [runs, devices]; none of a run without charged children that names no device."""
    used = frame[frame["gpu_hours"] > 0]
    used = used[used["device"] != ""] if ran_on is None else used.assign(device=ran_on)
    if ran_on is None and (used["device"] == TABLE_DEVICE).any():
        raise InputError(
            "these hours are of a table's simulated clock, which names no device; say on which it was trained, e.g. --from cpu for "
            "digits201 or --from '1080 Ti' for NAS-Bench-201"
        )
    childless = devices_of_childless(runs, set(runs["run"]) - set(used["run"]))
    more = [{"run": run, "device": ran_on or device, "gpu_hours": 1.0} for run, device in childless.items()]
    used = pd.concat([used[["run", "device", "gpu_hours"]], pd.DataFrame(more)]) if more else used
    hours = used.pivot_table(index="run", columns="device", values="gpu_hours", aggfunc="sum", fill_value=0.0)
    shares = hours.div(hours.sum(axis=1), axis=0)
    found: pd.DataFrame = shares.reindex(runs["run"]).fillna(0.0)
    return found


def energy_by_strategy(runs: pd.DataFrame) -> pd.DataFrame:
    """Sum the energy that hardware counters measured for each strategy's runs. Nothing is estimated.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`; their provenance has the energy, in joules by counter.

    Returns:
        strategy, runs, measured (runs with a reading), incomplete (those of them of which an attempt has none), kwh (mean
        over those with a reading; NaN without), counters ('' without). A counter's energy is that of a whole processor
        package or GPU, including everything else that ran there.
    """
    require_columns(runs, ("strategy", "provenance"), "the runs")
    # Only texts with a reading are parsed: there may be thousands of runs.
    texts = runs["provenance"].tolist()
    joules = [_joules(text) if text and '"energy"' in text else {} for text in texts]
    partly = [bool(each) and _is_incomplete(text) for text, each in zip(texts, joules)]
    places = runs.groupby("strategy", sort=False).indices
    rows = []
    for strategy in style.in_order(runs["strategy"].unique().tolist()):
        mine = places[strategy]
        readings = [joules[place] for place in mine.tolist() if joules[place]]
        kwh = [sum(reading.values()) / JOULES_PER_KWH for reading in readings]
        counters = ", ".join(sorted({name for reading in readings for name in reading}))
        mean = float(np.mean(kwh)) if kwh else float("nan")
        incomplete = sum(partly[place] for place in mine.tolist())
        found = {"measured": len(readings), "incomplete": incomplete, "kwh": mean, "counters": counters}
        rows.append({"strategy": strategy, "runs": len(mine), **found})
    return pd.DataFrame(rows, columns=["strategy", "runs", "measured", "incomplete", "kwh", "counters"])


def _joules(provenance: str) -> dict[str, float]:
    try:
        energy = json.loads(provenance or "{}").get("energy") or {}
        return {str(name): float(value) for name, value in energy.get("joules", {}).items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _is_incomplete(provenance: str) -> bool:
    """Whether a run's energy, which is known to be there, lacks that of an attempt."""
    return "incomplete" in json.loads(provenance)["energy"]


def _incomplete_note(known: pd.DataFrame) -> str:
    lacking = int(known["incomplete"].sum())
    runs = "1 run" if lacking == 1 else f"{lacking} runs"
    return f" It is too low for {runs} of which an attempt was not measured." if lacking else ""


def energy_note(data: pd.DataFrame) -> str:
    """Sentence about the measured energy.

    Args:
        data: result of `energy_by_strategy`.

    Returns:
        The sentence.
    """
    known = data[data["measured"] > 0]
    if known.empty:
        return "Energy: not measured (the runs hold no reading of RAPL or NVML)."
    parts = [
        f"{row.strategy} {style.short(row.kwh)} kWh per run (n={row.measured} of {row.runs})"
        for row in known.itertuples()
    ]
    counters = ", ".join(dict.fromkeys(", ".join(known["counters"]).split(", ")))
    return f"Energy measured by {counters}, with what else ran there: {'; '.join(parts)}.{_incomplete_note(known)}"


def emissions(energy: pd.DataFrame, intensity: CarbonIntensity) -> pd.DataFrame:
    """Add the emissions of the measured energy. Where no energy was measured, there are none: nothing is estimated.

    Args:
        energy: result of `energy_by_strategy`.
        intensity: grams of CO2 equivalents per kilowatt-hour.

    Returns:
        The frame with the column co2e_grams: the mean per run, over the runs with a reading; NaN without.
    """
    return energy.assign(co2e_grams=[intensity.grams(kwh) for kwh in energy["kwh"]])


def emissions_note(data: pd.DataFrame, intensity: CarbonIntensity) -> str:
    """Sentence about the emissions.

    Args:
        data: result of `emissions`.
        intensity: the intensity used.

    Returns:
        The sentence; says that there are none where no energy was measured.
    """
    known = data[data["measured"] > 0]
    if known.empty:
        return "CO2e: unknown, because no energy was measured: the runs hold no reading of RAPL or NVML."
    parts = [f"{row.strategy} {style.short(row.co2e_grams)} g per run" for row in known.itertuples()]
    return f"CO2e of the measured energy at {intensity}: {'; '.join(parts)}.{_incomplete_note(known)}"


def draw_cost_on_other_devices(data: pd.DataFrame, ax: Axes, what: str = "usd") -> None:
    """Draw hours or USD per run by device, one point per strategy: filled if measured, hollow if estimated.

    Args:
        data: result of `cost_on_other_devices`, or those of several tables, named by a column table.
        ax: one plot.
        what: "gpu_hours" or "usd".
    """
    known = data[data[what] > 0]
    if known.empty:
        what_is = "What these runs cost is not known" if data[what].isna().any() else "Nothing was charged"
        style.say(ax, f"{what_is}, so that there is nothing to estimate from.")
        return
    low, high = float(known[what].min()), float(known[what].max())
    style.logarithmic(ax, low, high if high > low else 2 * low)
    places = _rows_of_picture(data)
    strategies = style.in_order(data["strategy"].unique().tolist())
    for row in known.to_dict("records"):
        look, run = style.look(row["strategy"]), row["kind"] == MEASURED
        above = 0.5 * (strategies.index(row["strategy"]) + 0.5) / len(strategies) - 0.25
        y = len(places) - 1 - places.index((row["device"], row["kind"], row.get("table", ""))) - above
        face = look.colour if run else "none"
        ax.plot(
            [row[what]], [y], marker=look.marker, markersize=7, color=look.colour, markerfacecolor=face, linestyle=""
        )
    for strategy in strategies:
        look = style.look(strategy)
        ax.plot([], [], marker=look.marker, linestyle="", color=look.colour, label=strategy)
    several = len({table for _, _, table in places}) > 1
    names = [f"{device}\n({kind}{f', {table}' if several else ''})" for device, kind, table in places]
    ax.set_yticks(range(len(places))[::-1], names)
    ax.set(
        xlabel=f"{'USD' if what == 'usd' else device_time(data['device'])} per run (mean)",
        ylim=(-0.6, len(places) - 0.4),
    )
    ax.margins(x=0.08)


def _rows_of_picture(data: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Device, kind and table of each row of the picture, from the top; the table is "" where none is named."""
    tables = data["table"] if "table" in data else [""] * len(data)
    return list(dict.fromkeys(zip(data["device"], data["kind"], tables)))


def plot_cost_on_other_devices(data: pd.DataFrame, notes: Sequence[str] = (), about: str = "") -> Figure:
    """Plot hours and USD by device, side by side, with the basis of the estimates in the caption.

    Args:
        data: result of `cost_on_other_devices`.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    lines = [*estimate_notes(data), *notes]
    with style.theme():
        figure = style.new_figure(10.0, 2.1 + 0.62 * len(_rows_of_picture(data)))
        axes = figure.subplots(1, 2, sharey=True)
        for ax, what in zip(axes, ("gpu_hours", "usd")):
            draw_cost_on_other_devices(data, ax, what)
        handles, labels = axes[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper left", ncols=6, fontsize="small")
        caption(figure, about, "Filled: measured. Hollow: estimated from the devices' peaks or measured rates.", lines)
    return figure


def _whose(row: dict[Any, Any], data: pd.DataFrame) -> str:
    """Name of the runs of a row: their strategy, and their table where there are several."""
    several = "table" in data and data["table"].nunique() > 1
    return f"{row['strategy']}, {row['table']}" if several else str(row["strategy"])


def estimate_notes(data: pd.DataFrame) -> list[str]:
    """Explain basis and limits of the estimates of `cost_on_other_devices`.

    Args:
        data: result of `cost_on_other_devices`.

    Returns:
        Sentences; empty without estimates.
    """
    guessed = data[data["kind"] == ESTIMATE]
    if guessed.empty:
        return []
    notes = []
    for _, rows in guessed.groupby("device", sort=False):
        rows = rows[rows["times"].notna()]  # NaN where nothing is known of a strategy's runs
        several = rows[["times", "basis"]].drop_duplicates().shape[0] > 1  # strategies ran on different devices
        notes += [
            f"{row['device']}{f' for {_whose(row, guessed)}' if several else ''}: {style.short(row['times'])} times as fast by "
            f"{row['basis']}; {row['price']}."
            for row in (rows if several else rows.head(1)).to_dict("records")
        ]
    return [
        *notes,
        *(f"{caveat[0].upper()}{caveat[1:]}." for caveat in dict.fromkeys(guessed["caveat"]) if caveat),
        "Estimates, not measurements (hollow): small networks reach a small share of a large GPU's peak and would take longer.",
    ]
