"""`nasbench score`: zero-cost scores of architectures, and their rank correlation with trained accuracies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.architectures import architectures_of, find_architecture
from nasbench.cli.options import completing, pairs, print_table, protocol_names, set_option, space_names
from nasbench.cli.output import is_quiet, note, say
from nasbench.cli.outputs import put
from nasbench.errors import InputError, UnknownName
from nasbench.outputs import STANDARD_OUTPUT, ending_of
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.protocols.protocol import Protocol
    from nasbench.runners.replay.replay import Setting
    from nasbench.spaces import Architecture

DIGITS_SHOWN = 12  # digits of a hash that are printed


def score_names() -> Iterable[str]:
    """List the registered zero-cost scores."""
    from nasbench.zero_cost import ZERO_COST

    return ZERO_COST


@click.command()
@click.argument("what", nargs=-1)
@click.option("--scores", default=None, shell_complete=completing(score_names), help="Comma-separated names [all].")
@click.option("--all", "all_", is_flag=True, help="Every score; the same as without --scores.")
@click.option(
    "--protocol",
    default=None,
    shell_complete=completing(protocol_names),
    help="Protocol for data and network scale [digits; with --correlate that of the files].",
)
@set_option
@click.option(
    "--seed",
    default=0,
    type=click.IntRange(0),
    show_default=True,
    help="Seed of weights, minibatch and random architectures.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:0, ...")
@click.option(
    "--random",
    "random_",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Score N random architectures of --space.",
)
@click.option(
    "--space", default=None, shell_complete=completing(space_names), help="Space of the architectures of --random."
)
@click.option("--correlate", is_flag=True, help="Print the rank correlation of each score with the children's val_acc.")
@click.option(
    "--shared",
    multiple=True,
    metavar="STRATEGY",
    help="With --correlate, in place of zero-cost scores: accuracies by the weights that a strategy shares, e.g. "
    "darts:epochs=30; trained by the protocol of the files unless it has the option protocol; repeatable.",
)
@click.option(
    "-n",
    "--head",
    default=None,
    type=click.IntRange(1),
    help="With --correlate: N architectures, drawn at random by --seed.",
)
@click.option("-o", "--output", default=None, type=click.Path(dir_okay=False), help="Write the scores as CSV, too.")
def score(
    what: Sequence[str],
    scores: str | None,
    all_: bool,
    protocol: str | None,
    set_: Sequence[str],
    seed: int,
    device: str,
    random_: int,
    space: str | None,
    correlate: bool,
    shared: Sequence[str],
    head: int | None,
    output: str | None,
) -> None:
    """Score untrained networks: naswot, synflow, jacob_cov, snip, grasp, fisher, zen, params and others, or all.

    WHAT is an architecture: JSON as `nasbench show` prints it, or a hash or its first digits, found in the files named
    after it or in results/*.h5. With --correlate it is results files. A larger score predicts a better network.

    \b
    Example:
      nasbench score 1f3a9c results/demo.h5 --scores naswot,synflow
      nasbench score --all --random 5 --space nasbench201
      nasbench score results/demo.h5 --correlate -o scores.csv
      nasbench score results/digits201.h5 --correlate --shared darts --shared rs_ws -n 100
    """
    if shared:
        if not correlate or scores is not None or all_ or protocol is not None or set_:
            raise InputError(
                "--shared goes with --correlate, without --scores, --all, --protocol and --set: the options of the strategy "
                "say what is trained, e.g. --shared darts:protocol=digits,epochs=30"
            )
        _correlate_shared(what, shared, seed, head, output)
        return
    if all_ and scores is not None:
        raise InputError("--all scores by every score: give it or --scores, not both")
    names = _names(scores)
    changes: dict[str, Any] = pairs(set_, "--set")
    if correlate:
        if random_ or not what:
            raise InputError("--correlate takes results files: nasbench score FILE.h5 --correlate")
        _correlate(what, names, protocol, changes, seed, device, head, output)
        return
    from nasbench.protocols.protocol import get_protocol

    chosen = _chosen(what, random_, space, seed)
    frame = _scored(chosen, names, get_protocol(protocol or "digits", changes), seed, device)
    if len(chosen) == 1:
        print_table(
            ("score", "value", "seconds"),
            [(name, _text(frame[name][0]), float(frame[f"{name}_seconds"][0])) for name in names],
        )
    else:
        print_table(("hash", *names), _by_hash(frame, names))
        print_table(("score", "seconds each"), [(name, float(frame[f"{name}_seconds"].mean())) for name in names])
    _write(frame, output)


def _names(text: str | None) -> list[str]:
    known = list(score_names())
    names = known if text is None else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UnknownName("zero-cost score", name, known)
    if not names:
        raise InputError(f"--scores names none of {', '.join(known)}")
    return list(dict.fromkeys(names))


def _chosen(what: Sequence[str], count: int, space: str | None, seed: int) -> list[Architecture]:
    if count:
        if what or space is None:
            raise InputError("--random N scores architectures of --space and no others: --random 5 --space nasbench201")
        return _random(count, space, seed)
    if not what:
        raise InputError("name an architecture (JSON or a hash), or give --random N --space SPACE")
    return [find_architecture(what[0], what[1:])]


def _random(count: int, spec: str, seed: int) -> list[Architecture]:
    import numpy as np

    from nasbench.spaces import get_space

    rng, space = np.random.default_rng(seed), get_space(spec)
    return [space.random(rng) for _ in range(count)]


def _scored(
    architectures: Sequence[Architecture], names: Sequence[str], protocol: Protocol, seed: int, device: str
) -> pd.DataFrame:
    """Make one row per architecture: hash, each score, and each score's seconds."""
    import pandas as pd
    from tqdm import tqdm

    from nasbench.zero_cost import zero_cost_score

    rows = []
    for architecture in tqdm(
        architectures, "scoring", leave=False, disable=(is_quiet() or None) if len(architectures) > 1 else True
    ):
        row: dict[str, Any] = {"hash": architecture.hash}
        for name in names:
            row[name], row[f"{name}_seconds"] = zero_cost_score(architecture, name, protocol, seed, device)
        rows.append(row)
    return pd.DataFrame(rows)


def _by_hash(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, ...]]:
    rows = frame[["hash", *names]].itertuples(index=False)
    return [(key[:DIGITS_SHOWN], *map(_text, values)) for key, *values in rows]


def _text(value: float) -> str:
    """Format a score with more digits than usual, because scores such as jacob_cov differ only in late digits."""
    return f"{value:.8g}"


def _correlate(
    files: Sequence[str],
    names: Sequence[str],
    protocol: str | None,
    changes: dict[str, Any],
    seed: int,
    device: str,
    head: int | None,
    output: str | None,
) -> None:
    from nasbench.analysis.statistics.agreement import mean_by_hash, rank_agreement
    from nasbench.protocols.protocol import get_protocol
    from nasbench.store.query import Results

    results = Results(list(files))
    trained = _drawn(mean_by_hash(results.frame()), head, seed)
    chosen = _protocol_of(results.runs(), changes) if protocol is None else get_protocol(protocol, changes)
    scored = _scored(architectures_of(trained), names, chosen, seed, device)
    frame = trained.join(scored.drop(columns="hash"))
    table = rank_agreement(frame, names)
    seconds = [float(frame[f"{name}_seconds"].mean()) for name in names]
    print_table(
        (*table.columns, "seconds each"), [(*row, each) for row, each in zip(table.itertuples(index=False), seconds)]
    )
    _write(frame, output)


def _correlate_shared(
    files: Sequence[str], strategies: Sequence[str], seed: int, head: int | None, output: str | None
) -> None:
    from nasbench.analysis.statistics.agreement import mean_by_hash, rank_agreement
    from nasbench.store.query import Results

    if not files:
        raise InputError("--correlate takes results files: nasbench score FILE.h5 --correlate --shared darts")
    for text in strategies:
        _sharing(text, "")  # a wrong name before the files are read
    results = Results(list(files))
    runs = results.runs()
    spaces = set(runs["space"])
    space = spaces.pop() if len(spaces) == 1 else ""
    # All of them, before the first one is trained.
    settings = {text: _by_protocol_of(runs, _sharing(text, space)) for text in strategies}
    trained = _drawn(mean_by_hash(results.frame()), head, seed)
    architectures = architectures_of(trained)
    seconds = []
    for text, setting in settings.items():
        began = time.perf_counter()
        trained[text] = _shared_scores(setting, architectures, seed)
        seconds.append(time.perf_counter() - began)
    table = rank_agreement(trained, list(settings))
    print_table(
        (*table.columns, "seconds"), [(*row, each) for row, each in zip(table.itertuples(index=False), seconds)]
    )
    _write(trained, output)


def _drawn(trained: pd.DataFrame, count: int | None, seed: int) -> pd.DataFrame:
    """Draw rows at random: the first ones of a table or a search are not like the others."""
    if count is None or count >= len(trained):
        return trained
    import numpy as np

    places = np.sort(np.random.default_rng(seed).choice(len(trained), size=count, replace=False))
    note(f"{count:,} of {len(trained):,} architectures, drawn at random (seed {seed})", err=True)
    return trained.iloc[places].reset_index(drop=True)


def _shared_scores(setting: Setting, architectures: Sequence[Architecture], seed: int) -> list[float]:
    """Train the super-network of a strategy, and score architectures with it."""
    from nasbench.runners.strategies.one_shot import OneShotStrategy

    spaces = {each.space.spec for each in architectures}
    if len(spaces) > 1:
        raise InputError(
            f"these architectures are of {len(spaces)} spaces: {', '.join(sorted(spaces))}; name one's files"
        )
    strategy = setting.kind(architectures[0].space, seed, setting.config)
    assert isinstance(strategy, OneShotStrategy)
    used = strategy.super_protocol
    note(
        f"{setting.text}: super-network by protocol {used.name}, data {used.data}, cells {used.cells}, filters {used.filters}",
        err=True,
    )
    found: list[float] = strategy.score(architectures)
    return found


def _by_protocol_of(runs: pd.DataFrame, setting: Setting) -> Setting:
    """Take the protocol of the runs, unless the strategy's options name one."""
    if "protocol" in setting.config.model_fields_set:
        return setting
    try:
        protocol = _protocol_of(runs, {})
    except InputError as error:
        raise InputError(str(error).replace("--protocol NAME", f"--shared {setting.name}:protocol=NAME")) from None
    return replace(setting, config=setting.config.within_run(protocol))


def _sharing(text: str, space: str) -> Setting:
    """Read a strategy with its options for a space, "" if it is not known; refuse one that shares no weights."""
    from nasbench.runners.replay.replay import Setting
    from nasbench.runners.strategies.one_shot import OneShotStrategy
    from nasbench.runners.strategies.option_texts import options_of
    from nasbench.runners.strategies.source_files import split_strategy

    name, options = split_strategy(text)
    setting = Setting.of(name, options_of(name, options), space=space)
    if not issubclass(setting.kind, OneShotStrategy):
        raise InputError(
            f"strategy {name!r} shares no weights; --shared takes darts, drnas, enas, gdas, pcdarts or rs_ws"
        )
    return setting


def _protocol_of(runs: pd.DataFrame, changes: dict[str, Any]) -> Protocol:
    """Protocol of the runs from their configuration, with the user's changes."""
    from nasbench.protocols.protocol import get_protocol
    from nasbench.protocols.stored import config_of, named_protocol

    configs = [config_of(text, run) for text, run in zip(runs["config"], runs["run"])]
    given = {json.dumps(named_protocol(config), sort_keys=True) for config in configs}
    if len(given) != 1:
        raise InputError(
            "these runs configure their protocol differently; say which one to score with: --protocol NAME"
        )
    name, fields = json.loads(given.pop())
    return get_protocol(name, {**fields, **changes})


def _write(frame: pd.DataFrame, output: str | None) -> None:
    if output is None:
        return
    if output != STANDARD_OUTPUT:
        ending_of(output, (".csv",))
    if put(output, csv_cells(frame).to_csv(index=False)):
        say(f"wrote {output}")
