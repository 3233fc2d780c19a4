"""Verification: train rows of a results file again, and compare the results."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.kernels.platform import (
    is_coarse,
    is_portable,
    platform_here,
    platform_parts,
    portable_promise,
    promises_bits,
)
from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.protocols.stored import config_of, named_protocol
from nasbench.spaces import Space, get_space
from nasbench.spaces.stored_choices import decode_stored
from nasbench.store.format.schema import REPEATABLE_STATUSES
from nasbench.store.query import Results, Row
from nasbench.training.determinism import operations_in
from nasbench.training.evaluation import Child, Evaluation

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["bits", "tolerance"]

ACCURACY_TOLERANCE: Final = 0.15
"""Smallest tolerance between the accuracies of two platforms. A training of a few epochs amplifies differences in the
last bit: changing only the memory format moved the validation accuracy of 12 random networks of nasnet:blocks=2, with
the protocol digits, by 0.001 to 0.11."""

_NOISE_DEVIATIONS: Final = 4.0
_NOISE_FREEDOM: Final = 30  # degrees of freedom needed to estimate the deviation between seeds from a file

_EXACT: Final = ("status", "epochs", "params", "mult_adds")
_ACCURACIES: Final = ("val_acc", "val_acc_best", "train_acc", "test_acc")
_LOSSES: Final = ("val_loss", "train_loss", "test_loss")
_CURVES: Final = ("train_loss", "train_acc", "val_loss", "val_acc")


@dataclass(frozen=True)
class Difference:
    """A stored value that a new training did not reproduce.

    Args:
        column: column of the row, or "curve NAME".
        stored: value in the file.
        trained: value of the new training.
    """

    column: str
    stored: object
    trained: object

    def __str__(self) -> str:
        return f"{self.column} {self.stored!r}, trained again {self.trained!r}"


@dataclass(frozen=True)
class RowCheck:
    """Comparison of a row with a new training of it.

    Args:
        row: the stored row.
        rule: "bits" if everything that decides the bits is known and unchanged, otherwise "tolerance".
        elsewhere: differences between the row's platform and this one; empty for the rule "bits".
        differences: the values that do not agree by this rule.
        largest: largest difference between two accuracies, in [0, 1]; inf if only one of them is known.
        unrepeatable: operations without a deterministic implementation that the row or the new training notes. If there
            are any, the rule is "tolerance" even on the same platform.
    """

    row: Row
    rule: Rule
    elsewhere: tuple[str, ...]
    differences: tuple[Difference, ...]
    largest: float
    unrepeatable: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True if the new training gave the stored values."""
        return not self.differences


@dataclass(frozen=True)
class RowSample:
    """Rows drawn to be trained again.

    Args:
        rows: the drawn rows, in commit order.
        eligible: number of rows from which they were drawn.
        passed_over: reason -> number of rows that could not be drawn.
    """

    rows: Sequence[Row]
    eligible: int
    passed_over: Mapping[str, int]


def draw_sample(results: Results, size: int, seed: int, any_platform: bool = False) -> RowSample:
    """Draw rows to train again, uniformly and without replacement.

    If the files have rows of this platform, whose new training must agree to the bit, only these are drawn. Rows with
    the status "out_of_memory", "timed_out" or "failed" are never drawn, because they may end differently on another
    machine; nor are imported rows, which were not trained by this suite.

    Args:
        results: opened results files.
        size: number of rows, >= 1; all eligible ones if there are fewer.
        seed: seed of the draw, >= 0.
        any_platform: True to draw rows of other platforms, too.

    Returns:
        The sample.

    Raises:
        InputError: when size or seed is out of range, or no row can be trained again.
    """
    if size < 1 or seed < 0:
        raise InputError(f"verify: --sample is at least 1 and --seed at least 0, got {size} and {seed}")
    protocols = {
        run: get_protocol(*named_protocol(config)) for run, config in _configs(results).items() if "protocol" in config
    }
    frame = results.frame(["run", "status", "platform"])
    determined, ours = frame["status"].isin(REPEATABLE_STATUSES), frame["run"].isin(list(protocols))
    here = frame["platform"].map(promises_bits).astype(bool) & _of_this_platform(frame, protocols)
    passed_over = {str(why): int(count) for why, count in frame.loc[~determined, "status"].value_counts().items()}
    if foreign := int((determined & ~ours).sum()):
        passed_over["not trained by this suite"] = foreign
    drawable = determined & ours
    if not any_platform and (drawable & here).any():
        for platform, count in frame.loc[drawable & ~here, "platform"].value_counts().items():
            passed_over[f"trained on {platform or 'an unknown platform'}"] = int(count)
        drawable &= here
    eligible = np.flatnonzero(drawable)
    if not len(eligible):
        said = ", ".join(f"{count} {why}" for why, count in passed_over.items()) or "it has no rows"
        raise InputError(f"{', '.join(results.files)}: no row can be trained again ({said})")
    chosen = np.sort(np.random.default_rng(seed).choice(eligible, size=min(size, len(eligible)), replace=False))
    places = frame.groupby("run").cumcount()  # index of each row within its run; children_of has the same order
    rows = {run: results.children_of(run) for run in dict.fromkeys(frame["run"].iloc[chosen])}
    drawn = [rows[frame["run"].iloc[at]][int(places.iloc[at])] for at in chosen.tolist()]
    return RowSample(drawn, len(eligible), passed_over)


def check_rows(
    results: Results, rows: Sequence[Row], device: str | None = None, tolerance: float | None = None
) -> Iterator[RowCheck]:
    """Train rows again one after the other and compare; several rows of the same training are trained once.

    A row whose hash is not that of its choices, or whose charge is not that of its seconds, does not agree either.
    By the rule "bits", on the same platform (`nasbench.kernels.platform`) and device, everything except times and
    memory must be equal to the bit: status, epochs, counts, scores and curves. By the rule "tolerance", status, epochs
    and counts must be equal and accuracies within the tolerance; losses are not compared. "tolerance" holds on another
    platform, if the row's platform is unknown or incomplete, and if an operation was not deterministic.

    Args:
        results: the files with the rows.
        rows: rows from `draw_sample`.
        device: "cpu", "cuda" or "cuda:1"; None for the kind of device that trained the row.
        tolerance: largest difference between two accuracies by the rule "tolerance", in [0, 1]; None for
            `default_tolerance`.

    Yields:
        One comparison per row, as soon as it is made.

    Raises:
        InputError: when the tolerance is out of range, the device does not exist, or the protocol or its data has
            changed since the row was stored.
        MissingData: when the files of the data set are missing.
        DeviceFault: when a CUDA device fails its self-test.
    """
    from nasbench.training.evaluate import device_name, evaluate, resolve_device

    limit = default_tolerance(results) if tolerance is None else tolerance
    if not 0 <= limit <= 1:
        raise InputError(f"verify: --tolerance is a difference of accuracies between 0 and 1, got {limit:g}")
    configs = _configs(results)
    trained: dict[tuple[object, ...], Evaluation] = {}
    for row in rows:
        place = device or ("cpu" if row["device"] == "cpu" else "cuda")
        protocol, space = stored_protocol(row, configs[row["run"]])
        key = (row["space"], row["choices"], row["fingerprint"], row["seed"], row["stage"], row["stop_epoch"], place)
        if key not in trained:
            architecture = decode_stored(space, row["choices"])
            test = row["stage"] == "final"
            child = Child(architecture, protocol, row["seed"], test=test, epochs=row["stop_epoch"])
            trained[key] = evaluate(child, place)
        elsewhere = _elsewhere(row, device_name(resolve_device(place)), trained[key].platform, protocol.optimizer)
        check = compare(row, trained[key], elsewhere, limit)
        contradicted = contradictions(row, decode_stored(space, row["choices"]).hash)
        yield replace(check, differences=(*check.differences, *contradicted))


def contradictions(row: Row, digest: str) -> tuple[Difference, ...]:
    """Compare what a row states with its own choices, seconds and devices. No training is needed for it.

    Args:
        row: the stored row.
        digest: hash of the architecture that the row's choices decode to.

    Returns:
        The stored values that others contradict: hash, device_seconds, gpu_hours.
    """
    seconds = (row["train_seconds"] + row["eval_seconds"] + row["setup_seconds"]) * row["devices"]
    pairs = [("hash", row["hash"], digest), ("device_seconds", row["device_seconds"], seconds)]
    again = row["continues"] and not row["from_epoch"]  # its first epochs were charged to the child that it continues
    charged_less = again and row["gpu_hours"] <= row["device_seconds"] / 3600.0
    if row["gpu_hours"] and not row["cached_from"] and not charged_less:  # cached and duplicate children may be free
        pairs.append(("gpu_hours", row["gpu_hours"], row["device_seconds"] / 3600.0))
    return tuple(
        Difference(name, stored, found)
        for name, stored, found in pairs
        if not (stored == found or (name != "hash" and math.isclose(stored, found, rel_tol=1e-6, abs_tol=1e-9)))
    )


def default_tolerance(results: Results) -> float:
    """Return the tolerance between accuracies of different platforms; a platform changes scores as a seed does.

    Args:
        results: opened results files.

    Returns:
        Four standard deviations of the difference between two trainings of an architecture with different seeds,
        estimated from the files' validation accuracies, but at least `ACCURACY_TOLERANCE` and at most 1. With fewer
        than 30 degrees of freedom in the files, `ACCURACY_TOLERANCE`.
    """
    frame = results.frame(["fingerprint", "hash", "seed", "status", "val_acc", "stop_epoch"])
    ended = frame[(frame["status"] == "ok") & (frame["stop_epoch"] == 0)].drop_duplicates(
        ["fingerprint", "hash", "seed"]
    )
    groups = ended.groupby(["fingerprint", "hash"], sort=False)["val_acc"]
    freedom = groups.size() - 1
    if freedom.sum() < _NOISE_FREEDOM:
        return ACCURACY_TOLERANCE
    variance = float((groups.var() * freedom).sum() / freedom.sum())
    return min(1.0, max(ACCURACY_TOLERANCE, _NOISE_DEVIATIONS * math.sqrt(2 * variance)))


def compare(row: Row, evaluation: Evaluation, elsewhere: tuple[str, ...], tolerance: float) -> RowCheck:
    """Compare a stored row with a new training of it.

    Args:
        row: the stored row.
        evaluation: result of the new training.
        elsewhere: differences between the row's platform and this one.
        tolerance: largest difference between two accuracies if `elsewhere` is not empty, or if one of the trainings
            notes an operation that is not deterministic; in [0, 1].

    Returns:
        The comparison.
    """
    unrepeatable = tuple(
        filter(None, dict.fromkeys(operations_in(error) for error in (row["error"], evaluation.error)))
    )
    loose = bool(elsewhere or unrepeatable)
    pairs = [(name, row[name], getattr(evaluation, name)) for name in (*_EXACT, *_ACCURACIES, *_LOSSES)]
    largest = max((_distance(a, b) for name, a, b in pairs if name in _ACCURACIES), default=0.0)
    if loose:
        judged = [
            (name, a, b, a == b if name in _EXACT else _distance(a, b) <= tolerance)
            for name, a, b in pairs
            if name not in _LOSSES
        ]
    else:
        pairs += [(f"curve {name}", row["curves"][name], tuple(evaluation.curves.get(name, ()))) for name in _CURVES]
        judged = [(name, a, b, _bits(a) == _bits(b)) for name, a, b in pairs]
    differences = tuple(Difference(name, a, b) for name, a, b, same in judged if not same)
    return RowCheck(row, "tolerance" if loose else "bits", elsewhere, differences, largest, unrepeatable)


def _configs(results: Results) -> dict[str, dict[str, Any]]:
    """Return the stored configuration of each run, by run id."""
    runs = results.runs()
    return {run: config_of(text, run) for run, text in zip(runs["run"], runs["config"])}


def stored_protocol(row: Row, config: Mapping[str, Any]) -> tuple[Protocol, Space]:
    """Return the protocol and the space of a row; the space builds the networks of the row's version.

    Args:
        row: the stored row.
        config: configuration of its run.

    Returns:
        The protocol, and the space.

    Raises:
        InputError: when no version of the space gives the row's fingerprint, because the protocol or its data changed.
    """
    name, changes = named_protocol(config)
    protocol, digest = _resolved(name, json.dumps(changes))
    space = get_space(row["space"])
    for version in range(space.network_version, 0, -1):
        if protocol.fingerprint(digest, version) == row["fingerprint"]:
            return protocol, space.with_networks(version)
    raise InputError(
        f"{row.file}: run {row['run']} was trained with protocol {row['protocol']!r} of fingerprint "
        f"{row['fingerprint']}, but here it "
        f"has {protocol.fingerprint(digest, space.network_version)}: the protocol or its data changed; verify with the "
        "version "
        "and data that made the file"
    )


def _resolved(name: str, changes: str) -> tuple[Protocol, str]:
    """Return a protocol and the digest of its data; `changes` is JSON."""
    from nasbench.data import load_data
    from nasbench.data.fitting import fitted

    protocol = _protocol(name, changes)
    data = load_data(protocol.data)  # not kept here: `provide_data` may give others under the same text
    return fitted(protocol, data), data.digest


@lru_cache(maxsize=16)
def _protocol(name: str, changes: str) -> Protocol:
    return get_protocol(name, json.loads(changes))


def _of_this_platform(frame: pd.DataFrame, protocols: Mapping[str, Protocol]) -> NDArray[np.bool_]:
    """Return which rows (run, platform) were trained on a platform that promises the bits of this machine's."""
    here = {run: platform_here(each.kernels, each.threads) for run, each in protocols.items()}
    same = {
        (run, line): run in here
        and _promised(line, protocols[run].optimizer) == _promised(here[run], protocols[run].optimizer)
        for run, line in frame[["run", "platform"]].drop_duplicates().itertuples(index=False)
    }
    return np.array([same[key] for key in zip(frame["run"], frame["platform"])], dtype=bool)


def _promised(platform: str, optimizer: str) -> str:
    """Return the part of a platform that must be equal for equal bits."""
    return portable_promise(platform, optimizer) if is_portable(platform) else platform


def _elsewhere(row: Row, device: str, platform: str, optimizer: str) -> tuple[str, ...]:
    """Return everything that decides the last bits and has changed since the row was stored, or is unknown.

    Args:
        row: the stored row.
        device: name of the device of the new training.
        platform: platform of the new training.
        optimizer: optimizer of its protocol.
    """
    there = row["platform"]
    if is_portable(there) and _promised(there, optimizer) == _promised(platform, optimizer):
        from nasbench.training.golden import golden_here

        return (
            () if golden_here() else ("golden trainings do not give their bits on this machine (see nasbench doctor)",)
        )
    then = {"device": row["device"], **platform_parts(row["platform"])}
    now = {"device": device, **platform_parts(platform)}
    if is_portable(row["platform"]) != is_portable(platform):
        kinds = {True: "portable", False: "fast"}
        return (f"kernels {kinds[is_portable(row['platform'])]}, here {kinds[is_portable(platform)]}",)
    if is_coarse(row["platform"]):
        # These name releases without their build, e.g. 2.14.1 for 2.14.1+cu130.
        names = [name for name in then if name != "processor" and then[name] != now.get(name, "").split("+")[0]]
        brand = f"({then['processor']!r} names a brand, whose processors differ in their bits)"
        return (f"processor unknown {brand}, here {now['processor']}", *_differences(names, then, now))
    # "on" is the processor of portable kernels, which is stored because of the times and changes no bit.
    names = [name for name in {**now, **then} if then.get(name) != now.get(name) and name != "on"]
    if not names and not promises_bits(platform):
        return (f"{now.get('processor', 'unknown processor')}: different processors may be called so",)
    return _differences(names, then, now)


def _differences(names: Sequence[str], then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name} {then.get(name) or 'unknown'}, here {now.get(name) or 'not set'}" for name in names)


def _distance(a: float, b: float) -> float:
    """Return the absolute difference; inf if only one of the numbers is known, 0 if none is."""
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    return abs(a - b)


def _bits(value: Any) -> Any:
    """Return a value to compare bits with: NaN is equal to NaN, and 0.0 is not equal to -0.0."""
    if isinstance(value, tuple):
        return tuple(_bits(item) for item in value)
    if isinstance(value, float):
        return b"nan" if math.isnan(value) else struct.pack("<d", value)
    return value
