"""`nasbench suite`: run matrices of searches from TOML files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from nasbench.cli.options import completing, print_table, take_over_option
from nasbench.cli.run import run_into
from nasbench.cli.user_defaults import usual_price, with_usual_devices


def _suite_names() -> list[str]:
    from nasbench.runners.suite import shipped_suites

    return list(shipped_suites())


@click.group()
def suite() -> None:
    """Run, list and show suites: matrices of searches (strategies x seeds x spaces x protocols x budgets).

    \b
    Example:
      nasbench suite run default -o results/default.h5
    """


@suite.command("list")
def list_() -> None:
    """List the suites that ship with the package."""
    from nasbench.runners.suite import load_suite, shipped_suites

    rows = [(name, len(load_suite(name).searches()), load_suite(name).description) for name in shipped_suites()]
    print_table(("suite", "searches", "what"), rows)


@suite.command("show")
@click.argument("name", shell_complete=completing(_suite_names))
def show_suite(name: str) -> None:
    """Show every search of a suite: NAME is a shipped suite or a TOML file."""
    from nasbench.runners.suite import load_suite

    loaded = load_suite(name)
    click.echo(f"{loaded.name}: {loaded.description}\n{loaded.jobs} searches at the same time\n")
    searches = loaded.searches()
    limited = any(config.where_arch for config in searches)
    rows = [
        (
            *(config.strategy, config.seed, config.space, config.protocol, config.budget, str(config.options or "")),
            *([config.where_arch] if limited else []),
        )
        for config in searches
    ]
    head = ("strategy", "seed", "space", "protocol", "budget", "options")
    print_table((*head, "where_arch") if limited else head, rows)


@suite.command("run")
@click.argument("name", shell_complete=completing(_suite_names))
@click.option("-o", "--output", default=None, type=click.Path(dir_okay=False), help="Results file [results/NAME.h5].")
@click.option(
    "--cache",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Other results files whose scores may be reused.",
)
@click.option("--jobs", default=None, type=click.IntRange(1), help="Number of searches at the same time [the suite's].")
@take_over_option
def run_suite(name: str, output: str | None, cache: Sequence[str], jobs: int | None, take_over: bool) -> None:
    """Run a suite into one results file. Searches that are complete in the file are not run again.

    \b
    Example:
      nasbench suite run default -o results/default.h5
    """
    from nasbench.runners.suite import load_suite, plans_of

    loaded = load_suite(name)
    if jobs is not None:
        loaded = loaded.model_copy(update={"jobs": jobs})
    if "price" not in {**loaded.search, **loaded.matrix}:
        loaded = loaded.model_copy(update={"search": {**loaded.search, "price": usual_price(None)}})
    if "devices" not in loaded.matrix:
        search = with_usual_devices(loaded.search, loaded.search.get("executor", "local"))
        loaded = loaded.model_copy(update={"search": search})
    path = Path(output or f"results/{loaded.name}.h5")
    run_into(path, plans_of(loaded.searches()), cache, loaded.jobs, take_over)
