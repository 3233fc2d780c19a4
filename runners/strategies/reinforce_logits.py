"""REINFORCE without a network: one free logit for every option of every decision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, StrategyConfig
from nasbench.runners.strategies.presets import scaled
from nasbench.runners.strategies.vectorized import (
    FloatArray,
    IntArray,
    UniformDraws,
    VectorizedSearch,
    VectorizedStrategy,
    options_of,
)
from nasbench.spaces.base import Architecture, Space

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class ReinforceLogitsConfig(StrategyConfig):
    """Options of REINFORCE on free logits; defaults as in the searches of NAS-Bench-201 (2001.00326), unless marked."""

    learning_rate: float = Field(
        0.03,
        gt=0,
        description="learning rate of Adam (ours: 0.01 to 0.2 give the row published for NAS-Bench-201, and public pages disagree)",
    )
    init: float = Field(1e-3, ge=0, description="standard deviation of the logits at the start (2001.00326)")
    baseline_decay: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="weight of the past in the average of rewards, corrected for its start (2001.00326)",
    )
    reward_scale: float = Field(
        100.0, gt=0, description="the validation accuracy times this is the reward: 100 gives percent (2001.00326)"
    )


class ReinforceLogits(VectorizedStrategy[ReinforceLogitsConfig]):
    """REINFORCE over independent softmax distributions, one per decision, with one step of Adam per child.

    The moving average includes a reward before the reward is compared with it. For a child that was proposed before the
    logits changed, the gradient is that of the policy at the time of its `tell`. A failed child has reward 0.

    In a search with limits on the architectures (`where_arch`), draws that do not fit are rejected and drawn again;
    `PolicyGradient` says what that means for the updates.

    Source: Dong & Yang 2020 (2001.00326), section 5, as its authors' code has it; Williams 1992.
    """

    name = "reinforce_logits"
    begins_at_random = False
    config_type = ReinforceLogitsConfig

    def __init__(self, space: Space, seed: int, config: ReinforceLogitsConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._policy = LogitPolicies(options_of(space), (seed,), self.config)

    @classmethod
    def auto_options(cls, children: int) -> dict[str, Any]:
        """Scale the rate to 10 / children, at most 0.03; see `Strategy.auto_options`.

        Measured on digits201 with 200 searches each: of the rates 0.003, 0.01, 0.03, 0.1 and 0.3 the best ones were 0.03
        for 300 children, 0.01 for 1,000 and 0.003 for 3,000; below 300, rates from 0.003 to 0.03 differ little.
        """
        return {"learning_rate": scaled(0.03, 333, children, 0.03)}

    @classmethod
    def vectorized(cls, space: Space, seeds: Sequence[int], config: ReinforceLogitsConfig) -> VectorizedSearch:
        """Make many policies that learn at once, on any space; see `VectorizedStrategy.vectorized`."""
        return VectorizedReinforceLogits(LogitPolicies(options_of(space), seeds, config))

    @property
    def probabilities(self) -> FloatArray:
        """The policy, [decisions, most options]; 0 for options that a decision does not have."""
        policy: FloatArray = self._policy.probabilities[0].copy()
        return policy

    def ask(self) -> Architecture:
        """Propose a draw from the policy, the first that the search allows. Never waits."""
        return next(self.space.fitting(self._draws()))

    def tell(self, outcome: Outcome) -> None:
        """Make one step along the advantage-weighted gradient of the child's log-probability.

        Args:
            outcome: the outcome of a child.

        Raises:
            InputError: when the child has status "ok" but no score.
        """
        reward = self.reward(outcome)
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        self._policy.learn(np.array([outcome.architecture.choices]), np.array([reward]))

    def _draws(self) -> Iterator[Architecture]:
        while True:
            yield self.space.decode(self._policy.draw()[0].tolist())


class VectorizedReinforceLogits(VectorizedSearch):
    """Many searches at once, each with its own policy.

    Args:
        policies: the policies, one per search.
    """

    def __init__(self, policies: LogitPolicies) -> None:
        self._policies = policies
        self._asked: IntArray = np.zeros((0, 0), dtype=np.int64)

    def ask(self) -> IntArray:
        """Propose a draw from each policy."""
        self._asked = self._policies.draw()
        return self._asked

    def tell(self, rewards: FloatArray) -> None:
        """Make one step of each policy with the reward of its child; see `VectorizedSearch.tell`."""
        self._policies.learn(self._asked, rewards)


class LogitPolicies:
    """Softmax policies over free logits, one per seed, each with its own generator, average of rewards and Adam state.

    Args:
        options: number of options of each decision.
        seeds: search seeds, one per policy.
        config: the strategy's options.
    """

    def __init__(self, options: Sequence[int], seeds: Sequence[int], config: ReinforceLogitsConfig) -> None:
        self._config = config
        self._last = np.array(options) - 1
        self._there = np.arange(max(options)) <= self._last[:, None]  # [decisions, most options]
        generators = [np.random.default_rng(seed) for seed in seeds]
        start = np.stack([generator.normal(0.0, config.init, self._there.shape) for generator in generators])
        self._logits = np.where(self._there, start, -np.inf)
        self._draws = UniformDraws(generators, len(options))
        self._first, self._second = np.zeros_like(start), np.zeros_like(start)  # Adam's moments
        self._average: FloatArray = np.zeros(len(generators))
        self._steps = 0
        self.probabilities = _softmax(self._logits)

    def draw(self) -> IntArray:
        """Draw one architecture from each policy, [policies, decisions]."""
        cumulative = self.probabilities.cumsum(axis=-1)
        above = self._draws.next()[..., None] >= cumulative[..., :-1]
        choices: IntArray = np.minimum(
            above.sum(axis=-1), self._last
        )  # rounding must not select an option that does not exist
        return choices

    def learn(self, choices: IntArray, rewards: FloatArray) -> None:
        """One step of each policy.

        Args:
            choices: [policies, decisions], the trained architectures.
            rewards: [policies], validation accuracies in [0, 1].
        """
        decay = self._config.baseline_decay
        rewards = rewards * self._config.reward_scale
        self._steps += 1
        self._average = decay * self._average + (1 - decay) * rewards
        advantage = rewards - self._average / (1 - decay**self._steps)
        made = np.arange(self._there.shape[1]) == choices[..., None]
        self._descend(advantage[:, None, None] * (self.probabilities - made))  # gradient of minus the log-probability
        self.probabilities = _softmax(self._logits)

    def _descend(self, gradient: FloatArray) -> None:
        """Make a step of Adam. Source: Kingma & Ba 2014 (1412.6980), algorithm 1."""
        self._first = BETA1 * self._first + (1 - BETA1) * gradient
        self._second = BETA2 * self._second + (1 - BETA2) * gradient**2
        first = self._first / (1 - BETA1**self._steps)
        second = self._second / (1 - BETA2**self._steps)
        self._logits = self._logits - self._config.learning_rate * first / (np.sqrt(second) + EPSILON)


def _softmax(logits: FloatArray) -> FloatArray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: FloatArray = weights / weights.sum(axis=-1, keepdims=True)
    return probabilities
