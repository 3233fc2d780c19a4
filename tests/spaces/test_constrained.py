"""Views of spaces under limits: what they share with their space, what they leave out, and their error."""

from __future__ import annotations

import dataclasses
import pickle
from collections import Counter

import numpy as np
import pytest
from small_spaces import Row

from nasbench.errors import InputError
from nasbench.expressions import parse_condition
from nasbench.spaces import SPACES, Architecture, Space, get_space
from nasbench.spaces.conformance import check_architecture, check_bad_choices, check_decisions
from nasbench.spaces.constrained import (
    TRIES,
    CountsAt,
    Limits,
    NothingFits,
    constrained,
    one_spelling,
    parse_limits,
    under_limits,
)
from nasbench.structures import Counts, Scale

SCALE = Scale(cells=1, filters=4, image_size=8, image_channels=1, classes=3)
SMALL = {"enas-macro": "enas-macro:layers=4", "nas": "nas:layers=4", "nasnet": "nasnet:blocks=2"}


def limits(text: str) -> Limits:
    return Limits(parse_limits(text), CountsAt(SCALE))


def smaller_half(space: Space) -> Limits:
    """Limits that about half of the architectures satisfy."""
    rng = np.random.default_rng(5)
    counts = [space.count(space.random(rng), SCALE) for _ in range(99)]
    params = sorted(count.params for count in counts)[49]
    return limits(f"params <= {params} and mult_adds <= {max(count.mult_adds for count in counts)}")


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", list(SPACES))
def test_a_view_has_what_its_space_has_and_draws_only_what_fits(name: str) -> None:
    space = get_space(SMALL.get(name, name))
    view = constrained(space, smaller_half(space))
    assert isinstance(view, type(space))
    assert (view.spec, view.decisions, view.size) == (space.spec, space.decisions, space.size)
    assert view != space
    assert pickle.loads(pickle.dumps(view)) == view
    check_decisions(view)
    check_bad_choices(view)
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = view.random(rng)
        around = [drawn, view.mutate(drawn, rng), *list(view.neighbours(drawn))[:20], view.canonical(drawn)]
        for architecture in around:
            assert architecture.space == space
            assert type(architecture.space) is type(space)
            assert view.allows(architecture)
            assert view.hash(architecture) == architecture.hash
        check_architecture(drawn)


@pytest.mark.parametrize("name", list(SPACES))
def test_neighbours_are_those_of_the_space_that_fit(name: str) -> None:
    space = get_space(SMALL.get(name, name))
    bound = smaller_half(space)
    view = constrained(space, bound)
    centre = view.random(np.random.default_rng(1))
    fitting = [other for other in space.neighbours(centre) if bound.hold(space.count(other, SCALE))]
    assert list(view.neighbours(centre)) == fitting
    assert len(fitting) < len(list(space.neighbours(centre)))


def test_draws_keep_their_relative_probabilities() -> None:
    """The 24 architectures of a small space: those that fit are drawn equally often, the others never."""
    space = Row()
    bound = Limits(parse_limits("2 <= params <= 4"), CountsAt(SCALE))
    view = constrained(space, bound)
    rng = np.random.default_rng(0)
    found = Counter(view.random(rng).choices for _ in range(4000))
    fitting = {
        (a, 0, b, c) for a in range(3) for b in range(2) for c in range(4) if 2 <= 1 + a + b + c <= 4
    }  # `Row` counts 1 + the sum of the choices
    assert set(found) == fitting
    expected = 4000 / len(fitting)
    chi_squared = sum((count - expected) ** 2 / expected for count in found.values())
    assert chi_squared < 40  # 13 degrees of freedom; the seed is fixed


def test_draws_are_those_of_the_space_in_their_order_without_the_others() -> None:
    space = get_space("nasnet:blocks=2")
    bound = smaller_half(space)
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    drawn = [space.random(rng) for _ in range(200)]
    fitting = [architecture for architecture in drawn if bound.hold(space.count(architecture, SCALE))]
    view = constrained(space, bound)
    assert [view.random(other) for _ in fitting] == fitting
    assert list(view.fitting(drawn)) == fitting


def test_a_variation_of_the_options_keeps_the_limits() -> None:
    view = constrained(get_space("nasnet:blocks=3"), limits("params <= 9k"))
    smaller = dataclasses.replace(view, blocks=1)
    assert smaller.spec == "nasnet:blocks=1"
    assert smaller.limits == view.limits
    assert smaller == constrained(get_space("nasnet:blocks=1"), limits("params <= 9k"))


def test_an_architecture_without_neighbours_that_fit_mutates_into_itself() -> None:
    view = constrained(Row(), Limits(parse_limits("params == 1"), CountsAt(SCALE)))
    only = view.decode((0, 0, 0, 0))
    assert view.mutate(only, np.random.default_rng(0)) == only
    assert list(view.neighbours(only)) == []


def test_the_error_says_how_many_were_drawn_and_the_nearest_counts() -> None:
    space = get_space("nasbench201")
    view = constrained(space, limits("params <= 10 and mult_adds < 1k"))
    with pytest.raises(NothingFits) as caught:
        view.random(np.random.default_rng(0))
    counts = [space.count(space.random(np.random.default_rng(seed)), SCALE) for seed in range(300)]
    least = Counts(params=min(c.params for c in counts), mult_adds=min(c.mult_adds for c in counts))
    message = str(caught.value)
    assert "\n" not in message
    assert f"{TRIES:,} drawn" in message
    assert f"the nearest has params {least.params:,} and mult_adds {least.mult_adds:,}" in message
    assert caught.value.exit_code == 2


def test_the_error_counts_what_fitted_before() -> None:
    view = constrained(Row(), Limits(parse_limits("params <= 1"), CountsAt(SCALE)))
    good, bad = Row().decode((0, 0, 0, 0)), Row().decode((2, 0, 0, 0))
    draws = view.fitting([good] * 3 + [bad] * TRIES)
    assert [next(draws) for _ in range(3)] == [good] * 3
    with pytest.raises(NothingFits, match="after 3 that do"):
        next(draws)


@pytest.mark.parametrize(
    ("text", "counts", "distance"),
    [
        ("params <= 100", (150, 1), 0.5),
        ("params <= 100 and mult_adds <= 10", (150, 20), 1.5),
        ("params <= 100 or mult_adds <= 10", (150, 20), 0.5),
        ("params >= 100", (50, 1), 0.5),
        ("params <= 100", (100, 1), 0.0),
        ("not params > 100", (150, 1), 1.0),
    ],
)
def test_the_distance_adds_relative_excesses(text: str, counts: tuple[int, int], distance: float) -> None:
    values = dict(zip(("params", "mult_adds"), counts))
    assert limits(text).distance(values) == pytest.approx(distance)


@pytest.mark.parametrize("text", ["3 < 4", "params", "latency < 5", "published_params < 5"])
def test_limits_are_conditions_on_counts(text: str) -> None:
    with pytest.raises(InputError, match=r"params"):
        parse_limits(text)


def test_limits_as_text_are_those_of_a_value() -> None:
    space = get_space("nasbench201")
    assert under_limits(space, "params<=9000", SCALE) == constrained(space, limits("params <= 9k"))
    assert under_limits(space, "params<=9000") == constrained(
        space, Limits(parse_limits("params <= 9k"), CountsAt(space.default_scale))
    )


@pytest.mark.parametrize("text", ["params / 0 > 1", "1 / 0 >= params", "params <= 3 / (1 - 1)", "params / (2 / 0) < 1"])
def test_limits_that_divide_by_zero_are_refused(text):
    with pytest.raises(InputError, match=r"divides by 0$"):
        parse_limits(text)


def test_limits_may_divide_by_counts_and_numbers():
    assert parse_limits("mult_adds / params <= 200 / 2").evaluate({"params": 2, "mult_adds": 200})


def by_choice(architecture: Architecture) -> float:
    """A latency of the space `Row` that is known: a millisecond per sum of choices."""
    return 0.001 * sum(architecture.choices)


def timed(text: str, latency=by_choice) -> Limits:
    return Limits(parse_limits(text, latency=True), CountsAt(SCALE), latency)


@pytest.mark.parametrize(
    "text", ["latency <= 5 ms", "latency<=5ms", "latency <= 0.005", "latency <= 5000 us", "latency <= 0.005 s"]
)
def test_latencies_are_in_seconds_with_units(text: str) -> None:
    assert one_spelling(text) == "latency <= 0.005"
    assert one_spelling(one_spelling(text)) == one_spelling(text)


def test_units_belong_to_limits_alone() -> None:
    with pytest.raises(InputError, match=r"ends with k .* or %, s, ms, us, got 'min'"):
        parse_limits("latency < 5min", latency=True)
    with pytest.raises(InputError, match=r"ends with k .* or %, got 'ms'"):
        parse_condition("params < 5ms", {"params": "number"})


def test_a_latency_that_nothing_measures_is_refused() -> None:
    with pytest.raises(InputError, match="measured on this machine by nasbench run only"):
        parse_limits("params < 5 and latency < 5 ms")
    with pytest.raises(InputError, match="not measured here"):
        Limits(parse_limits("latency < 5 ms", latency=True), CountsAt(SCALE))


def test_a_view_under_a_latency_has_exactly_what_fits() -> None:
    view = constrained(Row(), timed("latency <= 2 ms"))
    rng = np.random.default_rng(0)
    drawn = [view.random(rng) for _ in range(50)]
    assert all(by_choice(each) <= 0.002 for each in drawn)
    assert all(by_choice(view.mutate(each, rng)) <= 0.002 for each in drawn)
    assert all(by_choice(each) <= 0.002 for each in view.neighbours(drawn[0]))


def test_what_the_counts_rule_out_is_not_measured() -> None:
    measured: list[Architecture] = []

    def latency(architecture: Architecture) -> float:
        measured.append(architecture)
        return 0.0

    limits = timed("params <= 1 and latency <= 2 ms", latency)
    space = Row()
    drawn = [space.random(np.random.default_rng(seed)) for seed in range(20)]
    allowed = [limits.allow(each) for each in drawn]
    assert measured == [each for each in drawn if space.count(each, SCALE).params <= 1]
    assert [each for each, fits in zip(drawn, allowed) if fits] == measured


def test_nothing_fast_enough_says_what_was_measured() -> None:
    view = constrained(Row(), timed("latency < 1 us", lambda each: 0.001 + by_choice(each)))
    with pytest.raises(NothingFits, match=r"500 drawn in a row do not.*latency [\d.]+ ms.*latency 1 ms to [\d.]+ ms"):
        view.random(np.random.default_rng(0))


def test_an_unknown_unit_is_refused_with_those_that_are_allowed() -> None:
    with pytest.raises(InputError, match=r"got 'parsecs' \(units of numbers: s, ms, us\)"):
        parse_limits("latency <= 5 parsecs", latency=True)
