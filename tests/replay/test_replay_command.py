"""What `nasbench replay` says and writes, and what the analyses ask of its file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from commands import nasbench

import nasbench as suite
from nasbench.cli import replay as command
from nasbench.cli.loading import echo_table
from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.search.budget import Budget
from nasbench.tabular.tables import read_table

TABLE = str(Path(__file__).parents[2] / "results" / "digits201.h5")
SHARED = "note: each search has the budget of 20 gpu-seconds by the table's costs; the strategies' own seconds differ"
NOTE = "note: Replays: budgets and costs are the table's; the strategies' own seconds differ and are in none of them.\n"


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replayed")
    words = ("--table", TABLE, "--strategy", "random", "--strategy", "evolution:population=5", "--seeds", "5")
    done = nasbench(
        *("replay", *words, "--budget", "20 gpu-seconds", "-o", "r.h5", "--plot", "r-regret.png"), cwd=folder
    )
    assert done.code == 0, done.err
    return folder, done


def test_a_replay_states_its_budget_once(replayed):
    _, done = replayed
    assert (done.out + done.err).count(SHARED) == 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "words",
    [
        ("compare",),
        ("ranks",),
        ("targets", "--share-of-best", "0.9", "--table", TABLE),
        ("profiles", "--table", TABLE),
        ("cost",),
        ("power", "--difference", "0.01"),
    ],
)
def test_analyses_of_replays_need_no_leave_and_note_the_budget_once(replayed, words):
    folder, _ = replayed
    done = nasbench(words[0], "r.h5", *words[1:], cwd=folder)
    assert done.code == 0, done.err
    assert done.out.count(NOTE) == 1


def test_a_report_of_replays_needs_no_leave(replayed):
    folder, _ = replayed
    done = nasbench("report", "r.h5", "--format", "md", cwd=folder)
    assert done.code == 0, done.err
    assert "--allow" not in done.out


def test_the_regret_of_its_file_is_another_picture(replayed):
    folder, _ = replayed
    before = {path.name: path.read_bytes() for path in folder.glob("r-regret.*")}
    assert {"r-regret.png", "r-regret.csv"} <= set(before)
    done = nasbench("regret", "r.h5", "--table", TABLE, cwd=folder)
    assert done.code == 0, done.err
    assert (folder / "r-mean-regret.png").exists()
    assert {path.name: path.read_bytes() for path in folder.glob("r-regret.*")} == before


@pytest.mark.parametrize(("searches", "said"), [(1, "1 of 1 search, last random"), (2, "1 of 2 searches, last random")])
def test_the_silent_progress_has_a_plural(searches, said, monkeypatch, capsys):
    monkeypatch.setattr(command, "LINE_SECONDS", 0.0)
    with command._Progress(searches) as progress:
        progress.ended("random", 1)
    assert capsys.readouterr().err.startswith(f"{said}, ETA ")


def test_devices_side_by_side_have_more_children_and_no_published_row_beside():
    """The published searches trained one child at a time; a budget of wall time pays for a child a device."""
    row = {"strategy": "random", "options": "", "budget": "20 s"}
    budget = ReplayBudget(Budget.parse("20 s"))
    table = read_table(TABLE)
    for devices in (1, 4):
        run = replay(table, Setting.of("random", {}), [0], budget, devices=devices)
        assert command._same(row, [run]) == ("random" if devices == 1 else "")
        expected = table.children_of(20.0, "wall_seconds", devices)
        assert run.children[0] == pytest.approx(expected, rel=0.25)
    assert table.children_of(20.0, "gpu_seconds", 4) == table.children_of(20.0, "gpu_seconds")
    assert table.children_of(20.0, "children", 4) == 20.0


@pytest.mark.parametrize(("devices", "said"), [("1", True), ("8", False)])
def test_the_advice_counts_the_children_of_all_devices(tmp_path, devices, said):
    words = ("--table", TABLE, "--strategy", "evolution:population=50,sample=5", "--seeds", "1", "--budget", "20 s")
    done = nasbench("replay", *words, "--children-at-once", devices, cwd=tmp_path)
    assert done.code == 0, done.err
    assert ("so this is random search" in done.err) == said


def test_curves_of_a_replay_are_one_clear_line(replayed, tmp_path):
    folder, _ = replayed
    done = nasbench("curves", "r.h5", "-o", str(tmp_path / "curves.png"), cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "has a learning curve: replays store none" in done.err
    with pytest.raises(InputError, match="has a learning curve: replays store none"):
        suite.curves(folder / "r.h5")


def test_an_empty_table_has_its_headings(capsys):
    echo_table(pd.DataFrame({"rank": [], "strategy": []}), ())
    assert capsys.readouterr().out == "rank  strategy\n"


def test_a_budget_is_repeated_as_it_was_given():
    words = ("replay", "--table", "digits201-2", "--strategy", "random", "--seeds", "1", "--budget")
    assert "the budget of 5 device-seconds by" in nasbench(*words, "5  device-seconds").out
    assert "the budget of 5 gpu-seconds by" in nasbench(*words, "5 gpu-seconds").out
    assert "budget '-5 device-hours' should read" in nasbench(*words, "-5 device-hours").err
