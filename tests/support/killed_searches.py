"""Searches that tests kill. They run in processes of their own, which import this file by its name."""

from __future__ import annotations

from pathlib import Path

from searching import search, tiny_plan

from nasbench.runners.search.config import SearchPlan
from nasbench.runners.strategies import STRATEGIES

CHILDREN = 12

SHARED = {"data": "fake:images=24,size=4,classes=3", "filters": 4, "epochs": 2}

# Every strategy, with options under which it learns or goes to its next level within the run.
OPTIONS: dict[str, dict[str, object]] = {
    "random": {},
    "reinforce": {"batch": 4},
    "ppo": {"batch": 4},
    "evolution": {"population": 4, "sample": 2},
    "local_search": {"move": "first"},
    "pnas": {"first": 5, "beam": 4, "candidates": 50, "predictor": "mlp", "ensemble": 2, "epochs": 2},
    "zero_cost": {"candidates": 6, "score": "synflow"},
    "asha": {"eta": 2},
    "bohb": {"eta": 2},
    "dehb": {"eta": 2},
    "median_stop": {},
    "optuna": {},
    "pymoo": {"population": 4},
    "syne_tune": {"searcher": "kde"},
    "hyperband": {},
    "successive_halving": {},
    "enas": {"epochs": 2, "controller_steps": 1, "aggregate": 2, "candidates": 8},
    "darts": {**SHARED, "order": 2},
    "drnas": {**SHARED, "warmup_epochs": 1},
    "gdas": SHARED,
    "pcdarts": {**SHARED, "warmup_epochs": 1},
    "rs_ws": {**SHARED, "candidates": 6, "minibatches": 2, "finalists": 2},
    "bananas": {"initial": 4, "batch": 3, "candidates": 10, "ensemble": 2, "layers": 2, "epochs": 3},
    "npenas": {"initial": 4, "batch": 3, "candidates": 10, "predictor": "forest", "trees": 5},
    "gp": {"initial": 4, "batch": 3, "candidates": 10},
    "nsga2": {"population": 4, "objectives": "error/params/mult_adds"},
    "mo_evolution": {"population": 4, "sample": 2},
    "parego": {"initial": 4, "candidates": 10},
}
# Mixtures compute every operation of a space in each step.
ONE_SHOT_SPACE = "nasnet:blocks=2,combinations=add,operations=identity/sep_conv_3x3/avg_pool_3x3"


def plan(strategy: str) -> SearchPlan:
    space = ONE_SHOT_SPACE if strategy in ("darts", "drnas", "gdas", "pcdarts") else "nasnet:blocks=2,combinations=add"
    given: dict[str, object] = {"options": OPTIONS[strategy], "budget": f"{CHILDREN} children", "space": space}
    if STRATEGIES.get(strategy).asks_epochs:
        given |= {"set": {"data": "fake:images=96,size=8,classes=3", "epochs": 4, "filters": 4, "validation": 0.5}}
    return tiny_plan(strategy=strategy, **given)


def run_and_report(path: str, reports, strategy: str) -> None:
    """Run (or resume) the search, sending the number of every child that was told."""
    import nasbench.runners.search.loop as module

    tell = module.Search._tell

    def reporting(self, proposal, row, evaluation):
        tell(self, proposal, row, evaluation)
        reports.send(int(row["index"]))

    module.Search._tell = reporting
    search(plan(strategy), Path(path))
