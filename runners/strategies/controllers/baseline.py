"""Baseline that policy-gradient strategies subtract from rewards."""

from __future__ import annotations

from collections.abc import Sequence


class MovingAverage:
    """Exponential moving average of past rewards; the first reward initialises it.

    Args:
        decay: weight of the past, in [0, 1).

    Source: Zoph & Le 2016 (1611.01578), section 3.2; Zoph et al. 2017 (1707.07012), appendix A (decay 0.95).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.value: float | None = None

    def advantages(self, rewards: Sequence[float]) -> list[float]:
        """Subtract the average from each reward, then add the reward to the average.

        A reward is compared with earlier rewards only, also within a batch, so the gradient estimate stays unbiased.

        Args:
            rewards: in the order in which they came.

        Returns:
            One advantage per reward; the very first is 0.
        """
        advantages = []
        for reward in rewards:
            past = reward if self.value is None else self.value
            advantages.append(reward - past)
            self.value = self.decay * past + (1 - self.decay) * reward
        return advantages
