"""What the runner's tests share: a search of seconds on synthetic images, and rows without what differs from run to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nasbench.runners.executors import Executor
from nasbench.runners.executors.base import ExecutorOptions
from nasbench.runners.executors.inline import InlineExecutor
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_search
from nasbench.runners.search.continuing import checkpoints_of
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.rows import EarlierAttempts, earlier_attempts
from nasbench.store.cache import ScoreCache
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

# Measured times, and everything that is a function of them.
TIMES = {
    "train_seconds",
    "eval_seconds",
    "setup_seconds",
    "device_seconds",
    "gpu_hours",
    "usd",
    "searcher_seconds",
    "spent_gpu_hours",
    "wall_seconds",
    "peak_memory",
    "started_at",
    "finished_at",
    "file",
}


def tiny_plan(**fields: Any) -> SearchPlan:
    """A search on `fake` images whose children train in hundredths of a second."""
    given: dict[str, Any] = {
        "strategy": "random",
        "space": "nasnet:blocks=1",
        "protocol": "digits",
        "set": {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4, "validation": 0.5},
        "budget": "6 children",
        "executor": "inline",
        "final_seeds": 0,  # one final training, which may come from the cache
    }
    return plan_search(SearchConfig(**{**given, **fields}))


def search(plan: SearchPlan, path: Path, executor: Executor | None = None) -> Search:
    """Run a plan into a file and return the finished search."""
    with ResultsWriter(path) as writer, executor or plan.executor() as opened:
        there = path.exists() or path.with_suffix(".journal").exists()
        stored = Results(str(path)).children_of(plan.run) if there else []
        runs = Results(str(path)).runs().to_dict("records") if there else []
        before = next((earlier_attempts(row) for row in runs if row["run"] == plan.run), EarlierAttempts())
        cache = ScoreCache([str(path)] if there else [])
        checkpoints = checkpoints_of(path, plan, opened)
        run = Search(plan, stored, writer, cache, opened, Progress("test"), earlier=before, checkpoints=checkpoints)
        run.run()
    return run


def stable_rows(path: Path) -> list[dict[str, Any]]:
    """Every child of a file in commit order, without times."""
    frame = Results(str(path)).frame()
    return (
        frame.drop(columns=[name for name in TIMES if name in frame])
        .astype(object)
        .where(frame.notna(), None)
        .to_dict("records")
    )


class InterruptedAt(InlineExecutor):
    """Ctrl-C while the n-th child (from 0) is in training."""

    def __init__(self, at: int) -> None:
        super().__init__(ExecutorOptions())
        self._left = at

    def wait(self) -> Any:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        return super().wait()
