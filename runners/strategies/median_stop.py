"""Learning-curve stopping by the median rule: random architectures, of which those below the median stop early."""

from __future__ import annotations

from collections import deque
from statistics import fmean, median

import numpy as np
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, Proposal, Strategy, StrategyConfig
from nasbench.runners.strategies.rungs import score_of
from nasbench.spaces.base import Architecture, Space


class MedianStopConfig(StrategyConfig):
    """Options of median stopping; Golovin et al. 2017 give the rule, the numbers are those of Syne Tune, unless marked."""

    min_epochs: int = Field(1, ge=1, description="epochs before which nothing stops (Syne Tune: 1)")
    max_epochs: int = Field(
        0, ge=0, description="R, epochs of a whole training; 0: those of the protocol, or of the table in a replay"
    )
    interval: int = Field(1, ge=1, description="epochs between two looks at a curve (1 in the paper)")
    others: int = Field(
        5,
        ge=1,
        description="other trainings that must have come as far before one may stop (ours; Syne Tune: 4, and the training itself)",
    )


class MedianStop(Strategy[MedianStopConfig]):
    """Stop a training whose best score so far is below the median of the others' mean scores up to the same epoch.

    Every look at a curve is a child of its own, which continues the one before; so a training of R epochs has up to R
    rows, of which each is charged its own epochs. Trainings under way go on before new ones begin. `ask` never waits.

    Source: Golovin et al. 2017, "Google Vizier: a service for black-box optimization" (KDD), section 3.2.2, the median
        stopping rule; first epoch as in Syne Tune's `MedianStoppingRule`.
    Deviation: the median is over all trainings that came as far, also those that stopped later; the paper takes the
        completed ones. Syne Tune compares by rank, and the mean of a curve so far instead of its best score.
    """

    name = "median_stop"
    config_type = MedianStopConfig
    asks_epochs = True

    def __init__(self, space: Space, seed: int, config: MedianStopConfig | None = None) -> None:
        super().__init__(space, seed, config)
        options = self.config
        if options.max_epochs < options.min_epochs:
            raise InputError(
                f"max_epochs is {options.max_epochs}, below min_epochs {options.min_epochs}: give the epochs of a whole "
                "training, or fewer min_epochs"
            )
        self._looks = [*range(options.min_epochs, options.max_epochs, options.interval), options.max_epochs]
        self._rng = np.random.default_rng(seed)
        self._asked = 0
        self._open: dict[int, tuple[Architecture, int]] = {}  # index -> what is in training, and number of the look
        self._going: deque[tuple[Architecture, int, int]] = deque()
        self._means: list[list[float]] = [[] for _ in self._looks]  # of the trainings that came to each look

    def ask(self) -> Proposal:
        """Let the training go on that waits longest, or begin a new one."""
        if self._going:
            architecture, look, continues = self._going.popleft()
            return self._start(architecture, look, continues)
        return self._start(self.space.random(self._rng), 0, None)

    def _start(self, architecture: Architecture, look: int, continues: int | None) -> Proposal:
        self._open[self._asked] = architecture, look
        self._asked += 1
        return Proposal(architecture, self._looks[look], continues)

    def tell(self, outcome: Outcome) -> None:
        """Compare a curve with those of the others.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child has status "ok" but no score or no curve.
        """
        architecture, look = self._open.pop(outcome.index)
        if score_of(outcome, self.reward(outcome)) is None:
            return
        curve = outcome.val_curve
        if len(curve) != self._looks[look]:
            raise InputError(
                f"child {outcome.index} has a curve of {len(curve)} epochs, not {self._looks[look]}: strategy "
                f"{self.name!r} needs whole curves"
            )
        means = self._means[look]
        stops = len(means) >= self.config.others and max(curve) < median(means)
        means.append(fmean(curve))
        if not stops and look + 1 < len(self._looks):
            self._going.append((architecture, look + 1, outcome.index))
