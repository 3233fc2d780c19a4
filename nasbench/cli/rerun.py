"""`nasbench rerun`: start a stored run again from its configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from nasbench.cli.options import take_over_option
from nasbench.errors import InputError


@click.command()
@click.argument("run_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="Results file of the new run.")
@click.option("--strategy", default=None, metavar="FILE.py:CLASS", help="Strategy in a file that made the run.")
@click.option("--devices", default=None, help="Other devices than before, e.g. cuda:0,cuda:1.")
@take_over_option
def rerun(run_id: str, file: str, output: str, strategy: str | None, devices: str | None, take_over: bool) -> None:
    """Start a stored run again with the same configuration and seeds; every child is trained again, into another file.

    Scores of other runs in that file are not reused. ID is a run's id, or its first digits if only one run of FILE has them.

    \b
    Example:
      nasbench rerun 768bc8 results/demo.h5 -o results/again.h5
    """
    from nasbench.api.strategies import given_strategy
    from nasbench.cli.run import run_into
    from nasbench.cli.runs import find_run
    from nasbench.protocols.stored import config_of
    from nasbench.runners.search.config import Command, plan_search, plan_stored
    from nasbench.runners.search.resuming import require_registered, require_same_file, stored_config

    stored = find_run(run_id, file)
    if Path(output).resolve() == Path(file).resolve():
        raise InputError(f"rerun: {output} holds the run already; name another file with -o")
    if "protocol" not in config_of(stored["config"], run_id):  # an imported table or a replayed search
        raise InputError(
            f"run {stored['run']} of {file} trained nothing (it was imported or replayed); only searches that train can be started again"
        )
    config = stored_config(stored["config"], devices, f"the stored configuration of run {stored['run']} of {file}")
    given = given_strategy(strategy) if strategy is not None else None
    kind = given.kind if given is not None and given.name == config.strategy else None
    if kind is None:
        require_registered(file, str(stored["run"]), config.strategy, [given.name] if given is not None else ())
    else:
        require_same_file(file, str(stored["run"]), config, kind, changed_strategy=False)
    plan = plan_stored(config, stored["run"], kind) or plan_search(config, kind=kind)
    if plan.fingerprint != stored["fingerprint"]:
        raise InputError(
            f"run {stored['run']} of {file} was made with another protocol or data (fingerprint {stored['fingerprint']}, now "
            f"{plan.fingerprint}); rerun it with the version and data that made it"
        )
    plan = replace(plan, command=Command(reuses_others=False))
    run_into(Path(output), [plan], (), jobs=1, take_over=take_over)
