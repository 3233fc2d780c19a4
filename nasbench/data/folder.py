"""Images of a folder or a tar file, with one folder per class: `train/<class>/<image>`, `val/` and `test/`."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import takewhile
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from nasbench.data.assembling import Found, Item, assemble, in_order
from nasbench.data.cache import cached
from nasbench.data.dataset import Dataset
from nasbench.data.image_files import image_from, is_hidden, readable_endings
from nasbench.data.reading import SkippedFiles
from nasbench.data.source_options import ImageSource, parse_source
from nasbench.errors import DataFaults, InputError, MissingData

if TYPE_CHECKING:
    from PIL import Image

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SPLITS: Final = {"train": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}
LAYOUT = "train/<class>/<image> and test/<class>/<image> (or val/), or <class>/<image> alone"

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_folder(text: str) -> Dataset:
    """Load the images of a folder or tar file.

    They are decoded once, into the folder of `cache.cached`; later calls memory-map them. Images have three channels,
    or one if all of them are grey. Classes are in the order of their names, as numbers if all of them are. Every file is read that Pillow can read, in class folders and in folders inside
    them; hidden files are not. EXIF orientations are applied, and grey levels of more than 8 bits are scaled.

    Test images are those in test/, or in val/ if test/ has none, or else a part of each class, chosen by a seed. Where
    val/ stands beside test/, its images are the validation images of every protocol.

    Without NAME, the data set is called "folder-" and the last part of the path. One exception: 60,000 JPEG files of
    32x32 pixels with CIFAR-10's class names are called "cifar10-jpeg", because JPEG compression changes the pixels of
    CIFAR-10.

    Args:
        text: "PATH[=NAME][,size=PIXELS][,...]"; all options are those of `source_options.ImageOptions`.

    Returns:
        The data set.

    Raises:
        MissingData: when nothing is at the path.
        InputError: when the path is neither a folder nor a tar file, or its layout or an option is not usable.
        DataFaults: when files or classes are faulty; all faults together.
    """
    source = parse_source(text, "folder")
    path = source.path
    if not path.exists():
        raise MissingData(f"no folder or tar file {str(path)!r}; it should hold {LAYOUT}")
    if path.is_dir():
        listing = _arranged(source, _walk(path))
        dataset = cached(source.key("folder2", listing.stamp()), lambda: _decode(source, listing, _reader(path)))
        # Files that are no images do not enter the key of the cache, so they are those of now.
        kept = [entry for entry in dataset.reading.skipped if entry.why == "not decodable"]
        skipped = (*listing.skipped.entries(), *kept)
        return replace(dataset, reading=replace(dataset.reading, skipped=skipped))
    if not path.name.lower().endswith(ARCHIVES):
        raise InputError(f"{str(path)!r} is neither a folder nor a tar file ({', '.join(ARCHIVES)})")
    status = path.stat()
    return cached(source.key("folder3", f"{status.st_size} {status.st_mtime_ns}"), lambda: _decode_archive(source))


@dataclass
class _Tree:
    """Files and folders below a root, by path with "/"; those that are hidden or cannot be reached are apart."""

    files: dict[str, str] = field(default_factory=dict)  # path -> size and time of change
    folders: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    skipped: SkippedFiles = field(default_factory=SkippedFiles)


@dataclass
class _Listing:
    """The images of a layout, in the order of their paths below its root, e.g. "train/cat/1.jpg"."""

    items: dict[Item, str] = field(default_factory=dict)  # -> its path in the folder or tar file
    marks: dict[str, str] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    skipped: SkippedFiles = field(default_factory=SkippedFiles)

    def stamp(self) -> str:
        """Text that changes with every file and folder that matters."""
        files = "".join(f"{path} {self.marks[path]}\n" for path in self.items.values())
        numbered = "" if in_order(self.classes) == sorted(self.classes) else "|by number"
        return f"{files}|{sorted(self.classes)}|{self.problems}{numbered}"


def _walk(root: Path) -> _Tree:
    """List a folder; where it has train/, nothing else than the folders of splits."""
    tree = _Tree()
    wanted = set(SPLITS) if (root / "train").is_dir() else None
    pending: list[tuple[str, frozenset[str]]] = [("", frozenset([os.path.realpath(root)]))]
    while pending:
        inside, above = pending.pop()
        try:
            with os.scandir(root / inside) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            tree.problems.append(f"{inside or 'the folder'} cannot be read: {error.strerror or error}")
            continue
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            if is_hidden(entry.name):
                tree.skipped.add("hidden", path)
            elif not inside and wanted is not None and entry.name not in wanted:
                tree.skipped.add("beside train/", path)
            elif os.path.isdir(entry.path):  # entry.is_dir() fails for a link to itself
                tree.folders.add(path)
                real = os.path.realpath(entry.path)
                if real in above:
                    tree.problems.append(f"{path} is a link to a folder that it is in")
                else:
                    pending.append((path, above | {real}))
            else:
                _add_file(tree, path, entry)
    return tree


def _add_file(tree: _Tree, path: str, entry: os.DirEntry[str]) -> None:
    is_image = PurePosixPath(path).suffix.lower() in readable_endings()
    try:
        status = entry.stat()
    except OSError:
        if is_image:
            target = os.readlink(entry.path) if os.path.islink(entry.path) else "nothing"
            tree.problems.append(f"{path} is a link to {target}, which is not there")
        else:
            tree.skipped.add("links to nothing", path)
        return
    if is_image and not S_ISREG(status.st_mode):
        tree.problems.append(f"{path} is no file")  # reading from a pipe or a device may never end
        return
    tree.files[path] = f"{status.st_size} {status.st_mtime_ns}"


def _arranged(source: ImageSource, tree: _Tree) -> _Listing:
    """Find the layout in a tree, and the split and the class of each image."""
    listing = _Listing(problems=sorted(tree.problems), skipped=tree.skipped)
    images = [path for path in tree.files if PurePosixPath(path).suffix.lower() in readable_endings()]
    root, divided = _root_of(source, images)
    for path in sorted(tree.files.keys() - set(images)):
        ending = PurePosixPath(path).suffix.lower()
        listing.skipped.add(f"with ending {ending!r}, which Pillow does not read" if ending else "without ending", path)
    found: dict[str, Item] = {}
    for path in images:
        parts = PurePosixPath(path).parts
        inner = parts[len(root) :]
        split = SPLITS.get(inner[0]) if divided and parts[: len(root)] == root else ""
        if parts[: len(root)] != root or split is None:
            listing.skipped.add("beside train/", path)
        elif len(inner) < 2 + divided:
            listing.skipped.add("in no class folder", path)
        else:
            found["/".join(inner)] = Item(split, inner[divided], path)
    listing.items = {found[inner]: found[inner].where for inner in sorted(found)}
    listing.marks = {path: tree.files[path] for path in listing.items.values()}
    for folder in tree.folders:
        parts = PurePosixPath(folder).parts
        inner = parts[len(root) :]
        if parts[: len(root)] == root and len(inner) == 1 + divided and (not divided or inner[0] in SPLITS):
            listing.classes.add(inner[-1])
    listing.classes |= {item.label for item in listing.items}
    return listing


def _root_of(source: ImageSource, images: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """Return the folder of the layout, as parts of its path, and whether it holds train/."""
    paths = [PurePosixPath(path).parts for path in images]
    roots = {parts[:index] for parts in paths for index, part in enumerate(parts[:-2]) if part == "train"}
    if roots:
        shortest = min(map(len, roots))
        first = sorted(root for root in roots if len(root) == shortest)
        if len(first) > 1:
            names = ", ".join("/".join(root) for root in first[:5])
            raise InputError(f"{str(source.path)!r} holds several folders with train/ ({names}): name one of them")
        return first[0], True
    folders = [parts[:-1] for parts in paths]
    alike = takewhile(lambda names: len(set(names)) == 1, zip(*folders))
    common = tuple(names[0] for names in alike)
    deepest = min((len(parts) for parts in folders), default=0)
    root = common[: max(deepest - 1, 0)] if len(common) >= deepest else common
    if any(parts[len(root)] in SPLITS for parts in folders if len(parts) > len(root)):
        return root, True  # test/ or val/ without train/: an error says so
    return root, False


def _reader(root: Path) -> Callable[[str], bytes]:
    return lambda path: (root / path).read_bytes()


def _decode_archive(source: ImageSource) -> Dataset:
    """Read a tar file in one pass; train/ may be inside other folders."""
    contents: dict[str, bytes] = {}
    tree = _Tree()
    try:
        with tarfile.open(source.path) as archive:
            for member in archive:
                parts = PurePosixPath(member.name.lstrip("/")).parts  # as tar itself unpacks absolute names
                path = "/".join(parts)
                if ".." in parts:
                    tree.skipped.add("outside of the tar file", path)
                elif any(map(is_hidden, parts)):
                    tree.skipped.add("hidden", path)
                elif member.isdir():
                    tree.folders.add(path)
                elif PurePosixPath(path).suffix.lower() not in readable_endings():
                    tree.files[path] = ""
                elif not (member.isfile() or member.issym() or member.islnk()):
                    tree.problems.append(f"{path} is no file")
                else:
                    stream = _extracted(archive, member)
                    tree.files[path] = ""
                    if stream is None:
                        tree.problems.append(f"{path} is a link to {member.linkname}, which is not in the tar file")
                    else:
                        contents[path] = stream
            while archive.fileobj is not None and archive.fileobj.read(1 << 20):
                pass  # gzip compares its checksum at the end of the file only
    # ValueError, zlib.error and LZMAError: damage inside of a compressed file.
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, LZMAError) as error:
        raise InputError(f"cannot read the tar file {str(source.path)!r}: {error}") from None
    for path in tree.files.keys() - contents.keys():
        if PurePosixPath(path).suffix.lower() in readable_endings():
            del tree.files[path]
    return _decode(source, _arranged(source, tree), contents.__getitem__)


def _extracted(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    """Return the bytes of a file, or None for a link whose target is not there."""
    try:
        stream = archive.extractfile(member)
    except (KeyError, RecursionError):  # RecursionError: links to each other
        return None
    return stream.read() if stream else None


def _decode(source: ImageSource, listing: _Listing, read: Callable[[str], bytes]) -> Dataset:
    """Make the data set of a listing; `read` returns a file's bytes."""
    if not listing.items and listing.problems and source.options.corrupt == "refuse":
        raise DataFaults(f"{str(source.path)!r} cannot be used", listing.problems)

    def open_image(item: Item) -> Image.Image:
        return image_from(read(item.where))

    dataset = assemble(
        Found(
            source,
            "folder",
            tuple(listing.items),
            open_image,
            _default_name(source),
            LAYOUT,
            classes=in_order(listing.classes),
            skipped=listing.skipped.entries(),
            problems=listing.problems,
        )
    )
    if not source.name and _is_cifar10_jpeg(dataset, listing.items):
        return replace(dataset, name="cifar10-jpeg")
    return dataset


def _is_cifar10_jpeg(dataset: Dataset, items: Iterable[Item]) -> bool:
    return (
        dataset.classes == CIFAR10_CLASSES
        and (len(dataset.train), len(dataset.test), dataset.validation_from) == (50_000, 10_000, 0)
        and dataset.reading.sizes == {"32x32": 60_000}
        and dataset.size == 32
        and all(item.where.lower().endswith((".jpg", ".jpeg")) for item in items)
    )


def _default_name(source: ImageSource) -> str:
    name = Path(os.path.abspath(source.path)).name
    for suffix in sorted(ARCHIVES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return f"folder-{name}"
