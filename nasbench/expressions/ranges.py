"""Whether a condition on numbers above zero can hold at all, by the ranges of its parts."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from nasbench.expressions.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Comparison,
    Membership,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Truth,
)

_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_ABOVE_ZERO: Final = math.ulp(0.0)


class Range(NamedTuple):
    """All numbers from one to another, both included.

    Attributes:
        low: the lowest.
        high: the highest.
    """

    low: float
    high: float


_ANY: Final = Range(-math.inf, math.inf)


def can_hold(condition: Node) -> bool:
    """Check whether a condition can hold where every name is a finite number above zero.

    Args:
        condition: a condition on numbers.

    Returns:
        False if it cannot. True may be wrong: only sums, differences, products and limits of single names are looked at.
    """
    if isinstance(condition, Truth):
        return condition.value
    if isinstance(condition, Not):
        opposite = _opposite(condition.part)
        return opposite is None or can_hold(opposite)
    if isinstance(condition, AnyOf):
        return any(map(can_hold, condition.parts))
    if isinstance(condition, AllOf):
        return all(map(can_hold, condition.parts)) and _agree(condition)
    if isinstance(condition, Membership):
        return any(can_hold(Comparison("==", condition.part, option)) for option in condition.options)
    if isinstance(condition, Comparison) and condition.left.kind == "number":
        return _comparison_can_hold(condition.operator, _range(condition.left), _range(condition.right))
    return True


def _comparison_can_hold(sign: str, left: Range, right: Range) -> bool:
    if sign in (">", ">="):
        sign, left, right = _MIRRORED[sign], right, left
    if sign == "!=":
        return left != right or left.low < left.high
    if sign == "==":
        return left.low <= right.high and right.low <= left.high
    return left.low < right.high or (sign == "<=" and left.low == right.high)


def _range(node: Node) -> Range:
    """The range in which a number lies."""
    if isinstance(node, Number):
        return Range(node.value, node.value)
    if isinstance(node, Name):
        return Range(_ABOVE_ZERO, math.inf)
    if isinstance(node, Negative):
        part = _range(node.part)
        return Range(-part.high, -part.low)
    if isinstance(node, Arithmetic) and node.operator in "+-*":
        left, right = _range(node.left), _range(node.right)
        if node.operator == "-":
            right = Range(-right.high, -right.low)
        if node.operator != "*":
            return _known(left.low + right.low, left.high + right.high)
        products = [one * other for one in left for other in right]
        return _known(min(products), max(products)) if all(map(_is_number, products)) else _ANY
    return _ANY


def _known(low: float, high: float) -> Range:
    return Range(low if _is_number(low) else -math.inf, high if _is_number(high) else math.inf)


def _is_number(value: float) -> bool:
    return value == value


def _agree(condition: AllOf) -> bool:
    """Whether the limits of each single name leave a number between them."""
    limits: dict[str, list[tuple[str, float]]] = {}
    for part in condition.parts:
        if isinstance(part, Comparison):
            for name, sign, number in (
                (part.left, part.operator, part.right),
                (part.right, _MIRRORED[part.operator], part.left),
            ):
                if isinstance(name, Name) and isinstance(number, Number):
                    limits.setdefault(name.name, []).append((sign, number.value))
    return all(
        _comparison_can_hold(
            "<" if "<" in (sign, other) or ">" in (sign, other) else "<=", Range(low, low), Range(high, high)
        )
        for given in limits.values()
        for sign, low in given
        if sign in (">", ">=", "==")
        for other, high in given
        if other in ("<", "<=", "==")
    )


def _opposite(condition: Node) -> Node | None:
    """The condition that holds where another one does not; None where it is not known."""
    if isinstance(condition, Truth):
        return Truth(not condition.value)
    if isinstance(condition, Not):
        return condition.part
    if isinstance(condition, Comparison) and condition.left.kind == "number":
        return Comparison(_OPPOSITE[condition.operator], condition.left, condition.right)
    if isinstance(condition, (AllOf, AnyOf)):
        parts = tuple(Not(part) for part in condition.parts)
        return AnyOf(parts) if isinstance(condition, AllOf) else AllOf(parts)
    return None
