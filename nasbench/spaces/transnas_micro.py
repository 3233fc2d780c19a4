"""The cells of TransNAS-Bench-101: four nodes, six edges, four operations."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Decision
from nasbench.spaces.edge_graphs import EDGES, canonical_edge_cell, reached_operations, write_edge_cell
from nasbench.spaces.transnas import TransnasSpace
from nasbench.structures import Counts, EdgeCell, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

OPERATIONS: Final = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
NONE, SKIP = OPERATIONS.index("none"), OPERATIONS.index("skip_connect")
# A skip from the cell's input is an operation, because it has weights where the cell changes the resolution.
_IDENTITIES: Final = tuple(SKIP if source else -1 for _, source in EDGES)
_OFFICIAL: Final = re.compile(r"(?:64-41414-)?([0-3])_([0-3]{2})_([0-3]{3})")
_TUPLE: Final = re.compile(r"[\[(]\s*[0-3](?:\s*,\s*[0-3]){5}\s*,?\s*[\])]")


@dataclass(frozen=True)
class TransnasMicroSpace(TransnasSpace):
    """A cell of four nodes and six edges, each edge with one of four operations; a node is the sum of its edges.

    The network has five modules of two cells; the first cell of the first, third and fifth module halves the resolution
    and doubles the channels, and its operations on the cell's input have stride 2. There a skip is a factorized
    reduction, with weights of its own on every edge, so two skips from the input are two operations.

    Two cells have the same hash exactly when their graphs of operations are isomorphic. In these graphs "none" is no
    edge, and a skip from a node other than the input stands for the node that it reads. Operations that the input does
    not reach, or that do not reach the output, are removed. The 4,096 cells have 1,376 hashes.

    Source: Duan et al. 2021 (2105.11871), section 3.1, and the released code; see `TransnasSpace`.
    Deviation: a convolution on a node that only zeros reach is removed; in the benchmark it gives the shift of its
        BatchNorm, a learned constant.
    """

    name: ClassVar[str] = "transnas-micro"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The operations of the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2, in the order of the benchmark's string."""
        return _DECISIONS

    def structure(self, architecture: Architecture) -> EdgeCell:
        """Return the operations on paths from the input to the output, in canonical order; see `Space.structure`."""
        return _structure(architecture.choices)

    def form(self, architecture: Architecture) -> str:
        """Write the canonical graph of operations as text; see `Space.form`."""
        return _form(architecture.choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the first cell in lexicographic order among those of the same hash; see `Space.canonical`."""
        return Architecture(self, _first()[self.form(architecture)])

    def describe(self, architecture: Architecture) -> str:
        """Write the benchmark's string, e.g. "64-41414-1_02_333"; see `Space.describe`.

        It has a group of digits per node and a digit per edge: 0 none, 1 skip, 2 1x1 convolution, 3 3x3 convolution.
        """
        a, b, c, d, e, f = architecture.choices
        return f"64-41414-{a}_{b}{c}_{d}{e}{f}"

    def parse(self, text: str) -> Architecture:
        """Read the benchmark's string, or six numbers.

        Args:
            text: "64-41414-1_02_333", "1_02_333", or "(1, 0, 2, 3, 3, 3)" as in NASLib's tables.

        Returns:
            The architecture.

        Raises:
            InputError: when the text is something else.
        """
        plain = text.strip()
        if found := _OFFICIAL.fullmatch(plain):
            return self.decode([int(digit) for digit in "".join(found.groups())])
        if len(plain) < 100 and _TUPLE.fullmatch(plain):
            return self.decode(ast.literal_eval(plain))
        raise InputError(
            f"a cell of {self.name!r} is written as '64-41414-1_02_333' or '(1, 0, 2, 3, 3, 3)', digits 0 to 3, got "
            f"{text[:60]!r}"
        )

    def enumerate(self) -> Iterator[Architecture]:
        """Yield all 4,096 architectures, the last edge changing fastest."""
        return (Architecture(self, choices) for choices in _all())

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.transnas_counts import count_micro_network

        return count_micro_network(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of the canonical graph of operations; see `networks.transnas.build_micro_network`."""
        from nasbench.networks.transnas import build_micro_network

        return build_micro_network(self.structure(architecture), scale, regularization or Regularization())


_DECISIONS: Final = tuple(
    Decision(f"edge{node}<-{source}", len(OPERATIONS), OPERATIONS, "operation", index)
    for index, (node, source) in enumerate(EDGES)
)


def _all() -> Iterator[tuple[int, ...]]:
    return itertools.product(range(len(OPERATIONS)), repeat=len(EDGES))


@lru_cache(maxsize=1)
def _first() -> dict[str, tuple[int, ...]]:
    """Return form -> choices of the first cell with that form."""
    first: dict[str, tuple[int, ...]] = {}
    for choices in _all():
        first.setdefault(_form(choices), choices)
    return first


@lru_cache(maxsize=4096)
def _structure(choices: tuple[int, ...]) -> EdgeCell:
    return canonical_edge_cell(*reached_operations(choices, NONE, _IDENTITIES), OPERATIONS)


@lru_cache(maxsize=4096)
def _form(choices: tuple[int, ...]) -> str:
    return f"{TransnasMicroSpace.name}|{write_edge_cell(_structure(choices))}"
