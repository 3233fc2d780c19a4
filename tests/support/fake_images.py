"""Protocol fields with which a child trains in hundredths of a second, on synthetic images."""

from __future__ import annotations

from typing import Any, Final

FAKE: Final[dict[str, Any]] = {
    "data": "fake:images=96,size=8,classes=3",
    "epochs": 1,
    "filters": 4,
    "validation": 0.5,
}

FAKE_WORDS: Final = (
    *("--data", "fake:images=96,size=8,classes=3", "--set", "epochs=1", "--set", "filters=4"),
    *("--executor", "inline"),
)
"""The same on the command line, for a run in the calling process."""
