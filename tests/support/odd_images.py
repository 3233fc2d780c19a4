"""Make a folder of images with every oddity that people's folders have: `python tests/support/odd_images.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 12
CLASSES = ("cat", "dog")
ORIENTATION = 0x0112


def coloured(seed: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Noise in colours, uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    """Write an image, and the folders above it; the ending decides the format, or `format` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def make_plain_folder(root: Path, train: int = 4, test: int = 2, splits: tuple[str, str] = ("train", "test")) -> Path:
    """Two classes of PNG files, all of one size."""
    for split, count in zip(splits, (train, test)):
        for label, name in enumerate(CLASSES):
            for number in range(count):
                save(
                    root / split / name / f"{number}.png", coloured(1000 * (split == splits[1]) + 100 * label + number)
                )
    return root


def add_endings(root: Path) -> list[Path]:
    """Images in files of other kinds than PNG; returns them."""
    train = root / "train"
    return [
        save(train / "cat" / "old.gif", coloured(20)),
        save(train / "cat" / "web.jfif", coloured(21), format="JPEG"),
        save(train / "cat" / "UPPER.JPG", coloured(22)),
        save(train / "dog" / "picture.tga", coloured(23)),
        save(train / "dog" / "picture.jp2", coloured(24)),
        save(train / "dog" / "picture.webp", coloured(25)),
    ]


def add_other_files(root: Path) -> None:
    """Files that are no images: notes, hidden files and folders, an image outside of the class folders."""
    (root / "train" / "cat" / "notes.txt").write_text("not an image")
    (root / "train" / "cat" / "README").write_text("not an image")
    (root / "train" / "cat" / "._0.png").write_bytes(b"left by another system")
    save(root / "train" / ".thumbnails" / "0.png", coloured(30))
    save(root / "train" / "stray.png", coloured(31))
    save(root / "drafts" / "cat" / "0.png", coloured(32))


def add_nested(root: Path) -> Path:
    """An image in a folder inside a class folder."""
    return save(root / "train" / "cat" / "2021" / "may" / "0.png", coloured(40))


def add_rotated(root: Path) -> np.ndarray:
    """A JPEG file that lies on its side, with the EXIF orientation that turns it; returns the upright pixels."""
    upright = np.zeros((SIDE, SIDE, 3), np.uint8)
    upright[: SIDE // 2] = 255  # the upper half is white
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn by 90 degrees, clockwise
    save(root / "train" / "cat" / "turned.png", np.ascontiguousarray(np.rot90(upright)), exif=exif)
    return upright


def make_deep_folder(root: Path) -> Path:
    """Grey images of 16 bits with levels 1000 to 5000, as a 12-bit camera gives them."""
    for split in ("train", "test"):
        for label, name in enumerate(CLASSES):
            for number in range(2):
                ramp = np.linspace(1000, 5000, SIDE * SIDE).reshape(SIDE, SIDE)
                levels = (ramp.T if label else ramp).astype(np.uint16)
                save(root / split / name / f"{number}.{'png' if number else 'tif'}", levels)
    return root


def add_animation(root: Path) -> None:
    """A GIF file with three frames, and a PNG file with transparency."""
    frames = [Image.fromarray(coloured(seed)) for seed in (50, 51, 52)]
    frames[0].save(root / "train" / "cat" / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.dstack([coloured(53), coloured(54)[:, :, 0]])).save(root / "train" / "dog" / "glass.png")


def add_corrupt(root: Path, count: int = 3) -> list[str]:
    """Files that cannot be decoded: text, the first half of an image, an empty file, links to nothing."""
    whole = save(root / "train" / "dog" / "half.bmp", coloured(60))
    whole.write_bytes(whole.read_bytes()[:100])
    (root / "train" / "dog" / "empty.jpg").write_bytes(b"")
    (root / "train" / "cat" / "gone.png").symlink_to(root / "elsewhere.png")
    broken = ["train/dog/half.bmp", "train/dog/empty.jpg", "train/cat/gone.png"]
    for number in range(count):
        path = f"train/cat/broken{number:02}.png"
        (root / path).write_bytes(b"text")
        broken.append(path)
    return broken


def make_odd_folder(root: Path) -> Path:
    """One folder with every oddity that can be read: resize it to read it, e.g. with size=8."""
    make_plain_folder(root)
    add_endings(root)
    add_other_files(root)
    add_nested(root)
    add_rotated(root)
    add_animation(root)
    save(root / "train" / "dog" / "wide.png", coloured(70, 20, 30))
    save(root / "train" / "dog" / "deep.png", np.linspace(0, 4095, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16))
    save(root / "val" / "cat" / "0.png", coloured(80))
    save(root / "val" / "dog" / "0.png", coloured(81))
    return root


if __name__ == "__main__":
    print(make_odd_folder(Path(sys.argv[1])))
