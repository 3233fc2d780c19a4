"""Report as Markdown for a pull request: the same contents as the page, condensed; long parts are folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbench.analysis.comparison.checklist import checklist_summary
from nasbench.analysis.costs.cost_on_other_devices import energy_note
from nasbench.analysis.report import tables
from nasbench.analysis.report.payload import HASH_DIGITS
from nasbench.analysis.report.wording import estimates, facts, findings, headline, lead, setting
from nasbench.texts import markdown_text as plain

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.analysis.report.contents import Contents
    from nasbench.analysis.report.tables import ReportTable


def markdown_report(found: Contents, now: str) -> str:
    """Make the Markdown text.

    Args:
        found: contents of the report.
        now: time of creation.

    Returns:
        GitHub-flavoured Markdown; texts from results files cannot become markup, links or mentions.
    """
    lines = [f"## {plain(headline(found))}", "", plain(lead(found)), ""]
    lines += [" · ".join(f"**{plain(fact.value)}** {plain(fact.what)}" for fact in facts(found)), ""]
    against = findings(found)
    lines += [f"Best {tables.words('val_acc')} against random search:", ""] if against else []
    lines += [f"- {plain(line)}" for line in against]
    lines += [f"- :warning: {plain(note)}" for note in found.notes]
    lines += ["", "### Comparison", "", *table_lines(tables.summary_table(found))]
    noise = tables.noise_table(found)
    lines += (
        ["", "The score that chose against trainings with other seeds:", "", *table_lines(noise)] if noise.rows else []
    )
    tests = tables.tests_table(found)
    lines += ["", *table_lines(tests)] if tests.rows else []
    lines += ["", "### Cost", "", *table_lines(tables.cost_table(found))]
    if len((parts := tables.category_table(found)).columns) > 2:
        unit = tables.hour_unit(found.cost["gpu_hours"], found.devices).heading
        lines += ["", *folded(f"{unit} of a run by ledger category", table_lines(parts))]
    if len(found.other_devices):
        notes = [f"- {plain(line)}" for line in estimates(found)]
        lines += [
            "",
            *folded("On other devices, by estimate", [*table_lines(tables.other_devices_table(found)), "", *notes]),
        ]
    lines += ["", plain(energy_note(found.energy))]
    lines += ["", "### Best architectures", "", *table_lines(_best(found))]
    measured = tables.measured_table(found)
    lines += (
        ["", *folded(f"Measured: fronts with {tables.words('val_acc')}", table_lines(measured))]
        if measured.rows
        else []
    )
    lines += ["", *folded("Accuracy and size: hypervolumes", table_lines(tables.volume_table(found)))]
    lines += ["", *folded("Fairness checks", table_lines(tables.fairness_table(found)))]
    answered = f"Best-practices checklist: {checklist_summary(found.checklist)}"
    lines += ["", *folded(answered, table_lines(tables.checklist_table(found)))]
    lines += ["", *folded("What was run", [*_setting(found), "", *table_lines(tables.setup_table(found))])]
    lines += ["", *folded("Provenance and commands", _provenance(found))]
    return "\n".join([*lines, "", f"<sub>nasbench, {now[:16].replace('T', ' ')} UTC</sub>", ""])


def table_lines(content: ReportTable) -> list[str]:
    """Write a table of a report as lines of Markdown.

    Args:
        content: the table.

    Returns:
        Head, rule and one line per row.
    """
    head = "| " + " | ".join(plain(column.heading) for column in content.columns) + " |"
    rule = "|" + "|".join("---:" if column.kind == "number" else "---" for column in content.columns) + "|"
    rows = ["| " + " | ".join(plain(f"{cell.main} {cell.aside}") for cell in row) + " |" for row in content.rows]
    return [head, rule, *rows]


def _best(found: Contents) -> ReportTable:
    numbers = ("Seed", tables.heading("val_acc"), tables.heading("test_acc"), "Parameters", "Multiply-adds")
    words = (tables.ReportColumn("Architecture", "text"), tables.ReportColumn("Strategy", "text"))
    table = tables.ReportTable((*words, *(tables.ReportColumn(name) for name in numbers)))
    for row in found.best.to_dict("records"):
        counts = (tables.count(row["params"]), tables.count(row["mult_adds"]))
        scores = (tables.percent(row["val_acc"]), tables.percent(row["test_acc"]))
        texts = (row["hash"][:HASH_DIGITS], row["strategy"], str(row["run_seed"]), *scores, *counts)
        table.rows.append([tables.ReportCell(text) for text in texts])
    return table


def _setting(found: Contents) -> list[str]:
    return [f"- {aspect}: {plain(words)}" for aspect, words in setting(found)]


def _provenance(found: Contents) -> list[str]:
    return provenance_lines(found.provenance, found.files, found.commands, found.wishes.command)


def provenance_lines(provenance: pd.DataFrame, files: pd.DataFrame, commands: pd.DataFrame, command: str) -> list[str]:
    """Write how results and report were made.

    Args:
        provenance: result of `contents.provenance`.
        files: result of `contents.files`.
        commands: result of `contents.commands`.
        command: command line that makes the report, "" if there is none.

    Returns:
        Lines of Markdown.
    """
    lines = [
        f"- {plain(row['aspect'])}: {plain(row['value'])} ({row['runs']} {'run' if row['runs'] == 1 else 'runs'})"
        for row in provenance.to_dict("records")
    ]
    lines += [
        f"- {plain(row['file'])}: {row['bytes']:,} bytes, sha256 {row['sha256']}" for row in files.to_dict("records")
    ]
    made = [*commands["command"], *([command] if command else [])]
    # Indented code shows any text unchanged, and has no fence that a text could close.
    return [*lines, "", *(f"    {' '.join(line.split())}" for line in made)]


def folded(title: str, lines: list[str]) -> list[str]:
    """Fold lines under a title, which opens them.

    Args:
        title: the title.
        lines: lines of Markdown.

    Returns:
        All lines.
    """
    return ["<details>", f"<summary>{plain(title)}</summary>", "", *lines, "", "</details>"]
