"""`nasbench table`: build complete tables and query them."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from nasbench.cli.executor_options import executor_options
from nasbench.cli.loading import children_where, where_option
from nasbench.cli.options import (
    completing,
    measure_option,
    pairs,
    print_table,
    protocol_names,
    say_what_is_slow,
    set_option,
    space_names,
    take_over_option,
)
from nasbench.cli.output import is_quiet, say
from nasbench.cli.user_defaults import usual_price, with_usual_devices
from nasbench.errors import InputError, printable
from nasbench.scores import judged_by, judging
from nasbench.training.clocks import Clock

if TYPE_CHECKING:
    import pandas as pd


@click.group()
def table() -> None:
    """Build complete tables of a space, and show their statistics and an architecture's neighbours.

    \b
    Example:
      nasbench table stats results/digits201.h5
    """


@table.command()
@click.option(
    "--space", default="nasbench201", show_default=True, shell_complete=completing(space_names), help="Space to cover."
)
@click.option(
    "--protocol",
    default="digits201",
    show_default=True,
    shell_complete=completing(protocol_names),
    help="Protocol of the trainings.",
)
@set_option
@click.option(
    "--seeds",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Number of trainings per architecture: seeds 0, 1, ...",
)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="Results file of the table.")
@click.option("--timeout", default=0.0, help="Seconds after which a child ends [never].")
@click.option(
    "--clock",
    default="held",
    show_default=True,
    type=click.Choice(get_args(Clock)),
    help="Seconds of a child: held, for which it held its device; processor, that its core computed (for a machine that "
    "other programs use).",
)
@click.option("--price", default=None, help="USD per device-hour, or a CSV price table [by device].")
@executor_options("devices", "children_per_device", "retries", "grace_seconds")
@take_over_option
def build(
    space: str,
    protocol: str,
    set_: tuple[str, ...],
    seeds: int,
    output: str,
    timeout: float,
    clock: Clock,
    price: str | None,
    take_over: bool,
    where: dict[str, Any],
) -> None:
    """Train every distinct architecture of a space with every seed, into a results file.

    The same command continues an interrupted build; with more seeds it adds them. Each child is scored on the test set,
    too: the file is a table for `nasbench replay` and not a search.

    \b
    Example:
      nasbench table build --space nasbench201 --protocol digits201 --seeds 3 --devices cpu,cpu -o results/digits201.h5
    """
    from nasbench.api.progress import progress_of
    from nasbench.protocols.identity import with_earlier_values
    from nasbench.protocols.protocol import validated
    from nasbench.runners.executors import EXECUTORS, ExecutorOptions
    from nasbench.runners.search.config import SearchConfig, require_finite, resolve
    from nasbench.runners.signals import explained, termination_as_interrupt
    from nasbench.runners.tables.build import TableBuild, distinct_architectures
    from nasbench.spaces import get_space
    from nasbench.store.format.schema import TABLE
    from nasbench.store.reader import require_results

    where = with_usual_devices(where, "local")
    searched = get_space(space)
    given = {
        **with_earlier_values(SearchConfig, {}),  # fields of searches, which decide nothing in a table
        "strategy": TABLE,
        "space": space,
        "protocol": protocol,
        "set": pairs(set_, "--set"),
        "timeout": timeout,
        "clock": clock,
        "price": usual_price(price),
        # The number of children per device changes no row of a table, so it is not part of the run ids.
        **{name: value for name, value in where.items() if name == "devices"},
    }
    # Listing a large space takes a minute: mistakes are found before.
    first = validated(SearchConfig, {**given, "seed": 0, "budget": "1 child"}, "nasbench table build")
    require_finite(first)
    resolve(first)
    require_results(output)
    architectures = distinct_architectures(searched)
    given["budget"] = f"{len(architectures)} children"
    plans = [resolve(validated(SearchConfig, {**given, "seed": seed}, "nasbench table build")) for seed in range(seeds)]
    options = validated(ExecutorOptions, where, "nasbench table build")
    say(f"{len(architectures)} distinct architectures of {space}, {seeds} seeds each", err=True)
    say_what_is_slow((plan.protocol.precision, options.devices) for plan in plans)
    with termination_as_interrupt(), EXECUTORS.get("local")(options) as executor:
        try:
            progress = progress_of(f"table of {space}", not is_quiet(), plans[0].hours_unit)
            TableBuild(Path(output), plans, architectures, executor, progress, take_over).run()
        except KeyboardInterrupt as interrupt:
            click.echo("interrupted; nothing is lost. Go on with the same command.", err=True)
            raise explained(interrupt) from None
    word = shlex.quote(output)  # the lines are to be copied into a shell
    say(
        f"table:   {output}\nnext:    nasbench table stats {word}\n         nasbench replay --table {word} --strategy random"
    )


@table.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The compact table (.npz).")
@click.option("--data", default=None, help="Data set of the table  [the only one].")
@click.option(
    "--seeds",
    "chosen",
    multiple=True,
    metavar="SEED[,SEED...]",
    help="Training seeds whose means it has, beside those of all seeds; repeatable  [each alone].",
)
@click.option("--curves", is_flag=True, help="Keep scores and costs after each epoch, for strategies that stop early.")
def compact(file: str, output: str, data: str | None, chosen: tuple[str, ...], curves: bool) -> None:
    """Write what replays need of a complete table into one small file that opens at once.

    Replays of it equal those of FILE to the bit: outcomes, costs, counts, trainings and fingerprints are compared before
    this command ends. Hashes and devices stay in FILE, and without --curves also the curves.

    \b
    Example:
      nasbench table compact results/digits201-2.h5 --curves -o digits201-2.npz
      nasbench table compact six-seeds.h5 -o six.npz --seeds 0,1,2 --seeds 3,4,5
    """
    from nasbench.runners.tables.compacting import compact_table

    kept = compact_table(Path(file), Path(output), data, [_listed(text) for text in chosen] or None, curves)
    size = Path(output).stat().st_size
    say(f"wrote {output} ({size / 1e3:.0f} kB, SHA-256 {kept.sha256})")
    print_table(("training seeds", "fingerprint"), list(kept.fingerprints.items()))


def _listed(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise InputError(f"--seeds {text!r} should name training seeds once each, e.g. --seeds 0,1,2")
    return tuple(sorted(map(int, parts)))


@table.command()
@click.argument("file", type=click.Path(dir_okay=False))
@where_option
@click.option("--best", default=5, show_default=True, type=click.IntRange(1), help="Number of architectures to list.")
@click.option("--chance", default=0.15, show_default=True, help="Seeds are compared only for val_acc above this.")
@measure_option("Score of the table: accuracy, or what it states; val_loss, or a measured quantity such as val_ssim.")
def stats(file: str, where: str | None, best: int, chance: float, measure: str) -> None:
    """Print best architectures, distribution, noise, and rank correlations between seeds, epochs, size and score.

    Architectures with different hashes can compute the same function. For `nasbench201` these are known, and the
    differences of their scores measure the noise of training, which is printed beside that of the seeds.

    \b
    Example:
      nasbench table stats results/digits201.h5
      nasbench table stats results/nats.h5 --where "data == 'cifar100' and protocol == 'nasbench201-200'"
    """
    import pandas as pd

    from nasbench.analysis.statistics.table_statistics import (
        architecture_means,
        distribution,
        function_classes,
        function_noise,
        oriented_quantiles,
        platforms,
        predictors,
        seed_agreement,
        spread,
        trainings,
    )
    from nasbench.costs.units import device_time

    frame, curves = _judged(file, measure, where)
    own = judged_by()
    chance = chance if own.is_accuracy else -math.inf
    rows = trainings(frame)
    means = architecture_means(rows)
    hours = frame["gpu_hours"].sum()
    failed = frame["status"][frame["status"] != "ok"].value_counts()
    statuses = ", ".join(f"{count} {status}" for count, status in [(len(rows), "ok"), *zip(failed, failed.index)])
    click.echo(
        f"{file}: {len(rows) + failed.sum()} trainings ({statuses}) of {len(means)} architectures, {hours:.4g} {device_time(frame['device'].unique())}\n"
    )
    _print(means.head(best))
    score = "test_acc" if means["test_acc"].notna().any() else "val_acc"
    if means[score].notna().any():
        top = means.loc[means[score].idxmax()]
        scores = "accuracies" if own.is_accuracy else "scores"
        without = "" if score == "test_acc" else f"; there are no test {scores}"
        best_of = "highest" if own.sign > 0 else "lowest"
        click.echo(f"\n{best_of} mean {own.words(score)}: {own.number(top[score])} ({top['hash'][:12]}){without}\n")
    else:
        click.echo(f"\nno architecture has {'an accuracy' if own.is_accuracy else f'a {own.val}'}\n")
    _print(oriented_quantiles(distribution(means)))
    click.echo()
    _print(spread(rows, means))
    classes = function_classes(rows)
    sharing = classes.value_counts()
    several = classes.isin(sharing.index[sharing > 1])
    click.echo(
        f"\n{len(classes)} architectures are {len(sharing)} functions: {several.sum()} of them "
        f"({rows['hash'].map(several).sum()} trainings) share theirs with another"
    )
    if several.any():
        click.echo(
            "so that their scores differ by the noise of training alone: with the same seed by rounding, which training amplifies "
            "(fractions; deviations pooled)\n"
        )
        _print(function_noise(rows, classes))
    click.echo("\nwhere they were trained; device_seconds above are of the platform with the most architectures\n")
    _print(platforms(rows))
    click.echo(
        f"\nrank correlations (n architectures); seeds among those above chance, the rest with the mean {own.words('val_acc')}"
    )
    _print(pd.concat([seed_agreement(rows, chance), predictors(rows, means, curves)], ignore_index=True))


@table.command()
@click.argument("hash_", metavar="HASH")
@click.argument("file", type=click.Path(dir_okay=False))
@where_option
@measure_option("Score of the table: accuracy, or what it states; val_loss, or a measured quantity such as val_ssim.")
def neighbours(hash_: str, file: str, where: str | None, measure: str) -> None:
    """List architectures that differ in one decision from those of a hash (or its first digits), the best first.

    \b
    Example:
      nasbench table neighbours 4ad2c500 results/digits201.h5
    """
    from nasbench.analysis.statistics.table_statistics import architecture_means, trainings
    from nasbench.runners.tables.build import hash_neighbours
    from nasbench.spaces import get_space

    rows = trainings(_judged(file, measure, where)[0])
    means = architecture_means(rows)
    means.insert(0, "rank", range(1, len(means) + 1))
    found = means[means["hash"].str.startswith(printable(hash_))]
    if len(found) != 1:
        raise InputError(
            f"{len(found)} architectures of {file} have a hash that starts with {hash_!r}; give as many digits as name one, "
            f"e.g. {means['hash'].iloc[0][:12]}"
        )
    whole = found["hash"].iloc[0]
    near = hash_neighbours(get_space(rows["space"].iloc[0]), whole)
    click.echo(f"{whole}: rank {found['rank'].iloc[0]} of {len(means)}, {len(near)} neighbours of other hashes\n")
    _print(found)
    click.echo()
    _print(means[means["hash"].isin(near)])


def _judged(file: str, measure: str, where: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Children and curves of a table, whose score is in the place of accuracies for the rest of the command."""
    from nasbench.store.judged import courses_of, judge
    from nasbench.store.query import Results
    from nasbench.tabular.catalogue import shipped_tables

    if not Path(file).exists() and file in shipped_tables():
        raise InputError(
            f"{file} is a table that ships without its single trainings, which this command needs; they are in results/{file}.h5 of "
            f"the suite's repository (nasbench tables show {file})"
        )
    with Results(file) as results:
        frame, runs, curves = children_where(results, where), results.runs(), results.all_curves()
        if where is not None and frame.empty:
            raise InputError(f"no children match {where!r} in {file}; see: nasbench query {file}")
        measurements = results.measurements()
        frame, score = judge(frame, runs[runs["run"].isin(set(frame["run"]))], measurements, measure)
        curves = courses_of(curves, measurements, score)
    click.get_current_context().with_resource(judging(score))
    return frame, curves


def _print(frame: pd.DataFrame) -> None:
    shown = frame.assign(hash=frame["hash"].str[:12]) if "hash" in frame else frame
    own = judged_by()
    if not own.is_accuracy:
        scores = [name for name in ("val_acc", "test_acc") if name in shown]
        shown = own.shown(shown, scores).rename(columns={name: own.name(name) for name in scores})
    print_table(tuple(shown.columns), [tuple(row) for row in shown.astype(object).itertuples(index=False)])
