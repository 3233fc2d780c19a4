"""`nasbench table stats` on the table that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nasbench

DIGITS201 = Path(__file__).parents[2] / "results" / "digits201.h5"


def test_stats_say_how_many_rows_are_one_function_and_how_far_they_lie_apart():
    done = nasbench("table", "stats", str(DIGITS201))
    assert done.code == 0, done
    assert "5425 architectures are 5044 functions: 706 of them (" in done.out
    noise = {
        line.rsplit(maxsplit=5)[0]: [float(number) for number in line.rsplit(maxsplit=5)[1:]]
        for line in done.out.splitlines()
        if line.startswith(("seeds of one", "... ", "architectures of one function, same seed"))
    }
    assert [values[0] for values in noise.values()][::3] == [5425, 325], "architectures; functions of several"
    assert noise["... that shares its function"][0] == noise["... means over their seeds"][1] == 706
    seeds, rounding = (
        noise[name][2] for name in ("... that shares its function", "architectures of one function, same seed")
    )
    assert 0 < rounding < seeds < 0.2


@pytest.mark.parametrize("words", [("stats",), ("neighbours", "00")])
def test_a_shipped_name_has_no_single_trainings(words, tmp_path):
    done = nasbench("table", *words, "digits201-2", cwd=tmp_path)
    assert done.code == 2
    assert "ships without its single trainings" in done.err
    assert "results/digits201-2.h5" in done.err
