"""`nasbench pareto --objectives` as users call it, on the shipped searches."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from commands import nasbench

import nasbench as api
from nasbench.cli.main import nasbench as group
from nasbench.errors import InputError
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")


def call(*words: str) -> str:
    done = CliRunner().invoke(group, ["pareto", CLAIMS, *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_three_objectives(tmp_path):
    out = call(
        "--objectives", "error,params,mult-adds", "-o", str(tmp_path / "three"), "--csv", str(tmp_path / "volumes.csv")
    )
    assert "Hypervolume up to error 1, params 100000, mult_adds 1e+06" in out
    data = pd.read_csv(tmp_path / "three.csv")
    volumes = pd.read_csv(tmp_path / "volumes.csv").set_index("strategy")
    assert volumes.loc["all", "front"] == data["front"].sum()
    assert volumes.loc["ppo", "of runs"] == 5
    assert (tmp_path / "three.png").read_bytes().startswith(b"\x89PNG")
    assert "multiply-adds for one image" in (tmp_path / "three.svg").read_text()


def test_two_objectives_show_what_runs_attain(tmp_path):
    out = call("--objectives", "error,params", "--reference", "0.5,50000", "-o", str(tmp_path / "two"))
    assert "Hypervolume up to error 0.5, params 50000" in out
    drawn = (tmp_path / "two.svg").read_text()
    assert "Attained by half of the runs" in drawn
    assert "ppo (n=5)" in drawn


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--objectives", "error,parms"), "unknown objective 'parms', did you mean 'params'"),
        (("--objectives", "error"), "two or three different ones"),
        (("--objectives", "error,params", "--reference", "1"), "a positive number for each of error, params"),
        (("--reference", "1,2"), "give them with --objectives"),
        (("--objectives", "error,params", "--score", "acc"), "'acc' is neither a column nor measured"),
        (("--objectives", "error,params", "--csv", "/dev/null/x.csv", "-o", "x"), "cannot write '/dev/null/x.csv'"),
    ],
)
def test_bad_input_is_one_line(words, expected, tmp_path):
    done = nasbench("pareto", CLAIMS, *words, cwd=tmp_path)
    assert done.code == 2
    assert expected in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_hypervolume_over_the_budget(tmp_path):
    """The command and the call from Python give the same medians; the last ones are the volumes of single runs."""
    import nasbench

    out = call("--objectives", "error,params", "--over", "children", "-o", str(tmp_path / "course"))
    assert "Differences of the means at the end" in out
    data = pd.read_csv(tmp_path / "course.csv")
    found = nasbench.pareto(CLAIMS, ["error", "params"], over="children")
    assert data["median"].tolist() == pytest.approx(found.data["median"].tolist())
    assert len(found.table) == 4 * data["strategy"].nunique()
    assert any(" - ppo: " in note for note in found.notes)
    ends = found.data[found.data["budget"] == found.data["budget"].max()].set_index("strategy")["median"]
    runs = nasbench.pareto(CLAIMS, ["error", "params"]).table.set_index("strategy")
    assert (abs(ends - runs["mean"][ends.index]) < 0.1 * ends).all()  # medians and means of the same five runs


def test_volumes_of_runs_of_several_budgets_are_not_compared(tmp_path):
    """Twenty children against ten: more children dominate more."""
    files = []
    for strategy, children in (("random", 20), ("evolution:population=5,sample=2", 10)):
        files.append(str(tmp_path / f"{children}.h5"))
        words = ("--seeds", "5", "--budget", f"{children} children", "-o", files[-1])
        nasbench("replay", "--table", "digits201-2", "--strategy", strategy, *words)
    words = ("pareto", *files, "--objectives", "error,params")
    done = nasbench(*words, "--over", "children", "-o", str(tmp_path / "p"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the runs have several budgets (20 children, 10 children): choose one by --where" in done.err
    with pytest.raises(InputError, match="several budgets"):
        api.pareto(files, ["error", "params"], over="children")
    for form in (
        ("--objectives", "error,params"),
        (),
        ("--objectives", "error,params", "--objectives", "error,mult_adds"),
    ):
        done = nasbench("pareto", *files, *form, "-o", str(tmp_path / "fronts"))
        assert "Different budgets: 10 children / 20 children." in done.out
        assert "Different budgets: 10 children / 20 children." in (tmp_path / "fronts.txt").read_text()
    found = api.pareto(files, ["error", "params"])
    assert "Different budgets: 10 children / 20 children." in found.notes
    assert not [note for note in api.pareto(files[0]).notes if "budgets" in note or "Unfinished" in note]


def test_an_unfinished_run_is_named_and_not_tested(tmp_path):
    """What it would have found with the rest of its budget is not known."""
    file = str(tmp_path / "r.h5")
    nasbench(
        "replay",
        "--table",
        "digits201-2",
        "--strategy",
        "random",
        "--seeds",
        "3",
        "--budget",
        "20 children",
        "-o",
        file,
    )
    with Results(file) as results:
        (run,) = results.runs().query("seed == 1").to_dict("records")
    with ResultsWriter(file) as writer:
        writer.put_run({**run, "status": "interrupted"})
    for form in ((), ("--objectives", "error,params")):
        done = nasbench("pareto", file, *form, "-o", str(tmp_path / "p"))
        assert done.code == 0
        assert "Unfinished: random seed 1 (interrupted)." in done.out
    assert "Unfinished: random seed 1 (interrupted)." in api.pareto(file).notes
    done = nasbench("pareto", file, "--objectives", "error,params", "--over", "children", "-o", str(tmp_path / "p"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "a hypervolume over the budget needs whole runs, and 1 of 3 are not" in done.err
    with pytest.raises(InputError, match="needs whole runs"):
        api.pareto(file, over="children")


def test_a_file_counts_once_and_copies_are_refused(tmp_path):
    shutil.copy(CLAIMS, tmp_path / "copy.h5")
    (tmp_path / "link.h5").symlink_to(CLAIMS)
    alone = nasbench("pareto", CLAIMS, "-o", "p.png", cwd=tmp_path)
    assert nasbench("pareto", CLAIMS, "link.h5", "-o", "p.png", cwd=tmp_path) == alone
    done = nasbench("pareto", CLAIMS, "copy.h5", "-o", "p.png", cwd=tmp_path)
    assert done.code == 2
    assert "these runs occur more than once" in done.err
