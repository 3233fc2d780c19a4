"""Placement of names beside points without overlap with other names, points and lines.

`place_labels` measures a drawn plot in pixels, tries places around each point from near to far, and moves overlapping
names until nothing overlaps or nothing improves. The same plot always gives the same places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.page import current_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# candidate distances from the marker's centre, in points
_DISTANCES = (6.5, 9.0, 12.0, 17.0, 24.0, 32.0, 42.0, 54.0, 68.0, 84.0)
_ANGLES = np.deg2rad(np.arange(0, 360, 15))
_LEADER_FROM = 10.0  # in points; a nearer name needs no leader to its point
_ROUNDS = 12
_CLASH = 1000.0  # cost of one overlap, in points of distance
_CROSSED = 40.0  # cost of a leader that crosses a line of the plot


@dataclass(frozen=True)
class Label:
    """Name of a point: x and y in data units, the text and its colour."""

    x: float
    y: float
    text: str
    colour: str = field(default_factory=style.ink)


def place_labels(
    ax: Axes,
    labels: Sequence[Label],
    points: np.ndarray,
    lines: Sequence[np.ndarray] = (),
    clearance: float = 4.5,
    size: float = 8.0,
) -> int:
    """Write names beside their points, with a dotted leader if a name had to move away.

    Call it last, because it measures the drawn figure; a later change of limits or layout makes the places wrong.

    Args:
        ax: a plot whose limits are final, in a figure that has been laid out.
        labels: the names.
        points: [n, 2] in data units, all markers that names must not cover.
        lines: polylines of [m, 2] in data units that names must not cross.
        clearance: radius of a marker in points.
        size: font size in points, on the usual page. On a page with larger letters names are larger, too, if they
            find room.

    Returns:
        Number of overlaps left, 0 if every name found room.
    """
    if not labels:
        return 0
    scale = current_page().font_scale
    best, left = None, 0
    for each in (scale, (1 + scale) / 2, 1.0) if scale > 1 else (scale,):
        layout = _Layout(ax, labels, points, lines, clearance, size * each)
        layout.settle()
        clashes = layout.clashes()
        if best is None or clashes < left:
            best, left = layout, clashes
        if not left:
            break
    assert best is not None
    best.write(ax)
    return left


class _Layout:
    """Places of all names in pixels, with their conflicts."""

    def __init__(
        self,
        ax: Axes,
        labels: Sequence[Label],
        points: np.ndarray,
        lines: Sequence[np.ndarray],
        clearance: float,
        size: float,
    ) -> None:
        self.labels, self.size = labels, size
        self.pixels = ax.figure.dpi / 72  # pixels per point
        anchors = [(label.x, label.y) for label in labels]
        self.anchors = np.asarray(ax.transData.transform(anchors))
        self.points = np.asarray(ax.transData.transform(points))
        self.clearance = clearance * self.pixels
        bounds = ax.get_window_extent()
        self.bounds = np.array([bounds.x0, bounds.y0, bounds.x1, bounds.y1])
        self.segments = _segments([np.asarray(ax.transData.transform(line)) for line in lines])
        self.boxes, self.leaders, self.costs = self._candidates(_sizes(ax, labels, size))
        self.chosen: list[int] = []

    def _candidates(self, sizes: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Candidate boxes [k, 4] around each point, their leaders [k, 2, 2], and the cost of each candidate alone.

        The cost is the distance plus that of the markers and lines covered. The leader of a name near its point has no
        length.
        """
        boxes, leaders, costs = [], [], []
        distances, angles = (grid.ravel() for grid in np.meshgrid(_DISTANCES, _ANGLES, indexing="ij"))
        reach = distances * self.pixels
        for anchor, (width, height) in zip(self.anchors, sizes):
            x = anchor[0] + np.cos(angles) * (reach + width / 2)
            y = anchor[1] + np.sin(angles) * (reach + height / 2)
            box = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
            cost = distances + 3.0 * np.abs(np.sin(angles)) + 1.5 * (np.cos(angles) < 0)
            leader = np.stack(
                [np.broadcast_to(anchor, box[:, :2].shape), np.clip(anchor, box[:, :2], box[:, 2:])], axis=1
            )
            short = np.hypot(*(leader[:, 1] - leader[:, 0]).T) <= _LEADER_FROM * self.pixels
            leader[short, 1] = anchor
            cost += _CROSSED * _crossings(leader, self.segments).sum(axis=1)
            boxes.append(box)
            leaders.append(leader)
            costs.append(cost + _CLASH * self._covers(box, leader))
        return boxes, leaders, costs

    def _covers(self, boxes: np.ndarray, leaders: np.ndarray) -> np.ndarray:
        """Count the markers and lines that each box or its leader covers; a box outside the plot counts as many."""
        outside = (boxes[:, :2] < self.bounds[:2]).any(axis=1) | (boxes[:, 2:] > self.bounds[2:]).any(axis=1)
        near = np.clip(self.points[None], boxes[:, None, :2], boxes[:, None, 2:])
        covered = (np.hypot(*(near - self.points[None]).transpose(2, 0, 1)) < self.clearance).sum(axis=1)
        crossed = _segment_hits(self.segments, boxes).sum(axis=0)
        # A leader cannot avoid a marker that nearly covers its own point.
        others = self.points[np.hypot(*(self.points - leaders[0, 0]).T) > 2 * self.clearance]
        far = np.hypot(*(leaders[:, 1] - leaders[:, 0]).T) > 0
        blocked = (_distance_to_segments(others, leaders) < self.clearance).sum(axis=0) * far
        return np.asarray(20 * outside + covered + crossed + blocked)

    def settle(self) -> None:
        """Place the names in several orders, and keep the cheapest result."""
        crowded = [-self._neighbours(index) for index in range(len(self.labels))]
        keys = (crowded, self.anchors[:, 0], self.anchors[:, 1], -self.anchors[:, 0], -self.anchors[:, 1])
        outcomes = [self._settle_in(np.argsort(key, kind="stable")) for key in keys]
        self.chosen = min(outcomes, key=lambda outcome: outcome[0])[1]

    def _settle_in(self, order: np.ndarray) -> tuple[float, list[int]]:
        """Move names one by one to their cheapest place, given the others, until none moves."""
        self.chosen = [int(np.argmin(cost)) for cost in self.costs]
        for _ in range(_ROUNDS):
            before = list(self.chosen)
            for index in order:
                self.chosen[index] = int(np.argmin(self.costs[index] + _CLASH * self._meets(index, slice(None))))
            if self.chosen == before:
                break
        total = sum(float(cost[chosen]) for cost, chosen in zip(self.costs, self.chosen))
        pairs = sum(float(self._meets(index, [self.chosen[index]])[0]) for index in range(len(self.labels)))
        return total + _CLASH * pairs / 2, list(self.chosen)

    def _neighbours(self, index: int) -> int:
        return int((np.abs(self.points - self.anchors[index]) < 60 * self.pixels).all(axis=1).sum())

    def _meets(self, index: int, which: Sequence[int] | slice) -> np.ndarray:
        """Count the other names and leaders that each candidate (or its leader) overlaps."""
        boxes, leaders = self.boxes[index][which], self.leaders[index][which]
        others = [other for other in range(len(self.labels)) if other != index]
        if not others:
            return np.zeros(len(boxes))
        placed = np.array([self.boxes[other][self.chosen[other]] for other in others])
        theirs = np.array([self.leaders[other][self.chosen[other]] for other in others])
        gap = 1.5 * self.pixels
        apart = (boxes[:, None, :2] >= placed[None, :, 2:] + gap) | (boxes[:, None, 2:] <= placed[None, :, :2] - gap)
        meets = (~apart.any(axis=2)).sum(axis=1) + _segment_hits(theirs, boxes).sum(axis=0)
        return np.asarray(meets + _segment_hits(leaders, placed).sum(axis=1) + _crossings(leaders, theirs).sum(axis=1))

    def clashes(self) -> int:
        """Number of overlaps left: of names with markers and lines, and of names with each other."""
        own = sum(int(cost[chosen] // _CLASH) for cost, chosen in zip(self.costs, self.chosen))
        pairs = sum(int(self._meets(i, [self.chosen[i]])[0]) for i in range(len(self.labels)))
        return own + (pairs + 1) // 2

    def write(self, ax: Axes) -> None:
        """Draw the names, and leaders to those that moved away."""
        inverse = ax.transData.inverted()
        for index, label in enumerate(self.labels):
            box = self.boxes[index][self.chosen[index]]
            x, y = inverse.transform((box[:2] + box[2:]) / 2)
            ax.text(x, y, label.text, ha="center", va="center", fontsize=self.size, color=label.colour, zorder=5)
            leader = self.leaders[index][self.chosen[index]]
            if (leader[0] != leader[1]).any():
                ax.plot(
                    *inverse.transform(leader).T, color=label.colour, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=2
                )


def _sizes(ax: Axes, labels: Sequence[Label], size: float) -> np.ndarray:
    """Width and height [n, 2] of the names in pixels."""
    texts = [ax.text(0.5, 0.5, label.text, transform=ax.transAxes, fontsize=size) for label in labels]
    extents = [text.get_window_extent() for text in texts]
    for text in texts:
        text.remove()
    return np.array([(extent.width, extent.height) for extent in extents])


def _segments(lines: Sequence[np.ndarray]) -> np.ndarray:
    """All pieces [s, 2, 2] of polylines."""
    pieces = [np.stack([line[:-1], line[1:]], axis=1) for line in lines if len(line) > 1]
    return np.concatenate(pieces) if pieces else np.empty((0, 2, 2))


def _segment_hits(segments: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Test which segments [s, 2, 2] pass through which boxes [b, 4], as [s, b]; a segment of length 0 hits nothing.

    The segment's parameter t in [0, 1] is clipped to the box in x and y.
    """
    if not len(segments):
        return np.zeros((0, len(boxes)), dtype=bool)
    start, step = segments[:, None, 0], segments[:, None, 1] - segments[:, None, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (boxes[None, :, :2] - start) / step, (boxes[None, :, 2:] - start) / step
    within = (boxes[None, :, :2] <= start) & (start <= boxes[None, :, 2:])
    low = np.where(step == 0, np.where(within, -np.inf, np.inf), np.minimum(first, second))
    high = np.where(step == 0, np.where(within, np.inf, -np.inf), np.maximum(first, second))
    enters, leaves = np.maximum(low.max(axis=2), 0.0), np.minimum(high.min(axis=2), 1.0)
    # Only passages longer than half a pixel count, because a leader ends on the edge of its own name.
    length = np.maximum(np.hypot(*step.transpose(2, 0, 1)), 1e-9)
    return np.asarray(leaves - enters > 0.5 / length)


def _crossings(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Test which segments of one set [a, 2, 2] cross which of another [b, 2, 2], as [a, b]."""
    p, q = first[:, None], second[None]

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.asarray(
            (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        )

    one = side(p[..., 0, :], p[..., 1, :], q[..., 0, :]) * side(p[..., 0, :], p[..., 1, :], q[..., 1, :]) < 0
    two = side(q[..., 0, :], q[..., 1, :], p[..., 0, :]) * side(q[..., 0, :], q[..., 1, :], p[..., 1, :]) < 0
    return np.asarray(one & two)


def _distance_to_segments(points: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Distance [n, s] of points [n, 2] to segments [s, 2, 2]."""
    start, step = segments[:, 0], segments[:, 1] - segments[:, 0]
    length = np.maximum((step**2).sum(axis=1), 1e-12)
    t = np.clip(((points[:, None] - start) * step).sum(axis=2) / length, 0, 1)
    return np.asarray(np.hypot(*(points[:, None] - start - t[..., None] * step).transpose(2, 0, 1)))
