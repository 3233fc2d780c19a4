"""`nasbench latency FILE --top N --score S` measures the best networks by the score, whose better values may be the lower ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nasbench.cli.latency import _best_of, _of_files
from nasbench.store.query import Results


@pytest.mark.parametrize(("score", "higher"), [("val_acc", True), ("val_loss", False), ("params", False)])
def test_the_best_by_a_loss_are_those_of_the_least(score: str, higher: bool) -> None:
    path = str(Path(__file__).parents[2] / "results" / "claims.h5")
    chosen, _ = _of_files([path], None, 3, score, None, {})
    with Results([path]) as results:
        frame = results.frame()
    frame = frame[frame["stage"] == "search"]  # final trainings are of the incumbents alone
    means = frame[frame["status"] == "ok"].dropna(subset=[score]).groupby("hash")[score].mean()
    expected = means.nlargest(3) if higher else means.nsmallest(3)
    assert sorted(means[each.hash] for each in chosen) == pytest.approx(sorted(expected))


# Hashes with stage, epoch at which they stopped and validation accuracy. Of "aa" the whole training counts (0.8), not the
# mean with those that stopped (0.5); of "bb" the longer one (0.7); "cc" has 0.6, and 0.99 in a final training, whose seeds
# are other ones.
ROWS = [
    ("aa", "search", 1, 0.2),
    ("aa", "search", 2, 0.5),
    ("aa", "search", 0, 0.8),
    ("bb", "search", 1, 0.3),
    ("bb", "search", 2, 0.7),
    ("cc", "search", 0, 0.6),
    ("cc", "final", 0, 0.99),
    ("dd", "search", 0, 0.55),
]


def test_the_best_are_those_of_the_longest_trainings_in_the_search() -> None:
    frame = pd.DataFrame(ROWS, columns=["hash", "stage", "stop_epoch", "val_acc"])
    frame = frame.assign(status="ok", counted=True, strategy="asha")
    assert _best_of(frame, 3, "val_acc")["hash"].unique().tolist() == ["aa", "bb", "cc"]
    assert _best_of(frame, 1, "val_acc")["stop_epoch"].tolist() == [0]
