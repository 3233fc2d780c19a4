"""From labelled images of any source to a data set: splits, checks, decoding, and a report of what was found."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.data.dataset import Dataset, Images, make_dataset, permutation
from nasbench.data.image_files import DECODING_ERRORS, Decoded, decode, fault_of, scaled_to_bytes
from nasbench.data.reading import Reading, Skipped, SkippedFiles
from nasbench.data.source_options import ImageOptions, ImageSource
from nasbench.errors import DataFaults, InputError, printable

if TYPE_CHECKING:
    from PIL import Image

MOST_SIZES: Final = 20
_ALPHA: Final = ("LA", "La", "PA", "RGBA", "RGBa")


class Item(NamedTuple):
    """A labelled image that is not read yet.

    Attributes:
        split: "train", "val" or "test"; "" where the source divides nothing.
        label: name of its class.
        where: path or number, by which messages name it.
    """

    split: str
    label: str
    where: str


@dataclass(frozen=True)
class Found:
    """The images of a source, before they are read.

    Args:
        source: path, name and options.
        kind: kind of the source as texts name it, e.g. "folder".
        items: the images, in the order of the data set.
        open_image: opens one of them.
        default_name: name of the data set if the user gave none.
        classes: names of all classes in order; empty to take the labels of the images, see `in_order`.
        skipped: files that were left out, by reason.
        problems: faults that were found already, one line each.
        layout: description of a complete source, for messages.
    """

    source: ImageSource
    kind: str
    items: Sequence[Item]
    open_image: Callable[[Item], Image.Image]
    default_name: str
    layout: str
    classes: Sequence[str] = ()
    skipped: tuple[Skipped, ...] = ()
    problems: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The source as error messages name it."""
        return repr(str(self.source.path))


@dataclass
class _Parts:
    """Training, validation and test images of a source, and where they come from."""

    train: list[Item]
    validation: list[Item]
    test: list[Item]
    split: str
    suffix: str = ""  # of the data set's name, where the test images were chosen here


def assemble(found: Found) -> Dataset:
    """Divide, decode and check the images of a source.

    Args:
        found: the images.

    Returns:
        The data set, with a report of how it was read.

    Raises:
        InputError: when there are no images, options that contradict them, or no images of a part that can be decoded.
        DataFaults: when images or classes are faulty; all faults together.
    """
    options = found.source.options
    parts = _divided(found)
    if not parts.train or not parts.test:
        raise InputError(
            f"{found.title} has {len(parts.train)} training and {len(parts.test)} test images; it should hold "
            f"{found.layout}{_skipped_words(found.skipped)}"
        )
    problems = list(found.problems)
    pictures = _Pictures(options)
    for item in (*parts.train, *parts.validation, *parts.test):
        pictures.read(item, found.open_image)
    skipped = list(found.skipped)
    if options.corrupt == "skip":
        left_out = SkippedFiles()
        for line in (*problems, *(f"{item.where} {why}" for item, why in pictures.faults.items())):
            left_out.add("not decodable", line)
        problems = []
        skipped += left_out.entries()
        _leave_out(found, parts, pictures.faults)
    else:
        problems += [f"{item.where} {why}" for item, why in pictures.faults.items()]
    classes, faults = _classes(found, parts)
    problems += faults
    problems += pictures.size_problems(found)
    if problems:
        raise DataFaults(f"{found.title} cannot be used", problems)
    return _built(found, parts, classes, pictures, tuple(skipped))


def _leave_out(found: Found, parts: _Parts, faults: Mapping[Item, str]) -> None:
    """Take images that cannot be decoded out of their parts, and refuse a part without any others.

    Other images in its place, e.g. training images where there are no validation images, would not be what the files
    and the report say.
    """
    for name, words in (("train", "training"), ("validation", "validation"), ("test", "test")):
        part: list[Item] = getattr(parts, name)
        left = [item for item in part if item not in faults]
        if part and not left:
            raise InputError(
                f"{found.title}: corrupt=skip leaves no {words} images, because none of {len(part)} can be decoded (e.g. "
                f"{printable(part[0].where)} {faults[part[0]]}): repair them, or take them out"
            )
        setattr(parts, name, left)


def _divided(found: Found) -> _Parts:
    """Choose training, validation and test images."""
    by_split: dict[str, list[Item]] = {"train": [], "val": [], "test": [], "": []}
    for item in found.items:
        by_split[item.split].append(item)
    options, given = found.source.options, found.source.options.model_fields_set
    train, val, test = (*by_split["train"], *by_split[""]), by_split["val"], by_split["test"]
    if (val or test) and (clash := sorted({"test", "seed"} & given)):
        raise InputError(
            f"data {found.kind!r}: {clash[0]}= chooses test images, but {found.title} has {'test' if test else 'val'} "
            "images already: leave it out"
        )
    if "val" in given and found.items and not (val and test):
        there = "only val" if val else "only test" if test else "neither val nor test"
        raise InputError(
            f"data {found.kind!r}: val= says what val images beside test images are for, but {found.title} has {there} "
            "images: leave it out"
        )
    if test and val and options.val == "validation":
        return _Parts([*train], val, test, "train, val (the validation images of every protocol) and test")
    if test and val and options.val == "train":
        return _Parts(sorted([*train, *val], key=_place), [], test, "train and val together, and test")
    if test:
        ignored = " (val is not read)" if val else ""
        return _Parts([*train], [], test, f"train and test{ignored}")
    if val:
        return _Parts([*train], [], val, "train, and val as the test images")
    chosen = stratified(train, options)
    words = f"{options.test:g} of each class as test images, chosen by seed {options.seed}"
    suffix = f"-test{options.test:g}-seed{options.seed}"
    return _Parts(
        [item for item in train if item not in chosen], [], [item for item in train if item in chosen], words, suffix
    )


def _place(item: Item) -> str:
    return item.where.partition("/")[2]


def stratified(items: Iterable[Item], options: ImageOptions) -> set[Item]:
    """Choose test images: the same share of each class, at least one, and never all.

    The choice in a class depends on its name, its images and the seed only.

    Args:
        items: all images.
        options: share and seed.

    Returns:
        The test images.
    """
    by_label: dict[str, list[Item]] = {}
    for item in items:
        by_label.setdefault(item.label, []).append(item)
    chosen = set()
    for label, members in by_label.items():
        name = f"{options.seed}/{label}".encode(errors="surrogateescape")
        seed = hashlib.blake2b(name, digest_size=4).digest()
        count = min(max(round(options.test * len(members)), 1), len(members) - 1)
        chosen |= {members[index] for index in permutation(len(members), int.from_bytes(seed, "big"))[:count]}
    return chosen


def in_order(labels: Iterable[str]) -> list[str]:
    """Sort names of classes: as numbers if all of them are, otherwise as texts.

    Args:
        labels: the names, in any order.

    Returns:
        The names in order.
    """
    labels = set(labels)
    if all(label.isascii() and label.isdecimal() for label in labels):
        return sorted(labels, key=lambda label: (len(label.lstrip("0")), label.lstrip("0"), label))
    return sorted(labels)


def _classes(found: Found, parts: _Parts) -> tuple[tuple[str, ...], list[str]]:
    """Names of the classes, and what is wrong with them."""
    counts = {
        name: Counter(item.label for item in part)
        for name, part in (("training", parts.train), ("validation", parts.validation), ("test", parts.test))
    }
    trained = counts["training"]
    strangers = sorted({label for name in ("validation", "test") for label in counts[name]} - set(trained))
    labels = sorted({label for part in counts.values() for label in part} | set(found.classes))
    faults = [f"class {label!r} has a name that is not UTF-8: rename it" for label in labels if not _is_text(label)]
    faults += [f"class {label!r} has test or validation images, but no training images" for label in strangers]
    empty = [label for label in found.classes if label not in trained and label not in strangers]
    untested = [label for label in sorted(trained) if not counts["test"][label]]
    if found.source.options.missing == "refuse":
        advice = "; add some, or write ,missing=allow"
        faults += [f"class {label!r} has no images{advice}" for label in empty]
        for label in untested:
            few = f" ({trained[label]} image is too few for both)" if parts.suffix else ""
            faults.append(f"class {label!r} has no test images{few}{advice}")
    order = [*found.classes, *in_order(set(trained) - set(found.classes))]
    classes = tuple(label for label in order if label in trained)
    if len(classes) < 2:
        faults.append(f"there is {len(classes)} class with training images ({', '.join(classes)}); it needs 2 or more")
    return classes, faults


@dataclass
class _Pictures:
    """Decoded images by item, what was found in the files, and faults."""

    options: ImageOptions
    pixels: dict[Item, NDArray[np.uint8]] = field(default_factory=dict)
    deep: dict[Item, Decoded] = field(default_factory=dict)
    faults: dict[Item, str] = field(default_factory=dict)
    modes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    first: dict[tuple[int, int], Item] = field(default_factory=dict)
    rotated: int = 0
    animated: int = 0
    transparent: int = 0
    scaled: str = ""  # sentence on images of more than 8 bits

    def read(self, item: Item, open_image: Callable[[Item], Image.Image]) -> None:
        """Decode one image, or note why that is not possible."""
        from PIL import Image

        with warnings.catch_warnings():
            # Of a size between Pillow's limit and twice that: it is decoded. Transparency is counted here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            try:
                with open_image(item) as image:
                    decoded = decode(image, self.options.size)
            except (*DECODING_ERRORS, Image.DecompressionBombError) as error:
                self.faults[item] = fault_of(error)
                return
        self.modes[decoded.mode] += 1
        self.sizes[decoded.size] += 1
        self.first.setdefault(decoded.size, item)
        self.rotated += decoded.rotated
        self.animated += decoded.frames > 1
        self.transparent += decoded.mode in _ALPHA
        if decoded.levels is not None:
            self.deep[item] = decoded
        elif decoded.pixels.dtype == np.uint8:
            self.pixels[item] = decoded.pixels.astype(np.uint8, copy=False)

    def size_problems(self, found: Found) -> list[str]:
        """Say that images differ in size or are not square, and which option reads them."""
        if self.options.size or not self.sizes:
            return []
        (reference, item), *others = self.first.items()
        advice = f"bring all to one square with {found.kind}:{found.source.path},size=32"
        if others:
            size, other = others[0]
            return [
                f"{other.where} has {_sides(size)} pixels, the first image {_sides(reference)} ({item.where}), and "
                f"there are {len(self.sizes)} sizes in all: {advice}"
            ]
        if reference[0] != reference[1]:
            return [f"images of {_sides(reference)} pixels (width x height) are not square: {advice}"]
        return []

    def scale_deep(self, train: Collection[Item]) -> tuple[float, float] | None:
        """Scale grey levels of more than 8 bits to 0 to 255; return those that become 0 and 255."""
        levels = self.options.level_range
        if not self.deep:
            return levels
        if levels is None:
            ranges = [decoded.levels for item, decoded in self.deep.items() if item in train and decoded.levels]
            ranges = ranges or [decoded.levels for decoded in self.deep.values() if decoded.levels]
            levels = min(first for first, _ in ranges), max(last for _, last in ranges)
        for item, decoded in self.deep.items():
            self.pixels[item] = scaled_to_bytes(decoded.pixels.astype(np.float32, copy=False), levels)
        of = "by levels=" if self.options.levels else "the range of the training images"
        self.scaled = (
            f"{len(self.deep)} image(s) of more than 8 bits: grey levels {levels[0]:g} to {levels[1]:g} ({of}) became "
            "0 to 255"
        )
        self.deep.clear()
        return levels

    def notes(self) -> list[str]:
        """Say what was changed in the images."""
        notes = [self.scaled] if self.scaled else []
        if self.rotated:
            notes.append(f"{self.rotated} image(s) turned upright by their EXIF orientation")
        if self.animated:
            notes.append(f"{self.animated} file(s) with several frames: the first was taken")
        if self.transparent:
            notes.append(f"{self.transparent} image(s) with transparency, which was dropped")
        if self.options.size and set(self.sizes) != {(self.options.size,) * 2}:
            notes.append(f"resized to {self.options.size}x{self.options.size} pixels")
        return notes


def _built(
    found: Found, parts: _Parts, classes: tuple[str, ...], pictures: _Pictures, skipped: tuple[Skipped, ...]
) -> Dataset:
    """Make arrays of the decoded images, and the data set."""
    levels = pictures.scale_deep(set(parts.train))
    order = [*parts.train, *parts.validation]
    arrays = [_stacked(part, pictures.pixels) for part in (order, parts.test)]
    if all(_is_grey(array) for array in arrays):
        arrays = [np.ascontiguousarray(array[:, :1]) for array in arrays]
    index = {label: number for number, label in enumerate(classes)}
    labels = [np.array([index[item.label] for item in part], np.int64) for part in (order, parts.test)]
    reading = Reading(
        parts.split,
        dict(pictures.modes.most_common()),
        {_sides(size): count for size, count in pictures.sizes.most_common(MOST_SIZES)},
        tuple(pictures.notes()),
        skipped,
        levels,
    )
    return make_dataset(
        (found.source.name or found.default_name) + parts.suffix,
        classes,
        Images(arrays[0], labels[0]),
        Images(arrays[1], labels[1]),
        validation_from=len(parts.train) if parts.validation else 0,
        reading=reading,
    )


def _stacked(items: Sequence[Item], pixels: dict[Item, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the pixels of some images, uint8 [n, 3, h, w]."""
    height, width, channels = pixels[items[0]].shape
    stacked = np.empty((len(items), channels, height, width), np.uint8)
    for number, item in enumerate(items):
        stacked[number] = pixels.pop(item).transpose(2, 0, 1)  # popped: large sets are not in memory twice
    return stacked


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[:, 0] == pixels[:, 1]).all() and (pixels[:, 0] == pixels[:, 2]).all())


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of a file's name that are not UTF-8
        return False
    return True


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _skipped_words(skipped: Iterable[Skipped]) -> str:
    words = [f"{entry.files} {entry.why} (e.g. {entry.examples[0]})" for entry in skipped]
    return f"; left out: {', '.join(words)}" if words else ""
