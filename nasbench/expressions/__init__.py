"""A small language for conditions, e.g. "params <= 100k and mult_adds <= 20M"; no text is ever run as code."""

from __future__ import annotations

from nasbench.expressions.parser import parse_condition
from nasbench.expressions.tokens import ExpressionError
from nasbench.expressions.tree import Kind, Node

__all__ = ["ExpressionError", "Kind", "Node", "parse_condition"]
