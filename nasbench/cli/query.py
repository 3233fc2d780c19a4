"""`nasbench query`: select, sort and print children."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench.errors import InputError, MissingExtra, did_you_mean
from nasbench.expressions.frames import kinds_of, parse_where, rows_that_hold
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.expressions import Kind, Node
    from nasbench.store.format.columns import Numbers
    from nasbench.store.query import Results

DEFAULT_COLUMNS = ("strategy", "run_seed", "index", "hash", "status", "val_acc", "params", "mult_adds", "gpu_hours")
PUBLISHED = "published"
FORMATS = ("table", "csv", "json", "parquet")


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("-w", "--where", default=None, help="Condition, e.g. \"params < 1M and strategy == 'ppo'\".")
@click.option("-c", "--columns", default=None, help="Comma-separated columns, or 'all'.")
@click.option("-s", "--sort", default=None, help="Column to sort by, largest first; 'column:asc' for smallest first.")
@click.option("-n", "--head", default=None, type=click.IntRange(0), help="Maximal number of rows.")
@click.option(
    "--stage",
    default="search",
    type=click.Choice(["search", "final", "all"]),
    show_default=True,
    help="Stage of the rows.",
)
@click.option("--runs", is_flag=True, help="Print the runs instead of the children.")
@click.option(
    "-f",
    "--format",
    "format_",
    default="table",
    type=click.Choice(FORMATS),
    show_default=True,
    help="Form of the output.",
)
@click.option(
    "-o", "--output", default=None, type=click.Path(dir_okay=False), help="Write to a file instead of printing."
)
def query(
    files: Sequence[str],
    where: str | None,
    columns: str | None,
    sort: str | None,
    head: int | None,
    stage: str,
    runs: bool,
    format_: str,
    output: str | None,
) -> None:
    """Select, sort and print the children of results files, or `published` networks.

    \b
    Example:
      nasbench query results/demo.h5 --where "params < 1e5" --sort val_acc --head 5
      nasbench query results/demo.h5 --columns all --format csv -o children.csv
      nasbench query published --where "kind == 'searched' and params < 6e6" --columns model,params,top1_acc,paper
    """
    if tuple(files) == (PUBLISHED,):
        frame = pick(
            select(_published(), where, sort, head), columns or "model,data,params,mult_adds,top1_acc,paper,tag"
        )
    elif runs:
        frame = pick(select(_opened(files).runs(), where, sort, head), columns or "all")
    else:
        frame = _children(_opened(files), where, columns, sort, head, None if stage == "all" else stage)
    write(frame, format_, output)


def _published() -> pd.DataFrame:
    from nasbench.tabular.published import published_networks

    return published_networks()


def _opened(files: Sequence[str]) -> Results:
    from nasbench.store.query import Results

    return Results(list(files))


def _children(
    results: Results, where: str | None, columns: str | None, sort: str | None, head: int | None, stage: str | None
) -> pd.DataFrame:
    """Read the columns that select the rows, then only the selected rows of the printed columns."""
    from nasbench.store.format.schema import CHILD_COLUMNS

    known = [*(["file"] if len(results.files) > 1 else []), *(column.name for column in CHILD_COLUMNS)]
    names = known if columns == "all" else _names(columns or ",".join(DEFAULT_COLUMNS))
    allowed = [*known, "file"]
    _check_columns(names, allowed, "--columns")
    by = [] if sort is None else [sort.partition(":")[0]]
    _check_columns(by, allowed, "--sort")
    rows = results.positions(stage)
    if where is not None or by:
        kinds = child_kinds()
        condition = None if where is None else parse_where(where, {name: kinds[name] for name in allowed})
        used = set(by) | (set() if condition is None else condition.names)
        deciding = results.frame(
            [name for name in dict.fromkeys(allowed) if name in used] or ["stage"], rows=_all_or(rows, len(results))
        )
        rows = rows[select(deciding, condition, sort, head).index.to_numpy()]
    else:
        rows = rows[:head]
    return results.frame(names, rows=_all_or(rows, len(results)))


def child_kinds() -> dict[str, Kind]:
    """Return the kinds of values of all columns that children have.

    Returns:
        Column -> "number", "text" or "condition"; with the column "file" of several files.
    """
    from nasbench.store.format.schema import CHILD_COLUMNS

    kinds: dict[str, Kind] = {"int": "number", "float": "number", "bool": "condition", "str": "text"}
    return {**{column.name: kinds[column.type] for column in CHILD_COLUMNS}, "file": "text"}


def _all_or(rows: Numbers, count: int) -> Numbers | None:
    """Replace positions of all rows in their order by None, which is read faster."""
    return None if len(rows) == count and bool((rows[1:] > rows[:-1]).all()) else rows


def _names(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",") if name.strip()]


def select(frame: pd.DataFrame, where: str | Node | None, sort: str | None, head: int | None) -> pd.DataFrame:
    """Select rows of a frame by a condition, sort them, and keep the first ones.

    Args:
        frame: a frame with any columns.
        where: a condition over the columns, as text (see `nasbench.expressions`) or parsed; None for all rows.
        sort: a column, largest value first, or "column:asc"; None to keep the order.
        head: largest number of rows; None for all.

    Returns:
        The selected rows.

    Raises:
        InputError: when the text is no condition over the columns, or there is no such column.
    """
    if where is not None:
        condition = parse_where(where, kinds_of(frame)) if isinstance(where, str) else where
        frame = frame[rows_that_hold(frame, condition)]
    if sort is not None:
        column, _, order = sort.partition(":")
        _check_columns([column], frame.columns, "--sort")
        frame = frame.sort_values(column, ascending=order == "asc", kind="stable")
    return frame if head is None else frame.head(head)


def pick(frame: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Select columns of a frame.

    Args:
        frame: a frame with any columns.
        columns: names of columns, separated by commas, or "all".

    Returns:
        The frame with these columns, in this order.

    Raises:
        InputError: when there is no such column.
    """
    if columns == "all":
        return frame
    names = _names(columns)
    _check_columns(names, frame.columns, "--columns")
    return frame[names]


def _check_columns(names: Sequence[str], allowed: Sequence[str], option: str) -> None:
    for name in names:
        if name not in allowed:
            listed = ", ".join(dict.fromkeys(allowed))
            raise InputError(f"{option}: no column {name!r}{did_you_mean(name, allowed)}; allowed: {listed}")


def write(frame: pd.DataFrame, format_: str, output: str | None) -> None:
    """Write a frame to a file or to standard output.

    Args:
        frame: the frame.
        format_: "table", "csv", "json" (a list of objects) or "parquet".
        output: name of the file; None for standard output.

    Raises:
        InputError: for parquet without an output file.
        MissingExtra: when pyarrow is not installed, for parquet.
    """
    if format_ == "parquet":
        if output is None:
            raise InputError("--format parquet is binary: name a file with --output, e.g. -o children.parquet")
        try:
            content = frame.to_parquet(None, index=False)
        except ImportError:
            raise MissingExtra("pyarrow", "parquet") from None
        Path(output).write_bytes(content)  # pyarrow itself takes no names that are not UTF-8
        return
    text = _text(frame, format_)
    if output is None:
        click.echo(text)
    else:
        Path(output).write_text(text + "\n", encoding="utf-8")


def _jsonable(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """Convert a row for JSON with every digit, which pandas' JSON rounds; missing and infinite values become null."""
    return {
        str(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _text(frame: pd.DataFrame, format_: str) -> str:
    if format_ == "csv":
        return str(csv_cells(frame).to_csv(index=False)).rstrip("\n")
    if format_ == "json":
        return json.dumps([_jsonable(row) for row in frame.to_dict("records")], indent=1)
    if frame.empty:
        return f"no rows (columns: {', '.join(frame.columns)})"
    return str(frame.to_string(index=False, float_format=lambda value: f"{value:.5g}", max_colwidth=60))
