"""A run whose children failed says so at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import nasbench

from nasbench.cli.failures import failure_lines

TINY = [f"--set={each}" for each in ("data=fake:images=96,size=4,classes=3", "epochs=1", "filters=4", "validation=0.5")]


def rows(*statuses: str, **fields: Any) -> pd.DataFrame:
    made = [
        {
            "run": "a1",
            "stage": "search",
            "counted": True,
            "status": status,
            "error": "boom" if status == "failed" else "",
        }
        for status in statuses
    ]
    return pd.DataFrame(made).assign(**fields)


def test_failures_are_counted_with_their_reasons() -> None:
    found = rows("ok", "failed", "diverged", "failed", "timed_out", "out_of_memory")
    assert failure_lines(found) == [
        "note: 4 of 6 children of run a1 failed: 2 failed (boom); 1 timed out; 1 out of memory"
    ]
    assert failure_lines(rows("ok", "diverged")) == []
    assert failure_lines(rows("failed", counted=False)) == []  # the budget ended it
    (final,) = failure_lines(rows("failed", "ok", stage="final", counted=False))
    assert final == "note: 1 of 2 final trainings of run a1 failed: 1 failed (boom)"


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_a_run_of_failures_does_not_end_as_a_success(quiet: list[str], tmp_path: Path) -> None:
    """A batch of one image has no variance on a last map of one pixel."""
    alone = ["--set=batch_size=1", "--set=auxiliary_weight=0.4"]
    given = ["--space=nasnet:blocks=1", "--strategy=random", *TINY, *alone, "--budget=2 children"]
    done = nasbench(*quiet, "run", *given, "-o", str(tmp_path / "a.h5"))
    assert "all 2 children of run" in done.err
    assert "says nothing about its strategy: 2 failed (" in done.err
    assert "Expected more than 1 value per channel" in done.err


@pytest.mark.parametrize(("cached", "said"), [("charge", "charged as if trained again"), ("free", "charged nothing")])
def test_what_cached_children_were_charged_is_said(cached: str, said: str, tmp_path: Path) -> None:
    given = ["run", "--space=nasnet:blocks=1", "--strategy=random", *TINY, "--final=none", "-o", str(tmp_path / "a.h5")]
    first = nasbench(*given, "--budget=2 children")
    assert first.code == 0, first.err
    assert "cached:" not in first.out
    again = nasbench(*given, "--budget=3 children", f"--cached={cached}")
    assert again.code == 0, again.err
    assert f"cached: 2 children have the scores of an earlier training, and are {said}" in again.out
