"""Zero-cost scores as a warm start or a filter of replayed searches, as of real ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.search.proxy import (
    PREFIX,
    ProxyFilter,
    WarmStart,
    parse_filter,
    parse_warm_start,
    require_kept,
    require_pool,
    text_of,
)
from nasbench.runners.strategies import Strategy
from nasbench.spaces import Architecture, Space
from nasbench.spaces.proxies import guided
from nasbench.zero_cost import zero_cost_score

USUAL_PROTOCOL: Final = "digits"


@dataclass
class ScoringSeconds:
    """The seconds in which untrained networks were scored for one search.

    Args:
        total: measured seconds since the start of the search, >= 0.
    """

    total: float = 0.0
    _taken: float = field(default=0.0, repr=False)

    def take(self) -> float:
        """Return the seconds since the last call, >= 0."""
        seconds, self._taken = self.total - self._taken, self.total
        return seconds


@dataclass(frozen=True)
class Guidance:
    """What guides the searches of a replay beside the table: scores of untrained networks, which are computed.

    A table does not say how its children were trained, so the protocol of the scored networks is named. Networks are
    scored on the processor with the search's seed, as in a real search with that seed. Their seconds, as measured here, are
    charged to the searcher.

    Args:
        warm_start: see `SearchConfig`; "" for none. In its one spelling, as `of` makes it.
        filter: see `SearchConfig`; "" for none. Likewise.
        protocol: protocol by which networks are made and scored; "" without a score.
    """

    warm_start: str = ""
    filter: str = ""
    protocol: str = ""

    def __bool__(self) -> bool:
        return bool(self.warm_start or self.filter)

    @classmethod
    def of(cls, warm_start: str = "", filter: str = "", protocol: str = USUAL_PROTOCOL) -> Guidance:
        """Check what a user gives.

        Args:
            warm_start: e.g. "zero_cost:synflow,candidates=100,children=10"; "" for none.
            filter: e.g. "zero_cost:synflow,keep=0.5"; "" for none.
            protocol: name of a protocol; not used without both.

        Returns:
            The guidance, in one spelling.

        Raises:
            InputError: for another form or a value out of range.
            UnknownName: when there is no such score, option or protocol.
        """
        start = parse_warm_start(warm_start)
        require_pool(start)
        kept = parse_filter(filter)
        require_kept(kept)
        found = cls(text_of(start), text_of(kept))
        return cls(found.warm_start, found.filter, get_protocol(protocol).name) if found else found

    def require(self, name: str, kind: type[Strategy[Any]]) -> None:
        """Refuse a warm start of a strategy that does not begin with random architectures.

        Args:
            name: name of the strategy.
            kind: its class.

        Raises:
            InputError: when it has nothing that a warm start could replace.
        """
        if self.warm_start and not kind.begins_at_random:
            raise InputError(
                f"strategy {name!r} does not begin with random architectures that a warm start could replace; leave out "
                "--warm-start, or take --filter"
            )

    def view(self, space: Space, seed: int, seconds: ScoringSeconds) -> Space:
        """Return the space as one search sees it.

        Args:
            space: the space, or its view under limits.
            seed: seed of the search.
            seconds: where the seconds of the scores are added, when they are computed.

        Returns:
            A view for one strategy; the space itself without guidance.
        """
        for guide in (parse_filter(self.filter), parse_warm_start(self.warm_start)):
            if guide is not None:
                space = self._guided(space, guide, seed, seconds)
        return space

    def _guided(self, space: Space, guide: WarmStart | ProxyFilter, seed: int, seconds: ScoringSeconds) -> Space:
        options = {name: value for name, value in vars(guide).items() if name != "score"}
        score = partial(self._score, guide.score, seed, seconds)
        return guided(space, f"{PREFIX}{guide.score}", score, seed=seed, **options)

    def _score(self, score: str, seed: int, seconds: ScoringSeconds, architecture: Architecture) -> float:
        scored = zero_cost_score(architecture, score, get_protocol(self.protocol), seed, "cpu")
        seconds.total += scored.seconds
        return scored.value


NO_GUIDANCE: Final = Guidance()
