"""Bayesian signed ranks against baycomp and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from baycomp import SignedRankTest

from nasbench.analysis.statistics.bayesian import bayesian_notes, bayesian_tests, signed_ranks
from nasbench.errors import InputError


@pytest.mark.parametrize(
    ("shift", "spread", "tables"), [(0.0, 0.01, 12), (0.01, 0.01, 12), (-0.02, 0.02, 7), (0.003, 0.003, 20)]
)
def test_probabilities_are_baycomps(shift, spread, tables):
    rng = np.random.default_rng(tables)
    first, second = rng.normal(0.9 + shift, spread, tables), rng.normal(0.9, spread, tables)
    theirs = SignedRankTest.probs(
        second, first, rope=0.005, nsamples=20_000, random_state=1
    )  # left: that second is better
    ours = signed_ranks(first - second, 0.005, drawn=20_000)
    assert (ours.worse, ours.equivalent, ours.better) == pytest.approx(theirs, abs=0.02)
    assert ours.worse + ours.equivalent + ours.better == pytest.approx(1)


def test_clear_cases_are_clear_and_swapping_mirrors_them():
    up = np.full(10, 0.05)
    assert signed_ranks(up).better > 0.99
    assert signed_ranks(-up).worse > 0.99
    assert signed_ranks(up / 100).equivalent > 0.99
    mixed = np.array([0.03, -0.02, 0.04, 0.0, 0.02])
    one, other = signed_ranks(mixed), signed_ranks(-mixed)
    assert (one.better, one.worse) == pytest.approx((other.worse, other.better), abs=0.02)


def scores(tables: int, apart: float) -> pd.DataFrame:
    rows = [
        (name, f"space{i}, data", 0.8 + 0.01 * i + (apart if name == "ppo" else 0.0))
        for name in ("random", "ppo")
        for i in range(tables)
    ]
    return pd.DataFrame(rows, columns=["strategy", "table", "score"])


def test_verdicts_need_95_percent_and_five_tables():
    said = [bayesian_tests(scores(8, apart))["verdict"].iloc[0] for apart in (0.05, 0.001, -0.05)]
    assert said[0].startswith("ppo against random: better (better 100%, within 1 points 0%")
    assert said[1].startswith("ppo against random: within 1 points (")
    assert said[2].startswith("ppo against random: worse (")
    few = bayesian_tests(scores(4, 0.05)).iloc[0]
    assert few["verdict"] == "ppo against random: n too small (n=4 tables; 5 are the least)"
    assert np.isnan(few["better"])


def test_tables_of_one_space_are_called_dependent():
    same = scores(5, 0.0).assign(
        table=lambda rows: rows["table"].str.replace(r"space(\d), data", r"nasbench201, data\1", regex=True)
    )
    assert "not independent: the probabilities speak of these tables" in bayesian_notes(same)[1]
    assert len(bayesian_notes(scores(5, 0.0))) == 1


def test_bad_calls_are_one_clear_line():
    with pytest.raises(InputError, match=r"a table or more and a region above 0; got 0, 0\.01"):
        signed_ranks(np.zeros(0))
