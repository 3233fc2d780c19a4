"""Final stage of a search: its choices are trained again and scored on the test set, which was not read before."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from nasbench.runners.executors import Executor
from nasbench.runners.search.accountant import Accountant
from nasbench.runners.search.budget import SECONDS_PER_HOUR
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.row_writer import RowWriter
from nasbench.runners.search.rows import Proposal, evaluation_of, search_child_row, seconds_of_hit
from nasbench.runners.signals import interruptions_deferred
from nasbench.store.cache import ScoreCache, source_row
from nasbench.training.evaluation import Child, Evaluation


class FinalStage:
    """Trains the incumbents of a finished search again, and scores them on the test set.

    They are trained with seeds that the search did not use. The search chose each incumbent for its score with one
    seed, which is therefore too good; scores with other seeds are not selected.

    Args:
        plan: plan of the search.
        writer: stores each new row.
        cache: scores of earlier trainings, which are reused; ignored if the plan says so.
        executor: trains the choices; it must be idle.
        accountant: accountant of the search; charges go to category "final", outside the search's budget.
        asks: number of `ask()` calls of the search.
        ended: evaluations from the executor that are not stored yet, by index; a stored one is removed.
        committed: called with each choice, its row and its evaluation when the row is stored.
    """

    def __init__(
        self,
        plan: SearchPlan,
        writer: RowWriter,
        cache: ScoreCache,
        executor: Executor,
        accountant: Accountant,
        asks: int,
        ended: dict[int, Evaluation],
        committed: Callable[[Proposal, Mapping[str, Any], Evaluation], None],
    ) -> None:
        self._plan, self._writer, self._cache, self._executor = plan, writer, cache, executor
        self._accountant, self._asks, self._ended, self._committed = accountant, asks, ended, committed

    def run(
        self,
        stored: Mapping[int, Mapping[str, Any]],
        wait: Callable[[], object],
        due: Callable[[Sequence[int], Mapping[int, Evaluation]], list[int]],
    ) -> None:
        """Train every choice that has no stored row yet.

        Args:
            stored: rows of stage "final" of an earlier attempt, by index; they are charged already.
            wait: blocks until at least one training has ended, and adds it to the ended ones.
            due: function that returns which of the waiting indices to commit now, given the trainings that have ended.
        """
        incumbents = self._accountant.incumbents
        chosen = {"incumbents": incumbents, "best": incumbents[-1:], "none": []}[self._plan.config.final]
        todo = trainings_left([(each, seed) for each in chosen for seed in self._plan.final_seeds(each.seed)], stored)
        waiting = [index for index, proposal in todo.items() if not self._commit_if_cached(proposal)]
        while waiting:
            wait()
            for index in due(waiting, self._ended):
                self._commit(todo[index], self._ended[index], "")
                waiting.remove(index)

    def _commit_if_cached(self, proposal: Proposal) -> bool:
        """Commit the choice from the cache and return True; otherwise start its training and return False."""
        if self._plan.config.cached != "off":
            hit = self._cache.get(proposal.architecture.hash, self._plan.fingerprint, proposal.seed, test=True)
            if hit is not None:
                self._commit(proposal, evaluation_of(hit, hit["curves"]), source_row(hit))
                return True
        timeout = self._plan.config.timeout_seconds
        child = Child(proposal.architecture, self._plan.protocol, proposal.seed, test=True, timeout_seconds=timeout)
        self._executor.submit(proposal.index, child)
        return False

    def _commit(self, proposal: Proposal, evaluation: Evaluation, cached_from: str) -> None:
        charged = seconds_of_hit(self._plan, evaluation) if cached_from else evaluation.device_seconds
        ledger = self._accountant.ledger
        row = {
            **search_child_row(self._plan, proposal, evaluation, "final"),
            "asked": self._asks,
            "reward": math.nan,
            "gpu_hours": charged / SECONDS_PER_HOUR,
            "usd": charged / SECONDS_PER_HOUR * self._plan.usd_per_hour,
            "searcher_seconds": 0.0,
            "wall_seconds": self._accountant.wall_seconds(),
            "cached_from": cached_from,
            "counted": False,
            "spent_gpu_hours": ledger.search_seconds / SECONDS_PER_HOUR,
        }
        with interruptions_deferred():  # a row that is stored is also charged
            self._writer.write(row, evaluation.curves, at_once=True)
            ledger.charge("final", charged)
            self._ended.pop(proposal.index, None)
        self._cache.add({**row, "curves": evaluation.curves})
        self._committed(proposal, row, evaluation)


def trainings_left(
    trainings: Sequence[tuple[Proposal, int]], stored: Mapping[int, Mapping[str, Any]]
) -> dict[int, Proposal]:
    """Number the final trainings that have no row yet; one architecture with one seed is trained once.

    An architecture can have been the incumbent twice, with two training seeds of the search.

    Args:
        trainings: choices of the search with the seeds of their final trainings, in order.
        stored: rows of stage "final" of an earlier attempt, by index.

    Returns:
        Index -> the choice with that seed, in order. The index is the place among the different trainings, or a free
        number after them where an earlier version has given it to another training.
    """
    different: dict[tuple[str, int], Proposal] = {}
    for each, seed in trainings:
        different.setdefault((each.architecture.hash, seed), each)
    there = {(str(row["hash"]), int(row["seed"])) for row in stored.values()}
    free = (number for number in count(len(different)) if number not in stored)
    left = {}
    for place, ((digest, seed), each) in enumerate(different.items()):
        if (digest, seed) not in there:
            index = place if place not in stored else next(free)
            left[index] = Proposal(index, each.architecture, seed, each.duplicate)
    return left
