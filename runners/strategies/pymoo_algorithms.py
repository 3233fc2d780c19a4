"""Algorithms of pymoo as strategies over a space's decisions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.strategies.advice import population_advice
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.objectives import costs_of, measured_among, objective_names
from nasbench.runners.strategies.used_options import require_used
from nasbench.spaces.base import Architecture, Space

if TYPE_CHECKING:
    from pymoo.core.algorithm import Algorithm

GENERATIONS_WITHOUT_A_CHILD: Final = 100
AlgorithmName = Literal["ga", "nsga2", "sms"]


class PymooConfig(StrategyConfig):
    """Options of pymoo's algorithms; everything that is not named here has pymoo's own default."""

    algorithm: AlgorithmName = Field(
        "nsga2",
        description="pymoo's GA (by the error alone), NSGA2 or SMSEMOA, each with integer sampling, simulated binary "
        "crossover and polynomial mutation, rounded",
    )
    population: int = Field(
        20, ge=2, description="children of a generation (ours, for budgets of hundreds; pymoo: 100)"
    )
    objectives: str = Field(
        "error/params", description="two or three objectives, as of strategy nsga2; not for ga, which has the error"
    )

    @field_validator("objectives")
    @classmethod
    def _two_or_three(cls, text: str) -> str:
        """Store one spelling; refuse another number of names."""
        return "/".join(objective_names(text))

    @model_validator(mode="after")
    def _used(self) -> PymooConfig:
        """Refuse objectives that the algorithm would ignore."""
        require_used(self, "algorithm", {"objectives": ("nsga2", "sms")})
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives that count, all of them minimized."""
        return ("error",) if self.algorithm == "ga" else objective_names(self.objectives)

    @property
    def measured(self) -> tuple[str, ...]:
        """The objectives that must be measured; see `StrategyConfig.measured`."""
        return measured_among(self.names)


class PymooSearch(Strategy[PymooConfig]):
    """An algorithm of pymoo proposes generations of children.

    A decision is a whole number. The next generation begins when all outcomes of the one before are known. Architectures
    that the limits of the search do not allow are not trained: pymoo is told that they violate a constraint.

    Source: Blank & Deb 2020, "pymoo: Multi-objective optimization in Python" (2002.04504), and the installed version.
    Deviation: failed children have error 1. Another version of pymoo may propose other architectures for the same seed.

    Args:
        space: the space to search.
        seed: seed of the algorithm, >= 0.
        config: options; None for the defaults.

    Raises:
        MissingExtra: when pymoo is not installed.
    """

    name = "pymoo"
    config_type = PymooConfig
    main_option = "algorithm"
    begins_at_random = False  # its first ones are random, too, but pymoo draws them

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a population as large as the budget never evolves; see `Strategy.advice`."""
        return population_advice(cls.name, config, children)

    def __init__(self, space: Space, seed: int, config: PymooConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._algorithm = _algorithm(self.config, space, int(np.random.SeedSequence(seed).generate_state(1)[0] % 2**31))
        self._generation: Any = None  # pymoo's population that is in training
        self._costs: dict[int, tuple[float, ...]] = {}  # place in the generation -> objectives
        self._queue: deque[tuple[int, Architecture]] = deque()
        self._places: list[int] = []  # place in its generation of each proposal
        self._allowed: list[bool] = []
        self._pending = 0
        self._begin()

    def ask(self) -> Architecture | None:
        """Propose the next child of the generation; None while its outcomes are pending."""
        if not self._queue:
            return None
        place, architecture = self._queue.popleft()
        self._places.append(place)
        return architecture

    def asks_ahead(self, outstanding: int) -> bool:
        """Check whether pending outcomes cannot change the next proposal: a generation is made as a whole.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0.

        Returns:
            True; `ask` returns None between generations.
        """
        return True

    def tell(self, outcome: Outcome) -> None:
        """Store the objectives of a child. The last outcome of a generation makes the next one.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when no such child was proposed, or one of its objectives is not known.
        """
        if not 0 <= outcome.index < len(self._places):
            raise InputError(f"child {outcome.index} was not proposed; there are {len(self._places)} proposals")
        self._costs[self._places[outcome.index]] = costs_of(outcome, self.config.names)
        self._pending -= 1
        if not self._pending:
            self._end()
            self._begin()

    def _begin(self) -> None:
        """Take pymoo's next generation; one without any allowed child is told at once, and another follows.

        Where many in a row have none, the search ends: its operators find nothing new that fits.
        """
        for _ in range(GENERATIONS_WITHOUT_A_CHILD):
            self._generation = self._algorithm.ask()
            if self._generation is None:  # its operators find nothing new: the search ends
                return
            children = [self.space.decode(row) for row in np.rint(self._generation.get("X")).astype(int).tolist()]
            self._allowed = [self.space.allows(child) for child in children]
            self._queue.extend((place, child) for place, child in enumerate(children) if self._allowed[place])
            self._pending = len(self._queue)
            if self._queue:
                return
            self._end()
        if self._places:
            return
        raise InputError(
            f"strategy 'pymoo' found nothing that the limits allow in {GENERATIONS_WITHOUT_A_CHILD} generations; loosen the limits, "
            "or take a strategy that draws within them, e.g. nsga2"
        )

    def _end(self) -> None:
        """Tell pymoo the objectives of its generation, and which of its members were not allowed."""
        unknown = (1.0,) * len(self.config.names)
        values = [self._costs.get(place, unknown) for place in range(len(self._allowed))]
        self._generation.set("F", np.array(values))
        self._generation.set("G", np.array([[0.0 if allowed else 1.0] for allowed in self._allowed]))
        for individual in self._generation:
            individual.evaluated.update({"F", "G"})
        self._algorithm.tell(infills=self._generation)
        self._costs = {}


def _algorithm(config: PymooConfig, space: Space, seed: int) -> Algorithm:
    """Make the algorithm, set up for a problem whose objectives this suite evaluates."""
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.algorithms.moo.sms import SMSEMOA
        from pymoo.algorithms.soo.nonconvex.ga import GA
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
    except ImportError:
        raise MissingExtra("pymoo", "pymoo") from None
    kind = {"ga": GA, "nsga2": NSGA2, "sms": SMSEMOA}[config.algorithm]
    problem = Problem(
        n_var=len(space.decisions),
        n_obj=len(config.names),
        n_ieq_constr=1,
        xl=0,
        xu=np.array([decision.options - 1 for decision in space.decisions]),
        vtype=int,
    )
    algorithm: Algorithm = kind(
        pop_size=config.population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(vtype=float, repair=RoundingRepair()),
        mutation=PM(vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, termination=("n_gen", 10**9), seed=seed, verbose=False)
    return algorithm
