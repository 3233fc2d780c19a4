"""Columns of children that analyses read: what a command reads decides how much memory and time it takes."""

from __future__ import annotations

from typing import Final

COMPARED: Final = (
    *("run", "index", "asked", "strategy", "run_seed", "stage", "seed", "hash", "status", "counted"),
    *("duplicate", "continues", "stop_epoch", "from_epoch"),
    *("space", "protocol", "fingerprint", "data", "device", "platform", "devices"),
    *("val_acc", "val_loss", "test_acc", "test_loss", "reward"),
    *("gpu_hours", "usd", "usd_per_hour", "spent_gpu_hours", "wall_seconds"),
)
"""Of comparisons and costs: checks, courses, final scores, ledgers, the captions of their pictures, and what another
score than accuracy is made of."""

SIZED: Final = (*COMPARED, "params", "mult_adds")
"""Of fronts of accuracy and size."""

LISTED: Final = (
    *("run", "index", "strategy", "run_seed", "stage", "hash", "status", "counted", "duplicate", "continues"),
    *("stop_epoch", "from_epoch", "space", "choices", "val_acc", "test_acc", "params", "mult_adds", "device_seconds"),
)
"""Of the list of children in a report, and of its best architectures."""

REPORTED: Final = (*SIZED, "choices", "device_seconds")
"""Of a report on searches: its tables, and its list of children."""
