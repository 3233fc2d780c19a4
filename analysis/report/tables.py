"""The tables of a report as words for people, the same for a page and for Markdown."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pandas as pd

from nasbench.analysis.costs.cost import CATEGORY_COLOURS
from nasbench.analysis.costs.cost_on_other_devices import ESTIMATE
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.final_scores import STATISTICS

if TYPE_CHECKING:
    from nasbench.analysis.report.contents import Contents

Kind = Literal["text", "number", "strategy", "code", "answer"]
NONE = "–"


class Column(NamedTuple):
    """A column of a table: its heading, what it holds, and one line that explains it ("" where the heading says all)."""

    heading: str
    kind: Kind = "number"
    meaning: str = ""


class Cell(NamedTuple):
    """A value, and what stands beside it in smaller letters: an interval, an n; a line of its own after each line break."""

    main: str
    aside: str = ""


@dataclass(frozen=True)
class Table:
    """A table of words; every row has a cell for each column."""

    columns: tuple[Column, ...]
    rows: list[list[Cell]] = field(default_factory=list)


def summary_table(found: Contents) -> Table:
    """What each strategy found, with n and interval at every score."""
    unit = hour_unit(found.summary["search_gpu_hours"])
    columns = (
        Column("Strategy", "strategy"),
        Column("Seeds", meaning="Runs of the strategy"),
        Column("Validation %", meaning="Best validation accuracy of a run: median over seeds"),
        Column("Test %", meaning="Test accuracy of the retrained incumbents: median over seeds"),
        Column("Children", meaning="Counted children of all runs, and how many different hashes they have"),
        Column("Duplicates", meaning="Children whose hash the same run had asked for before"),
        Column("Failed", meaning="Children that diverged, ran out of time or memory, or failed"),
        Column(f"{unit.name} a run", meaning="Charged to the search, median over runs; the final training beside"),
        *([Column("USD a run", meaning="Median over runs, final training included")] if priced(found) else []),
        Column("Searcher", meaning="The strategy's own share of the search's device time"),
    )
    table = Table(columns)
    for row in found.summary.to_dict("records"):
        share = row["searcher_share"]
        table.rows.append(
            [
                Cell(row["strategy"]),
                Cell(str(row["runs"])),
                score(row["val_acc"], row["val_low"], row["val_high"], row["interval"]),
                score(row["test_acc"], row["test_low"], row["test_high"], row["test_interval"]),
                Cell(f"{row['children']:,}", f"({row['distinct']:,} distinct)"),
                Cell(f"{row['duplicates']:,}"),
                Cell(f"{row['failures']:,}"),
                Cell(unit.of(row["search_gpu_hours"]), f"(+ {unit.of(row['final_gpu_hours'])} final)"),
                *([Cell(usd(row["usd"]))] if priced(found) else []),
                Cell(NONE if math.isnan(share) else f"{share:.1%}"),
            ]
        )
    return table


SCORE_NAMES = {"val_acc": "Validation", "test_acc": "Test"}


def scores_table(found: Contents) -> Table:
    """Mean, median and interquartile mean of the final scores, each with its interval."""
    columns = [Column("Strategy", "strategy")]
    for measure in found.scores:
        columns += [
            Column(f"{SCORE_NAMES[measure]} n", meaning="Runs with a score"),
            Column("mean %"),
            Column("median %"),
        ]
        columns.append(Column("IQM %", meaning="Interquartile mean: of the middle half of the runs"))
    table = Table(tuple(columns))
    for strategy in found.strategies:
        cells = [Cell(strategy)]
        for scores in found.scores.values():
            rows = scores[scores["strategy"] == strategy].set_index("statistic")
            cells.append(Cell(f"{rows['n'].iloc[0]} of {rows['runs'].iloc[0]}"))
            for statistic in STATISTICS:
                row = rows.loc[statistic]
                known = not math.isnan(row["low"])
                words = f"[{percent(row['low'])}, {percent(row['high'])}]" if known else "(insufficient)"
                cells.append(Cell(percent(row["value"]), words))
        table.rows.append(cells)
    return table


def tests_table(found: Contents) -> Table:
    """Each strategy's final scores against random search's."""
    columns = (
        Column("Strategy", "strategy"),
        Column("Score", "text"),
        Column("n", meaning="Runs of the strategy and of random search"),
        Column("Difference", meaning="Of the means, in percentage points, with its bootstrap interval"),
        Column("Beats random in", meaning="The share of pairs of runs in which the strategy is better, ties half"),
        Column("p", meaning="Mann-Whitney, two-sided, after Holm's correction"),
        Column("Effect", "text", "Of the share of pairs, in the words of Vargha and Delaney"),
    )
    table = Table(columns)
    for measure, tests in found.tests.items():
        for row in tests.to_dict("records"):
            known = not math.isnan(row["difference_low"])
            points = (
                f"[{points_apart(row['difference_low'])}, {points_apart(row['difference_high'])}]"
                if known
                else "(insufficient)"
            )
            pairs = f"[{row['improvement_low']:.0%}, {row['improvement_high']:.0%}]" if known else "(insufficient)"
            table.rows.append(
                [
                    Cell(row["first"]),
                    Cell(SCORE_NAMES[measure].lower()),
                    Cell(f"{row['n_first']} and {row['n_second']}"),
                    Cell(points_apart(row["difference"]), points),
                    Cell(f"{row['improvement']:.0%}", pairs),
                    Cell(probability(row["p_holm"])),
                    Cell(row["magnitude"] if known else NONE),
                ]
            )
    return table


def points_apart(value: float) -> str:
    """A difference of fractions in percentage points, with its sign where two decimals show one."""
    return f"{100 * value:+.2f}" if abs(value) >= 0.5e-4 else "0.00"


def probability(value: float) -> str:
    """A p value with three decimals; a dash for NaN."""
    return NONE if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def fairness_table(found: Contents) -> Table:
    """Every check of the comparison and, beside what it asks, what it found."""
    table = Table((Column("Check", "text"), Column("Answer", "answer"), Column("What it asks, and found", "text")))
    for row in found.fairness.to_dict("records"):
        answer = "met" if row["met"] else "allowed"
        table.rows.append([Cell(row["check"]), Cell(answer), Cell(row["asks"], row["finding"])])
    return table


def checklist_table(found: Contents) -> Table:
    """Every item of the best-practices checklist, its answer and, beside what it asks, the evidence."""
    table = Table(
        (Column("Item", "text"), Column("Answer", "answer"), Column("What it asks, and the evidence", "text"))
    )
    for row in found.checklist.to_dict("records"):
        table.rows.append(
            [Cell(row["number"], row["section"]), Cell(row["answer"]), Cell(row["asks"], row["evidence"])]
        )
    return table


def score(middle: float, low: float, high: float, interval: str) -> Cell:
    """An accuracy in percent with its interval and n."""
    if math.isnan(middle):
        return Cell(NONE, interval)
    if low == high == middle:
        return Cell(percent(middle), interval)
    return Cell(percent(middle), f"[{percent(low)}, {percent(high)}]\n{interval}")


def percent(value: float) -> str:
    """A fraction as percent with two decimals, a dash for NaN."""
    return NONE if math.isnan(value) else f"{100 * value:.2f}"


def setup_table(found: Contents) -> Table:
    """The strategies that were run, with their options."""
    columns = (
        Column("Strategy", "strategy"),
        Column("Options", "code"),
        Column("Seeds"),
        Column("Complete"),
        Column("Children"),
    )
    table = Table(columns)
    for row in found.setup.to_dict("records"):
        seeds = f"{row['first']} to {row['last']}" if row["first"] != row["last"] else f"seed {row['first']}"
        table.rows.append(
            [
                Cell(row["strategy"]),
                Cell(row["options"] or NONE),
                Cell(str(row["seeds"]), f"({seeds})"),
                Cell(f"{row['complete']} of {row['runs']}"),
                Cell(f"{row['children']:,}"),
            ]
        )
    return table


def cost_table(found: Contents) -> Table:
    """What a run of each strategy cost, on average, and the way to the target."""
    unit = hour_unit(found.cost["gpu_hours"])
    child = hour_unit(found.cost["hours_per_child"])
    columns = [
        Column("Strategy", "strategy"),
        Column("n", meaning="Runs"),
        Column(f"{unit.name} a run", meaning="Mean over runs, all categories; range beside"),
        Column(f"{child.name} a child", meaning="Median of the counted children"),
    ]
    if priced(found):
        columns.insert(3, Column("USD a run", meaning="Mean over runs"))
        columns.append(Column("USD a child", meaning="Median of the counted children"))
    target = found.wishes.target
    if target is not None:
        columns.append(
            Column(
                f"To reach {100 * target:g} %", "text", "Median over runs; those that never did count as more than any"
            )
        )
    table = Table(tuple(columns))
    for row in found.cost.to_dict("records"):
        cells = [
            Cell(row["strategy"]),
            Cell(str(row["runs"])),
            Cell(unit.of(row["gpu_hours"]), f"[{unit.of(row['gpu_hours_low'])}, {unit.of(row['gpu_hours_high'])}]"),
            Cell(child.of(row["hours_per_child"])),
        ]
        if priced(found):
            cells.insert(3, Cell(usd(row["usd"])))
            cells.append(Cell(usd(row["usd_per_child"])))
        if target is not None:
            cells.append(_to_target(row, priced(found)))
        table.rows.append(cells)
    return table


def _to_target(row: dict[Hashable, Any], in_usd: bool) -> Cell:
    count = f"{row['reached']} of {row['runs']} runs reached it"
    if math.isnan(row["hours_to_target"]):
        return Cell("more than the budget", count)
    unit = hour_unit(pd.Series([row["hours_to_target"]]))
    money = f", {usd(row['usd_to_target'])} USD" if in_usd else ""
    return Cell(f"{unit.of(row['hours_to_target'])} {unit.name}{money}", count)


def priced(found: Contents) -> bool:
    """Whether anything was charged in USD; a replay without a price was not, which is not the same as for nothing."""
    return bool((found.cost["usd"] > 0).any())


def usd(value: float) -> str:
    """A price in at most three digits, without powers of ten; a dash for NaN."""
    if math.isnan(value):
        return NONE
    places = 0 if value == 0 else 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{places}f}".rstrip("0").rstrip(".") if 0 < abs(value) < 1 else style.short(value)


class Share(NamedTuple):
    """A part of a bar: its ledger category, colour, length in percent of the longest bar, and words for its device time."""

    category: str
    colour: str
    length: float
    words: str


class Bar(NamedTuple):
    """A strategy's device time a run, in parts by ledger category."""

    strategy: str
    words: str
    shares: list[Share]


def cost_bars(found: Contents) -> list[Bar]:
    """The mean device time of each strategy's runs as bars; none where nothing was charged."""
    longest = float(found.cost["gpu_hours"].max()) if len(found.cost) else 0.0
    if not longest > 0:
        return []
    unit = hour_unit(found.cost["gpu_hours"])
    bars = []
    for row in found.cost.to_dict("records"):
        parts = [(category, colour, row[f"{category}_hours"]) for category, colour in CATEGORY_COLOURS.items()]
        shares = [
            Share(name, colour, 100 * hours / longest, f"{unit.of(hours)} {unit.name}, {hours / row['gpu_hours']:.1%}")
            for name, colour, hours in parts
            if hours > 0
        ]
        money = f", {usd(row['usd'])} USD" if priced(found) else ""
        bars.append(Bar(row["strategy"], f"{unit.of(row['gpu_hours'])} {unit.name}{money}", shares))
    return bars


def category_table(found: Contents) -> Table:
    """The device time of a run by ledger category, for the categories that were charged anything."""
    unit = hour_unit(found.cost["gpu_hours"])
    charged = [name for name in CATEGORY_COLOURS if (found.cost[f"{name}_hours"] > 0).any()]
    meanings = (CATEGORY_MEANINGS[name] for name in charged)
    table = Table((Column("Strategy", "strategy"), *(Column(n, meaning=m) for n, m in zip(charged, meanings))))
    for row in found.cost.to_dict("records"):
        hours = [row[f"{name}_hours"] for name in charged]
        cells = [Cell(unit.of(value), f"({value / row['gpu_hours']:.1%})" if value > 0 else "") for value in hours]
        table.rows.append([Cell(row["strategy"]), *cells])
    return table


def elsewhere_table(found: Contents) -> Table:
    """What a run took, and would take on other devices by estimate."""
    data = found.elsewhere
    devices = data.loc[data["kind"] == ESTIMATE, "device"].drop_duplicates().tolist() if len(data) else []
    parts = {device: data[(data["device"] == device) & (data["kind"] == ESTIMATE)] for device in devices}
    units = {device: hour_unit(part["gpu_hours"]) for device, part in parts.items()}
    unit = hour_unit(found.cost["gpu_hours"])
    columns = [Column("Strategy", "strategy"), Column(f"As run, {unit.name}", meaning="Mean over runs, all categories")]
    for device in devices:
        meaning = "An estimate, not a measurement; how many times as fast, and USD, beside"
        columns.append(Column(f"{device}: {units[device].name}, estimated", meaning=meaning))
    table = Table(tuple(columns))
    for strategy, hours in zip(found.cost["strategy"], found.cost["gpu_hours"]) if devices else ():
        cells = [Cell(strategy), Cell(unit.of(hours))]
        for device, part in parts.items():
            row = part[part["strategy"] == strategy].iloc[0]
            beside = f"({style.short(row['times'])} times as fast)\n{usd(row['usd'])} USD"
            cells.append(Cell(f"≈ {units[device].of(row['gpu_hours'])}", beside))
        table.rows.append(cells)
    return table


CATEGORY_MEANINGS = {
    "training": "Children trained to their end, or until they diverged, without their evaluation",
    "evaluation": "Validation of these children",
    "cached": "What children with known scores cost when they were trained",
    "failed": "Children that ran out of time or memory, or failed",
    "searcher": "The strategy's own work",
    "supernet": "Training of shared weights",
    "final": "Retraining and testing of the incumbents",
}


def volume_table(found: Contents) -> Table:
    """How much of each plane a strategy's architectures dominate: a run of it, and all its runs together."""
    names = {"params": "parameters", "mult_adds": "multiply-adds", "both": "both"}
    planes = dict(found.volumes.groupby("plane", sort=False)["up_to"].first()) if len(found.volumes) else {}
    columns = [Column("Strategy", "strategy"), Column("Architectures", meaning="Different ones, of all runs")]
    for plane, up_to in planes.items():
        unit = "Accuracy times decades" if plane != "both" else "Accuracy times decades times decades"
        columns += [
            Column(
                f"A run: {names[plane]}", meaning=f"{unit} of the cost, up to {up_to}: mean over runs, its interval"
            ),
            Column(
                f"All runs: {names[plane]}", meaning="The same of all its runs together, and how many are on its front"
            ),
        ]
    table = Table(tuple(columns))
    for strategy, rows in found.volumes.groupby("strategy", sort=False) if planes else ():
        cells = [Cell(str(strategy)), Cell(f"{rows['points'].iloc[0]:,}")]
        for row in rows.to_dict("records"):
            cells += [_mean_volume(row), Cell(f"{row['hypervolume']:.4f}", f"({row['front']:,} on the front)")]
        table.rows.append(cells)
    return table


def _mean_volume(row: dict[Hashable, Any]) -> Cell:
    if math.isnan(row["mean"]):
        return Cell(NONE)
    if math.isnan(row["low"]):
        return Cell(f"{row['mean']:.4f}", f"(n={row['runs']:.0f}: insufficient)")
    return Cell(f"{row['mean']:.4f}", f"[{row['low']:.4f}, {row['high']:.4f}]")


def frame_table(frame: pd.DataFrame, columns: Sequence[Column]) -> Table:
    """A frame of words and counts as it is, under other headings.

    Args:
        frame: as many columns as there are headings.
        columns: headings in the frame's order.
    """
    rows = [
        [Cell(f"{value:,}" if isinstance(value, int) else str(value)) for value in row] for row in frame.values.tolist()
    ]
    return Table(tuple(columns), rows)


class HourUnit(NamedTuple):
    """A unit that shows a column of device-hours in a few digits."""

    name: str
    per_hour: float

    def of(self, hours: float) -> str:
        """Hours in this unit, in at most three digits; a dash for NaN."""
        return NONE if math.isnan(hours) else style.short(hours * self.per_hour)


def hour_unit(hours: pd.Series[float]) -> HourUnit:
    """Seconds, minutes or hours, by the largest value."""
    largest = float(hours.max()) if len(hours) else 0.0
    if largest < 0.05:
        return HourUnit("GPU-seconds", 3600.0)
    return HourUnit("GPU-minutes", 60.0) if largest < 1 else HourUnit("GPU-hours", 1.0)
