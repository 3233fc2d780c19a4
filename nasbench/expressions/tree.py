"""Parsed expressions as values: each node knows its kind, its names, its text, and how to evaluate itself."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Final

from nasbench.expressions.functions import FUNCTIONS, Kind
from nasbench.expressions.tokens import is_plain_name

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


class Node(ABC):
    """Part of an expression. Nodes are frozen dataclasses, so equal expressions are equal values.

    `str(node)` writes it in one spelling, which parses to an equal node: "params<=100000" is "params <= 100k".
    """

    binding: ClassVar[int] = 9
    """Strength with which the outermost operator binds; parts that bind less tightly are written in parentheses."""

    @abstractmethod
    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Compute the value.

        Args:
            values: name -> scalar, numpy array or pandas column; arrays and columns have one length.

        Returns:
            A number, text or bool, or an array or column of them where a name that occurs has one. A comparison with
            NaN is false, that by != too.
        """

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """Kind of the value of this node."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Node, ...]:
        """The nodes of which this one is made, in the order of the text."""

    @property
    def names(self) -> frozenset[str]:
        """All names that occur."""
        return frozenset[str]().union(*(part.names for part in self.parts))

    def _inside(self, part: Node, tighter: bool = False) -> str:
        """Write a part, in parentheses where it needs them."""
        bare = part.binding > self.binding or (part.binding == self.binding and not tighter)
        return str(part) if bare else f"({part})"


@dataclass(frozen=True)
class Number(Node):
    """A number, e.g. 100k."""

    value: int | float
    kind: ClassVar[Kind] = "number"
    parts: ClassVar[tuple[Node, ...]] = ()

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the number; see `Node.evaluate`."""
        return self.value

    def __str__(self) -> str:
        if isinstance(self.value, int) and self.value:
            for suffix, factor in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
                if self.value % factor == 0:
                    return f"{self.value // factor}{suffix}"
        return repr(self.value)


@dataclass(frozen=True)
class Text(Node):
    """A text in quotes."""

    value: str
    kind: ClassVar[Kind] = "text"
    parts: ClassVar[tuple[Node, ...]] = ()

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the text; see `Node.evaluate`."""
        return self.value

    def __str__(self) -> str:
        return f'"{self.value}"' if "'" in self.value else f"'{self.value}'"


@dataclass(frozen=True)
class Truth(Node):
    """True or false."""

    value: bool
    kind: ClassVar[Kind] = "condition"
    parts: ClassVar[tuple[Node, ...]] = ()

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value; see `Node.evaluate`."""
        return self.value

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True)
class Name(Node):
    """A name, e.g. of a count or a column."""

    name: str
    of: Kind
    parts: ClassVar[tuple[Node, ...]] = ()

    @property
    def kind(self) -> Kind:
        """The kind of its value."""
        return self.of

    @property
    def names(self) -> frozenset[str]:
        """This name."""
        return frozenset((self.name,))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value of the name; see `Node.evaluate`."""
        return values[self.name]

    def __str__(self) -> str:
        return self.name if is_plain_name(self.name) else f"`{self.name}`"


@dataclass(frozen=True)
class Call(Node):
    """A function of numbers or texts, e.g. log10(params)."""

    function: str
    arguments: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        """The kind of the function's result."""
        return FUNCTIONS[self.function].result

    @property
    def parts(self) -> tuple[Node, ...]:
        """The arguments."""
        return self.arguments

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Call the function; see `Node.evaluate`."""
        return FUNCTIONS[self.function].call(*(part.evaluate(values) for part in self.arguments))

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True)
class Negative(Node):
    """A number with a minus before it."""

    part: Node
    kind: ClassVar[Kind] = "number"
    binding: ClassVar[int] = 7

    @property
    def parts(self) -> tuple[Node, ...]:
        """The number without its minus."""
        return (self.part,)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the negative of the number; see `Node.evaluate`."""
        return -self.part.evaluate(values)

    def __str__(self) -> str:
        return f"-{self._inside(self.part, tighter=True)}"


@dataclass(frozen=True)
class Arithmetic(Node):
    """A sum, difference, product or quotient of two numbers."""

    operator: str
    left: Node
    right: Node
    kind: ClassVar[Kind] = "number"

    @property
    def binding(self) -> int:  # type: ignore[override]
        """Products and quotients bind more tightly than sums and differences."""
        return 5 if self.operator in "+-" else 6

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both operands."""
        return self.left, self.right

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Compute the result; a quotient by the number 0 is infinite, or NaN for 0 / 0; see `Node.evaluate`."""
        left, right = (_bounded(part.evaluate(values)) for part in self.parts)
        if self.operator == "/":
            return _quotient(left, right)
        return {"+": operator.add, "-": operator.sub, "*": operator.mul}[self.operator](left, right)

    def __str__(self) -> str:
        return f"{self._inside(self.left)} {self.operator} {self._inside(self.right, tighter=True)}"


@dataclass(frozen=True)
class Comparison(Node):
    """A comparison of two numbers, of two texts, or by == and != of two conditions."""

    operator: str
    left: Node
    right: Node
    kind: ClassVar[Kind] = "condition"
    binding: ClassVar[int] = 4

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both sides."""
        return self.left, self.right

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return whether the comparison holds; see `Node.evaluate`."""
        left, right = self.left.evaluate(values), self.right.evaluate(values)
        if self.operator == "!=":
            return (left != right) & (left == left) & (right == right)  # NaN is not equal to itself
        return COMPARISONS[self.operator](left, right)

    def __str__(self) -> str:
        return f"{self._inside(self.left, tighter=True)} {self.operator} {self._inside(self.right, tighter=True)}"


@dataclass(frozen=True)
class Membership(Node):
    """Membership of a number or text in a list."""

    part: Node
    options: tuple[Node, ...]
    kind: ClassVar[Kind] = "condition"
    binding: ClassVar[int] = 4

    @property
    def parts(self) -> tuple[Node, ...]:
        """The tested part, then the options."""
        return self.part, *self.options

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return whether the part equals an option; see `Node.evaluate`."""
        value = self.part.evaluate(values)
        return reduce(operator.or_, (value == option.evaluate(values) for option in self.options))

    def __str__(self) -> str:
        options = (str(each) if each.binding >= Negative.binding else f"({each})" for each in self.options)
        return f"{self._inside(self.part, tighter=True)} in [{', '.join(options)}]"


@dataclass(frozen=True)
class Not(Node):
    """The opposite of a condition."""

    part: Node
    kind: ClassVar[Kind] = "condition"
    binding: ClassVar[int] = 3

    @property
    def parts(self) -> tuple[Node, ...]:
        """The condition."""
        return (self.part,)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return whether the condition does not hold; see `Node.evaluate`."""
        value = self.part.evaluate(values)
        return not value if isinstance(value, bool) else ~value

    def __str__(self) -> str:
        return f"not {self._inside(self.part)}"


@dataclass(frozen=True)
class AllOf(Node):
    """Conditions of which every one must hold."""

    conditions: tuple[Node, ...]
    kind: ClassVar[Kind] = "condition"
    binding: ClassVar[int] = 2

    @property
    def parts(self) -> tuple[Node, ...]:
        """The conditions."""
        return self.conditions

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return whether all conditions hold; see `Node.evaluate`."""
        return reduce(operator.and_, (part.evaluate(values) for part in self.conditions))

    def __str__(self) -> str:
        return " and ".join(self._inside(part, tighter=True) for part in self.conditions)


@dataclass(frozen=True)
class AnyOf(Node):
    """Conditions of which at least one must hold."""

    conditions: tuple[Node, ...]
    kind: ClassVar[Kind] = "condition"
    binding: ClassVar[int] = 1

    @property
    def parts(self) -> tuple[Node, ...]:
        """The conditions."""
        return self.conditions

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return whether a condition holds; see `Node.evaluate`."""
        return reduce(operator.or_, (part.evaluate(values) for part in self.conditions))

    def __str__(self) -> str:
        return " or ".join(self._inside(part, tighter=True) for part in self.conditions)


def _bounded(value: Any) -> Any:
    """Return whole numbers as floats: results that are too large become infinite instead of an error or another number."""
    if isinstance(value, int):
        return float(value)
    return value.astype(float) if getattr(getattr(value, "dtype", None), "kind", "f") in "iu" else value


def _quotient(left: Any, right: Any) -> Any:
    if isinstance(left, float) and isinstance(right, float) and right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    return left / right
