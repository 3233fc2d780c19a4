"""Fronts, hypervolumes and attainment of a million points, against the goal of ten seconds and the usual loop; equality is asserted.

OMP_NUM_THREADS=1 python benchmarks/pareto.py [--no-record]

The usual loop is a front by numpy that keeps, for each point, the ones that it does not dominate. Times are of the processor.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from record import Measurement, keep

from nasbench.analysis.pareto.objectives import (
    attainment,
    nondominated,
    objective_front,
    objective_points,
    objective_volumes,
)

COUNT = 1_000_000
GOAL = 10.0
RUNS = 100


def children(count: int, seed: int = 0) -> pd.DataFrame:
    """Rows of made-up searches whose accuracy grows with the logarithm of their size."""
    rng = np.random.default_rng(seed)
    size = 10 ** rng.uniform(3, 8, count)
    gain = 0.5 + 0.055 * np.log10(size) - 0.15 * rng.gamma(2.0, 0.3, count)
    run = rng.integers(RUNS, size=count)
    return pd.DataFrame(
        {
            "strategy": np.array(["random", "reinforce", "ppo", "evolution"])[run % 4],
            "run": np.char.add("run", run.astype(str)),
            "hash": np.char.add("h", np.arange(count).astype(str)),
            "space": "nasnet:blocks=5",
            "stage": "search",
            "status": "ok",
            "counted": True,
            "protocol": "made up",
            "fingerprint": "0" * 16,
            "val_acc": np.clip(gain, 0.0, 0.99),
            "params": size.astype(np.int64),
            "mult_adds": (size * 10 ** rng.normal(2, 0.3, count)).astype(np.int64),
        }
    )


def by_numpy(values: np.ndarray) -> np.ndarray:
    """The usual loop: the points sorted, each left one removes all that it dominates."""
    kept = np.arange(len(values))
    rest = values
    place = 0
    while place < len(rest):
        better = (rest < rest[place]).any(axis=1) | (rest == rest[place]).all(axis=1)
        kept, rest = kept[better], rest[better]
        place = int(better[:place].sum()) + 1
    mask = np.zeros(len(values), dtype=bool)
    mask[kept] = True
    return mask


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    frame = children(COUNT)
    measured = []
    for names in (("error", "params"), ("error", "params", "mult_adds")):
        began = time.process_time()
        points = objective_points(frame, names)
        read = time.process_time() - began
        front = objective_front(points, names)
        volumes = objective_volumes(points, names)
        ours = time.process_time() - began
        note = f"{int(front['front'].sum())} on the front, volume {volumes['hypervolume'].iloc[-1]:.4g}; {read:.1f} s of it averaging rows by hash"
        what = f"front and hypervolume of {len(names)} objectives, 1,000,000 points"
        measured.append(Measurement(what, GOAL / ours, "the goal of 10 s", ours, GOAL, "processor s", note))
        values = points[list(names)].to_numpy(dtype=float)
        began = time.process_time()
        mine = nondominated(values)
        ours = time.process_time() - began
        began = time.process_time()
        theirs = by_numpy(values)
        usual = time.process_time() - began
        assert (mine == theirs).all(), "the loop finds another front"
        what = f"front of {len(names)} objectives, 1,000,000 points"
        note = f"equal; {int(mine.sum())} on the front"
        measured.append(Measurement(what, usual / ours, "a loop of numpy", ours, usual, "processor s", note))
    single = objective_points(frame, ("error", "params"), by_run=True)
    began = time.process_time()
    surfaces = attainment(single, ("error", "params"))
    ours = time.process_time() - began
    what = f"attainment surfaces of {RUNS} runs, 1,000,000 points"
    measured.append(
        Measurement(what, GOAL / ours, "the goal of 10 s", ours, GOAL, "processor s", f"{len(surfaces):,} corners")
    )
    keep(measured, record=not options.no_record)


if __name__ == "__main__":
    main()
