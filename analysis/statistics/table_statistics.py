"""Statistics of a complete table: best architectures, spread, and how well cheap numbers predict the ranking."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import require_columns, require_one_count
from nasbench.analysis.statistics.agreement import rank_agreement
from nasbench.errors import InputError
from nasbench.scores import TEST_ACC, VAL_ACC, judged_by
from nasbench.spaces import get_space
from nasbench.spaces.stored_choices import decode_stored
from nasbench.store.format.frames import begins_at_the_start, from_the_start, whole_trainings
from nasbench.tabular.tables import in_one_go, of_one_platform
from nasbench.tabular.trainings import each_once

CHANCE = 0.15
"""Validation accuracy above which seeds are compared by default: below it a network of the digits learned nothing."""
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_SCORES = ("val_acc", "test_acc")
_KEYS = ("hash", "seed", "status", "val_acc", "test_acc", "params", "mult_adds", "device_seconds", "platform")


def trainings(frame: pd.DataFrame) -> pd.DataFrame:
    """Select the children of a table that have scores.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`) of one space, whose validation scores are of one protocol.

    Returns:
        The children of status ok, each training once, without the copies of a cache, and with the seconds of all its parts
        (NaN where a part is not among the rows). Imported tables have a row of stage "search" with a training's
        validation score and one of stage "final" with its test score: the result has the first, with the test accuracy
        of the same hash and seed, which may be that of another protocol, as in NAS-Bench-201.

    Raises:
        InputError: when a column is missing, there are several spaces or protocols, or none has status ok.
    """
    require_columns(frame, (*_KEYS, "space", "fingerprint"), "the table")
    seconds = from_the_start(frame)["device_seconds"].where(begins_at_the_start(frame))
    whole = whole_trainings(frame.assign(device_seconds=seconds))
    ok = whole[whole["status"] == "ok"]
    if ok.empty:
        raise InputError("no child of the table has status ok")
    copied = ("fingerprint", *_SCORES, "device_seconds", "platform")
    rows = _once(each_once(ok, ("stage", *copied))) if "stage" in ok else each_once(ok, copied)
    for column in ("space", "fingerprint"):
        if rows[column].nunique() > 1:
            raise InputError(
                f"these are children of {rows[column].nunique()} values of {column!r}, and a table has one: choose by --where, e.g. "
                f"--where \"{column} == '{rows[column].iloc[0]}'\""
            )
    return rows


def _once(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of stage search with the test accuracies of those of stage final, and final ones of no row of stage search."""
    search, final = rows[rows["stage"] == "search"], rows[rows["stage"] == "final"]
    if search.empty or final.empty:
        return rows
    training = ["hash", "seed"]
    test = final.groupby(training)["test_acc"].mean()
    keys = pd.MultiIndex.from_frame(search[training])
    alone = ~pd.MultiIndex.from_frame(final[training]).isin(keys)
    joined = search.assign(test_acc=test.reindex(keys).to_numpy())
    return pd.concat([joined, final[alone]], ignore_index=True) if alone.any() else joined


def architecture_means(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of each architecture over its seeds.

    Args:
        rows: result of `trainings`.

    Returns:
        hash, seeds (trainings averaged), val_acc and test_acc (means over seeds, fractions), val_sd (deviation between
        seeds, NaN for one), params, mult_adds and device_seconds (mean over the trainings of one platform, those in one go
        where there are any), by descending val_acc.

    Raises:
        InputError: when an architecture has several counts.
    """
    require_one_count(rows, ("params", "mult_adds"))
    groups = each_once(rows, _SCORES).groupby("hash", sort=False)
    means: pd.DataFrame = groups.agg(
        seeds=("seed", "nunique"),
        val_acc=("val_acc", "mean"),
        val_sd=("val_acc", "std"),
        test_acc=("test_acc", "mean"),
        params=("params", "max"),
        mult_adds=("mult_adds", "max"),
    ).reset_index()
    timed = rows[rows["device_seconds"].notna()]
    seconds = of_one_platform(in_one_go(timed if len(timed) else rows)).groupby("hash")["device_seconds"].mean()
    means["device_seconds"] = means["hash"].map(seconds)
    return means.sort_values("val_acc", ascending=False, kind="stable", ignore_index=True)


def platforms(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the trainings per platform.

    Args:
        rows: result of `trainings`.

    Returns:
        One row per platform, the one with the most trainings first: platform, trainings, architectures, device_seconds
        (mean, s).
    """
    groups = rows.groupby("platform")
    found: pd.DataFrame = groups.agg(
        trainings=("hash", "size"), architectures=("hash", "nunique"), device_seconds=("device_seconds", "mean")
    ).reset_index()
    return found.sort_values("trainings", ascending=False, kind="stable", ignore_index=True)


def distribution(means: pd.DataFrame) -> pd.DataFrame:
    """Compute quantiles over architectures.

    Args:
        means: result of `architecture_means`.

    Returns:
        One row per quantile: quantile, val_acc, test_acc, params, mult_adds, device_seconds.
    """
    columns = ["val_acc", "test_acc", "params", "mult_adds", "device_seconds"]
    return means[columns].quantile(list(QUANTILES)).rename_axis("quantile").reset_index()


def oriented_quantiles(quantiles: pd.DataFrame) -> pd.DataFrame:
    """Give quantiles of oriented scores the numbers that they have in the score's own direction.

    Args:
        quantiles: result of `distribution`.

    Returns:
        The same rows: where lower scores are better, the 0.1 quantile of oriented scores is the 0.9 quantile of the score.
        Other columns are left alone.
    """
    if judged_by().sign > 0:
        return quantiles
    turned = quantiles[["val_acc", "test_acc"]][::-1].reset_index(drop=True)
    return quantiles.assign(val_acc=turned["val_acc"], test_acc=turned["test_acc"])


def spread(rows: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """Compare the differences between the best architectures with the noise between seeds.

    Args:
        rows: result of `trainings`.
        means: result of `architecture_means`.

    Returns:
        One row: architectures; seed_noise (deviation of one training's val_acc from its architecture's mean, pooled,
        over all and over the top tenth: seed_noise_top), top_sd and top_range (deviation and range of the top tenth's
        means). Fractions.
    """
    top = means.head(max(2, len(means) // 10))
    in_top = rows[rows["hash"].isin(set(top["hash"]))]
    return pd.DataFrame(
        [
            {
                "architectures": len(means),
                "seed_noise": _noise(rows),
                "seed_noise_top": _noise(in_top),
                "top_sd": float(top["val_acc"].std()),
                "top_range": float(top["val_acc"].max() - top["val_acc"].min()),
            }
        ]
    )


def _noise(rows: pd.DataFrame) -> float:
    """Root of the mean variance between the seeds of an architecture."""
    variances = rows.groupby("hash")["val_acc"].var().dropna()
    return float(np.sqrt(variances.mean())) if len(variances) else float("nan")


def function_classes(rows: pd.DataFrame) -> pd.Series[str]:
    """Group architectures that compute the same function, as far as their space can show it (`Space.function_class`).

    Args:
        rows: result of `trainings`, with the column choices.

    Returns:
        Function class by hash, one entry per architecture.

    Raises:
        InputError: when a column is missing, or the rows belong to an unknown space.
    """
    require_columns(rows, ("hash", "space", "choices"), "the table")
    first = rows.drop_duplicates("hash")
    space = get_space(str(first["space"].iloc[0]))
    classes = [space.function_class(decode_stored(space, choices)) for choices in first["choices"]]
    return pd.Series(classes, index=pd.Index(first["hash"], name="hash"), name="function", dtype=object)


def function_noise(rows: pd.DataFrame, classes: pd.Series[str]) -> pd.DataFrame:
    """Measure how much scores differ between architectures that are the same function: this is noise of training only.

    With the same seed, architectures of `nasbench201` that are the same function start from the same weights and see
    the same batches, so their scores differ by rounding alone. Different seeds add different weights and batches.

    Args:
        rows: result of `trainings`.
        classes: result of `function_classes`.

    Returns:
        One row per comparison: compared, groups (of two scores or more), scores (in them), val_sd and test_sd
        (deviation within a group, pooled over the degrees of freedom), val_range (the largest difference within a
        group). Fractions; NaN without groups. Compared are the seeds of an architecture, over all and over those that
        share their function; and the architectures of a function, trained with the same seed, and by their means over
        seeds.
    """
    rows = rows.assign(function=rows["hash"].map(classes))
    sharing = classes.value_counts()
    shared = rows[rows["function"].isin(sharing.index[sharing > 1])]
    means = shared.groupby(["function", "hash"])[["val_acc", "test_acc"]].mean().reset_index()
    compared = {
        "seeds of one architecture": (rows, ["hash"]),
        "... that shares its function": (shared, ["hash"]),
        "architectures of one function, same seed": (shared, ["function", "seed"]),
        "... means over their seeds": (means, ["function"]),
    }
    return pd.DataFrame([{"compared": name, **_within(*of)} for name, of in compared.items()])


def _within(scores: pd.DataFrame, keys: list[str]) -> dict[str, float]:
    """Pooled deviations within groups: root of the squared distances from group means over the degrees of freedom."""
    groups = scores.groupby(keys)
    several = groups["val_acc"].transform("size") > 1
    scores, count = scores[several], int((groups.size() > 1).sum())
    freedom = len(scores) - count
    groups = scores.groupby(keys)
    found: dict[str, float] = {"groups": count, "scores": len(scores)}
    for score in ("val", "test"):
        values = scores[f"{score}_acc"]
        squares = (values - groups[f"{score}_acc"].transform("mean")).pow(2).sum()
        found[f"{score}_sd"] = float(np.sqrt(squares / freedom)) if freedom else float("nan")
    ranges = groups["val_acc"].max() - groups["val_acc"].min()
    found["val_range"] = float(ranges.max()) if freedom else float("nan")
    return found


def seed_agreement(rows: pd.DataFrame, above: float = 0.0) -> pd.DataFrame:
    """Rank correlation between each pair of seeds.

    Args:
        rows: result of `trainings`.
        above: only architectures whose val_acc is above this fraction with both seeds are used, e.g. chance level.

    Returns:
        One row per pair: score ("val_acc seed 0 against seed 1", or the name of another score), n, spearman, kendall.
    """
    name = judged_by().name(VAL_ACC)
    wide = rows.pivot_table(index="hash", columns="seed", values="val_acc", aggfunc="mean")
    found = []
    for one, other in combinations(wide.columns, 2):
        pair = wide[[one, other]].dropna()
        pair = pair[(pair > above).all(axis=1)].set_axis(["one", "other"], axis=1)
        row = rank_agreement(pair, ["one"], "other")
        found.append(row.assign(score=f"{name} seed {one} against seed {other}"))
    if not found:
        return pd.DataFrame(columns=["score", "n", "spearman", "kendall"])
    return pd.concat(found, ignore_index=True)


def predictors(rows: pd.DataFrame, means: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of cheaper numbers with the mean validation accuracy, or another score in its own direction.

    Args:
        rows: result of `trainings`.
        means: result of `architecture_means`.
        curves: the table's curves (`courses_of`): hash, epoch, val_acc (oriented); with run, stage and index, those of `rows`
            are taken, and the hash may be missing.

    Returns:
        One row per predictor (params, mult_adds, device_seconds, val_acc after each epoch, test_acc, or the names of another
        score): score, n, spearman, kendall. Of a loss of which larger networks have less, that of params is negative.
    """
    own = judged_by()
    early = _curves_of(rows, curves).pivot_table(index="hash", columns="epoch", values=VAL_ACC, aggfunc="mean")
    early.columns = [f"{own.name(VAL_ACC)} after epoch {epoch}" for epoch in early.columns]
    joined = own.shown(means.set_index("hash").join(early), [VAL_ACC, TEST_ACC, *early.columns])
    found = rank_agreement(joined, ["params", "mult_adds", "device_seconds", *early.columns, TEST_ACC])
    return found.assign(score=found["score"].replace({TEST_ACC: own.name(TEST_ACC)}))


def _curves_of(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Select the curves of some children, or of their architectures where a curve does not say of which child it is."""
    keys = ["run", "stage", "index"]
    if "hash" not in curves:
        return curves.merge(rows[[*keys, "hash"]], on=keys)
    if not (set(keys) <= set(curves.columns) and set(keys) <= set(rows.columns)):
        return curves[curves["hash"].isin(set(rows["hash"]))]
    return curves[pd.MultiIndex.from_frame(curves[keys]).isin(pd.MultiIndex.from_frame(rows[keys]))]
