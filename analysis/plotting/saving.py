"""Saving of figures: pictures in one or several formats, the data behind them, and their caption as text.

The ending of a name decides the format. PDF files embed TrueType fonts, and texts in SVG files are text, so that both
can be searched and edited.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nasbench.analysis.plotting.captions import caption_of
from nasbench.analysis.plotting.style import boxes_for_unknown_characters
from nasbench.errors import InputError
from nasbench.outputs import replace_file, require_output
from nasbench.texts import csv_blocks_of, csv_cell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")
USUAL_FORMATS: Final = ("png", "svg")
OTHER_ENDING: Final = re.compile("[a-z]{2,4}|h5|hdf5|jsonl|parquet|journal")
"""Endings of other formats, which are no part of a stem."""
PRINT_DPI: Final = 200
FONT_TYPES: Final[Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "ps.fonttype": 42}
CAPTION_HEAD: Final = "Caption of "
COLUMNS_HEAD: Final = "Columns: "
PLOT: Final = "nasbench plot"
"""Kind of a picture that has data and caption beside it."""
DRAWING: Final = "nasbench drawing"
"""Kind of a picture without data."""
BEGINNINGS: Final = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
HEAD_BYTES: Final = 1 << 13  # metadata are at the start of PNG and SVG files, and at the end of PDF files


def picture_paths(output: Path | str, formats: Sequence[str] = (), usual: Sequence[str] = USUAL_FORMATS) -> list[Path]:
    """List the pictures to write for a name that a user gave.

    Args:
        output: a file that ends in .png, .svg or .pdf, which is that one picture; or a stem.
        formats: formats of a stem's pictures; with none, the usual ones.
        usual: the usual formats.

    Returns:
        One path per picture.

    Raises:
        InputError: for a file of one format together with another format, or a file that is no such picture.
    """
    path = Path(output)
    if not path.name:
        raise InputError(f"cannot draw to {str(output)!r}: the name of the picture is empty; give e.g. fig.pdf")
    ending = path.suffix.lower().removeprefix(".")
    if ending in FORMATS:
        if set(formats) - {ending}:
            raise InputError(
                f"{str(path)!r} is a {ending} file, and the formats are {', '.join(formats)}; "
                "leave the formats out, or give a name without ending"
            )
        return [path]
    if OTHER_ENDING.fullmatch(ending):
        raise InputError(
            f"cannot draw to {str(path)!r}; the name must end in .png, .svg or .pdf, or have no ending for several pictures"
        )
    return [path.with_name(f"{path.name}.{each}") for each in dict.fromkeys(formats or usual)]


def save(figure: Figure, output: Path | str, data: pd.DataFrame, formats: Sequence[str] = ()) -> list[Path]:
    """Write a figure, the data behind it as CSV, and its caption, if it has one, as text.

    Args:
        figure: the figure to save.
        output: stem or file; see `picture_paths`. Missing folders are created.
        data: the rows that the figure shows.
        formats: formats of a stem's pictures: "png" (200 dots per inch), "svg", "pdf"; with none, PNG and SVG.

    Returns:
        The paths, pictures first. The same figure and data give the same bytes.

    Raises:
        InputError: when one of the files must not be replaced (`nasbench.outputs`; earlier ones of the same plot are), or
            the folder cannot be written; nothing is written then.
    """
    pictures = picture_paths(output, formats)
    stem = pictures[0].with_suffix("")
    if Path(output).suffix.lower().removeprefix(".") not in FORMATS:
        stem = Path(output)
    data_path, text_path = (stem.with_name(f"{stem.name}.{ending}") for ending in ("csv", "txt"))
    text = caption_of(figure)
    columns = ",".join(map(str, data.columns))
    earlier = _first_lines(text_path)
    header = ",".join(csv_cell(str(name)) for name in data.columns)  # with quotation marks where a name has a comma
    own = {columns, header, *(line.removeprefix(COLUMNS_HEAD) for line in earlier if line.startswith(COLUMNS_HEAD))}
    if text:
        require_output(text_path, lambda _: earlier[:1] != [] and earlier[0].startswith(CAPTION_HEAD), "caption")
    require_output(data_path, lambda there: _first_lines(there, 1)[0] in own, "table of this plot")
    for path in pictures:
        require_picture(path, PLOT)
    contents = [picture_bytes(figure, path, PLOT) for path in pictures]
    for path, content in zip(pictures, contents):
        replace_file(path, content)
    replace_file(data_path, csv_blocks_of(data))
    if not text:
        return [*pictures, data_path]
    names = ", ".join(path.name for path in pictures)
    caption = f"{CAPTION_HEAD}{names}\n\n{text}\n\nData: {data_path.name}\n{COLUMNS_HEAD}{columns}\n"
    replace_file(
        text_path, caption.encode("utf-8", "backslashreplace")
    )  # names of files may hold bytes that are no text
    return [*pictures, data_path, text_path]


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write a figure without data, e.g. a drawing of an architecture, in the format of the path's ending.

    Args:
        figure: the figure to save.
        path: a file ending in .png, .svg or .pdf; missing folders are created.

    Returns:
        The path.

    Raises:
        InputError: for another ending, when the file there must not be replaced (`nasbench.outputs`), or the folder
            cannot be written.
    """
    path = Path(path)
    require_picture(path, DRAWING)
    replace_file(path, picture_bytes(figure, path, DRAWING))
    return path


def picture_bytes(figure: Figure, path: Path, kind: str) -> bytes:
    """Draw a figure in the format of a file's ending.

    Args:
        figure: the figure.
        path: the file, of which only the ending is used: .png, .svg or .pdf.
        kind: `PLOT` or `DRAWING`, which the picture's metadata will name.

    Returns:
        The content of the file; the same figure gives the same bytes.

    Raises:
        InputError: for another ending.
    """
    import matplotlib

    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InputError(f"cannot draw to {str(path)!r}; the name must end in .png, .svg or .pdf")
    about = {
        "png": {"Software": kind},
        "svg": {"Creator": kind, "Date": None},
        "pdf": {"Creator": kind, "CreationDate": None},
    }[ending]
    file = io.BytesIO()
    with matplotlib.rc_context({**FONT_TYPES, "svg.hashsalt": "nasbench"}), boxes_for_unknown_characters():
        figure.savefig(file, format=ending, dpi=PRINT_DPI, facecolor="auto", metadata=about)
    return file.getvalue()


def require_picture(path: Path, kind: str) -> None:
    """Refuse a path that a picture must not replace.

    Args:
        path: the picture to write.
        kind: `PLOT` or `DRAWING`; an earlier picture of the same kind is replaced.

    Raises:
        InputError: for another file, as `nasbench.outputs.require_output` says.
    """
    require_output(path, lambda there: _is_own(there, kind), "picture")


def _is_own(path: Path, kind: str) -> bool:
    """Whether a file is a picture of a kind, by its metadata, or for older ones by the caption beside it."""
    content = path.read_bytes()
    if not content.startswith(BEGINNINGS.get(path.suffix.lower(), ())):
        return False
    mark = kind.encode()
    if mark in content[:HEAD_BYTES] or mark in content[-HEAD_BYTES:]:
        return True
    caption = _first_lines(path.with_suffix(".txt"), 1) + _first_lines(path.with_name(f"{path.name}.txt"), 1)
    names = [
        name for line in caption if line.startswith(CAPTION_HEAD) for name in line[len(CAPTION_HEAD) :].split(", ")
    ]
    return kind == PLOT and path.name in names and b"atplotlib" in content


def _first_lines(path: Path, most: int = 1000) -> list[str]:
    """The first lines of a text file; none where there is no file."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in itertools.islice(file, most)]
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
