"""Tables of a report as formatted text, shared by the HTML page and Markdown."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pandas as pd

from nasbench.analysis.comparison.bands import ORDER_STATISTICS
from nasbench.analysis.costs.cost import CATEGORY_COLOURS
from nasbench.analysis.costs.cost_on_other_devices import ESTIMATE
from nasbench.analysis.inference.intervals import ALL_EQUAL, TOO_SMALL
from nasbench.analysis.inference.verdicts import RANK_TESTS, comparisons_text
from nasbench.analysis.plotting import style
from nasbench.analysis.report.payload import HASH_DIGITS
from nasbench.analysis.statistics.final_scores import STATISTICS
from nasbench.costs.units import device_time
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from nasbench.analysis.report.contents import Contents

Kind = Literal["text", "number", "strategy", "code", "answer"]
NONE = "–"


class ReportColumn(NamedTuple):
    """A column of a table: its heading, kind of content, and a line of explanation ("" if the heading is enough)."""

    heading: str
    kind: Kind = "number"
    meaning: str = ""


class ReportCell(NamedTuple):
    """A value with details in smaller letters, such as an interval or n; each line break starts a new line."""

    main: str
    aside: str = ""


@dataclass(frozen=True)
class ReportTable:
    """A table of texts; every row has one cell per column, and rows that begin with a text of `own` stand out."""

    columns: tuple[ReportColumn, ...]
    rows: list[list[ReportCell]] = field(default_factory=list)
    own: tuple[str, ...] = ()


def summary_table(found: Contents) -> ReportTable:
    """Make the table of each strategy's results, with n and interval for every score.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    unit = hour_unit(found.summary["search_gpu_hours"], found.devices)
    columns = (
        ReportColumn("Strategy", "strategy"),
        ReportColumn("Seeds", meaning="Runs of the strategy"),
        ReportColumn(
            heading("val_acc"),
            meaning=f"Best {words('val_acc')} of a run: median over seeds, interval by order statistics",
        ),
        ReportColumn(
            heading("test_acc"),
            meaning=f"{capital(words('test_acc'))} of the retrained incumbents: median over seeds, interval by order "
            "statistics",
        ),
        ReportColumn("Children", meaning="Counted children of all runs, and how many different hashes they have"),
        ReportColumn(
            "Duplicates",
            meaning="Children whose hash an earlier child of the same run has, without those that go on from it",
        ),
        ReportColumn("Failed", meaning="Children that diverged, ran out of time or memory, or failed"),
        ReportColumn(
            f"{unit.heading} per run, median",
            meaning="Charged to the search, median over runs; the final training beside",
        ),
        *(
            [
                ReportColumn(
                    "USD per run, median",
                    meaning="Charged to the search, median over runs; beside it final training and uncounted hours",
                )
            ]
            if priced(found)
            else []
        ),
        ReportColumn("Searcher", meaning="The strategy's own share of the search's device time"),
    )
    table = ReportTable(columns)
    in_usd = priced(found)
    for row in found.summary.to_dict("records"):
        share = row["searcher_share"]
        table.rows.append(
            [
                ReportCell(row["strategy"]),
                ReportCell(str(row["runs"])),
                score(row["val_acc"], row["val_low"], row["val_high"], row["interval"]),
                score(row["test_acc"], row["test_low"], row["test_high"], row["test_interval"]),
                ReportCell(f"{row['children']:,}", f"({row['distinct']:,} distinct)"),
                ReportCell(f"{row['duplicates']:,}"),
                ReportCell(f"{row['failures']:,}"),
                ReportCell(unit.of(row["search_gpu_hours"]), f"(+ {unit.of(row['final_gpu_hours'])} final)"),
                *([ReportCell(usd(row["search_usd"]), f"(+ {usd(row['usd_beside'])} beside)")] if in_usd else []),
                ReportCell(NONE if math.isnan(share) else f"{share:.1%}"),
            ]
        )
    return table


SCORE_NAMES = {"val_acc": "Validation", "test_acc": "Test"}


def short_name(measure: str) -> str:
    """Name of a score in a narrow heading.

    Args:
        measure: "val_acc" or "test_acc".

    Returns:
        "Validation" or "Test" for accuracies, else the name of the score by which the runs are judged.
    """
    return SCORE_NAMES[measure] if judged_by().is_accuracy else judged_by().name(measure)


def heading(measure: str) -> str:
    """Heading of a column of scores.

    Args:
        measure: "val_acc" or "test_acc".

    Returns:
        E.g. "Validation %" or "val_ssim".
    """
    return capital(judged_by().heading(measure)) if judged_by().is_accuracy else judged_by().heading(measure)


def words(measure: str) -> str:
    """Name of a score within a sentence.

    Args:
        measure: "val_acc" or "test_acc".

    Returns:
        E.g. "validation accuracy" or "val_ssim".
    """
    return judged_by().words(measure)


def capital(text: str) -> str:
    """Write the first letter of a text large.

    Args:
        text: the text.

    Returns:
        The same text with its first letter large.
    """
    return text[:1].upper() + text[1:]


def scores_table(found: Contents) -> ReportTable:
    """Make the table of mean, median and interquartile mean of the final scores, with intervals.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    columns, unit = [ReportColumn("Strategy", "strategy")], " %" if judged_by().is_accuracy else ""
    for measure in found.scores:
        columns += [
            ReportColumn(f"{short_name(measure)} n", meaning="Runs with a score"),
            ReportColumn(f"mean{unit}"),
            ReportColumn(f"median{unit}"),
        ]
        columns.append(ReportColumn(f"IQM{unit}", meaning="Interquartile mean: of the middle half of the runs"))
    table = ReportTable(tuple(columns))
    by_measure = [
        {(row["strategy"], row["statistic"]): row for row in scores.to_dict("records")}
        for scores in found.scores.values()
    ]
    for strategy in found.strategies:
        cells = [ReportCell(strategy)]
        for rows in by_measure:
            first = rows[strategy, STATISTICS[0]]
            cells.append(ReportCell(f"{first['n']} of {first['runs']}"))
            for statistic in STATISTICS:
                row = rows[strategy, statistic]
                known = not math.isnan(row["low"])
                why = ALL_EQUAL if row["interval"].endswith(ALL_EQUAL) else TOO_SMALL
                words = f"[{percent(row['low'])}, {percent(row['high'])}]" if known else f"({why})"
                cells.append(ReportCell(percent(row["value"]), words))
        table.rows.append(cells)
    return table


def tests_table(found: Contents) -> ReportTable:
    """Make the table that compares each strategy's final scores with those of random search.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    columns = (
        ReportColumn("Strategy", "strategy"),
        ReportColumn("Score", "text"),
        ReportColumn("n", meaning="Runs of the strategy and of random search"),
        ReportColumn("Difference", meaning=f"Of the means, in {judged_by().points}, with its 95% interval (Welch)"),
        ReportColumn(
            "Beats random in", meaning="The share of pairs of runs in which the strategy is better, ties half"
        ),
        ReportColumn(
            "p",
            meaning=f"{RANK_TESTS[0].upper()}{RANK_TESTS[1:]}, after Holm's correction over the comparisons of a score",
        ),
        ReportColumn("Effect", "text", "Of the share of pairs, in the words of Vargha and Delaney"),
    )
    table = ReportTable(columns)
    for measure, tests in found.tests.items():
        for row in tests.to_dict("records"):
            known = not math.isnan(row["difference_low"])
            points = (
                f"[{points_apart(row['difference_low'])}, {points_apart(row['difference_high'])}]"
                if known
                else f"({row['interval']})"
            )
            pairs = (
                f"[{row['improvement_low']:.0%}, {row['improvement_high']:.0%}]" if known else f"({row['interval']})"
            )
            table.rows.append(
                [
                    ReportCell(row["first"]),
                    ReportCell(short_name(measure).lower() if judged_by().is_accuracy else short_name(measure)),
                    ReportCell(f"{row['n_first']} and {row['n_second']}"),
                    ReportCell(points_apart(row["difference"]), points),
                    ReportCell(f"{row['improvement']:.0%}", pairs),
                    ReportCell(
                        probability(row["p_holm"]),
                        "" if math.isnan(row["p_holm"]) else f"({comparisons_text(row['comparisons'])})",
                    ),
                    ReportCell(row["magnitude"] if known else NONE),
                ]
            )
    return table


def points_apart(value: float) -> str:
    """Format a difference: of fractions in percentage points, with its sign unless it rounds to 0 at two decimals.

    Args:
        value: difference of accuracies in [-1, 1], or of the scores by which the runs are judged.

    Returns:
        The text.
    """
    if not judged_by().is_accuracy:
        return f"{value + 0.0:+.3g}" if value else "0"
    return f"{100 * value:+.2f}" if abs(value) >= 0.5e-4 else "0.00"


def probability(value: float) -> str:
    """Format a p value with three decimals.

    Args:
        value: p value in [0, 1], or NaN.

    Returns:
        The text; a dash for NaN.
    """
    return NONE if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def noise_table(found: Contents) -> ReportTable:
    """Make the table of selection noise; without rows if no choice was trained with seeds that its search did not use.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    columns = (
        ReportColumn("Strategy", "strategy"),
        ReportColumn("Runs", meaning="Runs whose choice was trained again with seeds that the search did not use"),
        ReportColumn("Search %", meaning="Mean validation accuracy by which the runs chose"),
        ReportColumn("Fresh %", meaning="Mean validation accuracy of the fresh trainings"),
        ReportColumn("Optimism", meaning="Mean of search - fresh in percentage points, with its 95 % interval"),
        ReportColumn("SD searches", meaning="Standard deviation between the choices of different runs, in points"),
        ReportColumn("SD trainings", meaning="Standard deviation between trainings of one choice, in points"),
    )
    table = ReportTable(columns)
    for row in found.noise.to_dict("records"):
        known = not math.isnan(row["optimism_low"])
        ends = f"[{100 * row['optimism_low']:+.2f}, {100 * row['optimism_high']:+.2f}]" if known else row["interval"]
        table.rows.append(
            [
                ReportCell(row["strategy"]),
                ReportCell(f"{row['n']} of {row['runs']}"),
                ReportCell(percent(row["search_val"])),
                ReportCell(percent(row["fresh_val"])),
                ReportCell(NONE if math.isnan(row["optimism"]) else f"{100 * row['optimism']:+.2f}", ends),
                ReportCell(percent(row["search_sd"])),
                ReportCell(percent(row["training_sd"])),
            ]
        )
    return table


def fairness_table(found: Contents) -> ReportTable:
    """Make the table of the comparison's checks: what each requires, and what it found.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    table = ReportTable(
        (
            ReportColumn("Check", "text"),
            ReportColumn("Answer", "answer"),
            ReportColumn("What it asks, and found", "text"),
        )
    )
    for row in found.fairness.to_dict("records"):
        answer = "met" if row["met"] else "allowed"
        table.rows.append([ReportCell(row["check"]), ReportCell(answer), ReportCell(row["asks"], row["finding"])])
    return table


def checklist_table(found: Contents) -> ReportTable:
    """Make the table of the best-practices checklist: each item's requirement, answer and evidence.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    table = ReportTable(
        (
            ReportColumn("Item", "text"),
            ReportColumn("Answer", "answer"),
            ReportColumn("What it asks, and the evidence", "text"),
        )
    )
    for row in found.checklist.to_dict("records"):
        table.rows.append(
            [
                ReportCell(row["number"], row["section"]),
                ReportCell(row["answer"]),
                ReportCell(row["asks"], row["evidence"]),
            ]
        )
    return table


def score(middle: float, low: float, high: float, interval: str) -> ReportCell:
    """Format an accuracy in percent with its interval and n.

    Args:
        middle: accuracy in [0, 1]; NaN if there is none.
        low: lower end of the interval.
        high: upper end of the interval.
        interval: name of the interval, with n.

    Returns:
        The cell.
    """
    if math.isnan(middle):
        return ReportCell(NONE, interval)
    ends = interval.endswith(ORDER_STATISTICS)
    interval = interval.removesuffix(f" {ORDER_STATISTICS}")  # the column's meaning says it
    if low == high == middle and not ends:
        return ReportCell(percent(middle), interval)
    return ReportCell(percent(middle), f"[{percent(low)}, {percent(high)}]\n{interval}")


def percent(value: float) -> str:
    """Format an accuracy as percent with two decimals, and another score with four digits.

    Args:
        value: fraction, or the score by which the runs are judged, or NaN.

    Returns:
        The text; a dash for NaN.
    """
    return NONE if math.isnan(value) else judged_by().plain(value)


def count(value: float) -> str:
    """Format a number of parameters or multiply-adds.

    Args:
        value: the count, or NaN where it is unknown.

    Returns:
        The text; a dash for NaN.
    """
    return NONE if math.isnan(value) else f"{int(value):,}"


def setup_table(found: Contents) -> ReportTable:
    """Make the table of the strategies that were run, with their options.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    columns = (
        ReportColumn("Strategy", "strategy"),
        ReportColumn("Options", "code"),
        ReportColumn("Seeds"),
        ReportColumn("Complete"),
        ReportColumn("Children"),
    )
    table = ReportTable(columns)
    for row in found.setup.to_dict("records"):
        seeds = f"{row['first']} to {row['last']}" if row["first"] != row["last"] else f"seed {row['first']}"
        table.rows.append(
            [
                ReportCell(row["strategy"]),
                ReportCell(row["options"] or NONE),
                ReportCell(str(row["seeds"]), f"({seeds})"),
                ReportCell(f"{row['complete']} of {row['runs']}"),
                ReportCell(f"{row['children']:,}"),
            ]
        )
    return table


def _target_text(target: float) -> str:
    """A target in the unit of the score by which the runs are judged."""
    own = judged_by()
    if own.is_accuracy:
        return f"{100 * target:g} %"
    return f"{target:g}{' ' + own.unit if own.unit else ''}"


def cost_table(found: Contents) -> ReportTable:
    """Make the table of the mean cost per run by strategy, and of the cost to reach the target.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    unit = hour_unit(found.cost["gpu_hours"], found.devices)
    child = hour_unit(found.cost["hours_per_child"], found.devices)
    columns = [
        ReportColumn("Strategy", "strategy"),
        ReportColumn("n", meaning="Runs"),
        ReportColumn(f"{unit.heading} per run, mean", meaning="Mean over runs, all categories; range beside"),
        ReportColumn(f"{child.heading} per child, median", meaning="Median of the counted children"),
    ]
    if priced(found):
        columns.insert(
            3,
            ReportColumn(
                "USD per run, mean", meaning="Mean over runs, all categories; beside it what was charged to the search"
            ),
        )
        columns.append(ReportColumn("USD per child, median", meaning="Median of the counted children"))
    target = found.wishes.target
    if target is not None:
        columns.append(
            ReportColumn(
                f"To reach {_target_text(target)}, median",
                "text",
                "Median over runs; those that never did count as more than any",
            )
        )
    table = ReportTable(tuple(columns))
    in_usd = priced(found)
    for row in found.cost.to_dict("records"):
        cells = [
            ReportCell(row["strategy"]),
            ReportCell(str(row["runs"])),
            ReportCell(
                unit.of(row["gpu_hours"]), f"[{unit.of(row['gpu_hours_low'])}, {unit.of(row['gpu_hours_high'])}]"
            ),
            ReportCell(child.of(row["hours_per_child"])),
        ]
        if in_usd:
            cells.insert(3, ReportCell(usd(row["usd"]), f"({usd(row['search_usd'])} of the search)"))
            cells.append(ReportCell(usd(row["usd_per_child"])))
        if target is not None:
            cells.append(_to_target(row, in_usd, found.devices))
        table.rows.append(cells)
    return table


def _to_target(row: dict[Hashable, Any], in_usd: bool, devices: Iterable[str]) -> ReportCell:
    count = f"{row['reached']} of {row['runs']} runs reached it"
    if math.isnan(row["hours_to_target"]):
        return ReportCell("more than the budget", count)
    unit = hour_unit(pd.Series([row["hours_to_target"]]), devices)
    money = f", {usd(row['usd_to_target'])} USD" if in_usd else ""
    return ReportCell(f"{unit.of(row['hours_to_target'])} {unit.name}{money}", count)


def priced(found: Contents) -> bool:
    """Check whether runs were charged in USD. A replay without a price was not, which differs from a charge of 0.

    Args:
        found: contents of the report.

    Returns:
        True if any run was.
    """
    return bool((found.cost["usd"] > 0).any())


def usd(value: float) -> str:
    """Format a price with at most three digits, without powers of ten.

    Args:
        value: USD, or NaN.

    Returns:
        The text; a dash for NaN.
    """
    if math.isnan(value):
        return NONE
    places = 0 if value == 0 else 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{places}f}".rstrip("0").rstrip(".") if 0 < abs(value) < 1 else style.short(value)


class ShareCell(NamedTuple):
    """A part of a bar: ledger category, colour, length in percent of the longest bar, and device time as text."""

    category: str
    colour: str
    length: float
    words: str


class Bar(NamedTuple):
    """Mean device time per run of a strategy, in parts by ledger category."""

    strategy: str
    words: str
    shares: list[ShareCell]


def cost_bars(found: Contents) -> list[Bar]:
    """Make bars of the mean device time of each strategy's runs.

    Args:
        found: contents of the report.

    Returns:
        One bar per strategy; empty if nothing was charged, or nothing is known of it (`cost.nothing_charged`).
    """
    longest = float(found.cost["gpu_hours"].max()) if len(found.cost) else 0.0
    if not longest > 0:
        return []
    unit, in_usd = hour_unit(found.cost["gpu_hours"], found.devices), priced(found)
    bars = []
    for row in found.cost.to_dict("records"):
        parts = [(category, colour, row[f"{category}_hours"]) for category, colour in CATEGORY_COLOURS.items()]
        shares = [
            ShareCell(
                name, colour, 100 * hours / longest, f"{unit.of(hours)} {unit.name}, {hours / row['gpu_hours']:.1%}"
            )
            for name, colour, hours in parts
            if hours > 0
        ]
        money = f", {usd(row['usd'])} USD" if in_usd else ""
        words = f"{unit.of(row['gpu_hours'])} {unit.name}{money}" if row["runs_known"] else "hours not known"
        bars.append(Bar(row["strategy"], words, shares))
    return bars


def category_table(found: Contents) -> ReportTable:
    """Make the table of device time per run by ledger category, for categories with charges.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    unit = hour_unit(found.cost["gpu_hours"], found.devices)
    charged = [name for name in CATEGORY_COLOURS if (found.cost[f"{name}_hours"] > 0).any()]
    meanings = (CATEGORY_MEANINGS[name] for name in charged)
    table = ReportTable(
        (ReportColumn("Strategy", "strategy"), *(ReportColumn(n, meaning=m) for n, m in zip(charged, meanings)))
    )
    for row in found.cost.to_dict("records"):
        hours = [row[f"{name}_hours"] for name in charged]
        cells = [
            ReportCell(unit.of(value), f"({value / row['gpu_hours']:.1%})" if value > 0 else "") for value in hours
        ]
        table.rows.append([ReportCell(row["strategy"]), *cells])
    return table


def other_devices_table(found: Contents) -> ReportTable:
    """Make the table of measured cost per run, and of its estimates for other devices.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    data = found.other_devices
    devices = data.loc[data["kind"] == ESTIMATE, "device"].drop_duplicates().tolist() if len(data) else []
    parts = {device: data[(data["device"] == device) & (data["kind"] == ESTIMATE)] for device in devices}
    units = {device: hour_unit(part["gpu_hours"], [device]) for device, part in parts.items()}
    unit = hour_unit(found.cost["gpu_hours"], found.devices)
    columns = [
        ReportColumn("Strategy", "strategy"),
        ReportColumn(f"As run, {unit.name}", meaning="Mean over runs, all categories"),
    ]
    for device in devices:
        meaning = "An estimate, not a measurement; how many times as fast, and USD, beside"
        columns.append(ReportColumn(f"{device}: {units[device].name}, estimated", meaning=meaning))
    table = ReportTable(tuple(columns))
    for strategy, hours in zip(found.cost["strategy"], found.cost["gpu_hours"]) if devices else ():
        cells = [ReportCell(strategy), ReportCell(unit.of(hours))]
        for device, part in parts.items():
            row = part[part["strategy"] == strategy].iloc[0]
            beside = f"({style.short(row['times'])} times as fast)\n{usd(row['usd'])} USD"
            cells.append(ReportCell(f"≈ {units[device].of(row['gpu_hours'])}", beside))
        table.rows.append(cells)
    return table


def measured_table(found: Contents) -> ReportTable:
    """Make the table of the fronts of validation accuracy and measured quantities, e.g. latency.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    columns = (
        ReportColumn("Measured", "text", "Values of other devices and methods are never mixed"),
        ReportColumn("Architecture", "code"),
        ReportColumn("Value"),
        ReportColumn(heading("val_acc"), meaning="Mean over the architecture's trainings"),
    )
    table = ReportTable(columns)
    before: tuple[Any, ...] = ()
    for row in found.measured.to_dict("records"):
        way = (row["quantity"], row["conditions"], row["unit"])
        about = ReportCell(str(row["quantity"]), f"{row['conditions']}\n{row['measured']:,} architectures")
        about, before = (ReportCell("") if way == before else about), way
        value = ReportCell(f"{style.short(row['value'])} {row['unit']}".rstrip())
        table.rows.append([about, ReportCell(row["hash"][:HASH_DIGITS]), value, ReportCell(percent(row["val_acc"]))])
    return table


CATEGORY_MEANINGS = {
    "training": "Children trained to their end, or until they diverged, without their evaluation",
    "evaluation": "Validation of these children",
    "cached": "What children with known scores cost when they were trained",
    "failed": "Children that ran out of time or memory, or failed",
    "searcher": "The strategy's own work",
    "supernet": "Training of shared weights",
    "final": "Retraining and testing of the incumbents",
    "uncounted": "Children that the budget did not cover or that an interruption ended, and the strategy's last work",
}


def volume_table(found: Contents) -> ReportTable:
    """Make the table of hypervolumes by plane and strategy: of single runs, and of all runs together.

    Args:
        found: contents of the report.

    Returns:
        The table.
    """
    names = {"params": "parameters", "mult_adds": "multiply-adds", "both": "both"}
    planes = dict(found.volumes.groupby("plane", sort=False)["up_to"].first()) if len(found.volumes) else {}
    columns = [
        ReportColumn("Strategy", "strategy"),
        ReportColumn("Architectures", meaning="Different ones, of all runs"),
    ]
    for plane, up_to in planes.items():
        unit = "Accuracy times decades" if plane != "both" else "Accuracy times decades times decades"
        columns += [
            ReportColumn(
                f"A run: {names[plane]}", meaning=f"{unit} of the cost, up to {up_to}: mean over runs, its interval"
            ),
            ReportColumn(
                f"All runs: {names[plane]}", meaning="The same of all its runs together, and how many are on its front"
            ),
        ]
    table = ReportTable(tuple(columns))
    by_strategy: dict[str, list[dict[Hashable, Any]]] = {}
    for row in found.volumes.to_dict("records"):
        by_strategy.setdefault(row["strategy"], []).append(row)
    for strategy, rows in by_strategy.items():
        cells = [ReportCell(strategy), ReportCell(f"{rows[0]['points']:,}")]
        for row in rows:
            cells += [_mean_volume(row), ReportCell(f"{row['hypervolume']:.4f}", f"({row['front']:,} on the front)")]
        table.rows.append(cells)
    return table


def _mean_volume(row: dict[Hashable, Any]) -> ReportCell:
    if math.isnan(row["mean"]):
        return ReportCell(NONE)
    if math.isnan(row["low"]):
        return ReportCell(f"{row['mean']:.4f}", f"(n={row['runs']:.0f}: {TOO_SMALL})")
    return ReportCell(f"{row['mean']:.4f}", f"[{row['low']:.4f}, {row['high']:.4f}]")


def frame_table(frame: pd.DataFrame, columns: Sequence[ReportColumn]) -> ReportTable:
    """Make a table from a frame of texts and counts, with other headings.

    Args:
        frame: a frame with one column per heading.
        columns: headings in the frame's order.

    Returns:
        The table.
    """
    rows = [
        [ReportCell(f"{value:,}" if isinstance(value, int) else str(value)) for value in row]
        for row in frame.values.tolist()
    ]
    return ReportTable(tuple(columns), rows)


class HourUnit(NamedTuple):
    """Unit in which a column of device-hours needs few digits."""

    name: str
    per_hour: float

    @property
    def heading(self) -> str:
        """The name as the first word of a column's heading."""
        return self.name[:1].upper() + self.name[1:]

    def of(self, hours: float) -> str:
        """Format hours in this unit with at most three digits.

        Args:
            hours: device-hours, or NaN.

        Returns:
            The text; a dash for NaN.
        """
        return NONE if math.isnan(hours) else style.short(hours * self.per_hour)


def hour_unit(hours: pd.Series[float], devices: Iterable[str]) -> HourUnit:
    """Choose seconds, minutes or hours by the largest value, and name them by the devices (`device_time`).

    Args:
        hours: device-hours; may be empty.
        devices: names of the devices.

    Returns:
        The unit.
    """
    largest = float(hours.max()) if len(hours) else 0.0
    if largest < 0.05:
        return HourUnit(device_time(devices, "seconds"), 3600.0)
    return HourUnit(device_time(devices, "minutes"), 60.0) if largest < 1 else HourUnit(device_time(devices), 1.0)
