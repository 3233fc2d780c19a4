"""Searches guided by a cheap score: views of spaces that begin with the best of a pool, or leave out the worst."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Space
from nasbench.spaces.constrained import Counter, Limits, constrained
from nasbench.structures import Counts

Score = Callable[[Architecture], float]


class _NoCounts(Counter):
    """Counts nothing: these limits do not compare counts."""

    def counts(self, architecture: Architecture) -> Counts:
        return Counts(params=0, mult_adds=0)


@dataclass(frozen=True, eq=False)
class ProxyLimits(Limits):
    """Limits by a score of untrained networks, within other limits; or a first pool that is ranked by the score.

    Every score is computed when it is first asked for, so its time is that of the strategy's `ask` or start. One of
    these objects belongs to one strategy: it remembers what the strategy has drawn.

    Args:
        name: name of the score, for messages.
        score: gives the score of an architecture; larger is better, NaN counts as the smallest.
        plain: the space without limits.
        inner: other limits that hold as well; None for none.
        candidates: size of the pool, >= 1.
        children: draws that come from the pool, best first, >= 0.
        keep: share of random architectures that are allowed, in (0, 1]; 1 allows all.
        seed: seed of the pool from which the limit is estimated.
    """

    name: str = ""
    score: Score = field(kw_only=True)
    plain: Space = field(kw_only=True)
    inner: Limits | None = None
    candidates: int = 100
    children: int = 0
    keep: float = 1.0
    seed: int = 0
    _scores: dict[str, float] = field(default_factory=dict, repr=False)
    _first: list[deque[Architecture]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Check nothing: `guided` makes these limits."""

    @property
    def measures(self) -> bool:
        """Whether an architecture takes time to check."""
        return self.keep < 1 or (self.inner is not None and self.inner.measures)

    @property
    def unasked(self) -> bool:
        """Whether a ranked pool was to come first, and nobody has drawn from the space yet."""
        return bool(self.children) and not self._first

    @property
    def text(self) -> str:
        """The condition as text."""
        own = [f"the best {self.keep:.0%} by {self.name}"] if self.keep < 1 else []
        return " and ".join([*own, *([self.inner.text] if self.inner is not None else [])]) or "no limit"

    def allow(self, architecture: Architecture) -> bool:
        """Check the other limits, and that the score is not below that of the worst share; see `Limits.allow`."""
        if self.inner is not None and not self.inner.allow(architecture):
            return False
        return self.keep == 1 or self._of(architecture) >= self._least

    def values(self, architecture: Architecture) -> dict[str, float]:
        """Return the score, and what the other limits compare; see `Limits.values`."""
        inner = self.inner.values(architecture) if self.inner is not None else {}
        return {**inner, **({self.name: self._of(architecture)} if self.keep < 1 else {})}

    def distance(self, values: dict[str, float]) -> float:  # type: ignore[override]
        """Return how far a score is below the limit, beside the other limits' distance; see `Limits.distance`."""
        inner = self.inner.distance(values) if self.inner is not None else 0.0
        return inner + (max(0.0, self._least - values[self.name]) if self.keep < 1 else 0.0)

    def head(self, draw: Callable[[], Architecture]) -> Architecture | None:
        """Return the next architecture of the ranked pool, which the first call draws and scores; see `Limits.head`."""
        if not self.children:
            return None
        if not self._first:
            pool: dict[str, Architecture] = {}
            for _ in range(20 * self.candidates):
                architecture = draw()
                pool.setdefault(architecture.hash, architecture)
                if len(pool) == self.candidates:
                    break
            ranked = sorted(pool.values(), key=lambda each: -self._of(each))  # stable: of equal ones the first drawn
            self._first.append(deque(ranked[: self.children]))
        return self._first[0].popleft() if self._first[0] else None

    @cached_property
    def _least(self) -> float:
        """The smallest score that is allowed: that of the last of the best `keep` of a random pool.

        Raises:
            InputError: when it is that of a failure, so that the score would refuse nothing.
        """
        rng = np.random.default_rng([self.seed, 1])
        scores = sorted((self._of(self.plain.random(rng)) for _ in range(self.candidates)), reverse=True)
        least = scores[max(1, round(self.keep * self.candidates)) - 1]
        if least == -np.inf:
            known = sum(score > -np.inf for score in scores)
            raise InputError(
                f"{self.name} gave a number for {known} of {self.candidates} random architectures, too few to tell the best "
                f"{self.keep:.0%}, so that it would refuse none; choose another score, or a smaller keep"
            )
        return least

    def _of(self, architecture: Architecture) -> float:
        digest = architecture.hash
        if digest not in self._scores:
            value = self.score(architecture)
            self._scores[digest] = -np.inf if np.isnan(value) else value
        return self._scores[digest]


def guided(
    space: Space, name: str, score: Score, candidates: int = 100, children: int = 0, keep: float = 1.0, seed: int = 0
) -> Space:
    """Make a view of a space for one strategy, guided by a score of untrained networks; see `ProxyLimits`.

    Args:
        space: a space, or a view of one under limits.
        name: name of the score.
        score: gives the score of an architecture; larger is better.
        candidates: size of the pool of random architectures, >= 1.
        children: random draws that come from a ranked pool, best first, >= 0: the strategy begins with them.
        keep: share of random architectures that the strategy may propose, the best by the score, in (0, 1].
        seed: seed of the pool from which the limit of `keep` is estimated.

    Returns:
        The view. `random` gives the best of the pool first, and `allows` refuses the worst.

    Source: Abdelfattah et al. 2021 (2101.08134), section 5: zero-cost warm-up, and proposals chosen by a proxy.
    """
    inner: Limits | None = getattr(space, "limits", None)
    plain: Space = getattr(space, "plain", space)
    limits = ProxyLimits(
        inner.condition if inner is not None else None,  # type: ignore[arg-type]
        _NoCounts(),
        None,
        name,
        score=score,
        plain=plain,
        inner=inner,
        candidates=candidates,
        children=children,
        keep=keep,
        seed=seed,
    )
    return constrained(plain, limits)
