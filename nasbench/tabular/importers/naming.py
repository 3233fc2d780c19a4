"""Architectures that a source names by several values: one per decision, or made into a space of choices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture, Space

CHOICES: Final = "choices"
UNNAMED: Final = "choices:1000/1000"
"""Space of architectures that the source does not name: each child has one of its own."""
_SIDE: Final = 1000


@dataclass
class Namer:
    """Finds the architecture of the values that a source has for it.

    Args:
        space: a space with its options; "choices" to make one of the options that the source has.
        names: names of the values, one per decision.
        options: name -> its options in the source, in order; a value that is not among them is refused.
    """

    space: str
    names: Sequence[str]
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.space == CHOICES:
            if not self.names:
                raise InputError("space 'choices' is made of the values that name an architecture, and there are none")
            self._opened: Space = get_space(f"{CHOICES}:{'/'.join(str(len(self._of(name))) for name in self.names)}")
        else:
            self._opened = get_space(self.space)
        if len(self.names) > 1 and len(self.names) != len(self._opened.decisions):
            raise InputError(
                f"space {self._opened.spec[:60]!r} has {len(self._opened.decisions)} decisions, and {len(self.names)} values "
                f"name an architecture ({', '.join(self.names)[:100]}): give one per decision, in their order"
            )

    def _of(self, name: str) -> Sequence[Any]:
        found = self.options.get(name)
        if not found:
            raise InputError(f"the options of {name!r} are not known, as it is no categorical value; leave it out")
        return found

    @property
    def opened(self) -> Space:
        """The space."""
        return self._opened

    @property
    def labels(self) -> dict[str, list[str]]:
        """Decision -> its options, of a space that was made of them; {} otherwise."""
        return {name: list(map(str, self._of(name))) for name in self.names} if self.space == CHOICES else {}

    @property
    def stored(self) -> str:
        """The labels as JSON, as `importer_base.Group` has them; "" where there are none."""
        return json.dumps(self.labels) if self.labels else ""

    def architecture(self, values: Sequence[Any]) -> Architecture:
        """Find the architecture of one value per decision.

        Args:
            values: labels of the decisions' options, or their positions where the space has such labels not.

        Returns:
            The architecture.

        Raises:
            InputError: when a value is no option of its decision.
        """
        choices = []
        for name, decision, value in zip(self.names, self._opened.decisions, values):
            known: Sequence[Any] = self._of(name) if self.space == CHOICES else decision.labels
            choices.append(_place(name, value, known, decision.options))
        return self._opened.decode(choices)


def _place(name: str, value: Any, known: Sequence[Any], options: int) -> int:
    for place, each in enumerate(known):
        if type(each) is type(value) and each == value:
            return place
    texts = [str(each) for each in known]
    if str(value) in texts:
        return texts.index(str(value))
    if str(value).isdecimal() and int(str(value)) < options and not all(text.isdecimal() for text in texts):
        return int(str(value))
    raise InputError(f"{name} is {value!r:.60}; its options are {', '.join(texts)[:200]}")


class Unnamed:
    """Gives every child an architecture of its own, where a source does not name them.

    Args:
        seed: text that tells sources apart, e.g. the digest of the file.
    """

    def __init__(self, seed: str) -> None:
        self._seed, self._space, self._used = seed, get_space(UNNAMED), set[int]()

    def next(self) -> Architecture:
        """Return the next one.

        Returns:
            An architecture that no other child of the source has.

        Raises:
            InputError: when there are more than 100,000.
        """
        if len(self._used) >= _SIDE * _SIDE // 10:
            raise InputError("more than 100,000 children whose architectures have no names cannot be told apart")
        number = len(self._used)
        digest = hashlib.blake2b(f"{self._seed}|{number}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "big") % (_SIDE * _SIDE)
        while place in self._used:
            place = (place + 1) % (_SIDE * _SIDE)
        self._used.add(place)
        return self._space.decode([place // _SIDE, place % _SIDE])
