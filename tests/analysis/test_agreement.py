"""Rank agreement against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.statistics.agreement import mean_by_hash, rank_agreement
from nasbench.errors import InputError


def test_correlations_by_hand():
    frame = pd.DataFrame({"val_acc": [0.1, 0.2, 0.3, 0.4], "same": [1, 10, 100, 1000], "swapped": [1, 2, 4, 3]})
    table = rank_agreement(frame, ["same", "swapped"]).set_index("score")
    assert table.loc["same"].tolist() == pytest.approx([4, 1, 1])
    # one of six pairs is swapped: tau = 4/6; sum of squared rank differences 2: rho = 1 - 6 * 2 / (4 * 15)
    assert table.loc["swapped"].tolist() == pytest.approx([4, 0.8, 4 / 6])


def test_infinite_scores_are_ranked_and_unknown_ones_left_out():
    frame = pd.DataFrame({"val_acc": [0.1, 0.2, 0.3, 0.4], "score": [-math.inf, 2.0, math.inf, math.nan]})
    assert rank_agreement(frame, ["score"]).iloc[0].tolist() == ["score", 3, pytest.approx(1), pytest.approx(1)]


def test_no_number_where_there_is_no_order():
    frame = pd.DataFrame({"val_acc": [0.1, 0.2, 0.3], "constant": [1.0, 1.0, 1.0], "few": [1.0, 2.0, math.nan]})
    table = rank_agreement(frame, ["constant", "few"])
    assert table["n"].tolist() == [3, 2]
    assert np.isnan(table[["spearman", "kendall"]].to_numpy()).all()
    with pytest.raises(InputError, match="nothing"):
        rank_agreement(frame, ["nothing"])


def children(**columns) -> pd.DataFrame:
    base = {
        "stage": "search",
        "strategy": "random",
        "status": "ok",
        "space": "nasbench201",
        "choices": "[0]",
        "protocol": "p",
        "fingerprint": "f",
    }
    return pd.DataFrame({**{name: [value] * 4 for name, value in base.items()}, **columns})


def test_children_of_one_hash_are_one_architecture():
    frame = children(hash=["b", "a", "b", "a"], val_acc=[0.2, 0.5, 0.4, 0.9], status=["ok", "ok", "ok", "failed"])
    table = mean_by_hash(frame)
    assert table["hash"].tolist() == ["b", "a"]
    assert table["n"].tolist() == [2, 1]
    assert table["val_acc"].tolist() == pytest.approx([0.3, 0.5])


def test_children_that_cannot_be_compared_are_refused():
    several = children(hash=list("abcd"), val_acc=[0.1] * 4, fingerprint=["f", "f", "g", "g"])
    with pytest.raises(InputError, match=r"p \(f\) / p \(g\)"):
        mean_by_hash(several)
    with pytest.raises(InputError, match="nothing to rank"):
        mean_by_hash(children(hash=list("abcd"), val_acc=[math.nan] * 4, status="failed"))
    assert len(mean_by_hash(several.assign(stage=["search", "search", "final", "final"]))) == 2


def test_trainings_of_a_complete_table_are_all_taken():
    frame = children(hash=["b", "a", "b", "a"], val_acc=[0.2, 0.5, 0.4, 0.9], stage="final", strategy="table")
    assert mean_by_hash(frame)["n"].tolist() == [2, 2]
    with pytest.raises(InputError, match="nothing to rank"):
        mean_by_hash(frame.assign(strategy="random"))


def test_copies_that_a_cache_made_count_once():
    """Seed 0 scored 0.5, seed 1 scored 0.9 and was proposed twice more: the mean of the trainings is 0.7."""
    frame = children(hash=["a"] * 4, val_acc=[0.5, 0.9, 0.9, 0.9], seed=[0, 1, 1, 1])
    assert mean_by_hash(frame)[["n", "val_acc"]].to_numpy().tolist() == [[2, pytest.approx(0.7)]]
