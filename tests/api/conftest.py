"""What the API's tests share: searches of a fraction of a second on synthetic images."""

from __future__ import annotations

from typing import Any

import pytest
from fake_images import FAKE

import nasbench


@pytest.fixture
def tiny(tmp_path):
    """Run a search of six children into a.h5 of the test's folder; fields replace its arguments."""

    def run(**fields: Any) -> nasbench.Run:
        given: dict[str, Any] = {
            "space": "nasnet:blocks=1",
            "strategy": "random",
            "budget": "6 children",
            "output": tmp_path / "a.h5",
            "set": FAKE,
            "progress": False,
            "final_seeds": 0,
        }
        return nasbench.search(**{**given, **fields})

    return run


@pytest.fixture
def registry(monkeypatch):
    """Strategies that a test registers are gone after it."""
    from nasbench.runners.strategies import STRATEGIES

    monkeypatch.setattr(STRATEGIES, "_added", {})
    return STRATEGIES
