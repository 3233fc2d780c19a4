"""Export of results for other tools: parquet, CSV and JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nasbench.errors import InputError, MissingExtra
from nasbench.store.errors import explain
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
        output: file to write, ending in .parquet, .csv or .jsonl; an existing file is replaced.

    Returns:
        Number of rows written.

    Raises:
        InputError: for another ending.
        MissingExtra: for parquet without pyarrow.
        StoreError: when it cannot be written.
    """
    write = _WRITERS.get(Path(output).suffix)
    if write is None:
        raise InputError(f"export: {output!r} should end in one of {', '.join(_WRITERS)}, which names the format")
    tables: dict[What, Callable[[], pd.DataFrame]] = {
        "children": results.frame,
        "curves": results.all_curves,
        "runs": results.runs,
        "measurements": results.measurements,
    }
    frame = tables[what]()
    try:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        write(frame, output)
    except OSError as error:
        raise explain(error, Path(output), "exporting") from error
    return len(frame)


def _write_parquet(frame: pd.DataFrame, output: str) -> None:
    try:
        content = frame.to_parquet(None, index=False)
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    Path(output).write_bytes(content)  # pyarrow itself takes no names that are not UTF-8


def _write_csv(frame: pd.DataFrame, output: str) -> None:
    csv_cells(frame).to_csv(output, index=False)


def _write_lines(frame: pd.DataFrame, output: str) -> None:
    # pandas' own JSON writer rounds floats to 15 digits.
    names = list(frame.columns)
    with open(output, "w", encoding="utf-8") as file:
        for values in frame.itertuples(index=False, name=None):
            file.write(json.dumps({name: _plain(value) for name, value in zip(names, values)}) + "\n")


def _plain(value: Any) -> Any:
    """Convert a value for JSON: NaN becomes null, the infinities become strings."""
    plain = value.item() if hasattr(value, "item") else value
    if not isinstance(plain, float) or math.isfinite(plain):
        return plain
    return None if math.isnan(plain) else repr(plain)


_WRITERS: Final[dict[str, Callable[[Any, str], None]]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_lines,
}
