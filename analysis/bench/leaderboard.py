"""A leaderboard as a static site: an index with filters, one page per strategy, and the files to download."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nasbench.analysis.bench.charts import curve_chart
from nasbench.analysis.bench.comparison import Compared, compare_entries
from nasbench.analysis.bench.page import (
    Part,
    Section,
    interval_text,
    number_text,
    overall_section,
    places_of,
    scores_table,
    seconds_text,
    tests_table,
)
from nasbench.analysis.bench.targets import shares_at, target_curves
from nasbench.analysis.report.colours import page_colours
from nasbench.analysis.report.templates import policy, rendered, static
from nasbench.benchmark.definition import Benchmark
from nasbench.benchmark.incumbents import BenchmarkRuns, Entry, TaskScale
from nasbench.errors import InputError, printable
from nasbench.texts import csv_cells

REFERENCE, SUBMISSION = "reference", "submission"


@dataclass(frozen=True, eq=False)
class Source:
    """A file of runs on a leaderboard.

    Args:
        name: name of the file in the downloads.
        content: its bytes.
        runs: what it holds.
        origin: "reference" or "submission".
        stated: what a submission states: options_tried, tuned_on, name.
    """

    name: str
    content: bytes
    runs: BenchmarkRuns
    origin: str
    stated: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Listed:
    """A strategy of the leaderboard with where it comes from."""

    entry: Entry
    source: Source
    page: str


def leaderboard_files(suite: Benchmark, sources: Sequence[Source], now: str) -> dict[str, bytes]:
    """Make the files of a leaderboard.

    Args:
        suite: the suite.
        sources: files of runs of this suite, at least one.
        now: time of creation.

    Returns:
        Path in the site -> content.

    Raises:
        InputError: when two files have one name, or files disagree on a task.
    """
    listed = _listed(sources)
    scales: dict[str, TaskScale] = {}
    for source in sources:
        for name, scale in source.runs.scales.items():
            if not scales.setdefault(name, scale).agrees(scale):
                raise InputError(f"{source.name} states other scores of the table of {name} than {sources[0].name}")
    scales = {task.name: scales[task.name] for task in suite.tasks if task.name in scales}
    complete = [each for each in listed if set(each.entry.runs) == set(scales)]
    references = [each.entry for each in complete if each.source.origin == REFERENCE]
    twins = [
        each
        for each in complete
        if each.source.origin == SUBMISSION and any(each.entry.same_as(reference) for reference in references)
    ]
    complete = [each for each in complete if each not in twins]
    partial = sorted(each.entry.shown for each in listed if set(each.entry.runs) != set(scales))
    if not complete:
        raise InputError("no strategy has runs on all tasks that are there")
    found = compare_entries([each.entry for each in complete], (), scales, suite.protocol)
    by_name = {each.entry.shown: each for each in complete}
    place = places_of(found)
    notes = [
        *found.notes,
        *([f"Left out, as runs on some tasks are missing: {', '.join(partial)}."] if partial else []),
    ]
    if twins:
        named = ", ".join(each.entry.shown for each in twins)
        notes.append(f"Left out, as these are the searches of reference runs again: {named}.")
    files = {
        "index.html": _index(suite, found, by_name, sources, notes, place, now).encode("utf-8", "backslashreplace"),
        "downloads/leaderboard.csv": _csv(found),
    }
    for each in by_name.values():
        page = _strategy_page(suite, found, each, place, now)
        files[f"strategies/{each.page}"] = page.encode("utf-8", "backslashreplace")
    for source in sources:
        files[f"downloads/{source.name}"] = source.content
    return files


def _listed(sources: Sequence[Source]) -> list[_Listed]:
    """Label strategies differently, and name their pages."""
    names = Counter(source.name for source in sources)
    if max(names.values()) > 1:
        raise InputError(f"two files have the name {names.most_common(1)[0][0]!r}; rename one")
    labels = Counter(entry.shown for source in sources for entry in source.runs.entries)
    found: list[_Listed] = []
    pages: set[str] = set()
    for source in sources:
        for entry in source.runs.entries:
            label = printable(entry.shown)
            if labels[label] > 1 and source.origin == SUBMISSION:
                label = f"{label} ({source.name.removesuffix('.npz')})"
            page = base = re.sub(r"[^\w.-]+", "-", label).strip("-.") or "strategy"
            while f"{page}.html".lower() in pages:
                page = f"{base}-{len(pages)}"
            pages.add(f"{page}.html".lower())
            found.append(_Listed(replace(entry, label=label), source, f"{page}.html"))
    return found


def _index(
    suite: Benchmark,
    found: Compared,
    by_name: Mapping[str, _Listed],
    sources: Sequence[Source],
    notes: Sequence[str],
    place: Mapping[str, int],
    now: str,
) -> str:
    script = static("leaderboard.js")
    curves = target_curves(found.entries, found.scales, found.protocol.targets)
    charts = [
        {"heading": part.heading, "svg": part.chart, "under": part.under}
        for part in overall_section(found, place).parts
        if part.chart
    ]
    axis = "part of the large budget spent (simulated clock)"
    charts.append(
        {"heading": "Targets over the budget", "svg": curve_chart(curves, place, axis, "Targets"), "under": ""}
    )
    return rendered(
        "leaderboard.html",
        suite=suite,
        title=f"Leaderboard of {suite.name}",
        lead=f"{len(found.entries)} strategies on {len(found.scales)} task{'s' if len(found.scales) > 1 else ''}, in the "
        "order of their ranks by normalized regret: 0 for the best architecture of a table, 1 for its mean. Every number comes from the files "
        "below, which anyone can check.",
        notes=notes,
        rows=_overall_rows(found, by_name),
        charts=charts,
        tasks=[_task(found, by_name, task) for task in found.scales],
        sizes=found.protocol.budgets,
        files=[
            {
                "name": source.name,
                "what": f"{source.origin} of {printable(', '.join(entry.shown for entry in source.runs.entries))}",
                "bytes": len(source.content),
                "sha256": hashlib.sha256(source.content).hexdigest(),
            }
            for source in sources
        ],
        now=now,
        script=script,
        policy=policy([script]),
        colours=[page_colours(name) for name in found.strategies],
        place=place,
    )


def _overall_rows(found: Compared, by_name: Mapping[str, _Listed]) -> list[dict[str, Any]]:
    shares = shares_at(found.entries, found.scales, found.protocol.targets).set_index("strategy")
    rows = []
    for row in found.overall.sort_values("rank", kind="stable").to_dict("records"):
        each = by_name[row["strategy"]]
        stated = each.source.stated
        who = (
            printable(str(stated.get("name") or "submission")) if each.source.origin == SUBMISSION else "reference run"
        )
        rows.append(
            {
                "strategy": row["strategy"],
                "origin": each.source.origin,
                "page": each.page,
                "rank": number_text(row["rank"], 2),
                "regret": f"{row['regret']:.3f}",
                "regret_interval": interval_text(row["regret_low"], row["regret_high"], 3) or row["interval"],
                "tally": f"{row['wins']}, {row['ties']}, {row['losses']}",
                "targets": f"{shares.loc[row['strategy'], found.protocol.budget]:.0%}",
                "from_whom": who,
                "tried": str(stated.get("options_tried", "–")) if each.source.origin == SUBMISSION else "0",
            }
        )
    return rows


def _task(found: Compared, by_name: Mapping[str, _Listed], task: str) -> dict[str, Any]:
    scale = found.scales[task]
    rows = []
    for row in found.summary[found.summary["task"] == task].sort_values("rank", kind="stable").to_dict("records"):
        each = by_name[row["strategy"]]
        rows.append(
            {
                "strategy": row["strategy"],
                "origin": each.source.origin,
                "page": each.page,
                "rank": number_text(row["rank"], 2),
                "score": f"{100 * row['score']:.2f}",
                "score_interval": interval_text(100 * row["score_low"], 100 * row["score_high"], 2) + f" n={row['n']}",
                "regrets": [f"{row[f'regret_{size}']:.3f}" for size in found.protocol.budgets],
                "usd": f"{row['usd']:.4f}",
                "own": seconds_text(row["searcher_seconds"]),
            }
        )
    budgets = ", ".join(f"{size} {scale.seconds[size]:g} s" for size in found.protocol.budgets)
    deck = f"{scale.label}: best accuracy {100 * scale.best:.2f}%, mean {100 * scale.typical:.2f}%. Budgets: {budgets}."
    return {"name": task, "deck": deck, "rows": rows}


def _strategy_page(suite: Benchmark, found: Compared, each: _Listed, place: Mapping[str, int], now: str) -> str:
    name, entry, source = each.entry.shown, each.entry, each.source
    overall = found.overall.set_index("strategy").loc[name]
    rank = "" if math.isnan(overall["rank"]) else f"rank {overall['rank']:.2f} among {len(found.entries)}, "
    sections = []
    for task, table in found.tests.items():
        mine = table[(table["first"] == name) | (table["second"] == name)]
        scores = found.summary[(found.summary["task"] == task) & (found.summary["strategy"] == name)]
        parts = [Part(table=scores_table(scores, found), caption=f"Scores on {task}")]
        if len(mine):
            parts.append(Part("Comparisons", table=tests_table(mine), caption=f"Tests on {task}"))
        sections.append(Section(f"Task {task}", "", tuple(parts)))
    curves = target_curves([entry], found.scales, found.protocol.targets)
    axis = "part of the large budget spent (simulated clock)"
    chart = Part(chart=curve_chart(curves, place, axis, f"Targets reached by {name}"))
    sections.append(Section("Targets over the budget", "", (chart,)))
    made = source.runs.made
    stated = source.stated
    provenance = [
        ("origin", source.origin),
        ("submitted by", stated.get("name", "")),
        ("other settings tried", str(stated.get("options_tried", "")) + (f", on {stated['tuned_on']}" if stated.get("tuned_on") else "")),
        ("options", json.dumps(dict(entry.options)) if entry.options else "defaults"),
        ("code", f"SHA-256 {entry.digest}" if entry.digest else "of the suite, or of an installed package"),
        ("machine", f"{made.get('processor', '')}, {made.get('system', '')}"),
        ("versions", ", ".join(f"{package} {version}" for package, version in dict(made.get("packages", {})).items())),
        ("commit", f"{made.get('commit', '')}{' with changes' if made.get('dirty') else ''}"),
    ]  # fmt: skip
    return rendered(
        "leaderboard_strategy.html",
        suite=suite,
        strategy=name,
        title=f"{name} on {suite.name}",
        lead=f"{rank}mean normalized regret {overall['regret']:.3f} over {overall['tasks']} "
        f"task{'s' if overall['tasks'] > 1 else ''} and {overall['n']} searches.",
        sections=sections,
        provenance=[(key, printable(str(value))) for key, value in provenance if str(value).strip(" ,")],
        file=source.name,
        code="\n".join(printable(line.replace("\t", "    ")) for line in entry.code.splitlines()),
        now=now,
        policy=policy(()),
        colours=[page_colours(strategy) for strategy in found.strategies],
        place=place,
    )


def _csv(found: Compared) -> bytes:
    text = io.StringIO()
    csv_cells(found.summary).to_csv(text, index=False)
    return text.getvalue().encode("utf-8", "backslashreplace")
