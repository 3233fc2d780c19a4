"""Fitting: what is held out, what is refused, what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

from nasbench.errors import InputError
from nasbench.store.query import Results
from nasbench.tabular.surrogates import fitting
from nasbench.tabular.surrogates.fitting import fit_surrogate
from nasbench.tabular.surrogates.model import accuracy
from nasbench.tabular.surrogates.noise import calibration, fit_noise
from nasbench.tabular.surrogates.trees import Ensemble

TRAINED = Path(__file__).parents[2] / "results" / "claims.h5"


def test_predictions_and_costs_are_near_those_of_the_trainings(surrogate):
    with Results(str(TRAINED)) as results:
        rows = results.frame()
    rows = rows[rows["stage"] == "search"]
    architectures = [surrogate.space.decode(json.loads(text)) for text in rows["choices"]]
    found = surrogate.predict(architectures)
    assert np.array_equal(found.counts, rows[["params", "mult_adds"]].to_numpy())
    assert kendalltau(found.val_acc, rows["val_acc"]).statistic > 0.65  # they were fitted to these
    assert found.seconds.mean() == pytest.approx(rows["device_seconds"].mean(), rel=0.1)
    low, high = surrogate.interval(found.val_acc, 0.8)
    assert 0.75 < ((low <= rows["val_acc"]) & (rows["val_acc"] <= high)).mean() < 0.97


def test_qualities_are_of_held_out_architectures(surrogate):
    quality = surrogate.about.quality
    assert set(quality) == {"boosting", "forest", "both", "seconds"}
    assert 0.4 < quality["both"].kendall_tau < 0.7
    assert 0.7 < quality["both"].within_80 < 0.9
    assert surrogate.about.noise == "residual"
    assert surrogate.about.children == surrogate.about.architectures == 598


@pytest.mark.parametrize(("model", "leaves"), [("boosting", 16), ("forest", 64)])
def test_models_predict_as_scikit_learn_and_are_small(model, leaves):
    rng = np.random.default_rng(0)
    features = rng.integers(0, 6, size=(900, 8)).astype(float)
    values = features[:, 0] * features[:, 1] - 3 * features[:, 2] + rng.normal(size=900)
    fitted = fitting.MODELS[model][1](features, values, 3)
    kinds = {"boosting": (GradientBoostingRegressor, fitting.BOOSTING), "forest": (ExtraTreesRegressor, fitting.FOREST)}
    kind, options = kinds[model]
    theirs = kind(**options, random_state=3).fit(features, values).predict(features)
    np.testing.assert_allclose(fitted.predict(features), theirs, rtol=0, atol=1e-10)
    inner = np.isfinite(fitted.threshold)
    assert np.array_equal(fitted.threshold[inner], np.floor(fitted.threshold[inner]))
    per_tree = np.diff([*fitted.roots, len(fitted.left)])
    assert (per_tree + 1).max() // 2 <= leaves  # which compiled evaluation needs


def test_prediction_and_stated_quality_are_of_the_same_shares(monkeypatch):
    number = {"boosting": 1.0, "forest": 5.0}

    def constant(value):
        ints = [np.array(each, dtype=np.int32) for each in ([0], [0], [0])]
        return Ensemble(0.0, ints[0], ints[1], np.array([np.inf]), ints[2], np.array([value]))

    monkeypatch.setattr(
        fitting,
        "MODELS",
        {name: (share, lambda *_, name=name: constant(number[name])) for name, (share, _) in fitting.MODELS.items()},
    )
    found = fit_surrogate([TRAINED], folds=2)
    expected = 0.75 * 1.0 + 0.25 * 5.0
    assert found.score.predict(np.zeros((3, len(found.about.features)))) == pytest.approx([expected] * 3)
    with Results(str(TRAINED)) as results:
        rows = results.frame()
    scores = rows.drop_duplicates(["hash", "seed", "val_acc"])["val_acc"]
    errors = scores.dropna().to_numpy() - accuracy(np.array([expected]))
    assert found.about.quality["both"].rmse == pytest.approx(float(np.sqrt((errors**2).mean())))


def test_noise_has_the_spread_of_the_deviations():
    rng = np.random.default_rng(0)
    predictions = rng.random(4000)
    scores = predictions + rng.normal(0, 0.1 + 0.3 * predictions)
    noise = fit_noise(predictions, scores - predictions)
    assert noise.spread(np.array([0.2, 0.8])) == pytest.approx([0.16, 0.34], rel=0.1)
    found = calibration(predictions, scores, np.arange(4000) % 5)
    assert [found[f"within_{level}"] for level in (50, 80, 95)] == pytest.approx([0.5, 0.8, 0.95], abs=0.02)
    # a model that errs alike everywhere would state intervals that are too wide on one side
    assert np.quantile(noise.at(np.full(999, 0.5), np.linspace(0, 1, 999)), [0.025, 0.975]) == pytest.approx(
        [-1.96 * 0.25, 1.96 * 0.25], rel=0.15
    )


def test_repeated_trainings_are_the_noise(monkeypatch):
    import pandas as pd

    from nasbench.tabular.surrogates import fitting

    def read(files):
        frame, configs, sources = original(files)
        again = frame[frame["stage"] == "search"].head(60)
        return pd.concat([frame, again.assign(seed=99, val_acc=again["val_acc"] + 0.001)]), configs, sources

    original = fitting._read
    monkeypatch.setattr(fitting, "_read", read)
    monkeypatch.setitem(fitting.BOOSTING, "n_estimators", 5)
    monkeypatch.setitem(fitting.FOREST, "n_estimators", 5)
    found = fit_surrogate([TRAINED], folds=2)
    assert (found.about.noise, found.about.repeated) == ("repeats", 60)
    assert found.noise.spreads.max() < 0.05 < found.residual.spreads.min()


def test_costs_are_those_of_whole_trainings(monkeypatch):
    """A third went on from parts that are here, a third from parts that are elsewhere, whose seconds are not known."""
    import pandas as pd

    def read(files):
        frame, configs, sources = original(files)
        searched = frame[(frame["stage"] == "search") & (frame["cached_from"] == "")].reset_index(drop=True)
        whole = searched["device_seconds"].to_numpy()
        places = np.arange(len(searched))
        here, elsewhere = places % 3 == 1, places % 3 == 2
        expected.append(np.delete(whole, places[elsewhere]).mean())
        names = [f"{run}/{index}" for run, index in zip(searched["run"], searched["index"] + 10**6)]
        parts = searched.assign(index=searched["index"] + 10**6, stop_epoch=1, device_seconds=0.25 * whole)[here]
        went_on = searched.assign(
            index=searched["index"] + 2 * 10**6,
            from_epoch=1,
            continues=np.where(here, names, "elsewhere/0"),
            device_seconds=0.75 * whole,
        )[here | elsewhere]
        return pd.concat([parts, went_on, searched[places % 3 == 0]], ignore_index=True), configs, sources

    original, expected, lines = fitting._read, [], []
    monkeypatch.setattr(fitting, "_read", read)
    monkeypatch.setitem(fitting.BOOSTING, "n_estimators", 5)
    monkeypatch.setitem(fitting.FOREST, "n_estimators", 5)
    found = fit_surrogate([TRAINED], folds=2, report=lines.append)
    assert found.about.mean_seconds == pytest.approx(expected[0])
    assert found.about.children == 598
    assert any(line.startswith("199 trainings went on") for line in lines), lines


def test_a_training_in_one_go_is_what_an_architecture_costs():
    """Architecture a also has a training that went on, which paid for set-up twice; b has no other."""
    import pandas as pd

    rows = pd.DataFrame({"hash": list("aab"), "platform": "here", "device_seconds": [9.0, 10.0, 11.0]})
    assert fitting._same_platform(rows.assign(from_epoch=[0, 3, 3])).tolist() == [0, 2]


def test_files_that_do_not_belong_together_are_refused(monkeypatch):
    with pytest.raises(InputError, match="2 values of 'fingerprint'"):
        fit_surrogate([TRAINED, TRAINED.with_name("cifar10-jpeg-nasnet.h5")])
    from nasbench.tabular.surrogates import fitting

    monkeypatch.setattr(fitting, "FEWEST", 1000)
    with pytest.raises(InputError, match="598 architectures"):
        fit_surrogate([TRAINED])


def test_commands(monkeypatch, tmp_path):
    from nasbench.tabular.surrogates import fitting

    monkeypatch.setitem(fitting.BOOSTING, "n_estimators", 5)
    monkeypatch.setitem(fitting.FOREST, "n_estimators", 5)
    words = ("surrogate", "fit", str(TRAINED), "-o", str(tmp_path / "s.h5"), "--folds", "2")
    done = nasbench(*words)
    assert done.code == 0, done
    assert "surrogate of nasnet:blocks=2, data digits" in done.out
    assert "Kendall's tau" in done.out
    again = nasbench(*words)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "is there already" in again.err
    shown = nasbench("surrogate", "show", str(tmp_path / "s.h5"))
    assert shown.code == 0
    first = "surrogate of"
    assert shown.out.splitlines()[:8] == (first + done.out.partition(first)[2]).splitlines()[:8]
    assert "claims.h5, rows " in shown.out
    with Results(str(TRAINED)) as results:
        trained = results.frame()["fingerprint"].iloc[0]
    assert f" of its scores; the trainings have {trained}\n" in shown.out
    assert ".h5" in nasbench("surrogate", "fit", str(TRAINED), "-o", str(tmp_path / "s.npz")).err
