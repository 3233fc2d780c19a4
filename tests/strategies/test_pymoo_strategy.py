"""pymoo's algorithms as strategies: pymoo's own generations, limits, failures, and a clear line without the package."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.strategies import Outcome
from nasbench.runners.strategies.conformance import check_strategy, converse
from nasbench.runners.strategies.pymoo_algorithms import PymooConfig, PymooSearch
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.constrained import Counter, Limits, constrained, parse_limits, under_limits
from nasbench.structures import Counts

pytest.importorskip("pymoo")
SPACE = get_space("nasbench201")


def costs(choices) -> tuple[float, float]:
    """Error and parameters of an architecture; convolutions lower one and raise the other."""
    convolutions = sum(choice >= 2 for choice in choices)
    return 1 - 0.1 * convolutions - 0.01 * choices[0], 100.0 * convolutions + choices[1]


def outcome(index: int, architecture) -> Outcome:
    error, params = costs(architecture.choices)
    return Outcome(index, architecture, "ok", (), 1 - error, int(params), 1, 1.0)


@pytest.mark.parametrize("algorithm", ["ga", "nsga2", "sms"])
def test_every_algorithm_keeps_the_rules_of_strategies(algorithm):
    check_strategy(PymooSearch, SPACE, 0, PymooConfig(algorithm=algorithm, population=6), children=30)


def test_limits_are_kept():
    limited = under_limits(SPACE, "params <= 300k")
    proposals = converse(PymooSearch(limited, 0, PymooConfig(population=8)), 40).proposals
    assert len(proposals) == 40
    assert all(limited.allows(architecture) for architecture in proposals)


class SumOfChoices(Counter):
    """Counts the sum of the choices as parameters."""

    def counts(self, architecture: Architecture) -> Counts:
        return Counts(sum(architecture.choices), 0)


@pytest.mark.slow
def test_the_search_ends_where_nothing_more_fits():
    """pymoo proposes no architecture twice, and those that do not fit are never trained."""
    space = get_space("choices:4/3/2")
    limited = constrained(space, Limits(parse_limits("params <= 2"), SumOfChoices()))
    every = itertools.product(*(range(decision.options) for decision in space.decisions))
    fitting = {choices for choices in every if sum(choices) <= 2}
    search = PymooSearch(limited, 0, PymooConfig(population=6))
    proposals = converse(search, 100).proposals
    proposed = {tuple(each.choices) for each in proposals}
    assert proposed <= fitting
    assert 3 < len(proposed) == len(proposals)
    assert search.ask() is None


def test_its_generations_are_those_of_pymoos_own_loop():
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    theirs: list[tuple[int, ...]] = []

    class Cells(Problem):
        def __init__(self):
            super().__init__(n_var=6, n_obj=2, n_ieq_constr=1, xl=0, xu=4, vtype=int)

        def _evaluate(self, rows, out, *args, **kwargs):
            choices = [tuple(round(float(value)) for value in row) for row in rows]
            theirs.extend(choices)
            out["F"] = np.array([costs(each) for each in choices])
            out["G"] = np.zeros((len(choices), 1))

    seed = int(np.random.SeedSequence(5).generate_state(1)[0] % 2**31)
    algorithm = NSGA2(
        pop_size=10,
        sampling=IntegerRandomSampling(),
        crossover=SBX(vtype=float, repair=RoundingRepair()),
        mutation=PM(vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    minimize(Cells(), algorithm, ("n_gen", 6), seed=seed)

    strategy = PymooSearch(SPACE, 5, PymooConfig(population=10))
    ours = []
    for index in range(len(theirs)):
        architecture = strategy.ask()
        ours.append(architecture.choices)
        strategy.tell(outcome(index, architecture))
    assert ours == theirs


def test_limits_that_no_generation_keeps_are_one_line():
    with pytest.raises(InputError, match="found nothing that the limits allow in 100 generations"):
        PymooSearch(under_limits(SPACE, "params <= 1"), 0, PymooConfig(population=4))


def test_an_outcome_of_no_proposal_is_refused():
    with pytest.raises(InputError, match="child 3 was not proposed"):
        PymooSearch(SPACE, 0).tell(outcome(3, SPACE.decode([0] * 6)))


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo.algorithms.moo.nsga2", None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[pymoo\]"):
        PymooSearch(SPACE, 0)


def test_objectives_that_the_algorithm_would_ignore_are_refused():
    with pytest.raises(ValueError, match="objectives is an option of algorithm nsga2 and sms, not of ga"):
        PymooConfig(algorithm="ga", objectives="error/mult_adds")
    assert PymooConfig(algorithm="ga").names == ("error",)
