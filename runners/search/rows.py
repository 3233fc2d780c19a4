"""Conversion between evaluations and rows of a results file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from nasbench.provenance import provenance_json, utc_now
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Ledger
from nasbench.runners.search.config import Command, SearchPlan
from nasbench.runners.search.spent_energy import SpentEnergy, stored_energy
from nasbench.runners.strategies import Outcome
from nasbench.runners.strategies.source_files import source_of
from nasbench.spaces import Architecture
from nasbench.store.format.schema import LEDGER_CATEGORIES
from nasbench.texts import stored_object
from nasbench.training.evaluation import Evaluation

# Names in the provenance of a run.
_WITHOUT_ROW = "uncounted_device_seconds_without_row"
_USD_WITHOUT_ROW = "uncounted_usd_without_row"
_AT_ONCE = "searches_at_once"
_CACHE = "cache_files"
_OTHERS = "reuses_others"
_SCORES = tuple(field.name for field in fields(Evaluation) if field.name != "curves")


@dataclass(frozen=True)
class Proposal:
    """A proposal of a strategy, with its training seed.

    Args:
        index: its number in the order of `ask()` calls, or among the final trainings, from 0.
        architecture: the proposed architecture.
        seed: training seed, >= 0.
        duplicate: whether an earlier proposal of the run has the same hash.
        stop_epoch: epoch after which the training stops; 0 for all epochs of the protocol.
        continues: index of the proposal whose training it continues, as the strategy names it; None if it names none.
    """

    index: int
    architecture: Architecture
    seed: int
    duplicate: bool
    stop_epoch: int = 0
    continues: int | None = None


def search_child_row(plan: SearchPlan, proposal: Proposal, evaluation: Evaluation, stage: str) -> dict[str, Any]:
    """Make the columns of a child that do not depend on the ledger; the search adds the rest.

    Args:
        plan: plan of the run.
        proposal: the proposal.
        evaluation: its evaluation.
        stage: "search" or "final".

    Returns:
        Column -> value.
    """
    return {
        "run": plan.run,
        "index": proposal.index,
        "stage": stage,
        "strategy": plan.config.strategy,
        "run_seed": plan.config.seed,
        "space": proposal.architecture.space.spec,
        "hash": proposal.architecture.hash,
        "choices": json.dumps(list(proposal.architecture.choices), separators=(",", ":")),
        "protocol": plan.protocol.name,
        "fingerprint": plan.fingerprint,
        "data": plan.data,
        "seed": proposal.seed,
        "duplicate": proposal.duplicate,
        "device_seconds": evaluation.device_seconds,
        "published_params": -1,
        "published_mult_adds": -1,
        "stop_epoch": proposal.stop_epoch,
        "continues": "",
        "usd_per_hour": plan.usd_per_hour,
        **{name: getattr(evaluation, name) for name in _SCORES},
    }


def evaluation_of(row: Mapping[str, Any], curves: Mapping[str, Any]) -> Evaluation:
    """Restore the evaluation from which a stored row was made.

    Args:
        row: a row of the children table.
        curves: its curves.

    Returns:
        The evaluation.
    """
    return Evaluation(
        **{name: row[name] for name in _SCORES},
        curves={name: tuple(float(value) for value in values) for name, values in curves.items()},
    )


def seconds_of_hit(plan: SearchPlan, evaluation: Evaluation) -> float:
    """Device-seconds charged for a score from the cache.

    Args:
        plan: plan of the run.
        evaluation: the evaluation of the earlier training.

    Returns:
        Device-seconds of that training; 0 with `cached="free"`.
    """
    return 0.0 if plan.config.cached == "free" else evaluation.device_seconds


def outcome(
    proposal: Proposal, evaluation: Evaluation, charged_seconds: float, measured: Mapping[str, float] | None = None
) -> Outcome:
    """Make the outcome for the strategy: without test scores, and equal in a first run and when the run is resumed.

    Args:
        proposal: the proposal.
        evaluation: its evaluation.
        charged_seconds: device-seconds charged for the child, >= 0.
        measured: measured quantities that the strategy asks for; None for none.

    Returns:
        The outcome.
    """
    return Outcome(
        index=proposal.index,
        architecture=proposal.architecture,
        status=evaluation.status,
        val_curve=tuple(evaluation.curves.get("val_acc", ())),
        val_acc=evaluation.val_acc,
        params=evaluation.params,
        mult_adds=evaluation.mult_adds,
        device_seconds=charged_seconds,
        measured=measured or {},
        epochs=evaluation.epochs,
    )


def search_run_row(
    plan: SearchPlan,
    ledger: Ledger,
    status: str,
    started_at: str,
    energy: Mapping[str, Any] | None = None,
    without_row: float = 0.0,
    usd_without_row: float = 0.0,
) -> dict[str, Any]:
    """Make the row of a run in its current state.

    Args:
        plan: plan of the run.
        ledger: its charges so far.
        status: "running", "interrupted" or "complete".
        started_at: UTC, ISO 8601.
        energy: readings of hardware counters, stored with the provenance; None or {} for none.
        without_row: device-seconds of `uncounted_hours` that no row holds, stored with the provenance: a resumed run
            takes its other charges from its rows, and these from here.
        usd_without_row: their USD, stored where the run was charged at several prices.

    Returns:
        Column -> value.
    """
    noted = {**({"energy": energy} if energy else {}), **({_WITHOUT_ROW: without_row} if without_row else {})}
    noted |= {_USD_WITHOUT_ROW: usd_without_row} if without_row and ledger.repriced else {}
    noted |= _noted_command(plan)
    source = source_of(plan.kind) if plan.kind is not None else None
    if source is not None:
        began_with = plan.config.strategy_digest
        noted |= source.noted() | ({"began_with": began_with} if began_with != source.digest else {})
    return {
        "run": plan.run,
        "strategy": plan.config.strategy,
        "space": plan.space.spec,
        "protocol": plan.protocol.name,
        "fingerprint": plan.fingerprint,
        "data": plan.data,
        "data_digest": plan.data_digest,
        "seed": plan.config.seed,
        "budget": plan.budget.text,
        "status": status,
        "children": ledger.children,
        **{f"{name}_hours": ledger.device_seconds[name] / SECONDS_PER_HOUR for name in LEDGER_CATEGORIES},
        "usd": ledger.total_usd,
        "wall_seconds": ledger.wall_seconds,
        "started_at": started_at,
        "finished_at": utc_now() if status == "complete" else "",
        "config": plan.config.model_dump_json(),
        "provenance": provenance_json(noted),
    }


def _noted_command(plan: SearchPlan) -> dict[str, Any]:
    """What the provenance keeps of the command: whose scores it reuses, and how many searches ran at once, if ever several."""
    jobs, files = plan.command.jobs, list(plan.command.cache_files)
    several = max(jobs, plan.config.runs_per_device, plan.command.runs_at_once) > 1
    others = {} if plan.command.reuses_others else {_OTHERS: False}
    return {**({_AT_ONCE: jobs} if jobs and several else {}), **({_CACHE: files} if files else {}), **others}


def stored_command(run_row: Mapping[str, Any], runs_per_device: int) -> Command:
    """Read what the command with which a run began added to its configuration.

    Args:
        run_row: the stored row of the run.
        runs_per_device: the number in its configuration, >= 1.

    Returns:
        The command. Versions that did not store the number of searches at the same time took it for `runs_per_device`;
        those that did not store cache files have none. Only where it is stored as false are scores of other runs not reused.
    """
    made = stored_object(run_row["provenance"], f"the provenance of run {run_row['run']}")
    jobs = made.get(_AT_ONCE)
    known = jobs if type(jobs) is int and jobs >= 1 else runs_per_device
    files = made.get(_CACHE)
    named = tuple(files) if isinstance(files, list) and all(isinstance(file, str) and file for file in files) else ()
    return Command(jobs=known, cache_files=named, reuses_others=made.get(_OTHERS) is not False)


@dataclass(frozen=True)
class EarlierAttempts:
    """What earlier attempts of a run spent, beyond what its children's rows say.

    Args:
        without_row: device-seconds that were held and that are in no row, >= 0.
        wall_seconds: wall time of all of them, >= 0.
        usd_per_hour: average price of what they were charged; None if that is not known.
        usd_per_hour_without_row: price of `without_row`; None if that is not known.
        energy: energy of all of them; None if there was none.
    """

    without_row: float = 0.0
    wall_seconds: float = 0.0
    usd_per_hour: float | None = None
    usd_per_hour_without_row: float | None = None
    energy: SpentEnergy | None = None


def earlier_attempts(run_row: Mapping[str, Any]) -> EarlierAttempts:
    """Read what earlier attempts of a run spent, beyond what its children's rows say.

    Args:
        run_row: the stored row of the run.

    Returns:
        The spending; 0 for what the version that wrote the row did not store.
    """
    made = stored_object(run_row["provenance"], f"the provenance of run {run_row['run']}")
    seconds, wall = _number(made.get(_WITHOUT_ROW, 0.0)), float(run_row["wall_seconds"])
    average = _ratio(run_row["usd"], np.nansum([run_row[f"{name}_hours"] for name in LEDGER_CATEGORIES]))
    noted = made.get(_USD_WITHOUT_ROW)
    price = average if noted is None else _ratio(_number(noted), seconds / SECONDS_PER_HOUR)
    wall = wall if wall > 0 else 0.0
    return EarlierAttempts(seconds, wall, average, price, stored_energy(made, str(run_row["status"]), wall))


def _number(value: Any) -> float:
    """The number, >= 0 and finite, that a provenance holds; 0 for anything else."""
    known = isinstance(value, int | float) and math.isfinite(value) and value >= 0
    return float(value) if known else 0.0


def price_of_row(row: Mapping[str, Any]) -> float | None:
    """Compute the price at which a child was charged.

    Args:
        row: its columns, of which usd_per_hour, gpu_hours and usd are used.

    Returns:
        USD per device-hour; None for a row of an earlier version that was charged no hours, or whose hours have no price.
    """
    price = float(row.get("usd_per_hour", math.nan))
    return price if math.isfinite(price) else _ratio(row["usd"], row["gpu_hours"])


def _ratio(usd: float, hours: float) -> float | None:
    return float(usd / hours) if hours > 0 and math.isfinite(usd) else None
