"""Bayesian signed ranks against baycomp, the incomplete beta function, numerical integration, and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from baycomp import SignedRankTest
from commands import nasbench
from scipy.stats import beta
from store_rows import child, run

from nasbench.analysis.statistics.bayesian import bayesian_notes, bayesian_tests, signed_ranks
from nasbench.errors import InputError
from nasbench.store.writer import ResultsWriter

HALF = 0.5**0.5  # a part w of the weight holds w * w of the pairs, and is the largest part where that is above 1/2


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


@pytest.mark.parametrize("tables", [1, 2, 5, 12])
def test_equal_tables_have_the_probabilities_of_a_beta_distribution(tables):
    """The pseudo-observation has the weight w, of Beta(1/2, tables)."""
    weight = beta(0.5, tables)
    # Beyond twice the region: a table and the pseudo-observation are above it, too; all but w * w is better.
    assert signed_ranks(np.full(tables, 0.03)).better == pytest.approx(weight.cdf(HALF), abs=0.01)
    assert signed_ranks(np.full(tables, -0.03)).worse == pytest.approx(weight.cdf(HALF), abs=0.01)
    # Between once and twice the region their mean is within it: (1 - w) ** 2 is better.
    assert signed_ranks(np.full(tables, 0.015)).better == pytest.approx(weight.cdf(1 - HALF), abs=0.01)
    assert signed_ranks(np.full(tables, 0.005)).equivalent == 1
    # At twice the region that mean is on the edge, and half of it counts: (1 - w) ** 2 + w (1 - w) = 1 - w is better.
    assert signed_ranks(np.full(tables, 0.02)).better == pytest.approx(weight.cdf(0.5), abs=0.01)


@pytest.mark.parametrize(("up", "down"), [(3, 2), (5, 1), (4, 4)])
def test_tables_of_two_kinds_have_the_probabilities_of_an_integral(up, down):
    """Groups better and worse by three times the region, integrated over their weights and that of the pseudo-observation."""
    steps = (np.arange(1500) + 0.5) / 1500
    root, share = (
        axis.ravel() for axis in np.meshgrid(steps, steps)
    )  # the pseudo-observation has the weight root ** 2
    density = (1 - root**2) ** (up + down - 1) * share ** (up - 1) * (1 - share) ** (down - 1)
    nothing, better, worse = root**2, (1 - root**2) * share, (1 - root**2) * (1 - share)
    right, left = better**2 + 2 * better * nothing, worse**2 + 2 * worse * nothing
    parts = np.stack([right, nothing**2 + 2 * better * worse, left])
    expected = np.bincount(parts.argmax(axis=0), density, 3) / density.sum()
    found = signed_ranks(np.repeat([0.03, -0.03], [up, down]))
    assert (found.better, found.equivalent, found.worse) == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_the_command_prints_what_baycomp_has_for_the_means_of_the_files(tmp_path):
    """Seven files of one table each, two runs of each strategy."""
    rng = np.random.default_rng(3)
    scores = {name: rng.normal(mean, 0.02, (7, 2)) for name, mean in (("random", 0.80), ("ppo", 0.801))}
    for table in range(7):
        with ResultsWriter(tmp_path / f"{table}.h5") as writer:
            for name, values in scores.items():
                for seed, value in enumerate(values[table].tolist()):
                    of = {
                        "strategy": name,
                        "space": f"nas:layers={table + 2}",
                        "data": "digits",
                        "run": f"{table}{name}{seed}",
                    }
                    same = {"fingerprint": "f" * 16, "protocol": "digits"}
                    fields = {"seed": seed, "budget": "1 children", "children": 1, "data_digest": "d"}
                    writer.put_run(run(of["run"], **of, **same, **fields, status="complete"))
                    more = {"index": 0, "val_acc": value, "counted": True, "run_seed": seed}
                    writer.append_child(*child(table, **of, **same, **more))
    files = [str(tmp_path / f"{table}.h5") for table in range(7)]
    words = ("bayesian", *files, "--margin", "0.005", "--table-format", "csv", "--csv", str(tmp_path / "out.csv"))
    done = nasbench(*words)
    assert done.code == 0, done.err
    row = pd.read_csv(tmp_path / "out.csv").iloc[0]
    apart = scores["ppo"].mean(axis=1) - scores["random"].mean(axis=1)
    theirs = SignedRankTest.probs(np.zeros(7), apart, rope=0.005, nsamples=20_000, random_state=1)
    assert (row["first"], row["second"], row["n"]) == ("ppo", "random", 7)
    assert row["difference"] == pytest.approx(apart.mean())
    assert (row["worse"], row["equivalent"], row["better"]) == pytest.approx(theirs, abs=0.02)
    assert theirs[2] < 0.95
    assert "ppo against random: undecided (better" in done.err


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
