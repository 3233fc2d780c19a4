"""Data sets that Hugging Face's `datasets` saved to disk, with a column of images and one of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasbench.data.assembling import Found, Item, assemble, in_order
from nasbench.data.cache import cached
from nasbench.data.dataset import Dataset
from nasbench.data.folder import SPLITS
from nasbench.data.image_files import image_from
from nasbench.data.reading import Skipped
from nasbench.data.source_options import ImageSource, parse_source
from nasbench.errors import InputError, MissingData, MissingExtra

if TYPE_CHECKING:
    from PIL import Image

LAYOUT = (
    "a column of images and a column 'label' or 'labels', as `save_to_disk` writes them, without splits or with train, "
    "validation and test"
)


def load_hugging_face(text: str) -> Dataset:
    """Load a data set that `datasets.Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote.

    Splits are train, validation (or val, valid) and test; others are left out, and reported. Without test images, a part of each class becomes test
    images, chosen by a seed. The order of the classes is that of the column's `ClassLabel`.

    Args:
        text: "PATH[=NAME][,size=PIXELS][,...]"; all options are those of `source_options.ImageOptions`.

    Returns:
        The data set.

    Raises:
        MissingExtra: when the package `datasets` is not installed.
        MissingData: when there is no such folder.
        InputError: when the folder holds something else.
        DataFaults: when images or classes are faulty; all faults together.
    """
    source = parse_source(text, "hf")
    if not source.path.is_dir():
        raise MissingData(f"no folder {str(source.path)!r}; it should hold {LAYOUT}")
    stamp = ""
    for file in sorted(path for path in source.path.rglob("*") if path.is_file()):
        status = file.stat()
        stamp += f"{file.relative_to(source.path)} {status.st_size} {status.st_mtime_ns}\n"
    return cached(source.key("hf", stamp), lambda: _decode(source))


def _decode(source: ImageSource) -> Dataset:
    rows: dict[Item, tuple[Any, int]] = {}
    problems: list[str] = []
    skipped: list[Skipped] = []
    classes: list[str] = []
    for split, part in _parts(source).items():
        if split and split not in SPLITS:
            skipped.append(Skipped(f"in split {split!r}", len(part), (f"{split}[0]",)))
            continue
        raw, image, answer = _columns(source, part)
        names = getattr(raw.features[answer], "names", None)
        classes = list(names) if names else classes
        for number, label in enumerate(raw[answer]):
            if label is None or (names and not 0 <= label < len(names)):  # -1 is usual where labels are secret
                problems.append(f"{split}[{number}] has no label ({label})")
                continue
            item = Item(SPLITS[split] if split else "", names[label] if names else str(label), f"{split}[{number}]")
            rows[item] = (raw, number)

    def open_image(item: Item) -> Image.Image:
        part, number = rows[item]
        stored = part[number][image]
        if stored is None:
            raise ValueError("there is no image in its row")
        if stored["bytes"] is not None:
            return image_from(stored["bytes"])
        with open(stored["path"], "rb") as stream:
            return image_from(stream.read())

    classes = classes or in_order(item.label for item in rows)
    name = f"hf-{source.path.name}"
    return assemble(
        Found(source, "hf", tuple(rows), open_image, name, LAYOUT, classes, skipped=tuple(skipped), problems=problems)
    )


def _parts(source: ImageSource) -> Mapping[str, Any]:
    """Read the saved data set: split -> its rows; "" for a data set without splits."""
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", "datasets") from None
    try:
        loaded = datasets.load_from_disk(str(source.path))
    # IndexError: a data set without rows; the others: damaged descriptions.
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{str(source.path)!r} is no saved data set, has no rows, or is damaged ({words}); it should hold {LAYOUT}"
        ) from None
    return loaded if isinstance(loaded, datasets.DatasetDict) else {"": loaded}


def _columns(source: ImageSource, part: Any) -> tuple[Any, str, str]:
    """Find the columns of a split: its rows with images as they are stored, the column of images, and that of labels."""
    import datasets

    features = part.features
    image = next((name for name, kind in features.items() if isinstance(kind, datasets.Image)), "")
    answer = next((name for name in ("label", "labels", "fine_label") if name in features), "")
    if not image or not answer:
        raise InputError(f"{str(source.path)!r} has the columns {', '.join(features)}; it should hold {LAYOUT}")
    kind = str(getattr(features[answer], "dtype", "a list"))
    if not kind.startswith(("int", "uint", "bool", "string", "large_string")):
        raise InputError(
            f"{str(source.path)!r}: column {answer!r} is {kind}; labels are whole numbers or texts, one per image"
        )
    return part.cast_column(image, datasets.Image(decode=False)), image, answer
