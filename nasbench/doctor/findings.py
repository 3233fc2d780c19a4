"""What a check found."""

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
        name: what was looked at; the same on every machine.
        level: "ok"; "slow": works, and takes longer than it could; "note": works, and is good to know; "wrong": does not work.
        found: what was found, in one line.
        advice: what to do, in one line; "" where nothing is to be done.
        breaks: whether a search would fail, or give wrong results, because of it; only where the level is "wrong".
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
