"""Fit a surrogate to the children of results files: models of scikit-learn, their noise, and what held-out children say."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.protocols.stored import config_of, named_protocol
from nasbench.provenance import provenance, utc_now
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture
from nasbench.store.format.frames import begins_at_the_start, from_the_start, whole_trainings
from nasbench.structures import Scale
from nasbench.tabular.surrogates.about import About, Quality, Source
from nasbench.tabular.surrogates.compiled import MOST_LEAVES
from nasbench.tabular.surrogates.features import COUNTS, Features, FloatArray, IntArray
from nasbench.tabular.surrogates.model import Surrogate, accuracy, log_odds
from nasbench.tabular.surrogates.noise import Noise, calibration, fit_noise
from nasbench.tabular.surrogates.trees import Ensemble, joined, of_sklearn
from nasbench.tabular.tables import in_one_go, of_one_platform

if TYPE_CHECKING:
    import pandas as pd

FEWEST: Final = 50
"""Architectures without which no surrogate is fitted."""
_REPEATED: Final = 20
"""Architectures with several trainings from which on their spread is the noise."""
_CHECKED: Final = 20  # rows whose counts are compared with those of the networks
_SHORTEST: Final = 1e-6  # seconds

Fitted = Callable[[FloatArray, FloatArray, int], Ensemble]


class _Children(NamedTuple):
    """The trainings of one space under one protocol.

    Attributes:
        rows: hash, val_acc, device_seconds, from_epoch, platform and choices of each; seconds are those from the first epoch
            on, NaN where a part of the training is in another file.
        architectures: one per row.
        groups: ints [rows], number of the row's architecture.
        left_out: children without a score.
    """

    rows: pd.DataFrame
    architectures: list[Architecture]
    groups: IntArray
    left_out: int


def boosting(features: FloatArray, values: FloatArray, seed: int) -> Ensemble:
    """Fit gradient boosting.

    Args:
        features: [networks, features].
        values: [networks].
        seed: seed of the rows and features that each tree sees.

    Returns:
        Its trees.

    Source: Friedman 2002, "Stochastic gradient boosting" (each tree sees a part of the rows), scikit-learn's
        `GradientBoostingRegressor`. The settings are ours.
    """
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(**BOOSTING, random_state=seed).fit(features, values)
    trees = [each.tree_ for each in model.estimators_[:, 0]]
    return _whole(of_sklearn(trees, model.learning_rate, float(model.init_.constant_[0, 0])))


def forest(features: FloatArray, values: FloatArray, seed: int) -> Ensemble:
    """Fit a forest of extremely randomized trees.

    Args:
        features: [networks, features].
        values: [networks].
        seed: seed of the trees.

    Returns:
        Its trees, each with an equal share.

    Source: Geurts, Ernst and Wehenkel 2006, "Extremely randomized trees", scikit-learn's `ExtraTreesRegressor`. The
        settings are ours.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(**FOREST, random_state=seed).fit(features, values)
    return _whole(of_sklearn([each.tree_ for each in model.estimators_], 1.0 / len(model.estimators_), 0.0))


def _whole(ensemble: Ensemble) -> Ensemble:
    """Round thresholds down. All features are whole numbers, so predictions stay, and fewer thresholds are different."""
    return dataclasses.replace(ensemble, threshold=np.floor(ensemble.threshold))


BOOSTING: Final[dict[str, Any]] = {
    "n_estimators": 200,
    "max_depth": 4,
    "learning_rate": 0.06,
    "subsample": 0.7,
    "max_features": 0.3,
    "min_samples_leaf": 5,
}
FOREST: Final[dict[str, Any]] = {
    "n_estimators": 50,
    "min_samples_leaf": 3,
    "max_features": 0.5,
    "max_leaf_nodes": MOST_LEAVES,  # more are evaluated several times more slowly, and predict no better
}
MODELS: Final[dict[str, tuple[float, Fitted]]] = {"boosting": (0.75, boosting), "forest": (0.25, forest)}
"""Each model and its share of the prediction. Held-out scores of two spaces were nearer to these shares than to halves."""


def fit_surrogate(
    files: Sequence[str | Path], folds: int = 5, seed: int = 0, report: Callable[[str], None] = lambda _: None
) -> Surrogate:
    """Fit a surrogate to the children of results files.

    The prediction of a score is a weighted mean of gradient boosting and a forest (`MODELS`). Folds are of architectures, so that all
    trainings of one architecture are held out together.

    Args:
        files: results files whose children are of one space, one protocol and one data set.
        folds: folds of the cross-validation, >= 2.
        seed: seed of folds and models.
        report: function called with one line per step.

    Returns:
        The surrogate.

    Raises:
        InputError: when the children are of several spaces or protocols, are too few, are not judged by accuracy, or
            their counts are not those of the networks.
        StoreError: when a file cannot be read.
    """
    frame, configs, sources = _read(files)
    children = _trainings(frame)
    space = children.architectures[0].space
    scale = _scale(configs)
    features, counts = Features(space, scale).of(children.architectures)
    _check_counts(children.rows, counts)
    rows, groups = children.rows, children.groups
    scores = log_odds(rows["val_acc"].to_numpy(dtype=float))
    number = int(groups.max()) + 1
    if number < max(FEWEST, folds):
        raise InputError(
            f"{number} architectures have a score; a surrogate needs at least {max(FEWEST, folds)}: train more, e.g. "
            "nasbench run --strategy random"
        )
    fold = np.random.default_rng(seed).permutation(number)[groups] % folds
    report(f"{len(rows)} trainings of {number} architectures, {features.shape[1]} features, {folds} folds")
    held = {name: _held_out(model, features, scores, fold, seed) for name, (_, model) in MODELS.items()}
    held["both"] = sum((share * held[name] for name, (share, _) in MODELS.items()), np.zeros(len(scores)))
    quality: dict[Any, Quality] = {name: _quality(values, scores, fold, accuracy) for name, values in held.items()}
    residual = fit_noise(held["both"], scores - held["both"])
    noise, repeated = _noise(held["both"], scores, groups, residual)
    parts = int((rows["device_seconds"].isna() & (rows["from_epoch"] > 0)).sum())
    if parts:
        report(f"{parts} trainings went on from children of other files: their costs are left out")
    of_it = _same_platform(rows)
    log_seconds = np.log(np.maximum(rows["device_seconds"].to_numpy(dtype=float)[of_it], _SHORTEST))
    held_seconds = _held_out(boosting, features[of_it], log_seconds, fold[of_it], seed)
    quality["seconds"] = _quality(held_seconds, log_seconds, fold[of_it])
    report("models of all children")
    score = joined([(share, model(features, scores, seed)) for share, model in MODELS.values()])
    costs = boosting(features[of_it], log_seconds, seed)
    # an exponential of a mean logarithm is too small in the mean
    factor = float(np.exp(log_seconds).mean() / np.exp(held_seconds).mean())
    costs = dataclasses.replace(costs, base=costs.base + math.log(factor))
    first = rows.iloc[0]
    about = About(
        space=space.spec,
        data=str(first["data"]),
        protocol=str(first["protocol"]),
        fingerprint=str(first["fingerprint"]),
        scale=dataclasses.asdict(scale),
        features=list(Features(space, scale).names),
        children=len(rows),
        architectures=number,
        left_out=children.left_out,
        noise="residual" if noise is residual else "repeats",
        repeated=repeated,
        mean_seconds=float(np.exp(log_seconds).mean()),
        quality=quality,
        folds=folds,
        seed=seed,
        sources=sources,
        made={"time": utc_now(), "boosting": BOOSTING, "forest": FOREST, **provenance()},
    )
    return Surrogate(about, score, costs, noise, residual)


def _read(files: Sequence[str | Path]) -> tuple[pd.DataFrame, dict[str, str], list[Source]]:
    """All children, run -> its stored configuration, and the files with the digests of their rows."""
    import pandas as pd

    from nasbench.store.judged import score_of_runs
    from nasbench.store.query import Results

    frames, sources = [], []
    configs: dict[str, str] = {}
    for file in files:
        with Results(str(file)) as results:
            frame, runs = results.frame(), results.runs()
        score = score_of_runs(runs["config"])
        if score is not None and not score.is_accuracy:
            raise InputError(f"{file} is judged by {score.val}; surrogates are fitted to validation accuracies")
        own = frame[["hash", "seed", "fingerprint", "val_acc", "device_seconds"]].to_csv(index=False)
        digest = hashlib.blake2b(str(own).encode(), digest_size=16).hexdigest()
        sources.append(Source(name=Path(file).name, digest=digest))
        frames.append(frame)
        configs |= dict(zip(runs["run"].astype(str), runs["config"].astype(str)))
    return pd.concat(frames, ignore_index=True), configs, sources


def _trainings(frame: pd.DataFrame) -> _Children:
    """Select whole trainings, each once, and the architectures that they are of."""
    seconds = from_the_start(frame)["device_seconds"].where(begins_at_the_start(frame))
    whole = whole_trainings(frame.assign(device_seconds=seconds))
    for column in ("space", "fingerprint", "data"):
        found = sorted(set(whole[column].astype(str)))
        if len(found) != 1:
            raise InputError(
                f"these files have children of {len(found)} values of {column!r} ({', '.join(found)[:200]}); a surrogate is of "
                "one: give files of one space, protocol and data set"
            )
    scored = whole[(whole["status"] == "ok") & np.isfinite(whole["val_acc"])]
    known_first = scored.sort_values("device_seconds", key=lambda each: each.isna(), kind="stable")
    rows = known_first.drop_duplicates(["hash", "seed", "val_acc"]).sort_index().reset_index(drop=True)
    if rows.empty:
        raise InputError("no child of these files has a score")
    space = get_space(str(rows["space"].iloc[0]))
    architectures = [space.decode(json.loads(text)) for text in rows["choices"].astype(str)]
    hashes = [each.hash for each in architectures]
    if hashes != rows["hash"].astype(str).tolist():
        raise InputError("hashes of these files are not those of their choices: nasbench check says which")
    groups = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    return _Children(rows, architectures, groups, len(whole) - len(scored))


def _scale(configs: dict[str, str]) -> Scale:
    """Size of the networks, by the protocol of the first run whose configuration names one."""
    from nasbench.data import image_shape, load_data
    from nasbench.protocols.protocol import get_protocol

    run, text = next(iter(configs.items()))
    protocol = get_protocol(*named_protocol(config_of(text, run)))
    try:
        shape = image_shape(protocol.data)
    except InputError:
        data = load_data(protocol.data)
        shape = (data.size, data.channels, len(data.classes))
    return protocol.scale(*shape)


def _check_counts(rows: pd.DataFrame, counts: IntArray) -> None:
    """Compare the counts of some rows with those of the networks, because replays use the latter."""
    for place in np.linspace(0, len(rows) - 1, min(_CHECKED, len(rows))).astype(int).tolist():
        stated = [int(rows[name].iloc[place]) for name in COUNTS]
        if stated != counts[place].tolist():
            raise InputError(
                f"child {rows['hash'].iloc[place]} has {stated[0]} params and {stated[1]} mult_adds, but a network of "
                f"its protocol has {counts[place, 0]} and {counts[place, 1]}; a surrogate needs counts that can be computed"
            )


def _held_out(model: Fitted, features: FloatArray, values: FloatArray, fold: IntArray, seed: int) -> FloatArray:
    """Predict each value by a model that was fitted without its fold."""
    found = np.empty(len(values))
    for each in np.unique(fold):
        here = fold == each
        found[here] = model(features[~here], values[~here], seed).predict(features[here])
    return found


def _quality(
    predictions: FloatArray, values: FloatArray, fold: IntArray, shown: Callable[[FloatArray], FloatArray] = np.asarray
) -> Quality:
    """Judge held-out predictions; R2 and the error are of the values as `shown` converts them."""
    from scipy.stats import kendalltau

    errors = shown(values) - shown(predictions)
    variance = float(shown(values).var())
    return Quality(
        n=len(values),
        kendall_tau=float(kendalltau(predictions, values).statistic),
        r2=1 - float((errors**2).mean()) / variance if variance else math.nan,
        rmse=float(np.sqrt((errors**2).mean())),
        **calibration(predictions, values, fold),
    )


def _noise(predictions: FloatArray, scores: FloatArray, groups: IntArray, residual: Noise) -> tuple[Noise, int]:
    """The spread between trainings of one architecture where enough have several, else that of the residuals."""
    counts = np.bincount(groups)
    repeated = int((counts > 1).sum())
    if repeated < _REPEATED:
        return residual, repeated
    means = np.bincount(groups, scores) / counts
    several = counts[groups] > 1
    n = counts[groups][several]
    deviations = (scores - means[groups])[several] * np.sqrt(n / (n - 1))
    return fit_noise(predictions[several], deviations), repeated


def _same_platform(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Positions of the rows whose seconds can be compared; those that no platform measured are left out."""
    timed = in_one_go(rows[rows["device_seconds"] > 0])
    if timed.empty:
        raise InputError("no child of these files has a cost in seconds, which replays charge")
    most = of_one_platform(timed)["platform"].mode().iloc[0]
    found: NDArray[np.int64] = np.flatnonzero((rows["platform"] == most) & rows.index.isin(timed.index))
    return found
