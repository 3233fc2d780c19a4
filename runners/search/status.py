"""Status of the runs in a results file; another process may write it at the same time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.costs.units import DEVICE_HOURS, device_time
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
        "device",
    ),
    *("spent_gpu_hours", "wall_seconds", "finished_at"),
)


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
        children_a_minute: children per minute, over all its wall time.
        recent_a_minute: children per minute, over the last ten minutes; None unless running.
        gpu_hours: device-hours charged to the search.
        usd: USD charged to the search.
        hours_unit: "GPU-hours" if all its children were trained on GPUs, else "device-hours".
        share: share of the budget that is spent, in [0, 1].
        left_seconds: seconds until the budget is spent, at the rate so far; None unless running.
        best: highest validation accuracy, a fraction; None before the first.
        best_hash: hash of that architecture.
        last_child: time at which the last child ended, UTC; "" before the first.
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
    hours_unit: str = DEVICE_HOURS


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
    of_table = row["strategy"] == TABLE  # rows of complete tables have test scores and belong to no search's budget
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
    searching = running and not of_table and len(searched)
    training = max(int(searched["asked"].max()) - len(searched) + 1, 0) if searching else 0
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
        hours_unit=device_time(children["device"].unique()),
    )


def _rate(row: dict[str, Any], children: pd.DataFrame) -> float:
    """Price in USD per device-hour: that of the whole run if it is stored already, else that of the children."""
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
    """Children per minute over the last ten minutes, or since the start of the run if that is later."""
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
