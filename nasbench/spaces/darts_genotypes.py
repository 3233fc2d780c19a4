"""Genotypes of the space `darts`: published ones, and reading them as text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nasbench.errors import InputError
from nasbench.structures import FIRST_BLOCK, Block, Cell, CellPair

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = 4
STATES = tuple(range(FIRST_BLOCK, FIRST_BLOCK + NODES))  # which the output concatenates

_LONGEST = 10_000  # characters of a genotype; patterns would search long in longer texts
_LIST = re.compile(r"\b(normal|reduce)\s*=\s*(\[[^\]]*\])")
_CONCAT = re.compile(r"\b(?:normal|reduce)_concat\s*=\s*(?:range\(\s*2\s*,\s*6\s*\)|\[([^\]]*)\]|\(([^)]*)\))")

DARTS_GENOTYPES: Mapping[str, str] = {
    # First order. Liu, Simonyan & Yang 2019 (1806.09055), released code, cnn/genotypes.py.
    "darts_v1": (
        "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
        "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
        "('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
        "reduce_concat=[2, 3, 4, 5])"
    ),
    # Second order; the same file.
    "darts_v2": (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
        "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
        "reduce_concat=[2, 3, 4, 5])"
    ),
    # Dong & Yang 2019, "Searching for a Robust Neural Architecture in Four GPU Hours" (1910.04465), released code.
    "gdas_v1": (
        "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0), ('sep_conv_5x5', 2), "
        "('sep_conv_3x3', 3), ('skip_connect', 0), ('sep_conv_5x5', 4), ('sep_conv_3x3', 3)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('sep_conv_5x5', 2), "
        "('sep_conv_5x5', 1), ('dil_conv_5x5', 2), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_5x5', 1)], "
        "reduce_concat=[2, 3, 4, 5])"
    ),
    # Xu et al. 2020, "PC-DARTS" (1907.05737), released code, searched on CIFAR-10.
    "pc_darts_cifar": (
        "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', 1), "
        "('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), "
        "('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], "
        "reduce_concat=[2, 3, 4, 5])"
    ),
    # Chen et al. 2019, "Progressive Differentiable Architecture Search" (1904.12760), released code.
    "pdarts": (
        "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), "
        "('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], "
        "normal_concat=[2, 3, 4, 5], reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), "
        "('dil_conv_5x5', 2), ('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], "
        "reduce_concat=[2, 3, 4, 5])"
    ),
}
"""Name in small letters -> genotype."""


def read_genotype(text: str) -> CellPair:
    """Read the two cells of a genotype, without running the text.

    Args:
        text: one of
            - "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=[...], ...)", as the
              released code writes it: two pairs (operation, state) per node, outputs as a list or range(2, 6). A third
              entry of a pair, the weight that the search gave it, is left out.
            - "([(0, 6), (1, 2), ...], [...])", NASLib's compact form: pairs (state, operation), operations as indices of
              `OPERATIONS`.
            - a name of `DARTS_GENOTYPES`, in capitals or not.

    Returns:
        The cells, with their nodes in the order of the text. That they are in the space is not checked.

    Raises:
        InputError: when the text cannot be read, a cell lacks nodes, or a node is no output of its cell.

    Source: NASLib's compact form: its search_spaces/nasbench301/conversions.py. Deviation: the compact form of BANANAS
        has "none" as operation 0, so that its indices are greater by one. It looks the same, and is read wrongly if it
        has no index 7.
    """
    text = DARTS_GENOTYPES.get(text.strip().lower(), text)
    problem = InputError(
        "an architecture of space 'darts' is written Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, "
        "5], reduce=[...], reduce_concat=[2, 3, 4, 5]), as pairs of state and operation ([(0, 6), ...], [...]), or by "
        f"name ({', '.join(DARTS_GENOTYPES)}), got {text[:80]!r}"
    )
    if len(text) > _LONGEST:
        raise problem
    try:
        if text.strip().startswith(("(", "[")):
            return CellPair(*(_cell(_numbered(edges)) for edges in _two(ast.literal_eval(text.strip()))))
        found = _LIST.findall(text)
        lists = dict(found)
        if set(lists) != {"normal", "reduce"} or len(found) != 2:
            raise problem
        _check_outputs(text)
        return CellPair(
            *(_cell([(e[1], e[0]) for e in ast.literal_eval(lists[name])]) for name in ("normal", "reduce"))
        )
    except InputError:
        raise
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError):
        raise problem from None


def _two(cells: Any) -> Sequence[Any]:
    if not isinstance(cells, (tuple, list)) or len(cells) != 2:
        raise ValueError
    return cells


def _numbered(edges: Any) -> list[tuple[Any, str]]:
    """Replace the numbers of operations by their names."""
    if any(type(number) is not int or not 0 <= number < len(OPERATIONS) for _, number in edges):
        raise InputError(
            f"an operation of space 'darts' is a number from 0 to {len(OPERATIONS) - 1} in NASLib's compact form "
            f"({', '.join(OPERATIONS)}); numbers up to 7 are BANANAS's form, which counts 'none' as 0"
        )
    return [(state, OPERATIONS[number]) for state, number in edges]


def _cell(edges: list[tuple[Any, Any]]) -> Cell:
    if len(edges) != 2 * NODES or any(type(state) is not int or not isinstance(name, str) for state, name in edges):
        raise ValueError
    return Cell(tuple(Block(*first, *second) for first, second in batches(edges, 2)), STATES)


def _check_outputs(text: str) -> None:
    outputs = list(_CONCAT.finditer(text))
    if len(outputs) != text.count("_concat"):  # e.g. another range
        raise ValueError
    for found in outputs:
        listed = next((group for group in found.groups() if group is not None), "2, 3, 4, 5")
        if sorted(re.findall(r"\w+", listed)) != [str(state) for state in STATES]:
            raise InputError(f"a cell of space 'darts' puts out all of its nodes, {list(STATES)}, got [{listed}]")


def batches(items: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """Cut a sequence into parts of equal size; `itertools.batched` needs Python 3.12.

    Args:
        items: the sequence, whose length is a multiple of `size`.
        size: items per part, >= 1.

    Yields:
        The parts in order.
    """
    return zip(*(items[start::size] for start in range(size)), strict=True)
