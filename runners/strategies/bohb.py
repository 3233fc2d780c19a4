"""BOHB: Hyperband whose new architectures come from a model of the good and the bad ones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.base import Outcome, Proposal
from nasbench.runners.strategies.densities import CategoricalDensity, IntArray
from nasbench.runners.strategies.rungs import Core, Halving, RungConfig, RungStrategy, hyperband_brackets
from nasbench.runners.strategies.vectorized import options_of
from nasbench.spaces.base import Architecture, Space


class BohbConfig(RungConfig):
    """Options of BOHB; the defaults are those of Falkner et al. 2018 (1807.01774), unless marked."""

    random_share: float = Field(
        1 / 3, ge=0, le=1, description="rho, probability that a new architecture is a uniform draw (1807.01774)"
    )
    good_share: float = Field(0.15, gt=0, lt=1, description="q, share of the outcomes that are good (1807.01774)")
    draws: int = Field(64, ge=1, description="N_s, draws of which the most promising is proposed (1807.01774)")
    widening: float = Field(3.0, ge=1, description="b_w, factor of the width of the kernels for the draws (1807.01774)")
    least: int = Field(
        0, ge=0, description="N_min, least good and bad outcomes; 0: number of decisions + 1 (1807.01774)"
    )


class Bohb(RungStrategy[BohbConfig]):
    """Run Hyperband; draw new architectures where good outcomes are dense and bad ones are not.

    The model is that of the highest rung with N_min + 2 outcomes. It is made of two densities over the decisions: of the
    best share q of the outcomes, and of the others. Of N_s draws from the first, the one with the largest ratio of the two
    is proposed; draws that were proposed before, by hash, are left out. Where none is left, a uniform draw is proposed.

    Source: Falkner, Klein, Hutter 2018 (1807.01774), algorithm 2 and equations 2 to 4; brackets as in `hyperband`.
    Deviation: densities are `densities.CategoricalDensity`, with widths by leave-one-out likelihood; the released code takes
        the normal reference rule of statsmodels, which reads choices as numbers. Failed children are the worst. In a search
        with limits, draws that do not fit are left out. The paper does not leave out what was proposed before: its spaces
        are continuous. In a space of choices a good architecture would be drawn again, each time as one more good outcome,
        until hardly any other is proposed.
    """

    name = "bohb"
    config_type = BohbConfig
    draws_uniformly = False

    def __init__(self, space: Space, seed: int, config: BohbConfig | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        self._options = options_of(space)
        self._epochs: dict[int, int] = {}  # of what is in training, by index
        self._asked = 0
        self._drawn: set[str] = set()  # hashes of all architectures that were drawn as new ones
        self._outcomes: dict[int, list[tuple[float, tuple[int, ...]]]] = {}  # by epochs: loss and choices
        self._model: tuple[int, int, CategoricalDensity, CategoricalDensity] | None = None
        super().__init__(space, seed, config)

    def core(self, draw: Callable[[], Any]) -> Core[Any]:
        """Make the endless row of brackets; see `RungStrategy.core`."""
        options = self.config
        return Halving(cycle(hyperband_brackets(options.max_epochs, options.min_epochs, options.eta)), draw)

    def ask(self) -> Proposal | None:
        """Propose the next training of Hyperband."""
        proposal = super().ask()
        if proposal is not None:
            self._epochs[self._asked] = proposal.epochs
            self._asked += 1
        return proposal

    def tell(self, outcome: Outcome) -> None:
        """Add an outcome to those of its rung; see `RungStrategy.tell`."""
        super().tell(outcome)
        epochs, loss = self._epochs.pop(outcome.index), -self.reward(outcome)
        choices = outcome.architecture.choices
        if len(choices) == len(self._options):
            self._outcomes.setdefault(epochs, []).append((loss, choices))

    def _draw(self) -> Architecture:
        drawn = self._drawn_by_model()
        found = drawn if drawn is not None else self.space.random(self._rng)
        self._drawn.add(found.hash)
        return found

    def _drawn_by_model(self) -> Architecture | None:
        """The most promising draw that is new and fits the limits; None for a uniform draw, and where there is none."""
        model = self._fitted()
        if model is None or self._rng.random() < self.config.random_share:
            return None
        good, bad = model
        drawn = good.draw(self._rng, self.config.draws, self.config.widening)
        for place in np.argsort(bad.log(drawn) - good.log(drawn), kind="stable").tolist():
            architecture = self.space.decode(drawn[place].tolist())
            if architecture.hash not in self._drawn and self.space.allows(architecture):
                return architecture
        return None

    def _fitted(self) -> tuple[CategoricalDensity, CategoricalDensity] | None:
        """Densities of the good and the bad outcomes of the highest rung with enough of them."""
        least = self.config.least or len(self._options) + 1
        enough = [epochs for epochs, found in self._outcomes.items() if len(found) >= least + 2]
        if not enough:
            return None
        epochs, number = max(enough), len(self._outcomes[max(enough)])
        if self._model is None or self._model[:2] != (epochs, number):
            points = self._sorted(epochs)
            good = max(least, int(self.config.good_share * number))
            bad = max(least, number - good)
            densities = (CategoricalDensity(part, self._options) for part in (points[:good], points[-bad:]))
            self._model = (epochs, number, *densities)  # type: ignore[assignment]
        assert self._model is not None
        return self._model[2:]

    def _sorted(self, epochs: int) -> IntArray:
        """Choices of a rung's outcomes, the best first; ties in the order in which they came."""
        found = sorted(self._outcomes[epochs], key=lambda outcome: outcome[0])
        return np.array([choices for _, choices in found], dtype=np.int64)
