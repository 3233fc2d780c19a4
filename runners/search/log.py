"""Log records of a search at level INFO: devices and kernels, what became of each child, seconds by ledger category."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nasbench.runners.executors import Executor
from nasbench.runners.search.budget import Ledger
from nasbench.runners.search.config import SearchPlan

_log = logging.getLogger(__name__)


def log_start(plan: SearchPlan, executor: Executor, stored: int) -> None:
    """Log what is run and where.

    Args:
        plan: plan of the run.
        executor: trains the children.
        stored: rows of earlier attempts.
    """
    config = plan.config
    _log.info(
        "run %s: %s on %s, seed %d, budget %s, protocol %s (fingerprint %s, %s kernels)",
        *(plan.run, config.strategy, plan.space.spec, config.seed, plan.budget.text, plan.protocol.name),
        *(plan.fingerprint, plan.protocol.kernels),
    )
    if config.warm_start:
        _log.info("run %s: warm start: %s", plan.run, config.warm_start)
    if config.filter:
        _log.info("run %s: filter: %s", plan.run, config.filter)
    if config.where_arch:
        _log.info("run %s: limits on architectures: %s", plan.run, config.where_arch)
    where = f"devices {','.join(config.devices)}" if executor.here else f"Ray cluster {config.address}"
    _log.info(
        "run %s: executor %s, %s, %d children at once, each holds %g of a device; %g USD per device-hour; %d stored rows",
        *(plan.run, config.executor, where, executor.slots, executor.share, plan.usd_per_hour, stored),
    )


def log_child(row: Mapping[str, Any]) -> None:
    """Log a stored child.

    Args:
        row: its columns.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    if row["cached_from"]:
        made = f"cache hit, trained as {row['cached_from']}"
    else:
        parts = {"set-up": "setup_seconds", "training": "train_seconds", "evaluation": "eval_seconds"}
        times = ", ".join(f"{name} {row[column]:.2f} s" for name, column in parts.items())
        made = f"trained on {row['device']} ({times})"
    accuracy = "test_acc" if row["stage"] == "final" else "val_acc"
    left_out = "" if row["counted"] or row["stage"] == "final" else ", beyond the budget"
    _log.info(
        "run %s: %s %d: %s: %s, %s, %s %.4f%s",
        *(row["run"], row["stage"], row["index"], row["hash"][:12], made, row["status"], accuracy, row[accuracy]),
        left_out,
    )
    if row["platform"] and not row["cached_from"]:
        _log.debug("run %s: %s %d: platform %s", row["run"], row["stage"], row["index"], row["platform"])


def log_end(plan: SearchPlan, status: str, ledger: Ledger) -> None:
    """Log how an attempt ended and what the run has spent.

    Args:
        plan: plan of the run.
        status: "complete", "interrupted" or "failed".
        ledger: its charges.
    """
    spent = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in ledger.device_seconds.items() if seconds)
    _log.info(
        "run %s: %s after %.1f s of wall time; charged: %s", plan.run, status, ledger.wall_seconds, spent or "nothing"
    )
