"""Margins of equivalence are in the unit of the score, and only accuracies have one unless it is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.statistics.bayesian import bayesian_tests
from nasbench.analysis.statistics.comparison_table import comparison_of_pairs, comparison_table
from nasbench.errors import InputError
from nasbench.scores import Score, judging

LATENCY = Score("latency", "", "s", "lower")


def scores(first: float, second: float, spread: float) -> pd.DataFrame:
    """Eight searches of two strategies on one table, of equal seeds."""
    rng = np.random.default_rng(1)
    rows = [
        (name, "t", f"{name}{seed}", seed, middle + spread * rng.normal(), True)
        for name, middle in (("ppo", first), ("random", second))
        for seed in range(8)
    ]
    return pd.DataFrame(rows, columns=["strategy", "table", "run", "seed", "score", "scored"])


@pytest.mark.parametrize("compare", [comparison_table, comparison_of_pairs])
def test_a_tenth_of_a_millisecond_is_not_called_equivalent_by_the_margin_of_accuracies(compare):
    """Of 1.0 and 1.1 ms, a margin of 0.01 s is ten times the scores."""
    with judging(LATENCY):
        found = compare(scores(-0.0010, -0.0011, 0.0001))
        assert "equivalent" not in set(found["finding"])
        assert compare(scores(-0.00105, -0.00105, 0.0001), margin=0.001)["finding"].tolist() == ["equivalent"]
    near = compare(scores(0.9, 0.9, 0.001))
    assert near["finding"].tolist() == ["equivalent"]  # within one point, as before


def test_probabilities_over_tables_need_a_region_of_another_score():
    rows = pd.concat([scores(-0.001, -0.002, 0.0001).assign(table=f"t{at}") for at in range(6)])
    with judging(LATENCY):
        with pytest.raises(InputError, match="of latency it needs a width: give --margin"):
            bayesian_tests(rows)
        assert bayesian_tests(rows, rope=0.0001)["better"].iloc[0] > 0.9
