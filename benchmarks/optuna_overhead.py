"""Seconds per trial of strategy `optuna` on a table, beside Optuna's own loop on the same table, in one interleaved run.

python benchmarks/optuna_overhead.py [--trials 200] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import optuna

from nasbench.adapters.optuna import TableObjective
from nasbench.runners.strategies import Outcome
from nasbench.runners.strategies.optuna_samplers import OptunaConfig, OptunaSearch


def alone(objective: TableObjective, seed: int, trials: int) -> float:
    """Processor seconds per trial of Optuna's own loop."""
    sampler = optuna.samplers.TPESampler(seed=int(np.random.SeedSequence(seed).generate_state(2)[0]))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    began = time.process_time()
    study.optimize(objective, n_trials=trials)
    return (time.process_time() - began) / trials


def as_strategy(objective: TableObjective, seed: int, trials: int) -> float:
    """Processor seconds per trial of the strategy."""
    table = objective.lookup.table
    strategy = OptunaSearch(table.space, seed, OptunaConfig(sampler="tpe"))
    began = time.process_time()
    for index in range(trials):
        architecture = strategy.ask()
        assert architecture is not None
        code = int(table.code(np.array(architecture.choices)))
        score = float(np.nan_to_num(table.val_acc[code]))
        seconds = float(table.seconds[code])
        strategy.tell(Outcome(index, architecture, "ok", (), score, 1, 1, seconds))
    return (time.process_time() - began) / trials


def main() -> None:
    """Print the median of each and of their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    objective = TableObjective("digits201")
    ways: dict[str, Callable[[TableObjective, int, int], float]] = {"optuna": alone, "strategy": as_strategy}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(words.rounds):
        for name, measure in ways.items():
            found[name].append(measure(objective, seed, words.trials))
    for name, seconds in found.items():
        print(f"{name:<9} {1e3 * statistics.median(seconds):.3f} ms per trial ({words.trials} trials, TPE)")
    ratios = [ours / theirs for ours, theirs in zip(found["strategy"], found["optuna"])]
    print(f"ratio     {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, {words.rounds} rounds)")


if __name__ == "__main__":
    main()
