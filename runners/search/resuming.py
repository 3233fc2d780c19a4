"""Resume the unfinished searches of a results file: make plans from their stored configurations."""

from __future__ import annotations

import math
import os
import shlex
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

from nasbench.errors import InputError, NasbenchError
from nasbench.protocols.identity import with_earlier_values
from nasbench.protocols.protocol import validated
from nasbench.runners.executors.base import executor_of
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_search, plan_stored
from nasbench.runners.search.rows import stored_command
from nasbench.runners.strategies import STRATEGIES, Strategy
from nasbench.runners.strategies.source_files import names_a_file, source_of
from nasbench.store.errors import MissingResults
from nasbench.store.format.schema import TABLE
from nasbench.store.query import Results
from nasbench.texts import json_object, stored_object

Kinds = Mapping[str, type[Strategy[Any]]]

_SHOWN: Final = 3  # runs whose reasons one message has


def plans_to_resume(
    path: str | os.PathLike[str],
    run: str | None = None,
    devices: str | None = None,
    address: str | None = None,
    kinds: Kinds | None = None,
    changed_strategy: bool = False,
    left_out: Callable[[str], object] = warnings.warn,
) -> list[SearchPlan]:
    """Make the plans of a file's unfinished searches, equal to those with which they began.

    Args:
        path: the results file.
        run: id of one run; None for all that are not complete and can go on.
        devices: other devices than before, e.g. "cuda:0,cuda:1"; None for the same.
        address: address of another Ray cluster than before, for the runs that train on one; None for the same.
        kinds: stored name -> class, for strategies that are in no registry.
        changed_strategy: whether a run may go on with another version of its strategy's file than it began with.
        left_out: called with one line for each run that cannot go on where others can.

    Returns:
        The plans in the order of the file; empty if every run is complete.

    Raises:
        InputError: when there is no such run, an address is given and no run trains on a cluster, or no run can go on:
            its strategy is not registered here, or its protocol, data or strategy's file has changed.
        NasbenchError: when a run cannot go on for another reason, e.g. missing data, and no other run can.
        MissingResults, StoreError: when there is no such file, or it cannot be read.
    """
    with Results(path) as results:
        runs = results.runs()
    if run is not None and run not in set(runs["run"]):
        raise InputError(f"{path} has no run {run!r}; it has {', '.join(runs['run']) or 'none'}")
    wanted = runs[(runs["status"] != "complete") & ((runs["run"] == run) | (run is None))]
    plans: list[SearchPlan] = []
    refused: dict[str, NasbenchError] = {}
    for stored in wanted.to_dict("records"):
        try:
            plans.append(_plan(str(path), stored, devices, address, kinds or {}, changed_strategy))
        except NasbenchError as error:
            refused[str(stored["run"])] = error
    if refused and not plans:
        raise _nothing_goes_on(path, refused)
    if plans and address is not None and all(plan.config.executor != executor_of("address") for plan in plans):
        raise InputError(
            f"address {address!r} is only for executor {executor_of('address')!r}, by which none of the runs to resume in {path} "
            "trains; leave it out"
        )
    for name, reason in refused.items():
        left_out(f"run {name} is left out: {reason}")
    return plans


def _nothing_goes_on(path: str | os.PathLike[str], refused: Mapping[str, NasbenchError]) -> NasbenchError:
    """The error of the only run that cannot go on, or one that says it of all of them."""
    if len(refused) == 1:
        return next(iter(refused.values()))
    said = "; ".join(f"run {name}: {error}" for name, error in list(refused.items())[:_SHOWN])
    more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    return InputError(f"none of the {len(refused)} unfinished runs of {path} can go on: {said}{more}")


def _plan(
    path: str,
    stored: Mapping[str, Any],
    devices: str | None,
    address: str | None,
    kinds: Kinds,
    changed_strategy: bool,
) -> SearchPlan:
    run = str(stored["run"])
    _require_whole(path, run, str(stored["config"]), str(stored["provenance"]))
    config = stored_config(str(stored["config"]), devices, f"the stored configuration of run {run} of {path}")
    if address is not None and config.executor == executor_of("address"):
        config = config.model_copy(update={"address": address})
    kind = kinds.get(config.strategy)
    if kind is None:
        require_registered(path, run, config.strategy, kinds)
    else:
        require_same_file(path, run, config, kind, changed_strategy)
    plan = plan_stored(config, run, kind)
    if plan is not None:
        return replace(plan, command=stored_command(stored, config.runs_per_device))
    now = plan_search(config, kind=kind).fingerprint
    if now == stored["fingerprint"]:
        raise InputError(
            f"run {run} of {path} does not have the id of its configuration, so that it is not the search that nasbench would "
            "resume; use the file that it was copied from"
        )
    raise InputError(
        f"run {run} of {path} was made with another protocol or data "
        f"(fingerprint {stored['fingerprint']}, now {now}); resume with the version and data that made it"
    )


def _require_whole(path: str, run: str, config: str, provenance: str) -> None:
    """Refuse runs of which the file does not have what a search needs to go on."""
    source = json_object(provenance).get("merged_from")
    if isinstance(source, dict) and source.get("run") != run:
        # Its id is not that by which its checkpoints and measurements are found.
        raise InputError(
            f"run {run} of {path} is a copy of run {source.get('run')} of {source.get('file')}, which a merge kept under another "
            "id: resume it in that file, and merge again"
        )
    if not stored_object(config, f"the configuration of run {run} of {path}"):
        raise InputError(
            f"run {run} of {path} has no stored configuration, as after a repair that lost it, so that it cannot be resumed; its "
            "children can still be used: start the search again with --cache"
        )


def by_reused_scores(
    path: str | os.PathLike[str], plans: Sequence[SearchPlan], given: Iterable[str | os.PathLike[str]] | None = None
) -> list[tuple[tuple[str, ...], list[SearchPlan]]]:
    """Group plans by the scores that they may reuse: of other runs in their file or not, and of which other files.

    Args:
        path: the results file of the runs.
        plans: plans of `plans_to_resume`.
        given: other files than those with which the runs began; None for the same.

    Returns:
        (files, plans that may reuse their scores), in the order of the plans.

    Raises:
        InputError: when a file with which a run began is not there any more; the message says how to go on.
        StoreError: when such a file cannot be read.
    """
    chosen = None if given is None else tuple(os.fspath(file) for file in given)
    groups: dict[tuple[tuple[str, ...], bool], list[SearchPlan]] = {}
    for plan in plans:
        files = plan.command.cache_files if chosen is None else chosen
        groups.setdefault((files, plan.command.reuses_others), []).append(plan)
    found = [(files, group) for (files, _), group in groups.items()]
    if chosen is None:
        for files, group in found:
            _require_readable(path, files, group[0])
    return found


def _require_readable(path: str | os.PathLike[str], files: tuple[str, ...], plan: SearchPlan) -> None:
    """Refuse to go on where a file is gone with which a run began."""
    try:
        with Results(files) if files else nullcontext():
            pass
    except MissingResults as error:
        raise InputError(
            f"run {plan.run} of {path} began with scores of other files, and {error}; name them where they are "
            "now (--cache FILE, in Python cache=[FILE]), or go on without (--no-cache, cache=[])"
        ) from None


def require_same_file(
    path: str, run: str, config: SearchConfig, kind: type[Strategy[Any]], changed_strategy: bool
) -> None:
    """Refuse a strategy whose file is another one than that with which a run began.

    Args:
        path: the results file.
        run: id of the run.
        config: its stored configuration.
        kind: the strategy's class, as it is now.
        changed_strategy: whether another file is allowed.

    Raises:
        InputError: when the digest differs and that is not allowed.
    """
    source = source_of(kind)
    there = source.digest if source is not None else ""
    if changed_strategy or not config.strategy_digest or there == config.strategy_digest:
        return
    raise InputError(
        f"run {run} of {path} began with another version of {config.strategy} (SHA-256 {config.strategy_digest[:12]}..., "
        f"now {there[:12] or 'no file'}{'...' if there else ''}): its first children would be of one strategy and its last "
        "of another. Restore the file, start a new run, or go on all the same with --changed-strategy"
    )


def require_registered(path: str, run: str, strategy: str, given: Collection[str] = ()) -> None:
    """Refuse a strategy that is not registered here. Code named in a results file is never imported.

    Args:
        path: the results file.
        run: id of the run.
        strategy: its stored strategy.
        given: names of strategies that the user gave.

    Raises:
        InputError: when the strategy is not registered; the message says how to go on.
    """
    if strategy in STRATEGIES:
        return
    if names_a_file(strategy):
        other = f" {', '.join(given)} is another name, and" if given else ""
        raise InputError(
            f"run {run} of {path} was made by {strategy}, a strategy in a file, which runs only where it is named:{other} "
            f"the option is --strategy {shlex.quote(strategy)}, with the folder of the file before it"
        )
    if ":" in strategy:
        raise InputError(
            f"run {run} of {path} was made by the Python class {strategy!r}, which is not registered: resume it from "
            f"Python, nasbench.resume({path!r}, strategy={strategy.rpartition(':')[2].rpartition('.')[2]})"
        )
    raise InputError(
        f"run {run} of {path} was made by the strategy {strategy!r}, which is not registered here: resume it from "
        f"Python after @nasbench.register_strategy, or install the plug-in; registered: {', '.join(STRATEGIES)}"
    )


def stored_config(text: str, devices: str | None, what: str = "the stored configuration") -> SearchConfig:
    """Read the stored configuration of a run.

    Args:
        text: JSON, as stored.
        devices: other devices than before; None for the same.
        what: what the text is, for messages.

    Returns:
        The configuration, with the given devices.

    Raises:
        InputError: when the run is one seed of a complete table and not a search, or the text no configuration.
    """
    fields = stored_object(text, what)
    if fields.get("strategy") == TABLE:
        made = _config_of(fields, what)
        raise InputError(
            "this run is a seed of a complete table and no search; go on with, or make again: "
            f"nasbench table build --space {made.space} --protocol {made.protocol} --seeds {made.seed + 1} -o FILE"
        )
    return _config_of(fields if devices is None else {**fields, "devices": devices}, what)


def _config_of(stored: Mapping[str, Any], what: str) -> SearchConfig:
    fields = with_earlier_values(SearchConfig, stored)
    for name, field in SearchConfig.model_fields.items():
        if field.annotation is float and name in fields and fields[name] is None:
            fields[name] = math.inf  # earlier versions took it, e.g. for no time-out, and JSON has no such number
    return validated(SearchConfig, fields, what)
