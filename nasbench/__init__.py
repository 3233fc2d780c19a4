"""nasbench: a reproducibility benchmark suite for neural architecture search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from nasbench.store.query import Results

__version__ = "0.1.0"


def open(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Results:
    """Open one or several results files for reading; see `nasbench.store.query.Results`."""
    from nasbench.store.query import Results

    return Results(paths)
