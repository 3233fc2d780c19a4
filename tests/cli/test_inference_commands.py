"""`nasbench power|bayesian|speedup` as users call them."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from commands import nasbench

from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.analysis.statistics.sample_sizes import sample_sizes
from nasbench.store.query import Results

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")


def test_power_prints_seeds_for_each_pair(tmp_path):
    words = ("--difference", "0.005", "--baseline", "random", "--table-format", "csv")
    done = nasbench("power", CLAIMS, *words, cwd=tmp_path)
    assert done.code == 0, done.err
    printed = pd.read_csv(io.StringIO(done.out)).set_index("first")
    with Results([CLAIMS]) as results:
        expected = sample_sizes(final_scores(results.frame(), results.runs()), 0.005, "random").set_index("first")
    assert printed["seeds"].to_dict() == expected["seeds"].astype(int).to_dict() == {"reinforce": 98, "ppo": 146}
    assert "A spread of 5 runs is uncertain: the true one is 0.6 to 2.9 times it" in done.err


def test_one_table_is_too_few_for_probabilities_over_tables(tmp_path):
    done = nasbench("bayesian", CLAIMS, "--baseline", "random", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "ppo against random: n too small (n=1 tables; 5 are the least)" in done.out


@pytest.mark.parametrize(("score", "said"), [("val_acc", True), ("test_acc", False)])
def test_pairwise_tests_name_the_score_that_did_not_choose(score: str, said: bool, tmp_path):
    done = nasbench("compare", CLAIMS, "--test", "--score", score, cwd=tmp_path)
    assert done.code == 0, done.err
    assert ("chosen scores are lucky ones" in " ".join((done.out + done.err).split())) is said


def test_speedup_says_what_is_reached_and_by_how_many(tmp_path):
    done = nasbench("speedup", CLAIMS, "--by", "children", "--table-format", "csv", cwd=tmp_path)
    assert done.code == 0, done.err
    printed = pd.read_csv(io.StringIO(done.out)).set_index("strategy")
    assert set(printed.index) == {"reinforce", "ppo"}
    assert printed["interval"].tolist() == ["n too small (n=5 and 5; 7 are the least)"] * 2
    assert (printed["reached"] <= printed["n"]).all()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("power", "--difference", "0"), "a fraction between -1 and 1 other than 0"),
        (("power", "--difference", "2"), "a fraction between -1 and 1 other than 0"),
        (("power", "--difference", "0.01", "--baseline", "enas"), "no runs of 'enas' to compare with"),
        (("speedup", "--baseline", "enas"), "no run of 'enas' has a val_acc"),
        (("power",), "--difference"),
    ],
)
def test_bad_input_is_one_line(words, expected, tmp_path):
    done = nasbench(words[0], CLAIMS, *words[1:], cwd=tmp_path)
    assert done.code == 2
    assert expected in done.err
