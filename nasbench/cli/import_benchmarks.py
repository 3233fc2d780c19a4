"""`nasbench import nasbench201|nats-bench|...`: tables of published benchmarks, one command each."""

from __future__ import annotations

from collections.abc import Sequence

import click

from nasbench.cli.import_output import new_results_option, report_import
from nasbench.cli.options import take_over_option


@click.command()
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


@click.command(name="nats-bench")
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


@click.command()
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


@click.command()
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


@click.command("nasbench-macro")
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


@click.command("suite-zero")
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


@click.command(name="accel-nasbench")
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


@click.command(name="hw-latency")
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
