"""Status of the runs in a results file; another process may write it at the same time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Final, cast

import numpy as np

from nasbench.costs.spent_usd import usd_spent
from nasbench.costs.units import DEVICE_HOURS, device_time
from nasbench.errors import InputError, printable_data
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget
from nasbench.scores import Score
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Data, Numbers, Text
from nasbench.store.format.schema import REPEATABLE_STATUSES, RUN_COLUMNS, TABLE
from nasbench.store.judged import stated_score
from nasbench.store.owner import Owner, read_owner
from nasbench.store.query import Results

RECENT_SECONDS = 600.0
_NUMBERS: Final = (
    "stop_epoch",
    "asked",
    "counted",
    "val_acc",
    "reward",
    "devices",
    "gpu_hours",
    "usd",
    "usd_per_hour",
    "spent_gpu_hours",
    "wall_seconds",
)
_PRICED: Final = ("spent_gpu_hours", "gpu_hours", "usd", "usd_per_hour")  # arguments of `usd_spent`
_TEXTS: Final = ("run", "stage", "hash", "status", "cached_from", "continues", "device", "finished_at")
_RUN: Final = ("run", "strategy", "seed", "budget", "status", "started_at", "usd", "config")
_CHARGED: Final = tuple(column.name for column in RUN_COLUMNS if column.name.endswith("_hours"))


@dataclass(frozen=True)
class Writer:
    """The process that owns a results file.

    Args:
        pid: its process number.
        host: its host.
        since: time at which it became the owner, UTC.
        alive: whether it is alive; None for a process on another host, for which this is unknown.
    """

    pid: int
    host: str
    since: str
    alive: bool | None


@dataclass(frozen=True)
class RunStatus:
    """Status of one run. Times are in seconds, money is in USD; None means unknown or not applicable.

    Args:
        run: id of the run.
        strategy: name of the strategy.
        seed: search seed.
        budget: the budget as text, e.g. "20 children".
        state: "complete", "interrupted", "running", or "stopped": marked as running, but no process writes the file.
        children: children counted so far.
        failed: number of its children without a score.
        in_training: children whose outcomes were pending when the last outcome was received; 0 unless running.
        devices_busy: devices held by these children.
        children_a_minute: trained children per minute, over all its wall time; None if all children were cached.
        recent_a_minute: trained children per minute, over the last ten minutes; None unless running.
        gpu_hours: device-hours charged to the search.
        usd: USD charged to the search.
        hours_unit: "GPU-hours" if all its children were trained on GPUs, else "device-hours".
        share: share of the budget that is spent, in [0, 1]; None where the file has no budget that can be read, e.g. of a
            run whose row a repair made anew.
        left_seconds: seconds until the budget is spent, at the rate so far; None unless running.
        best: best validation score: the highest accuracy, a fraction, or that which the run states; None before the first.
        best_hash: hash of that architecture.
        last_child: time at which the last child ended, UTC; "" before the first.
        stopped_early: counted children that the strategy asked for up to an earlier epoch than the protocol's last.
        continued: counted children that continue the training of an earlier one.
    """

    run: str
    strategy: str
    seed: int
    budget: str
    state: str
    children: int
    failed: int
    in_training: int
    devices_busy: float
    children_a_minute: float | None
    recent_a_minute: float | None
    gpu_hours: float
    usd: float
    share: float | None
    left_seconds: float | None
    best: float | None
    best_hash: str
    last_child: str
    hours_unit: str = DEVICE_HOURS
    stopped_early: int = 0
    continued: int = 0


@dataclass(frozen=True)
class FileStatus:
    """Status of a results file.

    Args:
        file: name of the file.
        writer: the process that writes it; None if there is none.
        runs: status of every run, in the order of the file.
    """

    file: str
    writer: Writer | None
    runs: tuple[RunStatus, ...]

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values, for JSON."""
        return asdict(self)


def file_status(path: str, now: datetime | None = None) -> FileStatus:
    """Read the status of a file's runs, without blocking the writer.

    Args:
        path: the results file.
        now: reference time; None for the present.

    Returns:
        Status of the writer and of every run.

    Raises:
        MissingResults, StoreError: when there is no such file, or it cannot be read.
    """
    with Results(path) as results:
        children = _Children.of(results.columns([*_NUMBERS, *_TEXTS]))
        runs = results.columns([*_RUN, *_CHARGED], "runs")
    writer = _writer(read_owner(ResultsPaths.of(path).lock))
    moment = now or datetime.now(timezone.utc)
    values = {name: (each.objects() if isinstance(each, Text) else each).tolist() for name, each in runs.items()}
    rows = [dict(zip(values, row)) for row in zip(*values.values())]
    return FileStatus(
        path, writer, tuple(_run_status(row, children.of_run(row["run"]), writer, moment) for row in rows)
    )


@dataclass(frozen=True)
class _Children:
    """Columns of children as arrays; those of a whole file are sorted by run.

    A file may have thousands of runs: one pandas frame per run would take seconds.
    """

    columns: dict[str, Numbers]
    hashes: Data
    places: dict[str, slice]

    @classmethod
    def of(cls, columns: dict[str, Data]) -> _Children:
        """Sort the children of a file by run; those of a run stay in commit order."""
        texts = {name: cast("Text", columns[name]) for name in _TEXTS}
        run = texts["run"].compact()
        order = np.argsort(run.codes, kind="stable")
        arrays = {name: cast("Numbers", columns[name])[order] for name in _NUMBERS}
        arrays |= {
            "searched": texts["stage"].equals("search")[order],
            "final": texts["stage"].equals("final")[order],
            "ok": texts["status"].equals("ok")[order],
            "scored": np.logical_or.reduce([texts["status"].equals(each) for each in REPEATABLE_STATUSES])[order],
            "trained": texts["cached_from"].equals("")[order],
            "continued": ~texts["continues"].equals("")[order],
            "device": texts["device"].objects()[order],
            "finished_at": texts["finished_at"].objects()[order],
        }
        borders = np.searchsorted(run.codes[order], np.arange(len(run.categories) + 1)).tolist()
        places = {name: slice(*borders[code : code + 2]) for code, name in enumerate(run.categories)}
        return cls(arrays, texts["hash"].take(order), places)

    def of_run(self, run: str) -> _Children:
        """Children of one run; none if it has none."""
        return self.where(self.places.get(run, slice(0)))

    def where(self, chosen: Numbers | slice) -> _Children:
        """Some of these children."""
        if not isinstance(chosen, slice) and chosen.all():
            return self
        hashes = cast("Text", self.hashes)
        return _Children(
            {name: values[chosen] for name, values in self.columns.items()},
            Text(hashes.codes[chosen], hashes.categories),
            {},
        )

    def __getitem__(self, name: str) -> Numbers:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["searched"])


def _writer(owner: Owner | None) -> Writer | None:
    if owner is None:
        return None
    return Writer(owner.pid, owner.host, owner.since, owner.lives)


def _run_status(row: dict[str, Any], children: _Children, writer: Writer | None, now: datetime) -> RunStatus:
    # Rows of complete tables that were built have test scores and belong to no search's budget; imported ones are those of
    # a search, as far as they have validation scores.
    of_table = row["strategy"] == TABLE and not children["searched"].any()
    searched = children.where(children["final" if of_table else "searched"])
    counted = searched if of_table else searched.where(searched["counted"])
    best, best_hash = _best(counted, stated_score(str(row["config"])))
    running = row["status"] == "running" and writer is not None and writer.alive is not False
    state = row["status"] if row["status"] != "running" or running else "stopped"
    wall = _most(searched["wall_seconds"])
    hours = _sum(counted["gpu_hours"]) if of_table else _most(counted["spent_gpu_hours"])
    several = None if of_table else usd_spent(*(counted[name] for name in _PRICED))
    usd = hours * _rate(row, searched) if several is None else float(several[-1])
    share = _share(str(row["budget"]), len(counted), hours, usd, wall)
    searching = running and not of_table and len(searched)
    training = max(int(searched["asked"].max()) - len(searched) + 1, 0) if searching else 0
    trained = int(searched["trained"].sum())
    ended = [text for text in children["finished_at"].tolist() if text]
    return RunStatus(
        run=printable_data(row["run"]),
        strategy=printable_data(row["strategy"]),
        seed=int(row["seed"]),
        budget=printable_data(row["budget"]),
        state=printable_data(state),
        children=len(counted),
        failed=int((~searched["scored"]).sum()),
        in_training=training,
        devices_busy=training * float(searched["devices"][-1]) if training else 0.0,
        children_a_minute=60 * trained / wall if wall > 0 and trained else None,
        recent_a_minute=_recent(row, children, now) if running else None,
        gpu_hours=hours,
        usd=usd,
        share=share,
        left_seconds=wall * (1 - share) / share if running and share and wall > 0 else None,
        best=best,
        best_hash=printable_data(best_hash),
        last_child=printable_data(max(ended, default="")),
        hours_unit=device_time(set(children["device"].tolist())),
        stopped_early=int((counted["stop_epoch"] > 0).sum()),
        continued=int(counted["continued"].sum()),
    )


def _best(counted: _Children, score: Score | None) -> tuple[float | None, str]:
    """Best score with the hash of the first child that has it; None and '' before the first score."""
    scores = np.where(counted["ok"], counted["val_acc"] if score is None else counted["reward"], np.nan)
    known = np.flatnonzero(~np.isnan(scores))
    if not len(known):
        return None, ""
    place = int(known[scores[known].argmax()])
    return (score.sign if score else 1) * float(scores[place]), cast("Text", counted.hashes)[place]


def _most(values: Numbers) -> float:
    """Highest value that is known, 0 without a child."""
    return float(np.fmax.reduce(values)) if len(values) else 0.0


def _sum(values: Numbers) -> float:
    """Sum of the values that are known: what `np.nansum` gives, in a third of its time for few values."""
    return float(np.where(np.isnan(values), 0.0, values).sum())


def _rate(row: dict[str, Any], children: _Children) -> float:
    """Price in USD per device-hour: that of the whole run if it is stored already, else that of the children."""
    hours, usd = _sum(children["gpu_hours"]), _sum(children["usd"])
    if hours > 0:
        return usd / hours if np.isfinite(children["usd"]).any() else math.nan  # imported hours have no price
    charged = sum(float(row[name]) for name in _CHARGED)
    return float(row["usd"]) / charged if charged > 0 else 0.0


def _share(budget: str, children: int, hours: float, usd: float, wall: float) -> float | None:
    try:
        limit = Budget.parse(budget)
    except InputError:  # the other runs of the file have a status all the same
        return None
    spent = limit.amount(children=float(children), device_seconds=hours * SECONDS_PER_HOUR, usd=usd, wall_seconds=wall)
    return min(spent / limit.limit, 1.0)


def _recent(row: dict[str, Any], children: _Children, now: datetime) -> float | None:
    """Trained children per minute over the last ten minutes, or since the start of the run if that is later."""
    started = _seconds_ago(str(row["started_at"]), now)
    span = min(RECENT_SECONDS, started)
    if not span > 0 or math.isnan(span):
        return None
    ended = [text for text in children["finished_at"][children["trained"]].tolist() if text]
    ages = np.array([_seconds_ago(text, now) for text in ended])
    return 60.0 * float((ages <= span).sum()) / span


def _seconds_ago(text: str, now: datetime) -> float:
    try:
        then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return math.nan
    return (now - (then if then.tzinfo else then.replace(tzinfo=timezone.utc))).total_seconds()
