"""Compact tables, which ship: they read as the results files from which they were made."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench as command

from nasbench.errors import InputError, UnknownName
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.search.budget import Budget
from nasbench.runners.tables.compacting import compact_table
from nasbench.store.judged import LOSS
from nasbench.structures import Scale
from nasbench.tabular.catalogue import shipped_table, shipped_tables, table_file
from nasbench.tabular.compact import read_compact, write_compact
from nasbench.tabular.tables import Selection, read_table, read_tables

ROOT = Path(__file__).resolve().parents[2]
OF_TRAININGS = ("keys", "first", "counts", "val_acc", "seeds")


@pytest.fixture(scope="module")
def compact() -> Path:
    return shipped_table("digits201-2").path


def require_same(name: str, tmp_path: Path, curves: bool) -> None:
    shipped = shipped_table(name)
    source = ROOT / shipped.source
    assert hashlib.sha256(source.read_bytes()).hexdigest() == shipped.source_sha256
    chosen = shipped.selections()
    wanted = list(chosen.values())
    for text, full, small in zip(
        chosen, read_tables(source, wanted, curves), read_tables(shipped.path, wanted, curves), strict=True
    ):
        assert small.fingerprint == full.fingerprint == shipped.fingerprints[text]
        assert (small.name, small.space, small.seeds) == (full.name, full.space, full.seeds)
        for each in OF_TRAININGS:
            same = np.array_equal(
                getattr(small.trainings, each), getattr(full.trainings, each), equal_nan=each == "val_acc"
            )
            assert same, (text, each)
        limit = ReplayBudget(Budget.parse("40 s"))
        for draw in ("mean", "one") if full.trainings.several else ("mean",):
            for strategy in ("evolution", "local_search", *(("asha", "dehb") if curves else ())):
                setting = Setting.of(strategy, {})
                assert np.array_equal(
                    replay(full, setting, range(3), limit, draw).codes,
                    replay(small, setting, range(3), limit, draw).codes,
                )


@pytest.mark.parametrize("name", ["digits201-2", "conv-size-cifar16"])
def test_a_shipped_table_replays_as_its_results_file(name, tmp_path):
    require_same(name, tmp_path, curves=True)


def test_the_table_of_sizes_is_complete_and_its_counts_are_those_of_the_space():
    table = shipped_table("conv-size-cifar16").read()[0]
    architectures = list(table.space.enumerate())
    assert len(architectures) == len(table.val_acc) == 1024
    assert not np.isnan(table.val_acc).any()
    scale = Scale(cells=1, filters=8, image_size=16)
    for architecture in architectures[::97]:
        counts, place = table.space.count_at(architecture, scale), table.position(architecture.choices)
        assert (table.params[place], table.mult_adds[place]) == (counts.params, counts.mult_adds)
    best = int(np.argmax(table.test_acc))
    assert table.architecture(best).choices == (2, 3, 3, 3, 3)


@pytest.mark.slow
def test_the_first_edition_replays_as_its_results_file(tmp_path):
    require_same("digits201", tmp_path, curves=False)


def test_every_shipped_table_is_as_its_digests_say():
    found = {name: table.check() for name, table in shipped_tables().items()}
    assert {"digits201-2", "digits201"} <= set(found)
    assert not any(found.values()), found


@pytest.mark.slow
def test_the_command_makes_the_file_that_ships(tmp_path, compact):
    made = compact_table(ROOT / "results" / "digits201-2.h5", tmp_path / "again.npz", None, None, curves=True)
    assert made.fingerprints == shipped_table("digits201-2").fingerprints
    assert (tmp_path / "again.npz").read_bytes() == compact.read_bytes()  # with another zlib, only the tables are equal


def test_seeds_that_a_compact_table_lacks_are_one_line(compact):
    with pytest.raises(InputError, match=re.escape("means over these training seeds: all; 0; 1; for others")):
        read_table(compact, seeds=(0, 7))
    assert read_table(compact, seeds=(0, 1)).fingerprint == read_table(compact).fingerprint
    with pytest.raises(UnknownName, match=r"data set of .* 'cifar10'"):
        read_table(compact, "cifar10")


@pytest.mark.parametrize("score", ["val_loss", "latency", "nonsense"])
def test_another_score_than_accuracy_is_refused_and_not_left_out(compact, score):
    with pytest.raises(InputError, match=f"holds accuracies, and no '{score}'; leave --score out, or give the results"):
        read_table(compact, score=score)
    done = command("replay", "--table", str(compact), "--strategy", "random", "--seeds", "1", "--score", score)
    assert done.code == 2
    assert read_table(compact, score="test_acc").fingerprint == read_table(compact).fingerprint


def test_a_table_of_losses_cannot_be_written_as_accuracies(compact, tmp_path):
    table = replace(read_table(compact), score=LOSS)
    with pytest.raises(InputError, match="a compact table holds accuracies; 'digits' is judged by val_loss"):
        write_compact(tmp_path / "a.npz", [table], {})


def test_a_table_without_curves_says_so():
    with pytest.raises(InputError, match="no scores after each epoch; choose a strategy of whole trainings"):
        read_tables(shipped_table("digits201").path, [Selection()], curves=True)


def test_damaged_files_are_one_line(tmp_path, compact):
    content = compact.read_bytes()
    random = np.random.default_rng(0)
    broken = [content[: len(content) // 2], b"", b"PK\x03\x04" + content[40:]]
    for place in random.integers(0, len(content), 12):
        broken.append(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
    refused = 0
    for number, each in enumerate(broken):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(each)
        try:
            (table,) = read_compact(path, [Selection()])
        except InputError as error:
            refused += len(str(error).splitlines()) == 1
        else:  # the byte was of a column that this selection does not read
            assert table.fingerprint == shipped_table("digits201-2").fingerprints["all"]
    assert refused >= 3


def test_names_of_tables_are_those_of_files_first(tmp_path, monkeypatch, compact):
    monkeypatch.chdir(tmp_path)
    assert table_file("digits201-2") == compact
    Path("digits201-2").write_text("mine")
    assert table_file("digits201-2") == Path("digits201-2")


def test_commands_list_show_verify_and_copy_tables(tmp_path, compact):
    assert "digits201-2" in command("tables").out
    assert "nasbench table build --space nasbench201" in command("tables", "show", "digits201-2").out
    assert command("tables", "verify", "digits201-2").out == (
        "digits201-2: the file and its 3 tables are as described\n"
    )
    done = command("tables", "get", "digits201-2", "-o", str(tmp_path / "copy.npz"))
    assert (done.code, (tmp_path / "copy.npz").read_bytes()) == (0, compact.read_bytes())
    assert command("tables", "show", "digits").code == 2
    done = command("replay", "--table", "digits201-2", "--strategy", "random", "--seeds", "3", "--budget", "5 children")
    assert (done.code, "random" in done.out) == (0, True)


def test_a_row_is_what_the_columns_hold(compact):
    (table,) = read_tables(compact, [Selection()])
    for code in (0, 1, 77, 15_624):
        choices = table.architecture(code).choices
        assert table.position(choices) == code == table.code(np.array(choices))
        row = table.row(choices)
        assert (row.val_acc, row.test_acc, row.seconds) == (
            table.val_acc[code],
            table.test_acc[code],
            table.seconds[code],
        )
        assert (row.params, row.mult_adds) == (table.params[code], table.mult_adds[code])
