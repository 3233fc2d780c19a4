"""Searches run into one file as the commands run them: stopped at any child, packed, and gone on with."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest
from searching import stable_rows, tiny_plan

from nasbench.errors import InputError
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.progress import Progress
from nasbench.runners.suite import SharedWriter, run_plans
from nasbench.store.files import ResultsPaths
from nasbench.store.query import Results


class StoppedAt(Progress):
    """Presses Ctrl-C once that many children were shown; never for a negative number."""

    def __init__(self, children: int) -> None:
        super().__init__("stopped", io.StringIO())
        self._left = children

    def child(self, *arguments, **options) -> None:
        super().child(*arguments, **options)
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def plans(executor: str) -> list[SearchPlan]:
    return [
        tiny_plan(strategy=strategy, budget="5 children", executor=executor) for strategy in ("random", "evolution")
    ]


def run_all(path: Path, stop: int = -1, jobs: int = 1) -> None:
    executor = "inline" if jobs == 1 else "local"
    run_plans(path, plans(executor), [], jobs, lambda plan: StoppedAt(stop))


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("stop", [1, 3])
def test_stopped_packed_and_gone_on_with_equals_never_stopped(tmp_path, stop):
    whole, parts = tmp_path / "whole.h5", tmp_path / "parts.h5"
    run_all(whole)
    with pytest.raises(KeyboardInterrupt):
        run_all(parts, stop)
    assert not ResultsPaths.of(parts).journal.exists()
    assert Results(str(parts)).runs()["status"].tolist() == ["interrupted"]
    run_all(parts)
    assert stable_rows(parts) == stable_rows(whole)


def test_a_second_ctrl_c_does_not_cut_off_the_note_of_the_first(tmp_path, monkeypatch):
    put_run = SharedWriter.put_run

    def disturbed(sink, row):
        if row["status"] == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        put_run(sink, row)

    monkeypatch.setattr(SharedWriter, "put_run", disturbed)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_all(tmp_path / "x.h5", stop=2)
    assert Results(str(tmp_path / "x.h5")).runs()["status"].tolist() == ["interrupted"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_searches_side_by_side_go_on_from_a_packed_file(tmp_path):
    path = tmp_path / "parts.h5"
    with pytest.raises(KeyboardInterrupt):
        run_all(path, stop=2, jobs=2)
    run_all(path, jobs=2)
    frame = Results(str(path)).frame(stage="search")
    assert frame.groupby("run")["index"].apply(sorted).tolist() == [list(range(5))] * 2
    assert set(Results(str(path)).runs()["status"]) == {"complete"}


def test_searches_that_would_train_side_by_side_in_this_process_are_refused(tmp_path):
    with pytest.raises(InputError, match="2 searches at the same time need the executor local or ray"):
        run_plans(tmp_path / "x.h5", plans("inline"), [], 2, lambda plan: StoppedAt(-1))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_is_complete_is_left_alone(tmp_path):
    run_all(tmp_path / "x.h5")
    before = stable_rows(tmp_path / "x.h5")
    run_all(tmp_path / "x.h5", stop=1)
    assert stable_rows(tmp_path / "x.h5") == before
