"""Images listed in a CSV file: columns `path` and `label`, and perhaps `split`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from nasbench.data.assembling import Found, Item, assemble, in_order
from nasbench.data.cache import cached
from nasbench.data.dataset import Dataset
from nasbench.data.folder import SPLITS
from nasbench.data.image_files import image_from
from nasbench.data.source_options import expanded, parse_source
from nasbench.errors import InputError, MissingData

if TYPE_CHECKING:
    from PIL import Image

LAYOUT = "the columns path and label, and perhaps split (train, val or test)"


def load_csv(text: str) -> Dataset:
    """Load the images that a CSV file lists.

    Its first line names the columns: `path` (relative to the CSV file), `label`, and perhaps `split` with train, val or
    test in every row. Without it, a part of each class becomes test images, chosen by a seed. Classes are in the order
    of their names, as numbers if all of them are.

    Args:
        text: "PATH[=NAME][,size=PIXELS][,...]"; all options are those of `source_options.ImageOptions`.

    Returns:
        The data set.

    Raises:
        MissingData: when there is no such file.
        InputError: when a column is missing or twice there, the text is not UTF-8, or a row's split or an option is not
            usable.
        DataFaults: when images or classes are faulty, or a file is listed twice; all faults together.
    """
    source = parse_source(text, "csv")
    if not source.path.is_file():
        raise MissingData(f"no CSV file {str(source.path)!r}; it should hold {LAYOUT}")
    items: list[Item] = []
    files: dict[Item, Path] = {}
    marks: list[str] = []
    problems: list[str] = []
    first: dict[Path, int] = {}
    divided: set[bool] = set()
    for number, row in _rows(source.path):
        name, label, split = row["path"], row["label"].strip(), row.get("split", "").strip()
        where = f"line {number}: {name}"
        if split and split not in SPLITS:
            raise InputError(f"{str(source.path)!r}, line {number}: split {split!r}; allowed: {', '.join(SPLITS)}")
        divided.add(bool(split))
        path = source.path.parent / expanded(name)
        try:
            status = path.stat()
        except (OSError, ValueError):  # ValueError: a name with a null character
            problems.append(f"{where} is not there")
            continue
        if not S_ISREG(status.st_mode):  # reading from a pipe or a device may never end
            problems.append(f"{where} is no file")
        elif not label:
            problems.append(f"{where} has no label")
        elif (earlier := first.setdefault(path.resolve(), number)) != number:
            problems.append(f"{where} is listed in line {earlier} already: test images may be training images, too")
        else:
            item = Item(SPLITS[split] if split else "", label, where)
            items.append(item)
            files[item] = path
            marks.append(f"{item} {status.st_size} {status.st_mtime_ns}")
    if len(divided) == 2:
        raise InputError(f"{str(source.path)!r}: some rows have a split and some have none; give it in all rows")

    def open_image(item: Item) -> Image.Image:
        return image_from(files[item].read_bytes())

    classes = in_order(item.label for item in items)
    key = source.key("csv", f"{problems}|{classes}|" + "\n".join(marks))
    name = f"csv-{source.path.stem}"
    found = Found(source, "csv", items, open_image, name, LAYOUT, classes=classes, problems=problems)
    return cached(key, lambda: assemble(found))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of the last line and the columns of each row; a row's missing columns are empty."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream, restval="")
            names = list(rows.fieldnames or ())
            if missing := [name for name in ("path", "label") if name not in names]:
                found = f"; its first line has {', '.join(map(repr, names[:5]))}" if names else ""
                raise InputError(f"{str(path)!r} has no column {missing[0]!r}{found}; it should hold {LAYOUT}")
            if twice := [name for name in ("path", "label", "split") if names.count(name) > 1]:
                raise InputError(f"{str(path)!r} has {names.count(twice[0])} columns {twice[0]!r}; keep one of them")
            for row in rows:
                yield rows.line_num, row
    except UnicodeDecodeError:
        raise InputError(f"{str(path)!r} is not encoded in UTF-8; save it as CSV with UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{str(path)!r} is no CSV file that can be read: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
