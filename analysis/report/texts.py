"""The whole text of a report, by what the rows are and by the format."""

from __future__ import annotations

from typing import Literal, NamedTuple

from nasbench.analysis.report.contents import Selection, Wishes, contents


class ReportText(NamedTuple):
    """Text of a report, and one line about it for the terminal ("" for reports on searches)."""

    text: str
    summary: str


def report_text(selection: Selection, wishes: Wishes, kind: Literal["html", "md"], now: str) -> ReportText:
    """Make a report on searches, or on a complete table where the rows are those of one.

    Args:
        selection: the results.
        wishes: options of the report.
        kind: format of the text.
        now: time of creation.

    Returns:
        The text, with a summary of a complete table.

    Raises:
        InputError: when the rows are not comparable, or an option does not suit them.
    """
    from nasbench.analysis.report.complete_table import is_complete_table, table_contents, table_html, table_markdown

    if is_complete_table(selection.runs):
        table = table_contents(selection, wishes)
        return ReportText((table_markdown if kind == "md" else table_html)(table, now), table.summary)
    found = contents(selection, wishes)
    if kind == "md":
        from nasbench.analysis.report.markdown import markdown_report

        return ReportText(markdown_report(found, now), "")
    from nasbench.analysis.report.page import html_report

    return ReportText(html_report(found, now), "")
