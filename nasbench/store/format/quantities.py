"""Quantities beside accuracy: name, unit, direction and the conditions of their measurement; and which one is a score.

Text form: "NAME[CONDITION=VALUE,...]:UNIT:DIRECTION", e.g. "latency[device=EdgeGPU,batch=1]:ms:lower".
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.scores import HIGHER, TEST, VAL, Score
from nasbench.store.format.schema import CHILD_COLUMNS, DIRECTIONS

COURSE: Final = "_course"
"""Ending of the name of a score's course in a training that did not end, so that it has no score."""
CONDITIONS: Final = ("device", "method", "batch", "threads", "input")
_WHOLE: Final = ("batch", "threads")
_TEXT: Final = re.compile(
    r"\s*(?P<name>[^\[\]:=,]+?)\s*(?:\[(?P<conditions>[^\[\]]*)\])?\s*:(?P<unit>[^:]*):(?P<way>[^:]*)"
)
_CONDITION: Final = re.compile(r"\s*(\w+)\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\"']*?)\s*(?:,|$)")
_FORM: Final = "NAME:UNIT:DIRECTION, e.g. latency[device=phone]:ms:lower or val_ssim::higher"
_LONGEST: Final = 100


@dataclass(frozen=True)
class Quantity:
    """A named number of an architecture or of its training, with what must be known to read it.

    A name that begins with "val_" or "test_" is a score on that part of the data, and the two belong together.

    Args:
        name: e.g. "latency", "val_ssim" or "energy".
        unit: unit of the values; "" for a pure number.
        direction: values that are better: "lower" or "higher".
        device: what was measured, e.g. "EdgeGPU"; "" if that does not apply.
        method: how it was measured; "" if that does not apply.
        batch: images in one call, -1 if that does not apply.
        threads: threads of the computation, -1 if that does not apply.
        input: size of one image, e.g. "3x32x32"; "" if that does not apply.

    Raises:
        InputError: when there is no name, the name is that of a column of children, or the direction is unknown.
    """

    name: str
    unit: str = ""
    direction: str = HIGHER
    device: str = ""
    method: str = ""
    batch: int = -1
    threads: int = -1
    input: str = ""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > _LONGEST or re.search(r"[\[\]:=,\s]", self.name):
            raise InputError(
                f"a quantity has a name without spaces, commas, colons and brackets, got {self.name[:60]!r}"
            )
        if self.name in _COLUMNS:
            raise InputError(f"{self.name!r} is a column of its own and no further quantity; map it by its name alone")
        if self.direction not in DIRECTIONS:
            raise UnknownName("direction of a quantity", self.direction, DIRECTIONS)

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Read a quantity from its text form.

        Args:
            text: "NAME:UNIT:DIRECTION", with conditions in brackets after the name if there are any; the unit may be empty.

        Returns:
            The quantity.

        Raises:
            InputError: when the text has another form.
            UnknownName: for an unknown direction or condition.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise InputError(f"{text[:_LONGEST]!r} is no quantity; write {_FORM}")
        conditions = _conditions(found["conditions"] or "", text)
        return cls(found["name"], found["unit"].strip(), found["way"].strip() or HIGHER, **conditions)

    @property
    def sign(self) -> int:
        """1 if higher values are better, -1 if lower ones are."""
        return 1 if self.direction == HIGHER else -1

    @property
    def is_score(self) -> bool:
        """Whether it is a score on the validation or test part of the data."""
        return self.name.startswith((VAL, TEST))

    def on(self, part: str) -> str:
        """Name of the same score on a part of the data.

        Args:
            part: "val_" or "test_".

        Returns:
            E.g. "test_ssim" of "val_ssim"; of a quantity that is of no part: its name for "val_", "" for "test_".
        """
        if self.is_score:
            return part + self.name.partition("_")[2]
        return self.name if part == VAL else ""

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of the table of measurements that say what was measured, and how."""
        conditions = {name: getattr(self, name) for name in CONDITIONS}
        return {"quantity": self.name, "unit": self.unit, "direction": self.direction, **conditions}

    @property
    def as_score(self) -> Score:
        """The score that it is, on both parts of the data."""
        return Score(self.on(VAL), self.on(TEST), self.unit, self.direction)

    def as_dict(self) -> dict[str, Any]:
        """Name, unit, direction and the conditions that are known, as a run's configuration has them."""
        return {key: value for key, value in asdict(self).items() if value not in ("", -1)}

    @property
    def text(self) -> str:
        """The text form, which `parse` reads."""
        known = [f"{name}={getattr(self, name)}" for name in CONDITIONS if getattr(self, name) not in ("", -1)]
        return f"{self.name}{'[' + ','.join(known) + ']' if known else ''}:{self.unit}:{self.direction}"


_COLUMNS: Final = frozenset(column.name for column in CHILD_COLUMNS)


def _conditions(inside: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    place = 0
    while place < len(inside.rstrip()):
        each = _CONDITION.match(inside, place)
        if each is None or not each[2]:
            raise InputError(f"{text[:_LONGEST]!r}: conditions are COLUMN=VALUE with commas between; write {_FORM}")
        name, value = each[1], each[2].strip("\"'")
        if name not in CONDITIONS:
            raise UnknownName("condition of a quantity", name, CONDITIONS)
        if name in _WHOLE and not re.fullmatch("[0-9]{1,9}", value):
            raise InputError(f"{text[:_LONGEST]!r}: {name} is a whole number, got {value!r:.40}")
        found[name] = int(value) if name in _WHOLE else value
        place = each.end()
    return found
