"""Small records in the form of NATS-Bench's."""

from __future__ import annotations

from typing import Any

CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
OTHER = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


def small_record(**changes: Any) -> dict[str, Any]:
    """A training of two epochs, with other fields where they are given."""
    given: dict[str, Any] = {
        "arch": CELL,
        "hp": "2",
        "dataset": "cifar10-valid",
        "seed": 777,
        "flops_m": 1.5,
        "params_m": 0.25,
        "train_acc": {"0": 25.0, "1": 50.0},
        "train_times": {"0": 1.0, "1": 1.5},
        "eval_acc": {"x-valid@1": 40.0, "ori-test@0": 20.0, "ori-test@1": 30.0},
    }
    return given | changes
