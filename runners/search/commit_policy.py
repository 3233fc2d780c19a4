"""Commit policy of a search: in which order it stores trained children, and when it asks for more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Protocol

from nasbench.runners.search.rows import Proposal
from nasbench.store.format.schema import REPEATABLE_STATUSES
from nasbench.training.evaluation import Evaluation

LOOK_AHEAD = 4  # maximum of uncommitted children, in multiples of the slots, which wait for a slow one


class CommitActions(Protocol):
    """The steps of a search that a commit policy arranges."""

    @property
    def outstanding(self) -> Mapping[int, Proposal]:
        """Proposals that are not committed yet, by index, in the order of the proposals."""

    @property
    def over(self) -> bool:
        """Whether the budget has ended: nothing more is committed."""

    @property
    def slots(self) -> int:
        """Children that the executor trains at once."""

    @property
    def in_executor(self) -> int:
        """Children that the executor trains now."""

    def may_ask_ahead(self, outstanding: int) -> bool:
        """Whether the strategy's next proposal does not depend on outcomes that are still pending.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0.

        Returns:
            True if `ask` would return the same whatever they are.
        """

    def repeats(self, proposal: Proposal) -> int | None:
        """Find an uncommitted child that is the same training.

        Args:
            proposal: a new proposal.

        Returns:
            Its index; None if there is none.
        """

    def hit(self, proposal: Proposal) -> Mapping[str, Any] | None:
        """Look up a score of the same training: hash, protocol and seed.

        Args:
            proposal: the proposal.

        Returns:
            The stored row with its curves; None if there is none.
        """

    def train(self, proposal: Proposal) -> None:
        """Hand a proposal to the executor.

        Args:
            proposal: the proposal.
        """

    def commit_trained(self, proposal: Proposal, evaluation: Evaluation) -> Mapping[str, Any]:
        """Store a trained child, charge it and give its outcome to the strategy.

        Args:
            proposal: the proposal.
            evaluation: its evaluation.

        Returns:
            The stored row, with "curves".
        """

    def commit_cached(self, proposal: Proposal, hit: Mapping[str, Any]) -> None:
        """Store a child with the scores of an earlier training, charge it and give its outcome to the strategy.

        Args:
            proposal: the proposal.
            hit: the row of the earlier training, with "curves".
        """


class CommitPolicy(ABC):
    """Base class of commit policies.

    Args:
        search: the search's steps.
        reuse: whether scores of equal trainings are reused.
    """

    def __init__(self, search: CommitActions, reuse: bool) -> None:
        self._search, self._reuse = search, reuse

    @abstractmethod
    def may_ask(self) -> bool:
        """Whether a slot is free for one more proposal, if the budget allows it."""

    @abstractmethod
    def dispatch(self, proposal: Proposal) -> None:
        """Train a proposal, or reuse the score of the same training.

        Args:
            proposal: a new proposal, or one that was in training when an earlier attempt ended.
        """

    @abstractmethod
    def finished(self, index: int, evaluation: Evaluation) -> None:
        """Commit the children that can be committed now that a training has ended.

        Args:
            index: index of the child whose training has ended.
            evaluation: its evaluation.
        """

    @abstractmethod
    def finals_due(self, waiting: Sequence[int], ended: Mapping[int, Evaluation]) -> list[int]:
        """Select the final trainings to commit now.

        Args:
            waiting: indices of the uncommitted final trainings, in order.
            ended: those of them that have ended.

        Returns:
            Indices, in the order of their commits.
        """

    @abstractmethod
    def asks_before(self, proposal: Proposal, asks: int) -> int:
        """Number of `ask` calls that precede this child's `tell` when the run is repeated from its rows.

        Args:
            proposal: the child that is being committed.
            asks: number of `ask` calls so far.

        Returns:
            The number, stored in the column asked.
        """


class AsTheyFinish(CommitPolicy):
    """Commits each child when its training ends. No slot ever waits; the order of rows depends on the machine.

    Args:
        search: the search's steps.
        reuse: whether scores of equal trainings are reused.
    """

    def __init__(self, search: CommitActions, reuse: bool) -> None:
        super().__init__(search, reuse)
        self._followers: dict[int, list[Proposal]] = {}  # proposals by the index of the child that they repeat

    def may_ask(self) -> bool:
        """Whether fewer proposals are uncommitted than there are slots."""
        return len(self._search.outstanding) < self._search.slots

    def dispatch(self, proposal: Proposal) -> None:
        """Commit a cached score at once, wait for an equal training that is under way, or train; see `CommitPolicy`."""
        if self._reuse:
            hit = self._search.hit(proposal)
            if hit is not None:
                self._search.commit_cached(proposal, hit)
                return
            earlier = self._search.repeats(proposal)
            if earlier is not None:
                self._followers.setdefault(earlier, []).append(proposal)
                return
        self._search.train(proposal)

    def finished(self, index: int, evaluation: Evaluation) -> None:
        """Commit the child, and the proposals that repeat its training; see `CommitPolicy`.

        A training without a reusable score is repeated for the first of them, for which the others wait then.
        """
        row = self._search.commit_trained(self._search.outstanding[index], evaluation)
        reusable = row["status"] in REPEATABLE_STATUSES
        for follower in self._followers.pop(index, []):
            if self._search.over:
                return
            if reusable:
                self._search.commit_cached(follower, row)
            else:
                self.dispatch(follower)

    def finals_due(self, waiting: Sequence[int], ended: Mapping[int, Evaluation]) -> list[int]:
        """All that have ended; see `CommitPolicy`."""
        return list(ended)

    def asks_before(self, proposal: Proposal, asks: int) -> int:
        """All `ask` calls so far; see `CommitPolicy`."""
        return asks


class InOrder(CommitPolicy):
    """Commits children in the order of their proposals, whichever finishes first.

    `ask` is called while outcomes are pending only if the strategy says that these do not influence it
    (`Strategy.asks_ahead`): within the batch of a policy gradient, within a level of PNAS, while evolution fills its
    population, always in random search. Therefore the rows are those of a run with one child at a time, and a run can
    be resumed with any number of slots. Children that are trained but not committed when the run is killed are trained
    again. Under a budget in device time or money, rows are equal only if the children's times are.

    Args:
        search: the search's steps.
        reuse: whether scores of equal trainings are reused.
    """

    def __init__(self, search: CommitActions, reuse: bool) -> None:
        super().__init__(search, reuse)
        self._ended: dict[int, Evaluation] = {}  # finished evaluations by index, waiting for their turn
        # children that repeat the training of an earlier one: looked up when it is their turn
        self._repeats: set[int] = set()

    def may_ask(self) -> bool:
        """Whether a slot is free, few children wait, and their outcomes do not influence the next proposal."""
        outstanding, slots = len(self._search.outstanding), self._search.slots
        free = self._search.in_executor < slots and outstanding < LOOK_AHEAD * slots
        return free and self._search.may_ask_ahead(outstanding)

    def dispatch(self, proposal: Proposal) -> None:
        """Train, or reuse the score of the same training when it is this child's turn; see `CommitPolicy`."""
        if self._reuse and (self._search.repeats(proposal) is not None or self._search.hit(proposal) is not None):
            self._repeats.add(proposal.index)
            self._take_turns()
        else:
            self._search.train(proposal)

    def finished(self, index: int, evaluation: Evaluation) -> None:
        """Commit the child if all earlier ones are committed, and those that waited for it; see `CommitPolicy`."""
        self._ended[index] = evaluation
        self._take_turns()

    def _take_turns(self) -> None:
        """Commit children in order, from the earliest uncommitted one up to the first that is still in training."""
        while self._search.outstanding and not self._search.over:
            proposal = next(iter(self._search.outstanding.values()))
            if proposal.index in self._ended:
                self._search.commit_trained(proposal, self._ended.pop(proposal.index))
            elif proposal.index in self._repeats:
                self._repeats.remove(proposal.index)
                hit = self._search.hit(proposal)
                if hit is None:  # the training that it repeats gave no reusable score
                    self._search.train(proposal)
                    return
                self._search.commit_cached(proposal, hit)
            else:
                return

    def finals_due(self, waiting: Sequence[int], ended: Mapping[int, Evaluation]) -> list[int]:
        """Those that have ended before the first that is still in training; see `CommitPolicy`."""
        return list(takewhile(ended.__contains__, waiting))

    def asks_before(self, proposal: Proposal, asks: int) -> int:
        """The `ask` calls of a run that trains one child at a time; see `CommitPolicy`."""
        return proposal.index + 1
