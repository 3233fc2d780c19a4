"""Submissions: runs on a suite with what a reader needs to judge them, and their check by replaying a sample."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from nasbench.benchmark.definition import Benchmark, OpenTask
from nasbench.benchmark.incumbents import BenchmarkRuns, Entry, TaskRuns, TaskScale
from nasbench.errors import InputError, printable
from nasbench.runners.bench.reference import equal_searches
from nasbench.runners.bench.replays import replay_task, shares_weights
from nasbench.runners.replay.replay import Setting
from nasbench.runners.strategies.source_files import names_a_file

SUBMISSION: Final = "submission"
_FILE: Final = re.compile(r"[\w.-]+\.py")
_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class Checked:
    """What a check found of one strategy on one task.

    Args:
        strategy: label of the strategy.
        task: the task.
        sampled: seeds that were searched again.
        equal: how many of these searches are equal to what is stored.
        faults: what does not fit the table, in sentences; none if all does.
    """

    strategy: str
    task: str
    sampled: tuple[int, ...]
    equal: int
    faults: tuple[str, ...]

    @property
    def reproduced(self) -> bool:
        """Whether everything agrees."""
        return not self.faults and self.equal == len(self.sampled)


def as_submission(
    runs: BenchmarkRuns, options_tried: int, tuned_on: str, name: str, when: str, complete: Sequence[str]
) -> BenchmarkRuns:
    """Add to runs what a submission states.

    Args:
        runs: the runs of the submitted strategies.
        options_tried: settings of options that were tried before this one, >= 0.
        tuned_on: where they were tried, e.g. "digits201, seeds 1000 to 1019"; "" if none were.
        name: who submits, "" for nobody.
        when: time in UTC.
        complete: names of all tasks of the suite.

    Returns:
        The runs with the statement.

    Raises:
        InputError: when options were tried and nothing says where, or a task is missing.
    """
    if options_tried < 0:
        raise InputError(f"options tried: {options_tried} is no number of settings; 0 for none")
    if options_tried and not tuned_on.strip():
        raise InputError(
            'options were tried: say where with --tuned-on, e.g. --tuned-on "this suite\'s tasks, seeds 100 to 109"'
        )
    missing = [task for task in complete if task not in runs.scales]
    if missing:
        raise InputError(f"a submission has every task of {runs.suite}; missing: {', '.join(missing)}")
    statement = {"options_tried": options_tried, "tuned_on": tuned_on.strip(), "name": name.strip(), "when": when}
    return replace(runs, about={SUBMISSION: statement})


def statement_of(runs: BenchmarkRuns) -> Mapping[str, Any]:
    """Return what a submission states.

    Args:
        runs: a submission.

    Returns:
        options_tried, tuned_on, name and when; empty for other runs.

    Raises:
        InputError: when the number of options tried is none.
    """
    found = runs.about.get(SUBMISSION, {})
    if not isinstance(found, dict):
        return {}
    tried = found.get("options_tried", 0)
    if type(tried) is not int or tried < 0:
        raise InputError(
            f"the submission states {printable(str(tried))[:40]!r} as the number of other settings of options that were tried: "
            "a whole number of 0 or more; make it again with nasbench bench run --submit"
        )
    return found


def check_entry(
    entry: Entry,
    runs: BenchmarkRuns,
    suite: Benchmark,
    opened: Mapping[str, OpenTask],
    sample: int,
    seed: int,
    run_code: bool,
) -> list[Checked]:
    """Check one strategy of a submission: every stored score against the tables, and a sample of searches by replay.

    Args:
        entry: the strategy with its runs.
        runs: the submission.
        suite: its suite.
        opened: task -> its tables.
        sample: searches per task to replay, >= 1.
        seed: seed of the sample.
        run_code: whether code in the submission may run.

    Returns:
        One result per task that is here.

    Raises:
        InputError: when the strategy is code and `run_code` is false, or it cannot be loaded.
        UnknownName: when it is of a package that is not installed.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="nasbench-check-") as folder:
        setting = _setting(entry, Path(folder), run_code)
        for task, stored in entry.runs.items():
            if task not in opened:
                continue
            each = opened[task]
            faults = _faults(stored, each, runs.scales[task], setting.kind.asks_epochs)
            rng = np.random.default_rng([seed, *entry.shown.encode()])
            places = sorted(rng.choice(len(stored.seeds), size=min(sample, len(stored.seeds)), replace=False).tolist())
            seeds = stored.seeds[places].tolist()
            again, _ = replay_task(setting, each, suite.protocol, seeds, timed=False)
            equal = equal_searches(again, stored.of_searches(places), shares_weights(setting))
            found.append(Checked(entry.shown, task, tuple(seeds), equal, tuple(faults)))
    return found


def _setting(entry: Entry, folder: Path, run_code: bool) -> Setting:
    if not entry.digest:
        if names_a_file(entry.strategy) or ":" in entry.strategy:
            raise InputError(
                f"{entry.shown} is a class of a script or notebook, whose code is not in the file: submit it as file.py:Class"
            )
        return Setting.of(entry.strategy, entry.options)
    name = entry.strategy.rpartition(":")[0]
    content = entry.code.encode()
    if hashlib.sha256(content).hexdigest() != entry.digest or not _FILE.fullmatch(name):
        raise InputError(
            f"the code of {printable(entry.shown)[:80]} has another digest than stated; the file was changed"
        )
    if not run_code:
        raise InputError(
            f"{entry.shown} is Python code of the submission ({len(content):,} bytes, SHA-256 {entry.digest[:12]}...): read it "
            "with nasbench bench code FILE, then allow it to run with --run-code"
        )
    path = folder / name
    path.write_bytes(content)
    return Setting.of(f"{path}:{entry.strategy.rpartition(':')[2]}", entry.options)


def _faults(stored: TaskRuns, opened: OpenTask, scale: TaskScale, stopping: bool) -> list[str]:
    """Compare every stored number that the table has with the table; `stopping`: of a strategy that stops trainings."""
    faults = []
    if not scale.agrees(TaskScale.of(opened)):
        faults.append("best and mean scores of the table are not those stated")
    size = len(opened.searched.val_acc)
    if len(stored.codes) and not (stored.codes.min() >= 0 and stored.codes.max() < size):
        return [*faults, "architectures outside the table"]
    curves = opened.searched.curves
    if ((stored.stops != 0) if curves is None or not stopping else (stored.stops > curves.epochs)).any():
        return [*faults, "trainings that stopped at epochs which this strategy or table does not have"]
    expected = {
        "outcomes": opened.searched.outcomes(stored.codes, np.array(0), "mean", stored.stops),
        "scores": opened.reported.reported_acc[stored.codes],
    }
    for name, values in expected.items():
        wrong = int((~np.isclose(getattr(stored, name), values, rtol=0, atol=_TOLERANCE)).sum())
        if wrong:
            faults.append(f"{wrong} of {len(values)} {name} are not the table's")
    limit = scale.seconds["large"]
    if len(stored.spent) and float(stored.spent.max()) > limit * (1 + _TOLERANCE):
        faults.append(f"a search spent {stored.spent.max():g} s of a budget of {limit:g} s")
    if len(set(stored.seeds.tolist())) < len(stored.seeds):
        faults.append("a seed is there twice")
    elif sorted(stored.seeds.tolist()) != list(range(len(stored.seeds))):
        faults.append(f"the seeds are not 0 to {len(stored.seeds) - 1}, so that searches may have been selected")
    if stored.searcher_seconds < 0:
        faults.append(f"the strategy's own seconds are {stored.searcher_seconds:g}")
    faults += _no_courses(stored, _least_seconds(stored, opened, stopping))
    return faults


def _least_seconds(stored: TaskRuns, opened: OpenTask, stopping: bool) -> Any:
    """Least that each incumbent's training costs: of a strategy that continues trainings, its last epoch."""
    curves = opened.searched.curves
    if not stopping or curves is None:
        return opened.searched.seconds[stored.codes]
    last = np.where(stored.stops > 0, stored.stops, curves.epochs) - 1
    until = curves.seconds[curves.kinds[stored.codes]]
    rows = np.arange(len(last))
    return until[rows, last] - np.where(last > 0, until[rows, np.maximum(last - 1, 0)], 0.0)


def _no_courses(stored: TaskRuns, least: Any) -> list[str]:
    """Find searches whose incumbents cannot follow each other, or came in less time than their training takes."""
    same = np.diff(stored.runs) == 0
    first = np.concatenate([[True], ~same]) if len(stored.runs) else np.zeros(0, dtype=bool)
    wrong = stored.places >= stored.children[stored.runs]
    wrong |= stored.seconds > stored.spent[stored.runs] * (1 + _TOLERANCE)
    steps = {name: np.diff(getattr(stored, name), prepend=0) for name in ("places", "outcomes", "seconds")}
    for step in (steps["places"], steps["outcomes"]):
        wrong |= ~first & ~(step > 0)
    own = np.where(first, stored.seconds, steps["seconds"])
    wrong |= ~(own >= least * (1 - _TOLERANCE) - _TOLERANCE)
    searches = len(set(stored.runs[wrong].tolist()))
    what = "have incumbents that are no better than those before, or came earlier than their trainings end"
    return [f"{searches} of {len(stored.seeds)} searches {what}"] if searches else []
