"""Cost of published searches in device-hours and USD, in both readings of the printed numbers.

The literature prints 22,400 and 2,000 "GPU-hours" for two searches whose papers give 800 GPUs x 28 days and 500 GPUs x
4 days: the same numbers, but GPU-days. Both readings are reported side by side, without a choice between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.costs.pricing import Price, PriceTable, price_of, shipped_prices, usd
from nasbench.errors import InputError
from nasbench.tabular.published import published_searches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AS_PRINTED = "printed GPU-hours"
GPU_DAYS = "GPU-days x 24"
HOURS_PER_DAY = 24.0

# The lecture notes behind this suite: 2,000 h x 1.5 USD = 3,000 USD = 25,000 NOK. They name no exchange rate; this one
# is implied.
NOTES_PROVIDER = "lecture notes"
NOTES_USD, NOTES_NOK = 3_000.0, 25_000.0

_LOOKS = {AS_PRINTED: ("#0072b2", "o"), GPU_DAYS: ("#d55e00", "D")}


def published_cost(at: str | None = None, prices: PriceTable | None = None) -> pd.DataFrame:
    """Compute device-hours and USD of each published search, one row per reading of its numbers.

    Args:
        at: also price the hours at this device ("V100"). The hours remain those of the search's own device; the
            different speed of that device is not estimated.
        prices: price table; None for the shipped one.

    Returns:
        search, system, reading (`AS_PRINTED`, only where the literature prints hours, or `GPU_DAYS`), arithmetic (how
        the hours come about, in words), gpu_hours, device ('' when the paper's is not on record), own_price (the price
        of that device in words, or why there is none), own_usd (NaN without a price), at_price and at_usd (the same at
        `at`; '' and NaN without it), tag, note. The order is that of `published_searches`.

    Raises:
        InputError: when `at` has no price.
    """
    table = shipped_prices() if prices is None else prices
    chosen = price_of(at, table) if at is not None else None
    rows: list[dict[str, Any]] = []
    for search in published_searches().to_dict("records"):
        own, own_words = _own_price(str(search["device"]), table)
        for reading, hours, arithmetic in _readings(search):
            rows.append(
                {
                    "search": search["search"],
                    "system": search["system"],
                    "reading": reading,
                    "arithmetic": arithmetic,
                    "gpu_hours": hours,
                    "device": search["device"],
                    "own_price": own_words,
                    "own_usd": math.nan if own is None else usd(hours, own),
                    "at_price": "" if chosen is None else str(chosen),
                    "at_usd": math.nan if chosen is None else usd(hours, chosen),
                    "tag": search["tag"],
                    "note": search["note"],
                }
            )
    return pd.DataFrame(rows)


def notes_cost() -> pd.DataFrame:
    """Compute the lecture notes' price of NASNet's search in both readings: hours x 1.5 USD, NOK at the implied rate.

    Returns:
        reading, gpu_hours, usd_per_hour (the notes' row of the shipped price table), usd, nok, nok_per_usd (implied by
        3,000 USD = 25,000 NOK), arithmetic.
    """
    price = next(price for price in shipped_prices() if price.provider == NOTES_PROVIDER)
    rate = NOTES_NOK / NOTES_USD
    search = published_searches().set_index("search").loc["nasnet"].to_dict()
    rows = []
    for reading, hours, _ in _readings(search):
        dollars = usd(hours, price)
        text = f"{hours:,.0f} h x {price.usd:g} USD/h = {dollars:,.0f} USD = {dollars * rate:,.0f} NOK"
        rows.append(
            {
                "reading": reading,
                "gpu_hours": hours,
                "usd_per_hour": price.usd,
                "usd": dollars,
                "nok": dollars * rate,
                "nok_per_usd": rate,
                "arithmetic": text,
            }
        )
    return pd.DataFrame(rows)


def cost_notes(data: pd.DataFrame) -> list[str]:
    """Explain the numbers of `published_cost`: the lecture notes' arithmetic, the readings, prices, and missing prices.

    Args:
        data: result of `published_cost`.

    Returns:
        Lines of one or two sentences, for use under a table or figure.
    """
    printed, days = notes_cost().to_dict("records")
    lines = [
        f"The notes price NASNet's search at {printed['arithmetic']} (they imply {printed['nok_per_usd']:.2f} NOK/USD); "
        f"read as GPU-days: {days['arithmetic']}.",
        "The literature prints 22,400 and 2,000 GPU-hours for 800 x 28 and 500 x 4 GPU-days; both readings are shown, 24 times apart.",
    ]
    priced = data[data["own_usd"].notna()]
    for _, rows in data[data["own_usd"].isna()].groupby("own_price", sort=False):
        names = ", ".join(dict.fromkeys(rows["system"]))
        lines.append(f"{names}: {rows['own_price'].iloc[0]}.")
    if len(priced):
        lines.append(f"Own devices: {'; '.join(dict.fromkeys(priced['own_price']))}.")
    if (data["at_price"] != "").any():
        lines.append(f"Priced at: {data['at_price'].iloc[0]}; the hours stay those of the search's own device.")
    return lines


def _readings(search: dict[Any, Any]) -> list[tuple[str, float, str]]:
    """Reading, hours and arithmetic as text: first the printed hours, if any, then GPU-days x 24."""
    readings = []
    if not math.isnan(search["printed_gpu_hours"]):
        hours = float(search["printed_gpu_hours"])
        readings.append((AS_PRINTED, hours, f"{hours:,.0f} h as printed"))
    days = float(search["gpu_days"])
    if math.isnan(search["devices"]) or search["devices"] == 1:
        text = f"{days:g} GPU-days x 24"
    else:
        text = f"{search['devices']:g} x {search['days']:g} days x 24"
    readings.append((GPU_DAYS, days * HOURS_PER_DAY, text))
    return readings


def _own_price(device: str, table: PriceTable) -> tuple[Price | None, str]:
    """Price of a search's own device with its text; if there is none, None and the reason."""
    if not device:
        return None, "its device is not on record, so it has no price of its own"
    try:
        price = price_of(device, table)
    except InputError:
        return None, f"the price table has no listing of a {device}"
    return price, str(price)


def draw_published_cost(data: pd.DataFrame, ax: Axes, price: str = "own") -> None:
    """Draw USD on a log axis, one line per search: the readings of its numbers, with hours and USD as text.

    Args:
        data: result of `published_cost`.
        ax: one plot.
        price: "own" for the search's own device, "at" for the chosen one.

    Raises:
        InputError: for another `price`, or "at" when the data were not priced at a device.
    """
    if price not in ("own", "at"):
        raise InputError(f"a search is priced at its 'own' device or 'at' the chosen one, got {price!r}")
    column = f"{price}_usd"
    if price == "at" and data[column].isna().all():
        raise InputError(
            "these rows were not priced at a chosen device; call published_cost(at='V100') or another device"
        )
    if data.empty or not data[column].max() > 0:
        style.say(ax, "No search has a price above 0 in this table.")
        return
    searches = list(dict.fromkeys(data["search"]))
    positive = data[column][data[column] > 0]
    _usd_axis(ax, float(positive.min()), float(positive.max()))
    for place, search in enumerate(reversed(searches)):
        _draw_search(data[data["search"] == search], ax, place, column)
    if price == "own":
        _draw_notes(ax, len(searches))
    names = [_name(data[data["search"] == search].iloc[0]) for search in reversed(searches)]
    ax.set_yticks(range(len(searches)), names)
    ax.set_ylim(-0.6, len(searches) - 0.2)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    where = "at its own device" if price == "own" else f"at {data['at_price'].iloc[0]}"
    ax.set(xlabel=f"USD of the search {where}")


def _usd_axis(ax: Axes, low: float, high: float) -> None:
    """Set a log axis of USD with one tick per decade and room for the texts beside the points."""
    from matplotlib.ticker import LogLocator

    style.logarithmic(ax, low, high)
    ax.xaxis.set_major_locator(LogLocator(numticks=12))
    ax.set_xlim(low / 3, high * 40)


def _draw_search(rows: pd.DataFrame, ax: Axes, place: int, column: str) -> None:
    """Draw the points of one search with their USD, and its hours in a column at the right."""
    offsets = [0.19, -0.19] if len(rows) == 2 else [0.0]
    for offset, row in zip(offsets, rows.to_dict("records")):
        colour, marker = _LOOKS[row["reading"]]
        if math.isnan(row[column]):
            ax.annotate(
                row["own_price"],
                (0.5, place + offset),
                xycoords=("axes fraction", "data"),
                ha="center",
                va="center",
                color=style.muted(),
                fontsize="small",
                bbox={"facecolor": style.ground(), "edgecolor": "none", "pad": 1.5},
            )
        else:
            ax.plot(row[column], place + offset, marker=marker, color=colour, markersize=7, linestyle="none", zorder=3)
            ax.annotate(
                f"{row[column]:,.0f} USD",
                (row[column], place + offset),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
                bbox={"facecolor": style.ground(), "edgecolor": "none", "pad": 0.5},
            )
        ax.annotate(
            f"{row['arithmetic']} = {_hours(row['gpu_hours'])} h" if row["reading"] == GPU_DAYS else row["arithmetic"],
            (1.01, place + offset),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="small",
            color=colour,
            annotation_clip=False,
        )


def _draw_notes(ax: Axes, searches: int) -> None:
    text = f"the notes: {NOTES_USD:,.0f} USD = {NOTES_NOK:,.0f} NOK"
    ax.axvline(NOTES_USD, color=style.muted(), linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    ax.annotate(
        text,
        (NOTES_USD, searches - 0.2),
        xytext=(4, -1),
        textcoords="offset points",
        va="top",
        fontsize="small",
        color=style.muted(),
    )


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _name(row: pd.Series[Any]) -> str:
    return f"{row['system']}\n{row['device'] or 'device not on record'}"


def plot_published_cost(data: pd.DataFrame, notes: Sequence[str] = ()) -> Figure:
    """Make a figure of `draw_published_cost` at the searches' own devices and, if `at` was given, at that device.

    Args:
        data: result of `published_cost`.
        notes: additional sentences for the text beside the picture.

    Returns:
        The figure.
    """
    from matplotlib.lines import Line2D

    panels = ["own", "at"] if data["at_usd"].notna().any() else ["own"]
    with style.theme():
        figure = style.new_figure(9.0, (0.9 + 0.62 * data["search"].nunique()) * len(panels) + 0.8)
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        limits = []
        for ax, price in zip(axes, panels):
            draw_published_cost(data, ax, price)
            limits.append(ax.get_xlim())
        for ax in axes:
            ax.set_xlim(min(left for left, _ in limits), max(right for _, right in limits))
        handles = [Line2D([], [], color=c, marker=m, linestyle="none", label=name) for name, (c, m) in _LOOKS.items()]
        axes[0].legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        about = "Published searches, in both readings of their numbers; costs are GPU-hours times a price, not scores"
        caption(figure, about, "", [*cost_notes(data), *notes])
    return figure
