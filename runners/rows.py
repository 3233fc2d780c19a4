"""From an evaluation to the row of a results file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nasbench.evaluation import Evaluation
from nasbench.runners.config import Plan
from nasbench.runners.strategies import Outcome
from nasbench.spaces import Architecture

_SCORES = tuple(field.name for field in fields(Evaluation) if field.name != "curves")


@dataclass(frozen=True)
class Asked:
    """A child a strategy asked for: its place in the order of asking (from 0), and whether the run had asked for its hash before."""

    index: int
    architecture: Architecture
    seed: int
    duplicate: bool


def child_row(plan: Plan, asked: Asked, evaluation: Evaluation, stage: str) -> dict[str, Any]:
    """The columns of a child that do not depend on the ledger; the search adds the rest."""
    return {
        "run": plan.run,
        "index": asked.index,
        "stage": stage,
        "strategy": plan.config.strategy,
        "run_seed": plan.config.seed,
        "space": asked.architecture.space.spec,
        "hash": asked.architecture.hash,
        "choices": json.dumps(list(asked.architecture.choices), separators=(",", ":")),
        "protocol": plan.protocol.name,
        "fingerprint": plan.fingerprint,
        "data": plan.data,
        "seed": asked.seed,
        "duplicate": asked.duplicate,
        "device_seconds": evaluation.device_seconds,
        **{name: getattr(evaluation, name) for name in _SCORES},
    }


def evaluation_of(row: Mapping[str, Any], curves: Mapping[str, Any]) -> Evaluation:
    """The evaluation that a stored row was made from."""
    return Evaluation(
        **{name: row[name] for name in _SCORES},
        curves={name: tuple(float(value) for value in values) for name, values in curves.items()},
    )


def outcome(asked: Asked, evaluation: Evaluation, charged_seconds: float) -> Outcome:
    """What the strategy is told: no test score, and nothing that differs between a first run and its replay."""
    return Outcome(
        index=asked.index,
        architecture=asked.architecture,
        status=evaluation.status,
        val_curve=tuple(evaluation.curves.get("val_acc", ())),
        val_acc=evaluation.val_acc,
        params=evaluation.params,
        mult_adds=evaluation.mult_adds,
        device_seconds=charged_seconds,
    )
