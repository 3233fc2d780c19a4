"""Functions that the analysis commands share: read files, print a table with its notes."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from nasbench.cli.output import note
from nasbench.errors import printable
from nasbench.texts import shortened

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.store.query import Results

_log = logging.getLogger(__name__)
LONGEST_CELL: Final = 300

files_argument = click.argument("files", nargs=-1, required=True)
where_option = click.option("-w", "--where", default=None, help="Only children for which this condition is true.")
seed_option = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the bootstrap."
)
allow_option = click.option(
    "--allow",
    multiple=True,
    metavar="CHECK",
    help="Allow this check to fail: protocol, data, space, budget, parallelism, prices, children, duplicates, searcher, "
    "baseline, test.",
)


def load(
    files: Sequence[str], where: str | None, columns: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, Results]:
    """Read the children of files, and the runs that a condition over children leaves (`expressions.runs`).

    Args:
        files: results files.
        where: a condition over the children (see `nasbench.expressions`), or None for all.
        columns: columns of the children to read, None for all.

    Returns:
        Children, runs, and the opened results.

    Raises:
        InputError: when no children are left, or several files have the same run.
    """
    from nasbench.analysis.comparison.checks import require_distinct
    from nasbench.errors import InputError
    from nasbench.expressions.runs import runs_left
    from nasbench.runners.search.killed_runs import runs_as_spent
    from nasbench.store.query import Results

    began = time.perf_counter()
    results = Results(list(files))
    frame, runs = children_where(results, where, columns), runs_as_spent(results)
    require_distinct(runs)
    seconds = time.perf_counter() - began
    _log.info("read %d children of %d runs from %s in %.2f s", len(frame), len(runs), ", ".join(results.files), seconds)
    if where is not None:
        runs, left_out = runs_left(runs, where, set(frame["run"]), set(results.frame(["run"])["run"]))
        if left_out:
            note(left_out)
    if frame.empty:
        raise InputError(
            f"no children {'match ' + repr(where) if where else 'in'} {', '.join(files)}; see: nasbench query FILE"
        )
    return frame, runs, results


def children_where(results: Results, where: str | None, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the children for which a condition holds: first the columns of the condition, then those that are wanted.

    Args:
        results: opened results files.
        where: a condition over all columns of the children, None for all children.
        columns: columns to read, None for all.

    Returns:
        The children in commit order, numbered from 0.

    Raises:
        InputError: when the text is no condition over the columns.
    """
    from nasbench.cli.query import child_kinds
    from nasbench.expressions.frames import parse_where, rows_that_hold

    if where is None:
        return results.frame(columns)
    kinds = child_kinds()
    if len(results.files) == 1:
        del kinds["file"]
    condition = parse_where(where, kinds)
    deciding = results.frame(list(condition.names) or ["stage"])
    return results.frame(columns, rows=rows_that_hold(deciding, condition).nonzero()[0])


def load_judged(
    files: Sequence[str], where: str | None, name: str = "val_acc", columns: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, Results, str]:
    """Read files as `load` does, and let the rest of the command judge their runs by a score.

    Args:
        files: results files.
        where: see `load`.
        name: the score; "val_acc" and "test_acc" stand for the one by which the runs were judged. See `judged.judge`.
        columns: see `load`; with those of `analysis.comparison.columns`, which a score is made of.

    Returns:
        Children with the score in place of their accuracies, runs, the opened results, and the part of the data that the
        name means: "val_acc" or "test_acc".

    Raises:
        InputError: when no children are left, or the score does not fit them.
    """
    from nasbench.scores import judging
    from nasbench.store.judged import judge, measure_of

    frame, runs, results = load(files, where, columns)
    frame, score = judge(frame, runs, results.measurements(), name)
    click.get_current_context().with_resource(judging(score))
    return frame, runs, results, measure_of(name)


def echo_table(table: pd.DataFrame, notes: Sequence[str]) -> None:
    """Print a table, and a line for each note except with --quiet.

    On a terminal a table that is too wide for a line is printed in parts, one under the other, each with the first column.
    Elsewhere each row is one line, for other programs.

    Args:
        table: the table; numbers get four significant digits, texts beyond 300 characters are cut in their middle.
        notes: sentences about it.
    """
    shown = table.rename(columns=lambda name: _cell(str(name)))
    for place, dtype in enumerate(table.dtypes):
        if dtype.kind not in "iufb":
            shown.isetitem(place, table.iloc[:, place].map(_cell))
    columns = list(range(shown.shape[1]))
    parts = _parts(shown, shutil.get_terminal_size().columns) if sys.stdout.isatty() else [columns]
    for number, places in enumerate(parts):
        click.echo(("\n" if number else "") + _aligned(shown.iloc[:, places]))
    for each in notes:
        note(each)


def _aligned(table: pd.DataFrame) -> str:
    if table.empty:  # pandas would print its own words
        return "  ".join(map(str, table.columns))
    return str(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


def _parts(table: pd.DataFrame, line: int) -> list[list[int]]:
    """Split columns into parts that fit a line, as far as single columns beside the first one do.

    Args:
        table: the table, with at least one column.
        line: characters of a line.

    Returns:
        Places of the columns of each part; the first column is in each.
    """
    places = range(table.shape[1])
    if not len(table.columns) or _width(table) <= line:
        return [list(places)]
    parts = [[0]]
    for place in places[1:]:
        if len(parts[-1]) > 1 and _width(table.iloc[:, [*parts[-1], place]]) > line:
            parts.append([0])
        parts[-1].append(place)
    return parts


def _width(table: pd.DataFrame) -> int:
    return max(map(len, _aligned(table).splitlines()), default=0)


def _cell(value: Any) -> Any:
    return shortened(printable(value), LONGEST_CELL) if isinstance(value, str) else value
