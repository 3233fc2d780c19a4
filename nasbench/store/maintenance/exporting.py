"""Export of results for other tools: parquet, CSV and JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from nasbench.errors import MissingExtra
from nasbench.outputs import ending_of, write_output
from nasbench.store.format.csv_lines import csv_blocks
from nasbench.store.query import Results
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd

What = Literal["children", "curves", "runs", "measurements"]


def export_table(results: Results, what: What, output: str) -> int:
    """Write a table of results files in the format given by the output's ending.

    Floats keep their exact bits. Missing floats are empty in CSV, null in JSON lines and NaN in parquet.

    Args:
        results: opened results files.
        what: "children"; "curves", with one row per child and epoch; "runs"; or "measurements".
        output: file to write, ending in .parquet, .csv or .jsonl; an earlier one with the same columns is replaced.

    Returns:
        Number of rows written.

    Raises:
        InputError: for another ending, when the file must not be replaced, or cannot be written.
        MissingExtra: for parquet without pyarrow.
    """
    form = _FORMS[ending_of(output, tuple(_FORMS))]
    tables: dict[What, Callable[[], pd.DataFrame]] = {
        "children": results.frame,
        "curves": results.all_curves,
        "runs": results.runs,
        "measurements": results.measurements,
    }
    if what == "children" and form is _csv:
        write_output(output, csv_blocks(results.cells().items()))
        return len(results)
    frame = tables[what]()
    write_output(output, form(frame))
    return len(frame)


def _parquet(frame: pd.DataFrame) -> bytes:
    try:
        return bytes(frame.to_parquet(None, index=False))
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None


def _csv(frame: pd.DataFrame) -> bytes:
    return str(csv_cells(frame).to_csv(index=False)).encode("utf-8", "backslashreplace")


def _lines(frame: pd.DataFrame) -> bytes:
    # pandas' own JSON writer rounds floats to 15 digits.
    names = list(frame.columns)
    rows = frame.itertuples(index=False, name=None)
    return "".join(
        json.dumps({name: _plain(value) for name, value in zip(names, values)}) + "\n" for values in rows
    ).encode()


def _plain(value: Any) -> Any:
    """Convert a value for JSON: NaN becomes null, the infinities become strings."""
    plain = value.item() if hasattr(value, "item") else value
    if not isinstance(plain, float) or math.isfinite(plain):
        return plain
    return None if math.isnan(plain) else repr(plain)


_FORMS: Final[dict[str, Callable[[Any], bytes]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _lines,
}
