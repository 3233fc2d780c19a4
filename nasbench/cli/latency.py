"""`nasbench latency`: measure how long networks take for one image or one batch, and store it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from nasbench.cli.options import (
    completing,
    data_option,
    pairs,
    print_table,
    protocol_names,
    set_option,
    take_over_option,
)
from nasbench.cli.output import is_quiet, note, say
from nasbench.cli.wording import count_of, measurements_text
from nasbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.measuring.latency import Row
    from nasbench.measuring.runners import Setting
    from nasbench.protocols.protocol import Protocol
    from nasbench.spaces import Architecture

METHODS = ("eager", "compile", "onnxruntime")
DIGITS_SHOWN = 12  # digits of a hash that are printed
SHOWN = 20  # networks that are printed
ENDING = ".h5"


class LatencyRequest(NamedTuple):
    """What is to be measured.

    Args:
        architectures: each hash once.
        protocol: protocol whose scale the networks have.
        file: the one results file whose children they are; None for several files, and for networks given by name.
    """

    architectures: list[Architecture]
    protocol: Protocol
    file: str | None


@click.command()
@click.argument("what", nargs=-1, required=True)
@click.option("-w", "--where", default=None, help="Of results files: only children for which this condition is true.")
@click.option(
    "--top",
    default=None,
    type=click.IntRange(1),
    metavar="N",
    help="Of results files: the N best by the mean --score of their longest trainings.",
)
@click.option("-y", "--score", default="val_acc", show_default=True, help="Score that --top chooses by.")
@click.option(
    "--protocol",
    default=None,
    shell_complete=completing(protocol_names),
    help="Protocol whose cells, filters and image size the networks have  [that of the children; otherwise digits].",
)
@data_option
@set_option
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:0, ...")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(1), help="Images in one call; repeatable  [1].")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="CPU threads of one call.")
@click.option("--method", "methods", multiple=True, type=click.Choice(METHODS), help="Repeatable  [eager].")
@click.option("-r", "--repetitions", default=50, show_default=True, type=click.IntRange(1), help="Timed calls of each.")
@click.option("--warm-up", default=5, show_default=True, type=click.IntRange(0), help="Untimed calls of each before.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the order of the calls.")
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(dir_okay=False),
    help="Results file for the measurements  [the one whose children are measured; else they are only printed].",
)
@take_over_option
def latency(
    what: Sequence[str],
    where: str | None,
    top: int | None,
    score: str,
    protocol: str | None,
    data: str | None,
    set_: Sequence[str],
    device: str,
    batches: Sequence[int],
    threads: int,
    methods: Sequence[str],
    repetitions: int,
    warm_up: int,
    seed: int,
    output: str | None,
    take_over: bool,
) -> None:
    """Measure the latency of networks, and store it beside the children.

    WHAT is results files, for all of their architectures; or any number of FILE.h5:best, JSON as `nasbench show` prints
    it, published names such as nasnet-a, and hashes or their first digits, which are found in results files named beside
    them or in results/*.h5. The calls of all networks are interleaved, so that a slow phase of the machine falls on all alike. The median of the calls is stored with the
    5% and 95% quantiles; outliers are counted and not removed. --method onnxruntime needs the extra onnx, --method
    compile a C++ compiler.

    \b
    Example:
      nasbench latency results/digits201.h5 --top 100 -o latencies.h5
      nasbench latency nasnet-a --batch 1 --batch 32 --method eager --method onnxruntime
    """
    from nasbench.measuring.latency import measure_into, measure_latency
    from nasbench.measuring.runners import METHODS, Setting

    changes: dict[str, Any] = pairs(set_, "--set")
    if data is not None:
        changes["data"] = data
    asked = _asked(what, where, top, score, protocol, changes)
    settings = [
        Setting(device, method, batch, threads)
        for method in METHODS
        if method in (methods or ("eager",))
        for batch in dict.fromkeys(batches or (1,))
    ]
    for setting in settings:
        setting.check()
        setting.require_processors()
    scale = _scale(asked.protocol)
    target = output if output is not None else asked.file

    def measured() -> list[Row]:
        with _progress(repetitions) as after_round:
            return measure_latency(
                asked.architectures,
                scale,
                settings,
                protocol=asked.protocol.name,
                data=asked.protocol.data,
                repetitions=repetitions,
                warm_up=warm_up,
                seed=seed,
                after_round=after_round,
            )

    rows = measured() if target is None else measure_into(target, measured, take_over)
    _print(rows, settings, target)


def _scale(protocol: Protocol) -> Any:
    from nasbench.data import load_data

    dataset = load_data(protocol.data)
    return protocol.scale(dataset.size, dataset.channels, len(dataset.classes))


def _asked(
    what: Sequence[str], where: str | None, top: int | None, score: str, protocol: str | None, changes: dict[str, Any]
) -> LatencyRequest:
    files = [each for each in what if each.endswith(ENDING)]
    named = [each for each in what if not each.endswith(ENDING)]
    if (where is not None or top is not None) and (named or not files):
        raise InputError("--where and --top choose children of results files: name these alone, e.g. results/demo.h5")
    found: dict[str, Architecture] = {}
    protocols: list[Protocol] = []
    if not named:
        chosen, own = _of_files(files, where, top, score, protocol, changes)
        found |= {each.hash: each for each in chosen}
        protocols.append(own)
    for each in named:
        from nasbench.cli.model_sources import find_training

        training = find_training(each, files, protocol, changes, None)
        found.setdefault(training.architecture.hash, training.architecture)
        protocols.append(training.protocol)
    names = {(each.cells, each.filters, each.stem, each.skip_reduction_input, each.data) for each in protocols}
    if len(names) > 1:
        raise InputError(
            f"these networks belong to several sizes of networks or images (protocols {_listed(protocols)}): choose "
            "one with --protocol, or measure each in a command of its own"
        )
    return LatencyRequest(list(found.values()), protocols[0], files[0] if len(files) == 1 and not named else None)


def _listed(protocols: Sequence[Protocol]) -> str:
    return ", ".join(dict.fromkeys(protocol.name for protocol in protocols))


def _of_files(
    files: Sequence[str], where: str | None, top: int | None, score: str, protocol: str | None, changes: dict[str, Any]
) -> tuple[list[Architecture], Protocol]:
    """Return the distinct architectures of the chosen children, and the protocol of their runs."""
    from nasbench.analysis.comparison.checks import require_columns
    from nasbench.cli.architectures import architectures_of
    from nasbench.cli.loading import load
    from nasbench.protocols.protocol import get_protocol

    frame, runs, _ = load(files, where)
    require_columns(frame, (score,), "the children")
    if top is not None:
        frame = _best_of(frame, top, score)
    frame = frame.drop_duplicates("hash")
    if frame.empty:
        raise InputError(f"no children with {score} in {', '.join(files)}; see: nasbench query FILE")
    own = get_protocol(protocol, changes) if protocol is not None else _protocol_of(runs, changes)
    return architectures_of(frame), own


def _best_of(frame: pd.DataFrame, top: int, score: str) -> pd.DataFrame:
    """Select the rows of the best architectures, as a front of the same children has them.

    A mean is over the children that can have the score, and of trainings that stopped at different epochs over the
    longest, with their costs from the first epoch on.

    Args:
        frame: children of the files.
        top: number of architectures, >= 1.
        score: column by which they are chosen.

    Returns:
        Rows of the frame, the best architecture first.
    """
    from nasbench.analysis.pareto.dominance import children_of_score
    from nasbench.store.format.frames import from_the_start, longest_trainings

    scored = children_of_score(from_the_start(frame), score)
    scored = longest_trainings(scored[scored["status"] == "ok"].dropna(subset=[score]), ("hash",))
    means = scored.groupby("hash", sort=False)[score].mean()
    lower_is_better = "_acc" not in score  # losses, counts and costs
    best = means.sort_values(ascending=lower_is_better, kind="stable").head(top).index
    return scored.set_index("hash", drop=False).loc[best]


def _protocol_of(runs: pd.DataFrame, changes: dict[str, Any]) -> Protocol:
    """Return the protocol of the runs from their configuration, with the user's changes."""
    from nasbench.protocols.protocol import get_protocol
    from nasbench.protocols.stored import config_of, named_protocol

    given = set()
    for text, run in zip(runs["config"], runs["run"]):
        config = config_of(text, run)
        if "protocol" not in config:
            raise InputError(
                "these children were imported or replayed; say how large their networks are: --protocol NAME"
            )
        given.add(json.dumps(named_protocol(config), sort_keys=True))
    if len(given) != 1:
        raise InputError("these runs have several protocols; say whose size the networks have: --protocol NAME")
    name, fields = json.loads(given.pop())
    return get_protocol(name, {**fields, **changes})


class _progress:
    """Context manager that shows the rounds on a terminal; its value is called after each round."""

    def __init__(self, repetitions: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=repetitions, desc="measuring", leave=False, disable=is_quiet() or None)

    def __enter__(self) -> Callable[[int], None]:
        return lambda repetition: self._bar.update(repetition - self._bar.n) and None

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _print(rows: Sequence[Row], settings: Sequence[Setting], target: str | None) -> None:
    head = ("hash", "method", "batch", "median ms", "5%", "95%", "outliers", "of")
    table = [
        (
            row["hash"][:DIGITS_SHOWN],
            row["method"],
            row["batch"],
            *(1e3 * row[name] for name in ("value", "low", "high")),
            row["outliers"],
            row["n"],
        )
        for row in sorted(rows, key=lambda row: row["value"])[:SHOWN]
    ]
    print_table(head, table)
    if len(rows) > SHOWN:
        say(f"the {SHOWN} fastest of {measurements_text(len(rows))}")
    setting = settings[0]
    note(
        f"{setting.device_name}, {count_of(setting.threads, 'thread', 'threads')}, images {rows[0]['input']}; "
        "a call has the whole batch"
    )
    for line in spread_notes(rows):
        note(line)
    if target is not None:
        say(f"{measurements_text(len(rows))} added to {Path(target)}")


def spread_notes(rows: Sequence[Row]) -> list[str]:
    """Warn if measurements scatter so much that differences between networks may be the machine's.

    Args:
        rows: measurements.

    Returns:
        At most one line, if the 95% quantile is more than 1.5 times the median for half of the networks.
    """
    wide = sum(row["high"] > 1.5 * row["value"] for row in rows)
    if 2 * wide < len(rows):
        return []
    return [
        f"the 95% quantile is more than 1.5 times the median for {wide} of {len(rows)}: other programs use this "
        "machine; measure again when it is idle, or with more --repetitions"
    ]
