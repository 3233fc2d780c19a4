"""`nasbench status` on files that are being written, were left by a killed process, or are complete."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import store_rows
from commands import nasbench
from searching import search, tiny_plan

from nasbench.runners.search.progress import Progress
from nasbench.runners.search.status import file_status
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)
SHARED = {"space": "nasnet:blocks=1", "strategy": "random", "protocol": "digits", "data": "digits", "device": "cpu"}


def at(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def write(writer: ResultsWriter, status: str) -> None:
    """Four children of a run of ten, on two of four slots of half a device; the third failed, the last but one is the best."""
    run = {name: SHARED[name] for name in ("space", "strategy", "protocol", "data")}
    writer.put_run(store_rows.run("abc123", status=status, budget="10 children", started_at=at(1200), **run))
    ends = (900, 500, 300, 60)
    for number, (age, score) in enumerate(zip(ends, (0.5, 0.9, float("nan"), 0.7))):
        values = {"val_acc": score, "status": "ok" if score == score else "failed", "asked": number + 4, "devices": 0.5}
        values |= {"gpu_hours": 0.1, "usd": 0.02, "spent_gpu_hours": 0.1 * (number + 1), "wall_seconds": 1200.0 - age}
        values |= {"finished_at": at(age), "counted": True, "hash": f"{number:032x}"}
        row, curves = store_rows.child(number, "abc123", **SHARED, **values)
        writer.append_child(row, curves)


def test_a_run_that_goes_on(tmp_path):
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        write(writer, "running")
        found = file_status(str(path), NOW)
    [run] = found.runs
    assert found.writer is not None
    assert (found.writer.pid, found.writer.alive) == (os.getpid(), True)
    assert (run.state, run.children, run.failed) == ("running", 4, 1)
    assert (run.in_training, run.devices_busy) == (4, 2.0)  # of 7 asks, 3 were told before the last child
    assert run.children_a_minute == pytest.approx(4 / 19)
    assert run.recent_a_minute == pytest.approx(3 / 10)
    assert (run.gpu_hours, run.usd, run.share) == (pytest.approx(0.4), pytest.approx(0.08), 0.4)
    assert run.left_seconds == pytest.approx(1140 * 6 / 4)
    assert (run.best, run.best_hash) == (0.9, f"{1:032x}")
    assert run.last_child == at(60)


@pytest.mark.parametrize(("budget", "shown"), [("", "-"), ("many children", "many children")])
def test_a_budget_that_cannot_be_read_hides_no_run(tmp_path, budget, shown):
    """A repair that lost the row of a run makes it anew from the children, which say nothing of the budget."""
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        write(writer, "complete")
        writer.put_run(store_rows.run("lost", status="interrupted", budget=budget))
        writer.append_child(*store_rows.child(0, "lost", **SHARED, counted=True, hash="0" * 32))
    found, lost = file_status(str(path)).runs
    assert (found.run, found.share) == ("abc123", 0.4)
    assert (lost.run, lost.state, lost.children, lost.share) == ("lost", "interrupted", 1, None)
    done = nasbench("status", str(path))
    assert done.code == 0
    assert f" {shown} " in next(line for line in done.out.splitlines() if line.startswith("lost"))
    assert json.loads(nasbench("status", str(path), "--format", "json").out)["runs"][1]["share"] is None


def test_cached_children_are_not_in_the_rate(tmp_path):
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        write(writer, "running")
        for number in range(4, 8):
            cached = {"cached_from": "abc123/0", "finished_at": at(60), "wall_seconds": 1140.0, "hash": f"{0:032x}"}
            writer.append_child(*store_rows.child(number, "abc123", **SHARED, **cached, counted=True))
        [run] = file_status(str(path), NOW).runs
    assert run.children == 8
    assert run.children_a_minute == pytest.approx(4 / 19)
    assert run.recent_a_minute == pytest.approx(3 / 10)


def test_runs_that_alternate_keep_their_children(tmp_path):
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        for name in ("late", "early", "empty"):
            writer.put_run(store_rows.run(name, status="complete", budget="10 children"))
        for number in range(6):
            name = ("early", "late")[number % 2]
            row, curves = store_rows.child(number // 2, name, **SHARED, val_acc=number / 10, hash=f"{number:032x}")
            writer.append_child({**row, "counted": True, "status": "ok"}, curves)
    found = {run.run: run for run in file_status(str(path), NOW).runs}
    assert list(found) == ["late", "early", "empty"]
    assert [found[name].best_hash for name in found] == [f"{5:032x}", f"{4:032x}", ""]
    assert [run.children for run in found.values()] == [3, 3, 0]


def test_a_killed_writer_leaves_a_stopped_run(tmp_path):
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        write(writer, "running")
        lock = path.with_suffix(".lock").read_text()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path.with_suffix(".lock").write_text(json.dumps({**json.loads(lock), "pid": gone.pid}))
    found = file_status(str(path), NOW)
    assert found.writer is not None
    assert found.writer.alive is False
    [run] = found.runs
    assert (run.state, run.in_training, run.left_seconds) == ("stopped", 0, None)
    out = nasbench("status", "runs.h5", cwd=tmp_path).out
    assert "its writer is gone" in out
    assert "go on with: nasbench resume runs.h5\n" in out


def test_a_writer_on_another_host_is_believed(tmp_path):
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        write(writer, "running")
        lock = path.with_suffix(".lock").read_text()
    path.with_suffix(".lock").write_text(json.dumps({**json.loads(lock), "host": "elsewhere"}))
    found = file_status(str(path), NOW)
    assert found.writer is not None
    assert found.writer.alive is None
    assert found.runs[0].state == "running"
    assert "this host cannot find out whether it is alive" in nasbench("status", "runs.h5", cwd=tmp_path).out


def test_a_complete_run_says_what_the_ledger_said(tmp_path):
    path = tmp_path / "runs.h5"
    done = search(tiny_plan(budget="3 children"), path)
    [run] = file_status(str(path)).runs
    assert (run.state, run.children, run.share) == ("complete", 3, 1.0)
    assert run.gpu_hours == pytest.approx(done.ledger.search_seconds / 3600)
    assert run.usd == pytest.approx(done.ledger.usd, rel=0.05)  # the searcher's seconds have the children's price
    frame = Results(str(path)).frame(stage="search")
    assert run.best == frame["val_acc"].max()


def test_the_shipped_table(tmp_path):
    table = str(Path(__file__).parents[2] / "results" / "digits201.h5")
    out = nasbench("status", table, "--format", "json", cwd=tmp_path).out
    found = json.loads(out)
    assert found["writer"] is None
    assert [run["state"] for run in found["runs"]] == ["complete"] * 3
    assert {run["children"] for run in found["runs"]} == {5425}


def test_a_missing_file_is_one_line(tmp_path):
    done = nasbench("status", "missing.h5", cwd=tmp_path)
    assert done.code == 2
    assert "missing.h5: no such results file" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(("device", "unit"), [("cpu", "device-hours"), ("NVIDIA H200", "GPU-hours")])
def test_the_unit_of_hours_is_that_of_the_runs_devices(tmp_path, monkeypatch, device, unit):
    monkeypatch.setitem(SHARED, "device", device)
    path = tmp_path / "runs.h5"
    with ResultsWriter(path) as writer:
        write(writer, "complete")
    assert file_status(str(path)).runs[0].hours_unit == unit
    assert f" {unit} " in nasbench("status", str(path)).out


@pytest.mark.parametrize(
    ("fields", "unit"),
    [
        ({"devices": ("cpu", "cpu")}, "device-hours"),
        ({"devices": ("cuda:0", "cuda:1")}, "GPU-hours"),
        ({"gpus_per_child": 0.5}, "GPU-hours"),
    ],
)
def test_progress_names_the_unit_of_the_searchs_devices(fields, unit):
    plan = tiny_plan()
    plan = replace(plan, config=plan.config.model_copy(update=fields))
    out = io.StringIO()
    progress = Progress("search", out, unit=plan.hours_unit)
    progress.start(plan.ledger())
    progress.child(plan.ledger(), "none yet", 1.0)
    assert f" {unit}, 0 USD" in out.getvalue()


def test_cached_children_are_not_in_the_rate_of_the_progress(monkeypatch):
    plan, out = tiny_plan(), io.StringIO()
    ledger, progress = plan.ledger(), Progress("search", out)
    monkeypatch.setattr("nasbench.runners.search.progress.time.monotonic", iter([0.0] * 2 + [120.0] * 99).__next__)
    monkeypatch.setattr("nasbench.runners.search.progress.LINE_SECONDS", 0.0)
    progress = Progress("search", out)
    progress.start(ledger)
    ledger.children = 3
    progress.child(ledger, "none yet", 1.0, cached=True)
    assert ", 1.0 children/min" in out.getvalue()
    ledger.children = 1
    progress.child(ledger, "none yet", 1.0)
    assert ", - children/min" in out.getvalue()


@pytest.mark.parametrize(
    ("children", "busy", "said"),
    [(1, 1.0, ": 5% of the budget, 1 child, "), (2, 0.5, ": 10% of the budget, 2 children, ")],
)
def test_one_child_on_one_device_is_singular(children, busy, said):
    plan, out = tiny_plan(budget="20 children"), io.StringIO()
    ledger, progress = plan.ledger(), Progress("search", out)
    progress.start(ledger)
    ledger.children = children
    progress.child(ledger, "none yet", busy)
    assert said in out.getvalue()
    assert f", {busy:g} {'device' if busy == 1 else 'devices'} busy, " in out.getvalue()
