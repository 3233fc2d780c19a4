"""Lookup and description of one run of a results file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from nasbench.errors import InputError, printable
from nasbench.texts import json_object


def find_run(run_id: str, file: str | Sequence[str]) -> dict[str, Any]:
    """Find one run by the first digits of its id.

    Args:
        run_id: the id, or its first digits.
        file: results files to search.

    Returns:
        The run's row, by column.

    Raises:
        InputError: when no run or several runs match.
    """
    from nasbench.store.format.frames import runs_named
    from nasbench.store.query import Results

    with Results(file) as results:
        runs = results.runs()
    found, run_id = runs_named(runs, run_id), printable(run_id)
    where = file if isinstance(file, str) else ", ".join(file)
    if len(found) != 1:
        said = "no run" if found.empty else f"{len(found)} runs"
        raise InputError(
            f"{where} has {said} whose id starts with {run_id!r}; it has {', '.join(runs['run']) or 'none'}"
        )
    stored: dict[str, Any] = found.iloc[0].to_dict()
    return stored


def describe_run(stored: dict[str, Any]) -> None:
    """Print a run: its totals, then configuration and provenance field by field.

    Args:
        stored: the run's row, by column.
    """
    for name, value in stored.items():
        if name not in ("config", "provenance"):
            click.echo(f"{name + ':':22s}{printable(str(value))}")
    for name in ("config", "provenance"):
        click.echo(f"\n{name}")
        for key, value in json_object(stored[name]).items():
            click.echo(f"  {key + ':':22s}{value if isinstance(value, str) else json.dumps(value)}")
