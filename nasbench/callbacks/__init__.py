"""Callbacks of a search: see each child as it ends, record it elsewhere, or stop the search.

`TensorBoard`, `MLflow` and `WandB` need an extra each, which is imported when one is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
from nasbench.callbacks.early_stopping import EarlyStopping

if TYPE_CHECKING:
    from nasbench.callbacks.mlflow import MLflow
    from nasbench.callbacks.tensorboard import TensorBoard
    from nasbench.callbacks.wandb import WandB

__all__ = ["Callback", "EarlyStopping", "FinishedChild", "MLflow", "SearchInfo", "TensorBoard", "WandB"]

_LAZY: Final = {"MLflow": "mlflow", "TensorBoard": "tensorboard", "WandB": "wandb"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
