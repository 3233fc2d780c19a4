"""Parser of the expression language, by recursive descent; it checks names and kinds while it reads.

    condition  = all { "or" all }
    all        = negation { "and" negation }
    negation   = "not" negation | comparison
    comparison = sum { ("<=" | "<" | ">=" | ">" | "==" | "!=") sum } | sum [ "not" ] "in" list
    list       = "[" unary { "," unary } "]" | "(" unary { "," unary } ")"
    sum        = product { ("+" | "-") product }
    product    = unary { ("*" | "/") unary }
    unary      = "-" unary | number | text | "true" | "false" | name | call | "(" condition ")"
    call       = function "(" condition { "," condition } ")"

A chain of comparisons holds if each of them does: "10k <= params <= 100k". Conditions are compared by == and != only.
The report's page reads the same language by `analysis/report/static/conditions.js`; a change of one needs the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from nasbench.errors import did_you_mean
from nasbench.expressions.functions import FUNCTIONS, Kind
from nasbench.expressions.tokens import NO_UNITS, ExpressionError, Token, tokens_of
from nasbench.expressions.tree import (
    COMPARISONS,
    AllOf,
    AnyOf,
    Arithmetic,
    Call,
    Comparison,
    Membership,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Text,
    Truth,
)

TRUTHS: Final = {"true": True, "false": False, "True": True, "False": False}
MAX_DEPTH: Final = 30
MAX_ARITHMETIC: Final = 100  # evaluation recurses as deep as both limits allow together
_ARTICLE: Final = {"number": "a number", "text": "a text", "condition": "a condition"}
_HINTS: Final = {"number": "", "text": "", "condition": "; compare it, e.g. with <= 100k"}


def parse_condition(text: str, names: Mapping[str, Kind], units: Mapping[str, Decimal] = NO_UNITS) -> Node:
    """Parse a condition, e.g. "params <= 100k and mult_adds <= 20M". Nothing in the text is run.

    Numbers may end with k, M, G (thousand, million, billion) or %. Texts are in quotes. Comparisons are <=, <, >=, >,
    == and !=, or `in [...]`; conditions are joined by `and`, `or`, `not` and parentheses; numbers by + - * /. The
    functions are those of `FUNCTIONS`, e.g. log10(params). A name with other characters than letters, digits and _ is
    in backticks.

    Args:
        text: the condition, up to 100,000 characters, 30 levels of parentheses and 100 of + - * /.
        names: name -> kind of its value: the names that may occur.
        units: units that may follow a number, e.g. "ms" -> factor by which the number is multiplied.

    Returns:
        The condition; `evaluate` takes the values of the names.

    Raises:
        ExpressionError: when the text is no such condition; names the position, and what is allowed there.
    """
    parser = _Parser(text, names, units)
    node = parser.operand(parser.condition, "condition")
    parser.end()
    return node


class _Parser:
    """State of one parse: the words and the place of the next one. Each rule of the grammar is a method."""

    def __init__(self, text: str, names: Mapping[str, Kind], units: Mapping[str, Decimal]) -> None:
        self._text, self._names = text, names
        self._tokens = tokens_of(text, units)
        self._units = units
        self._place = 0
        self._depth = self._arithmetic = 0

    def condition(self) -> Node:
        """Read alternatives."""
        return self._joined("or", AnyOf, self._all)

    def operand(self, rule: Callable[[], Node], kind: Kind) -> Node:
        """Read a part that has to be of one kind."""
        position = self._here.position
        return self._of_kind(rule(), kind, position)

    def end(self) -> None:
        """Require that nothing follows."""
        if self._here.kind != "end":
            units = f" (units of numbers: {', '.join(self._units)})" if self._units else ""
            raise self._error(
                f"expected a comparison (<= < >= > == !=), + - * /, in, and, or, or the end, got {self._here}{units}"
            )

    # -- rules --------------------------------------------------------------------------------------------------------

    def _joined(self, word: str, kind: type[AllOf] | type[AnyOf], rule: Callable[[], Node]) -> Node:
        position = self._here.position
        node = rule()
        if not self._is(word):
            return node
        found = [self._of_kind(node, "condition", position)]
        while self._skip(word):
            found.append(self.operand(rule, "condition"))
        return kind(tuple(part for each in found for part in (each.parts if isinstance(each, kind) else (each,))))

    def _all(self) -> Node:
        return self._joined("and", AllOf, self._negation)

    def _negation(self) -> Node:
        if not self._skip("not"):
            return self._comparison()
        self._enter()
        node = Not(self.operand(self._negation, "condition"))
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        left = self._sum()
        if self._is("in") or self._is("not"):
            return self._membership(left)
        found: list[Node] = []
        while self._here.kind == "operator" and self._here.text in COMPARISONS:
            sign = self._next()
            if sign.text not in ("==", "!="):
                self._require_comparable(left, sign)
            position = self._here.position
            right = self._sum()
            if right.kind != left.kind:
                raise self._error(
                    f"a {left.kind} is compared with a {left.kind}, got the {right.kind} {_short(right)}", position
                )
            found.append(Comparison(sign.text, left, right))
            left = right
        if not found:
            return left
        return found[0] if len(found) == 1 else AllOf(tuple(found))

    def _membership(self, left: Node) -> Node:
        negated = self._skip("not")
        sign = self._expect("in", 'in, as in "not in"')
        self._require_comparable(left, sign)
        closing = ")" if self._is("(") else "]"
        if not self._skip("("):
            self._expect("[", '[, as in "in [1, 2]"')
        options: list[Node] = []
        while not options or self._skip(","):
            position = self._here.position
            option = self._unary()
            if option.names or option.kind != left.kind:
                raise self._error(f"expected {_ARTICLE[left.kind]} in the list, got {_short(option)}", position)
            options.append(option)
        self._expect(closing, f", or {closing}")
        node = Membership(left, tuple(options))
        return Not(node) if negated else node

    def _sum(self) -> Node:
        return self._chain("+-", lambda: self._chain("*/", self._unary))

    def _chain(self, signs: str, rule: Callable[[], Node]) -> Node:
        position = self._here.position
        node = rule()
        while any(self._is(sign) for sign in signs):
            self._arithmetic += 1
            if self._arithmetic > MAX_ARITHMETIC:
                raise self._error(f"more than {MAX_ARITHMETIC} of + - * /")
            left = self._of_kind(node, "number", position)
            node = Arithmetic(self._next().text, left, self.operand(rule, "number"))
        return node

    def _unary(self) -> Node:
        token = self._here
        if token.kind == "end" or (token.kind == "operator" and token.text not in ("-", "(")):
            raise self._error(
                f"expected a name, a number, a text in quotes, not, - or (, got {token}; names: {self._known}"
            )
        self._place += 1
        if token.kind == "number":
            return Number(token.value)
        if token.kind == "text":
            return Text(token.text)
        if token.kind == "name":
            return self._name(token)
        self._enter()
        node: Node
        if token.text == "-":
            node = Negative(self.operand(self._unary, "number"))
        else:
            node = self.condition()
            self._expect(")", "a comparison (<= < >= > == !=), + - * /, in, and, or, or )")
        self._depth -= 1
        return node

    def _name(self, token: Token) -> Node:
        if self._is("("):
            return self._call(token)
        if token.text not in self._names and token.text in TRUTHS:
            return Truth(TRUTHS[token.text])
        if token.text not in self._names:
            raise self._error(
                f"unknown name {token.text[:80]!r}{did_you_mean(token.text, self._names)}; names: {self._known}",
                token.position,
            )
        return Name(token.text, self._names[token.text])

    def _call(self, token: Token) -> Call:
        if token.text not in FUNCTIONS:
            raise self._error(
                f"unknown function {token.text[:80]!r}{did_you_mean(token.text, FUNCTIONS)}; functions: "
                f"{', '.join(FUNCTIONS)}",
                token.position,
            )
        function = FUNCTIONS[token.text]
        self._enter()
        self._next()
        arguments: list[Node] = []
        while not arguments or self._skip(","):
            if len(arguments) == len(function.arguments) and not function.more:
                raise self._error(f"{token.text} has fewer arguments: {function.usage}")
            kinds = function.arguments[min(len(arguments), len(function.arguments) - 1)]
            position = self._here.position
            argument = self.condition()
            if argument.kind not in kinds:
                wanted = " or ".join(_ARTICLE[kind] for kind in kinds)
                raise self._error(f"expected {wanted}, got the {argument.kind} {_short(argument)}", position)
            arguments.append(argument)
        if len(arguments) < len(function.arguments):
            raise self._error(f"{token.text} has more arguments: {function.usage}")
        self._expect(")", ", or )" if function.more else ")")
        self._depth -= 1
        return Call(token.text, tuple(arguments))

    # -- words --------------------------------------------------------------------------------------------------------

    @property
    def _here(self) -> Token:
        return self._tokens[self._place]

    @property
    def _known(self) -> str:
        return ", ".join(sorted(self._names)) or "none"

    def _is(self, word: str) -> bool:
        return self._here.kind == "operator" and self._here.text == word

    def _next(self) -> Token:
        token = self._here
        self._place += 1
        return token

    def _skip(self, word: str) -> bool:
        if not self._is(word):
            return False
        self._place += 1
        return True

    def _expect(self, word: str, expected: str) -> Token:
        if not self._is(word):
            raise self._error(f"expected {expected}, got {self._here}")
        return self._next()

    def _of_kind(self, node: Node, kind: Kind, position: int) -> Node:
        if node.kind != kind:
            raise self._error(f"expected {_ARTICLE[kind]}, got the {node.kind} {_short(node)}{_HINTS[kind]}", position)
        return node

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels of parentheses, not and -")

    def _require_comparable(self, left: Node, sign: Token) -> None:
        if left.kind == "condition":
            raise self._error(f"{sign.text} compares numbers or texts, got the condition {_short(left)}", sign.position)

    def _error(self, problem: str, position: int | None = None) -> ExpressionError:
        return ExpressionError(self._text, self._here.position if position is None else position, problem)


def _short(node: Node) -> str:
    text = str(node)
    return text if len(text) <= 40 else text[:37] + "..."
