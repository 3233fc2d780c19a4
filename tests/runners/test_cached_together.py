"""Cached children wait for the disk together, and nothing of a run depends on it."""

from __future__ import annotations

import io

import pytest
from searching import search, stable_rows, tiny_plan

from nasbench.runners.executors import ExecutorOptions
from nasbench.runners.executors.inline import InlineExecutor
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.row_writer import BATCH_ROWS
from nasbench.store.cache import ScoreCache
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

CHILDREN = 12


class Killed(BaseException):
    """A kill: nothing of the process goes on."""


class Sink:
    """Writes to a file, notes how many children came at once, and can end the process before a given write."""

    def __init__(self, writer: ResultsWriter, killed_before: int | None = None) -> None:
        self.writer, self.killed_before = writer, killed_before
        self.together: list[int] = []

    def append_children(self, children):
        if len(self.together) == self.killed_before:
            raise Killed
        self.together.append(len(children))
        self.writer.append_children(children)

    def put_run(self, row):
        self.writer.put_run(row)


def run(plan, path, cache_file, killed_before=None):
    there = path.exists() or path.with_suffix(".journal").exists()
    with ResultsWriter(path) as writer, InlineExecutor(ExecutorOptions()) as executor:
        stored = Results(str(path)).children_of(plan.run) if there else []
        cache = ScoreCache([str(cache_file), *([str(path)] if there else [])])
        sink = Sink(writer, killed_before)
        Search(plan, stored, sink, cache, executor, Progress("test", io.StringIO())).run()
    return sink


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The first eight of the run's twelve children, trained under another budget."""
    path = tmp_path_factory.mktemp("trained") / "a.h5"
    search(tiny_plan(budget="8 children", final="none"), path)
    return path


def test_they_share_a_write_and_a_trained_child_is_written_at_once(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("nasbench.runners.search.row_writer.BATCH_SECONDS", float("inf"))
    plan = tiny_plan(budget=f"{CHILDREN} children", final="none")
    sink = run(plan, tmp_path / "b.h5", trained)
    assert sink.together[0] == 8 <= BATCH_ROWS
    assert sink.together[1:] == [1] * (CHILDREN - 8)
    frame = Results(str(tmp_path / "b.h5")).frame()
    assert frame["index"].tolist() == list(range(CHILDREN))
    assert frame["cached_from"].ne("").tolist() == [True] * 8 + [False] * 4


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("killed_before", [0, 1, 3])
def test_killed_and_resumed_equals_never_killed(trained, tmp_path, monkeypatch, killed_before):
    monkeypatch.setattr("nasbench.runners.search.row_writer.BATCH_ROWS", 5)
    plan = tiny_plan(strategy="ppo", options={"batch": 3}, budget=f"{CHILDREN} children", final="none")
    search(tiny_plan(strategy="ppo", options={"batch": 3}, budget="8 children", final="none"), tmp_path / "ppo.h5")
    run(plan, tmp_path / "whole.h5", tmp_path / "ppo.h5")
    with pytest.raises(Killed):
        run(plan, tmp_path / "parts.h5", tmp_path / "ppo.h5", killed_before)
    run(plan, tmp_path / "parts.h5", tmp_path / "ppo.h5")
    assert stable_rows(tmp_path / "parts.h5") == stable_rows(tmp_path / "whole.h5")
