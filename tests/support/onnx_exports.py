"""Skips tests of ONNX where the packages of the extra are missing, or torch is too old to export."""

from __future__ import annotations

import pytest
import torch
from packaging.version import Version

from nasbench.models.exporting import OLDEST_TORCH


def require_onnx_export() -> None:
    """Skip the running test where networks cannot be exported to ONNX."""
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason="the extra 'onnx' is not installed")
    if Version(torch.__version__) < Version(OLDEST_TORCH):
        pytest.skip(f"torch {torch.__version__} does not export to ONNX, {OLDEST_TORCH} does")
