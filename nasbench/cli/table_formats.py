"""Tables as text, Markdown, LaTeX or CSV: for a terminal, a page, a paper or another program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.loading import echo_table
from nasbench.cli.output import note
from nasbench.texts import csv_cells, latex_text, markdown_text

if TYPE_CHECKING:
    import pandas as pd

TABLE_FORMATS = ("text", "markdown", "latex", "csv")

table_format_option = click.option(
    "--table-format",
    default="text",
    show_default=True,
    type=click.Choice(TABLE_FORMATS),
    help="Form of the printed table; except for text its notes go to standard error, so that it can be piped into a file.",
)


def print_table_as(form: str, table: pd.DataFrame, notes: Sequence[str]) -> None:
    """Print a table in a form, and a line for each note: with the table as text, else on standard error.

    Args:
        form: one of `TABLE_FORMATS`.
        table: the table; its column names become the heading.
        notes: sentences about it.
    """
    if form == "text":
        echo_table(table, notes)
        return
    click.echo(format_table(form, table))
    for each in notes:
        note(each, err=True)


def format_table(form: str, table: pd.DataFrame) -> str:
    """Write a table as Markdown, as LaTeX (a tabular of the package booktabs) or as CSV with all digits.

    LaTeX and the characters of European languages compile with every TeX; names in other scripts need LuaLaTeX or XeLaTeX.

    Args:
        form: "markdown", "latex" or "csv".
        table: the table; numbers are aligned to the right.

    Returns:
        The text, without a line break at its end.
    """
    if form == "csv":
        return str(csv_cells(table).to_csv(index=False, lineterminator="\n")).rstrip("\n")
    head, rows = [str(name) for name in table.columns], table.to_numpy(dtype=object).tolist()
    right = [table[name].dtype.kind in "iuf" for name in table.columns]
    head, cells = _one_line(head), [_one_line([_short(value) for value in row]) for row in rows]
    if form == "markdown":
        first, *others = ([markdown_text(cell) for cell in line] for line in [head, *cells])
        grid = [first, ["---:" if number else "---" for number in right], *others]
        return "\n".join(f"| {' | '.join(line)} |" for line in grid)
    texts = [[latex_text(cell) for cell in head], *([_in_latex(*cell) for cell in zip(line, right)] for line in cells)]
    lines = [_protected(" & ".join(line)) + r" \\" for line in texts]
    columns = "".join("r" if number else "l" for number in right)
    body = [lines[0], r"\midrule", *lines[1:]]
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}"])


def _short(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _one_line(cells: Sequence[str]) -> list[str]:
    """Replace line breaks and tabs in cells by spaces, because a row is one line."""
    return [" ".join(cell.split()) if any(char.isspace() and char != " " for char in cell) else cell for cell in cells]


def _in_latex(cell: str, number: bool) -> str:
    """Write a cell: a number with a minus and a power of ten as papers print them, other text with all characters kept."""
    if not number or not cell:
        return latex_text(cell)
    mantissa, _, exponent = cell.replace("inf", r"\infty").partition("e")
    if exponent:
        return rf"${mantissa} \times 10^{{{int(exponent)}}}$"
    return f"${mantissa}$" if mantissa.startswith(("-", "\\")) else mantissa


def _protected(line: str) -> str:
    """Keep a row that begins with a bracket or star from being read as an argument of the line break before it."""
    return "{}" + line if line.lstrip().startswith(("[", "*")) else line
