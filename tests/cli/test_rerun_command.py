"""A stored run says how it was made, and starts again to the same scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from commands import nasbench
from searching import InterruptedAt, search, stable_rows, tiny_plan
from store_rows import child, run

from nasbench.runners.search.config import Command
from nasbench.store.writer import ResultsWriter


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rerun") / "searched.h5"
    search(tiny_plan(budget="3 children", seed=5), path)
    return path


def test_rerun_gives_the_same_rows(searched: Path, tmp_path: Path) -> None:
    plan = tiny_plan(budget="3 children", seed=5)
    done = nasbench("rerun", plan.run[:6], str(searched), "-o", str(tmp_path / "again.h5"))
    assert done.code == 0, done.err
    assert stable_rows(tmp_path / "again.h5") == stable_rows(searched)


def test_rerun_reuses_no_score_of_another_run_in_its_output(searched: Path, tmp_path: Path) -> None:
    """The longer search of the same seed begins with the same three children."""
    longer, output = tiny_plan(budget="4 children", seed=5), tmp_path / "again.h5"
    search(longer, output)
    plan = tiny_plan(budget="3 children", seed=5)
    done = nasbench("rerun", plan.run, str(searched), "-o", str(output))
    assert done.code == 0, done.err
    again = [row for row in stable_rows(output) if row["run"] == plan.run]
    assert again == stable_rows(searched)
    assert not any(row["cached_from"].startswith(longer.run) for row in again)


def test_resume_of_an_interrupted_rerun_reuses_no_score_of_another_run(searched: Path, tmp_path: Path) -> None:
    """The longer search has the scores of the two children that are missing."""
    plan, output = tiny_plan(budget="3 children", seed=5), tmp_path / "again.h5"
    rerun = replace(plan, command=Command(reuses_others=False))
    with pytest.raises(KeyboardInterrupt):
        search(rerun, output, InterruptedAt(1))
    longer = tiny_plan(budget="4 children", seed=5)
    search(longer, output)
    done = nasbench("resume", str(output))
    assert done.code == 0, done.err
    again = [row for row in stable_rows(output) if row["run"] == plan.run]
    assert again == stable_rows(searched)
    assert not any(row["cached_from"].startswith(longer.run) for row in again)


def test_other_searches_that_are_resumed_beside_a_rerun_reuse_scores(tmp_path: Path) -> None:
    output, longer = tmp_path / "a.h5", tiny_plan(budget="4 children", seed=5)
    rerun = replace(tiny_plan(budget="3 children", seed=5), command=Command(reuses_others=False))
    search_of_two = tiny_plan(budget="2 children", seed=5)  # its first child has the score of the rerun's
    for plan, stops_at in ((rerun, 1), (search_of_two, 0)):
        with pytest.raises(KeyboardInterrupt):
            search(plan, output, InterruptedAt(stops_at))
    search(longer, output)
    done = nasbench("resume", str(output))
    assert done.code == 0, done.err
    reused = {run: [] for run in (rerun.run, search_of_two.run)}
    for row in stable_rows(output):
        if row["stage"] == "search" and row["run"] in reused:
            reused[row["run"]].append(row["cached_from"].partition("/")[0])
    assert reused == {rerun.run: ["", "", ""], search_of_two.run: [rerun.run, longer.run]}


def test_show_run_prints_configuration_and_provenance(searched: Path) -> None:
    plan = tiny_plan(budget="3 children", seed=5)
    done = nasbench("show", "--run", plan.run, str(searched))
    assert (done.code, done.err) == (0, "")
    said = {line.split(":")[0].strip(): line.partition(":")[2].strip() for line in done.out.splitlines() if ":" in line}
    assert said["run"] == plan.run
    assert said["fingerprint"] == plan.fingerprint
    assert json.loads(said["set"]) == plan.config.set
    assert {"torch", "numpy"} <= set(json.loads(said["packages"]))
    assert {"data_digest", "commit", "dirty", "host", "processor", "threads", "command", "python"} <= set(said)


@pytest.mark.parametrize("before", [("show", "--run", "zz"), ("rerun", "-o", "x.h5", "zz")])
def test_an_unknown_run_is_refused(searched: Path, before: tuple[str, ...]) -> None:
    done = nasbench(*before, str(searched))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "has no run whose id starts with 'zz'" in done.err


def test_rerun_refuses_the_same_file_and_what_is_no_search(searched: Path, tmp_path: Path) -> None:
    same = nasbench("rerun", tiny_plan(budget="3 children", seed=5).run, str(searched), "-o", str(searched))
    assert same.code == 2
    assert "holds the run already" in same.err
    with ResultsWriter(tmp_path / "table.h5") as writer:
        writer.put_run(run())
        writer.append_child(*child(0))
    table = nasbench("rerun", "run0", str(tmp_path / "table.h5"), "-o", str(tmp_path / "x.h5"))
    assert table.code == 2
    assert "only searches that train can be started again" in table.err


def test_show_without_anything_says_what_to_name() -> None:
    done = nasbench("show")
    assert done.code == 2
    assert "--run ID" in done.err
