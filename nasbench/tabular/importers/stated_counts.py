"""Parameters and multiply-adds that an imported table states: which of them are those of the network that a hash means.

A hash means a network without the layers that cannot reach its output, and has one count. Tables of NAS-Bench-201 may
count such layers, and then state several counts for one hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from nasbench.spaces.base import Architecture
from nasbench.spaces.nasbench201 import OPERATIONS, NasBench201Space
from nasbench.structures import Counts
from nasbench.tabular.importers.importer_base import UNKNOWN, Group
from nasbench.tabular.nasbench201_networks import network_counts

NAMES: Final = ("params", "mult_adds")
_LAYERS: Final = {place for place, name in enumerate(OPERATIONS) if name not in ("none", "skip_connect")}

Child = tuple[Architecture, dict[str, Any]]


def settle_counts(rows: Sequence[tuple[Group, Architecture, dict[str, Any]]]) -> None:
    """Put the count of its hash in the columns params and mult_adds of each row, in place.

    Where a table of NAS-Bench-201's networks is recognized, that is the closed form: all of its parameters, of cells
    without layers that cannot reach the output, are those of the benchmark's networks. In other tables, whose networks
    have an unknown size, it is what the table states for a cell without such layers, if it states one number. What the
    table states otherwise is in the columns published_params and published_mult_adds.

    Args:
        rows: rows of the table, each with its group, its architecture and its columns.
    """
    groups: dict[Group, list[Child]] = {}
    for group, architecture, scores in rows:
        groups.setdefault(group, []).append((architecture, scores))
    for group, mine in groups.items():
        closed = _closed_forms(mine, group.data)
        for name in NAMES:
            known = _one_per_hash(mine, name)
            for architecture, scores in mine:
                own, published = scores.get(name, UNKNOWN), scores.get(f"published_{name}", UNKNOWN)
                if closed is not None:
                    count = int(getattr(closed[architecture.hash], name))
                else:
                    count = known.get(architecture.hash, UNKNOWN)
                scores[name] = count
                if published == UNKNOWN and (closed is not None or own != count):
                    scores[f"published_{name}"] = own


def _closed_forms(rows: Sequence[Child], data: str) -> dict[str, Counts] | None:
    """Counts by hash, if the rows are recognized as NAS-Bench-201's networks on one of its data sets."""
    if not all(isinstance(architecture.space, NasBench201Space) for architecture, _ in rows):
        return None
    counts: dict[str, Counts] = {}
    agree = 0
    for architecture, scores in rows:
        found = counts.get(architecture.hash) or network_counts(architecture, data)
        if found is None:
            return None
        counts[architecture.hash] = found
        stated = scores.get("params", scores.get("published_params", UNKNOWN))
        if stated != UNKNOWN and not _has_idle_layers(architecture):
            if stated != found.params:
                return None
            agree += 1
    return counts if agree else None


def _one_per_hash(rows: Sequence[Child], name: str) -> dict[str, int]:
    """What is stated for the cells of a hash that have no layers without effect, where that is one number."""
    stated: dict[str, set[int]] = {}
    for architecture, scores in rows:
        value = scores.get(name, UNKNOWN)
        if value != UNKNOWN and not _has_idle_layers(architecture):
            stated.setdefault(architecture.hash, set()).add(value)
    return {digest: min(values) for digest, values in stated.items() if len(values) == 1}


def _has_idle_layers(architecture: Architecture) -> bool:
    """Whether the cell as it is spelled has layers that the output does not depend on, or that read only zeros."""
    if not isinstance(architecture.space, NasBench201Space):
        return False
    spelled = sum(choice in _LAYERS for choice in architecture.choices)
    return spelled > len(architecture.space.structure(architecture).operations)
