"""Charts of a comparison as SVG: colours come from the page's styles, so that one chart serves light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

WIDTH: Final = 760
LEFT: Final = 190  # room for names
ROW: Final = 30
NAME: Final = 26  # most letters of a name
GAP: Final = 15  # least distance of labels
BELOW: Final = 6  # the last label may be so far below the axis
LEAST_SPAN: Final = 1e-3  # of an axis of values
RANK_SIDE: Final = 256  # room for a name with its rank at either side
MOST_TICKS: Final = 12  # with a number each; of more, every other one has a number


class Span(NamedTuple):
    """A value with its interval in a chart of rows.

    Attributes:
        name: strategy.
        value: the value, NaN for none.
        low: lower end, NaN without an interval.
        high: upper end.
        said: text beside it.
    """

    name: str
    value: float
    low: float
    high: float
    said: str


def span_chart(spans: Sequence[Span], place: Mapping[str, int], axis: str, title: str) -> str:
    """Draw a value and its interval per strategy, one below the other.

    Args:
        spans: the rows, from the top.
        place: strategy -> number of its style.
        axis: text below the axis.
        title: what the chart shows, for those who do not see it.

    Returns:
        SVG.
    """
    known = [end for span in spans for end in (span.value, span.low, span.high) if math.isfinite(end)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    low, high = min(low, 0.0) if low < 0.35 * high else low, high
    if high - low < LEAST_SPAN:  # e.g. one search of one strategy
        low, high = low - LEAST_SPAN / 2, high + LEAST_SPAN / 2
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    right = WIDTH - 150
    bottom = 12 + ROW * len(spans)

    def x(value: float) -> float:
        return LEFT + (value - low) / ((high - low) or 1.0) * (right - LEFT)

    parts = _vertical_grid(ticks, x, 8, bottom)
    for row, span in enumerate(spans):
        y = 12 + ROW * (row + 0.5)
        cls = f"s{place[span.name]}"
        parts.append(
            f'<text x="{LEFT - 14}" y="{y + 4:.1f}" text-anchor="end" class="row-name {cls}">{_short(span.name)}</text>'
        )
        if math.isfinite(span.low) and math.isfinite(span.high):
            parts.append(
                f'<line x1="{x(span.low):.1f}" x2="{x(span.high):.1f}" y1="{y:.1f}" y2="{y:.1f}" class="line {cls}" '
                'style="stroke-width:3;opacity:.55"/>'
            )
        if math.isfinite(span.value):
            parts.append(f'<circle cx="{x(span.value):.1f}" cy="{y:.1f}" r="5" class="mark {cls}"/>')
        parts.append(f'<text x="{right + 14}" y="{y + 4:.1f}">{html.escape(span.said)}</text>')
    parts.append(
        f'<text x="{(LEFT + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle" class="axis-label">{html.escape(axis)}</text>'
    )
    return _svg(parts, bottom + 46, title)


def curve_chart(curves: pd.DataFrame, place: Mapping[str, int], axis: str, title: str) -> str:
    """Draw shares in [0, 1] over a logarithmic budget, one line per strategy, named at its end.

    Args:
        curves: strategy, budget (in (0, 1]), share.
        place: strategy -> number of its style.
        axis: text below the axis.
        title: what the chart shows.

    Returns:
        SVG.
    """
    left, right, top = 46, WIDTH - 190, 12
    bottom: float = max(320, GAP * (curves["strategy"].nunique() - 1) + top - BELOW)  # so high that all names have room
    start = float(curves["budget"].min())
    decades = math.log10(1.0 / start) or 1.0

    def x(budget: float) -> float:
        return left + (math.log10(budget / start)) / decades * (right - left)

    def y(share: float) -> float:
        return bottom - share * (bottom - top)

    ticks = [tick for tick in _log_ticks(start) if tick >= start]
    parts = _vertical_grid(ticks, x, top, bottom, lambda tick: f"{100 * tick:g}%")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y(share):.1f}" y2="{y(share):.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    ends = []
    for name in reversed(list(dict.fromkeys(curves["strategy"]))):  # the first lies on top
        mine = curves[curves["strategy"] == name]
        points = " ".join(f"{x(b):.1f},{y(s):.1f}" for b, s in zip(mine["budget"].tolist(), mine["share"].tolist()))
        dashes = ("", "7 3", "2 3", "9 3 2 3")[place[name] // 6 % 4]
        dash = f' style="stroke-dasharray:{dashes}"' if dashes else ""
        parts.append(f'<polyline points="{points}" class="line s{place[name]}"{dash}/>')
        ends.append((y(float(mine["share"].iloc[-1])), name, float(mine["share"].iloc[-1])))
    ends.sort()
    for (height, name, share), shown in zip(ends, _apart([height for height, *_ in ends], bottom + BELOW)):
        parts.append(
            f'<path d="M{right + 2} {height:.1f}L{right + 14} {shown:.1f}" class="leader s{place[name]}"/>'
            f'<text x="{right + 18}" y="{shown + 4:.1f}" class="end-name s{place[name]}">{_short(name)} {share:.0%}</text>'
        )
    parts.append(
        f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle" class="axis-label">{html.escape(axis)}</text>'
    )
    return _svg(parts, bottom + 46, title)


def rank_chart(
    ranks: Mapping[str, float], joined: Sequence[Sequence[str]], place: Mapping[str, int], title: str
) -> str:
    """Draw ranks on one axis, the best at the left; bars join strategies that are not shown to differ.

    Args:
        ranks: strategy -> rank, at least two.
        joined: groups of strategies under one bar.
        place: strategy -> number of its style.
        title: what the chart shows.

    Returns:
        SVG.
    """
    order = sorted(ranks, key=lambda name: ranks[name])
    count = len(order)
    left, right, top = RANK_SIDE, WIDTH - RANK_SIDE, 34

    def x(rank: float) -> float:
        return left + (rank - 1) / max(count - 1, 1) * (right - left)

    parts = [f'<line x1="{left}" x2="{right}" y1="{top}" y2="{top}" class="axis"/>']
    for tick in range(1, count + 1):
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 5}" y2="{top}" class="tickmark"/>')
        if count <= MOST_TICKS or tick % 2:
            parts.append(f'<text x="{x(tick):.1f}" y="{top - 10}" text-anchor="middle">{tick}</text>')
    bars = [group for group in joined if len(group) > 1]
    for number, group in enumerate(bars):
        ends = [ranks[name] for name in group]
        y = top + 12 + 8 * number
        parts.append(
            f'<line x1="{x(min(ends)) - 4:.1f}" x2="{x(max(ends)) + 4:.1f}" y1="{y}" y2="{y}" '
            'style="stroke:var(--ink);stroke-width:4;opacity:.8"/>'
        )
    base, half = top + 26 + 8 * len(bars), (count + 1) // 2
    for number, name in enumerate(order):
        at_left = number < half
        y = base + 22 * (number if at_left else count - 1 - number)
        side, anchor, edge = (left - 20, "end", left - 14) if at_left else (right + 20, "start", right + 14)
        parts.append(f'<path d="M{x(ranks[name]):.1f} {top}V{y}H{edge}" class="leader s{place[name]}"/>')
        parts.append(f'<circle cx="{x(ranks[name]):.1f}" cy="{top}" r="4" class="mark s{place[name]}"/>')
        parts.append(
            f'<text x="{side}" y="{y + 4}" text-anchor="{anchor}" class="row-name s{place[name]}">{_short(name)} '
            f"{ranks[name]:.2f}</text>"
        )
    return _svg(parts, base + 22 * half + 6, title)


def cliques(ranks: Mapping[str, float], differ: frozenset[frozenset[str]]) -> list[list[str]]:
    """Find the largest groups of neighbours in rank of which no two are shown to differ.

    Args:
        ranks: strategy -> rank.
        differ: pairs that are shown to differ.

    Returns:
        Groups of two or more, from the best.
    """
    order, found = sorted(ranks, key=lambda name: ranks[name]), []
    last = -1
    for first in range(len(order)):
        end = first
        while end + 1 < len(order) and all(
            frozenset((order[end + 1], name)) not in differ for name in order[first : end + 1]
        ):
            end += 1
        if end > first and end > last:
            found.append(order[first : end + 1])
            last = end
    return found


def _svg(parts: Sequence[str], height: float, title: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" role="img" aria-label="{html.escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _short(name: str) -> str:
    return html.escape(name if len(name) <= NAME else f"{name[: NAME - 1]}…")


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10((high - low) / 4 or 1.0))
    step = next(each for each in (step, 2 * step, 5 * step, 10 * step) if (high - low) / each <= 5)
    return [float(tick) for tick in np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step]


def _log_ticks(start: float) -> list[float]:
    decade = math.floor(math.log10(start))
    return [digit * 10.0**power for power in range(decade, 1) for digit in (1, 2, 5) if digit * 10.0**power <= 1.0]


def _vertical_grid(ticks: Sequence[float], x, top: float, bottom: float, written=lambda tick: f"{tick:g}") -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    parts = []
    for tick in ticks:
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}" class="grid"/>')
        parts.append(
            f'<text x="{x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{written(round(tick, 12))}</text>'
        )
    return parts


def _apart(heights: Sequence[float], limit: float) -> list[float]:
    """Move sorted heights apart by the least distance of labels, as little as that takes, and none beyond a limit."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + GAP) if placed else height)
    last = len(placed) - 1
    return [min(height, limit - GAP * (last - number)) for number, height in enumerate(placed)]
