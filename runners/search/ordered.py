"""A search that commits its children in the order in which they were asked for, so that a parallel run equals the sequential one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.loop import Search, training_key
from nasbench.runners.search.rows import Proposal
from nasbench.training.evaluation import Evaluation

LOOK_AHEAD = 4  # children asked for and not committed, in multiples of the slots: what a straggler may hold back


class OrderedSearch(Search):
    """Trains several children at once and journals, charges and tells them in the order of asking.

    A child is asked for ahead only where its strategy says that it would be the same otherwise (`Strategy.asks_ahead`): within the batch
    of a policy gradient, the level of PNAS, the filling population of evolution, always in random search. So the rows are those of a run
    with one child at a time, whatever finishes first, and a run goes on with any number of slots. What is trained and not committed when
    the run is killed is trained again. Under a budget in device-time or money, rows are equal where the children's times are.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_executor = 0
        self._ended: dict[int, Evaluation] = {}  # by index, until their turn
        self._repeats: set[int] = set()  # the same training as an earlier child's: looked up when it is their turn

    def _may_ask(self) -> bool:
        outstanding, slots = len(self._outstanding), self.executor.slots
        free = self._in_executor < slots and outstanding < LOOK_AHEAD * slots
        return free and self.ledger.room(outstanding) and self._strategy.asks_ahead(outstanding)

    def _dispatch(self, proposal: Proposal) -> None:
        if self.plan.config.cached != "off" and (
            training_key(proposal) in self._training or self._hit(proposal) is not None
        ):
            self._repeats.add(proposal.index)
            self._take_turns()
        else:
            self._train(proposal)

    def _train(self, proposal: Proposal) -> None:
        self._in_executor += 1
        super()._train(proposal)

    def _finish(self, index: int, evaluation: Evaluation) -> None:
        self._in_executor -= 1
        self._ended[index] = evaluation
        self._take_turns()

    def _take_turns(self) -> None:
        """Commit from the earliest outstanding child on, up to one that is still in training."""
        while self._outstanding and not self._over:
            proposal = next(iter(self._outstanding.values()))
            if proposal.index in self._ended:
                super()._finish(proposal.index, self._ended.pop(proposal.index))
            elif proposal.index in self._repeats:
                self._repeats.remove(proposal.index)
                hit = self._hit(proposal)
                if hit is None:  # what it repeats gave no score that could be reused
                    self._train(proposal)
                    return
                self._commit_cached(proposal, hit)
            else:
                return

    def _finals_due(self, waiting: Sequence[int], ended: Mapping[int, Evaluation]) -> list[int]:
        return list(takewhile(ended.__contains__, waiting))

    def _asks_before(self, proposal: Proposal) -> int:
        return proposal.index + 1


def search_type(plan: SearchPlan) -> type[Search]:
    """The kind of search that a plan's configuration asks for."""
    return OrderedSearch if plan.config.ordered else Search
