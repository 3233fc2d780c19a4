"""Sentences of a report about a whole results file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from nasbench.analysis.comparison.anytime import run_hours
from nasbench.analysis.comparison.checks import is_import
from nasbench.analysis.comparison.compare import counted_children
from nasbench.analysis.costs.cost_on_other_devices import estimate_notes
from nasbench.analysis.report.tables import hour_unit, percent, priced, usd
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from nasbench.analysis.report.contents import Contents

MOST_NAMES = 4  # maximum of strategies named in a headline


class Fact(NamedTuple):
    """A highlighted number with its description."""

    value: str
    what: str


def headline(found: Contents) -> str:
    """Name the strategies that were compared, and the space; the title of the page.

    Args:
        found: contents of the report.

    Returns:
        The title that was requested, or one made from the runs.
    """
    if found.wishes.title:
        return found.wishes.title
    names = list(found.strategies)
    who = joined(names) if len(names) <= MOST_NAMES else f"{len(names)} strategies"
    text = f"{who} on {joined(distinct(found.selection.runs['space']))}"
    return text[0].upper() + text[1:]


def lead(found: Contents) -> str:
    """Say in one sentence what was run.

    Args:
        found: contents of the report.

    Returns:
        The sentence.
    """
    runs = found.selection.runs
    budgets, data = distinct(runs["budget"]), distinct(runs["data"])
    count = len(runs)
    searches = f"{count} searches" if count != 1 else "One search"
    each = " each" if count != 1 and len(budgets) == 1 else ""
    return (
        f"{searches} under a budget of {joined(budgets)}{each}, on {joined(data)} "
        f"by the protocol {joined(distinct(runs['protocol']))}."
    )


def facts(found: Contents) -> list[Fact]:
    """List the numbers at the head of the page.

    Args:
        found: contents of the report.

    Returns:
        Numbers with their captions.
    """
    runs, children = found.selection.runs, found.children
    each = run_hours(runs)
    hours, known = float(each.sum(min_count=1)), int(each.notna().sum())
    unit = hour_unit(pd.Series([hours]), found.devices)
    counted = children[children["counted"].astype(bool)]
    ok = counted[counted["status"] == "ok"]
    best = float(ok["val_acc"].max()) if len(ok) else float("nan")
    own = judged_by()
    total, within = counted_children(found.selection.frame)
    noun = "child" if within == 1 else "children"
    return [
        Fact(f"{len(runs):,}", "search" if len(runs) == 1 else "searches"),
        Fact(f"{within:,}", noun if within == total else f"{noun} within the budget, of {total:,}"),
        Fact(f"{counted['hash'].nunique():,}", "different architectures"),
        Fact(unit.of(hours), _of_those_known(unit.name, known, len(runs))),
        *([_usd_fact(runs["usd"])] if priced(found) else []),
        Fact(
            f"{percent(own.sign * best)} {'%' if own.is_accuracy else own.unit}".rstrip(),
            f"best {own.words('val_acc')}",
        ),
    ]


def _usd_fact(charged: pd.Series[float]) -> Fact:
    known = int(charged.notna().sum())
    return Fact(usd(float(charged.sum())), _of_those_known("USD", known, len(charged)))


def _of_those_known(what: str, known: int, runs: int) -> str:
    """What a sum over runs is of: a part of them, where others do not say it."""
    return what if known in (0, runs) else f"{what}, known of {known:,} of {runs:,} searches"


def unpriced(found: Contents) -> str:
    """Say why there are no USD.

    Args:
        found: contents of a report that is not `tables.priced`.

    Returns:
        The sentence.
    """
    charged, runs = found.selection.runs["usd"], len(found.selection.runs)
    if charged.isna().all():
        return "What was charged in USD is not known."
    said = "No price was set, so nothing was charged in USD"
    return (
        f"{said}."
        if charged.notna().all()
        else f"{said}; of {int(charged.isna().sum())} of {runs} runs this is not known."
    )


def children_deck(found: Contents) -> str:
    """Say what the page's table of children lists, and which of them the other tables count.

    Args:
        found: contents of the report.

    Returns:
        One or two sentences.
    """
    children, counted = counted_children(found.selection.frame)
    if counted == children:
        return "Every proposed architecture."
    return (
        f"Every proposed architecture: {children:,} children. The tables above count the {counted:,} within the budget."
    )


def findings(found: Contents) -> list[str]:
    """Compare best validation accuracies with random search.

    Args:
        found: contents of the report.

    Returns:
        One sentence per strategy; empty if impossible.
    """
    tests = found.tests.get("val_acc")
    return [] if tests is None or tests.empty else [f"{line}." for line in tests["verdict"]]


def estimates(found: Contents) -> list[str]:
    """Explain the estimates for other devices.

    Args:
        found: contents of the report.

    Returns:
        Sentences; empty if no estimates were requested.
    """
    if found.other_devices.empty:
        return []
    return [line.replace(" (hollow)", "") for line in estimate_notes(found.other_devices)]  # in the order of the figure


def setting(found: Contents) -> list[tuple[str, str]]:
    """List the settings of all runs, with every value if they differ.

    Args:
        found: contents of the report.

    Returns:
        Pairs of aspect and text.
    """
    runs, frame = found.selection.runs, found.selection.frame
    fingerprints = distinct(runs["protocol"] + " (" + runs["fingerprint"] + ")")
    data = distinct(runs["data"] + " (digest " + runs["data_digest"].str.slice(0, 12) + ")")
    return [
        ("Space", joined(distinct(runs["space"]))),
        ("Data", joined(data)),
        ("Protocol", joined(fingerprints)),
        ("Budget of a run", joined(distinct(runs["budget"]))),
        ("Devices", joined(distinct(frame.loc[frame["device"] != "", "device"])) or "none"),
        ("When", _when(runs)),
    ]


def _when(runs: pd.DataFrame) -> str:
    """Say when searches ran; of imported ones, when they were imported: their rows do not hold when they ran."""
    imported = runs["config"].map(is_import).astype(bool)
    parts = []
    if not imported.all():
        parts.append(_ran(runs[~imported]))
    if imported.any():
        days = sorted({text[:10] for text in runs.loc[imported, "started_at"]})
        which = "" if imported.all() else f"{int(imported.sum())} of {len(runs)} searches "
        parts.append(
            f"{which}imported on {joined(days)}" if len(days) < 3 else f"{which}imported {days[0]} to {days[-1]}"
        )
    return "; ".join(parts)


def _ran(runs: pd.DataFrame) -> str:
    """Begin and end of some searches in UTC; without an end if one has not ended."""
    started, finished = (text[:16].replace("T", " ") for text in (min(runs["started_at"]), max(runs["finished_at"])))
    if not_ended := int((runs["finished_at"] == "").sum()):
        return f"since {started} UTC, {not_ended} of {len(runs)} searches not finished"
    return f"{started} to {finished[11:] if finished[:10] == started[:10] else finished} UTC"


def distinct(values: pd.Series[str]) -> list[str]:
    """List distinct values in order of appearance.

    Args:
        values: values of one column.

    Returns:
        The values as texts.
    """
    return [str(value) for value in values.drop_duplicates()]


def joined(words: Sequence[str]) -> str:
    """Join words as in a sentence: "a, b and c".

    Args:
        words: any number of words.

    Returns:
        The text; '' without words.
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
