"""Order of a recurrent controller's steps over the decisions of a space. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from nasbench.errors import InputError
from nasbench.spaces.base import Decision


@dataclass(frozen=True)
class Anchor:
    """A step whose hidden state represents a layer, and at which all the layer's skip bits are drawn.

    Args:
        decisions: indices of the skip decisions; empty for a layer that has none but is the source of others.
        sources: for each of them, the position of its source's anchor in the order of anchors.
    """

    decisions: tuple[int, ...]
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Segment:
    """Consecutive softmax steps, and the anchor step that ends them, if any.

    Within a segment every input follows from the choices alone; only the step after an anchor needs hidden states.

    Args:
        decisions: indices of the categorical decisions, one per step.
        anchor: the anchor step; None at the end of an architecture.
    """

    decisions: tuple[int, ...]
    anchor: Anchor | None


def segments(decisions: Sequence[Decision]) -> tuple[Segment, ...]:
    """Divide a space's decisions into segments.

    A layer's anchor step is at its skip decisions; a layer without skip decisions that others read gets an anchor step
    after its last decision.

    Args:
        decisions: decisions of the space, in order.

    Returns:
        The segments, in the order of the decisions.

    Raises:
        InputError: when a layer's skip decisions are not adjacent, or one reads a layer that has not been decided yet.
    """
    runs = [tuple(run) for _, run in groupby(range(len(decisions)), lambda index: _run_key(decisions[index], index))]
    skips = [run for run in runs if decisions[run[0]].kind == "skip"]
    deciding = [decisions[run[0]].layer for run in skips]
    if len(set(deciding)) < len(deciding):
        raise InputError("the skip decisions of one layer must follow one another; a controller draws them in one step")
    read = {decisions[index].source for run in skips for index in run}
    last = {decisions[run[-1]].layer: run for run in runs if decisions[run[0]].kind == "categorical"}
    silent = {last[layer] for layer in read - set(deciding) if layer in last}

    places: dict[int | None, int] = {}
    result: list[Segment] = []
    pending: list[int] = []
    for run in runs:
        layer = decisions[run[0]].layer
        if decisions[run[0]].kind == "skip":
            result.append(Segment(tuple(pending), _anchor(run, decisions, places)))
        else:
            pending.extend(run)
            if run not in silent:
                continue
            result.append(Segment(tuple(pending), Anchor((), ())))
        pending = []
        places[layer] = len(places)
    return (*result, Segment(tuple(pending), None)) if pending else tuple(result)


def prefix(parts: Sequence[Segment], count: int) -> tuple[Segment, ...]:
    """Select the segments that make the first `count` decisions.

    Args:
        parts: result of `segments`.
        count: number of decisions, >= 0; must not divide the skip decisions of a layer.

    Returns:
        The segments; the last one may be shortened.

    Raises:
        InputError: when `count` divides the skip decisions of a layer.
    """
    kept: list[Segment] = []
    for part in parts:
        decisions = tuple(index for index in part.decisions if index < count)
        if len(decisions) < len(part.decisions):
            return (*kept, Segment(decisions, None)) if decisions else tuple(kept)
        skips = part.anchor.decisions if part.anchor else ()
        inside = sum(index < count for index in skips)
        if 0 < inside < len(skips):
            raise InputError(f"the first {count} decisions end among the skip decisions of one layer")
        if inside < len(skips):
            return (*kept, Segment(decisions, None))
        kept.append(part)
    return tuple(kept)


def _run_key(decision: Decision, index: int) -> tuple[str, int]:
    return (decision.kind, decision.layer if decision.kind == "skip" else index)


def _anchor(run: tuple[int, ...], decisions: Sequence[Decision], places: dict[int | None, int]) -> Anchor:
    for index in run:
        if decisions[index].source not in places:
            raise InputError(
                f"skip decision {decisions[index].name!r} reads layer {decisions[index].source}, "
                "which makes no decision before it"
            )
    return Anchor(run, tuple(places[decisions[index].source] for index in run))
