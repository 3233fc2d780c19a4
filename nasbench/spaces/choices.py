"""A space of decisions without networks, for tables of architectures that this suite cannot build."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.structures import Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

_SEPARATORS = re.compile(r"[\s/,;_\-()\[\]]+")
_MOST_DECISIONS = 1_000
_LONGEST = 300  # characters of an error
_MOST_DIGITS = 4_000  # Python reads no longer numbers
_MOST_OPTIONS = 1_000_000  # of all decisions together


@dataclass(frozen=True)
class ChoiceSpace(Space):
    """Independent categorical decisions: `choices:3/3/2` has three of them, with 3, 3 and 2 options.

    Each sequence of choices is one architecture with a hash of its own: nothing is known of graphs. There are no networks,
    so architectures can be imported, analysed and searched in replays of complete tables, and not trained.

    Args:
        options: number of options of each decision, >= 1.

    Raises:
        InputError: when there are no decisions, more than 1,000, more than 1,000,000 options in all, or a decision
            without options.
    """

    name: ClassVar[str] = "choices"
    has_networks: ClassVar[bool] = False

    options: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        if sum(self.options) > _MOST_OPTIONS:
            raise InputError(
                f"space 'choices' has at most {_MOST_OPTIONS:,} options, those of all decisions together; got {self.spec[:60]}"
            )
        if not 0 < len(self.options) <= _MOST_DECISIONS or min(self.options) < 1:
            raise InputError(
                "space 'choices' takes the number of options of each decision, e.g. choices:3/3/3/3, got "
                f"choices:{'/'.join(map(str, self.options))[:60]}"
            )

    @classmethod
    def of_text(cls, text: str) -> ChoiceSpace:
        """Make the space from its options as text.

        Args:
            text: numbers separated by slashes, e.g. "3/3/2".

        Returns:
            The space.

        Raises:
            InputError: when the text is none.
        """
        parts = [part.strip() for part in text.split("/")]
        if not all(part.isdecimal() and len(part) <= _MOST_DIGITS for part in parts):
            raise InputError(
                f"space 'choices' takes the number of options of each decision, e.g. choices:3/3/3/3, got choices:{text[:60]}"
            )
        return cls(options=tuple(map(int, parts)))

    @property
    def spec(self) -> str:
        """Name and options as `get_space` takes them, e.g. "choices:3/3/2"."""
        return f"{self.name}:{'/'.join(map(str, self.options))}"

    @cached_property
    def _decisions(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(f"decision{place}", count, tuple(map(str, range(count))), f"decision{place}", place)
            for place, count in enumerate(self.options)
        )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """One decision per number of options, each in a group of its own."""
        return self._decisions

    def structure(self, architecture: Architecture) -> Any:
        """Refuse, because nothing is known of the networks.

        Args:
            architecture: an architecture of this space.

        Returns:
            Never.

        Raises:
            InputError: always.
        """
        self._refuse()

    def form(self, architecture: Architecture) -> str:
        """Write the space and the choices; see `Space.form`."""
        return f"{self.spec}|{','.join(map(str, architecture.choices))}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture itself; see `Space.canonical`."""
        return architecture

    @property
    def _in_digits(self) -> bool:
        return max(self.options) <= 10

    def describe(self, architecture: Architecture) -> str:
        """Write a digit per decision, e.g. "02012100", or numbers with slashes if a decision has more than ten options.

        Args:
            architecture: an architecture of this space.

        Returns:
            The text, which `parse` reads.
        """
        return ("" if self._in_digits else "/").join(map(str, architecture.choices))

    def parse(self, text: str) -> Architecture:
        """Read an architecture from text.

        Args:
            text: a digit per decision; numbers separated by slashes, commas, spaces, hyphens or underscores, with or without
                brackets; or one number, the position of the architecture in lexicographic order, the last decision
                fastest, from 0.

        Returns:
            The architecture.

        Raises:
            InputError: when the text is none of these, or a choice is not among the options.
        """
        plain = text.strip()
        if plain.isdecimal() and len(plain) == len(self.options) and self._in_digits:
            return self.decode([int(digit) for digit in plain])
        parts = [part for part in _SEPARATORS.split(plain) if part]
        if not all(part.isdecimal() and len(part) <= _MOST_DIGITS for part in parts):
            raise InputError(
                f"an architecture of {self.spec[:60]!r} is written as {self.describe(self._first)[:60]!r} or "
                f"{str(self._first.choices)[:60]!r}, got {text[:60]!r}"
            )
        if len(parts) == 1 and len(self.options) > 1:
            if self._in_digits and set(self.options[1:]) != {10} and len(str(self.size - 1)) == len(self.options):
                raise InputError(
                    f"{plain[:60]!r} may be the position of an architecture of {self.spec[:60]!r}, whose digits also are a "
                    f"position; write the choices with slashes, e.g. {'/'.join(map(str, self._first.choices))!r}"
                )
            return self._of_position(int(parts[0]))
        return self.decode([int(part) for part in parts])

    @property
    def _first(self) -> Architecture:
        return Architecture(self, (0,) * len(self.options))

    def _of_position(self, position: int) -> Architecture:
        if position >= self.size:
            raise InputError(
                f"space {self.spec!r} has the architectures 0 to {self.size - 1}, got {position}"[:_LONGEST]
            )
        choices = []
        for count in reversed(self.options):
            position, choice = divmod(position, count)
            choices.append(choice)
        return Architecture(self, tuple(reversed(choices)))

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Refuse: there is no network to count; see `Space.count_at`."""
        self._refuse()

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Refuse: there is no network to build; see `Space.build`."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise InputError(
            f"space {self.spec!r} has no networks: its architectures are those of an imported table, and cannot be built, "
            "drawn or counted"
        )
