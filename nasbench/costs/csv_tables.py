"""CSV tables of devices, as users write them: read with a fixed set of columns, every mistake in one line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasbench.errors import InputError, MissingData, require_regular


def read_text(path: str, missing: str) -> str:
    """Read a text file; a byte-order mark is removed.

    Args:
        path: the file.
        missing: message for a file that does not exist.

    Returns:
        The text.

    Raises:
        MissingData: when the file does not exist.
        InputError: when it cannot be read or is not UTF-8.
    """
    require_regular(Path(path), "table", "name a CSV file")
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingData(missing) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path!r}: {error}") from None


def table_rows(
    text: str, where: str, columns: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the rows of a CSV table with a header.

    Args:
        text: the table.
        where: name of the table, for messages.
        columns: names of all columns that are allowed.
        needed: those that must be there.

    Yields:
        Place of each row, for messages ("table of speeds 'a.csv', line 2"), and its values by column, without spaces
        around them; "" for a column that is not there.

    Raises:
        InputError: when a needed column is missing, another one is there, or the table has no rows.
    """
    rows = csv.DictReader(io.StringIO(text))
    found = rows.fieldnames or ()
    if not set(needed) <= set(found) or set(found) - set(columns):
        raise InputError(
            f"{where} has the columns {', '.join(found) or 'none'}; allowed: {', '.join(columns)}, of which "
            f"{' and '.join(needed)} must be there"
        )
    empty = True
    for row in rows:
        empty = False
        yield f"{where}, line {rows.line_num}", {name: (row.get(name) or "").strip() for name in columns}
    if empty:
        raise InputError(f"{where} has no rows")
