"""Result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "slow", "note", "wrong"]
Group = Literal["versions", "processor", "kernels", "devices", "storage", "clock", "extras"]


@dataclass(frozen=True)
class Finding:
    """A result of a check.

    Args:
        group: group of the check.
        name: the property checked; the same on every machine.
        level: "ok"; "slow": works, but more slowly than it could; "note": works, with something to know; "wrong": does
            not work.
        found: the result, in one line.
        advice: what to do, in one line; "" if there is nothing to do.
        breaks: True if a search would fail or give wrong results because of it; only with the level "wrong".

    Raises:
        ValueError: when `breaks` is True at another level than "wrong", or the level "wrong" has no advice.
    """

    group: Group
    name: str
    level: Level
    found: str
    advice: str = ""
    breaks: bool = False

    def __post_init__(self) -> None:
        if self.breaks and self.level != "wrong":
            raise ValueError(f"{self.name}: a finding of level {self.level!r} cannot break a search")
        if self.level == "wrong" and not self.advice:
            raise ValueError(f"{self.name}: a finding of level 'wrong' needs advice")
