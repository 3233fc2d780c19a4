"""Children as an analysis sees them that judges runs by another score than accuracy.

The columns val_acc and test_acc of such children hold the oriented score (`nasbench.scores`), so that every analysis
works on it. Where a run says in its configuration what it was judged by, as imports of other tasks do, that is the score.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError
from nasbench.scores import ACCURACY, HIGHER, TEST, TEST_ACC, VAL, VAL_ACC, Score
from nasbench.store.format.columns import Numbers
from nasbench.store.format.quantities import CONDITIONS, COURSE, Quantity
from nasbench.store.format.schema import TABLE
from nasbench.store.measured import Wanted, choose, matching, not_measured
from nasbench.texts import json_object

if TYPE_CHECKING:
    import pandas as pd

LOSS: Final = Score("val_loss", "test_loss", "nats", "lower")
_LOSSES: Final = ("val_loss", "test_loss")
_WAY: Final = (*CONDITIONS, "scale", "unit", "direction")


def stated_score(config: str) -> Score | None:
    """Read from a run's configuration what it was judged by.

    Args:
        config: the run's stored configuration, JSON.

    Returns:
        The score; None for accuracy.
    """
    if '"score"' not in config:
        return None
    fields = json_object(config).get("score")
    if not isinstance(fields, dict) or not isinstance(fields.get("name"), str):
        return None
    if fields["name"] in _LOSSES:
        return LOSS
    unit, direction = str(fields.get("unit", "")), str(fields.get("direction", HIGHER))
    return Quantity(fields["name"], unit, direction).as_score


def score_of_runs(configs: Iterable[str]) -> Score | None:
    """Find the score by which all runs were judged.

    Args:
        configs: their stored configurations, JSON.

    Returns:
        The score; None without runs.

    Raises:
        InputError: when they were judged by several.
    """
    found = dict.fromkeys(stated_score(config) or ACCURACY for config in dict.fromkeys(map(str, configs)))
    if len(found) > 1:
        raise InputError(
            f"these runs are judged by different scores: {', '.join(each.val for each in found)}; select runs of one by "
            "--where, e.g. by protocol or data, or name one that all of them have by --score"
        )
    return next(iter(found), None)


def measure_of(name: str) -> str:
    """Part of the data that a score's name means.

    Args:
        name: e.g. "val_acc", "test_ssim" or "latency".

    Returns:
        "test_acc" for a name that begins with "test_", else "val_acc".
    """
    return TEST_ACC if name.startswith(TEST) else VAL_ACC


def judge(
    frame: pd.DataFrame, runs: pd.DataFrame, measurements: pd.DataFrame, name: str = VAL_ACC
) -> tuple[pd.DataFrame, Score]:
    """Put the score by which runs are judged in the place of their accuracies.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.
        name: "val_acc" and "test_acc" for the score that the runs state, which is accuracy usually; "val_loss" and
            "test_loss", or a measured quantity, with conditions in brackets where it was measured in several ways.

    Returns:
        The children, whose columns val_acc and test_acc are the oriented validation and test score, and the score. They
        are unchanged if it is accuracy.

    Raises:
        InputError: when the runs are judged by different scores, or the quantity was measured in several ways.
        UnknownName: when the quantity was not measured.
    """
    if name in (VAL_ACC, TEST_ACC):
        score = score_of_runs(runs["config"]) or ACCURACY
        return (frame, score) if score.is_accuracy else (_judged(frame, runs, measurements, score, ""), score)
    if name in _LOSSES:
        return _judged(frame, runs, measurements, LOSS, ""), LOSS
    score = score_of_quantity(measurements, Wanted.parse(name).quantity)
    judged = _judged(frame, runs, measurements, score, name)
    if measure_of(name) == TEST_ACC and judged[VAL_ACC].isna().all():  # searched by another score, reported by this one
        searched = judge(frame, runs, measurements)[0][VAL_ACC]
        return judged.assign(**{VAL_ACC: searched}), replace(score, test_only=True)
    return judged, score


def require_both_parts(score: Score) -> None:
    """Refuse a score of the test part alone where both parts are shown.

    Args:
        score: the score by which runs are judged.

    Raises:
        InputError: when the searches were judged by another score.
    """
    if score.test_only:
        raise InputError(
            f"these searches were judged by another score than {score.test}, and both would be shown: leave --score out, or "
            f"take ranks, regret, targets or compare --test with --score {score.test}"
        )


def score_of_quantity(measurements: pd.DataFrame, quantity: str) -> Score:
    """Find unit and direction of a quantity, and its counterpart on the other part of the data.

    Args:
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.
        quantity: its name, of either part.

    Returns:
        The score.

    Raises:
        InputError: when it was measured in several units or directions.
        UnknownName: when it was not measured.
    """
    names = sorted(set(measurements["quantity"].astype(str)))
    if quantity not in names:
        raise not_measured(quantity, names)
    kinds = measurements.loc[measurements["quantity"] == quantity, ["unit", "direction"]].drop_duplicates()
    if len(kinds) > 1:
        said = "; ".join(f"{unit or 'no unit'}, {direction}" for unit, direction in kinds.to_numpy().tolist())
        raise InputError(f"{quantity} was measured in several units or directions ({said}), which are not compared")
    unit, direction = kinds.iloc[0].tolist()
    return Quantity(quantity, str(unit), str(direction)).as_score


def _judged(
    frame: pd.DataFrame, runs: pd.DataFrame, measurements: pd.DataFrame, score: Score, name: str
) -> pd.DataFrame:
    import numpy as np

    finals = (frame["stage"] == "final").to_numpy()
    ok = (frame["status"] == "ok").to_numpy()
    own = {run for run, config in zip(runs["run"], runs["config"]) if stated_score(str(config)) == score}
    values: dict[str, Numbers] = {VAL_ACC: np.full(len(frame), np.nan), TEST_ACC: np.full(len(frame), np.nan)}
    for measure, rows in ((VAL_ACC, ~finals | (frame["strategy"] == TABLE).to_numpy()), (TEST_ACC, finals)):
        of_part = score.test if measure == TEST_ACC else score.val
        if not of_part:
            continue
        if of_part in _LOSSES:
            found = score.sign * frame[of_part].to_numpy(dtype=float)
        else:
            found = score.sign * _measured(frame, measurements, of_part, name)
        values[measure] = np.where(ok & rows, found, np.nan)
    if own:
        rewarded = ok & ~finals & frame["run"].isin(own).to_numpy()
        values[VAL_ACC] = np.where(rewarded, frame["reward"].to_numpy(dtype=float), values[VAL_ACC])
    judged = frame.assign(**values)
    judged.attrs = dict(frame.attrs)
    return judged


def _measured(frame: pd.DataFrame, measurements: pd.DataFrame, quantity: str, name: str) -> Any:
    """Values of a measured quantity for each child; NaN where there is none."""
    import numpy as np

    conditions = name.partition("[")[2]
    wanted = f"{quantity}[{conditions}" if conditions else quantity
    rows = measurements[measurements["quantity"] == quantity]
    if rows.empty:
        return np.full(len(frame), np.nan)
    if not quantity.startswith((VAL, TEST)):
        return frame["hash"].astype(str).map(choose(measurements, wanted).values).to_numpy(dtype=float)
    return values_of_trainings(frame, matching(rows, Wanted.parse(wanted)))


def values_of_trainings(frame: pd.DataFrame, rows: pd.DataFrame) -> Any:
    """Join measured scores to the trainings that have them.

    Args:
        frame: children with hash, fingerprint and seed.
        rows: measurements of one quantity.

    Returns:
        One float per child: that of its architecture, fingerprint and training seed, the latest by `measured_at`, or the
        mean of several that are as late (imports do not know when); else the mean over the seeds that were measured; NaN
        without any.

    Raises:
        InputError: when the rows were measured in several ways.
    """
    ways = rows.drop_duplicates(list(_WAY))
    if len(ways) > 1:
        choose(rows.assign(fingerprint=""), str(rows["quantity"].iloc[0]))  # raises, and lists the ways
    keys = ["hash", "fingerprint", "seed"]
    times = rows["measured_at"].astype(str)
    last = times.groupby([rows[name].astype(str) for name in keys]).transform("max")
    latest = rows[times == last].groupby(keys, observed=True, sort=False)["value"].mean().reset_index()
    plain = frame[keys].astype({"hash": str, "fingerprint": str, "seed": int})
    exact = plain.merge(latest.astype({"hash": str, "fingerprint": str})[[*keys, "value"]], on=keys, how="left")[
        "value"
    ]
    means = latest.groupby(["hash", "fingerprint"], observed=True)["value"].mean().rename("mean").reset_index()
    means = means.astype({"hash": str, "fingerprint": str})
    mean = plain.merge(means, on=["hash", "fingerprint"], how="left")["mean"]
    return exact.fillna(mean).to_numpy(dtype=float)


def courses_of(curves: pd.DataFrame, measurements: pd.DataFrame, score: Score) -> pd.DataFrame:
    """Choose the courses of a score over the epochs of each child, as `learning_curves` takes them.

    Args:
        curves: one row per epoch, from `Results.all_curves`.
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.
        score: the score.

    Returns:
        Rows with run, stage, index, epoch and val_acc (the oriented score).
    """
    if score.is_accuracy:
        return curves
    return curves.assign(val_acc=-curves["val_loss"]) if score == LOSS else score_curves(measurements, score)


def score_curves(measurements: pd.DataFrame, score: Score) -> pd.DataFrame:
    """Read the courses of a score over the reports of each training, which imported searches may have.

    Args:
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.
        score: the score.

    Returns:
        run, stage, index, epoch (from 1) and val_acc (the oriented score), one row per report.
    """
    import pandas as pd

    rows = []
    for text in measurements.loc[measurements["quantity"].isin([score.val, score.val + COURSE]), "details"].astype(str):
        details = json.loads(text) if '"curve"' in text else {}
        run, _, index = str(details.get("child", "")).partition("/")
        if not index.isdecimal():
            continue
        for epoch, value in enumerate(details["curve"], start=1):
            oriented = float("nan") if value is None else score.sign * float(value)
            rows.append((run, "search", int(index), epoch, oriented))
    return pd.DataFrame(rows, columns=["run", "stage", "index", "epoch", VAL_ACC])
