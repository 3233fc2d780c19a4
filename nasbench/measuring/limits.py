"""Latency as a limit of a search: each architecture is measured once, before it is proposed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from nasbench.spaces import Architecture
from nasbench.structures import Scale

REPETITIONS: Final = 20
WARM_UP: Final = 3

Row = dict[str, Any]


class LatencyMeter:
    """Function from an architecture to its latency in seconds on this machine, with a memory by hash.

    Args:
        scale: size of the networks and of their images.
        device: "cpu", "cuda" or "cuda:INDEX"; batch 1, by torch's eager mode.
        threads: CPU threads of one call, >= 1.
        about: columns of its measurements that replace the usual ones, e.g. source and protocol.
        measure: makes the row of one architecture; None to measure on this machine.
    """

    def __init__(
        self,
        scale: Scale,
        device: str,
        threads: int,
        about: Mapping[str, Any],
        measure: Callable[[Architecture], Row] | None = None,
    ) -> None:
        self._scale, self._device, self._threads, self._about = scale, device, threads, dict(about)
        self._measure = measure or self._measured_here
        self._seconds: dict[str, float] = {}
        self._new: list[Row] = []

    def __call__(self, architecture: Architecture) -> float:
        """Return the latency of an architecture, and measure it if that was not done yet.

        Args:
            architecture: the architecture.

        Returns:
            Median seconds of a call with one image.
        """
        digest = architecture.hash
        if digest not in self._seconds:
            row = {**self._measure(architecture), **self._about}
            self._seconds[digest] = float(row["value"])
            self._new.append(row)
        return self._seconds[digest]

    def remember(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take stored measurements of an earlier attempt, so that a resumed search makes the same choices.

        Args:
            rows: rows of the table of measurements.
        """
        self._seconds |= {str(row["hash"]): float(row["value"]) for row in rows}

    def take_new(self) -> list[Row]:
        """Return the measurements made since the last call.

        Returns:
            Rows of the table of measurements, each once.
        """
        rows, self._new = self._new, []
        return rows

    def _measured_here(self, architecture: Architecture) -> Row:
        from nasbench.measuring.latency import measure_latency
        from nasbench.measuring.runners import Setting

        setting = Setting(self._device, "eager", 1, self._threads)
        (row,) = measure_latency([architecture], self._scale, [setting], repetitions=REPETITIONS, warm_up=WARM_UP)
        return row
