"""Texts of unknown origin in each kind of output: one function per kind writes them so that they remain text.

| output | function | what it prevents |
|---|---|---|
| terminal, and columns of results files | `errors.printable`, `errors.printable_data` | control characters, changes of direction, halves of surrogate pairs |
| CSV | `csv_cells`, `csv_blocks_of` | cells that a spreadsheet runs as formulas |
| Markdown | `markdown_text` | markup, links, mentions, formulas |
| LaTeX | `latex_text` | commands |
| pictures | `plotting.style.theme` (no formulas) and `shortened` | `$...$` as a formula, names as wide as a picture |
| HTML | jinja2's autoescape, `html.escape`; JSON in the page: `report.payload.as_script` | elements and scripts |
| JSON | `json.dumps`, in ASCII | characters that cannot be encoded |
| HDF5 | `store.packing`, as JSON where HDF5 cannot hold a text | zero bytes, halves of surrogate pairs |
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError, printable

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+|inf|nan)(?:[eE][+-]?[0-9]+)?%?")
_FORMULA: Final = re.compile("'*[=+\\-@\t\r＝＋－＠].")
_QUOTED_FORMULA: Final = re.compile("''*[=+\\-@\t\r＝＋－＠].")
_MARKDOWN: Final = re.compile(r"([\\`*{}\[\]<>|#~@!&$]|(?<![^\W_])_|_(?![^\W_]))")  # val_acc needs no escape
_QUOTED: Final = frozenset(',"\r\n')
_CSV_ROWS: Final = 1 << 13
_FEW_NUMBERS: Final = 1 << 13
_CSV_NUMBERS: Final = ("int64", "float64", "bool")
_LATEX: Final = {char: f"\\{char}" for char in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
}


_FORMS: Final[dict[str, tuple[type, type]]] = {
    **dict.fromkeys(("options", "set", "threads", "energy"), (dict, object)),
    "packages": (dict, str),
    **dict.fromkeys(("command", "gpus", "devices"), (list, str)),
    **dict.fromkeys(("search_seeds", "report_seeds"), (list, int)),
    **dict.fromkeys(("commit", "processor", "python", "system", "host", "driver", "platform"), (str, str)),
    **dict.fromkeys(("strategy", "executor", "final", "draw", "stream", "where_arch", "budget"), (str, str)),
}
"""Entries of configurations and of provenance -> their type, and that of what they hold."""


def json_object(text: str) -> dict[str, Any]:
    """Read a column of a results file that holds a JSON object, e.g. a run's configuration.

    Args:
        text: JSON, or "".

    Returns:
        The object, its texts written as `printable` does; {} if the text is no object, as in files of other origin.
        Entries that the suite writes are left out where they have another form.
    """
    try:
        found = json.loads(text or "{}")
        return {name: value for name, value in _shown(found).items() if _has_form(name, value)}
    except (ValueError, RecursionError, AttributeError):  # AttributeError: no object
        return {}


def _has_form(name: str, value: Any) -> bool:
    """Whether an entry of a configuration or of provenance has the form in which it is read."""
    if name in _FORMS:
        kind, each = _FORMS[name]
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return isinstance(value, kind) and all(isinstance(part, each) for part in parts)
    return True


def stored_object(text: str, where: str) -> dict[str, Any]:
    """Read a JSON object of a results file on which the caller depends, e.g. a run's configuration.

    Args:
        text: JSON, or "" for an empty object.
        where: what has it, for the message, e.g. "the configuration of run 768bc8".

    Returns:
        The object.

    Raises:
        InputError: when the text is no JSON object, so that no version of the suite wrote it.
    """
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(
            f"{where} is no JSON object but {printable(shortened(text, 60))!r}: nasbench did not write it; use the file "
            "that it was copied from"
        )
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return {printable(name): _shown(each) for name, each in value.items()} if isinstance(value, dict) else value


def csv_text(text: str) -> str:
    """Write a text for CSV so that no spreadsheet takes it for a formula.

    Args:
        text: the text.

    Returns:
        The text; with an apostrophe before it if it begins with = + - @ and is no number. `text_of_csv` takes it away.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of_csv(cell: str) -> str:
    """Reverse `csv_text`.

    Args:
        cell: a cell that `csv_text` wrote.

    Returns:
        The text.
    """
    return cell[1:] if _QUOTED_FORMULA.match(cell) else cell


def csv_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Write texts and headings of a frame for CSV; see `csv_text`. Numbers are not changed.

    Args:
        frame: any frame.

    Returns:
        The frame for `to_csv`; the same object where nothing needs a change.
    """
    safe = frame
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        if column.dtype.kind in "iufbMm":
            continue
        changed = {text: csv for text in column.unique() if isinstance(text, str) and (csv := csv_text(text)) != text}
        if changed:
            safe = safe.copy() if safe is frame else safe
            safe.isetitem(place, column.map(lambda value, changed=changed: changed.get(value, value)))
    headings = [csv_text(name) if isinstance(name, str) else name for name in frame.columns]
    return safe if headings == list(frame.columns) else safe.set_axis(headings, axis=1)


def csv_cell(text: str) -> str:
    """Write a text as one cell of CSV; see `csv_text`.

    Args:
        text: the text.

    Returns:
        The cell, in quotation marks where it needs them.
    """
    safe = csv_text(text)
    return '"' + safe.replace('"', '""') + '"' if _QUOTED.intersection(safe) else safe


def number_cells(values: NDArray[Any]) -> list[str]:
    """Write numbers as cells of CSV.

    Args:
        values: ints, floats or bools, [n].

    Returns:
        Their cells, as pandas writes them: the shortest digits of floats, nothing for NaN.
    """
    texts = list(map(repr, values.tolist()))
    if values.dtype.kind == "f" and (values != values).any():
        return ["" if text == "nan" else text for text in texts]
    return texts


def number_writer(values: NDArray[Any]) -> Callable[[slice], list[str]]:
    """Make a function that writes some numbers of an array as `number_cells` does, each different one once where many repeat.

    Args:
        values: ints, floats or bools, [n].

    Returns:
        The function.
    """
    import numpy as np

    if values.dtype.kind == "b":
        return lambda rows: ["True" if value else "False" for value in values[rows].tolist()]
    if values.dtype.kind == "i" and len(values):
        least, most = int(values.min()), int(values.max())
        if most - least < min(_FEW_NUMBERS, len(values)):
            texts = np.array([str(number) for number in range(least, most + 1)], dtype=object)
            return lambda rows: texts[values[rows] - least].tolist()
    beginning = values[:_CSV_ROWS]
    if 2 * len(np.unique(beginning)) > len(beginning):
        return lambda rows: number_cells(values[rows])
    return lambda rows: _each_once(values[rows])


def _each_once(values: NDArray[Any]) -> list[str]:
    """Numbers of 8 bytes as cells, each different one written once."""
    import numpy as np

    # by their bits: 0.0 and -0.0 are equal, and differ as texts
    bits, places = np.unique(values.view(np.int64), return_inverse=True)
    written = np.array(number_cells(bits.view(values.dtype)), dtype=object)
    found: list[str] = written[places].tolist()
    return found


def csv_blocks_of(frame: pd.DataFrame) -> Iterator[bytes]:
    """Write a frame as `csv_cells(frame).to_csv(index=False)` does, in UTF-8, a block of rows at a time.

    Args:
        frame: any frame; numbers, texts and categories of texts take a third of pandas' time.

    Yields:
        Bytes: the headings' line, then lines of rows.
    """
    writers = [_cell_writer(frame.iloc[:, place]) for place in range(frame.shape[1])]
    if len(writers) < 2 or None in writers or not all(isinstance(name, str) for name in frame.columns):
        yield str(csv_cells(frame).to_csv(index=False)).encode("utf-8", "backslashreplace")
        return
    yield (",".join(map(csv_cell, frame.columns)) + "\n").encode("utf-8", "backslashreplace")
    for start in range(0, len(frame), _CSV_ROWS):
        cells = [write(slice(start, start + _CSV_ROWS)) for write in writers if write is not None]
        yield ("\n".join(map(",".join, zip(*cells))) + "\n").encode("utf-8", "backslashreplace")


def _cell_writer(column: pd.Series[Any]) -> Callable[[slice], list[str]] | None:
    """Make a function that writes some rows of a column; None for a column of another kind than numbers or texts."""
    if column.dtype.kind in "iufb" and column.dtype.name in _CSV_NUMBERS:
        return number_writer(column.to_numpy())
    import numpy as np
    import pandas as pd

    codes, texts = pd.factorize(column)
    if not all(isinstance(text, str) for text in texts):
        return None
    cells = np.array([*map(csv_cell, texts), ""], dtype=object)  # the code of a missing value is -1
    return lambda rows: cells[codes[rows]].tolist()


def markdown_text(text: str) -> str:
    """Escape a text so that it contains no Markdown or HTML markup, no link, mention or formula.

    Args:
        text: any text.

    Returns:
        The text on one line.
    """
    return _MARKDOWN.sub(r"\\\1", printable(" ".join(text.split())))


def latex_text(text: str) -> str:
    """Escape a text so that LaTeX prints it.

    Args:
        text: any text.

    Returns:
        The text on one line.
    """
    one_line = printable(" ".join(text.split()))
    # TeX makes a dash of hyphens that follow each other
    return "".join(_LATEX.get(char, char) for char in one_line).replace("--", "-{}-").replace("--", "-{}-")


def shortened(text: str, most: int = 60) -> str:
    """Cut a long text in its middle.

    Args:
        text: any text.
        most: maximal number of characters of the result, >= 3.

    Returns:
        The text, or its beginning and end around an ellipsis.
    """
    if len(text) <= most:
        return text
    end = (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"
