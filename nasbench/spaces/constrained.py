"""Searches under limits: views of spaces whose draws, mutations and neighbours satisfy a condition on their counts."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from nasbench.errors import InputError
from nasbench.expressions import Node, parse_condition
from nasbench.expressions.ranges import can_hold
from nasbench.expressions.tree import AllOf, AnyOf, Arithmetic, Comparison
from nasbench.spaces.base import Architecture, Space
from nasbench.structures import Counts, Scale

if TYPE_CHECKING:
    import numpy as np

COUNTS: Final = ("params", "mult_adds")
LATENCY: Final = "latency"
UNITS: Final = {"s": Decimal(1), "ms": Decimal("0.001"), "us": Decimal("0.000001")}
"""Units that may follow a number in limits; latencies are in seconds."""
MEASURED_TRIES: Final = 500
"""`TRIES` and `MUTATIONS` of a search whose limits need a measurement of each architecture."""
TRIES: Final = 10_000
"""Architectures drawn in a row without one that fits, after which a search ends with `NothingFits`."""
MUTATIONS: Final = 1000
"""Mutations of one architecture that are tried for one that fits."""
REMEMBERED: Final = 100_000


class NothingFits(InputError):
    """Raised when almost no architecture of a space satisfies the condition of a search."""


def parse_limits(text: str, latency: bool = False) -> Node:
    """Parse a condition on architectures, e.g. "params <= 100k and mult_adds <= 20M" or "latency <= 5 ms".

    Args:
        text: a condition as `nasbench.expressions` describes it, on `params` (trainable parameters), `mult_adds`
            (multiply-adds for one image) and `latency` (seconds; numbers may have the unit s, ms or us).
        latency: whether latencies can be measured; only searches can, replays of tables cannot.

    Returns:
        The condition.

    Raises:
        InputError: when the text is no such condition, names neither a count nor the latency, divides by 0, or cannot
            hold.
    """
    condition = parse_condition(text, dict.fromkeys((*COUNTS, LATENCY), "number"), UNITS)
    if not condition.names:
        raise InputError(
            f"condition {text!r} does not depend on the architecture; use {', '.join(COUNTS)} or {LATENCY}"
        )
    if LATENCY in condition.names and not latency:
        raise InputError(
            f"condition {text!r}: latency is measured on this machine by nasbench run only; here, use "
            f"{' or '.join(COUNTS)}"
        )
    _refuse_division_by_zero(condition, text)
    if not can_hold(condition):
        raise InputError(
            f"condition {text!r} holds for no architecture: {', '.join((*COUNTS, LATENCY))} are above 0; change its "
            "numbers or signs"
        )
    return condition


def _refuse_division_by_zero(node: Node, text: str) -> None:
    """Refuse quotients by the number 0, which would be infinite: as a limit, they are mistakes."""
    for part in node.parts:
        _refuse_division_by_zero(part, text)
    if isinstance(node, Arithmetic) and node.operator == "/" and not node.right.names and not node.right.evaluate({}):
        raise InputError(f"condition {text!r} divides by 0")


def limits_latency(text: str) -> bool:
    """Return whether limits depend on the latency.

    Args:
        text: as for `parse_limits`, or "" for no limits.

    Returns:
        True if they do.

    Raises:
        InputError: see `parse_limits`.
    """
    return bool(text.strip()) and LATENCY in parse_limits(text, latency=True).names


def one_spelling(text: str) -> str:
    """Write limits in the one spelling of equal conditions.

    Args:
        text: as for `parse_limits`, or "" or blanks for no limits.

    Returns:
        The spelling, e.g. "params <= 100k" for "params<=100000", or "latency <= 0.005" for "latency <= 5 ms"; "" for no
        limits.

    Raises:
        InputError: see `parse_limits`.
    """
    return str(parse_limits(text, latency=True)) if text.strip() else ""


class Counter(ABC):
    """Counts parameters and multiply-adds of architectures, as a condition compares them."""

    @abstractmethod
    def counts(self, architecture: Architecture) -> Counts:
        """Count parameters, and multiply-adds for one image.

        Args:
            architecture: an architecture of the constrained space, or of a variation of its options.

        Returns:
            The counts.
        """


@dataclass(frozen=True)
class CountsAt(Counter):
    """Closed-form counts of the networks at one scale.

    Args:
        scale: size of the networks and of their images, usually the protocol's.
    """

    scale: Scale

    def counts(self, architecture: Architecture) -> Counts:
        """Return the counts of the network that the space builds at the scale; see `Counter.counts`."""
        return architecture.space.count(architecture, self.scale)


@dataclass(frozen=True)
class Limits:
    """A condition on architectures, and what gives the values that it compares.

    Args:
        condition: as `parse_limits` returns it.
        counter: counts an architecture.
        latency: gives the seconds of an architecture; needed if the condition names the latency.
    """

    condition: Node
    counter: Counter
    latency: Callable[[Architecture], float] | None = None

    def __post_init__(self) -> None:
        """Refuse a condition on the latency that nothing can measure."""
        if self.measures and self.latency is None:
            raise InputError(f"condition {str(self.condition)!r} compares the latency, which is not measured here")

    @property
    def text(self) -> str:
        """The condition as text."""
        return str(self.condition)

    def head(self, draw: Callable[[], Architecture]) -> Architecture | None:
        """Return an architecture that comes before random ones.

        Args:
            draw: draws a random architecture that fits.

        Returns:
            The architecture; None for a random one.
        """
        return None

    @property
    def measures(self) -> bool:
        """Whether the condition compares the latency, so that architectures must be measured."""
        return LATENCY in self.condition.names

    def allow(self, architecture: Architecture) -> bool:
        """Check the condition of one architecture.

        Parts without latency are checked first; an architecture that does not satisfy them is not measured.

        Args:
            architecture: an architecture of the constrained space, or of a variation of its options.

        Returns:
            True if it satisfies the condition.
        """
        counts = self.counter.counts(architecture)
        if not self.measures:
            return self.hold(counts)
        parts = self.condition.parts if isinstance(self.condition, AllOf) else ()
        counted = [part for part in parts if LATENCY not in part.names]
        if not all(part.evaluate(_values(counts)) for part in counted):
            return False
        return bool(self.condition.evaluate(self.values(architecture)))

    def values(self, architecture: Architecture) -> dict[str, float]:
        """Return everything that the condition compares.

        Args:
            architecture: an architecture.

        Returns:
            Name -> value; the latency in seconds only if the condition names it.
        """
        values: dict[str, float] = dict(_values(self.counter.counts(architecture)))
        if self.measures:
            assert self.latency is not None
            values[LATENCY] = self.latency(architecture)
        return values

    def hold(self, counts: Counts) -> bool:
        """Check a condition on counts alone.

        Args:
            counts: counts of an architecture.

        Returns:
            True if they satisfy the condition.
        """
        return bool(self.condition.evaluate(_values(counts)))

    def distance(self, values: Mapping[str, float]) -> float:
        """Measure how far an architecture is from satisfying the condition.

        Args:
            values: result of `values`.

        Returns:
            0 where they satisfy it, else a number > 0: relative excesses over the limits, added up where all of several
            must hold, the smallest where one must.
        """
        return _distance(self.condition, values)


def constrained(space: Space, limits: Limits) -> Space:
    """Make a view of a space in which a search meets only architectures that satisfy a condition.

    The view has the decisions, options, hashes and text of the space, and is an instance of its class. `random` draws
    from the space until an architecture fits, so that those that fit keep their relative probabilities; `mutate` draws
    mutations until one fits; `neighbours` leaves out those that do not fit; `fitting` and `allows` let a strategy that
    makes architectures by `decode` do the same. `decode` takes every sequence of choices. Architectures belong to
    `space` itself, and not to the view.

    Args:
        space: any space.
        limits: the condition.

    Returns:
        The view. Views of equal spaces with equal limits are equal.
    """
    values = {field.name: getattr(space, field.name) for field in dataclasses.fields(space)}
    view: Space = _view_of(type(space))(**values, limits=limits)
    return view


def under_limits(
    space: Space,
    where_arch: str,
    scale: Scale | None = None,
    latency: Callable[[Architecture], float] | None = None,
) -> Space:
    """Make a view of a space under limits that are given as text; see `constrained`.

    Args:
        space: any space.
        where_arch: the condition, as `parse_limits` reads it.
        scale: size of the networks whose counts the condition compares; None for that of the space's default protocol.
        latency: gives the seconds of an architecture, for a condition on the latency; None if there is none.

    Returns:
        The view.

    Raises:
        InputError: when the text is no condition on counts.

    Example:
        >>> import nasbench, numpy
        >>> from nasbench.spaces.constrained import under_limits
        >>> small = under_limits(nasbench.get_space("nasbench201"), "params <= 300k")
        >>> small.count(small.random(numpy.random.default_rng(0))).params <= 300_000
        True
    """
    counter = CountsAt(space.default_scale if scale is None else scale)
    return constrained(space, Limits(parse_limits(where_arch, latency is not None), counter, latency))


class _View(Space):
    """Methods of a view that differ from its space's. The space's class follows it in the order of base classes."""

    limits: Limits
    _kind: ClassVar[type[Space]]

    @cached_property
    def plain(self) -> Space:
        """The space without limits."""
        return self._kind(**{field.name: getattr(self, field.name) for field in dataclasses.fields(self._kind)})

    def __reduce__(self) -> tuple[Any, ...]:
        return constrained, (self.plain, self.limits)

    def allows(self, architecture: Architecture) -> bool:
        allowed: bool = self._allows(architecture)
        return allowed

    def fitting(self, draws: Iterable[Architecture], tries: int | None = None) -> Iterator[Architecture]:
        rejected: list[Architecture] = []
        fitted = 0
        for architecture in draws:
            if self.allows(architecture):
                fitted += 1
                rejected.clear()
                yield architecture
            else:
                rejected.append(architecture)
                if len(rejected) == self._tries(TRIES if tries is None else tries):
                    raise self._nothing_fits(rejected, fitted)

    def decode(self, choices: Any) -> Architecture:
        return self.plain.decode(choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        return self.plain.canonical(architecture)

    def random(self, rng: np.random.Generator) -> Architecture:
        def draw() -> Architecture:
            return next(self.fitting(_endless(self.plain, rng)))

        first = self.limits.head(draw)
        return draw() if first is None else first

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        for _ in range(self._tries(MUTATIONS)):
            mutated = self.plain.mutate(architecture, rng)
            if self.allows(mutated):
                return mutated
        return architecture

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        return filter(self.allows, self.plain.neighbours(architecture))

    @cached_property
    def _allows(self) -> Any:
        """`allows` with a memory: a strategy and its run ask about the same architectures."""

        @lru_cache(maxsize=REMEMBERED)
        def allows(architecture: Architecture) -> bool:
            return self.limits.allow(architecture)

        return allows

    def _tries(self, usual: int) -> int:
        return min(usual, MEASURED_TRIES) if self.limits.measures else usual

    def _nothing_fits(self, rejected: list[Architecture], fitted: int) -> NothingFits:
        values = [self.limits.values(architecture) for architecture in rejected]
        nearest = min(values, key=self.limits.distance)
        before = f" after {fitted:,} that do" if fitted else ""
        return NothingFits(
            f"almost no architecture of {self.spec!r} satisfies {self.limits.text!r}: {len(rejected):,} "
            f"drawn in a row do not{before}; the nearest has {' and '.join(map(_shown, nearest, nearest.values()))}; "
            f"drawn were {', '.join(f'{name} {_range(name, [each[name] for each in values])}' for name in nearest)}; "
            "choose other limits"
        )


@cache
def _view_of(kind: type[Space]) -> type[Any]:
    """Make the class of views of a class of spaces."""
    limits = dataclasses.field(kw_only=True, metadata={"option": False})
    return dataclasses.make_dataclass(
        kind.__name__,
        [("limits", Limits, limits)],
        bases=(_View, kind),
        namespace={"_kind": kind, "__doc__": kind.__doc__, "__module__": kind.__module__},
        frozen=True,
    )


def _endless(space: Space, rng: np.random.Generator) -> Iterator[Architecture]:
    while True:
        yield space.random(rng)


def _values(counts: Counts) -> dict[str, int]:
    return {"params": counts.params, "mult_adds": counts.mult_adds}


def _shown(name: str, value: float) -> str:
    return f"{name} {_number(name, value)}"


def _number(name: str, value: float) -> str:
    return f"{1000 * value:.3g} ms" if name == LATENCY else f"{value:,}"


def _range(name: str, values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{_number(name, found[0])} to {_number(name, found[-1])}"


def _distance(node: Node, values: Mapping[str, float]) -> float:
    if node.evaluate(values):
        return 0.0
    if isinstance(node, AllOf):
        return sum(_distance(part, values) for part in node.parts)
    if isinstance(node, AnyOf):
        return min(_distance(part, values) for part in node.parts)
    if isinstance(node, Comparison) and node.operator != "!=":
        left, right = float(node.left.evaluate(values)), float(node.right.evaluate(values))
        return max(abs(left - right) / max(abs(right), 1.0), 1e-12)
    return 1.0
