"""Searches in batches: random architectures first, then batches that a model of all outcomes so far chooses."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.advice import startup_advice
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.spaces.base import Architecture, Space

REPEATS_IN_A_ROW = 1000
TRIES = 20  # mutations tried for each one that is wanted


class BatchConfig(StrategyConfig):
    """Options that searches in batches share."""

    initial: int = Field(10, ge=1, description="random architectures with different hashes before the first model")
    batch: int = Field(10, ge=1, description="architectures that one model chooses")
    candidates: int = Field(100, ge=1, description="architectures with new hashes among which a model chooses")


C = TypeVar("C", bound=BatchConfig)


class Trained(NamedTuple):
    """A child with its reward.

    Attributes:
        architecture: its architecture.
        reward: its reward, finite.
        costs: its objectives, if the search has several; smaller is better.
    """

    architecture: Architecture
    reward: float
    costs: tuple[float, ...] = ()


class BatchStrategy(Strategy[C]):
    """Base class of strategies that choose a batch when the outcomes of all children before it are known.

    Children have different hashes. Outcomes are used in the order of the proposals, so the search does not depend on
    how many children are trained at once. The search ends when nothing new was drawn 1000 times in a row. Failed
    children have reward 0.

    Args:
        space: the space to search.
        seed: seed of all random draws, >= 0.
        config: the strategy's options; None for its defaults.
    """

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)
        self._seen: set[str] = set()
        self._asked: list[Architecture] = []
        self._told: dict[int, Trained] = {}
        self._queue: deque[Architecture] = deque()
        self._exhausted = False
        self.require_space()

    def require_space(self) -> None:
        """Refuse a space without the graphs that the model reads, before anything is trained.

        Raises:
            InputError: when the options do not fit the space.
        """

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a budget of initial architectures alone is random search; see `Strategy.advice`."""
        return startup_advice(cls.name, "initial", int(getattr(config, "initial", 0)), children)

    def ask(self) -> Architecture | None:
        """Propose the next architecture of the batch; None while its outcomes are pending, and once nothing is new."""
        if not self._queue and not self._exhausted and len(self._told) == len(self._asked):
            chosen = self._chosen() if self._asked else self.draw(self.config.initial)
            self._exhausted = not chosen
            self._queue.extend(chosen)
            self._seen.update(each.hash for each in chosen)
        if not self._queue:
            return None
        self._asked.append(self._queue.popleft())
        return self._asked[-1]

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true: a batch is chosen as a whole, and `ask` returns None between batches; see `Strategy.asks_ahead`."""
        return True

    def tell(self, outcome: Outcome) -> None:
        """Store an outcome.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child is not pending, or has status "ok" but no score.
        """
        if not 0 <= outcome.index < len(self._asked) or outcome.index in self._told:
            raise InputError(
                f"child {outcome.index} is not in training: it was not proposed, or its outcome came before"
            )
        self._told[outcome.index] = self.trained(outcome)

    def trained(self, outcome: Outcome) -> Trained:
        """Take from an outcome what the model learns from.

        Args:
            outcome: the outcome of a child.

        Returns:
            The child with its reward.

        Raises:
            InputError: when it has status "ok" but no score.
        """
        reward = self.reward(outcome)
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        return Trained(outcome.architecture, reward)

    @abstractmethod
    def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
        """Say how promising candidates are.

        Args:
            trained: all children so far, in the order of the proposals.
            pool: the candidates, at least one.

        Returns:
            One number per candidate; the largest are proposed.
        """

    @abstractmethod
    def pool(self, best: Sequence[Architecture]) -> list[Architecture]:
        """Make the candidates.

        Args:
            best: the architectures of all children so far, the best first.

        Returns:
            Architectures with new, different hashes; they may be more or fewer than `candidates`, even none.
        """

    def draw(self, count: int, besides: Iterable[Architecture] = ()) -> list[Architecture]:
        """Draw random architectures with new hashes.

        Args:
            count: how many, >= 0.
            besides: architectures whose hashes count as seen, too.

        Returns:
            The architectures; fewer if nothing new comes 1000 times in a row.
        """
        return self.new_ones(iter(lambda: self.space.random(self._rng), None), count, besides)

    def new_ones(
        self, draws: Iterable[Architecture], count: int, besides: Iterable[Architecture] = ()
    ) -> list[Architecture]:
        """Take the architectures with new hashes from a series of draws.

        Args:
            draws: the draws, may be endless.
            count: how many are taken at most; none if it is 0 or less.
            besides: architectures whose hashes count as seen, too.

        Returns:
            The architectures; fewer if the draws end or bring nothing new 1000 times in a row.
        """
        found: dict[str, Architecture] = {}
        known = self._seen | {each.hash for each in besides}
        repeats = 0
        for architecture in draws if count > 0 else ():
            if architecture.hash in known or architecture.hash in found:
                repeats += 1
                if repeats == REPEATS_IN_A_ROW:
                    break
                continue
            repeats = 0
            found[architecture.hash] = architecture
            if len(found) == count:
                break
        return list(found.values())

    def mutations(self, parents: Sequence[Architecture], count: int) -> list[Architecture]:
        """Mutate parents drawn at random until there are enough new architectures.

        Args:
            parents: the parents, at least one.
            count: how many are wanted, >= 0.

        Returns:
            Architectures with new, different hashes; fewer if `TRIES` mutations for each wanted one do not suffice.
        """
        draws = (
            self.space.mutate(parents[int(self._rng.integers(len(parents)))], self._rng) for _ in range(TRIES * count)
        )
        return self.new_ones(draws, count)

    def choose(
        self, trained: Sequence[Trained], count: int, besides: Sequence[Architecture] = ()
    ) -> list[Architecture]:
        """Choose the next architectures by one model.

        Args:
            trained: all children so far, in the order of the proposals.
            count: how many are chosen at most, >= 1.
            besides: architectures chosen for the same batch before.

        Returns:
            The most promising candidates, the best first; none if nothing new is found.
        """
        ranked = sorted(trained, key=lambda child: -child.reward)  # stable: of equal ones the earlier first
        taken = {each.hash for each in besides}
        pool = [each for each in self.pool([child.architecture for child in ranked]) if each.hash not in taken]
        if len(pool) < count:
            pool += self.draw(self._lacking(len(pool), count), [*pool, *besides])
        if not pool:
            return []
        values = np.asarray(self.rank(trained, pool))
        return [pool[place] for place in np.argsort(-values, kind="stable")[:count]]

    def _lacking(self, candidates: int, count: int) -> int:
        """How many random architectures join too small a pool: up to `candidates`, or where it has more, up to a batch."""
        if candidates <= self.config.candidates:
            return self.config.candidates - candidates
        return count - candidates

    def _chosen(self) -> list[Architecture]:
        return self.choose([self._told[index] for index in range(len(self._asked))], self.config.batch)
