"""SIGKILL at random moments: what was reported is in the file, the file opens, and the resumed run equals an uninterrupted one."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest
from searching import search, stable_rows, tiny_plan

from nasbench.runners.search.config import SearchPlan
from nasbench.runners.strategies import STRATEGIES
from nasbench.store.query import Results

CHILDREN = 12

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
    "hyperband": {},
    "successive_halving": {},
    "enas": {"epochs": 2, "controller_steps": 1, "aggregate": 2, "candidates": 8},
    "bananas": {"initial": 4, "batch": 3, "candidates": 10, "ensemble": 2, "layers": 2, "epochs": 3},
    "npenas": {"initial": 4, "batch": 3, "candidates": 10, "predictor": "forest", "trees": 5},
    "gp": {"initial": 4, "batch": 3, "candidates": 10},
    "nsga2": {"population": 4, "objectives": "error/params/mult_adds"},
    "mo_evolution": {"population": 4, "sample": 2},
    "parego": {"initial": 4, "candidates": 10},
}


def plan(strategy: str) -> SearchPlan:
    space = "nasnet:blocks=2,combinations=add"
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


def kill_once(context, path: Path, after: float, strategy: str) -> tuple[set[int], bool]:
    """Run the search in a process of its own and kill it; returns what it had reported, and whether it had ended by itself."""
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=run_and_report, args=(str(path), send, strategy))
    process.start()
    send.close()
    process.join(after)
    ended = not process.is_alive()
    process.kill()
    process.join()
    reported: set[int] = set()
    try:
        while True:
            reported.add(receive.recv())
    except EOFError:
        return reported, ended


def killed_again_and_again(tmp_path: Path, kills: int, seed: int, strategy: str = "ppo") -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nasbench.runners.search.loop", "nasbench.training.evaluate", "searching"])
    whole = tmp_path / "whole.h5"
    search(plan(strategy), whole)
    began = time.monotonic()
    kill_once(context, tmp_path / "timed.h5", 600.0, strategy)
    length = time.monotonic() - began
    rng = random.Random(seed)
    done = 0
    while done < kills:
        path = tmp_path / f"killed-{done}.h5"
        ended = False
        while not ended and done < kills:
            reported, ended = kill_once(context, path, rng.uniform(0.0, length), strategy)
            done += not ended
            stored = Results(str(path)).frame(stage="search") if reported else None
            assert stored is None or reported <= set(stored["index"])
        search(plan(strategy), path)
        assert without_checkpoints(path) == without_checkpoints(whole)
        done_here = Results(str(path)).frame(stage="search")
        assert not (done_here["from_epoch"] > done_here["epochs"]).any()


def without_checkpoints(path: Path) -> list[dict[str, object]]:
    """Rows of a file without the epoch from which a training went on: a kill may lose a checkpoint, and no bit of a score."""
    return [{name: value for name, value in row.items() if name != "from_epoch"} for row in stable_rows(path)]


@pytest.mark.slow
def test_five_kills(tmp_path):
    killed_again_and_again(tmp_path, 5, seed=0)


@pytest.mark.slow
def test_fifty_kills(tmp_path):
    killed_again_and_again(tmp_path, 50, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(OPTIONS))
def test_every_strategy_resumes_after_kills(tmp_path, strategy):
    killed_again_and_again(tmp_path, 4, seed=2, strategy=strategy)
