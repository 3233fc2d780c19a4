"""ENAS on digits: the derived network trained from scratch, shared against stand-alone scores, and device-hours next to random's.

OMP_NUM_THREADS=1 nice -n 10 python benchmarks/enas_digits.py enas-micro:blocks=2
OMP_NUM_THREADS=1 nice -n 10 python benchmarks/enas_digits.py enas-macro:layers=6 --set tanh_constant=1.5 --cells 10
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr

from nasbench.protocols.protocol import get_protocol, validated
from nasbench.runners.strategies.enas import Enas, EnasConfig
from nasbench.spaces import Architecture, Space, get_space
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child, Evaluation
from nasbench.training.loop import reproducible

PROTOCOL = get_protocol("digits")


@dataclass(frozen=True)
class Found:
    """What a search ends with: the best child by validation accuracy, and all device-seconds (one device: wall time)."""

    best: Evaluation
    children: int
    search_seconds: float
    child_seconds: float

    def line(self, name: str) -> str:
        """One line of the report."""
        seconds = self.search_seconds + self.child_seconds
        return (
            f"{name}: validation {self.best.val_acc:.4f}, test {self.best.test_acc:.4f}; {self.children} children trained; "
            f"{seconds / 3600:.5f} device-hours ({self.search_seconds:.1f} s shared weights and controller, "
            f"{self.child_seconds:.1f} s children)"
        )


def train(architecture: Architecture, seed: int) -> Evaluation:
    """A child from scratch; its test score is for the report only."""
    return evaluate(Child(architecture, PROTOCOL, seed, test=True))


def random_search(space: Space, seed: int, budget_seconds: float) -> Found:
    """Uniform draws until the child that would cross the budget, which is not counted."""
    rng = np.random.default_rng(seed)
    spent, children = 0.0, []
    while True:
        child = train(space.random(rng), seed)
        if spent + child.device_seconds > budget_seconds:
            break
        spent += child.device_seconds
        children.append(child)
    best = max(children, key=lambda child: child.val_acc)
    return Found(best, len(children), 0.0, spent)


def agreement(strategy: Enas, cells: int, seed: int) -> list[str]:
    """Shared-weight and stand-alone validation accuracy of random architectures."""
    assert strategy.trained is not None
    rng = np.random.default_rng(1000 + seed)
    drawn: dict[str, Architecture] = {}
    while len(drawn) < cells:
        architecture = strategy.space.random(rng)
        drawn.setdefault(architecture.hash, architecture)
    shared, _ = strategy.trained
    with reproducible(torch.device("cpu"), 1):
        minibatch = shared.minibatch()
        by_minibatch = [shared.accuracy(each, minibatch) for each in drawn.values()]
        by_all = [shared.validation_accuracy(each) for each in drawn.values()]
    alone = [train(each, seed).val_acc for each in drawn.values()]
    lines = [
        f"{cells} random architectures: stand-alone {_spread(alone)}; shared weights, all validation images {_spread(by_all)}"
    ]
    for name, scores in (("all validation images", by_all), (f"one minibatch of {len(minibatch[1])}", by_minibatch)):
        tau, rho = kendalltau(scores, alone), spearmanr(scores, alone)
        lines.append(
            f"rank correlation, shared weights on {name}: Kendall's tau {tau.statistic:.3f} (p {tau.pvalue:.3f}), "
            f"Spearman's rho {rho.statistic:.3f} (p {rho.pvalue:.3f})"
        )
    return lines


def _spread(values: list[float]) -> str:
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{low:.3f} to {high:.3f}, median {middle:.3f}"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space")
    parser.add_argument("--cells", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="options of the strategy")
    options = parser.parse_args()
    given = dict(each.split("=", 1) for each in options.set)
    strategy = Enas(get_space(options.space), options.seed, validated(EnasConfig, given, "options of strategy 'enas'"))
    print(f"{options.space}, seed {options.seed}, protocol digits, {' '.join(options.set)}", flush=True)
    wall, processor = time.perf_counter(), time.process_time()
    derived = strategy.ask()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert derived is not None
    assert strategy.trained is not None
    print(f"shared weights and controller: {wall:.1f} s, {processor:.1f} s of the processor", flush=True)
    print(f"mean reward at the end: {strategy.trained[1].baseline.value:.3f}; derived: {derived}", flush=True)
    child = train(derived, options.seed)
    print(Found(child, 1, wall, child.device_seconds).line("enas"), flush=True)
    print(
        random_search(strategy.space, options.seed, wall + child.device_seconds).line("random, same budget"), flush=True
    )
    print("\n".join(agreement(strategy, options.cells, options.seed)))


if __name__ == "__main__":
    main()
