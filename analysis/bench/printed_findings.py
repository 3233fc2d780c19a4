"""What `nasbench bench` prints of its comparisons: shown differences first, and the others in a line per task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nasbench.analysis.bench.comparison import Compared, won
from nasbench.analysis.inference.verdicts import EQUIVALENT, NOT_SHOWN, p_text
from nasbench.scores import judged_by

BASELINE: Final = "random"
"""The comparison with it is printed whatever it says."""

Row = Mapping[Any, Any]


def printed_findings(found: Compared, every: bool = False) -> list[str]:
    """Write the verdicts of all tasks.

    Args:
        found: the comparison.
        every: whether each comparison has a line of its own.

    Returns:
        Lines: comparisons that show a difference, then those with random search; and per task and strategy a line with the number
        of the others, their smallest p and the differences that they could have detected.
    """
    lines = []
    for task, table in found.tests.items():
        rows = sorted(table.to_dict("records"), key=lambda row: won(row) == 0)  # a stable sort
        first = [row for row in rows if every or won(row) or row["second"] == BASELINE]
        rest = [row for row in rows if row not in first]
        lines += [f"{task}: {row['first']} against {row['second']}: {row['verdict']}" for row in first]
        for name in dict.fromkeys(str(row["first"]) for row in rest):
            lines.append(_others(task, name, [row for row in rest if row["first"] == name]))
    return lines


def _others(task: str, name: str, rows: Sequence[Row]) -> str:
    """One line on comparisons of a strategy that show no difference."""
    count = f"{len(rows)} other comparison{'' if len(rows) == 1 else 's'}"
    said = [
        f"{sum(row['finding'] == finding for row in rows)} {words}"
        for finding, words in ((NOT_SHOWN, "not shown to differ"), (EQUIVALENT, "equivalent"))
        if any(row["finding"] == finding for row in rows)
    ]
    few = sum(row["finding"] not in (NOT_SHOWN, EQUIVALENT) for row in rows)
    said += [f"{few} with n too small"] if few else []
    known = [float(row["p_holm"]) for row in rows if not math.isnan(row["p_holm"])]
    least = f"; the least Holm p is {p_text(min(known))}" if known else ""
    sizes = [float(row["detectable"]) for row in rows if not math.isnan(row["detectable"])]
    low, high = (judged_by().size(end(sizes), 2) for end in (min, max)) if sizes else ("", "")
    could = f"; detectable at their n: {low if low == high else f'{low} to {high}'} (80% power)" if sizes else ""
    return (
        f"{task}: {name}, {count}: {', '.join(said)}{least}{could}. Each by itself: nasbench -v bench ..., or the page"
    )
