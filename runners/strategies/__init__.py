"""Search strategies, one file per strategy; `nasbench.strategy_names` names those of the suite."""

from __future__ import annotations

from typing import Any

from nasbench.registry import Registry
from nasbench.runners.strategies.base import Outcome, Proposal, Strategy, StrategyConfig
from nasbench.strategy_names import BUILT_IN

__all__ = ["STRATEGIES", "Outcome", "Proposal", "Strategy", "StrategyConfig"]

STRATEGIES: Registry[type[Strategy[Any]]] = Registry("strategy", "nasbench.strategies", BUILT_IN)
