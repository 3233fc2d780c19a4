"""Lookup of the architecture that a command's argument names: by JSON, or by a hash in results files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nasbench.errors import InputError, MissingData, printable

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.networks.skeletons import Skeleton
    from nasbench.spaces import Architecture
    from nasbench.transfer.family import Family


USUAL_FILES: Final = "results/*.h5"  # where a hash is searched if no file is named


class FoundChildren(NamedTuple):
    """Children of one hash.

    Attributes:
        children: rows of `Results.frame()`.
        files: names of the results files that have them.
    """

    children: pd.DataFrame
    files: list[str]


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
    """Read the children of the one hash that begins with given digits, as `find_children` does.

    Args:
        digits: first hexadecimal digits of the hash.
        files: results files to read; results/*.h5 when empty.

    Returns:
        Rows of `Results.frame()`, all of one hash, at least one.

    Raises:
        InputError: when no hash or several hashes begin with the digits.
        MissingData: when there is no results file to search.
    """
    return find_children(digits, files).children


def find_children(digits: str, files: Sequence[str]) -> FoundChildren:
    """Find the children of the one hash that begins with given digits, and the files that have them.

    Files in results/ that cannot be read, such as surrogates, are left out where no file is named: the error names them if
    the hash is nowhere else.

    Args:
        digits: first hexadecimal digits of the hash.
        files: results files to read; results/*.h5 when empty.

    Returns:
        The children and their files, at least one each.

    Raises:
        InputError: when no hash or several hashes begin with the digits.
        MissingData: when there is no results file to search.
        StoreError: when a file in `files` cannot be read.
    """
    from nasbench.store.errors import StoreError
    from nasbench.store.query import Results, find_files

    names = find_files(list(files) or USUAL_FILES, missing_ok=not files)
    faults: dict[str, str] = {}
    holders: list[str] = []
    distinct: set[str] = set()
    for name in names:
        try:
            hashes = Results(name).frame(["hash"])["hash"].astype(str)
        except StoreError as error:
            if files:
                raise
            faults[name] = str(error)
            continue
        here = set(hashes[hashes.str.startswith(printable(digits))])
        holders += [name] if here else []
        distinct |= here
    left_out = f"; left out: {'; '.join(faults.values())}" if faults else ""
    if len(faults) == len(names):
        raise MissingData(
            f"no results file given and none in results/ to find {digits!r} in: name a FILE after it{left_out}"
        )
    if not distinct:
        searched = ", ".join(name for name in names if name not in faults)
        raise InputError(
            f"no child in {searched} has a hash that starts with {digits!r}; see: nasbench query FILE{left_out}"
        )
    if len(distinct) > 1:
        raise InputError(
            f"{len(distinct)} hashes start with {digits!r}: {', '.join(sorted(distinct)[:5])}; give more digits"
        )
    frame = Results(holders).frame()
    return FoundChildren(frame[frame["hash"].isin(distinct)], holders)


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
