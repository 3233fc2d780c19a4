"""SIGKILL at random moments: what was reported is in the file, the file opens, and the resumed run equals an uninterrupted one."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest
from searching import search, stable_rows, tiny_plan

from nasbench.runners.config import Plan
from nasbench.store.query import Results

CHILDREN = 12


def plan() -> Plan:
    return tiny_plan(strategy="ppo", options={"batch": 4}, budget=f"{CHILDREN} children")


def run_and_report(path: str, reports) -> None:
    """Run (or resume) the search, sending the number of every child that was told."""
    import nasbench.runners.search as module

    account = module.Search._account

    def reporting(self, asked, row, evaluation):
        account(self, asked, row, evaluation)
        reports.send(int(row["index"]))

    module.Search._account = reporting
    search(plan(), Path(path))


def kill_once(context, path: Path, after: float) -> tuple[set[int], bool]:
    """Run the search in a process of its own and kill it; returns what it had reported, and whether it had ended by itself."""
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=run_and_report, args=(str(path), send))
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


def killed_again_and_again(tmp_path: Path, kills: int, seed: int) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nasbench.runners.search", "nasbench.evaluator", "searching"])
    whole = tmp_path / "whole.h5"
    search(plan(), whole)
    began = time.monotonic()
    kill_once(context, tmp_path / "timed.h5", 600.0)
    length = time.monotonic() - began
    rng = random.Random(seed)
    done = 0
    while done < kills:
        path = tmp_path / f"killed-{done}.h5"
        ended = False
        while not ended and done < kills:
            reported, ended = kill_once(context, path, rng.uniform(0.0, length))
            done += not ended
            stored = Results(str(path)).frame(stage="search") if reported else None
            assert stored is None or reported <= set(stored["index"])
        search(plan(), path)
        assert stable_rows(path) == stable_rows(whole)


def test_five_kills(tmp_path):
    killed_again_and_again(tmp_path, 5, seed=0)


@pytest.mark.slow
def test_fifty_kills(tmp_path):
    killed_again_and_again(tmp_path, 50, seed=1)
