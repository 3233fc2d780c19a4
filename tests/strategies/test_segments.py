"""The course of a controller over a space's decisions."""

from __future__ import annotations

import pytest

from nasbench.errors import InputError
from nasbench.runners.strategies.controllers.segments import Anchor, Segment, prefix, segments
from nasbench.spaces.base import Decision


def operation(layer: int) -> Decision:
    return Decision(f"op{layer}", 3, ("a", "b", "c"), "operation", layer)


def skip(layer: int, source: int) -> Decision:
    return Decision(f"{layer}<-{source}", 2, ("no", "yes"), "skip", layer, "skip", source)


STACK = [operation(0), operation(1), skip(1, 0), operation(2), skip(2, 0), skip(2, 1)]
COURSE = (Segment((0,), Anchor((), ())), Segment((1,), Anchor((2,), (0,))), Segment((3,), Anchor((4, 5), (0, 1))))


def test_categorical_decisions_make_one_segment():
    assert segments([operation(0), operation(1), operation(2)]) == (Segment((0, 1, 2), None),)


def test_a_layer_that_is_only_read_gets_an_anchor_after_its_last_decision():
    assert segments(STACK) == COURSE


def test_a_layer_that_is_never_read_and_reads_nothing_gets_no_anchor():
    assert segments([operation(0), operation(1), skip(1, 0), operation(2)])[-1] == Segment((3,), None)


def test_sources_are_places_of_anchors_not_layers():
    course = segments([operation(0), operation(1), operation(2), skip(2, 1)])
    assert course == (Segment((0, 1), Anchor((), ())), Segment((2,), Anchor((3,), (0,))))


@pytest.mark.parametrize("count", range(7))
def test_a_prefix_makes_exactly_the_first_decisions(count: int):
    if count == 5:
        with pytest.raises(InputError, match="the first 5 decisions end among the skip decisions"):
            prefix(COURSE, count)
        return
    made = []
    for part in prefix(COURSE, count):
        made += [*part.decisions, *(part.anchor.decisions if part.anchor else ())]
    assert made == list(range(count))


def test_a_prefix_keeps_the_anchors_of_the_whole_course():
    assert prefix(COURSE, 3) == COURSE[:2]
    assert prefix(COURSE, 2) == (COURSE[0], Segment((1,), None))


def test_skips_of_one_layer_must_be_adjacent():
    with pytest.raises(InputError, match="must follow one another"):
        segments([operation(0), operation(1), skip(2, 0), operation(2), skip(2, 1)])


def test_a_source_must_be_decided_before_it_is_read():
    with pytest.raises(InputError, match="'1<-2' reads layer 2, which makes no decision before it"):
        segments([operation(0), operation(1), skip(1, 0), skip(1, 2), operation(2)])
