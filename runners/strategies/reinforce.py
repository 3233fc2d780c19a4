"""REINFORCE with a recurrent controller, as in the first paper on neural architecture search."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome
from nasbench.runners.strategies.controllers.policy_gradient import (
    Batch,
    ControllerConfig,
    PolicyGradient,
    learning_options,
)
from nasbench.spaces.base import Space

PAPER_CHILDREN = 12_800
"""Children of the search in Zoph & Le 2016 (1611.01578), section 4.2."""


class ReinforceConfig(ControllerConfig):
    """Options of REINFORCE; the defaults are those of Zoph & Le 2016 (1611.01578), section 4.1, unless marked."""

    layers: int = Field(2, ge=1, description="LSTM layers (section 4.1)")
    hidden: int = Field(35, ge=1, description="units of each LSTM layer and of the embeddings (section 4.1)")
    init: float = Field(0.08, gt=0, description="parameters start uniform in [-init, init] (section 4.1)")
    learning_rate: float = Field(6e-4, gt=0, description="learning rate of Adam (section 4.1)")
    batch: int = Field(8, ge=1, description="children per update (section 4.1: 8 per controller replica)")
    baseline_decay: float = Field(
        0.95, ge=0, lt=1, description="weight of the past in the moving average of rewards (ours; not given)"
    )
    reward_epochs: int = Field(
        5,
        ge=1,
        description="number of last epochs whose best validation accuracy is rewarded (section 4.1); a replay tells the last epoch's alone",
    )
    reward_power: float = Field(3.0, gt=0, description="the accuracy is raised to this power (section 4.1: cubed)")
    depth_start: int = Field(
        0,
        ge=0,
        description="layers of the first children on a space with layers (0: all from the start; section 4.1: 6)",
    )
    depth_step: int = Field(2, ge=1, description="layers added at a time (section 4.1)")
    depth_every: int = Field(1600, ge=1, description="children proposed between additions (section 4.1)")


class Reinforce(PolicyGradient[ReinforceConfig]):
    """REINFORCE: follow the advantage-weighted gradient of the log-probability of the children.

    The log-probability is that of all decisions jointly, under the policy at the time of the update; children drawn by
    an earlier policy are not reweighted. With `depth_start`, early children have fewer layers: the controller makes the
    decisions of the first layers only.

    Source: Zoph & Le 2016 (1611.01578), sections 3.2 and 4.1.
    Deviation: one controller, not 100 replicas on 20 parameter servers. The paper does not give the weight of the past
    in the baseline.
    """

    name = "reinforce"
    begins_at_random = False
    config_type = ReinforceConfig

    @classmethod
    def auto_options(cls, children: int) -> dict[str, Any]:
        """Scale the rate, and make at least ten updates; see `Strategy.auto_options`."""
        return learning_options(children, rate=6e-4, batch=8, of=PAPER_CHILDREN)

    def __init__(self, space: Space, seed: int, config: ReinforceConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._at_depth = lru_cache(maxsize=None)(self._shallower)
        if self.config.depth_start:
            self.space_at(0)

    def reward(self, outcome: Outcome) -> float:
        """Compute the reward of the first paper: the best validation accuracy of the last epochs, cubed.

        The number of epochs (`reward_epochs`) and the power (`reward_power`) are options. Without a curve the final
        accuracy is used.

        Args:
            outcome: the outcome of a child.

        Returns:
            The reward in [0, 1]; 0 if the status is not "ok".
        """
        if outcome.status != "ok":
            return 0.0
        last = outcome.val_curve[-self.config.reward_epochs :] or (outcome.val_acc,)
        return float(max(last) ** self.config.reward_power)

    def space_at(self, index: int) -> Space:
        """Return the space with as many layers as the depth schedule gives; see `PolicyGradient.space_at`."""
        options = self.config
        if not options.depth_start:
            return self.space
        return self._at_depth(options.depth_start + options.depth_step * (index // options.depth_every))

    def update(self, batch: Batch) -> None:
        """Make one step of Adam on a batch; see `PolicyGradient.update`."""
        scores = self.controller.score(batch.choices, batch.counts)
        self.optimizer.zero_grad()
        (-(batch.advantages * scores.log_prob).mean()).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def _shallower(self, depth: int) -> Space:
        layers = getattr(self.space, "layers", None)
        if not isinstance(layers, int) or not dataclasses.is_dataclass(self.space):
            raise InputError(f"depth_start needs a space with the option 'layers', which {self.space.spec!r} has not")
        if depth >= layers:
            return self.space
        space = dataclasses.replace(self.space, layers=depth)  # type: ignore[call-arg]
        if space.decisions != self.space.decisions[: len(space.decisions)]:
            raise InputError(
                f"depth_start needs the decisions of {space.spec!r} to be the first ones of {self.space.spec!r}"
            )
        return space
