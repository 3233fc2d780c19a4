"""Shared by all tests: one thread, no display, and no configuration of the user who runs them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

os.environ["NASBENCH_CONFIG"] = os.devnull
for name in ("NASBENCH_DEVICES", "NASBENCH_PRICE", "NASBENCH_VERBOSITY", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)
