"""A table is built of every distinct architecture, goes on where it was interrupted, and is a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from commands import nasbench

from nasbench.errors import InputError
from nasbench.runners import tables
from nasbench.runners.executors.base import ExecutorOptions
from nasbench.runners.executors.inline import InlineExecutor
from nasbench.runners.search.config import SearchConfig, resolve
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.resuming import stored_config
from nasbench.runners.tables.build import TableBuild, distinct_architectures, hash_neighbours
from nasbench.spaces import get_space
from nasbench.store.format.schema import TABLE
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.maintenance.value_checks import REPAIRED
from nasbench.store.query import Results
from nasbench.tabular.tables import read_table
from nasbench.training.clocks import Clock
from nasbench.training.evaluation import Child, Evaluation

SPACE = get_space("nasbench201")


class Scored(InlineExecutor):
    """Gives each child a score by its choices, and stops as Ctrl-C does after some."""

    def __init__(self, stop_after: int) -> None:
        super().__init__(ExecutorOptions())
        self.trained: list[Child] = []
        self._stop_after = stop_after

    def wait(self) -> list[tuple[int, Evaluation]]:
        if len(self.trained) == self._stop_after:
            raise KeyboardInterrupt
        ticket, child = self._queue.popleft()
        assert child.test
        self.trained.append(child)
        score = sum(child.architecture.choices) / 24
        return [(ticket, Evaluation("ok", val_acc=score, test_acc=score / 2, train_seconds=1.0 + child.seed))]


def plans(seeds: int):
    size = len(distinct_architectures(SPACE))
    common = {"strategy": TABLE, "space": "nasbench201", "protocol": "digits201", "budget": f"{size} children"}
    return [resolve(SearchConfig(**common, seed=seed)) for seed in range(seeds)]


def build(path: Path, seeds: int, stop_after: int = -1) -> list[Child]:
    executor = Scored(stop_after)
    try:
        TableBuild(path, plans(seeds), distinct_architectures(SPACE), executor, Progress("table")).run()
    except KeyboardInterrupt:
        assert stop_after >= 0
    return executor.trained


@pytest.mark.parametrize("clock", ["held", "processor"])
def test_children_are_timed_by_the_clock_of_the_table(tmp_path: Path, clock: Clock) -> None:
    (plan,) = plans(1)
    plan = replace(plan, config=plan.config.model_copy(update={"clock": clock}))
    executor = Scored(-1)
    TableBuild(tmp_path / "t.h5", [plan], distinct_architectures(SPACE)[:2], executor, Progress("table")).run()
    assert [child.clock for child in executor.trained] == [clock, clock]


@pytest.mark.slow
def test_an_interrupted_table_goes_on_and_is_whole(tmp_path):
    path = tmp_path / "table.h5"
    first = build(path, 1, stop_after=700)
    with Results(str(path)) as results:
        assert results.runs()["status"].tolist() == ["interrupted"]
    second = build(path, 1)
    assert len(first) == 700
    hashes = [child.architecture.hash for child in (*first, *second)]
    assert len(hashes) == len(set(hashes)) == 5425
    assert check_file(str(path)).sound
    table = read_table(path)
    for code in range(0, SPACE.size, 997):
        same = [a for a in distinct_architectures(SPACE) if a.hash == table.architecture(code).hash]
        assert table.val_acc[code] == sum(same[0].choices) / 24
        assert table.test_acc[code] == table.val_acc[code] / 2
    assert build(path, 1) == []


def build_some(path: Path, count: int) -> tuple[int, tuple[str, int]]:
    """Build a table of so many architectures; returns how many were trained, and status and children of its run."""
    (plan,) = plans(1)
    executor = Scored(-1)
    TableBuild(path, [plan], distinct_architectures(SPACE)[:count], executor, Progress("table")).run()
    with Results(str(path)) as results:
        ((status, children),) = results.runs()[["status", "children"]].itertuples(index=False)
    return len(executor.trained), (status, children)


def flip_in(path: Path, dataset: str) -> None:
    """Damage a byte of a dataset's first chunk."""
    with h5py.File(path, "r") as file:
        offset = int(file[dataset].id.get_chunk_info(0).byte_offset)
    data = bytearray(path.read_bytes())
    data[offset + 10] ^= 0x10
    path.write_bytes(data)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("dataset", ["runs/usd", "children/platform", "categories/runs/config"])
def test_a_repaired_table_is_complete(tmp_path: Path, dataset: str) -> None:
    path = tmp_path / "table.h5"
    assert build_some(path, 30) == (30, ("complete", 30))
    flip_in(path, dataset)
    repaired = repair_file(path)
    assert repaired is not None
    assert repaired.children == 30
    with Results(str(path)) as results:
        assert results.runs()[["status", "children"]].to_numpy().tolist() == [["complete", 30]]
    assert check_file(path).sound
    assert build_some(path, 30) == (0, ("complete", 30))


def test_a_table_whose_run_was_lost_is_complete_after_the_next_build(tmp_path: Path) -> None:
    path = tmp_path / "table.h5"
    build_some(path, 30)
    flip_in(path, "runs/run")
    assert repair_file(path) is not None
    with Results(str(path)) as results:
        assert results.runs()[["status", "children"]].to_numpy().tolist() == [["interrupted", 30]]
    assert build_some(path, 30) == (0, ("complete", 30))


def test_rows_that_a_repair_dropped_are_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "table.h5"
    build_some(path, 30)
    flip_in(path, "children/hash")
    assert repair_file(path) is not None
    with Results(str(path)) as results:
        assert results.runs()[["status", "children"]].to_numpy().tolist() == [["interrupted", 0]]
    assert build_some(path, 30) == (30, ("complete", 30))
    assert check_file(path).sound


def test_scores_that_a_repair_lost_are_said_and_stay_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "table.h5"
    build_some(path, 30)
    flip_in(path, "children/val_acc")
    assert repair_file(path) is not None
    assert build_some(path, 31) == (1, ("complete", 31))
    assert "30 of its trainings lost a score in a repair and are not made again" in caplog.text
    health = check_file(path)
    assert health.sound
    assert not [finding.text for finding in health.findings if "val_acc" in finding.text]
    with Results(path) as results:
        provenance = json.loads(results.runs()["provenance"].iloc[0])
    assert provenance[REPAIRED] == ["val_acc"]


def test_every_hash_is_there_once():
    architectures = distinct_architectures(SPACE)
    assert len(architectures) == len({each.hash for each in architectures}) == 5425
    assert {each.hash for each in architectures} == {each.hash for each in SPACE.enumerate()}


def test_a_space_that_cannot_be_covered_is_refused():
    with pytest.raises(InputError, match="at most 10000000"):
        distinct_architectures(get_space("nasnet"))


def test_neighbours_of_a_hash_are_those_of_all_its_architectures():
    one = SPACE.decode([3, 0, 0, 0, 0, 0])  # its convolution is dead, so many choices share its hash
    near = hash_neighbours(SPACE, one.hash)
    assert {each.hash for each in SPACE.neighbours(one)} - {one.hash} < near
    assert one.hash not in near


def test_a_seed_of_a_table_is_no_search_to_go_on_with():
    (plan,) = plans(1)
    with pytest.raises(
        InputError, match="nasbench table build --space nasbench201 --protocol digits201 --seeds 1 -o FILE"
    ):
        stored_config(plan.config.model_dump_json(), None)


@pytest.mark.parametrize("content", [b"mine", b"\x89HDF\r\n\x1a\nmine"])
def test_a_foreign_file_is_refused_before_the_space_is_listed(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables.build, "distinct_architectures", lambda _: pytest.fail("the space was listed"))
    (tmp_path / "x.h5").write_bytes(content)
    done = nasbench("table", "build", "--space", "nasnet:blocks=1", "-o", "x.h5", cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert done.err.startswith("error: x.h5 ")
    assert (tmp_path / "x.h5").read_bytes() == content
