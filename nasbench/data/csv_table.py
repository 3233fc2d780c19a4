"""Images listed in a CSV file: columns `path` and `label`, and perhaps `split`."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nasbench.data.assembling import Found, Item, assemble
from nasbench.data.cache import cached
from nasbench.data.dataset import Dataset
from nasbench.data.folder import SPLITS
from nasbench.data.image_files import image_from
from nasbench.data.source_options import parse_source
from nasbench.errors import InputError, MissingData

if TYPE_CHECKING:
    from PIL import Image

LAYOUT = "the columns path and label, and perhaps split (train, val or test)"


def load_csv(text: str) -> Dataset:
    """Load the images that a CSV file lists.

    Its first line names the columns: `path` (relative to the CSV file), `label`, and perhaps `split` with train, val or
    test in every row. Without it, a part of each class becomes test images, chosen by a seed.

    Args:
        text: "PATH[=NAME][,size=PIXELS][,...]"; all options are those of `source_options.ImageOptions`.

    Returns:
        The data set.

    Raises:
        MissingData: when there is no such file.
        InputError: when a column is missing, or a row's split or an option is not usable.
        DataFaults: when images or classes are faulty; all faults together.
    """
    source = parse_source(text, "csv")
    if not source.path.is_file():
        raise MissingData(f"no CSV file {str(source.path)!r}; it should hold {LAYOUT}")
    items: list[Item] = []
    files: dict[Item, Path] = {}
    marks: list[str] = []
    problems: list[str] = []
    with source.path.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.DictReader(stream)
        if missing := {"path", "label"} - set(rows.fieldnames or ()):
            raise InputError(f"{str(source.path)!r} has no column {sorted(missing)[0]!r}; it should hold {LAYOUT}")
        for number, row in enumerate(rows, 2):
            where = f"line {number}: {row['path']}"
            split = (row.get("split") or "").strip()
            if split and split not in SPLITS:
                raise InputError(f"{str(source.path)!r}, line {number}: split {split!r}; allowed: {', '.join(SPLITS)}")
            path = source.path.parent / Path(row["path"] or "").expanduser()
            try:
                status = path.stat()
            except OSError:
                problems.append(f"{where} is not there")
                continue
            item = Item(SPLITS[split] if split else "", (row["label"] or "").strip(), where)
            items.append(item)
            files[item] = path
            marks.append(f"{item} {status.st_size} {status.st_mtime_ns}")
    if len({bool(item.split) for item in items}) == 2:
        raise InputError(f"{str(source.path)!r}: some rows have a split and some have none; give it in all rows")

    def open_image(item: Item) -> Image.Image:
        return image_from(files[item].read_bytes())

    stamp = f"{source.path.resolve()}|{source.name}|{source.options.model_dump_json()}|{problems}|" + "\n".join(marks)
    key = "csv-" + hashlib.blake2b(stamp.encode(), digest_size=10).hexdigest()
    found = Found(source, "csv", items, open_image, f"csv-{source.path.stem}", LAYOUT, problems=problems)
    return cached(key, lambda: assemble(found))
