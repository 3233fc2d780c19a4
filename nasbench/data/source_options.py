"""Options written behind the path of one's own images: "PATH[=NAME][,size=32][,test=0.2]"."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nasbench.errors import InputError, did_you_mean
from nasbench.protocols.protocol import validated

LARGEST_SIDE: Final = 16_384
"""Largest side of an image in pixels."""


class ImageOptions(BaseModel):
    """Options for reading one's own images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(
        default=0,
        ge=1,
        le=LARGEST_SIDE,
        description="height and width in pixels to which images are resized (bilinear; the aspect ratio is not kept); "
        "left out: as they are, which must be equal squares",
    )
    test: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="share of each class that becomes test images, where neither test/ nor val/ exists",
    )
    seed: int = Field(default=0, ge=0, description="seed of that choice")
    val: Literal["validation", "train", "ignore"] = Field(
        default="validation",
        description="val/ beside test/: validation: the validation images of every protocol; train: joined to the training "
        "images; ignore: not read",
    )
    missing: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="refuse: an error where a class has no images, or no test images; allow: empty classes are left "
        "out",
    )
    corrupt: Literal["refuse", "skip"] = Field(
        default="refuse",
        description="refuse: an error that lists the files that cannot be decoded; skip: they are left out",
    )
    levels: str = Field(
        default="",
        pattern=r"^-?[\d.]+\.\.-?[\d.]+$",
        description="LOW..HIGH: grey levels of images with more than 8 bits that become 0 and 255, e.g. 0..4095; left "
        "out: the lowest and the highest of the training images",
    )

    @field_validator("levels")
    @classmethod
    def _levels_in_order(cls, text: str) -> str:
        """Refuse levels that are no numbers, or not in order."""
        low, high = text.split("..", 1)
        try:
            in_order = float(low) < float(high)
        except ValueError:
            in_order = False
        if not in_order:
            raise ValueError("LOW..HIGH needs two numbers, the lower one first, e.g. 0..4095")
        return text

    @property
    def level_range(self) -> tuple[float, float] | None:
        """The grey levels of `levels`; None if it was left out."""
        low, _, high = self.levels.partition("..")
        return (float(low), float(high)) if self.levels else None


class ImageSource(NamedTuple):
    """Path of one's own images, with the options for reading them.

    Attributes:
        path: folder or file.
        name: name of the data set; "" for the default.
        options: the options; those that were not given have their defaults.
    """

    path: Path
    name: str
    options: ImageOptions

    @property
    def advice(self) -> str:
        """The path without options, as error messages repeat it."""
        return str(self.path)

    def key(self, kind: str, stamp: str) -> str:
        """Make the key of the decoded data, see `cache.cached`.

        Args:
            kind: kind of the source, e.g. "csv".
            stamp: text that changes with the files.

        Returns:
            The kind, and a digest of path, name, options and stamp.
        """
        text = f"{self.path.resolve()}|{self.name}|{self.options.model_dump_json()}|{stamp}"
        if self.options.corrupt == "skip":  # earlier copies may have lost all their validation images
            text += "|2"
        return f"{kind}-{hashlib.blake2b(text.encode(errors='surrogateescape'), digest_size=10).hexdigest()}"


def parse_source(text: str, kind: str) -> ImageSource:
    """Read "PATH[=NAME][,key=value]..."; a text that is an existing path is taken as the path.

    Args:
        text: path, name and options.
        kind: kind of the source, e.g. "folder", for messages.

    Returns:
        The source.

    Raises:
        InputError: when there is no path, or an option is unknown or out of range.
    """
    path = text.strip()
    given: dict[str, str] = {}
    while (match := re.fullmatch(r"(.*),\s*(\w+)=([^,/]*)", path)) and not exists(path):
        key = match[2]
        if key not in ImageOptions.model_fields and not exists(re.sub(r"=[\w.+-]+$", "", match[1])):
            break  # rather a path with a comma than a misspelled option
        if key in given:
            raise InputError(f"data {kind!r}: {key}= is given twice")
        given[key] = match[3].strip()
        path = match[1]
    if unknown := sorted(set(given) - set(ImageOptions.model_fields)):
        fields = ", ".join(ImageOptions.model_fields)
        hint = did_you_mean(unknown[0], ImageOptions.model_fields)
        raise InputError(f"data {kind!r}: no option {unknown[0]!r}{hint}; allowed: {fields}")
    options = validated(ImageOptions, given, f"data {kind!r}")
    name = ""
    if (match := re.fullmatch(r"(.*)=([\w.+-]+)", path)) and not exists(path):
        path, name = match[1], match[2]
    if not path:
        raise InputError(f"data {kind!r} needs a path: {kind}:PATH[=NAME][,size=PIXELS]")
    return ImageSource(expanded(path), name, options)


def expanded(path: str) -> Path:
    """Replace "~" at the beginning of a path by the home folder.

    Args:
        path: the path.

    Returns:
        The path; as it is, if there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:  # e.g. "~name" where no user has that name
        return Path(path)


def exists(path: str) -> bool:
    """Check whether something is at a path.

    Args:
        path: a path; "~" is the home folder.

    Returns:
        False too for a name that is no possible path.
    """
    try:
        return expanded(path).exists()
    except OSError:  # a name that is too long
        return False
