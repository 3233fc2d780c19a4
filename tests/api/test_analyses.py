"""`nasbench.cost`, `pareto`, `curves` and `suite`: the numbers of the commands."""

from __future__ import annotations

import commands
import pandas as pd
import pytest
from fake_images import FAKE

import nasbench
from nasbench.errors import InputError, UnknownName
from nasbench.store.reader import Snapshot


@pytest.fixture
def path(tiny, tmp_path):
    tiny()
    return tmp_path / "a.h5"


def test_costs_are_those_of_the_command(path, tmp_path):
    done = commands.nasbench("cost", str(path), "--price", "2", "--target", "0.1", "--csv", str(tmp_path / "cost.csv"))
    assert done.code == 0, done.err
    found = nasbench.cost(path, price=2.0, target=0.1)
    written = pd.read_csv(tmp_path / "cost.csv")
    shared = [name for name in found.table if name in written]
    assert {"usd", "gpu_hours", "to_target", "unit"} <= set(shared)
    pd.testing.assert_frame_equal(found.table[shared], written[shared], check_dtype=False)
    assert all(f"note: {note}" in done.out for note in found.notes)
    assert found.table["usd"].iloc[0] == pytest.approx(2 * found.table["gpu_hours"].iloc[0])


def test_fronts_are_those_of_the_command(path, tmp_path):
    words = ("pareto", str(path), "--objectives", "error,params", "--csv", str(tmp_path / "front.csv"))
    done = commands.nasbench(*words)
    assert done.code == 0, done.err
    found = nasbench.pareto(path)
    written = pd.read_csv(tmp_path / "front.csv")
    assert found.table["hypervolume"].to_numpy() == pytest.approx(written["hypervolume"].to_numpy())
    assert found.table["front"].tolist() == written["front"].tolist()
    assert int(found.data["front"].sum()) == found.table.set_index("strategy").loc["all", "front"]


def test_curves_have_their_best_in_front_and_are_saved(path, tmp_path):
    found = nasbench.curves(path, best=2)
    best = nasbench.open(path).frame(stage="search").nlargest(2, "val_acc")["val_acc"]
    assert found.table["val_acc"].tolist() == pytest.approx(best.tolist())
    assert {written.suffix for written in found.save(tmp_path / "x" / "curves")} >= {".png", ".svg", ".csv"}
    assert "<table" in found._repr_html_()


def test_costs_that_compare_would_refuse_are_refused_and_can_be_allowed(path):
    stored = nasbench.open(path).frame(stage="search")
    where = f"index != {int(stored['index'].max())}"
    with pytest.raises(InputError, match="children: 1 counted children of 1 runs are not here"):
        nasbench.cost(path, where=where)
    found = nasbench.cost(path, where=where, allow=["children"])
    assert any("(allowed: children)" in note for note in found.notes)


@pytest.mark.parametrize("call", [nasbench.cost, nasbench.pareto, nasbench.curves])
def test_a_selection_of_nothing_is_refused(path, call):
    with pytest.raises(InputError, match="no children match"):
        call(path, where="val_acc > 2")


def test_wrong_objectives_and_numbers_are_refused(path):
    with pytest.raises(UnknownName, match="unknown objective 'parms'"):
        nasbench.pareto(path, ["error", "parms"])
    with pytest.raises(InputError, match="best=0"):
        nasbench.curves(path, best=0)


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.toml"
    fields = ", ".join(f"{key} = {value!r}".replace("'", '"') for key, value in FAKE.items())
    head = f'[search]\nspace = "nasnet:blocks=1"\nbudget = "2 children"\nset = {{{fields}}}\n'
    file.write_text(head + '[matrix]\nstrategy = ["random", "evolution"]\nseed = [0, 1]\n')
    return file


@pytest.mark.slow
def test_a_suite_has_the_runs_of_the_command_and_goes_on(mine, tmp_path):
    first = nasbench.suite(mine, tmp_path / "s.h5", executor="inline", progress=False)
    assert [(run.strategy, run.seed, run.status) for run in first] == [
        (strategy, seed, "complete") for strategy in ("random", "evolution") for seed in (0, 1)
    ]
    before = (tmp_path / "s.h5").read_bytes()
    done = commands.nasbench("suite", "run", str(mine), "-o", str(tmp_path / "s.h5"))
    assert done.code == 0, done.err
    assert all(run.id in done.out for run in first)
    assert (tmp_path / "s.h5").read_bytes() == before


def test_what_a_suite_cannot_do_is_refused(mine, tmp_path):
    output = tmp_path / "s.h5"
    with pytest.raises(UnknownName, match="unknown suite"):
        nasbench.suite("nothing", output)
    with pytest.raises(InputError, match="jobs=0"):
        nasbench.suite(mine, output, jobs=0)
    with pytest.raises(InputError, match="callbacks see one search at a time"):
        nasbench.suite(mine, output, jobs=2, callbacks=print)
    mine.write_text(mine.read_text() + 'executor = ["inline"]\n')
    with pytest.raises(InputError, match="names executors"):
        nasbench.suite(mine, output, executor="local")
    assert not output.exists()


def test_calls_read_the_columns_that_they_need(path, monkeypatch):
    read: list[str] = []
    whole = Snapshot.column

    def column(self, table, named):
        if table == "children":
            read.append(named.name)
        return whole(self, table, named)

    monkeypatch.setattr(Snapshot, "column", column)
    for call in (nasbench.compare, nasbench.cost, nasbench.curves, nasbench.pareto):
        read.clear()
        assert len(call(path, where="strategy != 'ppo'").table)
        assert not {"choices", "error", "started_at", "finished_at", "train_loss"} & set(read), call
        assert "val_acc" in read
