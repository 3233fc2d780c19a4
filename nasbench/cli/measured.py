"""Measured quantities in the commands that analyse children: the option that names their files, and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.store.query import Results

measurements_option = click.option(
    "--measurements",
    multiple=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Further file of measurements, as nasbench latency -o writes it; repeatable.",
)


def measurements_of(results: Results, others: Sequence[str]) -> pd.DataFrame:
    """Read the measurements of the command's files and of those given by --measurements.

    Args:
        results: opened results files.
        others: names of further files.

    Returns:
        The columns of `schema.MEASUREMENT_COLUMNS`, all rows.
    """
    from nasbench.store.measured import read_measurements

    return read_measurements(results, others)
