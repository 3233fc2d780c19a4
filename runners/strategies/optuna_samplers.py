"""Any sampler of Optuna as a strategy over a space's decisions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.strategies.advice import startup_advice
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.objectives import costs_of, measured_among, objective_names
from nasbench.runners.strategies.used_options import require_used
from nasbench.spaces.base import Architecture, Decision, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

SamplerName = Literal["tpe", "gp", "cmaes", "nsga2", "qmc", "random"]
REJECTED_IN_A_ROW: Final = 100
_USED_BY: Final = {
    "startup": ("tpe", "gp", "cmaes"),
    "multivariate": ("tpe",),
    "constant_liar": ("tpe",),
    "population": ("nsga2",),
}
_FIRST: Final = {"tpe": ("startup", 10), "gp": ("startup", 10), "cmaes": ("startup", 1), "nsga2": ("population", 50)}
"""The option that says how many architectures are random at first, and Optuna's own number of them (version 5.0)."""
_WHOLE_NUMBERS: Final = ("cmaes", "qmc")  # these samplers have no distribution of categories


class OptunaConfig(StrategyConfig):
    """Options of Optuna's samplers; everything that is not named here has Optuna's own default."""

    sampler: SamplerName = Field(
        "tpe",
        description="Optuna's TPESampler, GPSampler, CmaEsSampler (package cmaes), NSGAIISampler, QMCSampler "
        "(package scipy) or RandomSampler",
    )
    startup: int = Field(
        0,
        ge=0,
        description="random architectures before the model is used; tpe, gp and cmaes only (0: Optuna's own number, 10 for tpe)",
    )
    multivariate: bool | None = Field(
        None,
        description="tpe: model the decisions together (Falkner et al. 2018, 1807.01774), or one by one (not given: Optuna's own rule)",
    )
    constant_liar: bool | None = Field(
        None,
        description="tpe: take children that are in training as poor ones, so that proposals differ (not given: Optuna's own rule)",
    )
    population: int = Field(0, ge=0, description="nsga2: size of the population (0: Optuna's own number, 50)")
    objectives: str = Field(
        "",
        description="two or three objectives instead of the accuracy, as of strategy nsga2, e.g. error/params; not with cmaes (not "
        "given: the reward, i.e. the validation accuracy)",
    )

    @field_validator("objectives")
    @classmethod
    def _none_or_several(cls, text: str) -> str:
        """Store one spelling; refuse another number of names."""
        return "/".join(objective_names(text)) if text else ""

    @model_validator(mode="after")
    def _used(self) -> OptunaConfig:
        """Refuse an option that the sampler would ignore."""
        require_used(self, "sampler", _USED_BY)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives, all of them minimized; none for a search by its reward."""
        return objective_names(self.objectives) if self.objectives else ()

    @property
    def measured(self) -> tuple[str, ...]:
        """The objectives that must be measured; see `StrategyConfig.measured`."""
        return measured_among(self.names)


class OptunaSearch(Strategy[OptunaConfig]):
    """A sampler of Optuna proposes the choices of all decisions.

    A decision is a categorical parameter; for cmaes and qmc, which know numbers only, it is a whole number. The study lives
    in memory. A failed child is told with the reward 0, as to all strategies of this suite. An architecture that the
    limits of the search do not allow is told as pruned, and another is asked for; after 100 of these in a row one allowed
    architecture is drawn at random.

    Source: Akiba et al. 2019 (1907.10902), and the samplers of the installed version of Optuna.
    Deviation: Optuna maximizes the reward, or minimizes the objectives; it sees no learning curve, so its pruners are not
    used. Another version of Optuna may propose other architectures for the same seed.

    Args:
        space: the space to search.
        seed: seed of the sampler, >= 0.
        config: options; None for the defaults.

    Raises:
        MissingExtra: when Optuna is not installed.
        InputError: when cmaes is to search for several objectives.
    """

    name = "optuna"
    config_type = OptunaConfig
    main_option = "sampler"
    begins_at_random = False  # its first ones are random, too, but the sampler draws them

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a budget of a first population, or of startup architectures alone, is random search; see `Strategy.advice`."""
        sampler = str(getattr(config, "sampler", ""))
        if sampler not in _FIRST:
            return ""
        option, usual = _FIRST[sampler]
        return startup_advice(f"{cls.name} ({sampler})", option, getattr(config, option, 0) or usual, children)

    def __init__(self, space: Space, seed: int, config: OptunaConfig | None = None) -> None:
        super().__init__(space, seed, config)
        if self.config.sampler == "cmaes" and self.config.names:
            raise InputError("strategy 'optuna': cmaes has one objective; take sampler tpe, gp, nsga2, qmc or random")
        optuna = _optuna()
        own, drawing = np.random.SeedSequence(seed).generate_state(2)
        self._rng = np.random.default_rng(drawing)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = _SAMPLERS[self.config.sampler](self.config, int(own))
        directions = ["minimize"] * len(self.config.names) or ["maximize"]
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._distributions = {
            _parameter(place, decision): self._distribution(decision) for place, decision in enumerate(space.decisions)
        }
        self._asked: list[Trial | None] = []  # trial of each proposal; None for one that was drawn at random
        self._latest: Trial | None = None

    def ask(self) -> Architecture | None:
        """Propose what the sampler suggests; see `Strategy.ask`."""
        architecture = next(self.space.fitting(self._suggested()))
        self._asked.append(self._latest)
        return architecture

    def tell(self, outcome: Outcome) -> None:
        """Tell the study the reward of a child, or its objectives.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when no such child was proposed, or an objective of it is not known.
        """
        if not 0 <= outcome.index < len(self._asked):
            raise InputError(f"child {outcome.index} was not proposed; there are {len(self._asked)} proposals")
        trial, names = self._asked[outcome.index], self.config.names
        found = list(costs_of(outcome, names)) if names else [self.reward(outcome)]
        if trial is not None:
            self._study.tell(trial, found)
            return
        values = dict(zip(self._distributions, outcome.architecture.choices, strict=True))
        optuna = _optuna()
        self._study.add_trial(optuna.trial.create_trial(params=values, distributions=self._distributions, values=found))

    def _suggested(self) -> Iterator[Architecture]:
        """Yield suggestions; whoever takes a further one has rejected the one before."""
        optuna = _optuna()
        for _ in range(REJECTED_IN_A_ROW):
            trial = self._latest = self._study.ask(self._distributions)
            yield self.space.decode([trial.params[name] for name in self._distributions])
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        self._latest = None
        yield self.space.random(self._rng)

    def _distribution(self, decision: Decision) -> BaseDistribution:
        distributions = _optuna().distributions
        if self.config.sampler in _WHOLE_NUMBERS:
            whole: BaseDistribution = distributions.IntDistribution(0, decision.options - 1)
            return whole
        categories: BaseDistribution = distributions.CategoricalDistribution(range(decision.options))
        return categories


def _parameter(place: int, decision: Decision) -> str:
    """Name of a decision's parameter: unique, as names of decisions need not be."""
    return f"{place}:{decision.name}"


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtra("optuna", "optuna") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _tpe(config: OptunaConfig, seed: int) -> BaseSampler:
    given = {"multivariate": config.multivariate, "constant_liar": config.constant_liar}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if config.startup:
        fields["n_startup_trials"] = config.startup
    sampler: BaseSampler = _optuna().samplers.TPESampler(seed=seed, **fields)
    return sampler


def _gp(config: OptunaConfig, seed: int) -> BaseSampler:
    fields = {"n_startup_trials": config.startup} if config.startup else {}
    sampler: BaseSampler = _optuna().samplers.GPSampler(seed=seed, **fields)
    return sampler


def _cmaes(config: OptunaConfig, seed: int) -> BaseSampler:
    fields = {"n_startup_trials": config.startup} if config.startup else {}
    try:
        import cmaes  # noqa: F401
    except ImportError:
        raise MissingExtra("cmaes", "optuna") from None
    sampler: BaseSampler = _optuna().samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False, **fields)
    return sampler


def _nsga2(config: OptunaConfig, seed: int) -> BaseSampler:
    fields = {"population_size": config.population} if config.population else {}
    sampler: BaseSampler = _optuna().samplers.NSGAIISampler(seed=seed, **fields)
    return sampler


def _qmc(config: OptunaConfig, seed: int) -> BaseSampler:
    sampler: BaseSampler = _optuna().samplers.QMCSampler(
        seed=seed, scramble=True, warn_independent_sampling=False, warn_asynchronous_seeding=False
    )
    return sampler


def _random(config: OptunaConfig, seed: int) -> BaseSampler:
    sampler: BaseSampler = _optuna().samplers.RandomSampler(seed=seed)
    return sampler


_SAMPLERS: Final[dict[SamplerName, Callable[[OptunaConfig, int], BaseSampler]]] = {
    "tpe": _tpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "nsga2": _nsga2,
    "qmc": _qmc,
    "random": _random,
}
