"""Rows wait only for other rows, and the clock of a resumed run begins when its stored rows are read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nasbench.runners.search import accountant
from nasbench.runners.search.accountant import Accountant
from nasbench.runners.search.budget import Budget, Ledger
from nasbench.runners.search.row_writer import RowWriter


class Sink:
    def __init__(self) -> None:
        self.written: list[str] = []

    def append_children(self, children):
        self.written += [row["hash"] for row, _ in children]

    def put_run(self, row):
        self.written.append(row["status"])


def test_waiting_children_are_written_before_the_run_that_counts_them():
    sink = Sink()
    writer = RowWriter(sink)
    writer.write({"hash": "a"}, {}, at_once=False)
    assert sink.written == []
    writer.put_run({"status": "complete"})
    assert sink.written == ["a", "complete"]
    writer.flush()
    assert sink.written == ["a", "complete"]


def test_a_resumed_runs_wall_time_goes_on_from_its_last_row(monkeypatch: pytest.MonkeyPatch):
    now = SimpleNamespace(seconds=100.0)
    clock = SimpleNamespace(monotonic=lambda: now.seconds, perf_counter=lambda: now.seconds)
    monkeypatch.setattr(accountant, "time", clock)
    accounts = Accountant(Ledger(Budget.parse("9 children"), 0.0), 1.0, "searcher")
    accounts.restore_wall(40.0)
    now.seconds = 107.0  # reading the rows took 7 s
    accounts.restored(1)
    now.seconds = 110.0
    assert accounts.wall_seconds() == 43.0
