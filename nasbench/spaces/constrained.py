"""Searches under limits: views of spaces whose draws, mutations and neighbours satisfy a condition on their counts."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from nasbench.errors import InputError
from nasbench.expressions import Node, parse_condition
from nasbench.expressions.tree import AllOf, AnyOf, Arithmetic, Comparison
from nasbench.spaces.base import Architecture, Space
from nasbench.structures import Counts, Scale

if TYPE_CHECKING:
    import numpy as np

COUNTS: Final = ("params", "mult_adds")
TRIES: Final = 10_000
"""Architectures drawn in a row without one that fits, after which a search ends with `NothingFits`."""
MUTATIONS: Final = 1000
"""Mutations of one architecture that are tried for one that fits."""
REMEMBERED: Final = 100_000


class NothingFits(InputError):
    """Raised when almost no architecture of a space satisfies the condition of a search."""


def parse_limits(text: str) -> Node:
    """Parse a condition on the counts of architectures, e.g. "params <= 100k and mult_adds <= 20M".

    Args:
        text: a condition as `nasbench.expressions` describes it, on `params` (trainable parameters) and `mult_adds`
            (multiply-adds for one image).

    Returns:
        The condition.

    Raises:
        InputError: when the text is no such condition, names no count, or divides by 0.
    """
    condition = parse_condition(text, dict.fromkeys(COUNTS, "number"))
    if not condition.names:
        raise InputError(f"condition {text!r} does not depend on the architecture; use {' or '.join(COUNTS)}")
    _refuse_division_by_zero(condition, text)
    return condition


def _refuse_division_by_zero(node: Node, text: str) -> None:
    """Refuse quotients by the number 0, which would be infinite: as a limit, they are mistakes."""
    for part in node.parts:
        _refuse_division_by_zero(part, text)
    if isinstance(node, Arithmetic) and node.operator == "/" and not node.right.names and not node.right.evaluate({}):
        raise InputError(f"condition {text!r} divides by 0")


def one_spelling(text: str) -> str:
    """Write limits in the one spelling of equal conditions.

    Args:
        text: as for `parse_limits`, or "" or blanks for no limits.

    Returns:
        The spelling, e.g. "params <= 100k" for "params<=100000"; "" for no limits.

    Raises:
        InputError: see `parse_limits`.
    """
    return str(parse_limits(text)) if text.strip() else ""


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
    """A condition on the counts of architectures, and what counts them.

    Args:
        condition: as `parse_limits` returns it.
        counter: counts an architecture.
    """

    condition: Node
    counter: Counter

    def hold(self, counts: Counts) -> bool:
        """Check the condition.

        Args:
            counts: counts of an architecture.

        Returns:
            True if they satisfy the condition.
        """
        return bool(self.condition.evaluate(_values(counts)))

    def distance(self, counts: Counts) -> float:
        """Measure how far counts are from satisfying the condition.

        Args:
            counts: counts of an architecture.

        Returns:
            0 where they satisfy it, else a number > 0: relative excesses over the limits, added up where all of several
            must hold, the smallest where one must.
        """
        return _distance(self.condition, _values(counts))


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


def under_limits(space: Space, where_arch: str, scale: Scale | None = None) -> Space:
    """Make a view of a space under limits that are given as text; see `constrained`.

    Args:
        space: any space.
        where_arch: the condition, as `parse_limits` reads it.
        scale: size of the networks whose counts the condition compares; None for that of the space's default protocol.

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
    return constrained(
        space, Limits(parse_limits(where_arch), CountsAt(space.default_scale if scale is None else scale))
    )


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

    def fitting(self, draws: Iterable[Architecture]) -> Iterator[Architecture]:
        rejected: list[Architecture] = []
        fitted = 0
        for architecture in draws:
            if self.allows(architecture):
                fitted += 1
                rejected.clear()
                yield architecture
            else:
                rejected.append(architecture)
                if len(rejected) == TRIES:
                    raise self._nothing_fits(rejected, fitted)

    def decode(self, choices: Any) -> Architecture:
        return self.plain.decode(choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        return self.plain.canonical(architecture)

    def random(self, rng: np.random.Generator) -> Architecture:
        return next(self.fitting(_endless(self.plain, rng)))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        for _ in range(MUTATIONS):
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
            return self.limits.hold(self.limits.counter.counts(architecture))

        return allows

    def _nothing_fits(self, rejected: list[Architecture], fitted: int) -> NothingFits:
        counts = [self.limits.counter.counts(architecture) for architecture in rejected]
        nearest = min(counts, key=self.limits.distance)
        before = f" after {fitted:,} that do" if fitted else ""
        return NothingFits(
            f"almost no architecture of {self.spec!r} satisfies {str(self.limits.condition)!r}: {len(rejected):,} "
            f"drawn in a row do not{before}; the nearest has params {nearest.params:,} and mult_adds {nearest.mult_adds:,}; "
            f"drawn were params {_range(each.params for each in counts)}, mult_adds "
            f"{_range(each.mult_adds for each in counts)}; choose other limits"
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


def _range(values: Iterable[int]) -> str:
    found = sorted(values)
    return f"{found[0]:,} to {found[-1]:,}"


def _distance(node: Node, values: Mapping[str, int]) -> float:
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
