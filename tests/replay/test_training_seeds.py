"""Searches that see some training seeds of a table and are reported by others."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from nasbench.cli.main import nasbench
from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.tables import Selection, read_table, read_tables

SPACE = get_space("conv-size")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """A table with four seeds, whose scores say from which seed they are: the seed's noise is 0.1 per seed."""
    folder = tmp_path_factory.mktemp("seeds")
    cells = {architecture.hash: list(architecture.choices) for architecture in SPACE.enumerate()}
    rows = [
        {"cell": json.dumps(choices), "seed": seed, "val": value + 0.1 * seed, "test": value + 0.1 * seed, "s": 1.0}
        for place, choices in enumerate(cells.values())
        for value in [(place * 7919 % 5425) / 20_000]
        for seed in range(4)
    ]
    pd.DataFrame(rows).to_csv(folder / "cells.csv", index=False)
    columns = ("architecture=cell", "seed=seed", "val_acc=val", "test_acc=test", "device_seconds=s")
    words = [word for column in columns for word in ("--map", column)]
    target = str(folder / "table.h5")
    done = CliRunner().invoke(
        nasbench, ["import", "csv", str(folder / "cells.csv"), "--space", SPACE.spec, *words, "-o", target]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    return target


def test_a_table_of_some_seeds_is_the_mean_over_them(path):
    every, low, high = read_tables(path, [Selection(), Selection(seeds=(0, 1)), Selection(seeds=(2, 3))])
    np.testing.assert_allclose(every.val_acc - low.val_acc, 0.1)
    np.testing.assert_allclose(high.test_acc - low.test_acc, 0.2)
    assert (every.seeds, low.seeds, high.seeds) == (None, (0, 1), (2, 3))
    assert len({every.fingerprint, low.fingerprint, high.fingerprint}) == 3


def test_a_seed_that_is_not_there_is_refused_with_those_that_are(path):
    with pytest.raises(InputError, match=r"no trainings with seed 7; there are 0, 1, 2, 3"):
        read_table(path, seeds=(0, 7))


@pytest.mark.parametrize("text", ["", "0,0", "a", "-1", "0,,1"])
def test_seeds_on_the_command_line_are_numbers_given_once(path, text):
    done = CliRunner().invoke(nasbench, ["replay", "--table", path, "--strategy", "random", "--search-seeds", text])
    assert isinstance(done.exception, InputError)
    assert "should name training seeds once each" in str(done.exception)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("draw", ["mean", "one"])
def test_searches_see_their_seeds_and_choices_are_reported_by_the_others(path, draw, tmp_path):
    words = ["--search-seeds", "0,1", "--report-seeds", "2,3", "--seeds", "3", "--budget", "20 children"]
    out = str(tmp_path / "replays.h5")
    done = CliRunner().invoke(
        nasbench, ["replay", "--table", path, "--strategy", "random", *words, "--draw", draw, "-o", out]
    )
    assert done.exit_code == 0, done.output
    assert "(mean of training seeds 2,3)" in done.output
    searched, reported = read_tables(path, [Selection(seeds=(0, 1)), Selection(seeds=(2, 3))])
    results = Results(out)
    frame, runs = results.frame(), results.runs()
    final = frame[frame["stage"] == "final"]
    assert len(final) > final["run"].nunique() == 3
    for row in final.itertuples():
        code = int(reported.code(np.array(json.loads(row.choices))))
        assert row.test_acc == reported.test_acc[code]
        assert row.val_acc == reported.val_acc[code]
    children = frame[frame["stage"] == "search"]
    codes = [int(searched.code(np.array(json.loads(choices)))) for choices in children["choices"]]
    shown = children["val_acc"].to_numpy() - searched.val_acc[codes]
    assert np.abs(shown).max() < (0.06 if draw == "one" else 1e-12)  # a single seed lies 0.05 beside the mean
    assert all(json.loads(text)["search_seeds"] == [0, 1] for text in runs["config"])
    assert all(json.loads(text)["report_seeds"] == [2, 3] for text in runs["config"])


def test_the_optimum_of_a_share_is_of_the_seeds_that_reported(path, tmp_path):
    out = str(tmp_path / "replays.h5")
    words = ["--search-seeds", "0,1", "--report-seeds", "2,3", "--seeds", "3", "--budget", "20 children"]
    assert (
        CliRunner().invoke(nasbench, ["replay", "--table", path, "--strategy", "random", *words, "-o", out]).exit_code
        == 0
    )
    best = read_table(path, seeds=(2, 3)).best_test_acc
    done = CliRunner().invoke(
        nasbench,
        ["targets", out, "--table", path, "--share-of-best", "0.9", "--score", "test_acc"],
    )
    assert done.exit_code == 0, done.output
    assert f"of {best:.4f}" in done.output


def test_an_archive_of_means_has_no_seeds_to_choose(tmp_path):
    (tmp_path / "means.npz").write_bytes(b"")
    with pytest.raises(InputError, match="holds means over seeds"):
        read_table(tmp_path / "means.npz", seeds=(0,))
