"""`nasbench run` and `nasbench resume`: run searches into a results file."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nasbench.cli.executor_options import executor_options, require_executor
from nasbench.cli.going_on import resume_command
from nasbench.cli.options import (
    completing,
    data_option,
    note_on_settings,
    protocol_names,
    say_what_is_slow,
    set_option,
    space_names,
    strategy_names,
    take_over_option,
)
from nasbench.cli.output import is_quiet, note, say
from nasbench.cli.protocol_changes import USUAL_PROTOCOL, note_on_own_images, protocol_changes
from nasbench.cli.user_defaults import usual_price, with_usual_devices
from nasbench.costs.units import LEAST_SHARE
from nasbench.errors import InputError
from nasbench.runners.executors.base import ExecutorOptions
from nasbench.texts import json_object

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.runners.search.config import SearchPlan
    from nasbench.runners.search.progress import Progress


@click.command()
@click.option(
    "--space", required=True, shell_complete=completing(space_names), help="Space with options: nasnet:blocks=3."
)
@click.option(
    "--strategy",
    required=True,
    shell_complete=completing(strategy_names),
    help="random, reinforce, ppo, ..., or mine.py:Mine.",
)
@click.option("--budget", required=True, help='"6 children", "2 gpu-hours", "3 usd" or wall time: "10 min".')
@click.option(
    "--protocol",
    default=None,
    shell_complete=completing(protocol_names),
    help="Protocol of the trainings; images suits images of one's own  [digits].",
)
@data_option
@click.option("--download", is_flag=True, help="Download cifar10 or cifar100 if it is missing.")
@set_option
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="Set an option of the strategy; repeatable.")
@click.option("--seed", default=0, show_default=True, help="Seed of the search.")
@click.option(
    "-o", "--output", default=None, type=click.Path(dir_okay=False), help="Results file [results/SPACE-STRATEGY.h5]."
)
@click.option(
    "--cache",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Other results files whose scores may be reused.",
)
@click.option(
    "--cached",
    default="charge",
    show_default=True,
    type=click.Choice(["charge", "free", "off"]),
    help="Charge for a cached child.",
)
@click.option(
    "--child-seeds",
    default="run",
    show_default=True,
    type=click.Choice(["run", "child"]),
    help="One training seed per run, or one per child.",
)
@click.option(
    "--final",
    default="incumbents",
    show_default=True,
    type=click.Choice(["incumbents", "best", "none"]),
    help="Architectures to score on the test set after the search.",
)
@click.option(
    "--final-seeds",
    default=3,
    show_default=True,
    type=click.IntRange(min=0),
    help="Trainings of each of them, with seeds that the search did not use; 0: one, with the search's own seed.",
)
@click.option(
    "--where-arch",
    default="",
    metavar="CONDITION",
    help='Limits on the architectures that are proposed: "params <= 100k and mult_adds <= 20M", or "latency <= 5 ms", '
    "measured on this machine  [none].",
)
@click.option(
    "--warm-start",
    default="",
    metavar="zero_cost:SCORE",
    help="Begin with the best of a pool by a zero-cost score: zero_cost:synflow,candidates=100,children=10  [none].",
)
@click.option(
    "--filter",
    "filter_",
    default="",
    metavar="zero_cost:SCORE",
    help="Never propose the worst by a zero-cost score: zero_cost:synflow,keep=0.5  [none].",
)
@click.option(
    "--keep-best", is_flag=True, help="Keep the incumbent's network in a model file beside the results, as it changes."
)
@click.option(
    "--add-baseline",
    is_flag=True,
    help="Then run random search with the same settings and seed into the same file, for comparisons.",
)
@click.option(
    "--checkpoint-gib",
    default=4.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Disk for checkpoints of trainings that a strategy stops early; what does not fit is trained again.",
)
@click.option("--timeout", default=0.0, help="Seconds after which a child ends [never].")
@click.option("--price", default=None, help="USD per device-hour, or a CSV price table [by device].")
@click.option(
    "--executor", default="local", show_default=True, help="local (worker processes), inline or ray (a cluster)."
)
@executor_options(*(name for name in ExecutorOptions.model_fields if name != "runs_per_device"))
@click.option(
    "--ordered",
    is_flag=True,
    help="Commit children in the order of the proposals: the rows equal those of a sequential run.",
)
@take_over_option
def run(
    space: str,
    strategy: str,
    budget: str,
    protocol: str | None,
    data: str | None,
    download: bool,
    set_: Sequence[str],
    option: Sequence[str],
    seed: int,
    output: str | None,
    cache: Sequence[str],
    cached: str,
    child_seeds: str,
    final: str,
    final_seeds: int,
    where_arch: str,
    warm_start: str,
    filter_: str,
    keep_best: bool,
    add_baseline: bool,
    checkpoint_gib: float,
    timeout: float,
    price: str | None,
    executor: str,
    ordered: bool,
    take_over: bool,
    where: dict[str, Any],
) -> None:
    """Run one search under a budget, and store every child in a results file.

    The same command resumes an interrupted search.

    \b
    Example:
      nasbench run --space nasnet:blocks=2 --strategy ppo --option preset=auto --budget "20 children" -o results/ppo.h5
      nasbench run --space nasnet:blocks=2 --strategy ppo --option preset=auto --budget "20 children" -o results/ppo.h5 --add-baseline
      nasbench run --space nasnet --strategy local_search --budget "20 children" --where-arch "params <= 50k"
    """
    from nasbench.analysis.comparison.checks import BASELINE
    from nasbench.protocols.protocol import validated
    from nasbench.runners.search.config import SearchConfig, plan_given, plan_search
    from nasbench.runners.strategies.option_texts import read_options
    from nasbench.runners.strategies.source_files import split_strategy, strategy_class
    from nasbench.store.measured import split_names

    require_executor(executor, where)
    strategy, own = split_strategy(strategy)
    if own and option:
        raise InputError(f"options of strategy {strategy!r} are given twice: {own!r} and by --option; give one")
    options = read_options(strategy_class(strategy), strategy, option or split_names(own))
    changes = protocol_changes(set_, data)
    given_protocol, protocol = protocol, protocol or USUAL_PROTOCOL
    if download:
        _download(changes.get("data"), protocol)
    config = validated(
        SearchConfig,
        {
            "strategy": strategy,
            "options": options,
            "space": space,
            "protocol": protocol,
            "set": changes,
            "budget": budget,
            "seed": seed,
            "child_seeds": child_seeds,
            "cached": cached,
            "final": final,
            "final_seeds": final_seeds,
            "where_arch": where_arch,
            "warm_start": warm_start,
            "filter": filter_,
            "keep_best": keep_best,
            "checkpoint_gib": checkpoint_gib,
            "timeout": timeout,
            "price": usual_price(price),
            "executor": executor,
            "ordered": ordered,
            **with_usual_devices(where, executor),
        },
        "nasbench run",
    )
    plan = plan_given(config)
    plans = [plan]
    note_on_settings(plan.strategy_kind, plan.options, config.options, options, plan.budget.children)
    if add_baseline and strategy != BASELINE:
        plans.append(
            plan_search(config.model_copy(update={"strategy": BASELINE, "options": {}, "strategy_digest": ""})).as_new()
        )
    note_on_own_images(given_protocol, changes.get("data"))  # after the checks: a mistake is one line
    if add_baseline and strategy == BASELINE:
        note(f"the strategy is {BASELINE} search itself: --add-baseline adds no other")
    path = Path(output or f"results/{plan.space.name}-{plan.config.strategy.rpartition(':')[2]}.h5")
    run_into(path, plans, cache, jobs=1, take_over=take_over, offers_baseline=True)


@click.command()
@click.argument("file", type=click.Path(exists=False, dir_okay=False))
@click.option("--run", "run_id", default=None, help="Id of one run  [all that are not complete].")
@click.option("--devices", default=None, help="Other devices than before, e.g. cuda:0,cuda:1.")
@click.option("--address", default=None, help="Address of a Ray cluster other than before.")
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Number of searches at the same time."
)
@click.option(
    "--cache",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Other results files whose scores may be reused  [those with which a run began].",
)
@click.option("--no-cache", is_flag=True, help="Reuse no scores of other results files.")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="FILE.py:CLASS",
    help="Strategy in a file with which runs began; repeatable. Results files name code, but never make it run.",
)
@click.option(
    "--changed-strategy", is_flag=True, help="Go on although the strategy's file is not the one with which a run began."
)
@take_over_option
def resume(
    file: str,
    run_id: str | None,
    devices: str | None,
    address: str | None,
    jobs: int,
    cache: Sequence[str],
    no_cache: bool,
    strategies: Sequence[str],
    changed_strategy: bool,
    take_over: bool,
) -> None:
    """Resume the unfinished searches of a results file. The result is as if they had never stopped.

    Runs that cannot go on are named and left out; the exit code is 2 if no run can.
    Where every run is complete, rows that could not be packed into the file, e.g. on a full disk, are packed now.

    \b
    Example:
      nasbench resume results/ppo.h5
      nasbench resume results/mine.h5 --strategy mine.py:Mine
    """
    from nasbench.api.strategies import given_strategy
    from nasbench.runners.search.resuming import by_reused_scores, plans_to_resume
    from nasbench.store.writer import finish_packing

    if cache and no_cache:
        raise InputError("--cache names files whose scores may be reused, and --no-cache forbids it; give one of them")
    given = [given_strategy(each) for each in strategies]
    kinds = {each.name: each.kind for each in given}
    left_out = functools.partial(note, err=True)
    plans = plans_to_resume(file, run_id, devices, address, kinds, changed_strategy, left_out)
    if not plans:
        packed = finish_packing(file, take_over)
        if packed:
            say(
                f"{file}: packed {packed} record{'s' if packed != 1 else ''} that {'were' if packed != 1 else 'was'} in its journal only"
            )
        say(f"{file}: nothing to resume, {f'run {run_id}' if run_id is not None else 'every run'} is complete")
        return
    for files, group in by_reused_scores(file, plans, cache if cache or no_cache else None):
        run_into(Path(file), group, files, jobs, take_over)


def run_into(
    path: Path,
    plans: list[SearchPlan],
    cache_files: Sequence[str],
    jobs: int,
    take_over: bool = False,
    offers_baseline: bool = False,
) -> None:
    """Run searches into one results file, and print what to do next.

    Args:
        path: the results file; it and its folder are created if missing.
        plans: the searches to run.
        cache_files: other results files whose scores may be reused.
        jobs: number of searches at the same time.
        take_over: see `store.lock.ResultsLock`.
        offers_baseline: whether the command has --add-baseline; see `summarize`.

    Raises:
        KeyboardInterrupt: when the searches were interrupted, after a line that says how to resume them.
    """
    from nasbench.api.progress import progress_of
    from nasbench.data.announcing import Announcements
    from nasbench.runners.signals import explained, termination_as_interrupt
    from nasbench.runners.suite import run_plans

    say_what_is_slow((plan.protocol.precision, plan.config.devices) for plan in plans if plan.config.executor != "ray")
    shown = not is_quiet()
    announced = Announcements()

    def begin(plan: SearchPlan) -> Progress:
        for line in announced.lines(plan.named_protocol):
            say(line, err=True)
        return progress_of(plan.title, shown, plan.hours_unit)

    with termination_as_interrupt():
        try:
            plans = run_plans(path, plans, cache_files, jobs, begin, take_over)
        except KeyboardInterrupt as interrupt:
            # resume knows the searches that have begun
            also = "" if len(plans) == 1 else " (the searches that have begun), or with the same command (all)"
            how = f"Go on with: {resume_command(path, plans)}{also}"
            click.echo(f"interrupted; nothing is lost. {how}", err=True)
            raise explained(interrupt) from None
    summarize(path, [plan.run for plan in plans], offers_baseline)
    for plan in plans:
        if plan.config.keep_best:
            _say_kept(path, plan.run)


def _say_kept(path: Path, run: str) -> None:
    """Say where the incumbent's network is, or how to get it."""
    import nasbench
    from nasbench.models.incumbent import IncumbentModel, incumbent_path

    frame = nasbench.open(str(path)).frame(stage="search")
    good = frame[(frame["run"] == run) & frame["counted"] & (frame["status"] == "ok")]
    if good.empty:
        return
    kept = IncumbentModel(incumbent_path(path, run))
    best = good.loc[good["val_acc"].idxmax()]
    if kept.holds(best.to_dict()):
        say(f"network: {incumbent_path(path, run)}")
    else:  # its score came from a cache, where no weights are
        say(
            f"the incumbent's score was stored before; its network: nasbench train {best['hash'][:12]} "
            f"{shlex.quote(str(path))} -o {shlex.quote(str(incumbent_path(path, run)))} --replace"
        )


def summarize(path: Path, runs: Sequence[str], offers_baseline: bool = False) -> None:
    """Print the results of runs, the path of their file, and commands to go on with.

    Args:
        path: the results file.
        runs: ids of the runs.
        offers_baseline: whether --add-baseline is suggested where the file has no random search.
    """
    import nasbench
    from nasbench.analysis.comparison.anytime import run_hours, search_hours
    from nasbench.analysis.comparison.checks import BASELINE
    from nasbench.cli.failures import failure_lines
    from nasbench.cli.options import print_table
    from nasbench.costs.spent_usd import prices_of_run, usd_spent_by
    from nasbench.costs.units import device_time

    results = nasbench.open(str(path))
    stored_runs = results.runs()
    table = stored_runs.set_index("run")
    charged, searched = run_hours(stored_runs), search_hours(stored_runs)
    frame = results.frame()
    unit = device_time(frame.loc[frame["run"].isin(runs), "device"].unique())
    rows, childless, beside = [], [], {}
    beyond = frame[frame["run"].isin(runs) & (frame["stage"] == "search") & ~frame["counted"]]
    for run_id in runs:
        stored = table.loc[run_id]
        children = frame[(frame["run"] == run_id) & (frame["stage"] == "search") & frame["counted"]]
        finals = frame[(frame["run"] == run_id) & (frame["stage"] == "final") & (frame["status"] == "ok")]
        good = children[children["status"] == "ok"]
        best = good.loc[good["val_acc"].idxmax()] if len(good) else None
        own_hours = sum(float(stored[f"{category}_hours"]) for category in ("supernet", "searcher", "uncounted"))
        if children.empty and own_hours > 0 and stored["status"] == "complete":
            childless.append((run_id, own_hours))
        prices = float(stored["usd"]), float(charged[run_id]), float(searched[run_id])
        price, beside[run_id] = prices_of_run(*prices, usd_spent_by(children))
        test = finals.loc[finals["hash"] == best["hash"], "test_acc"] if best is not None else finals["test_acc"]
        rows.append(
            (
                run_id,
                stored["strategy"],
                int(stored["seed"]),
                len(children),
                float(best["val_acc"]) if best is not None else float("nan"),
                float(test.mean()),
                best["hash"][:12] if best is not None else "",
                float(searched[run_id]),
                float(searched[run_id]) * price,
            )
        )
    head = ("run", "strategy", "seed", "children", "best val_acc", "its test_acc", "hash", unit, "USD")
    print_table(head, rows)
    if line := _beside_the_budget(table.loc[list(runs)], beyond, charged, unit, beside):
        say(line)
    if line := _cached_line(frame[frame["run"].isin(runs)], table):
        say(line)
    for line in failure_lines(frame[frame["run"].isin(runs)]):
        click.echo(line, err=True)  # with --quiet, too: the numbers beside it are not what was asked for
    for run_id, hours in childless:
        trained = beyond.loc[beyond["run"] == run_id, "gpu_hours"]
        own = hours - float(trained.sum())
        parts = [f"the strategy's own work took {own:.4g} {unit}"] if own > LEAST_SHARE * hours else []
        if len(trained):
            which = "1 child" if len(trained) == 1 else f"{len(trained)} children"
            parts.append(f"{which}, not covered by the budget, took {float(trained.sum()):.4g} {unit}")
        advice = ", or a super-network fewer epochs" if own > hours / 2 else ""
        say(f"note: run {run_id} counts no child: {', and '.join(parts)}; give a larger budget{advice}")
    word = shlex.quote(str(path))  # the lines are to be copied into a shell
    # compare refuses files without random search, which shows what chance finds
    compared = bool((table["strategy"] == BASELINE).any())
    allow = "" if compared else " --allow baseline"
    say(f"\nresults: {path}\nnext:    nasbench query {word} --sort val_acc --head 5")
    say(f"         nasbench compare {word}{allow}")
    if offers_baseline and not compared:
        say("         or the same command with --add-baseline: random search with the same budget in the same file")


def _cached_line(children: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Say how many counted children took their scores from an earlier training, and what they were charged; "" for none."""
    cached = children[
        children["counted"].astype(bool) & (children["cached_from"] != "") & (children["stage"] == "search")
    ]
    if cached.empty:
        return ""
    rules = {json_object(str(runs.loc[run, "config"])).get("cached", "charge") for run in cached["run"].unique()}
    charged = {"charge": "charged as if trained again", "free": "charged nothing"}
    how = " or ".join(sorted(charged.get(str(rule), str(rule)) for rule in rules))
    count = "1 child has the score" if len(cached) == 1 else f"{len(cached)} children have the scores"
    return f"cached: {count} of an earlier training, and {'is' if len(cached) == 1 else 'are'} {how} (--cached charge|free|off)"


_WITHOUT_ROW: Final = "the strategy's own work after its last child, and children whose training was interrupted"


def _beside_the_budget(
    runs: pd.DataFrame, beyond: pd.DataFrame, charged: pd.Series[Any], unit: str, prices: Mapping[str, float]
) -> str:
    """Say what runs were charged beside their budgets, which the table's hours and USD leave out; "" for nothing."""
    rates = [prices[run] for run in runs.index]
    final, uncounted = (runs[name].fillna(0.0) for name in ("final_hours", "uncounted_hours"))
    children = beyond.groupby("run")["gpu_hours"].sum().reindex(runs.index, fill_value=0.0)
    named = f"{len(beyond)} uncounted {'child' if len(beyond) == 1 else 'children'} (not covered by the budget)"
    parts = {"final trainings": final, named: children, _WITHOUT_ROW: uncounted - children}
    texts = [
        f"{what}: {hours.sum():.4g} {unit}, {(hours * rates).sum():.4g} USD"
        for what, hours in parts.items()
        if hours.sum() > LEAST_SHARE * charged[runs.index].sum()
    ]
    return f"beside the budget: {'; '.join(texts)}" if texts else ""


def _download(data: str | None, protocol: str) -> None:
    from nasbench.data import load_data
    from nasbench.protocols.protocol import get_protocol

    say("downloading, if it is not there ...", err=True)
    load_data(data or get_protocol(protocol).data, download=True)
    sys.stderr.flush()
