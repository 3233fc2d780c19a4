"""NSGA-II beside pymoo's on a complete table: hypervolume at equal evaluations, and evaluations a processor second.

    pip install -r benchmarks/requirements.txt
    python benchmarks/pymoo_fronts.py results/digits201.h5 --population 20 --evaluations 200 --searches 200

Both have the same operators (uniform crossover with probability 0.9, each decision mutated with 1/n to another option, no
child with the choices of another), the same objectives (error and parameters) and the same corner. One process runs both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.operators.crossover.ux import UX
from pymoo.optimize import minimize
from pymoo.termination import get_termination
from record import Measurement, keep

from nasbench.analysis.pareto.dominance import dominated_volume
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.search.budget import Budget
from nasbench.tabular.tables import Table, read_table


class OfTable(Problem):
    def __init__(self, table: Table, error: np.ndarray) -> None:
        self.table, self.error, self.log = table, error, []
        self.options = np.array([decision.options for decision in table.space.decisions])
        count = len(self.options)
        super().__init__(n_var=count, n_obj=2, xl=np.zeros(count), xu=self.options - 1, vtype=int)

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
        codes = self.table.code(x.astype(int))
        self.log.append(codes)
        out["F"] = np.column_stack([self.error[codes], self.table.params[codes].astype(float)])


class Uniform(Sampling):
    def _do(self, problem: OfTable, count: int, *_: Any, random_state: Any = None, **__: Any) -> np.ndarray:
        return np.column_stack([random_state.integers(0, options, size=count) for options in problem.options])


class OtherOption(Mutation):
    def _do(self, problem: OfTable, x: np.ndarray, *_: Any, random_state: Any = None, **__: Any) -> np.ndarray:
        changed = random_state.random(x.shape) < 1 / x.shape[1]
        steps = 1 + random_state.integers(0, problem.options - 1, size=x.shape)
        return np.where(changed, (x.astype(int) + steps) % problem.options, x.astype(int))


def theirs(table: Table, error: np.ndarray, population: int, evaluations: int, seed: int) -> np.ndarray:
    problem = OfTable(table, error)
    algorithm = NSGA2(
        pop_size=population,
        sampling=Uniform(),
        crossover=UX(prob=0.9),
        mutation=OtherOption(prob=1.0),
        eliminate_duplicates=True,
    )
    minimize(problem, algorithm, get_termination("n_eval", evaluations), seed=seed)
    return np.concatenate(problem.log)[:evaluations]


def ours(table: Table, population: int, evaluations: int, seed: int, distinct: str) -> np.ndarray:
    setting = Setting.of("nsga2", {"population": str(population), "distinct": distinct})
    return replay(table, setting, [seed], ReplayBudget(Budget.parse(f"{evaluations} children"))).codes[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--searches", type=int, default=50)
    parser.add_argument("--keep", action="store_true", help="add the ratios to results.csv")
    given = parser.parse_args()
    table = read_table(given.table)
    error = 1 - np.nan_to_num(table.val_acc, nan=0.0)
    size = np.log10(table.params.astype(float))
    corner = np.array([1.0, np.ceil(size.max())])
    runners: dict[str, Callable[[int], np.ndarray]] = {
        "pymoo": lambda seed: theirs(table, error, given.population, given.evaluations, seed),
        "nsga2, distinct=choices": lambda seed: ours(table, given.population, given.evaluations, seed, "choices"),
        "nsga2, distinct=graph": lambda seed: ours(table, given.population, given.evaluations, seed, "graph"),
    }
    volumes: dict[str, list[float]] = {name: [] for name in runners}
    seconds = dict.fromkeys(runners, 0.0)
    for seed in range(given.searches):  # interleaved, so that a busy machine slows all of them
        for name, run in runners.items():
            began = time.process_time()
            codes = run(seed)
            seconds[name] += time.process_time() - began
            volumes[name].append(dominated_volume(np.column_stack([error[codes], size[codes]]), corner))
    rates = {name: given.searches * given.evaluations / spent for name, spent in seconds.items()}
    for name, found in volumes.items():
        half = 1.96 * np.std(found, ddof=1) / len(found) ** 0.5
        print(
            f"{name:24} hypervolume {np.mean(found):.4f} +- {half:.4f}  {rates[name]:,.0f} evaluations a processor second"
        )
    print(f"the whole table          hypervolume {dominated_volume(np.column_stack([error, size]), corner):.4f}")
    what = f"replay of {{}}, population {given.population}, {given.evaluations} evaluations"
    against, unit = "pymoo 0.6.2", "evaluations a processor second"
    keep(
        [
            Measurement(what.format(name), rates[name] / rates["pymoo"], against, rates[name], rates["pymoo"], unit)
            for name in runners
            if name != "pymoo"
        ],
        given.keep,
    )


if __name__ == "__main__":
    main()
