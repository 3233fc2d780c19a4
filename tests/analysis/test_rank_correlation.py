"""Rank correlations between protocols and between seeds, against scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.rank_correlation import (
    architecture_values,
    draw_rank_correlation,
    protocol_scores,
    rank_correlations,
    seed_scores,
)
from nasbench.errors import InputError


@pytest.fixture
def trained(make):
    """60 architectures, each trained with 3 seeds under a cheap protocol and once under an expensive one that tests it, too."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(60):
        quality = 0.6 + 0.005 * i
        common = {"run": "r", "strategy": "random", "hash": f"h{i:02d}"}
        for seed in range(3):
            acc = quality + rng.normal(0, 0.03)
            rows.append(
                {
                    **common,
                    "index": len(rows),
                    "seed": seed,
                    "protocol": "cheap",
                    "fingerprint": "c" * 16,
                    "val_acc": acc,
                }
            )
        expensive = {"protocol": "full", "fingerprint": "f" * 16, "seed": 0}
        rows.append(
            {
                **common,
                **expensive,
                "index": i,
                "stage": "final",
                "val_acc": 0.9,
                "test_acc": quality + rng.normal(0, 0.01),
            }
        )
    return make.children(rows)


def test_correlations_between_protocols_are_scipys(trained):
    scores = protocol_scores(trained)
    assert scores.columns.tolist() == ["hash", "cheap validation", "full test"]
    row = rank_correlations(scores).set_index("among").loc["all"]
    pair = (scores["cheap validation"], scores["full test"])
    assert row["spearman"] == pytest.approx(stats.spearmanr(*pair).statistic)
    assert row["kendall"] == pytest.approx(stats.kendalltau(*pair).statistic)
    assert row["n"] == 60

    def tau(a, b):
        return stats.kendalltau(a, b).statistic

    theirs = stats.bootstrap(pair, tau, paired=True, vectorized=False, n_resamples=400, method="percentile")
    np.testing.assert_allclose([row["kendall_low"], row["kendall_high"]], theirs.confidence_interval, atol=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [False, True])
def test_intervals_of_twenty_architectures_cover_about_as_they_say(tied):
    rng = np.random.default_rng(int(tied))
    draws = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 4000 + 100 * 20)
    draws = np.round(1.5 * draws) if tied else draws
    many, samples = draws[:4000], draws[4000:].reshape(100, 20, 2)
    truth = {"kendall": stats.kendalltau(*many.T).statistic, "spearman": stats.spearmanr(*many.T).statistic}
    covered = dict.fromkeys(truth, 0)
    for sample in samples:
        frame = pd.DataFrame(sample, columns=["one", "other"]).assign(hash=range(20))
        row = rank_correlations(frame, resamples=100).iloc[0]
        for name, true in truth.items():
            covered[name] += row[f"{name}_low"] <= true <= row[f"{name}_high"]
    assert all(count >= 92 - 2 * 100 * np.sqrt(0.08 * 0.92 / 100) for count in covered.values())


def test_the_best_tenth_is_a_row_of_its_own(trained):
    scores = protocol_scores(trained)
    row = rank_correlations(scores).set_index("among").loc["top 10%"]
    best = scores.nlargest(6, "full test")
    assert row["n"] == 6
    assert row["kendall"] == pytest.approx(stats.kendalltau(best["cheap validation"], best["full test"]).statistic)


def test_between_seeds(trained):
    scores = seed_scores(trained)
    assert scores.columns.tolist() == ["hash", "seed 0", "seed 1", "seed 2"]
    assert len(rank_correlations(scores, resamples=50)) == 6
    with pytest.raises(InputError, match="of 2 protocols"):
        seed_scores(pd.concat([trained, trained.assign(fingerprint="other")]))
    other = pd.concat([trained, trained.assign(fingerprint="other", val_acc=0.5)])
    pd.testing.assert_frame_equal(seed_scores(other, "c" * 16), scores)


def test_names_tell_data_or_fingerprints_apart(trained):
    other = trained[trained["protocol"] == "cheap"].assign(fingerprint="d" * 16)
    columns = protocol_scores(pd.concat([trained, other])).columns.tolist()
    assert "cheap validation (digits, cccccc)" in columns
    columns = protocol_scores(pd.concat([trained, other.assign(data="else")])).columns.tolist()
    assert {"cheap validation (digits)", "cheap validation (else)"} <= set(columns)


def test_too_few_have_no_interval(trained):
    few = protocol_scores(trained[trained["hash"] < "h04"])
    rows = rank_correlations(few).set_index("among")
    assert rows.loc["all", "interval"] == "n=4: n too small"
    assert np.isnan(rows.loc["all", "kendall_low"])
    assert np.isfinite(rows.loc["all", "kendall"])


def test_bad_calls_are_one_clear_line(trained):
    with pytest.raises(InputError, match="needs two scores of the same architectures; here is cheap validation"):
        rank_correlations(protocol_scores(trained[trained["stage"] == "search"]))
    with pytest.raises(InputError, match="no child has a score"):
        protocol_scores(trained.assign(status="failed"))


def test_the_plot_has_the_numbers(trained):
    scores = protocol_scores(trained)
    with style.theme():
        figure = style.new_figure(10, 4)
        one, two = figure.subplots(1, 2)
        table = rank_correlations(scores, resamples=20)
        draw_rank_correlation(scores, one, "cheap validation", "full test", table)
        draw_rank_correlation(scores.assign(**{"full test": np.nan}), two, "cheap validation", "full test", table)
        figure.draw_without_rendering()
    assert "all, n=60" in one.texts[0].get_text()
    assert "No architecture has both" in two.texts[0].get_text().replace("\n", " ")


def test_tables_of_final_rows_have_seeds_and_a_validation_too(trained):
    table = trained[trained["stage"] == "search"].assign(strategy="table", stage="final", test_acc=0.5)
    assert seed_scores(table).equals(seed_scores(trained))
    assert protocol_scores(table).columns.tolist() == ["hash", "cheap test", "cheap validation"]
    searched = table.assign(strategy="random")  # here the final rows are second looks at what a search had chosen
    assert seed_scores(searched).columns.tolist() == ["hash"]


def test_scores_of_several_protocols_are_not_averaged(trained):
    """Neither is their mean a score, nor do all architectures have the same ones in it."""
    with pytest.raises(
        InputError, match="of 2 data sets or protocols, and a mean over them is the score of no training"
    ):
        architecture_values(trained, ["val_acc", "params"])
    other = trained[trained["protocol"] == "cheap"]
    other = pd.concat([other, other.assign(data="cifar100")], ignore_index=True)
    with pytest.raises(InputError, match="cifar100"):
        architecture_values(other, ["val_acc", "params"])
    assert len(architecture_values(trained, ["mult_adds", "params"])) == 60  # which no training decides
    cheap = architecture_values(trained[trained["protocol"] == "cheap"], ["val_acc", "params"])
    by_hand = trained[trained["protocol"] == "cheap"].groupby("hash")["val_acc"].mean()
    assert cheap.set_index("hash")["val_acc"].to_dict() == pytest.approx(by_hand.to_dict())


def test_validation_scores_of_final_trainings_are_of_chosen_architectures(trained):
    cheap = trained[trained["protocol"] == "cheap"]
    finals = cheap[cheap["seed"] == 0].assign(stage="final", seed=9, val_acc=0.0)
    both = architecture_values(pd.concat([cheap, finals], ignore_index=True), ["val_acc", "params"])
    pd.testing.assert_frame_equal(both, architecture_values(cheap, ["val_acc", "params"]))
