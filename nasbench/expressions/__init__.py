"""A small language for conditions, e.g. "params <= 100k and mult_adds <= 20M"; no text is ever run as code."""

from __future__ import annotations

from nasbench.expressions.functions import FUNCTIONS, Kind
from nasbench.expressions.parser import parse_condition
from nasbench.expressions.tokens import ExpressionError
from nasbench.expressions.tree import Node

__all__ = ["FUNCTIONS", "ExpressionError", "Kind", "Node", "parse_condition"]
