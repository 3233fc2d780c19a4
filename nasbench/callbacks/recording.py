"""Shared by the callbacks that record a search elsewhere: the numbers of a child, and packages that may be missing."""

from __future__ import annotations

import importlib
import math
from typing import Any

from nasbench.callbacks.base import FinishedChild
from nasbench.errors import MissingExtra

_COLUMNS = ("val_acc", "val_loss", "train_acc", "train_loss", "test_acc", "params", "mult_adds", "device_seconds")


def require(module: str, package: str, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: name of the module.
        package: name of the package as pip installs it.
        extra: the suite's extra that installs the package.

    Returns:
        The module.

    Raises:
        MissingExtra: when it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(package, extra) from error


def numbers_of(child: FinishedChild, prefix: str = "child/") -> dict[str, float]:
    """Collect the finite numbers of a child: its scores and costs, and the progress of the search.

    Args:
        child: a child of the search, or a final training.
        prefix: prefix of the names of the child's own numbers: "child/" gives "child/val_acc".

    Returns:
        Name -> value; NaN and infinite values are left out.
    """
    values = {f"{prefix}{name}": float(child.row[name]) for name in _COLUMNS}
    values |= {"search/best_val_acc": child.best_val_acc, "search/spent": child.spent, "search/share": child.share}
    return {name: value for name, value in values.items() if math.isfinite(value)}
