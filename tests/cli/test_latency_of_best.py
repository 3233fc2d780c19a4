"""`nasbench latency FILE --top N --score S` measures the best networks by the score, whose better values may be the lower ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasbench.cli.latency import _of_files
from nasbench.store.query import Results


@pytest.mark.parametrize(("score", "higher"), [("val_acc", True), ("val_loss", False), ("params", False)])
def test_the_best_by_a_loss_are_those_of_the_least(score: str, higher: bool) -> None:
    path = str(Path(__file__).parents[2] / "results" / "claims.h5")
    chosen, _ = _of_files([path], None, 3, score, None, {})
    with Results([path]) as results:
        frame = results.frame()
    means = frame[frame["status"] == "ok"].dropna(subset=[score]).groupby("hash")[score].mean()
    expected = means.nlargest(3) if higher else means.nsmallest(3)
    assert sorted(means[each.hash] for each in chosen) == pytest.approx(sorted(expected))
