"""`nasbench import optuna|synetune`: searches that other programs made, as runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from nasbench.cli.import_output import dry_run_option, new_results_option, report_import
from nasbench.cli.options import completing, pairs, space_names, take_over_option

_OPTIONS = (
    click.argument("path", type=click.Path()),
    new_results_option,
    click.option(
        "--space",
        default="choices",
        show_default=True,
        shell_complete=completing(space_names),
        help="Space of the architectures; choices makes one of the options of the values that name them.",
    ),
    click.option(
        "--architecture",
        default="",
        metavar="A,B,...",
        help="Values that name an architecture, one per decision in their order, or one that writes it as text  [all "
        "categorical ones].",
    ),
    click.option(
        "--value",
        default="",
        metavar="NAME",
        help="What the values are: val_acc, val_error (1 - accuracy), with % after it for percent, val_loss, or "
        "NAME:UNIT:DIRECTION  [a quantity of its own name].",
    ),
    click.option("--strategy", default="", help="Name of the strategy  [what the source says]."),
    click.option(
        "--run-seed", default=-1, type=click.IntRange(min=-1), help="Seed of the search  [what the source says]."
    ),
    click.option("--data", default="unknown", show_default=True, help="Name of the data set."),
    click.option("--protocol", default="unknown", show_default=True, help="Name for how the trials were trained."),
    click.option(
        "--any-fidelity",
        is_flag=True,
        help="Let trials that were stopped early count by their last values; otherwise they are unfinished.",
    ),
    dry_run_option,
    take_over_option,
)


def _of_searches(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@click.command()
@_of_searches
@click.option("--study", default="", help="Name of the study  [all, one run each].")
@click.option(
    "--map",
    "map_",
    multiple=True,
    metavar="OURS=ATTRIBUTE",
    help="User attributes of trials: test_acc=, params=, seed=, or a quantity such as latency[device=phone]:ms:lower=; "
    "repeatable.",
)
def optuna(path: str, study: str, map_: Sequence[str], **options: Any) -> None:
    """Import studies of Optuna from an SQLite storage or a journal file: one run per study, one child per trial.

    Pruned and failed trials keep their status, reported values are curves. Optuna is not needed.

    \b
    Example:
      nasbench import optuna study.db -o results/tpe.h5 --value val_acc --strategy tpe --run-seed 0 --data cifar10
      nasbench import optuna journal.log -o results/tpe.h5 --space nasbench201 --architecture e0,e1,e2,e3,e4,e5
    """
    from nasbench.tabular.importers.optuna_studies import Wishes
    from nasbench.tabular.importers.registry import IMPORTERS

    output, dry_run = options["output"], options["dry_run"]
    wishes = Wishes(
        options["protocol"],
        options["data"],
        options["value"],
        options["strategy"],
        options["run_seed"],
        _names(options["architecture"]),
        study,
        pairs(map_, "--map"),
        options["any_fidelity"],
    )
    target = None if dry_run else output
    report_import(
        output, IMPORTERS.get("optuna")(path, target, options["space"], wishes, options["take_over"]), dry_run
    )


@click.command()
@_of_searches
@click.option("--resource", default="", help="Column of what a trial was trained, e.g. epoch  [found by its name].")
@click.option(
    "--map",
    "map_",
    multiple=True,
    metavar="OURS=COLUMN",
    help="Further columns of the reports, whose last value counts: params=, test_acc=, or a quantity; repeatable.",
)
def synetune(path: str, resource: str, map_: Sequence[str], **options: Any) -> None:
    """Import experiments of Syne Tune: a folder with results.csv.zip and metadata.json, or a folder of such folders.

    One run per experiment, one child per trial; its reports are a curve. Trials that the scheduler stopped are
    unfinished.

    \b
    Example:
      nasbench import synetune syne-tune/asha-nb201-0 -o results/asha.h5 --space nasbench201
          --architecture hp_x0,hp_x1,hp_x2,hp_x3,hp_x4,hp_x5 --value val_error --data cifar10
    """
    from nasbench.tabular.importers.registry import IMPORTERS
    from nasbench.tabular.importers.synetune import Wishes

    output, dry_run = options["output"], options["dry_run"]
    wishes = Wishes(
        options["protocol"],
        options["data"],
        options["value"],
        options["strategy"],
        options["run_seed"],
        _names(options["architecture"]),
        resource,
        pairs(map_, "--map"),
        options["any_fidelity"],
    )
    target = None if dry_run else output
    report_import(
        output, IMPORTERS.get("synetune")(path, target, options["space"], wishes, options["take_over"]), dry_run
    )
