"""Do two seeds of a protocol rank random cells alike? Prints Kendall's tau, the spread of accuracies and the seconds a child.

OMP_NUM_THREADS=1 nice -n 10 python benchmarks/digits_agreement.py nasbench201 --cells 100
OMP_NUM_THREADS=1 nice -n 10 python benchmarks/digits_agreement.py nasnet:blocks=3 --set epochs=4 --set filters=16
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.runners.tables.build import distinct_architectures
from nasbench.spaces import Architecture, Space, get_space
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child, Evaluation

SEEDS = (0, 1)
ENUMERABLE = 100_000


@dataclass(frozen=True)
class Agreement:
    """Evaluations [cell][seed] of one space under one protocol, and the processor's seconds for all of them."""

    evaluations: list[list[Evaluation]]
    cpu_seconds: float

    @property
    def accuracies(self) -> np.ndarray:
        """Validation accuracies [cells, seeds]; NaN where a child has none."""
        return np.array([[evaluation.val_acc for evaluation in row] for row in self.evaluations])

    def lines(self) -> list[str]:
        """The report."""
        accuracies = self.accuracies
        scored = accuracies[~np.isnan(accuracies).any(axis=1)]
        above = scored[(scored > 0.15).all(axis=1)]
        first = self.evaluations[1:]  # the first child of a process also pays for lazy imports
        parts = {
            part: np.array([getattr(e, f"{part}_seconds") for row in first for e in row])
            for part in ("train", "eval", "setup")
        }
        total = sum(parts.values())
        quantiles = np.quantile(scored, [0, 0.25, 0.5, 0.75, 1])
        statuses = [e.status for row in self.evaluations for e in row]
        return [
            f"cells: {len(accuracies)}, both seeds scored: {len(scored)}, "
            + ", ".join(f"{status} {statuses.count(status)}" for status in sorted(set(statuses))),
            f"Kendall's tau between seeds: {kendalltau(*scored.T).statistic:.3f}"
            f" (without cells at chance: {kendalltau(*above.T).statistic:.3f}, n = {len(above)})",
            "validation accuracy min, quartiles, max: " + ", ".join(f"{value:.3f}" for value in quantiles),
            f"deviation between seeds: {np.abs(scored[:, 0] - scored[:, 1]).mean() / 1.128:.4f}",
            f"seconds a child: mean {total.mean():.2f}, median {np.median(total):.2f}, max {total.max():.2f} ("
            + ", ".join(f"{part} {values.mean():.2f}" for part, values in parts.items())
            + f"); of the processor: {self.cpu_seconds / len(statuses):.2f}",
        ]


def distinct_cells(space: Space, cells: int) -> list[Architecture]:
    """Random architectures of different hashes.

    Of a space that can be enumerated every hash is as likely as another; drawn by choices, those with many spellings (in nasbench201
    cells full of "none") would come more often, and seeds agree better about them than about the rest of a table.
    """
    rng = np.random.default_rng(0)
    if space.size <= ENUMERABLE:
        every = distinct_architectures(space)
        return [every[place] for place in rng.permutation(len(every))[:cells]]
    found: dict[str, Architecture] = {}
    while len(found) < cells:
        architecture = space.random(rng)
        found.setdefault(architecture.hash, architecture)
    return list(found.values())


def measure(space: Space, protocol: Protocol, cells: int) -> Agreement:
    """Train each cell once a seed."""
    architectures = distinct_cells(space, cells)
    start = time.process_time()
    evaluations = [[evaluate(Child(each, protocol, seed)) for seed in SEEDS] for each in architectures]
    return Agreement(evaluations, time.process_time() - start)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space")
    parser.add_argument("--protocol", default="digits")
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    protocol = get_protocol(options.protocol, dict(each.split("=", 1) for each in options.set))
    print(f"{options.space}, protocol {protocol.name}, {' '.join(options.set)}")
    print("\n".join(measure(get_space(options.space), protocol, options.cells).lines()))


if __name__ == "__main__":
    main()
