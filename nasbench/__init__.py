"""nasbench: a reproducibility benchmark suite for neural architecture search.

Each name is imported at its first use, so `import nasbench` is fast. docs/api.md has an example of each.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nasbench.api.analyses import Analysis, cost, curves, pareto
    from nasbench.api.benching import Benched, bench
    from nasbench.api.comparing import Comparison, compare, report, status
    from nasbench.api.comparing import open as open
    from nasbench.api.evaluating import Verification, evaluate, verify
    from nasbench.api.measuring import latency
    from nasbench.api.models import train_model
    from nasbench.api.replaying import Replay, replay
    from nasbench.api.run import Run
    from nasbench.api.searching import resume, search
    from nasbench.api.strategies import Outcome, Proposal, Strategy, StrategyConfig, register_strategy
    from nasbench.api.suites import suite
    from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
    from nasbench.callbacks.early_stopping import EarlyStopping
    from nasbench.errors import InputError, NasbenchError
    from nasbench.models.loading import TrainedModel, load_model
    from nasbench.protocols.protocol import Protocol, get_protocol
    from nasbench.spaces import Architecture, Space, from_json, get_space
    from nasbench.store.query import Results
    from nasbench.structures import Scale
    from nasbench.training.evaluation import Evaluation

__version__ = "0.1.0"

_MODULES: Final = {
    "nasbench.api.analyses": ("Analysis", "cost", "curves", "pareto"),
    "nasbench.api.benching": ("Benched", "bench"),
    "nasbench.api.comparing": ("Comparison", "compare", "open", "report", "status"),
    "nasbench.api.evaluating": ("Verification", "evaluate", "verify"),
    "nasbench.api.measuring": ("latency",),
    "nasbench.api.models": ("train_model",),
    "nasbench.api.replaying": ("Replay", "replay"),
    "nasbench.api.run": ("Run",),
    "nasbench.api.searching": ("resume", "search"),
    "nasbench.api.suites": ("suite",),
    "nasbench.api.strategies": ("Outcome", "Proposal", "Strategy", "StrategyConfig", "register_strategy"),
    "nasbench.callbacks.base": ("Callback", "FinishedChild", "SearchInfo"),
    "nasbench.callbacks.early_stopping": ("EarlyStopping",),
    "nasbench.errors": ("InputError", "NasbenchError"),
    "nasbench.models.loading": ("TrainedModel", "load_model"),
    "nasbench.protocols.protocol": ("Protocol", "get_protocol"),
    "nasbench.spaces": ("Architecture", "Space", "from_json", "get_space"),
    "nasbench.store.query": ("Results",),
    "nasbench.structures": ("Scale",),
    "nasbench.training.evaluation": ("Evaluation",),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Analysis",
    "Architecture",
    "Benched",
    "Callback",
    "Comparison",
    "EarlyStopping",
    "Evaluation",
    "FinishedChild",
    "InputError",
    "NasbenchError",
    "Outcome",
    "Proposal",
    "Protocol",
    "Replay",
    "Results",
    "Run",
    "Scale",
    "SearchInfo",
    "Space",
    "Strategy",
    "StrategyConfig",
    "TrainedModel",
    "Verification",
    "bench",
    "callbacks",
    "compare",
    "cost",
    "curves",
    "evaluate",
    "from_json",
    "get_protocol",
    "get_space",
    "latency",
    "load_model",
    "pareto",
    "register_strategy",
    "replay",
    "report",
    "resume",
    "search",
    "status",
    "suite",
    "train_model",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "callbacks":
        return importlib.import_module("nasbench.callbacks")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # so that the next use is a plain look-up
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULE_OF})
