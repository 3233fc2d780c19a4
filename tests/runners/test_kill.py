"""SIGKILL at random moments: what was reported is in the file, the file opens, and the resumed run equals an uninterrupted one."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest
from killed_searches import OPTIONS, plan, run_and_report
from optional_packages import need_package_of
from searching import search, stable_rows

from nasbench.store.query import Results


def kill_once(context, path: Path, after: float, strategy: str) -> tuple[set[int], bool]:
    """Run the search in a process of its own and kill it; returns what it had reported, and whether it had ended by itself."""
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=run_and_report, args=(str(path), send, strategy))
    process.start()
    send.close()
    process.join(after)
    ended = not process.is_alive()
    assert not process.exitcode, "it ended with an error"
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
    context.set_forkserver_preload(["nasbench.runners.search.loop", "nasbench.training.evaluate", "killed_searches"])
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
    need_package_of(strategy)
    killed_again_and_again(tmp_path, 4, seed=2, strategy=strategy)
