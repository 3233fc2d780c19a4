"""What a run's summary says of children that failed: how many, of how many, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nasbench.errors import printable
from nasbench.store.format.schema import REPEATABLE_STATUSES
from nasbench.texts import shortened

if TYPE_CHECKING:
    import pandas as pd

_REASONS: Final = 3
_LONGEST: Final = 160  # characters of an error message


def failure_lines(children: pd.DataFrame) -> list[str]:
    """Describe the failures among the children of runs.

    Args:
        children: rows of the runs (`store.format.schema.CHILD_COLUMNS`). Children that the budget did not cover are no
            failures: it ended them.

    Returns:
        One line per run and stage with a child that has no score because it failed, ran out of memory or time; none if
        every child ended.
    """
    held = children[(children["stage"] == "final") | children["counted"].astype(bool)]
    lines = []
    for (run, stage), rows in held.groupby(["run", "stage"], sort=False):
        failed = rows[~rows["status"].isin(REPEATABLE_STATUSES)]
        if failed.empty:
            continue
        what = "final trainings" if stage == "final" else "children"
        head = f"{len(failed)} of {len(rows)} {what} of run {run} failed"
        if len(failed) == len(rows):
            head = f"all {len(rows)} {what} of run {run} failed"
            if stage == "search":
                head += ", so that the run says nothing about its strategy"
        lines.append(f"note: {head}: {_reasons(failed)}")
    return lines


def _reasons(failed: pd.DataFrame) -> str:
    """The most frequent ends with their numbers, and with the message where there is one."""
    counts = failed.groupby(["status", "error"], sort=False).size().sort_values(ascending=False, kind="stable")
    texts = [
        f"{count} {status.replace('_', ' ')}{f' ({shortened(printable(error), _LONGEST)})' if error else ''}"
        for (status, error), count in counts.head(_REASONS).items()
    ]
    more = len(counts) - _REASONS
    return "; ".join(
        [*texts, *([f"and {more} other reasons"] if more > 1 else ["and 1 other reason"] if more == 1 else [])]
    )
