"""Published results of searches of complete tables, and the options that they used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasbench.runners.search.budget import Budget
from nasbench.tabular.tables import Table, published_replays

if TYPE_CHECKING:
    import pandas as pd


def published_on(table: Table, scored: Sequence[Table]) -> pd.DataFrame:
    """Return the published results of searches of a table.

    Args:
        table: the table that is searched.
        scored: tables in which choices are scored, of any data set.

    Returns:
        Rows of `results/published_replays.csv`.
    """
    published = published_replays()
    return published[
        (published["table"] == table.space.spec)
        & (published["searched_on"] == table.name)
        & published["data"].isin([each.name for each in scored])
    ]


def usual_options(published: pd.DataFrame, budget: Budget) -> dict[str, str]:
    """Return the options that each strategy was published with.

    They come from the strategy's row with this budget if there is one, else from its first row.

    Args:
        published: result of `published_on`.
        budget: budget of the replay.

    Returns:
        Strategy -> options as text, "population=10,sample=3".
    """
    usual: dict[str, str] = {}
    for row in published.to_dict("records"):
        theirs = Budget.parse(row["budget"])
        if row["strategy"] not in usual or (theirs.limit, theirs.unit) == (budget.limit, budget.unit):
            usual[row["strategy"]] = row["options"]
    return usual
