"""A strategy of one's own that stops trainings early, with the names that the package exports."""

from __future__ import annotations

import re
from pathlib import Path

import nasbench
from nasbench.runners.strategies import Proposal

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_of_the_page_stops_and_continues_trainings():
    assert nasbench.Proposal is Proposal
    assert "Proposal" in nasbench.__all__
    page = (ROOT / "docs" / "early-stopping.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "from nasbench" not in example  # what it needs is in the package's own names
    names = {"__name__": "own_strategies"}
    exec(example, names)
    found = nasbench.replay(ROOT / "results" / "digits201-2.h5", names["TwoRungs"], 2, "18 children", progress=False)
    courses = found.runs[0].courses
    assert courses.stops.tolist() == [[*[1] * 8, 0] * 2] * 2  # 0: the fourth epoch is the last of the table
    assert (courses.continues >= 0).tolist() == [[*[False] * 8, True] * 2] * 2
