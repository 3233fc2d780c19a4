"""Energy of a run over all its attempts, as hardware counters measured it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_GPU_COUNTER = "nvml:"  # how the names of GPUs' counters begin; the rest names the one GPU
_SECONDS_LOST = 1.0  # an attempt is measured from a moment before its wall time begins to one after it ends


@dataclass(frozen=True)
class SpentEnergy:
    """Energy of one attempt, or of several.

    Args:
        joules: counter -> joules, each >= 0; empty if no counter could be read.
        seconds: seconds for which they were measured, >= 0.
        complete: whether every attempt was measured to its end, so that no energy is missing.
    """

    joules: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = True

    def after(self, earlier: SpentEnergy | None) -> SpentEnergy:
        """Add the energy of earlier attempts.

        Args:
            earlier: their energy; None if there are none.

        Returns:
            Both, counter by counter; complete only if both were measured by the same counters. Another GPU than before
            has a counter of its own in place of the earlier one's: their number counts, not which ones they are.
        """
        if earlier is None:
            return self
        names = earlier.joules.keys() | self.joules.keys()
        joules = {name: earlier.joules.get(name, 0.0) + self.joules.get(name, 0.0) for name in sorted(names)}
        known = bool(self.joules) and _measured(earlier) == _measured(self)
        seconds = sum(each.seconds for each in (earlier, self) if each.joules)
        return SpentEnergy(joules, seconds, known and earlier.complete and self.complete)

    def noted(self) -> dict[str, Any]:
        """Return what the provenance of a run keeps: nothing if no counter could be read."""
        if not self.joules:
            return {}
        return {"joules": dict(self.joules), "seconds": self.seconds, **({} if self.complete else {"incomplete": True})}


def stored_energy(made: Mapping[str, Any], status: str, wall_seconds: float) -> SpentEnergy:
    """Read the energy of earlier attempts.

    Args:
        made: provenance of the run.
        status: its stored status; an attempt that left it "running" was killed, and noted nothing of its end.
        wall_seconds: its wall time, over all attempts. Versions that stored the energy of the last attempt only measured
            fewer seconds.

    Returns:
        The energy.
    """
    found = made.get("energy")
    found = found if isinstance(found, dict) else {}
    given = found.get("joules")
    joules = (
        {str(name): float(value) for name, value in given.items() if _known(value)} if isinstance(given, dict) else {}
    )
    seconds = float(found["seconds"]) if _known(found.get("seconds")) else 0.0
    measured = status != "running" and seconds + _SECONDS_LOST >= wall_seconds
    return SpentEnergy(joules, seconds, measured and "incomplete" not in found)


def _measured(spent: SpentEnergy) -> tuple[set[str], int]:
    """What was measured: the counters of processors by name, which say what they measure, and the number of GPUs."""
    processors = {name for name in spent.joules if not name.startswith(_GPU_COUNTER)}
    return processors, len(spent.joules) - len(processors)


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0
