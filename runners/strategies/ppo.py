"""Proximal policy optimization with the controller of NASNet."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field

from nasbench.runners.strategies.controllers.policy_gradient import (
    Batch,
    ControllerConfig,
    PolicyGradient,
    learning_options,
)

PAPER_CHILDREN = 20_000
"""Children of the search in Zoph et al. 2017 (1707.07012), section 4."""


class PPOConfig(ControllerConfig):
    """Options of PPO; the defaults are those of Zoph et al. 2017 (1707.07012), appendix A, unless marked."""

    layers: int = Field(1, ge=1, description="LSTM layers (appendix A)")
    hidden: int = Field(100, ge=1, description="units of each LSTM layer and of the embeddings (appendix A)")
    init: float = Field(0.1, gt=0, description="parameters start uniform in [-init, init] (appendix A)")
    learning_rate: float = Field(3.5e-4, gt=0, description="learning rate of Adam (appendix A)")
    batch: int = Field(20, ge=1, description="children per update (appendix A)")
    baseline_decay: float = Field(
        0.95, ge=0, lt=1, description="weight of the past in the moving average of rewards (appendix A)"
    )
    entropy_weight: float = Field(
        1e-5, ge=0, description="weight of the entropy, in nats, that is rewarded (appendix A)"
    )
    clip: float = Field(
        0.2, gt=0, description="the probability ratio is clipped to [1 - clip, 1 + clip] (ours; not given)"
    )
    epochs: int = Field(4, ge=1, description="steps of Adam on each batch (ours; not given)")


class PPO(PolicyGradient[PPOConfig]):
    """PPO: several clipped gradient steps on each batch of children. The reward is the validation accuracy.

    The ratio compares the joint probability of a child's decisions under the current policy with that under the policy
    that drew it. In a search with limits on the architectures (`where_arch`), both are probabilities before the
    rejection of those that do not fit, so the ratio leaves out how the probability of a fitting draw changes within an
    update.

    Source: Zoph et al. 2017 (1707.07012), section 3 and appendix A; the clipped objective is equation 7 of Schulman et
    al. 2017 (1707.06347).
    Deviation: there is one controller, which sees every child. The paper does not give clip and epochs. Each step uses
    the whole batch.
    """

    name = "ppo"
    begins_at_random = False
    config_type = PPOConfig

    @classmethod
    def auto_options(cls, children: int) -> dict[str, Any]:
        """Scale the rate, and make at least ten updates; see `Strategy.auto_options`."""
        return learning_options(children, rate=3.5e-4, batch=20, of=PAPER_CHILDREN)

    def update(self, batch: Batch) -> None:
        """Make `epochs` steps of Adam on the clipped objective of a batch.

        Args:
            batch: choices, log-probabilities and advantages of the children.

        Source: Schulman et al. 2017 (1707.06347), equation 7 for the clipped objective.
        """
        options = self.config
        for _ in range(options.epochs):
            scores = self.controller.score(batch.choices, batch.counts)
            ratio = torch.exp(scores.log_prob - batch.log_probs)
            clipped = ratio.clamp(1 - options.clip, 1 + options.clip)
            gain = torch.minimum(ratio * batch.advantages, clipped * batch.advantages)
            objective = gain.mean() + options.entropy_weight * scores.entropy.mean()
            self.optimizer.zero_grad()
            (-objective).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
