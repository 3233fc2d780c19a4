"""Facts about images and their changes from reading: for reports and for predictions, never for training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_EXAMPLES = 3


class Skipped(NamedTuple):
    """Files that were left out for one reason.

    Attributes:
        why: the reason, e.g. "hidden".
        files: number of files or folders, >= 1.
        examples: paths of the first of them.
    """

    why: str
    files: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How a data set was read.

    Args:
        split: where training, validation and test images came from; "" if nothing had to be decided.
        modes: Pillow's mode of the files ("L", "RGB", "I;16") -> number of images.
        sizes: "width x height" of the files in pixels -> number of images, the most frequent first.
        notes: changes of pixels, one sentence each.
        skipped: files that were left out, by reason.
        levels: grey levels of images with more than 8 bits that became 0 and 255; None if there are no such images, and
            no option `levels`.
    """

    split: str = ""
    modes: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    levels: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the reading as JSON values, which `from_json` reads."""
        return {
            "split": self.split,
            "modes": dict(self.modes),
            "sizes": dict(self.sizes),
            "notes": list(self.notes),
            "skipped": [[entry.why, entry.files, list(entry.examples)] for entry in self.skipped],
            "levels": list(self.levels) if self.levels else None,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Reading:
        """Make a reading of the values that `to_json` returned.

        Args:
            values: JSON values; a missing one counts as empty.

        Returns:
            The reading.
        """
        levels = values.get("levels")
        return Reading(
            values.get("split", ""),
            values.get("modes", {}),
            values.get("sizes", {}),
            tuple(values.get("notes", ())),
            tuple(Skipped(why, files, tuple(examples)) for why, files, examples in values.get("skipped", ())),
            (levels[0], levels[1]) if levels else None,
        )


class SkippedFiles:
    """Collects what was left out, by reason."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, why: str, path: str) -> None:
        """Count one file or folder.

        Args:
            why: the reason.
            path: its path.
        """
        self._counts[why] = self._counts.get(why, 0) + 1
        examples = self._examples.setdefault(why, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(path)

    def entries(self) -> tuple[Skipped, ...]:
        """Return what was counted, by reason in alphabetical order."""
        return tuple(Skipped(why, self._counts[why], tuple(self._examples[why])) for why in sorted(self._counts))
