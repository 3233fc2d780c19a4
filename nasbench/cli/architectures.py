"""Lookup of the architecture that a command's argument names: by JSON, or by a hash in results files."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench.errors import InputError, MissingData, printable

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.networks.skeletons import Skeleton
    from nasbench.spaces import Architecture
    from nasbench.transfer.family import Family


class Found(NamedTuple):
    """Result of a lookup: a network description and its origin.

    `name` is short: a published name or the first digits of a hash. `structure` is a value of `nasbench.structures`,
    `skeleton` the order of its cells. `architecture` is None for a published network. `family` is AmoebaNet's for its
    published cells and those of the space `amoebanet`, NASNet's for all others.
    """

    name: str
    structure: Any
    skeleton: Skeleton
    architecture: Architecture | None
    family: Family


def find_structure(what: str, files: Sequence[str]) -> Found:
    """Find a published architecture by its name, or any architecture as `find_architecture` does.

    Args:
        what: name of a published architecture, JSON, or a hash or its first digits.
        files: results files in which a hash is searched; results/*.h5 when empty.

    Returns:
        The network description with its name, skeleton and family.

    Raises:
        InputError: when no hash or several hashes begin with the digits, or the JSON does not fit its space.
        MissingData: when there is no results file to search.
    """
    from nasbench.spaces.amoebanet import AmoebaNetSpace
    from nasbench.spaces.cell_space import CellSpace
    from nasbench.spaces.genotypes import GENOTYPES, skeleton_of
    from nasbench.transfer.family import AMOEBANET, NASNET, family_of

    if what in GENOTYPES:
        return Found(what, GENOTYPES[what], skeleton_of(what), None, family_of(what))
    architecture = find_architecture(what, files)
    space = architecture.space
    skeleton: Skeleton = space.grammar.skeleton if isinstance(space, CellSpace) else "nasnet"
    family = AMOEBANET if isinstance(space, AmoebaNetSpace) else NASNET
    return Found(architecture.hash[:12], space.structure(architecture), skeleton, architecture, family)


def find_architecture(what: str, files: Sequence[str]) -> Architecture:
    """Find the architecture that a text names.

    Args:
        what: JSON as in the "encoding" line of `nasbench show`, or a hash or its first digits.
        files: results files in which a hash is searched; results/*.h5 when empty.

    Returns:
        The architecture.

    Raises:
        InputError: when no hash or several hashes begin with the digits, or the JSON does not fit its space.
        MissingData: when there is no results file to search.
    """
    if what.lstrip().startswith("{"):
        from nasbench.spaces import from_json

        return from_json(what)
    return architectures_of(children_of_hash(what, files))[0]


def children_of_hash(digits: str, files: Sequence[str]) -> pd.DataFrame:
    """Read the children of the one hash that begins with given digits.

    Args:
        digits: first hexadecimal digits of the hash.
        files: results files to read; results/*.h5 when empty.

    Returns:
        Rows of `Results.frame()`, all of one hash, at least one.

    Raises:
        InputError: when no hash or several hashes begin with the digits.
        MissingData: when there is no results file to search.
    """
    from nasbench.store.query import Results

    names = list(files) or sorted(glob.glob("results/*.h5"))
    if not names:
        raise MissingData(f"no results file given and none in results/ to find {digits!r} in: name a FILE after it")
    frame = Results(names).frame()
    found = frame[frame["hash"].astype(str).str.startswith(printable(digits))]
    distinct = sorted(set(found["hash"].astype(str)))
    if not distinct:
        raise InputError(
            f"no child in {', '.join(names)} has a hash that starts with {digits!r}; see: nasbench query FILE"
        )
    if len(distinct) > 1:
        raise InputError(f"{len(distinct)} hashes start with {digits!r}: {', '.join(distinct[:5])}; give more digits")
    return found


def architectures_of(children: pd.DataFrame) -> list[Architecture]:
    """Decode the architectures of children.

    Args:
        children: rows with the columns "space" and "choices".

    Returns:
        One architecture per row.
    """
    from nasbench.spaces import get_space
    from nasbench.spaces.stored_choices import decode_stored

    rows = zip(children["space"], children["choices"])
    return [decode_stored(get_space(str(space)), choices) for space, choices in rows]
