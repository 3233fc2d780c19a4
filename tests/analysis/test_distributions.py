"""Our distributions and ranks against scipy.stats, to the bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from scipy.stats import mannwhitneyu, norm, rankdata, t

from nasbench.analysis.inference.distributions import normal_above, normal_quantile, t_above, t_below, t_quantile
from nasbench.analysis.inference.rank_sums import mann_whitney, mean_ranks


def test_distributions_are_scipys():
    rng = np.random.default_rng(0)
    for value, freedom, share in zip(rng.normal(0, 4, 100), rng.uniform(0.5, 300, 100), rng.random(100)):
        assert t_above(value, freedom) == t.sf(value, freedom)
        assert t_below(value, freedom) == t.cdf(value, freedom)
        assert t_quantile(share, freedom) == t.ppf(share, freedom)
        assert normal_above(value) == norm.sf(value)
        assert normal_quantile(share) == norm.ppf(share)


def test_rank_sums_are_scipys_except_exact_ones_with_equal_scores():
    rng = np.random.default_rng(1)
    exact = approximate = 0
    for _ in range(300):
        first, second = (rng.normal(size=size).round(rng.integers(0, 4)) for size in rng.integers(1, 30, 2))
        scores = np.concatenate([first, second])
        small, ties = min(len(first), len(second)) <= 8, len(np.unique(scores)) < len(scores)
        if np.ptp(scores) == 0 or (small and ties):
            continue
        known = mannwhitneyu(first, second, alternative="two-sided")
        assert mann_whitney(first, second) == (known.statistic, known.pvalue)
        assert (mean_ranks(scores)[0] == rankdata(scores)).all()
        exact, approximate = exact + small, approximate + (not small)
    assert exact > 20
    assert approximate > 20


def test_a_comparison_of_few_runs_does_not_import_scipys_statistics():
    code = """
import sys
import numpy as np
from nasbench.analysis.inference.two_samples import compare_groups
rng = np.random.default_rng(0)
compare_groups(rng.normal(size=5), rng.normal(size=7))
compare_groups(rng.normal(size=30), rng.normal(size=40))
assert "scipy.special" in sys.modules
assert "scipy.stats" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
