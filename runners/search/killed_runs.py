"""Ledgers of runs that were killed, or still run: their row in a results file is that of their attempt's beginning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError
from nasbench.runners.search.accountant import Accountant
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget, Ledger
from nasbench.runners.search.rows import earlier_attempts
from nasbench.runners.strategies import STRATEGIES
from nasbench.store.format.schema import LEDGER_CATEGORIES, TABLE
from nasbench.store.query import Results

if TYPE_CHECKING:
    import pandas as pd

_CHARGED: Final = (
    *("run", "stage", "status", "cached_from", "continues", "counted", "gpu_hours", "usd", "usd_per_hour"),
    *("spent_gpu_hours", "searcher_seconds", "device_seconds", "eval_seconds", "devices", "wall_seconds"),
)
"""Columns of a child from which a ledger is made."""


def runs_as_spent(results: Results) -> pd.DataFrame:
    """Read the runs of results files, where those without an end have the ledger that their children's rows say.

    The row of a run is written when an attempt begins and when it ends. That of a run that was killed, or still runs,
    lacks all children since then.

    Args:
        results: opened results files.

    Returns:
        One row per run, with `store.format.schema.RUN_COLUMNS`. What no row holds is missing: the time of children that
        were in training when the run was killed.
    """
    runs = results.runs()
    open_ones = (runs["status"] == "running") & (runs["strategy"] != TABLE)
    if not open_ones.any():
        return runs
    children = results.frame(list(_CHARGED))
    found = runs.copy()
    for at in runs.index[open_ones]:
        row = runs.loc[at].to_dict()
        for name, value in _spent(row, children[children["run"] == row["run"]]).items():
            found.loc[at, name] = value
    return found


def _spent(run_row: Mapping[str, Any], children: pd.DataFrame) -> dict[str, Any]:
    """Make the columns of a run that its children decide."""
    try:
        budget = Budget.parse(str(run_row["budget"]))
    except InputError:  # of no search of ours
        return {}
    earlier = earlier_attempts(run_row)
    price = earlier.usd_per_hour
    if not len(children):
        return {}
    strategy = str(run_row["strategy"])
    charged_as = STRATEGIES.get(strategy).charged_as if strategy in STRATEGIES else "searcher"
    accountant = Accountant(Ledger(budget, price or 0.0), 1.0, charged_as, earlier)
    for row in children.to_dict("records"):
        accountant.charge_stored(row)
    ledger = accountant.ledger
    return {
        "children": ledger.children,
        **{f"{name}_hours": ledger.device_seconds[name] / SECONDS_PER_HOUR for name in LEDGER_CATEGORIES},
        "usd": ledger.total_usd,
        "wall_seconds": max(earlier.wall_seconds, float(children["wall_seconds"].max())),
    }
