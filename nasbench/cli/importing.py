"""`nasbench import`: convert results of other benchmarks to a results file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from nasbench.cli.import_output import dry_run_option, new_results_option, report_import
from nasbench.cli.import_searches import optuna, synetune
from nasbench.cli.options import completing, pairs, space_names, take_over_option
from nasbench.errors import InputError, printable


def _list(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Print what every importer reads, and end."""
    if not asked or context.resilient_parsing:
        return
    from nasbench.tabular.importers.about import about
    from nasbench.tabular.importers.registry import IMPORTERS

    described, faults = IMPORTERS.describe_all(lambda name, importer: (name, about(name, importer)))
    for name, found in described:
        click.echo(printable(name))
        for heading, text in found.lines:
            click.echo(f"  {heading:<9}  {printable(text)}")
    for fault in faults:
        click.echo(f"warning: {fault}", err=True)
    context.exit()


@click.group(name="import")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Say of every importer what it reads, its licence and size, where it is published, what it has and lacks.",
)
def import_() -> None:
    """Import results of other benchmarks into a results file, for query, compare, pareto and replay.

    Absent fields become missing values, and their number is reported; nothing is imputed.

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o results/nb201.h5
      nasbench import --list
    """


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@click.option(
    "--data",
    default="cifar10",
    show_default=True,
    help="Data set of the archive: cifar10, cifar100, imagenet16-120, or cifar10-valid (all after 200 epochs).",
)
@take_over_option
def nasbench201(path: str, output: str, data: str, take_over: bool) -> None:
    """Import NAS-Bench-201: the archive of means (.npz), or NATS-Bench's records of single trainings (.json, .json.gz).

    NATS-Bench's official files: nasbench import nats-bench.

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o results/nb201.h5
      nasbench import nasbench201 nats_records.json.gz -o results/nats.h5
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    if path.endswith(".npz"):
        report_import(output, IMPORTERS.get("nasbench201-archive")(path, output, data, take_over))
    else:
        report_import(output, IMPORTERS.get("nats-bench")(path, output, take_over))


@import_.command(name="nats-bench")
@click.argument("path", type=click.Path())
@new_results_option
@take_over_option
def nats_bench(path: str, output: str, take_over: bool) -> None:
    """Import NATS-Bench, topology or size: its official files, or records of single trainings (.json, .json.gz).

    An official file is NATS-tss-...pickle.pbz2 or NATS-sss-...pickle.pbz2, the folder that ends in -simple, or one of its
    files. Pickles are read by a reader that takes containers, numbers and texts, and calls nothing.

    \b
    Example:
      nasbench import nats-bench NATS-sss-v1_0-50262-simple -o results/nats-size.h5
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    name = "nats-bench" if path.endswith((".json", ".json.gz")) else "nats-bench-pickle"
    report_import(output, IMPORTERS.get(name)(path, output, take_over))


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@take_over_option
def nasbench101(path: str, output: str, take_over: bool) -> None:
    """Import NAS-Bench-101's TFRecord file. Every checksum is verified; TensorFlow is not needed.

    \b
    Example:
      nasbench import nasbench101 nasbench_only108.tfrecord -o results/nb101.h5
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    report_import(output, IMPORTERS.get("nasbench101")(path, output, take_over))


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@click.option(
    "--tasks", default="", metavar="TASK[,TASK...]", help="Tasks, e.g. class_object,jigsaw  [all in the file]."
)
@take_over_option
def transnas(path: str, output: str, tasks: str, take_over: bool) -> None:
    """Import TransNAS-Bench-101, micro or macro, from NASLib's zip: one data set per task, each in its own unit.

    Accuracies of class_object, class_scene and jigsaw are fractions; normal and autoencoder have SSIM, segmentsemantic the
    share of right pixels in %, room_layout a negative loss. Of all, higher is better.

    \b
    Example:
      nasbench import transnas transnas_micro_zen.zip -o results/transnas.h5
      nasbench replay --table results/transnas.h5 --search-on class_object --report-on jigsaw,normal --budget "100 children"
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    report_import(output, IMPORTERS.get("transnas")(path, output, names, take_over))


@import_.command("nasbench-macro")
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@take_over_option
def nasbench_macro(path: str, output: str, take_over: bool) -> None:
    """Import NAS-Bench-Macro's JSON file: 6,561 networks, three trainings each, accuracies on the test images.

    \b
    Example:
      nasbench import nasbench-macro nas-bench-macro_cifar10.json -o results/macro.h5
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    report_import(output, IMPORTERS.get("nasbench-macro")(path, output, take_over))


@import_.command("suite-zero")
@click.argument("path", type=click.Path(dir_okay=False))
@new_results_option
@take_over_option
def suite_zero(path: str, output: str, take_over: bool) -> None:
    """Import NAS-Bench-Suite-Zero: zero-cost proxies as measurements beside the accuracy, from its zip or JSON file.

    \b
    Example:
      nasbench import suite-zero zc_nasbench201.json -o results/proxies.h5
      nasbench correlations results/proxies.h5 --where "data == 'cifar10'" --of "val_acc,synflow[data=cifar10]"
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    report_import(output, IMPORTERS.get("suite-zero")(path, output, take_over))


@import_.command(name="accel-nasbench")
@click.argument("path", type=click.Path())
@new_results_option
@take_over_option
def accel_nasbench(path: str, output: str, take_over: bool) -> None:
    """Import Accel-NASBench: networks trained on ImageNet, with throughput and latency on six accelerators.

    Its space is one of choices: seven blocks of four decisions. Throughput and latency go to the table of measurements.

    \b
    Example:
      nasbench import accel-nasbench anb_dataset_jsons.tar.gz -o results/accel.h5
      nasbench pareto results/accel.h5 --objectives error,throughput[device=a100]
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    report_import(output, IMPORTERS.get("accel-nasbench")(path, output, take_over))


@import_.command(name="hw-latency")
@click.argument("paths", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False),
    help="The results file: a new one, or one that has e.g. the table of NAS-Bench-201, beside which they go.",
)
@click.option("--device", default="", help="Name of the device of a single file  [that in its name].")
@click.option(
    "--batch", default=None, type=click.IntRange(1), help="Images in one call  [that in the name of the file]."
)
@take_over_option
def hw_latency(paths: Sequence[str], output: str, device: str, batch: int | None, take_over: bool) -> None:
    """Import measured latencies of the NAS-Bench-201 cells by official index: nb201_DEVICE.pt, or nb201_GPU_BATCH.pt.

    Rows of about 0 ms are stored with a flag, and left out of fronts, correlations and queries by name.

    \b
    Example:
      nasbench import hw-latency nb201_pixel3.pt nb201_raspi4.pt -o results/nb201.h5
      nasbench pareto results/nb201.h5 --objectives error,params --objectives error,latency[device=pixel3]
    """
    from nasbench.tabular.importers.registry import IMPORTERS

    report_import(output, IMPORTERS.get("hw-latency")(paths, output, device, batch, take_over))


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


@import_.command()
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


@import_.command()
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


@import_.command()
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


import_.add_command(optuna)
import_.add_command(synetune)
