"""`nasbench import csv|parquet|json`: tables as people have them, with the names of their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from nasbench.cli.import_output import dry_run_option, new_results_option, report_import
from nasbench.cli.options import completing, pairs, space_names, take_over_option
from nasbench.errors import InputError

_TABLE_OPTIONS = (
    click.option(
        "--space",
        required=True,
        shell_complete=completing(space_names),
        help="Space of the architectures; choices makes one of the values of the columns that name them.",
    ),
    click.option(
        "--map",
        "map_",
        multiple=True,
        metavar="OURS=THEIRS",
        help="Names of columns in the table; repeatable. architecture= is required, or matrix= and operations= of a "
        "NAS-Bench-101 cell. val_acc_curve= is a JSON list with a value per epoch; epoch= where each row is an epoch. "
        "NAME:UNIT:DIRECTION= is a quantity beside accuracy, e.g. latency[device=phone]:ms:lower= or val_ssim::higher=.",
    ),
    click.option(
        "-y",
        "--score",
        default="",
        metavar="NAME",
        help="Mapped quantity that trainings are judged by  [accuracy; without one, the quantity val_...].",
    ),
    click.option("--set", "set_", multiple=True, metavar="OURS=VALUE", help="One value for all rows; repeatable."),
    click.option("--percent", default="", help="Comma-separated accuracies that the table gives in percent."),
    click.option(
        "--scale",
        multiple=True,
        metavar="OURS=FACTOR",
        help="Factor of a column's numbers, e.g. params=1e6; repeatable.",
    ),
    click.option("--separator", default=None, help="Character between cells, or tab  [found by the headings]."),
    click.option("--encoding", default=None, help="Encoding of the text, e.g. utf-16 or latin-1  [detected]."),
    click.option("--decimal", default=None, help="Decimal mark, '.' or ','  [detected]."),
    click.option(
        "--missing",
        multiple=True,
        metavar="[OURS=]WORD",
        help="A further word that means a missing value, beside NA, n/a, nan, null, none, - and ?; repeatable.",
    ),
    click.option(
        "--as-run",
        is_flag=True,
        help="Rows are the trials of searches, in their order. --map strategy=, run=, run_seed=, index=, trial=, resource= "
        "(epochs of a rung: the rows of a trial are one child), budget=, started=, finished=; or --set.",
    ),
    click.option(
        "--any-fidelity",
        is_flag=True,
        help="With --as-run: let trials that were stopped early count by their last values.",
    ),
    click.option("--skip-bad", is_flag=True, help="Leave rows out that cannot be read, and count them."),
    dry_run_option,
    take_over_option,
)


def _of_tables(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_TABLE_OPTIONS):
        command = option(command)
    return command


def _tabular(
    path: str,
    output: str,
    space: str,
    map_: Sequence[str],
    score: str,
    set_: Sequence[str],
    percent: str,
    scale: Sequence[str],
    separator: str | None,
    encoding: str | None,
    decimal: str | None,
    missing: Sequence[str],
    as_run: bool,
    any_fidelity: bool,
    skip_bad: bool,
    dry_run: bool,
    take_over: bool,
) -> None:
    from nasbench.tabular.importers.csv_parquet import TableForm, import_tabular

    names = [name.strip() for name in percent.split(",") if name.strip()]
    columns, constants = pairs(map_, "--map"), pairs(set_, "--set")
    form = TableForm(
        separator, encoding, decimal, pairs(scale, "--scale"), tuple(missing), skip_bad, score, as_run, any_fidelity
    )
    target = None if dry_run else output
    done = import_tabular(path, target, space, columns, constants, names, take_over, form)
    report_import(output, done, dry_run)


@click.command()
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@_of_tables
def csv(path: str, **options: Any) -> None:
    """Import a CSV table with one training per row, or one epoch per row.

    Commas, semicolons and tabs, UTF-8 and UTF-16, decimal commas, thousands, "93.1%" and "0.8M" are read as they are.

    \b
    Example:
      nasbench import csv cells.csv -o results/cells.h5 --space nasbench201 --map architecture=cell
          --map val_acc=accuracy --percent val_acc --set data=cifar10 --set protocol=theirs
    """
    if path.removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson")):
        raise InputError(f"{path!r} is the name of a table in JSON: nasbench import json")
    if path.endswith(".parquet"):
        raise InputError(f"{path!r} is the name of a parquet table: nasbench import parquet")
    _tabular(path, **options)


@click.command()
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@_of_tables
def parquet(path: str, **options: Any) -> None:
    """Import a parquet table with one training per row, or one epoch per row.

    \b
    Example:
      nasbench import parquet cells.parquet -o results/cells.h5 --space nasbench201 --map architecture=cell
          --map val_acc=accuracy --set data=cifar10 --set protocol=theirs
    """
    if not path.endswith(".parquet"):
        raise InputError(f"{path!r}: the name of a parquet table should end in .parquet; for text: nasbench import csv")
    _tabular(path, **options)


@click.command()
@click.argument("path", type=click.Path())
@new_results_option
@_of_tables
def json(path: str, **options: Any) -> None:
    """Import a table in JSON: a list or lines of objects, an object of lists, a folder of files, or a search log.

    Nested objects are columns with dotted names. HpBandSter's results.json (with the configs.json beside it) and NASLib's
    errors.json are read as they are; with --as-run, they are runs.

    \b
    Example:
      nasbench import json hpbandster-log -o results/bohb.h5 --as-run --set strategy=bohb --space choices
          --map architecture=config.op1,config.op2 --map trial=config_id --map resource=budget --map val_error=loss
          --map started=started --map finished=finished --set data=cifar10
    """
    from nasbench.tabular.importers.csv_parquet import is_json

    if not is_json(path):
        raise InputError(f"{path!r}: a table in JSON is a folder, or its name ends in .json, .jsonl or .ndjson")
    _tabular(path, **options)
