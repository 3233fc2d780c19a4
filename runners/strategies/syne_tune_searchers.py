"""Any single-objective searcher of Syne Tune as a strategy over a space's decisions."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import numpy as np
from packaging.version import Version
from pydantic import Field, model_validator

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.strategies.advice import population_advice
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.used_options import require_used
from nasbench.spaces.base import Architecture, Space

SearcherName = Literal["cqr", "bore", "kde", "regularized_evolution", "random_search"]
REJECTED_IN_A_ROW: Final = 100
OLDEST: Final = "0.16"
"""Oldest Syne Tune that was tried and whose five searchers can be made and work; 0.13 to 0.15 lack some of them."""
_STARTUP: Final = {"cqr": "num_init_random_draws", "bore": "init_random"}
_STARTUP_OF_SYNE_TUNE: Final = {"cqr": 5, "bore": 6}
_USED_BY: Final = {
    "startup": tuple(_STARTUP),
    "population": ("regularized_evolution",),
    "sample": ("regularized_evolution",),
}


class SyneTuneConfig(StrategyConfig):
    """Options of Syne Tune's searchers; everything that is not named here has Syne Tune's own default."""

    searcher: SearcherName = Field(
        "cqr",
        description="Syne Tune's conformal quantile regression (Salinas et al. 2023, 2305.03623), BORE (2102.09009), kernel "
        "densities (Falkner et al. 2018, 1807.01774; random until 15% of the children outnumber the decisions), regularized "
        "evolution (1802.01548) or random search",
    )
    startup: int = Field(
        0,
        ge=0,
        description="random architectures before the model is used; cqr and bore only (0: Syne Tune's own number, 5 or 6)",
    )
    population: int = Field(
        20,
        ge=2,
        description="regularized_evolution: architectures in the population (ours, for budgets of hundreds; Syne Tune: 100)",
    )
    sample: int = Field(
        5,
        ge=1,
        description="regularized_evolution: architectures of a tournament, drawn with replacement (ours; Syne Tune: 10)",
    )

    @model_validator(mode="after")
    def _used(self) -> SyneTuneConfig:
        """Refuse an option that the searcher would ignore."""
        require_used(self, "searcher", _USED_BY)
        return self


class SyneTuneSearch(Strategy[SyneTuneConfig]):
    """A searcher of Syne Tune proposes the choices of all decisions.

    A decision is a categorical hyperparameter (`choice`) with texts as values; decisions with one option are left out. The
    searcher minimizes 1 - reward; a failed child has the reward 0, as in all strategies of this suite. The searcher is told
    nothing of an architecture that the limits of the search do not allow, and proposes another; after 100 of these in a row one allowed
    architecture is drawn at random. BORE fits its model again for each of these suggestions, so strict limits cost it seconds
    per child.

    Source: Salinas et al. 2022, "Syne Tune: A Library for Large Scale Hyperparameter Tuning and Reproducible Research", and
    the searchers of the installed version, e.g. CQR (2305.03623) and BORE (2102.09009).
    Deviation: Syne Tune's searchers draw some numbers from numpy's global generator, which its seed does not set. Here
    that generator has a state of its own during each call of a searcher, and the caller's state afterwards, so that a
    search repeats; BoTorch's searcher, which draws from torch's global generator, is not offered. Searchers are told whole
    trainings only; Syne Tune's schedulers (ASHA and others) are not used. BORE's classifier has one thread, so that its
    sums do not depend on the number of cores. Another version of Syne Tune may propose other architectures for the same
    seed.

    Args:
        space: the space to search.
        seed: seed of all random draws, >= 0; the searcher's own seed is derived from it.
        config: options; None for the defaults.

    Raises:
        MissingExtra: when Syne Tune is not installed.
        InputError: when it is older than `OLDEST`.
    """

    name = "syne_tune"
    config_type = SyneTuneConfig
    main_option = "searcher"
    begins_at_random = False  # its first ones are random, too, but the searcher draws them

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a budget of random architectures alone is random search; see `Strategy.advice`."""
        searcher = getattr(config, "searcher", "")
        if searcher == "regularized_evolution":
            return population_advice(cls.name, config, children)
        startup = getattr(config, "startup", 0) or _STARTUP_OF_SYNE_TUNE.get(searcher, 0)
        if startup < children:
            return ""
        return (
            f"{cls.name}: {searcher} draws the first {startup:,} architectures at random, so with a budget of {children:,} "
            "children this is random search"
        )

    def __init__(self, space: Space, seed: int, config: SyneTuneConfig | None = None) -> None:
        super().__init__(space, seed, config)
        sequence = np.random.SeedSequence(seed).generate_state(3)
        own, drawing = int(sequence[0] % 2**31), int(sequence[1])
        self._rng = np.random.default_rng(drawing)
        self._global: Any = np.random.RandomState(int(sequence[2])).get_state()
        self._choosable = {
            place: f"{place}:{decision.name}" for place, decision in enumerate(space.decisions) if decision.options > 1
        }
        self._searcher = self._started(own)
        self._asked: list[Architecture] = []

    def ask(self) -> Architecture | None:
        """Propose what the searcher suggests; see `Strategy.ask`."""
        architecture = next(self.space.fitting(self._suggested()))
        self._asked.append(architecture)
        return architecture

    def tell(self, outcome: Outcome) -> None:
        """Tell the searcher the reward of a child.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when no such child was proposed.
        """
        if not 0 <= outcome.index < len(self._asked):
            raise InputError(f"child {outcome.index} was not proposed; there are {len(self._asked)} proposals")
        if self._searcher is None:
            return
        choices = self._asked[outcome.index].choices
        values = {name: str(choices[place]) for place, name in self._choosable.items()}
        with self._apart():
            self._searcher.on_trial_complete(outcome.index, values, 1.0 - self.reward(outcome))

    def _suggested(self) -> Iterator[Architecture]:
        """Yield suggestions; whoever takes a further one has rejected the one before."""
        for _ in range(REJECTED_IN_A_ROW if self._searcher is not None else 0):
            with self._apart():
                values = self._searcher.suggest()
            if values is None:
                break
            choices = [0] * len(self.space.decisions)
            for place, name in self._choosable.items():
                choices[place] = int(values[name])
            yield self.space.decode(choices)
        yield self.space.random(self._rng)

    def _started(self, seed: int) -> Any:
        """The searcher, or None for a space of one architecture, which Syne Tune's searchers refuse."""
        try:
            from syne_tune import __version__ as installed

            if Version(installed) < Version(OLDEST):
                raise InputError(
                    f"strategy 'syne_tune' needs syne-tune {OLDEST} or newer, and {installed} is installed: "
                    "pip install --upgrade 'nasbench-suite[syne-tune]'"
                )
            from syne_tune.config_space import choice
            from syne_tune.optimizer.schedulers.searchers.searcher_factory import searcher_factory
        except ImportError:
            raise MissingExtra("syne-tune", "syne-tune") from None
        if not self._choosable:
            return None
        space = {
            name: choice([str(option) for option in range(self.space.decisions[place].options)])
            for place, name in self._choosable.items()
        }
        fields: dict[str, Any] = {}
        if self.config.searcher == "regularized_evolution":
            fields = {"population_size": self.config.population, "sample_size": self.config.sample}
        elif self.config.startup and self.config.searcher in _STARTUP:
            fields = {_STARTUP[self.config.searcher]: self.config.startup}
        with self._apart():
            searcher = searcher_factory(self.config.searcher, space, random_seed=seed, **fields)
        if self.config.searcher == "bore":
            searcher.model.set_params(n_jobs=1)
        return searcher

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Give numpy's global generator this strategy's state within the block, and mute warnings of Syne Tune's models."""
        outside, muted = np.random.get_state(), logging.root.manager.disable  # noqa: NPY002
        np.random.set_state(self._global)  # noqa: NPY002
        logging.disable(max(muted, logging.ERROR))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.disable(muted)
            self._global = np.random.get_state()  # noqa: NPY002
            np.random.set_state(outside)  # noqa: NPY002
