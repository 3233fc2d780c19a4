"""Searches that stop trainings early, on results/digits201.h5: beside Syne Tune's simulator and DEHB on the same table.

OMP_NUM_THREADS=1 python benchmarks/multi_fidelity.py --peer-python /path/to/python/with/syne-tune/and/dehb

The peers need `pip install syne-tune dehb==0.1.2 huggingface_hub s3fs fastparquet`. Syne Tune's simulator looks at its trials every so many
simulated seconds; between looks its clock stands still. The looks of `POLLS` are 0.1% and 3% of a whole training apart; replays go from one end of
a training to the next.

Speeds are of the processor, so that other work on the machine does not count. Accuracies are means over seeds with 95%
intervals of the mean: the searches draw other random numbers, so only the means can be compared.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from record import Measurement, keep

from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, replay, replay_on_clock
from nasbench.runners.search.budget import Budget
from nasbench.tabular.tables import Selection, Table, read_tables

ROOT = Path(__file__).parent.parent
WORKERS = 8
SECONDS = 12.5  # simulated, of eight devices
ROUNDS = 3
SEEDS = 200
PEER_SEEDS = 10  # a round
POLLS = (0.001, 0.05)  # simulated seconds between two looks of Syne Tune's tuner


def export(table: Table, path: Path) -> None:
    """Write the table for the peers, which do not read results files."""
    curves = table.curves
    assert curves is not None
    codes = np.arange(table.space.size)
    options = [decision.options for decision in table.space.decisions]
    choices = np.stack(np.unravel_index(codes, options), axis=-1)
    np.savez(
        path,
        choices=choices,
        val=curves.val_acc[curves.kinds],
        seconds=curves.seconds[curves.kinds],
        test=table.test_acc,
    )


def peer(python: str, kind: str, table: Path, seeds: int, poll: float) -> dict[str, Any]:
    """Run searches of a peer in a process of its own."""
    script = str(Path(__file__).with_name("multi_fidelity_peers.py"))
    words = [python, script, kind, str(table), str(seeds), str(SECONDS), "3", str(WORKERS), str(poll)]
    with tempfile.TemporaryDirectory() as folder:  # both write files where they run
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def mean(values: Any) -> tuple[float, float]:
    """Mean and half the width of its 95% interval."""
    numbers = np.asarray(values, dtype=float)
    return float(numbers.mean()), 1.96 * float(numbers.std(ddof=1)) / math.sqrt(len(numbers))


def shown(name: str, val: Any, test: Any) -> None:
    """Print the best scores of searches in percent."""
    (best, wide), (tested, apart) = mean(val), mean(test)
    print(
        f"{name:44s} n {len(val):4d}  best score {100 * best:.3f} +- {100 * wide:.3f}  its test {100 * tested:.2f} "
        f"+- {100 * apart:.2f}"
    )


def new_trainings(found: Replayed) -> int:
    """Number of architectures begun, which Syne Tune calls trials."""
    assert found.courses is not None
    return int(((found.codes >= 0) & (found.courses.bases == 0)).sum())


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--keep", action="store_true", help="add the ratios to results.csv")
    given = parser.parse_args()
    (table,) = read_tables(ROOT / "results" / "digits201.h5", [Selection()], curves=True)
    clock = ReplayBudget(Budget.parse(f"{SECONDS} s"))
    asha = Setting.of("asha", {"eta": "3", "type": "stopping"})
    ours, strategy, theirs = np.zeros(2), np.zeros(2), np.zeros((len(POLLS), 2))
    replay(table, asha, range(2), clock, devices=WORKERS)  # lazy imports and columns
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.npz"
        export(table, path)
        for _ in range(ROUNDS):
            began = time.process_time()
            found = replay(table, asha, range(SEEDS), clock, devices=WORKERS)
            ours += new_trainings(found), time.process_time() - began
            began = time.process_time()
            slow = replay_on_clock(table, asha, range(40), clock, devices=WORKERS, whole_strategy=True)
            strategy += new_trainings(slow), time.process_time() - began
            for place, poll in enumerate(POLLS):
                other = peer(given.peer_python, "asha", path, PEER_SEEDS, poll)
                theirs[place] += other["trials"], other["processor"]
        scores = peer(given.peer_python, "asha", path, 6 * PEER_SEEDS, POLLS[0])
        evolved = peer(given.peer_python, "dehb", path, SEEDS, 0.0)
    ours_rate, asked_rate, *their_rates = (trials / seconds for trials, seconds in (ours, strategy, *theirs))
    print(f"trials a processor second: {ours_rate:,.0f}; by ask and tell {asked_rate:,.0f}")
    print("Syne Tune:", "; ".join(f"{rate:,.0f} at looks every {poll} s" for rate, poll in zip(their_rates, POLLS)))
    shown("asha, stopping, eta 3", found.frame()["outcome"], found.frame()["test_acc"])
    shown("Syne Tune's ASHA, eta 3", scores["val"], scores["test"])
    one_by_one = ReplayBudget(Budget.parse(f"{SECONDS * WORKERS} gpu-seconds"))
    mine = replay(table, Setting.of("dehb", {}), range(SEEDS), one_by_one).frame()
    shown("dehb, one device", mine["outcome"], mine["test_acc"])
    shown("DEHB's package, one device", evolved["val"], evolved["test"])
    for name, options in {
        "random": {},
        "evolution": {"population": "10", "sample": "3"},
        "asha": {"eta": "3"},
        "successive_halving": {},
        "hyperband": {},
        "bohb": {},
        "median_stop": {},
    }.items():
        some = range(SEEDS if name != "bohb" else 60)
        result = replay(table, Setting.of(name, options), some, clock, devices=WORKERS).frame()
        shown(f"{name}, {WORKERS} devices", result["outcome"], result["test_acc"])
    unit = "trials a processor second"
    rows = []
    for rate, poll in zip(their_rates, POLLS):
        against = f"Syne Tune 0.16 simulator, a look every {poll} s"
        rows += [
            Measurement("replay of ASHA, 8 devices", ours_rate / rate, against, ours_rate, rate, unit),
            Measurement("replay of ASHA, 8 devices, ask and tell", asked_rate / rate, against, asked_rate, rate, unit),
        ]
    keep(rows, given.keep)


if __name__ == "__main__":
    main()
