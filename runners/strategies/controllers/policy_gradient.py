"""Base of the policy-gradient strategies: proposals in batches, collection of outcomes, updates of the controller."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from nasbench.errors import InputError
from nasbench.runners.strategies.advice import policy_advice
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.controllers.baseline import MovingAverage
from nasbench.runners.strategies.controllers.controller import Controller, Heads, one_thread, seeded_generator
from nasbench.runners.strategies.controllers.fitting import sample_fitting
from nasbench.runners.strategies.presets import scaled
from nasbench.spaces.base import Architecture, Space

MOST_RATE = 0.01  # of a controller; larger ones make its choices final after a few updates
LEAST_UPDATES = 10


def learning_options(children: int, rate: float, batch: int, of: int) -> dict[str, Any]:
    """Scale a paper's settings to a budget.

    The batch is the paper's, or smaller, so that there are at least ten updates. The rate grows as there are fewer
    children, so that rate x children stays what it was, up to 0.01.

    Args:
        children: children of the budget, >= 1.
        rate: the paper's learning rate.
        batch: the paper's children per update.
        of: children of the paper's search.

    Returns:
        The options learning_rate and batch.

    Source: ours.
    """
    return {
        "learning_rate": scaled(rate, of, children, MOST_RATE),
        "batch": max(1, min(batch, children // LEAST_UPDATES)),
    }


class ControllerConfig(StrategyConfig):
    """Options of a controller and its training; each strategy sets the defaults of its paper."""

    layers: int = Field(ge=1, description="LSTM layers")
    hidden: int = Field(ge=1, description="units of each LSTM layer and of the embeddings")
    init: float = Field(gt=0, description="parameters start uniform in [-init, init]")
    learning_rate: float = Field(gt=0, description="learning rate of Adam")
    batch: int = Field(ge=1, description="children per update")
    baseline_decay: float = Field(ge=0, lt=1, description="weight of the past in the moving average of rewards")
    heads: Heads = Field(
        "decision",
        description="decision: a softmax and an embedding for every decision (NASNet, appendix A); "
        "group: shared by decisions of the same group and number of options (ours)",
    )


@dataclass(frozen=True)
class Sample:
    """An architecture that a policy drew.

    Args:
        architecture: the architecture.
        log_prob: its joint log-probability, in nats, under the policy that drew it.
    """

    architecture: Architecture
    log_prob: float


class Batch(NamedTuple):
    """Data of one update.

    `choices` [batch, most decisions] int64, padded with 0; `counts` [batch]: decisions made; `log_probs` [batch]: under
    the policies that drew the samples; `advantages` [batch]: reward minus baseline.
    """

    choices: Tensor
    counts: Tensor
    log_probs: Tensor
    advantages: Tensor


C = TypeVar("C", bound=ControllerConfig)


class PolicyGradient(Strategy[C]):
    """A controller trained by policy gradient on batches of outcomes, in the order in which `tell` receives them.

    `ask` never waits: architectures are drawn from the current policy, one batch at a time, and another batch is drawn
    if more are needed before an update. The update happens inside the `tell` that completes a batch. It discards
    architectures that were drawn but not proposed, so every proposal comes from the newest policy. Outcomes that are
    pending at an update are used later, after the policy has changed, as with the asynchronous replicas of the 2016
    paper. Therefore a search with K children at once proposes other children than a search with one child at a time;
    each of them repeats exactly.

    In a search with limits on the architectures (`where_arch`), architectures that do not fit are rejected and drawn
    again: nothing is trained and no reward is given for them. So children come from the policy restricted to those that
    fit, pi(a) / Z with Z the probability that a draw fits, while updates use the gradient of log pi(a) without that of
    log Z. The expected update is the gradient of the expected reward of children, plus (expected reward - baseline)
    times the gradient of log Z. With a baseline near the expected reward the second term vanishes: the policy learns
    which of the fitting architectures are good, and does not learn to fit.

    Subclasses implement `update`.

    Args:
        space: the space to search.
        seed: seed of all random draws, >= 0.
        config: the strategy's options; None for their defaults.
    """

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a policy which hardly moves is random search; see `Strategy.advice`."""
        assert isinstance(config, ControllerConfig)
        steps = int(getattr(config, "epochs", 1))  # PPO makes several with each batch
        return policy_advice(cls.name, config.learning_rate, config.batch, steps, children)

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        super().__init__(space, seed, config)
        options = self.config
        self._generator = seeded_generator(seed)
        self.controller = Controller(
            space.decisions, options.layers, options.hidden, options.init, options.heads, self._generator
        )
        self.optimizer = torch.optim.Adam(self.controller.parameters(), lr=options.learning_rate)
        self.baseline = MovingAverage(options.baseline_decay)
        self._asked = 0
        self._queue: deque[Sample] = deque()
        self._outstanding: dict[int, Sample] = {}
        self._finished: list[tuple[Sample, float]] = []

    @abstractmethod
    def update(self, batch: Batch) -> None:
        """Improve the controller with one batch.

        Args:
            batch: choices, log-probabilities and advantages of `config.batch` children.
        """

    def space_at(self, index: int) -> Space:
        """Return the space of a child: the whole space, or a smaller one that has only its first decisions.

        Args:
            index: number of the proposal, from 0.

        Returns:
            The space that the child is drawn from.
        """
        return self.space

    def ask(self) -> Architecture:
        """Propose the next architecture. Never waits."""
        space = self.space_at(self._asked)
        if self._queue and len(self._queue[0].architecture.choices) != len(space.decisions):
            self._queue.clear()
        if not self._queue:
            self._queue.extend(self._draw(space))
        sample = self._queue.popleft()
        self._outstanding[self._asked] = sample
        self._asked += 1
        return sample.architecture

    def asks_ahead(self, outstanding: int) -> bool:
        """Check whether the policy stays the same until the pending outcomes have come: true within a batch.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0.

        Returns:
            True if the pending outcomes do not complete a batch.
        """
        return len(self._finished) + outstanding < self.config.batch

    def tell(self, outcome: Outcome) -> None:
        """Collect an outcome; update the controller when it completes a batch.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child is not pending, has another architecture than the proposal, or has status "ok"
                but no score.
        """
        sample = self._outstanding.get(outcome.index)
        if sample is None:
            raise InputError(
                f"child {outcome.index} is not outstanding: it was not proposed, or its outcome came before"
            )
        if outcome.architecture.choices != sample.architecture.choices:
            raise InputError(
                f"child {outcome.index} was proposed as {sample.architecture.choices}, which is not the architecture of the outcome"
            )
        reward = self.reward(outcome)
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        del self._outstanding[outcome.index]
        self._finished.append((sample, reward))
        if len(self._finished) == self.config.batch:
            with one_thread():
                self.update(self._batch())
            self._finished.clear()
            self._queue.clear()

    def _draw(self, space: Space) -> list[Sample]:
        with one_thread(), torch.no_grad():
            drawn = sample_fitting(self.controller, space, self.config.batch, self._generator)
            log_probs = self.controller.score(drawn.choices).log_prob
        return [Sample(*pair) for pair in zip(drawn.architectures, log_probs.tolist())]

    def _batch(self) -> Batch:
        samples = [sample for sample, _ in self._finished]
        rows = [sample.architecture.choices for sample in samples]
        return Batch(
            choices=_padded(rows),
            counts=torch.tensor([len(row) for row in rows]),
            log_probs=torch.tensor([sample.log_prob for sample in samples], dtype=torch.float32),
            advantages=torch.tensor(
                self.baseline.advantages([reward for _, reward in self._finished]), dtype=torch.float32
            ),
        )


def _padded(rows: Sequence[tuple[int, ...]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + (0,) * (width - len(row)) for row in rows])
