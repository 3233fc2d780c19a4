"""`nasbench query`: children selected, sorted and written out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench.errors import InputError, MissingExtra, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_COLUMNS = ("strategy", "run_seed", "index", "hash", "status", "val_acc", "params", "mult_adds", "gpu_hours")
PUBLISHED = "published"
FORMATS = ("table", "csv", "json", "parquet")


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("-w", "--where", default=None, help="pandas expression, e.g. \"params < 1e6 and strategy == 'ppo'\".")
@click.option("-c", "--columns", default=None, help="Comma-separated columns, or 'all'.")
@click.option("-s", "--sort", default=None, help="Column to sort by, largest first; 'column:asc' for smallest first.")
@click.option("-n", "--head", default=None, type=click.IntRange(0), help="At most so many rows.")
@click.option(
    "--stage", default="search", type=click.Choice(["search", "final", "all"]), show_default=True, help="Which rows."
)
@click.option("--runs", is_flag=True, help="The runs instead of the children.")
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
        frame, default = _published(), "model,data,params,mult_adds,top1_acc,paper,tag"
    else:
        read = None if where is not None else _read_only(columns, sort)
        frame, default = _stored(files, None if stage == "all" else stage, runs, read)
    write(pick(select(frame, where, sort, head), columns or default), format_, output)


def _published() -> pd.DataFrame:
    from nasbench.published import published_networks

    return published_networks()


def _stored(
    files: Sequence[str], stage: str | None, runs: bool, columns: Sequence[str] | None
) -> tuple[pd.DataFrame, str]:
    from nasbench.store.query import Results

    results = Results(list(files))
    return (results.runs(), "all") if runs else (results.frame(columns, stage), ",".join(DEFAULT_COLUMNS))


def _read_only(columns: str | None, sort: str | None) -> list[str] | None:
    """The columns that are printed or sorted by, so that no other is read; None for all, also where a name is not known."""
    from nasbench.store.schema import CHILD_COLUMNS

    names = list(DEFAULT_COLUMNS) if columns is None else [name.strip() for name in columns.split(",") if name.strip()]
    names += [] if sort is None else [sort.partition(":")[0]]
    known = {column.name for column in CHILD_COLUMNS}
    return names if set(names) <= known else None


def select(frame: pd.DataFrame, where: str | None, sort: str | None, head: int | None) -> pd.DataFrame:
    """Rows of a frame by a pandas expression, sorted and cut.

    Raises:
        InputError: when the expression does not evaluate, or there is no such column.
    """
    if where is not None:
        try:
            frame = frame.query(where)
        except Exception as error:  # pandas raises whatever the expression raises; all of it is the user's input
            allowed = ", ".join(frame.columns)
            raise InputError(f"--where {where!r} is no pandas expression over {allowed}: {error}") from None
    if sort is not None:
        column, _, order = sort.partition(":")
        _check_columns(frame, [column], "--sort")
        frame = frame.sort_values(column, ascending=order == "asc", kind="stable")
    return frame if head is None else frame.head(head)


def pick(frame: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Columns of a frame by a comma-separated text, or all of them.

    Raises:
        InputError: when there is no such column.
    """
    if columns == "all":
        return frame
    names = [name.strip() for name in columns.split(",") if name.strip()]
    _check_columns(frame, names, "--columns")
    return frame[names]


def _check_columns(frame: pd.DataFrame, names: Sequence[str], option: str) -> None:
    for name in names:
        if name not in frame.columns:
            allowed = ", ".join(frame.columns)
            raise InputError(f"{option}: no column {name!r}{did_you_mean(name, frame.columns)}; allowed: {allowed}")


def write(frame: pd.DataFrame, format_: str, output: str | None) -> None:
    """Write a frame as a table, CSV, JSON lines of records or parquet, to a file or to standard output.

    Raises:
        InputError: for parquet without a file to write to.
        MissingExtra: for parquet without pyarrow.
    """
    if format_ == "parquet":
        if output is None:
            raise InputError("--format parquet is binary: name a file with --output, e.g. -o children.parquet")
        try:
            frame.to_parquet(output, index=False)
        except ImportError:
            raise MissingExtra("pyarrow", "parquet") from None
        return
    text = _text(frame, format_)
    if output is None:
        click.echo(text)
    else:
        Path(output).write_text(text + "\n", encoding="utf-8")


def _text(frame: pd.DataFrame, format_: str) -> str:
    if format_ == "csv":
        return str(frame.to_csv(index=False)).rstrip("\n")
    if format_ == "json":
        return str(frame.to_json(orient="records", indent=1))
    if frame.empty:
        return f"no rows (columns: {', '.join(frame.columns)})"
    return str(frame.to_string(index=False, float_format=lambda value: f"{value:.5g}", max_colwidth=60))
