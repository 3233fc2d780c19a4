"""Fixtures of the store's tests."""

import os

import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """No waiting for the disk: a killed process loses nothing that it handed to the kernel. Only a power cut would."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
