"""Trainings that `nasbench train` makes: architecture, protocol and seed, from results files, JSON or a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench.cli.protocol_changes import USUAL_PROTOCOL, note_on_own_images
from nasbench.errors import InputError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.protocols.protocol import Protocol
    from nasbench.spaces import Architecture, Space

BEST = ":best"


class Training(NamedTuple):
    """A training that a command asks for.

    Args:
        architecture: the architecture to train.
        protocol: the training protocol.
        seed: training seed, >= 0.
        stopped_after: epochs after which the search stopped the training of the child that it is of; 0 if the search
            trained it over all epochs, for other trainings, and where the protocol is not the child's.
    """

    architecture: Architecture
    protocol: Protocol
    seed: int
    stopped_after: int = 0


def find_training(
    what: str, files: Sequence[str], protocol: str | None, changes: Mapping[str, Any], seed: int | None
) -> Training:
    """Find what to train, and how.

    Args:
        what: FILE:best, a hash or its first digits, JSON, or a published name.
        files: results files in which a hash is searched; results/*.h5 when empty.
        protocol: name of a protocol; None for that of the child in the results file, else digits.
        changes: fields of the protocol to replace.
        seed: training seed; None for that of the child, else 0.

    Returns:
        The training. Without a protocol, changes and a seed it is that of the best child, to the bit; if the search
        stopped it early, up to there: it has all epochs of the protocol.

    Raises:
        InputError: when nothing is found, or the protocol or its data has changed since the child was trained.
        UnknownName: when a published name or a protocol does not exist.
        MissingData: when there is no results file.
    """
    from nasbench.protocols.protocol import get_protocol

    child, names = _child_of(what, files)
    if child is None:
        found = _named(what)
        note_on_own_images(protocol, changes.get("data"))
        return Training(found, get_protocol(protocol or USUAL_PROTOCOL, changes), seed or 0)
    from nasbench.cli.architectures import architectures_of

    architecture = architectures_of(child)[0]
    row = child.iloc[0].to_dict()
    chosen_seed = int(row["seed"]) if seed is None else seed
    if protocol is not None:
        return Training(architecture, get_protocol(protocol, changes), chosen_seed)
    own, space = _stored(row, names, changes)
    stopped_after = 0 if changes else int(row["stop_epoch"])
    return Training(space.decode(architecture.choices), own, chosen_seed, stopped_after)


def _child_of(what: str, files: Sequence[str]) -> tuple[pd.DataFrame | None, Sequence[str]]:
    """Return the best child that a text names, as one row, and the files that were searched; None for other texts."""
    import re

    from nasbench.cli.architectures import find_children
    from nasbench.store.judged import judge
    from nasbench.store.query import Results

    if what == BEST:
        raise InputError(f"{what!r} names no results file; write it before, e.g. results/a.h5{BEST}")
    if what.endswith(BEST):
        names = [what.removesuffix(BEST), *files]
        with Results(names) as results:  # the best by what the runs are judged by, which may be no accuracy
            children, _ = judge(results.frame(stage="search"), results.runs(), results.measurements(), "val_acc")
    elif re.fullmatch(r"[0-9a-f]{3,32}", what):
        children, names = find_children(what, files)
        searched = children[children["stage"] == "search"]
        children = searched if len(searched) else children
    else:
        return None, files
    good = children[children["status"] == "ok"]
    if good.empty:
        raise InputError(f"{what!r}: no child with a score in {', '.join(names)}; see: nasbench query FILE")
    return good.nlargest(1, "val_acc"), names


def _named(what: str) -> Architecture:
    from nasbench.spaces import from_json
    from nasbench.spaces.genotypes import GENOTYPES
    from nasbench.tabular.named_networks import named_architecture

    if what.lstrip().startswith("{"):
        return from_json(what)
    if what in GENOTYPES:
        return named_architecture(what)
    if Path(what).suffix == ".h5":
        raise InputError(f"{what!r} is a results file; say which child: {what}{BEST}, or a hash and then the file")
    raise UnknownName("architecture (a hash, FILE.h5:best, JSON, or a published name)", what, GENOTYPES)


def _stored(row: Mapping[str, Any], names: Sequence[str], changes: Mapping[str, Any]) -> tuple[Protocol, Space]:
    """Return the protocol of a stored child with changes, and its space, which builds the child's networks."""
    from nasbench.protocols.protocol import get_protocol, overridden
    from nasbench.protocols.stored import config_of, named_protocol
    from nasbench.spaces import get_space
    from nasbench.store.query import Results
    from nasbench.training.verify import stored_protocol

    results = Results(list(names))
    runs = results.runs()
    # Copies of a run in several files have one configuration: the id is its digest.
    config = config_of(runs.loc[runs["run"] == row["run"], "config"].iloc[0], row["run"])
    if "protocol" not in config:
        raise InputError(f"child {row['hash'][:12]} was imported or replayed; say how to train it: --protocol NAME")
    if changes:
        own = overridden(get_protocol(*named_protocol(config)), changes)
        return own, get_space(str(row["space"]))
    same = [
        each
        for each in results.children_of(row["run"])
        if (each["stage"], each["index"], each["seed"]) == (row["stage"], row["index"], row["seed"])
    ]
    return stored_protocol(same[0], config)
