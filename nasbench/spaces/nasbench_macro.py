"""The space of NAS-Bench-Macro: eight layers, each an identity or one of two inverted residual blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from nasbench.errors import InputError
from nasbench.networks.inverted_residual_counts import EXPANSIONS, IDENTITY
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.structures import Chain, ChainLayer, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

OPERATIONS: Final = (IDENTITY, *EXPANSIONS)
STAGES: Final = (2, 3, 3)
LAYERS: Final = sum(STAGES)
_FIRST: Final = tuple(sum(STAGES[:stage]) for stage in range(len(STAGES)))  # the first layer of each stage


@dataclass(frozen=True)
class NasBenchMacroSpace(Space):
    """Eight layers in three stages of 2, 3 and 3; each is an identity or an inverted residual block of MobileNetV2.

    Blocks have expansion 3 and a 3x3 filter, or expansion 6 and a 5x5 filter. The first layer of a stage halves the
    resolution and doubles the channels; an identity there is a 1x1 convolution with BatchNorm.

    Two architectures have the same hash exactly when their networks are equal after the identities without such a
    convolution are removed. The 6,561 sequences of choices have 3,969 hashes, and the benchmark trained as many networks.

    Source: Su et al. 2021, "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (2103.11922), and the code of
        its benchmark, NAS-Bench-Macro. The closed-form counts equal the published ones for all 6,561.
    """

    name: ClassVar[str] = "nasbench-macro"
    default_protocol: ClassVar[str] = "nasbench-macro"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The layers in order."""
        return _DECISIONS

    def structure(self, architecture: Architecture) -> Chain:
        """Return the layers without identities that do nothing; see `Space.structure`."""
        layers = []
        for place, choice in enumerate(architecture.choices):
            if place in _FIRST:
                layers.append(ChainLayer(OPERATIONS[choice], True, 2))
            elif OPERATIONS[choice] != IDENTITY:
                layers.append(ChainLayer(OPERATIONS[choice]))
        return Chain(tuple(layers))

    def form(self, architecture: Architecture) -> str:
        """Write the digits of the canonical architecture; see `Space.form`."""
        return f"{self.name}|{self.describe(self.canonical(architecture))}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture in which the removed identities are last in their stage; see `Space.canonical`."""
        choices: list[int] = []
        for first, length in zip(_FIRST, STAGES):
            head, *rest = architecture.choices[first : first + length]
            choices += [head, *sorted(rest, key=lambda choice: OPERATIONS[choice] == IDENTITY)]
        return Architecture(self, tuple(choices))

    def describe(self, architecture: Architecture) -> str:
        """Write the benchmark's string, a digit per layer, e.g. "02012100"; see `Space.describe`."""
        return "".join(map(str, architecture.choices))

    def parse(self, text: str) -> Architecture:
        """Read the benchmark's string.

        Args:
            text: eight digits: 0 identity, 1 expansion 3 with a 3x3 filter, 2 expansion 6 with a 5x5 filter.

        Returns:
            The architecture.

        Raises:
            InputError: when the text is something else.
        """
        plain = text.strip()
        if len(plain) != LAYERS or set(plain) - set("012"):
            raise InputError(
                f"an architecture of {self.name!r} is written with {LAYERS} digits 0 to 2, e.g. '02012100', got {text[:60]!r}"
            )
        return self.decode([int(digit) for digit in plain])

    def enumerate(self) -> Iterator[Architecture]:
        """Yield all 6,561 architectures, the last layer changing fastest."""
        for choices in itertools.product(range(len(OPERATIONS)), repeat=LAYERS):
            yield Architecture(self, choices)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.inverted_residual_counts import count_inverted_residual_network

        return count_inverted_residual_network(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module; see `networks.inverted_residual.build_inverted_residual_network`."""
        from nasbench.networks.inverted_residual import build_inverted_residual_network

        return build_inverted_residual_network(self.structure(architecture), scale, regularization or Regularization())


_DECISIONS: Final = tuple(
    Decision(f"layer{place + 1}", len(OPERATIONS), OPERATIONS, "operation", place) for place in range(LAYERS)
)
