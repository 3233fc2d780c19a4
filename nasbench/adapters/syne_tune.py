"""A complete table as a blackbox of Syne Tune."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from nasbench.adapters.table_lookup import TableLookup
from nasbench.errors import InputError, MissingExtra
from nasbench.tabular.table_curves import epochs_text
from nasbench.tabular.tables import Table

EPOCH: Final = "epoch"
METRIC: Final = "metric_valid_error"
ELAPSED: Final = "metric_elapsed_time"


def table_blackbox(table: str | Path | Table, data: str | None = None) -> Any:
    """Make a blackbox of Syne Tune from a table.

    Its hyperparameters are the decisions of the space, its fidelity is the epoch. Objectives are `metric_valid_error`
    (1 - validation accuracy; 1 for a failed training) and `metric_elapsed_time` (device-seconds up to that epoch), the names
    by which Syne Tune's simulator reads tabulated benchmarks.

    Args:
        table: a results file, an archive, the name of a table that ships, or a table.
        data: data set of a file that has several.

    Returns:
        A `syne_tune.blackbox_repository.BlackboxTabular`.

    Raises:
        MissingExtra: when Syne Tune is not installed.
        InputError: when the table is judged by something else than accuracy, does not say what trainings cost, or lacks
            the score or the cost of a training after an epoch.
        MissingData, UnknownName, StoreError: see `tables.read_table`.

    Example:
        blackbox = table_blackbox("results/digits201-2.h5")
        blackbox.objective_function(blackbox.configuration_space_sample, fidelity={"epoch": 4})
    """
    try:
        from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular
        from syne_tune.config_space import choice, randint
    except ImportError:
        raise MissingExtra("syne-tune", "syne-tune") from None
    import pandas as pd

    lookup = TableLookup.read(table, data)
    if not lookup.table.score.is_accuracy or not lookup.table.timed:
        raise InputError(
            f"table {lookup.table.name!r} needs accuracies and device-seconds to be a blackbox; it lacks "
            f"{'device-seconds' if lookup.table.score.is_accuracy else 'accuracies'}"
        )
    lacking = (np.isnan(lookup.scores) | np.isnan(lookup.seconds))[~lookup.failed]
    if lacking.any():
        raise InputError(
            f"table {lookup.table.name!r} lacks scores or costs of some trainings after epoch "
            f"{epochs_text(1 + np.flatnonzero(lacking.any(axis=0)))}, where they were not recorded, and a blackbox has them of "
            "all epochs; give whole trainings instead of the file: nasbench.tabular.tables.read_table(file)"
        )
    positions = np.stack(np.unravel_index(np.arange(lookup.table.space.size), lookup.options), axis=-1)
    errors = np.nan_to_num(1.0 - lookup.scores, nan=1.0)
    evaluations = np.stack([errors, lookup.seconds], axis=-1)[:, None]  # [size, seeds, epochs, objectives]
    return BlackboxTabular(
        hyperparameters=pd.DataFrame(positions, columns=list(lookup.names)),
        configuration_space={name: choice(list(range(options))) for name, options in zip(lookup.names, lookup.options)},
        fidelity_space={EPOCH: randint(lower=1, upper=lookup.epochs)},
        objectives_evaluations=evaluations,
        fidelity_values=np.arange(1, lookup.epochs + 1),
        objectives_names=[METRIC, ELAPSED],
    )
