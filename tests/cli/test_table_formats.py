"""Printed tables as Markdown, LaTeX and CSV; pairwise tests on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench

from nasbench.analysis.comparison.random_search_claim import differences, top_means
from nasbench.analysis.statistics.comparison_table import comparison_of_pairs, comparison_table, pairs_note
from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.cli.table_formats import format_table
from nasbench.errors import InputError
from nasbench.store.query import Results

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")
TABLE = pd.DataFrame({"name_of": ["a|b", "50% & {x}"], "n": [5, 12], "share": [1 / 3, np.nan]})


def test_markdown_aligns_numbers_and_keeps_bars_inside_cells():
    assert format_table("markdown", TABLE).splitlines() == [
        "| name_of | n | share |",
        "| --- | ---: | ---: |",
        "| a\\|b | 5 | 0.3333 |",
        "| 50% \\& \\{x\\} | 12 |  |",
    ]


def test_latex_is_a_tabular_of_booktabs_with_everything_escaped():
    lines = format_table("latex", TABLE).splitlines()
    assert lines[:4] == [r"\begin{tabular}{lrr}", r"\toprule", r"name\_of & n & share \\", r"\midrule"]
    assert lines[4:] == [r"a$|$b & 5 & 0.3333 \\", r"50\% \& \{x\} & 12 &  \\", r"\bottomrule", r"\end{tabular}"]


@pytest.mark.parametrize("cell", ["[0.1, 0.2]", "*"])
def test_a_latex_row_never_continues_the_line_break_before_it(cell):
    table = pd.DataFrame({"interval": ["0.1", cell]})
    assert format_table("latex", table).splitlines()[-3] == "{}" + cell + r" \\"


def test_csv_keeps_all_digits():
    read = pd.read_csv(io.StringIO(format_table("csv", TABLE)), na_values="nan")
    pd.testing.assert_frame_equal(read, TABLE)


@pytest.fixture(scope="module")
def scores():
    with Results([CLAIMS]) as results:
        return final_scores(results.frame(), results.runs())


def test_pairwise_tests_against_a_baseline(scores, tmp_path):
    done = nasbench("compare", CLAIMS, "--test", "--baseline", "random", "--table-format", "csv", cwd=tmp_path)
    assert done.code == 0, done.err
    printed = pd.read_csv(io.StringIO(done.out))
    expected = comparison_table(scores, "random")
    pd.testing.assert_frame_equal(printed, expected.drop(columns=["verdict", "comparisons"]))
    assert "p_holm after Holm's correction over 2 comparisons" in done.err
    assert "ppo against random: not shown to differ" in done.err
    assert expected["n"].tolist() == ["5+5", "5+5"]


def test_runs_of_equal_seeds_as_pairs(scores, tmp_path):
    done = nasbench("compare", CLAIMS, "--test", "--pairs", "--table-format", "markdown", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "| t_p_holm |" in done.out
    assert "n=5 seeds); detectable at this n: " in done.err
    assert "independently" not in done.err  # these strategies took their random numbers from the seed alone
    assert "the least p of 5 seeds is 0.062" in done.err
    wide = scores.pivot(index="seed", columns="strategy", values="score")
    row = comparison_of_pairs(scores, "random").set_index("first").loc["ppo"]
    assert row["difference"] == pytest.approx((wide["ppo"] - wide["random"]).mean())


def test_pairs_that_share_nothing_through_their_seeds_are_said():
    config = {"strategy": "random", "seed": 0}
    earlier = pd.DataFrame({"config": [json.dumps(config)] * 2})
    mixed = pd.DataFrame({"config": [json.dumps(config), json.dumps({**config, "stream": "strategy"})]})
    assert pairs_note(earlier) == ""
    assert pairs_note(mixed).startswith("Runs of equal seeds drew their random numbers independently")


def test_pairs_of_several_runs_of_a_seed_are_refused(scores):
    with pytest.raises(
        InputError, match="--pairs takes one run for each strategy and seed; random has several of seed"
    ):
        comparison_of_pairs(pd.concat([scores, scores]))


def test_options_of_tests_without_tests_are_one_line(tmp_path):
    done = nasbench("compare", CLAIMS, "--pairs", cwd=tmp_path)
    assert done.code == 2
    assert "give them with --test" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_claims_print_a_table_of_another_form_alone_on_standard_output(tmp_path):
    done = nasbench("claims", CLAIMS, "--table-format", "csv", "--quiet", "-o", "claims", cwd=tmp_path)
    assert done.code == 0, done.err
    with Results([CLAIMS]) as results:
        expected = differences(top_means(results.frame()))
    lines = done.out.splitlines()
    assert lines[0].startswith("top,strategy,n_first,n_second,mean")
    assert float(lines[6].split(",")[9]) == pytest.approx(expected["p"].iloc[5])


def test_pairwise_tests_refuse_a_picture_that_they_do_not_draw(tmp_path):
    done = nasbench("compare", CLAIMS, "--test", "-o", "tests.pdf", cwd=tmp_path)
    assert done.code == 2
    assert "--test draws no picture" in done.err
    assert not list(tmp_path.iterdir())


def test_compare_says_where_there_is_no_simultaneous_band(tmp_path):
    done = nasbench("compare", CLAIMS, "--bands", "simultaneous", "-o", "bands.svg", cwd=tmp_path)
    assert done.code == 0, done.err
    said = "No simultaneous band of random, reinforce, ppo: what is drawn is of each budget by itself."
    assert said in done.out
    assert said in (tmp_path / "bands.txt").read_text()
