"""A file of searches as a table: copies by the cache, trainings that were cut, and trainings that went on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nasbench.errors import InputError
from nasbench.runners.replay.replay import Setting
from nasbench.spaces import get_space
from nasbench.store.format.schema import CURVES
from nasbench.store.writer import ResultsWriter
from nasbench.tabular.table_curves import epochs_text
from nasbench.tabular.tables import Selection, Table, read_tables, table_of_children
from tests.support.store_rows import child, run

SPACE = get_space("choices:2/2")
ALL = FIRST, SECOND, *_ = [SPACE.decode(choices) for choices in ([0, 0], [0, 1], [1, 0], [1, 1])]
LEAST: dict[str, Any] = {
    "run": "r",
    "index": 0,
    "stage": "search",
    "status": "ok",
    "seed": 0,
    "val_acc": 0.5,
    "test_acc": np.nan,
    "device_seconds": 100.0,
    "stop_epoch": 0,
    "from_epoch": 0,
    "continues": "",
    "cached_from": "",
    "platform": "here",
    "space": SPACE.spec,
    "fingerprint": "f",
    "data": "d",
    "params": 1,
    "mult_adds": 1,
}
Rows = list[dict[str, Any]]


def trained(architecture: Any, **columns: Any) -> dict[str, Any]:
    """A child of an architecture: a whole training of 100 s with seed 0 and accuracy 0.5, unless columns say else."""
    return {**LEAST, "hash": architecture.hash, "choices": json.dumps(list(architecture.choices)), **columns}


def others(*architectures: Any) -> Rows:
    """One training of each other architecture of the space."""
    return [trained(each, index=500 + place) for place, each in enumerate(ALL) if each not in architectures]


def table_of(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The table of some rows."""
    return table_of_children(pd.DataFrame(list(rows)), "file")


def copies(number: int) -> Rows:
    """Seed 0 with 0.5 in 100 s, once; seed 1 with 0.9 in 200 s, with copies of it."""
    one = trained(FIRST, index=1, seed=1, val_acc=0.9, device_seconds=200.0)
    again = [{**one, "index": 10 + place, "cached_from": "r/1"} for place in range(number)]
    return [trained(FIRST), one, *again, *others(FIRST)]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_copies_of_a_training_count_once(number: int) -> None:
    table = table_of(copies(number))
    assert table.val_acc[0] == pytest.approx((0.5 + 0.9) / 2)
    assert table.seconds[0] == (100 + 200) / 2
    assert table.trainings is not None
    assert table.trainings.counts[0] == 2


def test_copies_of_a_training_count_once_in_test_scores() -> None:
    """A final training of seed 0, and one of seed 1 of which two other searches took copies."""
    final = trained(FIRST, stage="final", test_acc=0.2)
    again = [{**final, "seed": 1, "test_acc": 0.8, "run": name} for name in ("r", "s", "t")]
    assert table_of([final, *again, *others()]).test_acc[0] == pytest.approx((0.2 + 0.8) / 2)


def test_means_over_seeds_are_never_taken_for_copies() -> None:
    """Two imported means that happen to be equal are of different trainings: (0.9 + 0.9 + 0.6) / 3."""
    means = [trained(FIRST, seed=-1, val_acc=score, test_acc=score) for score in (0.9, 0.9, 0.6)]
    table = table_of([*means, *({**each, "stage": "final"} for each in means), *others(FIRST)])
    assert table.val_acc[0] == pytest.approx(0.8)
    assert table.test_acc[0] == pytest.approx(0.8)
    assert table.trainings is None


def test_a_training_that_the_end_of_the_budget_cut_is_none() -> None:
    """4 s of a training that was cut are not the cost of one, and it did not fail."""
    cut = trained(FIRST, index=9, seed=7, status="unfinished", val_acc=np.nan, device_seconds=4.0)
    table = table_of([trained(FIRST), cut, *others(FIRST)])
    assert (table.val_acc[0], table.seconds[0]) == (0.5, 100.0)
    assert table.trainings is not None
    assert table.trainings.counts.tolist() == [1, 1, 1, 1]
    with pytest.raises(InputError, match="1 of 4 architectures have no row"):
        table_of([cut, *others(FIRST)])


def test_a_training_that_failed_still_counts() -> None:
    """A training that diverged after 50 s costs, and is one of those that may be drawn."""
    failed = trained(FIRST, index=9, seed=1, status="diverged", val_acc=np.nan, device_seconds=50.0)
    table = table_of([trained(FIRST), failed, *others(FIRST)])
    assert (table.val_acc[0], table.seconds[0]) == (0.5, 75.0)
    assert table.trainings is not None
    assert table.trainings.counts[0] == 2


def in_rungs(architecture: Any, first: int, seed: int) -> Rows:
    """A training that stops at epochs 1 and 3 and ends: 10, 20 and 40 s."""
    parts = [(1, 0, "", 10.0), (3, 1, f"r/{first}", 20.0), (0, 3, f"r/{first + 1}", 40.0)]
    return [
        trained(
            architecture,
            index=first + place,
            seed=seed,
            stop_epoch=stop,
            from_epoch=base,
            continues=continues,
            device_seconds=seconds,
        )
        for place, (stop, base, continues, seconds) in enumerate(parts)
    ]


def test_a_training_that_went_on_costs_all_its_parts() -> None:
    """Where all trainings of an architecture went on, each costs 10 + 20 + 40 s."""
    assert table_of([*in_rungs(FIRST, 1, 0), *in_rungs(FIRST, 11, 1), *others(FIRST)]).seconds.tolist() == [
        70.0,
        100.0,
        100.0,
        100.0,
    ]


def test_each_architecture_is_charged_by_its_own_trainings() -> None:
    """That one architecture has no training in one go does not change the costs of others."""
    rows = [trained(FIRST), *in_rungs(FIRST, 1, 1), *in_rungs(SECOND, 11, 0), *others(FIRST, SECOND)]
    assert table_of(rows).seconds.tolist() == [100.0, 70.0, 100.0, 100.0]


def test_a_part_alone_is_refused_as_the_cost_of_a_whole_training() -> None:
    rows = [*in_rungs(FIRST, 1, 0)[1:], *others(FIRST)]
    with pytest.raises(InputError, match=r"whole trainings cost \(1 of 4 architectures\): .*merge those files"):
        table_of(rows)
    assert table_of([*rows, trained(FIRST, index=50, seed=1)]).seconds[0] == 100.0  # another one says it


def test_a_file_without_costs_is_a_table_without_costs() -> None:
    rows = [*in_rungs(FIRST, 1, 0)[1:], *others(FIRST)]
    assert not table_of({**row, "device_seconds": np.nan} for row in rows).timed


def write(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    val_acc: Mapping[int, list[float]],
    seconds: Sequence[float] = (10.0,) * 4,
) -> Path:
    """Write rows whose curves have `seconds` in each of four epochs; `val_acc` has curves of indices, others are 0.5."""
    with ResultsWriter(path) as writer:
        writer.put_run(run("r"))
        for row in rows:
            curves = {curve.name: [0.5] * 4 for curve in CURVES} | {"seconds": list(seconds)}
            curves["val_acc"] = val_acc.get(row["index"], [0.5] * 4)
            writer.append_child(child(row["index"])[0] | {"devices": 1.0, **row}, curves)
    return path


def with_curves(path: Path) -> Table:
    """The table of a file, with its curves."""
    return read_tables(path, [Selection()], curves=True)[0]


def test_copies_of_a_training_count_once_in_curves(tmp_path: Path) -> None:
    rows = copies(3)
    later = [0.1, 0.3, 0.7, 0.9]
    path = write(tmp_path / "t.h5", rows, {row["index"]: later for row in rows if row["seed"] == 1})
    curves = with_curves(path).curves
    assert curves is not None
    assert curves.val_acc[curves.kinds[0]].tolist() == pytest.approx([0.3, 0.4, 0.6, 0.7])
    assert curves.seconds[curves.kinds[0], -1] == 150.0


def test_curves_of_a_training_that_went_on_end_with_its_whole_cost(tmp_path: Path) -> None:
    """40 s in four epochs and 30 s of set-up, which come before the first."""
    path = write(tmp_path / "t.h5", [*in_rungs(FIRST, 1, 0), *others(FIRST)], {})
    curves = with_curves(path).curves
    assert curves is not None
    assert curves.seconds[curves.kinds[0]].tolist() == [40.0, 50.0, 60.0, 70.0]


NEVER = float("nan")


def test_an_epoch_whose_score_was_not_recorded_is_no_failure(tmp_path: Path) -> None:
    """Validated after every second epoch: a strategy that stops there would see failures."""
    rows = others()
    path = write(tmp_path / "t.h5", rows, {row["index"]: [NEVER, 0.4, NEVER, 0.5] for row in rows})
    table = with_curves(path)
    assert table.unrecorded.tolist() == [1, 3]
    with pytest.raises(
        InputError, match=r"lacks scores or costs of some trainings after epoch 1, 3, where .* e\.g\. evolution"
    ):
        Setting.of("hyperband", {}).config_on(table)
    assert Setting.of("random", {}).config_on(table) is not None
    assert table.val_acc.tolist() == [0.5] * 4


def test_one_training_whose_score_was_not_recorded_is_enough(tmp_path: Path) -> None:
    """The mean over the other trainings is known, but an outcome of this one alone is not."""
    rows = [trained(FIRST, seed=1), *others()]
    table = with_curves(write(tmp_path / "t.h5", rows, {0: [0.4, NEVER, 0.5, 0.5]}))
    assert table.unrecorded.tolist() == [2]


def test_seconds_that_were_not_recorded_are_not_those_of_the_whole_training(tmp_path: Path) -> None:
    table = with_curves(write(tmp_path / "t.h5", others(), {}, seconds=[NEVER] * 4))
    assert table.unrecorded.tolist() == [1, 2, 3, 4]


def test_curves_of_failed_trainings_may_lack_epochs(tmp_path: Path) -> None:
    failed = trained(FIRST, status="diverged", val_acc=NEVER)
    table = with_curves(write(tmp_path / "t.h5", [failed, *others(FIRST)], {0: [0.4, NEVER, NEVER, NEVER]}))
    assert table.unrecorded.tolist() == []
    Setting.of("hyperband", {}).config_on(table)


@pytest.mark.parametrize(
    ("epochs", "text"), [([4], "4"), ([1, 2, 3, 5], "1 to 3, 5"), (list(range(1, 40, 2)), "1, 3, 5, ..., 39")]
)
def test_epochs_are_listed(epochs: list[int], text: str) -> None:
    assert epochs_text(np.array(epochs)) == text
