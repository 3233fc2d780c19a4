"""Build complete tables: train and test every distinct architecture of a space with one protocol and a few seeds."""

from __future__ import annotations

import itertools
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nasbench.errors import InputError
from nasbench.provenance import utc_now
from nasbench.runners.executors import Executor
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget, Ledger
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.rows import Proposal, price_of_row, search_child_row, search_run_row
from nasbench.runners.signals import undisturbed
from nasbench.spaces import Architecture, Space
from nasbench.store.errors import MissingResults
from nasbench.store.maintenance.value_checks import REPAIRED
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.tabular.tables import LARGEST
from nasbench.texts import stored_object
from nasbench.training.evaluation import Child, Evaluation

_log = logging.getLogger(__name__)


def distinct_architectures(space: Space) -> list[Architecture]:
    """List one architecture per hash: the lexicographically first by its choices. The list is in the same order.

    Args:
        space: a space with at most 10,000,000 sequences of choices.

    Returns:
        The architectures.

    Raises:
        InputError: when the space is larger.
    """
    if space.size > LARGEST:
        raise InputError(
            f"space {space.spec!r} has {space.size} sequences of choices; a complete table is built of at most "
            f"{LARGEST}, "
            "e.g. of nasbench201"
        )
    found: dict[str, Architecture] = {}
    for choices in itertools.product(*(range(decision.options) for decision in space.decisions)):
        architecture = Architecture(space, choices)
        found.setdefault(architecture.hash, architecture)
    return list(found.values())


def hash_neighbours(space: Space, digest: str) -> set[str]:
    """Find the hashes of all architectures that differ in one decision from an architecture with the given hash.

    Args:
        space: a space; all of its sequences of choices are visited.
        digest: the hash, 32 hexadecimal digits.

    Returns:
        Hashes, 32 hexadecimal digits each, without `digest`.
    """
    options = [range(decision.options) for decision in space.decisions]
    same = [each for choices in itertools.product(*options) if (each := Architecture(space, choices)).hash == digest]
    return {near.hash for each in same for near in space.neighbours(each)} - {digest}


class TableBuild:
    """Trains all architectures that are missing in a table.

    Seeds follow one another, so an unfinished table is complete for fewer seeds.

    Rows have stage "final", because they contain test scores that no search may see, and they belong to no budget
    (counted is false).

    Args:
        path: the results file, created if missing; rows that it holds for the same space, protocol and seeds are not
            trained again.
        plans: one per seed, from `config.resolve`; their strategy is `TABLE`.
        architectures: architectures of the table, from `distinct_architectures`.
        executor: trains children, several at a time.
        progress: progress display, over all seeds.
        take_over: see `store.lock.ResultsLock`.
    """

    def __init__(
        self,
        path: Path,
        plans: Sequence[SearchPlan],
        architectures: Sequence[Architecture],
        executor: Executor,
        progress: Progress,
        take_over: bool = False,
    ) -> None:
        self._take_over = take_over
        self._path, self._plans, self._architectures = path, plans, architectures
        self._executor, self._progress = executor, progress
        self._opened_at = utc_now()
        total = len(plans) * len(architectures)
        self._whole = Ledger(Budget.parse(f"{total} children"), plans[0].usd_per_hour)
        self._ledgers = {plan.run: plan.ledger() for plan in plans}
        self._best: dict[str, Any] | None = None
        self._earlier: dict[str, dict[str, Any]] = {}  # run -> its row in the file

    def run(self) -> None:
        """Train all missing architectures, one seed after another, and store each child when it ends.

        Raises:
            KeyboardInterrupt: passed on after the run was marked as interrupted; all finished trainings are kept.
            StoreError: when the file is damaged, newer, locked by another process or cannot be written.
        """
        with ResultsWriter(self._path, take_over=self._take_over) as writer:
            stored = self._stored()
            self._progress.start(self._whole)
            try:
                for plan in self._plans:
                    missing = [index for index in range(len(self._architectures)) if index not in stored[plan.run]]
                    if missing:
                        self._build(plan, missing, writer)
                    elif not self._is_complete(plan.run):
                        # Its process was killed after the last child, or its row was lost in a repair.
                        writer.put_run(self._run_row(plan, "complete"))
            finally:
                self._progress.close()

    def _build(self, plan: SearchPlan, missing: Sequence[int], writer: ResultsWriter) -> None:
        ledger = self._ledgers[plan.run]
        opened = time.monotonic() - ledger.wall_seconds
        writer.put_run(self._run_row(plan, "running"))
        try:
            for index, evaluation in self._evaluations(plan, missing):
                ledger.wall_seconds = time.monotonic() - opened
                row = self._row(plan, index, evaluation)
                writer.append_child(row, evaluation.curves)
                self._account(plan.run, row)
                busy = min(self._executor.slots, len(missing)) * self._executor.share
                self._progress.child(self._whole, self._best_text(), busy)
        except KeyboardInterrupt:
            with undisturbed():
                writer.put_run(self._run_row(plan, "interrupted"))
            raise
        writer.put_run(self._run_row(plan, "complete"))

    def _is_complete(self, run: str) -> bool:
        earlier = self._earlier.get(run)
        return earlier is not None and (earlier["status"], earlier["children"]) == (
            "complete",
            self._ledgers[run].children,
        )

    def _run_row(self, plan: SearchPlan, status: str) -> dict[str, Any]:
        """The row of a run, with the note of an earlier repair about the columns that lost values."""
        row = search_run_row(plan, self._ledgers[plan.run], status, self._opened_at)
        earlier = self._earlier.get(plan.run, {}).get("provenance") or ""
        lost = stored_object(earlier, f"the provenance of run {plan.run}").get(REPAIRED)
        if isinstance(lost, list):
            row["provenance"] = json.dumps({**json.loads(row["provenance"]), REPAIRED: lost})
        return row

    def _evaluations(self, plan: SearchPlan, missing: Sequence[int]) -> Iterator[tuple[int, Evaluation]]:
        """Train missing architectures, keep every slot busy, and yield what has ended."""
        todo, training = iter(missing), 0
        while True:
            for index in itertools.islice(todo, self._executor.slots - training):
                child = Child(
                    self._architectures[index],
                    plan.protocol,
                    plan.config.seed,
                    test=True,
                    timeout_seconds=plan.config.timeout_seconds,
                    clock=plan.config.clock,
                )
                self._executor.submit(index, child)
                training += 1
            if not training:
                return
            for index, evaluation in self._executor.wait():
                training -= 1
                yield index, evaluation

    def _row(self, plan: SearchPlan, index: int, evaluation: Evaluation) -> dict[str, Any]:
        proposal = Proposal(index, self._architectures[index], plan.config.seed, duplicate=False)
        hours = evaluation.device_seconds / SECONDS_PER_HOUR
        return {
            **search_child_row(plan, proposal, evaluation, "final"),
            "asked": 0,
            "reward": math.nan,
            "gpu_hours": hours,
            "usd": hours * plan.usd_per_hour,
            "searcher_seconds": 0.0,
            "wall_seconds": self._ledgers[plan.run].wall_seconds,
            "cached_from": "",
            "counted": False,
            "spent_gpu_hours": 0.0,
        }

    def _account(self, run: str, row: dict[str, Any]) -> None:
        self._ledgers[run].charge("final", row["gpu_hours"] * SECONDS_PER_HOUR, price_of_row(row))
        self._whole.charge("training", row["gpu_hours"] * SECONDS_PER_HOUR)  # the progress display shows it as spent
        self._ledgers[run].children += 1
        self._whole.children += 1
        if row["status"] == "ok" and (self._best is None or row["val_acc"] > self._best["val_acc"]):
            self._best = row

    def _stored(self) -> dict[str, set[int]]:
        """Map each run to the positions of the architectures that the file has."""
        stored: dict[str, set[int]] = {plan.run: set() for plan in self._plans}
        try:
            results = Results(str(self._path))
        except MissingResults:
            return stored
        columns = ["run", "index", "hash", "status", "val_acc", "test_acc", "gpu_hours", "usd", "wall_seconds"]
        with results:
            rows = results.frame(columns).to_dict("records")
            self._earlier = {str(row["run"]): row for row in results.runs().to_dict("records")}
        ours = [row for row in rows if row["run"] in stored]
        unscored = sum(row["status"] == "ok" and math.isnan(row["val_acc"] + row["test_acc"]) for row in ours)
        if unscored:
            _log.warning(
                "%s: %d of its trainings lost a score in a repair and are not made again; build the table in another file "
                "if these are needed",
                self._path,
                unscored,
            )
        for row in ours:
            stored[row["run"]].add(int(row["index"]))
            ledger = self._ledgers[row["run"]]
            ledger.wall_seconds = max(ledger.wall_seconds, row["wall_seconds"])
            self._account(row["run"], row)
        return stored

    def _best_text(self) -> str:
        return f"{self._best['val_acc']:.4f} ({self._best['hash'][:8]})" if self._best is not None else "none yet"
