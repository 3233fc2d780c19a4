"""Fixtures of the runner's tests."""

from __future__ import annotations

import pytest

from nasbench.runners.executors import base


@pytest.fixture
def one_core(monkeypatch):
    """A machine with one core, which children that train at once share."""
    monkeypatch.setattr(base, "usable_cores", lambda: 1)
