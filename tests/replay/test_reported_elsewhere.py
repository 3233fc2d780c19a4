"""Searches of one data set's table whose choices are scored in the tables of others."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from small_spaces import Row

from nasbench.analysis.comparison.checks import check_comparable
from nasbench.analysis.comparison.compare import summarize
from nasbench.cli.main import nasbench
from nasbench.errors import InputError, UnknownName
from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, replay
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.spaces import get_space
from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.tabular.tables import Selection, Table, read_table, read_tables

SEEDS = range(7)
PRICE = ReplayBudget(Budget.parse("4000 s"), 0.9)
SPACE = get_space("nasbench201")
REPLAYS_NEVER_HAVE = ("searcher",)


def made_up(name: str, seed: int, space=SPACE) -> Table:
    rng = np.random.default_rng(seed)
    scores = rng.integers(20, 90, space.size) / 100
    scores[rng.random(space.size) < 0.1] = math.nan
    return Table(
        name=name,
        space=space,
        val_acc=scores,
        test_acc=rng.random(space.size),
        seconds=rng.integers(200, 600, space.size) / 4,
        params=rng.integers(1, 9, space.size),
        mult_adds=rng.integers(1, 9, space.size),
    )


@pytest.fixture(scope="module")
def tables() -> list[Table]:
    return [made_up(name, seed) for seed, name in enumerate(("small", "medium", "large"))]


@pytest.fixture(scope="module")
def replays(tables) -> list[Replayed]:
    return [replay(tables[0], Setting.of(name, {}), SEEDS, PRICE) for name in ("random", "reinforce_logits")]


def written(replays, reports, path) -> tuple[pd.DataFrame, pd.DataFrame]:
    write_new(str(path), tables_of(replays, reports))
    assert CliRunner().invoke(nasbench, ["check", str(path)]).exit_code == 0
    results = Results(str(path))
    return results.frame(), results.runs()


# -- choices and courses -------------------------------------------------------------------------------------------------


def test_the_choice_is_the_searched_tables_and_its_scores_are_the_others(tables, replays):
    for found in replays:
        here, there = found.frame(), found.frame(tables[1])
        same = ["strategy", "seed", "searched_on", "children", "spent", "index", "choices", "outcome"]
        assert here[same].equals(there[same])
        assert set(here["data"]) == {"small"}
        assert set(there["data"]) == {"medium"}
        for row in there.itertuples():
            code = int(tables[1].code(np.array(row.choices)))
            assert row.test_acc == tables[1].test_acc[code]
            assert row.val_acc == tables[1].val_acc[code] or (
                math.isnan(row.val_acc) and math.isnan(tables[1].val_acc[code])
            )
            assert row.outcome == tables[0].val_acc[code]


def test_the_course_ends_at_the_choice(tables, replays):
    for found in replays:
        last = found.incumbents(tables[2]).groupby("seed").last()
        assert last["test_acc"].tolist() == found.frame(tables[2])["test_acc"].tolist()
        assert set(last["data"]) == {"large"}
        assert last["spent"].tolist() == found.incumbents().groupby("seed").last()["spent"].tolist()


def test_a_table_of_another_space_is_refused(replays):
    other = made_up("other", 0, Row((2, 2)))
    for use in (replays[0].frame, replays[0].incumbents, lambda table: tables_of(replays, [table])):
        with pytest.raises(InputError, match="no scores in a table of 'row:options=2/2'"):
            use(other)


# -- rows ----------------------------------------------------------------------------------------------------------------


def test_each_row_says_of_which_data_set_its_scores_are(tables, replays, tmp_path):
    frame, runs = written(replays, tables[1:], tmp_path / "replays.h5")
    plain, _ = written(replays, (), tmp_path / "plain.h5")
    rows, before = (each[each["stage"] == "search"].reset_index(drop=True) for each in (frame, plain))
    pd.testing.assert_frame_equal(rows.drop(columns="run"), before.drop(columns="run"))
    assert set(rows["data"]) == set(runs["data"]) == {"small"}
    final = frame[frame["stage"] == "final"]
    assert len(final) == 2 * sum(len(found.incumbents()) for found in replays)
    assert not final.duplicated(["run", "index"]).any()
    for place, table in enumerate(tables[1:]):
        mine = final[final["data"] == table.name]
        assert set(mine["fingerprint"]) == {table.fingerprint}
        assert set(mine["protocol"]) == {f"table {table.name}"}
        assert set(mine["cached_from"]) == {f"table {table.fingerprint}"}
        counts = mine.groupby("run", sort=False).size()
        assert mine.groupby("run", sort=False)["index"].first().tolist() == [place * count for count in counts]
        assert mine.groupby("run", sort=False)["index"].diff().dropna().eq(1).all()
        wanted = pd.concat([found.incumbents(table) for found in replays])
        assert mine["test_acc"].tolist() == wanted["test_acc"].tolist()
        np.testing.assert_array_equal(mine["val_acc"], wanted["val_acc"])
        codes = [int(table.code(np.array(json.loads(choices)))) for choices in mine["choices"]]
        assert mine["params"].tolist() == table.params[codes].tolist()
        assert set(mine["status"]) == {"ok"}  # each has a test score
        chosen = pd.concat([found.frame(table) for found in replays])["test_acc"]
        assert mine.groupby("run", sort=False)["test_acc"].last().tolist() == chosen.tolist()
    assert not set(final["counted"]) - {False}
    assert final["device_seconds"].sum() == 0


def test_runs_know_where_they_were_reported(tables, replays, tmp_path):
    ids = []
    for name, reports in (("none", ()), ("own", tables[:1]), ("one", tables[1:2]), ("two", tables[1:])):
        _, runs = written(replays, reports, tmp_path / f"{name}.h5")
        ids.append(runs["run"].tolist())
        for config in map(json.loads, runs["config"]):
            if name in ("none", "own"):
                assert "report_on" not in config
            else:
                assert config["report_on"] == {table.name: table.fingerprint for table in reports}
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2], *ids[3]}) == 3 * len(ids[0])


def test_scores_of_two_data_sets_are_not_put_together(tables, replays, tmp_path):
    frame, runs = written(replays, tables[1:], tmp_path / "two.h5")
    with pytest.raises(InputError, match=r"they differ in protocol: table large .* table medium"):
        check_comparable(frame, runs, REPLAYS_NEVER_HAVE)
    only = frame[(frame["stage"] == "search") | (frame["data"] == "medium")]
    check_comparable(only, runs, REPLAYS_NEVER_HAVE)
    summary = summarize(only, runs).set_index("strategy")
    assert summary.loc["random", "test_acc"] == np.median(replays[0].frame(tables[1])["test_acc"])


# -- tables of several data sets in one file -----------------------------------------------------------------------------


@pytest.mark.slow
def test_one_file_may_hold_the_tables_of_several_data_sets(tmp_path):
    hashes = [architecture.hash for architecture in SPACE.enumerate()]
    first = {key: code for code, key in reversed(list(enumerate(hashes)))}
    cells = [json.dumps(list(architecture.choices)) for architecture in SPACE.enumerate()]
    rows = [
        {"data": name, "cell": cells[code], "val": offset + (code % 97) / 200, "test": 0.5, "s": 1.0}
        for name, offset in (("digits", 0.0), ("letters", 0.1))
        for code in first.values()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "cells.csv", index=False)
    path = str(tmp_path / "both.h5")
    columns = ("architecture=cell", "data=data", "val_acc=val", "test_acc=test", "device_seconds=s")
    words = [word for column in columns for word in ("--map", column)]
    done = CliRunner().invoke(
        nasbench, ["import", "csv", str(tmp_path / "cells.csv"), "--space", SPACE.spec, *words, "-o", path]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    digits, letters = read_tables(path, [Selection("digits"), Selection("letters")])
    assert (digits.name, letters.name) == ("digits", "letters")
    np.testing.assert_allclose(letters.val_acc - digits.val_acc, 0.1)
    np.testing.assert_array_equal(read_table(path, "letters").val_acc, letters.val_acc)
    with pytest.raises(InputError, match="has tables of digits, letters: say which"):
        read_table(path)
    with pytest.raises(UnknownName, match="did you mean 'letters'"):
        read_table(path, "leters")
    words = ["replay", "--table", path, "--strategy", "random", "--seeds", "3", "--budget", "9 children"]
    done = CliRunner().invoke(nasbench, [*words, "--search-on", "digits", "--report-on", "letters,digits"])
    assert done.exit_code == 0, done.output
    assert [line.split()[1] for line in done.output.splitlines()[1:3]] == ["letters", "digits"]
