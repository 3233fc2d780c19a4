"""What a report says of scores that are all equal, and of targets of another score than accuracy."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

import nasbench
from nasbench.analysis.statistics.final_scores import _count, score_intervals

CLAIMS = Path(__file__).parents[3] / "results" / "claims.h5"


def test_thirty_equal_scores_are_no_sample_that_is_too_small():
    rows = [
        {"strategy": "random", "table": "t", "run": f"r{at}", "seed": at, "score": 0.94, "scored": True}
        for at in range(30)
    ]
    table = score_intervals(pd.DataFrame(rows))
    assert [_count(row) for _, row in table.iterrows()] == ["n=30, all equal"] * len(table)


def test_a_target_of_a_loss_is_in_nats(tmp_path):
    page = nasbench.report(str(CLAIMS), tmp_path / "r.html", score="val_loss", target=0.3).read_text(encoding="utf-8")
    assert re.search(r"To reach 0\.3 nats, median", page)
    assert "30 %" not in page
