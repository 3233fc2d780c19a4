"""Merging and comparing files: identical children once, conflicting ones refused or kept with where they are from."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import nasbench
from store_rows import child, expected, plain, run, stored, write

from nasbench.errors import InputError
from nasbench.store.format.frames import from_the_start
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.merging import merge_files
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.texts import json_object


def make(path: Path, numbers: Sequence[int], name: str = "run0", runs: Any = None, **columns: Any) -> str:
    with ResultsWriter(path) as writer:
        writer.put_run(runs or run(name))
        for number in numbers:
            writer.append_child(*child(number, name, **columns))
    return str(path)


def rows_of(path: Path, name: str) -> list[dict[str, Any]]:
    with Results(path) as results:
        return [plain(row) for row in results.children_of(name)]


def test_files_without_common_children_are_joined_in_order(tmp_path: Path) -> None:
    files = [make(tmp_path / "a.h5", range(5)), make(tmp_path / "b.h5", range(5, 9))]
    done = merge_files(files, str(tmp_path / "c.h5"))
    assert (done.children, done.runs, done.identical) == (9, 1, 0)
    assert stored(tmp_path / "c.h5") == expected(9)
    assert check_file(tmp_path / "c.h5").sound
    assert stored(tmp_path / "a.h5") == expected(5)


def test_identical_children_are_there_once(tmp_path: Path) -> None:
    files = [make(tmp_path / "a.h5", range(6)), make(tmp_path / "b.h5", range(3, 9)), make(tmp_path / "d.h5", range(2))]
    done = merge_files(files, str(tmp_path / "c.h5"))
    assert (done.children, done.identical) == (9, 5)
    assert stored(tmp_path / "c.h5") == expected(9)


def test_unpacked_rows_are_merged_too(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "a.h5") as writer:
        writer.put_run(run())
        writer.append_child(*child(0))
        merge_files([str(tmp_path / "a.h5")], str(tmp_path / "c.h5"))
    assert stored(tmp_path / "c.h5") == expected(1)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("column", [{"val_acc": 0.5}, {"error": "x"}, {"duplicate": True}, {"params": 3}])
def test_a_conflict_is_refused_and_nothing_written(tmp_path: Path, column: dict[str, Any]) -> None:
    files = [make(tmp_path / "a.h5", range(4)), make(tmp_path / "b.h5", [3], **column)]
    with pytest.raises(InputError, match=f"first run run0 search 3 .differing: {next(iter(column))}"):
        merge_files(files, str(tmp_path / "c.h5"))
    assert not list(tmp_path.glob("c.*"))


def test_a_curve_alone_is_a_conflict(tmp_path: Path) -> None:
    make(tmp_path / "a.h5", range(4))
    row, curves = child(3)
    with ResultsWriter(tmp_path / "b.h5") as writer:
        writer.put_run(run())
        writer.append_child(row, curves | {"val_loss": [value + 1 for value in curves["val_loss"]]})
    with pytest.raises(InputError, match="differing: curve val_loss"):
        merge_files([str(tmp_path / "a.h5"), str(tmp_path / "b.h5")], str(tmp_path / "c.h5"))


def test_conflicts_are_kept_under_an_id_of_their_own(tmp_path: Path) -> None:
    files = [
        make(tmp_path / "a.h5", range(4)),
        make(tmp_path / "b.h5", range(3, 6), val_acc=0.5, cached_from="run0/1"),
        make(tmp_path / "d.h5", [3], val_acc=0.6),
    ]
    done = merge_files(files, str(tmp_path / "c.h5"), "keep")
    assert done.renamed == {(files[1], "run0"): "run0~2", (files[2], "run0"): "run0~3"}
    assert rows_of(tmp_path / "c.h5", "run0") == expected(4)
    second = rows_of(tmp_path / "c.h5", "run0~2")
    assert [(row["index"][1], row["val_acc"][1], row["cached_from"][1]) for row in second] == [
        (str(number), "0.5", "'run0~2/1'") for number in range(3, 6)
    ]
    with Results(tmp_path / "c.h5") as results:
        made = dict(zip(results.runs()["run"], results.runs()["provenance"]))
    assert json.loads(made["run0~2"])["merged_from"] == {"file": files[1], "run": "run0"}
    assert check_file(tmp_path / "c.h5").sound


@pytest.mark.sampled(1)
@pytest.mark.parametrize("order", ["a b b", "a b c b c", "a b a b"])
def test_a_file_that_is_given_twice_is_kept_once(tmp_path: Path, order: str) -> None:
    """Also where a run has children that were taken from another run that conflicts."""
    for name, score in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        with ResultsWriter(tmp_path / f"{name}.h5") as writer:
            for run_id, source in (("one", ""), ("two", "one/0")):
                writer.put_run(run(run_id))
                writer.append_child(*child(0, run_id, val_acc=score, cached_from=source))
            writer.put_run(run(f"only {name}"))
            writer.append_child(*child(0, f"only {name}"))
    files = [str(tmp_path / f"{name}.h5") for name in order.split()]
    done = merge_files(files, str(tmp_path / "merged.h5"), "keep")
    sources = sorted(set(order.split()))
    assert (done.children, done.runs) == (3 * len(sources), 3 * len(sources))
    assert done.identical == 3 * (len(files) - len(sources))
    with Results(tmp_path / "merged.h5") as results:
        frame = results.frame(["run", "val_acc", "cached_from"])
    found = {(row["run"], row["val_acc"], row["cached_from"]) for row in frame.to_dict("records")}
    for name, end, score in (("a", "", 0.1), ("b", "~2", 0.2), ("c", "~3", 0.3)):
        assert ((f"one{end}", score, "") in found) == (name in sources)
        assert ((f"two{end}", score, f"one{end}/0") in found) == (name in sources)
    assert check_file(tmp_path / "merged.h5").sound


def test_what_names_a_kept_run_follows_it(tmp_path: Path) -> None:
    """Rule: a child that goes on, and one that was taken from the cache, name the same child as in their own file."""
    for name, seconds in (("a", 1.0), ("b", 10.0)):
        with ResultsWriter(tmp_path / f"{name}.h5") as writer:
            writer.put_run(run())
            writer.append_child(*child(0, stop_epoch=1, device_seconds=seconds))
            more = {"hash": child(0)[0]["hash"], "continues": "run0/0", "from_epoch": 1, "device_seconds": 2 * seconds}
            writer.append_child(*child(2, **more))
            if name == "b":
                writer.put_run(run("other"))
                writer.append_child(*child(1, "other", cached_from="run0/2"))
    for order in ("a b", "a b b"):
        merged = tmp_path / f"{len(order)}.h5"
        done = merge_files([str(tmp_path / f"{name}.h5") for name in order.split()], str(merged), "keep")
        assert (done.children, done.runs) == (5, 3)
        with Results(merged) as results:
            frame = from_the_start(results.frame())
        assert frame["run"].tolist() == ["run0", "run0", "other", "run0~2", "run0~2"]
        assert frame["device_seconds"].tolist()[:2] == [1.0, 1.0 + 2.0]
        assert frame["device_seconds"].tolist()[3:] == [10.0, 10.0 + 20.0]
        assert frame["cached_from"].tolist() == ["", "", "run0~2/2", "", ""]
        assert frame["continues"].tolist() == ["", "run0/0", "", "", "run0~2/0"]


def test_runs_are_known_again_where_their_numbers_differ(tmp_path: Path) -> None:
    """The run "two~2" has a child that was taken from "one~3": it is the same child where both are numbered otherwise."""
    for name, score in (("a", 0.1), ("b", 0.2)):
        with ResultsWriter(tmp_path / f"{name}.h5") as writer:
            for run_id, source in (("one", ""), ("two", "one/0")):
                writer.put_run(run(run_id))
                writer.append_child(*child(0, run_id, val_acc=score, cached_from=source))
    make(tmp_path / "other.h5", [0], "one", val_acc=0.9)
    files = [str(tmp_path / f"{name}.h5") for name in ("a", "other", "b", "b")]
    done = merge_files(files, str(tmp_path / "merged.h5"), "keep")
    assert (done.children, done.identical) == (5, 2)
    with Results(tmp_path / "merged.h5") as results:
        rows = results.frame(["run", "cached_from"]).to_dict("records")
    found = [(row["run"], row["cached_from"]) for row in rows]
    assert sorted(found) == [("one", ""), ("one~2", ""), ("one~3", ""), ("two", "one/0"), ("two~2", "one~3/0")]


def test_a_file_that_was_merged_before_is_kept_once(tmp_path: Path) -> None:
    files = [make(tmp_path / "a.h5", range(3)), make(tmp_path / "b.h5", range(3), seed=7)]
    first, second, third = (str(tmp_path / f"{name}.h5") for name in ("first", "second", "third"))
    merge_files(files, first, "keep")
    done = merge_files([first, files[1]], second, "keep")
    assert (done.children, done.runs, done.identical) == (6, 2, 3)
    assert done.renamed == {(files[1], "run0"): "run0~2"}
    grown = make(tmp_path / "grown.h5", range(5), seed=7)  # the same run, further on
    done = merge_files([second, grown], third, "keep")
    assert (done.children, done.runs) == (8, 2)
    with Results(third) as results:
        frame = results.frame(["run", "index"])
    assert sorted(frame.loc[frame["run"] == "run0~2", "index"]) == list(range(5))


@pytest.mark.parametrize(
    "steps",
    [
        ["a b", "b 0"],
        ["a b", "0 b", "b 1"],
        ["a b c", "c 0", "b 1", "b a 2"],
        ["a b", "b c", "c 0 1", "2 0 b"],
        ["a b", "c 0", "b 1", "a 0 2 c"],  # the copy of a copy
    ],
    ids=", ".join,
)
def test_every_search_is_kept_once_in_any_chain_of_merges(tmp_path: Path, steps: list[str]) -> None:
    """Each step merges files and results of earlier steps (by their number). "two" has children taken from "one"."""
    for name, score in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        with ResultsWriter(tmp_path / f"{name}.h5") as writer:
            for run_id, source in (("one", ""), ("two", "one/0")):
                writer.put_run(run(run_id))
                writer.append_child(*child(0, run_id, val_acc=score, cached_from=source))
    for number, step in enumerate(steps):
        merge_files([str(tmp_path / f"{name}.h5") for name in step.split()], str(tmp_path / f"{number}.h5"), "keep")
    sources = {name for step in steps for name in step.split() if name.isalpha()}
    with Results(tmp_path / f"{len(steps) - 1}.h5") as results:
        rows = results.frame(["run", "val_acc", "cached_from"]).to_dict("records")
        made = {name: json_object(text) for name, text in zip(results.runs()["run"], results.runs()["provenance"])}
    assert len(rows) == len(made) == 2 * len(sources)
    assert {row["run"] for row in rows} == made.keys()
    one = {row["val_acc"]: row["run"] for row in rows if row["run"].startswith("one")}
    two = {row["val_acc"]: row["cached_from"] for row in rows if row["run"].startswith("two")}
    assert two == {score: f"{name}/0" for score, name in one.items()}
    assert {name for name in made if "merged_from" not in made[name]} == {"one", "two"}  # these alone can go on
    assert check_file(tmp_path / f"{len(steps) - 1}.h5").sound


def test_the_run_row_that_is_furthest_on_is_taken(tmp_path: Path) -> None:
    files = [
        make(tmp_path / "a.h5", range(2), runs=run(status="complete", children=0, wall_seconds=9.0)),
        make(tmp_path / "b.h5", range(2), runs=run(status="interrupted", children=5, wall_seconds=1.0)),
    ]
    for order in (files, files[::-1]):
        target = tmp_path / f"c{order is files}.h5"
        merge_files(order, str(target))
        with Results(target) as results:
            assert results.runs()["status"].tolist() == ["complete"]


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    file = make(tmp_path / "a.h5", range(2))
    with pytest.raises(InputError, match="is there already"):
        merge_files([file], file)
    assert stored(tmp_path / "a.h5") == expected(2)


def test_merge_and_diff_commands(tmp_path: Path) -> None:
    a, b = make(tmp_path / "a.h5", range(4)), make(tmp_path / "b.h5", range(2, 6))
    merged = nasbench("merge", a, b, "-o", str(tmp_path / "c.h5"))
    assert (merged.code, merged.err) == (0, "")
    assert "6 children of 1 run; 2 identical children left out" in merged.out
    differ = nasbench("diff", a, b)
    assert differ.code == 1
    assert f"2 only in {a}: run0 search 0, run0 search 1" in differ.out
    assert nasbench("diff", a, a).code == 0
    refused = nasbench("merge", a, make(tmp_path / "d.h5", [1], val_acc=0.5), "-o", str(tmp_path / "e.h5"))
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--conflicts keep" in refused.err


def test_diff_names_columns_and_can_ignore_them(tmp_path: Path) -> None:
    a, b = make(tmp_path / "a.h5", range(3)), make(tmp_path / "b.h5", range(3), wall_seconds=2.0, val_acc=-0.0)
    done = nasbench("diff", a, b)
    assert done.code == 1
    assert "3 differ: run0 search 0" in done.out
    assert "wall_seconds: 3 differ, first nan and 2.0" in done.out
    assert nasbench("diff", a, b, "--ignore", "wall_seconds,val_acc").code == 0
    assert "did you mean 'wall_seconds'" in nasbench("diff", a, b, "--ignore", "wall_second").err


def test_minus_zero_is_not_zero(tmp_path: Path) -> None:
    a, b = make(tmp_path / "a.h5", [0], val_acc=0.0), make(tmp_path / "b.h5", [0], val_acc=-0.0)
    assert nasbench("diff", a, b).code == 1


def test_a_thousand_rows_merge_with_themselves(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", 1000)
    done = merge_files([str(tmp_path / "a.h5")] * 2, str(tmp_path / "c.h5"))
    assert (done.children, done.identical) == (1000, 1000)


def test_a_merge_killed_at_any_moment_leaves_nothing_or_everything(tmp_path: Path) -> None:
    file, target = make(tmp_path / "a.h5", range(500)), tmp_path / "c.h5"
    before = Path(file).read_bytes()
    whole = 0
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, None):  # None: not killed
        pid = os.fork()
        if pid == 0:
            merge_files([file], str(target))
            os._exit(0)
        if pause is not None:
            time.sleep(pause)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if target.exists():
            whole += 1
            assert check_file(target).sound
            assert stored(target) == expected(500)
            target.unlink()
    assert whole > 0
    merge_files([file], str(target))
    assert stored(target) == expected(500)
    assert Path(file).read_bytes() == before
