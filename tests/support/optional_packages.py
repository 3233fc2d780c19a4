"""Strategies of packages that the development environment does not install: their tests are skipped without them."""

from __future__ import annotations

import pytest

PACKAGES = {"syne_tune": "syne_tune.optimizer.schedulers.searchers.searcher_factory"}


def need_package_of(strategy: str) -> None:
    """Skip the test where the strategy's package is missing; `make test-extras` installs it."""
    if strategy in PACKAGES:
        pytest.importorskip(PACKAGES[strategy])
