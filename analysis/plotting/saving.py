"""Saving of figures: pictures in one or several formats, the data behind them, and their caption as text.

The ending of a name decides the format. PDF files embed TrueType fonts, and texts in SVG files are text, so that both
can be searched and edited.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nasbench.analysis.plotting.captions import caption_of
from nasbench.analysis.plotting.style import boxes_for_unknown_characters
from nasbench.errors import InputError
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")
USUAL_FORMATS: Final = ("png", "svg")
OTHER_ENDINGS: Final = frozenset(
    ("bmp", "csv", "eps", "gif", "h5", "hdf5", "html", "jpeg", "jpg", "json", "md", "ps", "tif", "tiff", "txt", "webp")
)
PRINT_DPI: Final = 200
FONT_TYPES: Final[Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "ps.fonttype": 42}
CAPTION_HEAD: Final = "Caption of "
COLUMNS_HEAD: Final = "Columns: "


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
    if ending in OTHER_ENDINGS:
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
        InputError: when the folder cannot be written, a picture would replace a file that matplotlib did not write, or
            the CSV or the text one that is not an earlier one of the same plot; nothing is written then.
    """
    pictures = picture_paths(output, formats)
    stem = pictures[0].with_suffix("")
    if Path(output).suffix.lower().removeprefix(".") not in FORMATS:
        stem = Path(output)
    data_path, text_path = (stem.with_name(f"{stem.name}.{ending}") for ending in ("csv", "txt"))
    text = caption_of(figure)
    columns = ",".join(map(str, data.columns))
    earlier = _first_lines(text_path)
    if text and earlier and not earlier[0].startswith(CAPTION_HEAD):
        raise InputError(f"{str(text_path)!r} exists and is no caption; choose another name, or move that file")
    header = csv_cells(data.head(0)).to_csv(index=False).split("\n")[0]  # with quotation marks where a name has a comma
    own = {columns, header, *(line.removeprefix(COLUMNS_HEAD) for line in earlier if line.startswith(COLUMNS_HEAD))}
    if (table := _first_lines(data_path, 1)) and table[0] not in own:
        raise InputError(
            f"{str(data_path)!r} exists and is no table of this plot; choose another name, or move that file"
        )
    for path in pictures:
        require_picture(path)
    paths = [save_figure(figure, path) for path in pictures]
    try:
        csv_cells(data).to_csv(data_path, index=False)
    except OSError as error:
        raise InputError(f"cannot write {str(data_path)!r}: {error.strerror or error}") from None
    if not text:
        return [*paths, data_path]
    names = ", ".join(path.name for path in paths)
    _write_text(text_path, f"{CAPTION_HEAD}{names}\n\n{text}\n\nData: {data_path.name}\n{COLUMNS_HEAD}{columns}\n")
    return [*paths, data_path, text_path]


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write a figure without data, e.g. a drawing of an architecture, in the format of the path's ending.

    Args:
        figure: the figure to save.
        path: a file ending in .png, .svg or .pdf; missing folders are created.

    Returns:
        The path.

    Raises:
        InputError: for another ending, when the file there is none that matplotlib wrote, or the folder cannot be written.
    """
    import matplotlib

    path = Path(path)
    ending = path.suffix.lower()
    if ending.removeprefix(".") not in FORMATS:
        raise InputError(f"cannot draw to {str(path)!r}; the name must end in .png, .svg or .pdf")
    require_picture(path)
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({**FONT_TYPES, "svg.hashsalt": "nasbench"}), boxes_for_unknown_characters():
            figure.savefig(path, dpi=PRINT_DPI, facecolor="auto", metadata=dates.get(ending))
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    return path


def require_picture(path: Path) -> None:
    """Refuse a path that holds something else than an earlier picture.

    Args:
        path: the picture to write.

    Raises:
        InputError: when a file is there that matplotlib did not write; its pictures say so in all formats.
    """
    try:
        if not path.exists() or (path.is_file() and b"atplotlib" in path.read_bytes()):
            return
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    raise InputError(
        f"{str(path)!r} exists and is no earlier picture of nasbench, which alone is replaced; choose another name"
    )


def _first_lines(path: Path, most: int = 1000) -> list[str]:
    """The first lines of a text file; none where there is no file."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in itertools.islice(file, most)]
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(
            text, encoding="utf-8", errors="backslashreplace"
        )  # names of files may hold bytes that are no text
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
