"""Every system call of appending and packing fails, once or from then on, HDF5's own included: a named error, and nothing is lost.

The calls are counted and made to fail in a library that is preloaded into the writing process, tests/support/syscalls.c.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from fault_time import deadline
from store_rows import write
from syscalls import KINDS, Worker, built_library

CODES = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)
MODES = tuple(itertools.product(CODES, (False, True)))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with Worker(built_library(tmp_path_factory.mktemp("library"))) as started:
        yield started


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("first") / "first.h5"
    write(path, 5)
    return path


def work_with_fault(
    worker: Worker, first: Path, folder: Path, nth: int, code: int, lasting: bool
) -> tuple[str, str, bool]:
    """Do the work on a copy of `first` with one fault; its calls, its error and whether it left files as another had."""
    folder.mkdir()
    shutil.copy(first, folder / "x.h5")
    answer = worker.work(folder, nth, code, lasting)
    calls = answer["calls"]
    kind = KINDS[calls[nth - 1]] if nth else "none"
    case = f"call {nth} ({kind}) fails with {errno.errorcode.get(code)}, lasting: {lasting}"
    assert not answer["unnamed"], f"{case}: {answer['unnamed']}"
    assert answer["kept"], case
    assert answer["resumed"], case
    assert answer["files"] == ["x.h5"], case
    assert bool(answer["failures"]) == (nth > 0), case
    shutil.rmtree(folder)
    return calls, answer["error"], answer["seen before"]


@pytest.mark.slow
def test_calls_of_every_kind_fail_and_nothing_is_lost(worker: Worker, first: Path, tmp_path: Path) -> None:
    calls, error, _ = work_with_fault(worker, first, tmp_path / "none", 0, 0, lasting=False)
    assert error == ""
    assert {*calls} == {*KINDS}
    rng = random.Random(0)
    modes = itertools.cycle(MODES)
    for kind in KINDS:
        places = [place for place, name in enumerate(calls, start=1) if name == kind]
        nth, (code, lasting) = rng.choice(places), next(modes)
        _, error, _ = work_with_fault(worker, first, tmp_path / str(nth), nth, code, lasting)
        assert not lasting or error != ""


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_call_fails_in_every_way_and_nothing_is_lost(first: Path, tmp_path: Path) -> None:
    """All of them, in an order that is a sample wherever the time ends; FAULT_JOBS processes side by side."""
    jobs = int(os.environ.get("FAULT_JOBS", "2"))
    until, done, errors, seen = deadline("calls"), Counter(), Counter(), 0
    library = built_library(tmp_path)
    workers: SimpleQueue[Worker] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(jobs):
            workers.put(stack.enter_context(Worker(library)))
        calls = with_a_worker(workers, first, tmp_path / "none", 0, 0, False)[0]
        cases = [(nth, code, lasting) for nth in range(1, len(calls) + 1) for code, lasting in MODES]
        random.Random(0).shuffle(cases)

        def one(case: tuple[int, int, bool]) -> tuple[str, str, bool] | None:
            if time.monotonic() > until:
                return None
            nth, code, lasting = case
            folder = tmp_path / "-".join(map(str, case))
            _, error, again = with_a_worker(workers, first, folder, nth, code, lasting)
            return KINDS[calls[nth - 1]], error, again

        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        for answer in pool.map(one, cases):
            if answer is not None:
                done[answer[0]] += 1
                errors[answer[1] or "none: tried again, or of no consequence"] += 1
                seen += not answer[2]
    assert done
    print(
        f"\n{sum(done.values())} of {len(cases)} failed system calls of {len(calls)}: {dict(done)}; what the caller got: {dict(errors)}; "
        f"0 acknowledged rows lost in {seen} different states of the files"
    )


def with_a_worker(workers: SimpleQueue[Worker], *arguments: Any) -> tuple[str, str, bool]:
    worker = workers.get()
    try:
        return work_with_fault(worker, *arguments)
    finally:
        workers.put(worker)
