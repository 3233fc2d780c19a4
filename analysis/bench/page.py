"""The page of a comparison on a benchmark suite: one HTML file without scripts, which fetches nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nasbench.analysis.bench.charts import Span, cliques, curve_chart, rank_chart, span_chart
from nasbench.analysis.bench.comparison import Compared, won
from nasbench.analysis.bench.targets import shares_at, target_curves
from nasbench.analysis.inference.verdicts import RANK_TESTS, p_text
from nasbench.analysis.report.colours import page_colours
from nasbench.analysis.report.tables import NONE, ReportCell, ReportColumn, ReportTable
from nasbench.analysis.report.templates import policy, rendered
from nasbench.analysis.report.wording import Fact, joined
from nasbench.benchmark.definition import Benchmark
from nasbench.benchmark.incumbents import BenchmarkRuns

MOST_FINDINGS = 12


@dataclass(frozen=True)
class Part:
    """A chart or a table of a section.

    Args:
        heading: heading above it, "" for none.
        chart: SVG, "" for none.
        table: the table, None for none.
        caption: what the table shows.
        under: a sentence below.
    """

    heading: str = ""
    chart: str = ""
    table: ReportTable | None = None
    caption: str = ""
    under: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        heading: its heading.
        deck: a sentence below the heading.
        parts: charts and tables.
    """

    heading: str
    deck: str
    parts: tuple[Part, ...]


def bench_html(
    found: Compared, suite: Benchmark, runs: BenchmarkRuns, notes: Sequence[str], command: str, now: str
) -> str:
    """Make the page of a comparison.

    Args:
        found: the comparison.
        suite: the suite.
        runs: the searches that were made for it, with their provenance.
        notes: sentences on what can be concluded.
        command: command line that makes the page, "" for none.
        now: time of creation.

    Returns:
        A complete HTML document.
    """
    place = places_of(found)
    who = joined(list(found.mine)) if found.mine else f"{len(found.entries)} strategies"
    return rendered(
        "bench.html",
        suite=suite,
        title=f"{who} on {suite.name}",
        lead=lead_of(found, suite),
        facts=facts_of(found, suite),
        findings=findings_of(found),
        notes=notes,
        sections=[overall_section(found, place), targets_section(found, place), *task_sections(found, place)],
        provenance=provenance_of(suite, runs),
        command=command,
        now=now,
        policy=policy(()),
        colours=[page_colours(name) for name in found.strategies],
        place=place,
        own=found.mine,
    )


def places_of(found: Compared) -> dict[str, int]:
    """Number the strategies for their styles.

    Args:
        found: the comparison.

    Returns:
        Strategy -> its number.
    """
    return {name: number for number, name in enumerate(found.strategies)}


def lead_of(found: Compared, suite: Benchmark) -> str:
    """Say in a sentence what was compared.

    Args:
        found: the comparison.
        suite: the suite.

    Returns:
        The sentence.
    """
    others = len(found.entries) - len(found.mine)
    references = "one strategy" if others == 1 else f"{others} strategies"
    beside = f", compared with the reference runs of {references}" if found.mine and others else ""
    tasks = "one task" if len(found.scales) == 1 else f"{len(found.scales)} tasks"
    return (
        f"Searches of complete tables on a simulated clock, on {tasks}{beside}. The score of a search is its normalized "
        "regret: 0 for the best architecture of the table, 1 for the mean of the table."
    )


def facts_of(found: Compared, suite: Benchmark) -> list[Fact]:
    """List the highlighted numbers.

    Args:
        found: the comparison.
        suite: the suite.

    Returns:
        Up to five numbers with descriptions.
    """
    own = found.mine or tuple(found.strategies)
    mine = found.overall[found.overall["strategy"].isin(own)]
    best = mine.loc[mine["regret"].idxmin()]
    facts = [
        Fact(f"{best['regret']:.3f}", f"mean normalized regret{f' of {best.strategy}' if len(own) > 1 else ''}"),
        Fact(f"{best['rank']:.2f}", f"rank among {len(found.entries)} strategies")
        if best["rank"] == best["rank"]
        else None,
        Fact(f"{best['wins']}–{best['ties']}–{best['losses']}", "shown better, not shown to differ, shown worse"),
        Fact(f"{len(found.scores):,}", f"searches on {len(found.scales)} task{'s' if len(found.scales) > 1 else ''}"),
        Fact(suite.digest[:8], f"digest of {suite.name}"),
    ]
    return [fact for fact in facts if fact is not None]


def findings_of(found: Compared) -> list[str]:
    """Write the verdicts of the comparisons with references, each with n, interval, p and what can be detected.

    Shown differences come first, so that those of every task are among the few that the page begins with.

    Args:
        found: the comparison.

    Returns:
        Sentences; none without strategies that are compared with references.
    """
    if not found.mine:
        return []
    rows = [(task, row) for task, table in found.tests.items() for row in table.to_dict("records")]
    rows.sort(key=lambda each: won(each[1]) == 0)  # a stable sort
    lines = [f"{task}: {row['first']} against {row['second']}: {row['verdict']}" for task, row in rows[:MOST_FINDINGS]]
    rest = rows[MOST_FINDINGS:]
    if rest:
        shown = sum(won(row) != 0 for _, row in rest)
        lines.append(
            f"{len(rest)} more comparisons are in the tables below, {shown} of them with a difference that is shown"
        )
    return lines


def overall_section(found: Compared, place: Mapping[str, int]) -> Section:
    """Make the section over all tasks.

    Args:
        found: the comparison.
        place: strategy -> number of its style.

    Returns:
        The section: table, ranks and regrets.
    """
    tasks = len(found.scales)
    several = tasks > 1
    table = ReportTable(
        (
            ReportColumn("Strategy", "strategy"),
            ReportColumn(
                "Rank", meaning="Average over tasks" if several else "Expected, among one search of every other"
            ),
            ReportColumn("Regret", meaning="Mean normalized regret: mean over tasks; interval over seeds"),
            ReportColumn("Searches"),
            ReportColumn("Better", meaning="Comparisons on this page in which it was shown to be better"),
            ReportColumn("Not shown", meaning="Comparisons on this page in which no difference was shown"),
            ReportColumn("Worse", meaning="Comparisons on this page in which it was shown to be worse"),
        ),
        own=found.mine,
    )
    records = found.overall.sort_values("rank", kind="stable").to_dict("records")
    for row in records:
        table.rows.append(
            [
                ReportCell(row["strategy"]),
                ReportCell(number_text(row["rank"], 2), interval_text(row["rank_low"], row["rank_high"], 2)),
                ReportCell(
                    f"{row['regret']:.3f}", interval_text(row["regret_low"], row["regret_high"], 3) or row["interval"]
                ),
                ReportCell(f"{row['n']:,}"),
                *(ReportCell(str(row[name])) for name in ("wins", "ties", "losses")),
            ]
        )
    spans = [
        Span(
            row["strategy"], row["regret"], row["regret_low"], row["regret_high"], f"{row['regret']:.3f}, n={row['n']}"
        )
        for row in found.overall.sort_values("regret", kind="stable").to_dict("records")
    ]
    parts = [Part(table=table, caption="All tasks")]
    ranks = {row["strategy"]: row["rank"] for row in records if row["rank"] == row["rank"]}
    if len(ranks) > 1:
        parts.append(_ranks_part(found, ranks, place, several))
    parts.append(
        Part(
            "Normalized regret",
            span_chart(
                spans,
                place,
                f"mean normalized regret, {found.protocol.budget} budget (lower is better)",
                "Regret by strategy",
            ),
            under=f"Bars: {found.protocol.level:.0%} studentized bootstrap of searches within tasks.",
        )
    )
    deck = (
        "One task: this section repeats it." if not several else f"Means over {tasks} tasks, each with the same weight."
    )
    return Section("Over all tasks" if several else "Ranks and regret", deck if several else "", tuple(parts))


def _ranks_part(found: Compared, ranks: Mapping[str, float], place: Mapping[str, int], several: bool) -> Part:
    """Ranks with bars; bars need tests of all pairs."""
    from nasbench.analysis.statistics.ranks import critical_difference

    if several:
        distance = critical_difference(len(ranks), len(found.scales), found.protocol.level)
        differ = frozenset(
            frozenset((a, b)) for a in ranks for b in ranks if a != b and abs(ranks[a] - ranks[b]) > distance
        )
        joined_by = cliques(ranks, differ)
        under = f"Bars join ranks closer than the critical difference of {distance:.2f} (Nemenyi's test at 5%, {len(found.scales)} tasks)."
    elif not found.mine:
        (tests,) = found.tests.values()
        differ = frozenset(frozenset((row["first"], row["second"])) for row in tests.to_dict("records") if won(row))
        joined_by = cliques(ranks, differ)
        under = f"Bars join strategies of which no two are shown to differ ({RANK_TESTS}, Holm over {len(tests)} pairs, 5%)."
    else:
        joined_by, under = [], "Only the strategies compared with references are tested, so that no bars are drawn."
    return Part("Ranks", rank_chart(ranks, joined_by, place, "Ranks of strategies"), under=under)


def targets_section(found: Compared, place: Mapping[str, int]) -> Section:
    """Make the section of targets reached over the budget.

    Args:
        found: the comparison.
        place: strategy -> number of its style.

    Returns:
        The section.
    """
    targets = found.protocol.targets
    curves = target_curves(found.entries, found.scales, targets)
    shares = shares_at(found.entries, found.scales, targets).sort_values("large", ascending=False, kind="stable")
    table = ReportTable(
        (ReportColumn("Strategy", "strategy"), *(ReportColumn(size.capitalize()) for size in found.protocol.budgets)),
        own=found.mine,
    )
    for row in shares.to_dict("records"):
        table.rows.append(
            [ReportCell(row["strategy"]), *(ReportCell(f"{row[size]:.1%}") for size in found.protocol.budgets)]
        )
    listed = ", ".join(f"{target:g}" for target in targets)
    deck = (
        f"Share of pairs of search and target that are solved so far. Targets are normalized regrets of the score that a "
        f"search sees: {listed}."
    )
    chart = curve_chart(
        curves, place, "part of the large budget spent (simulated clock)", "Targets reached over the budget"
    )
    return Section("Targets over the budget", deck, (Part(chart=chart), Part(table=table, caption="Targets reached")))


def task_sections(found: Compared, place: Mapping[str, int]) -> list[Section]:
    """Make one section per task.

    Args:
        found: the comparison.
        place: strategy -> number of its style.

    Returns:
        The sections: scores, costs and tests.
    """
    sections = []
    for task, scale in found.scales.items():
        rows = found.summary[found.summary["task"] == task].sort_values("rank", kind="stable")
        budgets = ", ".join(f"{size} {scale.seconds[size]:g} s" for size in found.protocol.budgets)
        deck = (
            f"{scale.label}: {scale.architectures:,} encodings; best reported accuracy {100 * scale.best:.2f}%, mean "
            f"{100 * scale.typical:.2f}%. Budgets: {budgets} of the table's clock."
        )
        parts = [Part(table=scores_table(rows, found), caption=f"Scores on {task}")]
        parts.append(Part("Comparisons", table=tests_table(found.tests[task]), caption=f"Tests on {task}"))
        sections.append(Section(f"Task {task}", deck, tuple(parts)))
    return sections


def scores_table(rows: pd.DataFrame, found: Compared) -> ReportTable:
    """Make the table of scores and costs on one task.

    Args:
        rows: rows of `Compared.summary` of the task.
        found: the comparison.

    Returns:
        The table.
    """
    sizes = found.protocol.budgets
    table = ReportTable(
        (
            ReportColumn("Strategy", "strategy"),
            ReportColumn("Rank", meaning="Expected, among one search of every other strategy"),
            ReportColumn("Accuracy %", meaning="Mean reported accuracy of the choices, with interval and n"),
            *(ReportColumn(f"Regret, {size}", meaning="Mean normalized regret under this budget") for size in sizes),
            ReportColumn("Children", meaning="Mean of a search under the large budget"),
            ReportColumn("USD", meaning="Simulated: the table's seconds at the suite's price, a search"),
            ReportColumn("Own seconds", meaning="Processor seconds of the strategy itself in one search, as measured"),
        ),
        own=found.mine,
    )
    for row in rows.to_dict("records"):
        around = interval_text(100 * row["score_low"], 100 * row["score_high"], 2) or row["interval"]
        table.rows.append(
            [
                ReportCell(row["strategy"]),
                ReportCell(number_text(row["rank"], 2)),
                ReportCell(f"{100 * row['score']:.2f}", f"{around}\nn={row['n']}"),
                *(ReportCell(f"{row[f'regret_{size}']:.3f}") for size in sizes),
                ReportCell(f"{row['children']:.0f}"),
                ReportCell(f"{row['usd']:.4f}"),
                ReportCell(seconds_text(row["searcher_seconds"])),
            ]
        )
    return table


def tests_table(tests: pd.DataFrame) -> ReportTable:
    """Make the table of comparisons on one task.

    Args:
        tests: rows of `comparison.tests_of_task`.

    Returns:
        The table, with n, interval, p after Holm's correction and the detectable difference.
    """
    table = ReportTable(
        (
            ReportColumn("First", "strategy"),
            ReportColumn("Second", "strategy"),
            ReportColumn("n"),
            ReportColumn("Difference, points", meaning="Of mean accuracies, first - second, with interval"),
            ReportColumn("Better in", meaning="Pairs of searches in which the first is better; ties count half"),
            ReportColumn("p", meaning=RANK_TESTS[0].upper() + RANK_TESTS[1:]),
            ReportColumn("Holm p", meaning="After Holm's correction over all comparisons of the task"),
            ReportColumn(
                "Detectable", meaning="Smallest difference that Welch's test finds in 80% of cases, in points"
            ),
            ReportColumn("Finding", "text"),
        )
    )
    for row in tests.to_dict("records"):
        around = interval_text(100 * row["difference_low"], 100 * row["difference_high"], 2)
        detectable = row["detectable"]
        table.rows.append(
            [
                ReportCell(row["first"]),
                ReportCell(row["second"]),
                ReportCell(f"{row['n_first']} + {row['n_second']}"),
                ReportCell(f"{100 * row['difference']:+.2f}", around or str(row["interval"])),
                ReportCell(NONE if math.isnan(row["improvement"]) else f"{row['improvement']:.0%}"),
                ReportCell(p_text(row["p"])),
                ReportCell(p_text(row["p_holm"])),
                ReportCell(NONE if math.isnan(detectable) else f"{100 * detectable:.2f}"),
                ReportCell({1: "first is better", -1: "second is better", 0: str(row["finding"])}[won(row)]),
            ]
        )
    return table


def provenance_of(suite: Benchmark, runs: BenchmarkRuns) -> list[tuple[str, str]]:
    """List where the numbers come from.

    Args:
        suite: the suite.
        runs: the searches with their provenance.

    Returns:
        Names and values.
    """
    made: Mapping[str, Any] = runs.made
    packages = made.get("packages", {})
    rows = [
        ("suite", f"{suite.name}, digest {suite.digest}"),
        *((f"task {task.name}", f"{task.table or task.file}, fingerprints {task.search_fingerprint} and {task.report_fingerprint}") for task in suite.tasks if task.name in runs.scales),
        *((f"code of {entry.strategy}", f"SHA-256 {entry.digest}") for entry in runs.entries if entry.digest),
        *((f"options of {entry.shown}", json.dumps(dict(entry.options))) for entry in runs.entries if entry.options),
        ("machine", f"{made.get('processor', '')}, {made.get('processors', '')} processors, {made.get('system', '')}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in {"python": made.get("python", ""), **packages}.items())),
        ("commit", f"{made.get('commit', '')}{' with changes' if made.get('dirty') else ''}"),
    ]  # fmt: skip
    return [(name, str(value)) for name, value in rows if value]


def number_text(value: float, digits: int) -> str:
    """Format a number.

    Args:
        value: the number, or NaN.
        digits: decimals.

    Returns:
        The text; a dash for NaN.
    """
    return NONE if math.isnan(value) else f"{value:.{digits}f}"


def interval_text(low: float, high: float, digits: int) -> str:
    """Format an interval.

    Args:
        low: lower end, NaN without an interval.
        high: upper end.
        digits: decimals.

    Returns:
        The text, e.g. "[0.10, 0.12]"; "" without an interval.
    """
    return "" if math.isnan(low) or math.isnan(high) else f"[{low:.{digits}f}, {high:.{digits}f}]"


def seconds_text(value: float) -> str:
    """Format seconds with two digits.

    Args:
        value: seconds, >= 0, or NaN.

    Returns:
        The text; a dash for NaN.
    """
    return NONE if math.isnan(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"
