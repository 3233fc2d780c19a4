"""Runs whose budget ended before their first child stay where a condition is on what a run has."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nasbench as call

import nasbench
from nasbench.store.query import Results


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> str:
    """Twelve searches with the seconds of a child or two, some of which have none."""
    path = tmp_path_factory.mktemp("empty") / "z.h5"
    words = ("--table", "digits201-2", "--seeds", "6", "--budget", "1.2 s", "-o", str(path))
    call("replay", *words, "--strategy", "random", "--strategy", "ppo")
    with Results([str(path)]) as results:
        begun = set(results.frame()["run"])
        assert 2 <= len(begun) < len(results.runs()) == 12
    return str(path)


ALLOW = ("--allow", "test", "--allow", "children")


@pytest.mark.parametrize(
    "where", ["strategy in ['ppo', 'random']", "run_seed >= 0", "data == 'digits' and space == 'nasbench201'"]
)
def test_a_condition_on_runs_keeps_those_without_children(searched: str, where: str) -> None:
    plain = call("compare", searched, "--test", *ALLOW)
    chosen = call("compare", searched, "--test", *ALLOW, "--where", where)
    assert "Runs without a score: " in plain.out
    assert chosen.out == plain.out
    table = nasbench.compare(searched, where=where, allow=ALLOW[1::2]).table
    assert table.set_index("strategy")["runs"].to_dict() == {"random": 6, "ppo": 6}


def test_a_condition_on_runs_leaves_out_those_that_it_does_not_fit(searched: str) -> None:
    table = nasbench.compare(searched, where="strategy == 'random'", allow=ALLOW[1::2]).table
    assert table.set_index("strategy")["runs"].to_dict() == {"random": 6}


def test_a_condition_on_children_says_how_many_runs_it_leaves_out(searched: str, tmp_path: Path) -> None:
    with Results([searched]) as results:
        empty = len(results.runs()) - results.frame()["run"].nunique()
    said = call("compare", searched, *ALLOW, "--where", "params > 0", "-o", str(tmp_path / "a.png")).out
    assert f"{empty} runs without children are left out" in said
    assert any(
        "without children" in note for note in nasbench.compare(searched, where="params > 0", allow=ALLOW[1::2]).notes
    )
