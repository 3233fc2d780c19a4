"""Search that commits children in the order of the proposals, which makes a parallel run equal to a sequential one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.loop import Search, training_key
from nasbench.runners.search.rows import Proposal
from nasbench.training.evaluation import Evaluation

LOOK_AHEAD = 4  # maximum of uncommitted children, in multiples of the slots, which wait for a slow one


class OrderedSearch(Search):
    """Trains several children at once, and commits them in the order of the proposals.

    `ask` is called while outcomes are pending only if the strategy says that these do not influence it
    (`Strategy.asks_ahead`): within the batch of a policy gradient, within a level of PNAS, while evolution fills its
    population, always in random search. Therefore the rows are those of a run with one child at a time, whichever child
    finishes first, and a run can be resumed with any number of slots. Children that are trained but not committed when
    the run is killed are trained again. Under a budget in device time or money, rows are equal only if the children's
    times are.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_executor = 0
        self._ended: dict[int, Evaluation] = {}  # finished evaluations by index, waiting for their turn
        # children that repeat the training of an earlier one: looked up when it is their turn
        self._repeats: set[int] = set()

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
        """Commit children in order, from the earliest uncommitted one up to the first that is still in training."""
        while self._outstanding and not self._over:
            proposal = next(iter(self._outstanding.values()))
            if proposal.index in self._ended:
                super()._finish(proposal.index, self._ended.pop(proposal.index))
            elif proposal.index in self._repeats:
                self._repeats.remove(proposal.index)
                hit = self._hit(proposal)
                if hit is None:  # the training that it repeats gave no reusable score
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
    """Class of search that a plan's configuration selects."""
    return OrderedSearch if plan.config.ordered else Search
