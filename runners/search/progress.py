"""Progress display of a running search: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm.auto import tqdm

from nasbench.costs.units import DEVICE_HOURS
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Ledger

LINE_SECONDS = 10.0  # minimum seconds between two plain lines


class Progress:
    """Shows the budget spent, the rate, the remaining time and the best child so far.

    Args:
        title: name of the search.
        stream: output stream; a terminal gets a bar, anything else an occasional line.
        bar: whether to draw a bar; None draws one only if the stream is a terminal. Notebooks can show one although
            their stream is no terminal.
        unit: name of the unit of device time, e.g. "GPU-hours".
    """

    def __init__(
        self, title: str, stream: TextIO | None = None, bar: bool | None = None, unit: str = DEVICE_HOURS
    ) -> None:
        self._unit = unit
        self._title, self._draw_bar = title, bar
        self._stream = stream if stream is not None else sys.stderr
        self._bar: tqdm[None] | None = None
        self._started = time.monotonic()
        self._last_line = 0.0
        self._share_at_start = 0.0
        self._children_at_start = self._cached = 0

    def start(self, ledger: Ledger) -> None:
        """Start the display.

        Args:
            ledger: ledger of the run; it may already include the spending of earlier attempts.
        """
        self._started = time.monotonic()
        self._share_at_start, self._children_at_start, self._cached = _share(ledger), ledger.children, 0
        if self._stream.isatty() if self._draw_bar is None else self._draw_bar:
            form = "{desc} {percentage:3.0f}%|{bar}| {unit}"  # not {postfix}: tqdm puts a comma before it
            self._bar = tqdm(
                total=100.0,
                desc=self._title,
                bar_format=form,
                file=self._stream,
                dynamic_ncols=True,
                leave=False,
                unit="",
            )

    def child(self, ledger: Ledger, best: str, busy: float, cached: bool = False) -> None:
        """Show that a child has ended.

        Args:
            ledger: ledger of the run, including this child.
            best: text about the best child so far.
            busy: number of devices in use when the child ended.
            cached: whether its scores are of an earlier training; the rate counts trained children only.
        """
        self._cached += cached
        share = _share(ledger)
        devices = "device" if busy == 1 else "devices"
        text = f"{_spent(ledger, self._unit)}, {busy:g} {devices} busy, {self._rate(ledger)}, ETA {self._eta(share)}, best {best}"
        if self._bar is not None:
            self._bar.n, self._bar.unit = 100.0 * share, text
            self._bar.refresh()
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            self.note(f"{self._title}: {100 * share:.0f}% of the budget, {text}")

    def note(self, text: str) -> None:
        """Write a line of its own, above the bar if there is one.

        Args:
            text: the line.
        """
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _rate(self, ledger: Ledger) -> str:
        minutes = (time.monotonic() - self._started) / 60.0
        trained = ledger.children - self._children_at_start - self._cached
        return f"{trained / minutes:.1f} children/min" if minutes > 0 and trained > 0 else "- children/min"

    def _eta(self, share: float) -> str:
        done = share - self._share_at_start
        if done <= 0:
            return "?"
        seconds = (time.monotonic() - self._started) * (1.0 - share) / done
        return str(tqdm.format_interval(seconds))


def _share(ledger: Ledger) -> float:
    return min(1.0, ledger.spent / ledger.budget.limit)


def _spent(ledger: Ledger, unit: str) -> str:
    hours = ledger.search_seconds / SECONDS_PER_HOUR
    children = "1 child" if ledger.children == 1 else f"{ledger.children} children"
    return f"{children}, {hours:.4g} {unit}, {ledger.usd:.4g} USD"
