"""Of many comparisons a reader sees the shown differences first, and each of the others with -v."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from nasbench.analysis.bench.comparison import _per_task
from nasbench.analysis.bench.printed_findings import printed_findings


def row(second: str, finding: str, p: float, detectable: float = 0.01) -> dict[str, Any]:
    improvement = 0.9 if finding == "differs" else 0.5
    numbers = {"improvement": improvement, "p_holm": p, "detectable": detectable}
    return {"first": "mine", "second": second, "finding": finding, "verdict": f"{finding}.", **numbers}


ROWS = [
    row("asha", "not shown to differ", 0.3, 0.02),
    row("random", "not shown to differ", 0.9),
    row("ppo", "differs", 0.01),
    row("pnas", "equivalent", 0.8, 0.01),
    row("enas", "n too small", np.nan, np.nan),
]
FOUND: Any = SimpleNamespace(tests={"a": pd.DataFrame(ROWS)})


def test_shown_differences_come_first_then_random_then_the_others_in_a_line() -> None:
    differs, random, others = printed_findings(FOUND)
    assert differs == "a: mine against ppo: differs."
    assert random == "a: mine against random: not shown to differ."
    assert others.startswith(
        "a: mine, 3 other comparisons: 1 not shown to differ, 1 equivalent, 1 with n too small; the least Holm p is 0.300; "
        "detectable at their n: 1 point to 2 points"
    )


def test_every_comparison_has_a_line_if_wished() -> None:
    lines = printed_findings(FOUND, every=True)
    assert len(lines) == len(ROWS)
    assert lines[0] == "a: mine against ppo: differs."


def test_tasks_with_other_numbers_of_comparisons_are_told_apart() -> None:
    one, two = pd.DataFrame(ROWS), pd.DataFrame(ROWS[:3])
    assert _per_task({"a": one, "b": one}) == ""
    assert _per_task({"a": one, "b": two}) == " (5 on a, 3 on b: not every strategy has searched every task)"
