"""Zero-cost scores as a warm start or a filter of a search: their options as text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.zero_cost import ZERO_COST

PREFIX: Final = "zero_cost:"


@dataclass(frozen=True)
class WarmStart:
    """A ranked pool with which a search begins.

    Args:
        score: name of a zero-cost score.
        candidates: random architectures with different hashes that are scored, >= 1.
        children: number of the best of them that come in place of random ones, >= 1.
    """

    score: str
    candidates: int = 100
    children: int = 10


@dataclass(frozen=True)
class ProxyFilter:
    """A limit on the architectures that may be proposed.

    Args:
        score: name of a zero-cost score.
        keep: share of random architectures that may be proposed, the best ones, in (0, 1).
        candidates: random architectures by which the limit is estimated, >= 1.
    """

    score: str
    keep: float = 0.5
    candidates: int = 100


def parse_warm_start(text: str) -> WarmStart | None:
    """Parse a warm start.

    Args:
        text: e.g. "zero_cost:synflow" or "zero_cost:synflow,candidates=200,children=20"; "" for none.

    Returns:
        The warm start; None for none.

    Raises:
        InputError: for another form or a value out of range.
        UnknownName: when there is no such score or option.
    """
    return _parsed(WarmStart, text, "warm_start") if text else None


def parse_filter(text: str) -> ProxyFilter | None:
    """Parse a filter.

    Args:
        text: e.g. "zero_cost:synflow" or "zero_cost:synflow,keep=0.25"; "" for none.

    Returns:
        The filter; None for none.

    Raises:
        InputError: for another form or a value out of range.
        UnknownName: when there is no such score or option.
    """
    return _parsed(ProxyFilter, text, "filter") if text else None


def _parsed(kind: type[Any], text: str, what: str) -> Any:
    if not text.startswith(PREFIX):
        raise InputError(
            f"{what} {text!r} should be zero_cost:SCORE with options, e.g. zero_cost:synflow,candidates=200"
        )
    score, *options = [part.strip() for part in text.removeprefix(PREFIX).split(",")]
    if score not in ZERO_COST:
        raise UnknownName("zero-cost score", score, ZERO_COST)
    kinds: dict[str, Callable[[str], Any]] = {"candidates": int, "children": int, "keep": float}
    known = {field.name: kinds[field.name] for field in fields(kind) if field.name != "score"}
    values: dict[str, Any] = {}
    for option in options:
        name, _, given = option.partition("=")
        if name not in known:
            raise UnknownName(f"option of {what}", name, known)
        try:
            values[name] = known[name](given)
        except ValueError:
            raise InputError(f"{what}: {name} takes a number, got {given!r}") from None
        top = 1.0 if name == "keep" else float("inf")
        if not 0 < values[name] < top:
            raise InputError(f"{what}: {name} is {'between 0 and 1' if name == 'keep' else '1 or more'}, got {given}")
    return kind(score, **values)


def text_of(parsed: WarmStart | ProxyFilter | None) -> str:
    """Write a warm start or filter in its one spelling; options at their default are left out.

    Args:
        parsed: what was parsed; None for none.

    Returns:
        The text; "" for none.
    """
    if parsed is None:
        return ""
    changed = [
        f"{field.name}={_number(getattr(parsed, field.name))}"
        for field in fields(parsed)
        if field.name != "score" and getattr(parsed, field.name) != field.default
    ]
    return ",".join([PREFIX + parsed.score, *changed])


def require_pool(parsed: WarmStart | None) -> None:
    """Refuse a warm start that takes more architectures than it scores. Stored runs may have one: they go on with all.

    Args:
        parsed: what was parsed; None for none.

    Raises:
        InputError: when there are more children than candidates.
    """
    if parsed is not None and parsed.children > parsed.candidates:
        raise InputError(
            f"warm_start: children={parsed.children} of candidates={parsed.candidates} are more than there are; give "
            "more candidates, or fewer children"
        )


def require_kept(parsed: ProxyFilter | None) -> None:
    """Refuse a filter that keeps less than one of the architectures that it scores. Stored runs may have one: they keep one.

    Args:
        parsed: what was parsed; None for none.

    Raises:
        InputError: when `keep` of the candidates is less than one.
    """
    if parsed is not None and round(parsed.keep * parsed.candidates) < 1:
        raise InputError(
            f"filter: keep={_number(parsed.keep)} of candidates={parsed.candidates} is less than one architecture; give "
            f"candidates={math.ceil(1 / parsed.keep)} or more"
        )


def _number(value: float) -> str:
    """Write a number so that it is read as the same; short as ids of stored runs have it where that is exact."""
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
