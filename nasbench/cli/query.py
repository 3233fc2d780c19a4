"""`nasbench query`: select, sort and print children."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.measured import measurements_of, measurements_option
from nasbench.cli.outputs import QUERY_FORMS, put
from nasbench.cli.table_formats import format_table
from nasbench.errors import InputError, MissingExtra, did_you_mean
from nasbench.expressions.frames import kinds_of, parse_where, rows_that_hold
from nasbench.outputs import STANDARD_OUTPUT, ending_of, write_output
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.expressions import Kind, Node
    from nasbench.store.format.columns import Data, Numbers
    from nasbench.store.query import Results

DEFAULT_COLUMNS = ("strategy", "run_seed", "index", "hash", "status", "val_acc", "params", "mult_adds", "gpu_hours")
PUBLISHED = "published"
MEASURED_COLUMNS = (
    *("hash", "quantity", "value", "low", "high", "unit", "n", "device", "method", "batch", "threads", "measured_at"),
)
_STREAMED = ("csv", "table")
"""Forms that are written a block of rows at a time."""
FORMATS = tuple(sorted(QUERY_FORMS.values()))


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("-w", "--where", default=None, help="Condition, e.g. \"params < 1M and strategy == 'ppo'\".")
@click.option("-c", "--columns", default=None, help="Comma-separated columns, or 'all'.")
@click.option("-s", "--sort", default=None, help="Column to sort by, largest first; 'column:asc' for smallest first.")
@click.option("-n", "--head", default=None, type=click.IntRange(0), help="Maximal number of rows.")
@click.option(
    "--stage",
    default=None,
    type=click.Choice(["search", "final", "all"]),
    help="Stage of the rows  [search].",
)
@click.option("--runs", is_flag=True, help="Print the runs instead of the children.")
@click.option("--measured", is_flag=True, help="Print the measurements instead of the children.")
@click.option(
    "-m",
    "--measure",
    "wanted",
    multiple=True,
    metavar="QUANTITY[CONDITIONS]",
    help="Choose a measured quantity, e.g. latency[method=eager,batch=1], which is then a column; repeatable.",
)
@measurements_option
@click.option(
    "-f",
    "--format",
    "format_",
    default=None,
    type=click.Choice(FORMATS),
    help="Form of the output  [by the ending of --output; table]",
)
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(dir_okay=False),
    help="File ending in .csv, .json, .jsonl, .parquet, .md, .tex, .html or .txt; - is standard output  [-].",
)
def query(
    files: Sequence[str],
    where: str | None,
    columns: str | None,
    sort: str | None,
    head: int | None,
    stage: str | None,
    runs: bool,
    measured: bool,
    wanted: Sequence[str],
    measurements: Sequence[str],
    format_: str | None,
    output: str | None,
) -> None:
    """Select, sort and print the children of results files, or `published` networks.

    A measured quantity, e.g. latency, is a column like any other; where it was measured in several ways, --measure or
    the conditions behind its name say which.

    \b
    Example:
      nasbench query results/demo.h5 --where "params < 1e5" --sort val_acc --head 5
      nasbench query results/demo.h5 --columns all --format csv -o children.csv
      nasbench query results/demo.h5 --columns hash,val_acc,latency --where "latency < 0.005" --sort val_acc
      nasbench query published --where "kind == 'searched' and params < 6e6" --columns model,params,top1_acc,paper
    """
    form = form_of(format_, output)
    _require_of_one_table(
        tuple(files) == (PUBLISHED,),
        {
            "--runs": runs,
            "--measured": measured,
            "--measure": bool(wanted),
            "--measurements": bool(measurements),
            "--stage": stage is not None,
        },
    )
    if tuple(files) == (PUBLISHED,):
        frame = pick(
            select(_published(), where, sort, head), columns or "model,data,params,mult_adds,top1_acc,paper,tag"
        )
    elif measured:
        with _opened(files) as results:
            table = measurements_of(results, measurements)
        frame = pick(select(table, where, sort, head), columns or ",".join(MEASURED_COLUMNS))
    elif runs:
        frame = pick(select(_opened(files).runs(), where, sort, head), columns or "all")
    else:
        results = _opened(files)
        chosen = Children(results, Quantities(results, measurements, wanted), columns)
        rows = chosen.rows(where, sort, head, None if stage == "all" else stage or "search")
        if form in _STREAMED and (len(rows) or form == "csv"):
            stream(chosen.blocks(form, rows), output)
            return
        frame = chosen.read(chosen.names, rows)[chosen.names]
    write(frame, form, output)


def _require_of_one_table(published: bool, given: Mapping[str, bool]) -> None:
    """Refuse options of another table than the one that is printed, which would do nothing."""
    fits: tuple[str, ...] = ()
    if published:
        printed = "published networks"
    elif given["--runs"]:
        printed, fits = "--runs", ("--runs",)
    elif given["--measured"]:
        printed, fits = "--measured", ("--measured", "--measurements")
    else:
        return
    others = [option for option, here in given.items() if here and option not in fits]
    if others:
        raise InputError(f"{others[0]} does nothing for {printed}: leave one of them out")


def _published() -> pd.DataFrame:
    from nasbench.tabular.published import published_networks

    return published_networks()


def _opened(files: Sequence[str]) -> Results:
    from nasbench.store.query import Results

    return Results(list(files))


class Quantities:
    """Measured quantities that a command may use as columns.

    Args:
        results: opened results files.
        others: further files of measurements.
        wanted: quantities with their conditions; a quantity that is not among them needs none, or has them in its name.

    Raises:
        InputError: when one of `wanted` was not measured, or in several ways.
    """

    def __init__(self, results: Results, others: Sequence[str], wanted: Sequence[str]) -> None:
        self._results, self._others = results, others
        self._conditions: dict[str, str] = {}
        if wanted:
            from nasbench.store.measured import Wanted, choose

            self._conditions = {Wanted.parse(text).quantity: text for text in wanted}
            for text in wanted:
                choose(self._rows, text)
        self.wanted = list(self._conditions)
        # Most files have no measurements: these take no frame, whose library takes longer to import than they to read.
        some = bool(others) or any(map(len, results.columns(["quantity"], "measurements").values()))
        self.names = list(dict.fromkeys(self._rows["quantity"].astype(str))) if some else []

    @cached_property
    def _rows(self) -> pd.DataFrame:
        return measurements_of(self._results, self._others)

    def has(self, name: str) -> bool:
        """Check whether a name, without its conditions, is a measured quantity.

        Args:
            name: the name.

        Returns:
            True if the files have measurements of it.
        """
        return name.partition("[")[0].strip() in self.names

    def values(self, name: str, hashes: pd.Series[str]) -> Any:
        """Return the values of architectures.

        Args:
            name: the quantity, with conditions or without.
            hashes: hash of each row.

        Returns:
            One float per row, NaN where the architecture was not measured.

        Raises:
            InputError: when it was measured in several ways.
        """
        from nasbench.store.measured import choose

        found = choose(self._rows, self._conditions.get(name, name)).values
        return hashes.astype(str).map(found).astype(float).to_numpy()


class Children:
    """Children that a query selects: the columns that decide are read first, then the selected rows of the others.

    Args:
        results: opened results files.
        quantities: measured quantities, which are columns, too.
        columns: value of --columns; None for the usual ones.

    Raises:
        InputError: when there is no such column.
    """

    def __init__(self, results: Results, quantities: Quantities, columns: str | None) -> None:
        from nasbench.store.format.schema import CHILD_COLUMNS

        known = [*(["file"] if len(results.files) > 1 else []), *(column.name for column in CHILD_COLUMNS)]
        names = known if columns == "all" else _names(columns or ",".join(DEFAULT_COLUMNS))
        self._results, self._quantities = results, quantities
        self._allowed = [*dict.fromkeys([*known, "file"])]
        self.names = names if columns else [*names, *quantities.wanted]
        self.measured = [name for name in self.names if name not in self._allowed]
        self._check(self.names, "--columns")

    def _check(self, given: Sequence[str], option: str) -> None:
        others = [name for name in given if not self._quantities.has(name)]
        _check_columns(others, [*self._allowed, *self._quantities.names], option)

    def rows(self, where: str | None, sort: str | None, head: int | None, stage: str | None) -> Numbers:
        """Select children.

        Args:
            where: value of --where.
            sort: value of --sort.
            head: value of --head.
            stage: "search" or "final"; None for both.

        Returns:
            Their positions, in the order wanted.

        Raises:
            InputError: when the condition or the column to sort by is none.
        """
        by = [] if sort is None else [_sorted_by(sort)[0]]
        self._check(by, "--sort")
        rows = self._results.positions(stage)
        if where is None and not by:
            return rows[:head]
        child = child_kinds()
        kinds: dict[str, Kind] = {
            **dict.fromkeys(self._quantities.names, "number"),
            **{name: child[name] for name in self._allowed},
        }
        condition = None if where is None else parse_where(where, kinds)
        used = [*by, *(() if condition is None else condition.names)]
        deciding = self.read(list(dict.fromkeys(used)), rows)
        chosen: Numbers = rows[select(deciding, condition, sort, head).index.to_numpy()]
        return chosen

    def read(self, names: Sequence[str], rows: Numbers) -> pd.DataFrame:
        """Read columns of some children.

        Args:
            names: names of columns, or of measured quantities.
            rows: their positions.

        Returns:
            A frame that has these columns.
        """
        plain = [name for name in names if name in self._allowed]
        measured = [name for name in names if name not in self._allowed]
        read = [*plain, *(["hash"] if measured else [])] or ["stage"]
        frame = self._results.frame(read, rows=all_or(rows, len(self._results)))
        return frame.assign(**{name: self._quantities.values(name, frame["hash"]) for name in measured})

    def blocks(self, form: str, rows: Numbers) -> Iterator[bytes]:
        """Write children as text, a block of rows at a time; columns are read one after the other.

        Args:
            form: "csv" or "table".
            rows: their positions.

        Returns:
            The text in UTF-8: the headings' line, then blocks of lines.
        """
        if form == "csv":
            from nasbench.store.format.csv_lines import csv_blocks

            return csv_blocks(self.columns(rows))
        from nasbench.store.format.table_lines import table_blocks

        return (block.encode("utf-8", "backslashreplace") for block in table_blocks(self.columns(rows)))

    def columns(self, rows: Numbers) -> Iterator[tuple[str, Data]]:
        """Read the columns of --columns, each when it is asked for.

        Args:
            rows: positions of children.

        Yields:
            Name, and column of shape [rows].
        """
        chosen = all_or(rows, len(self._results))
        for name in self.names:
            if name in self._allowed:
                yield name, self._results.cells([name], chosen)[name]
            else:
                yield name, self._quantities.values(name, self._results.frame(["hash"], rows=chosen)["hash"])


def child_kinds() -> dict[str, Kind]:
    """Return the kinds of values of all columns that children have.

    Returns:
        Column -> "number", "text" or "condition"; with the column "file" of several files.
    """
    from nasbench.store.format.schema import CHILD_COLUMNS

    kinds: dict[str, Kind] = {"int": "number", "float": "number", "bool": "condition", "str": "text"}
    return {**{column.name: kinds[column.type] for column in CHILD_COLUMNS}, "file": "text"}


def all_or(rows: Numbers, count: int) -> Numbers | None:
    """Replace positions of all rows in their order by None, which is read faster.

    Args:
        rows: positions.
        count: number of all rows.

    Returns:
        The positions, or None.
    """
    return None if len(rows) == count and bool((rows[1:] > rows[:-1]).all()) else rows


def _names(columns: str) -> list[str]:
    from nasbench.store.measured import split_names

    return split_names(columns)


def _sorted_by(sort: str) -> tuple[str, str]:
    """Return the column and the order ("" for none) of --sort; a colon inside brackets belongs to the column."""
    column, colon, order = sort.rpartition(":")
    if not colon or "]" in order:
        return sort, ""
    if order not in ("asc", "desc"):
        raise InputError(f"--sort {sort!r}: the order is asc (smallest first) or desc, got {order!r}")
    return column, order


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
        InputError: when the text is no condition over the columns, or there is no such column or order.
    """
    if where is not None:
        condition = parse_where(where, kinds_of(frame)) if isinstance(where, str) else where
        frame = frame[rows_that_hold(frame, condition)]
    if sort is not None:
        column, order = _sorted_by(sort)
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


def form_of(format_: str | None, output: str | None) -> str:
    """Take the form of a query's output from the ending of the file, or from --format.

    Args:
        format_: value of --format; None if it is not given.
        output: name of the file; None or "-" for standard output.

    Returns:
        "table", "csv", "json" or "parquet".

    Raises:
        InputError: for an unknown ending, or one of another form than --format.
    """
    if output is None or output == STANDARD_OUTPUT:
        return format_ or "table"
    form = QUERY_FORMS[ending_of(output, tuple(QUERY_FORMS))]
    if format_ not in (None, form):
        raise InputError(f"{output!r} is the name of a {form} file, and --format is {format_}; leave --format out")
    return form


def stream(blocks: Iterable[bytes], output: str | None) -> None:
    """Write text in blocks to a file or to standard output.

    Args:
        blocks: text in UTF-8, with the line break at its end; the first has the names of the columns.
        output: name of the file; None for standard output.

    Raises:
        InputError: when the file must not be replaced, or cannot be written.
    """
    if output is None or output == STANDARD_OUTPUT:
        for block in blocks:
            click.echo(block.decode(), nl=False)
    else:
        write_output(output, blocks)


def write(frame: pd.DataFrame, format_: str, output: str | None) -> None:
    """Write a frame to a file or to standard output.

    Args:
        frame: the frame.
        format_: "table", "csv", "json" (a list of objects), "jsonl" (an object per line), "parquet", "markdown", "latex" (a
            tabular) or "html" (a table).
        output: name of the file; None for standard output.

    Raises:
        InputError: for parquet without an output file.
        MissingExtra: when pyarrow is not installed, for parquet.
    """
    if format_ == "parquet":
        if output is None or output == STANDARD_OUTPUT:
            raise InputError("--format parquet is binary: name a file with --output, e.g. -o children.parquet")
        try:
            content = frame.to_parquet(None, index=False)
        except ImportError:
            raise MissingExtra("pyarrow", "parquet") from None
        write_output(output, content)  # pyarrow itself takes no names that are not UTF-8
        return
    text = _text(frame, format_)
    if output is None or output == STANDARD_OUTPUT:
        click.echo(text)
    else:
        put(output, text + "\n")


def _jsonable(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """Convert a row for JSON with every digit, which pandas' JSON rounds; missing and infinite values become null."""
    return {
        str(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _html(frame: pd.DataFrame) -> str:
    """Write a table in HTML, one row per line."""
    import pandas as pd

    lines = [frame.columns, *frame.itertuples(index=False, name=None)]
    cells = [["" if pd.isna(value) else html.escape(str(value)) for value in line] for line in lines]
    head, *rows = ("".join(f"<td>{cell}</td>" for cell in line) for line in cells)
    first = f"<table><thead><tr>{head.replace('td>', 'th>')}</tr></thead><tbody>"
    return "\n".join(['<meta charset="utf-8">' + first, *(f"<tr>{row}</tr>" for row in rows), "</tbody></table>"])


def _text(frame: pd.DataFrame, format_: str) -> str:
    if format_ == "csv":
        return str(csv_cells(frame).to_csv(index=False)).rstrip("\n")
    if format_ == "json":
        return json.dumps([_jsonable(row) for row in frame.to_dict("records")], indent=1)
    if format_ == "jsonl":
        return "\n".join(json.dumps(_jsonable(row)) for row in frame.to_dict("records"))
    if format_ in ("markdown", "latex"):
        return format_table(format_, frame)
    if format_ == "html":
        return _html(frame)
    if frame.empty:
        return f"no rows (columns: {', '.join(frame.columns)})"
    return str(frame.to_string(index=False, float_format=lambda value: f"{value:.5g}", max_colwidth=60))
