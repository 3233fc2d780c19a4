"""Words of an expression: numbers with suffixes, texts in quotes, names, and operators, each with its position."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from nasbench.errors import InputError

MAX_LENGTH: Final = 100_000
SUFFIXES: Final = {"k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "%": Decimal("0.01")}
NO_UNITS: Final[Mapping[str, Decimal]] = {}
KEYWORDS: Final = ("and", "or", "not", "in")
_MEANT: Final = {
    "=": "write == to compare",
    "&": "write and",
    "&&": "write and",
    "|": "write or",
    "||": "write or",
    "!": "write not",
    "~": "write not",
    "<>": "write !=",
    "=<": "write <=",
    "=>": "write >=",
    "**": "there are no powers",
    "//": "there is no division without remainder",
}
_NUMBER = re.compile(r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[^\W\d]\w*")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_QUOTED_NAME = re.compile(r"`[^`]+`")
_OPERATOR = re.compile(r"<=|>=|==|!=|&&|\|\||<>|=<|=>|\*\*|//|[<>+\-*/()\[\],=&|!~]")
MAX_EXPONENT: Final = 300
_NO_METHODS: Final = "; instead of a method write a function, e.g. startswith(hash, 'ab')"

TokenKind = Literal["number", "text", "name", "operator", "end"]


class ExpressionError(InputError):
    """Raised for a text that is no expression of this language.

    Args:
        text: the whole expression.
        position: place of the mistake, from 1.
        problem: the mistake there, and the allowed text.
    """

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text, self.position, self.problem = text, position, problem
        shown = text if len(text) <= 120 else text[:117] + "..."
        super().__init__(f"expression {shown!r}, position {position}: {problem}")

    def __reduce__(self) -> tuple[type[ExpressionError], tuple[str, int, str]]:
        return type(self), (self.text, self.position, self.problem)


@dataclass(frozen=True)
class Token:
    """A word of an expression.

    Args:
        kind: kind of the word; a keyword ("and", "or", "not", "in") is an operator.
        text: its characters; a text without its quotes; "" at the end.
        position: place of its first character, from 1.
        value: the number, if it is one.
    """

    kind: TokenKind
    text: str
    position: int
    value: int | float = 0

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def is_plain_name(text: str) -> bool:
    """Check whether a name can be written without backticks.

    Args:
        text: the name.

    Returns:
        True for letters, digits and underscores that begin with no digit and are no keyword.
    """
    return _NAME.fullmatch(text) is not None and text not in KEYWORDS


def tokens_of(text: str, units: Mapping[str, Decimal] = NO_UNITS) -> list[Token]:
    """Split an expression into its words.

    Args:
        text: the expression, up to 100,000 characters.
        units: units that may follow a number, after a blank too -> factor by which the number is multiplied.

    Returns:
        The words in order, and one of kind "end".

    Raises:
        ExpressionError: at a character that begins no word, a number with an unknown suffix, a text without its second
            quote; or for a text that is too long.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(text, MAX_LENGTH + 1, f"an expression has at most {MAX_LENGTH:,} characters")
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        token, place = _token_at(text, place, units)
        tokens.append(token)
    return [*tokens, Token("end", "", len(text) + 1)]


def _token_at(text: str, place: int, units: Mapping[str, Decimal]) -> tuple[Token, int]:
    """Return the word that begins at a place (from 0), and the place after it."""
    at = place + 1
    if found := _NUMBER.match(text, place):
        return _number(text, found, units)
    if found := _NAME.match(text, place):
        return Token("operator" if found[0] in KEYWORDS else "name", found[0], at), found.end()
    if found := _TEXT.match(text, place):
        if not found[0].isprintable():
            raise ExpressionError(text, at, "a text has no line breaks and no other control characters")
        return Token("text", found[0][1:-1], at), found.end()
    if found := _QUOTED_NAME.match(text, place):
        return Token("name", found[0][1:-1], at), found.end()
    if text[place] in "'\"`":
        raise ExpressionError(text, at, f"this text has no second {text[place]}")
    if found := _OPERATOR.match(text, place):
        if found[0] in _MEANT:
            raise ExpressionError(text, at, f"{found[0]!r} is no operator here: {_MEANT[found[0]]}")
        return Token("operator", found[0], at), found.end()
    raise ExpressionError(
        text,
        at,
        f"{text[place]!r} is not allowed; allowed: names, numbers, texts in quotes, + - * /, comparisons, "
        f"and or not in, ( ){_NO_METHODS if text[place] == '.' else ''}",
    )


def _number(text: str, found: re.Match[str], units: Mapping[str, Decimal]) -> tuple[Token, int]:
    """Return the number with its suffix or unit, and the place after it."""
    end = found.end()
    suffix = re.compile(r"%|\w+").match(text, end)
    factor = Decimal(1)
    if suffix and suffix[0] not in units:
        if suffix[0] not in SUFFIXES:
            listed = "".join(f", {unit}" for unit in units)
            raise ExpressionError(
                text,
                end + 1,
                f"a number ends with k (thousand), M (million), G (billion) or %{listed}, got {suffix[0][:20]!r}",
            )
        factor, end = SUFFIXES[suffix[0]], suffix.end()
    elif (unit := re.compile(r"\s*(\w+)").match(text, end)) and unit[1] in units:
        factor, end = units[unit[1]], unit.end()
    try:
        value = Decimal(found[0].replace("_", "")) * factor
    except InvalidOperation:  # an exponent of dozens of digits
        value = Decimal("Infinity")
    if not value.is_finite() or (value and abs(value.adjusted()) > MAX_EXPONENT):
        raise ExpressionError(
            text, found.start() + 1, f"a number is between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}, or 0"
        )
    whole = value.adjusted() < 18 and value == value.to_integral_value()
    number = int(value) if whole else float(value)
    return Token("number", text[found.start() : end], found.start() + 1, number), end
