"""How the runs of a results file stand, also while another process writes it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget
from nasbench.store.files import ResultsPaths
from nasbench.store.format.schema import REPEATABLE_STATUSES, TABLE
from nasbench.store.owner import Owner, read_owner
from nasbench.store.query import Results

if TYPE_CHECKING:
    import pandas as pd

RECENT_SECONDS = 600.0
COLUMNS = (
    *(
        "run",
        "index",
        "asked",
        "stage",
        "hash",
        "status",
        "counted",
        "cached_from",
        "val_acc",
        "devices",
        "gpu_hours",
        "usd",
    ),
    *("spent_gpu_hours", "wall_seconds", "finished_at"),
)


@dataclass(frozen=True)
class Writer:
    """The process that owns a results file.

    Args:
        pid: of it.
        host: where it runs.
        since: when it took the file, UTC.
        alive: whether it still runs; None on another host, where that cannot be told.
    """

    pid: int
    host: str
    since: str
    alive: bool | None


@dataclass(frozen=True)
class RunStatus:
    """How one run stands. Times in seconds, money in USD; None where it is not known or does not apply.

    Args:
        run, strategy, seed, budget: as stored.
        state: "complete", "interrupted", "running", or "stopped": marked as running, but no process writes.
        children: counted so far.
        failed: of all its children, those without a score.
        in_training: children that were asked for and not told when the last one was; 0 unless running.
        devices_busy: devices that they hold.
        children_a_minute: over all its wall time.
        recent_a_minute: children that ended in the last ten minutes, a minute; None unless running.
        gpu_hours, usd: charged to the search.
        share: of the budget that is spent, in [0, 1].
        left_seconds: until the budget is spent, at the pace so far; None unless running.
        best: highest validation accuracy, a fraction; None before the first.
        best_hash: the architecture's.
        last_child: when the last child ended, UTC; "" before the first.
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
    share: float
    left_seconds: float | None
    best: float | None
    best_hash: str
    last_child: str


@dataclass(frozen=True)
class FileStatus:
    """How a results file stands: who writes it, and its runs in the order of the file."""

    file: str
    writer: Writer | None
    runs: tuple[RunStatus, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def file_status(path: str, now: datetime | None = None) -> FileStatus:
    """Read how the runs of a file stand. The writer is not held up.

    Args:
        path: the results file.
        now: the time to count from; None for the present.

    Raises:
        MissingResults, StoreError: when there is no such file, or it cannot be read.
    """
    with Results(path) as results:
        frame, runs = results.frame(columns=list(COLUMNS)), results.runs()
    writer = _writer(read_owner(ResultsPaths.of(path).lock))
    moment = now or datetime.now(timezone.utc)
    children = dict(iter(frame.groupby("run", sort=False)))
    found = (
        _run_status(row, children.get(row["run"], frame.iloc[:0]), writer, moment) for row in runs.to_dict("records")
    )
    return FileStatus(path, writer, tuple(found))


def _writer(owner: Owner | None) -> Writer | None:
    if owner is None:
        return None
    return Writer(owner.pid, owner.host, owner.since, owner.lives)


def _run_status(row: dict[str, Any], children: pd.DataFrame, writer: Writer | None, now: datetime) -> RunStatus:
    of_table = row["strategy"] == TABLE  # whose rows carry test scores, and are in no search's budget
    searched = children[children["stage"] == ("final" if of_table else "search")]
    counted = searched if of_table else searched[searched["counted"].astype(bool)]
    good = counted[(counted["status"] == "ok") & counted["val_acc"].notna()]
    best = good.loc[good["val_acc"].idxmax()] if len(good) else None
    running = row["status"] == "running" and writer is not None and writer.alive is not False
    state = row["status"] if row["status"] != "running" or running else "stopped"
    wall = float(searched["wall_seconds"].max()) if len(searched) else 0.0
    hours = float(counted["gpu_hours"].sum() if of_table else counted["spent_gpu_hours"].max()) if len(counted) else 0.0
    usd = hours * _rate(row, searched)
    share = _share(str(row["budget"]), len(counted), hours, usd, wall)
    asked = running and not of_table and len(searched)
    training = max(int(searched["asked"].max()) - len(searched) + 1, 0) if asked else 0
    ended = [text for text in children["finished_at"].tolist() if text]
    return RunStatus(
        run=row["run"],
        strategy=row["strategy"],
        seed=int(row["seed"]),
        budget=row["budget"],
        state=state,
        children=len(counted),
        failed=int((~searched["status"].isin(REPEATABLE_STATUSES)).sum()),
        in_training=training,
        devices_busy=training * float(searched["devices"].iloc[-1]) if training else 0.0,
        children_a_minute=60 * len(searched) / wall if wall > 0 else None,
        recent_a_minute=_recent(row, ended, now) if running else None,
        gpu_hours=hours,
        usd=usd,
        share=share,
        left_seconds=wall * (1 - share) / share if running and share > 0 and wall > 0 else None,
        best=float(best["val_acc"]) if best is not None else None,
        best_hash=str(best["hash"]) if best is not None else "",
        last_child=max(ended, default=""),
    )


def _rate(row: dict[str, Any], children: pd.DataFrame) -> float:
    """USD per device-hour: of the children, or of the whole run once that is known."""
    hours, usd = float(children["gpu_hours"].sum()), float(children["usd"].sum())
    if hours > 0:
        return usd / hours
    charged = sum(float(value) for name, value in row.items() if name.endswith("_hours"))
    return float(row["usd"]) / charged if charged > 0 else 0.0


def _share(budget: str, children: int, hours: float, usd: float, wall: float) -> float:
    limit = Budget.parse(budget)
    spent = limit.amount(children=float(children), device_seconds=hours * SECONDS_PER_HOUR, usd=usd, wall_seconds=wall)
    return min(spent / limit.limit, 1.0)


def _recent(row: dict[str, Any], ended: list[str], now: datetime) -> float | None:
    """Children a minute over the last ten, or since the run began where that is later."""
    started = _seconds_ago(str(row["started_at"]), now)
    span = min(RECENT_SECONDS, started)
    if not span > 0 or math.isnan(span):
        return None
    ages = np.array([_seconds_ago(text, now) for text in ended])
    return 60.0 * float((ages <= span).sum()) / span


def _seconds_ago(text: str, now: datetime) -> float:
    try:
        then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return math.nan
    return (now - (then if then.tzinfo else then.replace(tzinfo=timezone.utc))).total_seconds()
