"""Searches of one table by Syne Tune's simulator and by DEHB, for `multi_fidelity.py`; runs with their Python, without this suite.

PEER_PYTHON benchmarks/multi_fidelity_peers.py asha TABLE.npz SEEDS SECONDS ETA WORKERS POLL
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from typing import Any

import numpy as np

EPOCHS = 6
EDGES = 6
OPERATIONS = 5


class Silent:
    """A logger of Syne Tune that prints nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: None


def asha(table: Any, seeds: int, seconds: float, eta: int, workers: int, poll: float) -> dict[str, Any]:
    """Searches by Syne Tune's ASHA on its simulator, without simulated delays.

    Args:
        table: arrays choices, val, seconds and test.
        seeds: number of searches.
        seconds: simulated time of each.
        eta: reduction factor.
        workers: children in training at once.
        poll: simulated seconds between two looks of the tuner at its trials; with 0 its clock follows the real one.

    Returns:
        val and test of the best result of each search; trials in all, and processor seconds.
    """
    import pandas as pd
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend.simulator_backend.simulator_backend import SimulatorConfig
    from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
    from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular
    from syne_tune.blackbox_repository.simulated_tabular_backend import UserBlackboxBackend
    from syne_tune.config_space import choice, randint
    from syne_tune.optimizer.baselines import ASHA

    names = [f"edge{number}" for number in range(EDGES)]
    space = {name: choice(list(range(OPERATIONS))) for name in names}
    values = np.stack([table["val"], table["seconds"]], axis=-1)[:, None]
    frame = pd.DataFrame(table["choices"], columns=names)
    blackbox = BlackboxTabular(
        frame, dict(space), {"epoch": randint(1, EPOCHS)}, values, objectives_names=["val", "elapsed"]
    )
    code = {tuple(choices): place for place, choices in enumerate(table["choices"].tolist())}
    found: dict[str, Any] = {"val": [], "test": [], "trials": 0, "processor": 0.0}
    for seed in range(seeds):
        backend = UserBlackboxBackend(
            blackbox=blackbox,
            elapsed_time_attr="elapsed",
            max_resource_attr="epochs",
            seed=0,
            tuner_sleep_time=poll,
            simulator_config=SimulatorConfig(0.0, 0.0, 0.0, 0.0, 0.0),
        )
        scheduler = ASHA(
            {**space, "epochs": EPOCHS},
            metric="val",
            time_attr="epoch",
            max_t=EPOCHS,
            do_minimize=False,
            random_seed=seed,
            reduction_factor=eta,
        )
        callback = SimulatorCallback()
        tuner = Tuner(
            trial_backend=backend,
            scheduler=scheduler,
            stop_criterion=StoppingCriterion(max_wallclock_time=seconds),
            n_workers=workers,
            sleep_time=0,
            callbacks=[callback],
            save_tuner=False,
            print_update_interval=1e9,
            results_update_interval=1e9,
            output_logger=Silent(),
        )
        began = time.process_time()
        tuner.run()
        found["processor"] += time.process_time() - began
        rows = [row for row in callback.results if row["st_tuner_time"] <= seconds]
        best = max(rows, key=lambda row: row["val"])
        found["trials"] += len({row["trial_id"] for row in rows})
        found["val"].append(float(best["val"]))
        found["test"].append(float(table["test"][code[tuple(best[f"config_{name}"] for name in names)]]))
    return found


def dehb(table: Any, seeds: int, seconds: float, eta: int, workers: int, poll: float = 0.0) -> dict[str, Any]:
    """Searches by the package DEHB with ask and tell, one child at a time; arguments and result as `asha`, but `poll` is not used."""
    from dehb import DEHB

    places = OPERATIONS ** np.arange(EDGES - 1, -1, -1)
    found: dict[str, Any] = {"val": [], "test": [], "trials": 0, "processor": 0.0}
    for seed in range(seeds):
        optimizer = DEHB(
            dimensions=EDGES,
            min_fidelity=1,
            max_fidelity=EPOCHS,
            eta=eta,
            n_workers=1,
            seed=seed,
            configspace=False,
            log_level="ERROR",
        )
        spent, best, began = 0.0, (-1.0, 0.0), time.process_time()
        while True:
            job = optimizer.ask()
            code = int(np.minimum((np.asarray(job["config"]) * OPERATIONS).astype(int), OPERATIONS - 1) @ places)
            last = max(round(job["fidelity"]), 1) - 1
            cost, accuracy = table["seconds"][code, last], table["val"][code, last]
            spent += cost
            if spent > seconds * workers:
                break
            best = max(best, (float(accuracy), float(table["test"][code])), key=lambda pair: pair[0])
            optimizer.tell(job, {"fitness": 1.0 - float(accuracy), "cost": float(cost)})
            found["trials"] += 1
        found["processor"] += time.process_time() - began
        found["val"].append(best[0])
        found["test"].append(best[1])
    return found


def main() -> None:
    """Run the searches that the command line names, and print the result as JSON in the last line."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    kind, path, seeds, seconds, eta, workers, poll = sys.argv[1:]
    search = {"asha": asha, "dehb": dehb}[kind]
    print(json.dumps(search(np.load(path), int(seeds), float(seconds), int(eta), int(workers), float(poll))))


if __name__ == "__main__":
    main()
