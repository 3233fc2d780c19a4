"""What a person sees of a running search: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm.auto import tqdm

from nasbench.runners.search.budget import SECONDS_PER_HOUR, Ledger

LINE_SECONDS = 10.0  # at most one plain line in this time


class Progress:
    """Budget spent, rate, ETA and the best child so far.

    Args:
        title: what is running.
        stream: where to write; a terminal gets a bar, anything else a line now and then.
        bar: whether to draw a bar; None where the stream is a terminal. Notebooks take one though their stream is none.
    """

    def __init__(self, title: str, stream: TextIO | None = None, bar: bool | None = None) -> None:
        self._title, self._draw_bar = title, bar
        self._stream = stream if stream is not None else sys.stderr
        self._bar: tqdm[None] | None = None
        self._started = time.monotonic()
        self._last_line = 0.0
        self._share_at_start = 0.0
        self._children_at_start = 0

    def start(self, ledger: Ledger) -> None:
        """Begin to show a search whose ledger may already hold what earlier attempts spent."""
        self._started = time.monotonic()
        self._share_at_start, self._children_at_start = _share(ledger), ledger.children
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

    def child(self, ledger: Ledger, best: str, busy: float) -> None:
        """Show that a child has ended.

        Args:
            ledger: what is spent with it.
            best: which is the best so far, in words.
            busy: devices that were in use when it ended.
        """
        share = _share(ledger)
        text = f"{_spent(ledger)}, {busy:g} devices busy, {self._rate(ledger)}, ETA {self._eta(share)}, best {best}"
        if self._bar is not None:
            self._bar.n, self._bar.unit = 100.0 * share, text
            self._bar.refresh()
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            self.note(f"{self._title}: {100 * share:.0f}% of the budget, {text}")

    def note(self, text: str) -> None:
        """Write a line of its own."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _rate(self, ledger: Ledger) -> str:
        minutes = (time.monotonic() - self._started) / 60.0
        return f"{(ledger.children - self._children_at_start) / minutes:.1f} children/min" if minutes > 0 else "-"

    def _eta(self, share: float) -> str:
        done = share - self._share_at_start
        if done <= 0:
            return "?"
        seconds = (time.monotonic() - self._started) * (1.0 - share) / done
        return str(tqdm.format_interval(seconds))


def _share(ledger: Ledger) -> float:
    return min(1.0, ledger.spent / ledger.budget.limit)


def _spent(ledger: Ledger) -> str:
    hours = ledger.search_seconds / SECONDS_PER_HOUR
    return f"{ledger.children} children, {hours:.4g} device-hours, {ledger.usd:.4g} USD"
