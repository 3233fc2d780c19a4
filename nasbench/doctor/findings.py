"""Result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "slow", "note", "wrong"]
Group = Literal["versions", "processor", "kernels", "devices", "storage", "clock", "extras"]


@dataclass(frozen=True)
class Finding:
    """One thing that a check found on this machine.

    Args:
        group: of the check.
        name: the property checked; the same on every machine.
        level: "ok"; "slow": works, and takes longer than it could; "note": works, and is good to know; "wrong": does not work.
        found: the result, in one line.
        advice: the remedy, in one line; "" if none is needed.
        breaks: True if a search would fail or give wrong results because of it; only at level "wrong".
    """

    group: Group
    name: str
    level: Level
    found: str
    advice: str = ""
    breaks: bool = False

    def __post_init__(self) -> None:
        if self.breaks and self.level != "wrong":
            raise ValueError(f"{self.name}: {self.level!r} breaks no search")
        if self.level == "wrong" and not self.advice:
            raise ValueError(f"{self.name}: says what is wrong and not what to do")
