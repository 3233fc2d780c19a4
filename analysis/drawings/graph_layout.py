"""Layout of a small directed acyclic graph: positions of boxes and wires, in layers from bottom to top.

The steps are those of Sugiyama, Tagawa and Toda (1981): layers by longest path, long wires cut into waypoints, an order
within each layer with few crossings (barycentres, then swaps), and positions that make wires short without moving boxes
into each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbench.analysis.plotting.spacing import separate

Key = tuple[int, int]  # (node, layer): a node at its own layer, else a waypoint of the wires that leave it

SWEEPS = 12
ROUNDS = 40
WAYPOINT_WIDTH = 0.3


@dataclass(frozen=True)
class Box:
    """A node: its width, and the ports on its lower side (offsets from its centre). Free ports may be swapped."""

    width: float
    ports: tuple[float, ...] = ()
    free: bool = False


@dataclass(frozen=True)
class Wire:
    """A connection from the top of one node to a port of a later one."""

    source: int
    target: int
    port: int


@dataclass(frozen=True)
class Layout:
    """A finished layout.

    Args:
        layer: layer of each node, from 0 at the bottom.
        x: centre of each node.
        ports: for each node, the position that each of its ports has.
        routes: for each wire, the x at each layer from its source to its target; the last one is that of the port.
        ends: for each wire, the layer of its target.
        crossings: number of pairs of wires that cross.
    """

    layer: tuple[int, ...]
    x: tuple[float, ...]
    ports: tuple[tuple[int, ...], ...]
    routes: tuple[tuple[float, ...], ...]
    ends: tuple[int, ...]
    crossings: int


def layered(boxes: Sequence[Box], wires: Sequence[Wire], gap: float) -> Layout:
    """Lay out a graph whose nodes are in topological order. The last node is placed above all others.

    Args:
        boxes: the nodes.
        wires: the connections, each to an existing port.
        gap: smallest distance between neighbours of a layer, >= 0.

    Returns:
        The best layout of a few deterministic starts: fewest crossings, then shortest wires.
    """
    layers = _layers(len(boxes), wires)
    candidates = []
    for start in range(4):
        sketch = _Sketch(boxes, wires, layers, gap)
        sketch.shuffle(start)
        sketch.reduce_crossings()
        sketch.place()
        candidates.append((sketch.crossings(), round(sketch.length(), 6), start, sketch))
    crossings, _, _, best = min(candidates, key=lambda item: item[:3])
    return Layout(
        layer=tuple(layers),
        x=tuple(float(best.x[node, layers[node]]) for node in range(len(boxes))),
        ports=tuple(tuple(places) for places in best.ports),
        routes=tuple(best.route(wire) for wire in wires),
        ends=tuple(layers[wire.target] for wire in wires),
        crossings=crossings,
    )


def _layers(nodes: int, wires: Sequence[Wire]) -> list[int]:
    layers = [0] * nodes
    for node in range(nodes):
        layers[node] = max((layers[wire.source] + 1 for wire in wires if wire.target == node), default=0)
    if nodes > 1:
        layers[-1] = max(layers[:-1]) + 1
    return layers


class _Sketch:
    """A layout under construction: the order of each layer, the places of ports, and positions."""

    def __init__(self, boxes: Sequence[Box], wires: Sequence[Wire], layers: Sequence[int], gap: float) -> None:
        self.boxes, self.wires, self.layers, self.gap = boxes, wires, layers, gap
        self.ports = [list(range(len(box.ports))) for box in boxes]
        members: dict[Key, None] = dict.fromkeys(enumerate(layers))
        for wire in wires:
            members |= {(wire.source, level): None for level in range(layers[wire.source], layers[wire.target])}
        self.order: list[list[Key]] = [
            [key for key in members if key[1] == level] for level in range(max(layers, default=0) + 1)
        ]
        # (lower end, upper end, port of the upper end or None), each once even if several wires share it.
        self.segments = sorted({segment for wire in wires for segment in self._segments(wire)}, key=str)
        self.x: dict[Key, float] = {}

    def _segments(self, wire: Wire) -> list[tuple[Key, Key, int | None]]:
        first, last = self.layers[wire.source], self.layers[wire.target]
        path: list[tuple[Key, Key, int | None]] = [
            ((wire.source, level), (wire.source, level + 1), None) for level in range(first, last - 1)
        ]
        return [*path, ((wire.source, last - 1), (wire.target, last), wire.port)]

    def shuffle(self, start: int) -> None:
        """Set the start-th of a few initial orders; the first one is the order of the nodes."""
        rng = np.random.default_rng(start)
        if start:
            self.order = [[row[i] for i in rng.permutation(len(row))] for row in self.order]

    def _spot(self, key: Key, port: int | None) -> float:
        """Place of a segment's upper end within its layer's order; ports of one box lie between its neighbours."""
        position = self.order[key[1]].index(key)
        if port is None:
            return float(position)
        count = len(self.boxes[key[0]].ports)
        return position + (self.ports[key[0]][port] + 0.5) / count - 0.5

    def crossings(self) -> int:
        """Number of pairs of wires that cross, over all layers."""
        return sum(self._crossings(level) for level in range(1, len(self.order)))

    def _crossings(self, level: int) -> int:
        """Number of crossings between the layer below and this one."""
        ends = [
            (self._spot(low, None), self._spot(high, port)) for low, high, port in self.segments if high[1] == level
        ]
        return sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(ends) for c, d in ends[:i])

    def reduce_crossings(self) -> None:
        best, kept = self.crossings(), [list(row) for row in self.order]
        for sweep in range(SWEEPS):
            self._sweep(upward=sweep % 2 == 0)
            count = self.crossings()
            if count < best:
                best, kept = count, [list(row) for row in self.order]
        self.order = kept
        while self._swap_once():
            pass

    def _sweep(self, upward: bool) -> None:
        for level in range(len(self.order)) if upward else reversed(range(len(self.order))):
            pull: dict[Key, list[float]] = {key: [] for key in self.order[level]}
            for low, high, port in self.segments:
                if upward and high in pull:
                    pull[high].append(self._spot(low, None))
                elif not upward and low in pull:
                    pull[low].append(self._spot(high, port))
            place = {
                key: float(np.mean(values)) if values else float(i) for i, (key, values) in enumerate(pull.items())
            }
            self.order[level].sort(key=lambda key: place[key])
            if upward:
                self._sort_ports(level)

    def _sort_ports(self, level: int) -> None:
        for node, _ in [key for key in self.order[level] if self.layers[key[0]] == level]:
            if self.boxes[node].free:
                spots = {port: self._spot(low, None) for low, high, port in self.segments if high == (node, level)}
                ranked = sorted((spot, port) for port, spot in spots.items() if port is not None)
                self.ports[node] = [0] * len(ranked)
                for place, (_, port) in enumerate(ranked):
                    self.ports[node][port] = place

    def _swap_once(self) -> bool:
        """Swap two neighbours or two ports if that removes crossings; return whether such a pair was found."""
        for row in self.order:
            for i in range(len(row) - 1):
                before = self.crossings()
                row[i], row[i + 1] = row[i + 1], row[i]
                if self.crossings() < before:
                    return True
                row[i], row[i + 1] = row[i + 1], row[i]
        for places in (places for places, box in zip(self.ports, self.boxes) if box.free):
            for i in range(len(places)):
                for j in range(i):
                    before = self.crossings()
                    places[i], places[j] = places[j], places[i]
                    if self.crossings() < before:
                        return True
                    places[i], places[j] = places[j], places[i]
        return False

    def _width(self, key: Key) -> float:
        return self.boxes[key[0]].width if self.layers[key[0]] == key[1] else WAYPOINT_WIDTH

    def _offset(self, key: Key, port: int | None) -> float:
        return 0.0 if port is None else self.boxes[key[0]].ports[self.ports[key[0]][port]]

    def place(self) -> None:
        """Set positions: every node is pulled towards the ends of its wires, layer by layer, up and down."""
        gaps = [
            [(self._width(a) + self._width(b)) / 2 + self.gap for a, b in itertools.pairwise(row)] for row in self.order
        ]
        for row, row_gaps in zip(self.order, gaps):
            middle = separate([0.0] * len(row), row_gaps)
            self.x |= dict(zip(row, middle.tolist()))
        for number in range(ROUNDS):
            levels = range(len(self.order)) if number % 2 == 0 else reversed(range(len(self.order)))
            for level in levels:
                pull: dict[Key, list[float]] = {key: [] for key in self.order[level]}
                for low, high, port in self.segments:
                    if high in pull:
                        pull[high].append(self.x[low] - self._offset(high, port))
                    if low in pull:
                        pull[low].append(self.x[high] + self._offset(high, port))
                wanted = [float(np.mean(values)) if values else self.x[key] for key, values in pull.items()]
                self.x |= dict(zip(self.order[level], separate(wanted, gaps[level]).tolist()))

    def length(self) -> float:
        """Sum of the horizontal lengths of all wires."""
        return sum(abs(self.x[low] - self.x[high] - self._offset(high, port)) for low, high, port in self.segments)

    def route(self, wire: Wire) -> tuple[float, ...]:
        """Positions x of a wire at each layer from its source to its target's port."""
        first, last = self.layers[wire.source], self.layers[wire.target]
        way = [self.x[wire.source, level] for level in range(first, last)]
        end = (wire.target, last)
        return (*way, self.x[end] + self._offset(end, wire.port))
