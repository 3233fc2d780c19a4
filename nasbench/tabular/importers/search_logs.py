"""Searches that other programs made, as runs: one child per trial, in the order of the outcomes.

A trial that reported several times, or that was continued on a higher rung of successive halving, is one child with a
curve. Its score is that of the most that any trial of the run was trained: a trial that was stopped before is
"unfinished", because scores after few epochs are not comparable with those after many.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.scores import HIGHER, LOWER
from nasbench.spaces.base import Architecture
from nasbench.store.format.quantities import Quantity
from nasbench.store.format.schema import CURVES, UNKNOWN_SEARCHER
from nasbench.tabular.importers.importer_base import Collector, Group, Order, Search

UNFINISHED: Final = "unfinished"
_CURVES: Final = tuple(curve.name for curve in CURVES)
_MOST_EPOCHS: Final = 5_000  # of a curve with a place for every epoch
_PERCENT: Final = 100.0
_PLAIN: Final = {"val_acc": "val_acc", "val_error": "val_acc", "error": "val_acc", "val_loss": "val_loss"}
_BUDGET: Final = re.compile(
    r"\d+(\.\d+)? *(child|children|(gpu|device)-(seconds|minutes|hours|days)|usd|s|seconds|min|minutes|h|hours)"
)


@dataclass(frozen=True)
class Value:
    """What the values of a search's trials are.

    Args:
        column: "val_acc" or "val_loss"; "" for a quantity.
        quantity: the quantity; None for accuracy and loss.
        slope: factor from a value of the source to one of ours.
        offset: added after that, e.g. 1 where the source has errors.
    """

    column: str = ""
    quantity: Quantity | None = None
    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Value:
        """Read what the values are.

        Args:
            text: "val_acc" or "val_error" (1 - accuracy), with a "%" after it for percent; "val_loss"; or
                "NAME:UNIT:DIRECTION" for a quantity, see `Quantity.parse`.

        Returns:
            The meaning.

        Raises:
            InputError: for another text.
        """
        name = text.strip()
        percent = name.endswith("%") and ":" not in name
        name = name.removesuffix("%").strip() if percent else name
        if name in _PLAIN and not (percent and name == "val_loss"):
            slope = 1.0 / _PERCENT if percent else 1.0
            return cls(_PLAIN[name], None, -slope, 1.0) if name.endswith("error") else cls(_PLAIN[name], None, slope)
        if ":" not in name:
            raise InputError(
                f"--value {text[:60]!r}: what the trials' values are is val_acc, val_error, val_loss, with % after the first "
                "two for percent, or a quantity NAME:UNIT:DIRECTION, e.g. val_ssim::higher"
            )
        return cls("", Quantity.parse(name))

    def of(self, value: float) -> float:
        """Convert a value of the source.

        Args:
            value: as the source has it.

        Returns:
            The score.
        """
        return value * self.slope + self.offset

    @property
    def direction(self) -> str:
        """Direction of the source's values that are better."""
        own = self.quantity.direction if self.quantity else LOWER if self.column == "val_loss" else HIGHER
        return own if self.slope > 0 else LOWER if own == HIGHER else HIGHER


@dataclass
class Trial:
    """One trial of a search.

    Args:
        number: place among the proposals of its search; others may be missing.
        architecture: what was trained.
        status: see `schema.STATUSES`.
        error: message of a trial that did not end well.
        value: value at the end, of the source; NaN for none.
        reports: resource (epochs, usually) -> value of the source then.
        seconds: device-seconds; NaN if unknown.
        started: seconds since 1970; NaN if unknown.
        finished: likewise.
        columns: further columns of children.
        measured: further quantities.
        curves: all curves of the schema, one value per epoch, where the source has them; None to make them of the reports.
    """

    number: int
    architecture: Architecture
    status: str = "ok"
    error: str = ""
    value: float = math.nan
    reports: dict[float, float] = field(default_factory=dict)
    seconds: float = math.nan
    started: float = math.nan
    finished: float = math.nan
    columns: dict[str, Any] = field(default_factory=dict)
    measured: dict[Quantity, float] = field(default_factory=dict)
    curves: dict[str, list[float]] | None = None

    @property
    def reached(self) -> float:
        """The most that it was trained, in the unit of its reports; NaN without reports."""
        return max(self.reports, default=math.nan)


@dataclass
class SearchLog:
    """One search.

    Args:
        strategy: name of the strategy.
        seed: its seed, -1 if unknown.
        name: its name in the source.
        trials: its trials, in any order.
        budget: as `nasbench run` takes it; "" if unknown.
        about: what else the source says.
    """

    strategy: str
    seed: int
    name: str
    trials: list[Trial]
    budget: str = ""
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """What the source does not say of its searches.

    Args:
        protocol: name of the protocol.
        data: name of the data set.
        value: what the trials' values are.
        notes: remarks for the run's configuration.
        any_fidelity: whether a trial that was stopped early counts by its last value.
        epochs: epochs of every training, where they are stated.
    """

    protocol: str
    data: str
    value: Value
    notes: str
    any_fidelity: bool = False
    epochs: int | None = None


def check_budget(text: str) -> str:
    """Check a budget that a source or a user states.

    Args:
        text: e.g. "100 children"; "" for none.

    Returns:
        The text.

    Raises:
        InputError: when no run can have it.
    """
    if text and not _BUDGET.fullmatch(text.strip().lower()):
        raise InputError(
            f"budget {text[:60]!r}: a number with children, gpu-hours, device-seconds, usd, s, min or h, e.g. 100 children"
        )
    return text.strip()


def add_search(collector: Collector, log: SearchLog, setting: Setting) -> list[str]:
    """Add the trials of a search as the children of one run.

    Args:
        collector: collects them.
        log: the search.
        setting: what the source does not say.

    Returns:
        Remarks, one sentence each.

    Raises:
        InputError: when a value does not fit; the message names the trial.
    """
    trials = sorted(log.trials, key=lambda trial: trial.number)
    places = {id(trial): place for place, trial in enumerate(trials)}
    most = max((trial.reached for trial in trials if trial.reports), default=math.nan)
    ordered, timed = _by_outcome(trials)
    charged = all(not math.isnan(trial.seconds) for trial in trials)
    at_once = _most_at_once(trials)
    about = {**log.about, "not_known": _unknown(charged, at_once)}
    if at_once:
        about["children_at_once"] = at_once
    search = Search(
        log.strategy, log.seed, log.name, check_budget(log.budget), charged, json.dumps(about, sort_keys=True)
    )
    value = setting.value
    group = Group(
        trials[0].architecture.space.spec,
        setting.protocol,
        setting.data,
        setting.notes,
        setting.epochs,
        score=value.quantity,
        search=search,
        options=json.dumps(log.about["options"]) if log.about.get("options") else "",
    )
    begin = min((trial.started for trial in trials if not math.isnan(trial.started)), default=math.nan)
    starts = sorted(trial.started for trial in trials if not math.isnan(trial.started))
    stopped = 0
    for told, trial in enumerate(ordered):
        early = trial.status == "ok" and bool(trial.reports) and trial.reached < most and not setting.any_fidelity
        stopped += early
        if early:
            trial.status = UNFINISHED
            trial.error = trial.error or f"stopped at {trial.reached:g}, the most is {most:g}"
        asked = _asked(starts, len(trials), trial) if timed else max(places[id(trial)], told) + 1
        _add(collector, group, trial, value, Order(places[id(trial)], asked), begin)
    if not stopped:
        return []
    return [
        f"{stopped:,} of {len(trials):,} trials of {log.strategy} ended before the most that one was trained ({most:g}), and "
        "are unfinished; --any-fidelity lets their last values count"
    ]


def _add(collector: Collector, group: Group, trial: Trial, value: Value, order: Order, begin: float) -> None:
    reports = sorted(trial.reports.items())
    ended = trial.value if not math.isnan(trial.value) else reports[-1][1] if reports else math.nan
    score = value.of(ended) if trial.status == "ok" else math.nan
    scores: dict[str, Any] = {**trial.columns, "status": trial.status, "error": trial.error}
    if trial.status == "ok" and math.isnan(score) and not any(name.startswith("test_") for name in trial.columns):
        scores |= {"status": "failed", "error": trial.error or "the source has no value of it"}
    if not math.isnan(trial.seconds):
        scores["device_seconds"] = trial.seconds
    for name, moment in (("started_at", trial.started), ("finished_at", trial.finished)):
        if not math.isnan(moment):
            scores[name] = iso_time(moment)
    if not math.isnan(trial.finished) and not math.isnan(begin):
        scores.setdefault("wall_seconds", max(0.0, trial.finished - begin))
    places, epochs = _epochs([resource for resource, _ in reports])
    course = [math.nan] * epochs
    for place, (_, each) in zip(places, reports):
        course[place] = value.of(each)
    curves = trial.curves
    measured = dict(trial.measured)
    if epochs and curves is None:
        scores.setdefault("epochs", epochs)
    if value.quantity is not None:
        if scores["status"] == "ok":
            measured[value.quantity] = score
    elif not math.isnan(score):
        scores[value.column] = score
    if curves is None and value.column and epochs and scores.get("epochs") == epochs:
        if not math.isnan(score) and course[-1] != score:
            course[-1] = math.nan  # what the trial returned is not its last report; a curve ends with the score
        curves = {name: [math.nan] * epochs for name in _CURVES} | {value.column: course}
        known = [each for each in course if not math.isnan(each)]
        if value.column == "val_acc" and known and scores["status"] == "ok":
            scores["val_acc_best"] = max(known)
    try:
        collector.child(group, trial.architecture, scores, curves, measured=measured, score_curve=course, order=order)
    except InputError as error:
        raise InputError(f"trial {trial.number}: {error}") from None


def _epochs(resources: Sequence[float]) -> tuple[list[int], int]:
    """Places of reports in a curve that has one for every epoch, and its length; one place a report if that cannot be."""
    whole = all(resource.is_integer() for resource in resources)
    first = 0 if resources and resources[0] == 0 else 1
    if whole and resources and first <= resources[0] and resources[-1] - first < _MOST_EPOCHS:
        return [int(resource) - first for resource in resources], int(resources[-1]) - first + 1
    return list(range(len(resources))), len(resources)


def _by_outcome(trials: Sequence[Trial]) -> tuple[list[Trial], bool]:
    """Trials in the order in which their outcomes came; that of their numbers where some times are unknown."""
    timed = all(not math.isnan(trial.finished) for trial in trials)
    return (sorted(trials, key=lambda trial: trial.finished) if timed else list(trials)), timed


def _asked(starts: Sequence[float], count: int, trial: Trial) -> int:
    """Number of trials that were proposed before the outcome of one; those without a beginning are among them."""
    return max(1, count - len(starts) + bisect_left(starts, trial.finished))


def _most_at_once(trials: Sequence[Trial]) -> int:
    """The most trials that ran at one moment; 0 if a time is unknown."""
    if any(math.isnan(trial.started) or math.isnan(trial.finished) for trial in trials):
        return 0
    # An end comes before a beginning at the same moment.
    moments = sorted([(trial.started, 1) for trial in trials] + [(trial.finished, -1) for trial in trials])
    running, most = 0, 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return max(most, 1)


def _unknown(charged: bool, at_once: int) -> list[str]:
    """What a comparison needs and the log does not have."""
    lacking = [] if charged else ["what children cost"]
    lacking += [] if at_once else ["how many children were in training at once"]
    return [*lacking, UNKNOWN_SEARCHER]


def iso_time(moment: float) -> str:
    """Write a time as rows have it.

    Args:
        moment: seconds since 1970.

    Returns:
        UTC, ISO 8601.
    """
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str | float | None) -> float:
    """Read a time.

    Args:
        text: seconds since 1970, or ISO 8601; without a zone it is UTC. None and "" for none.

    Returns:
        Seconds since 1970; NaN for none.

    Raises:
        InputError: for another text.
    """
    if text is None or text == "":
        return math.nan
    if isinstance(text, int | float):
        return float(text)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise InputError(f"a time is seconds since 1970 or ISO 8601, got {text[:60]!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def strategies_of(logs: Sequence[SearchLog]) -> Mapping[str, int]:
    """Count the searches of each strategy.

    Args:
        logs: searches.

    Returns:
        Strategy -> number of searches.
    """
    return {name: sum(log.strategy == name for log in logs) for name in dict.fromkeys(log.strategy for log in logs)}
