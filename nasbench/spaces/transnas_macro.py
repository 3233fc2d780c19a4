"""The macro space of TransNAS-Bench-101: where a network of 4 to 6 modules reduces resolution and adds channels."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from nasbench.errors import InputError
from nasbench.networks.transnas_counts import BLOCK
from nasbench.spaces.base import Architecture, Decision
from nasbench.spaces.transnas import TransnasSpace
from nasbench.structures import Chain, ChainLayer, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

FEWEST, MOST = 4, 6  # modules
MOST_REDUCTIONS, MOST_DOUBLINGS = 4, 3
LABELS: Final = ("1 plain", "2 channels x 2", "3 resolution / 2", "4 both")
_CODES: Final = (1, 2, 3, 4)
_OFFICIAL: Final = re.compile(r"(?:64-)?([1-4]{4,6})(?:-basic)?")
_TUPLE: Final = re.compile(r"[\[(]\s*[0-4](?:\s*,\s*[0-4]){3,5}\s*,?\s*[\])]")

Codes = tuple[int, ...]


@dataclass(frozen=True)
class TransnasMacroSpace(TransnasSpace):
    """A network of 4 to 6 modules of two residual blocks; a code per module says what its first block changes.

    Codes are 1 nothing, 2 doubled channels, 3 half the resolution, 4 both. One to four modules halve the resolution, and
    one to three double the channels: 3,256 networks (210, 750 and 2,296 of 4, 5 and 6 modules). No two are isomorphic.

    `random`, `mutate` and `neighbours` give these networks only, each as often as any other in `random`. `decode` takes
    every sequence of choices, because controllers write such sequences; an impossible one stands for a possible network:
    1. If module 5 is absent, module 6 takes its place.
    2. Without a module that halves the resolution, the last one does; of more than four, the last ones do not.
    3. The same for modules that double the channels, of which there are three at most.

    Source: Duan et al. 2021 (2105.11871), section 3.1, and the released code; see `TransnasSpace`. The limits are those of
        the published networks.
    """

    name: ClassVar[str] = "transnas-macro"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The code of each module in order; the fifth and sixth may be absent (choice 0)."""
        return _DECISIONS

    def codes(self, architecture: Architecture) -> Codes:
        """Return the codes of the modules.

        Args:
            architecture: an architecture of this space.

        Returns:
            4 to 6 codes of 1 to 4, of a possible network.
        """
        return _repair(_spelled(architecture.choices))

    def structure(self, architecture: Architecture) -> Chain:
        """Return the modules; see `Space.structure`."""
        return Chain(tuple(ChainLayer(BLOCK, _doubles(code), _stride(code)) for code in self.codes(architecture)))

    def form(self, architecture: Architecture) -> str:
        """Write the codes of the modules; see `Space.form`."""
        return f"{self.name}|{''.join(map(str, self.codes(architecture)))}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture whose choices are the network's own codes; see `Space.canonical`."""
        return self.of_codes(self.codes(architecture))

    def of_codes(self, codes: Sequence[int]) -> Architecture:
        """Return the architecture of a network: the inverse of `codes`.

        Args:
            codes: 4 to 6 codes of 1 to 4.

        Returns:
            The architecture.

        Raises:
            InputError: when no network of the benchmark has these codes.
        """
        if tuple(codes) not in _positions():
            raise InputError(
                f"space {self.name!r} has networks of {FEWEST} to {MOST} modules with codes 1 to 4, of which 1 to "
                f"{MOST_REDUCTIONS} halve the resolution (3, 4) and 1 to {MOST_DOUBLINGS} double the channels (2, 4), got "
                f"{list(codes)}"
            )
        return Architecture(self, _choices(codes))

    def describe(self, architecture: Architecture) -> str:
        """Write the benchmark's string, e.g. "64-2311-basic"; see `Space.describe`."""
        return f"64-{''.join(map(str, self.codes(architecture)))}-basic"

    def parse(self, text: str) -> Architecture:
        """Read the benchmark's string, or numbers.

        Args:
            text: "64-2311-basic", "2311", or "(2, 3, 1, 1)" as in NASLib's tables, which may end in zeros.

        Returns:
            The architecture.

        Raises:
            InputError: when the text is something else, or no network of the benchmark has these codes.
        """
        plain = text.strip()
        if found := _OFFICIAL.fullmatch(plain):
            return self.of_codes([int(digit) for digit in found[1]])
        if len(plain) < 100 and _TUPLE.fullmatch(plain):
            codes = list(ast.literal_eval(plain))
            while codes and codes[-1] == 0:
                codes.pop()
            return self.of_codes(codes)
        raise InputError(
            f"a network of {self.name!r} is written as '64-2311-basic' or '(2, 3, 1, 1)', codes 1 to 4, got {text[:60]!r}"
        )

    def is_possible(self, architecture: Architecture) -> bool:
        """Check whether the choices are a network's own codes, so that nothing is replaced.

        Args:
            architecture: an architecture of this space.

        Returns:
            True if it is its own canonical architecture.
        """
        return _choices(self.codes(architecture)) == architecture.choices

    def random(self, rng: np.random.Generator) -> Architecture:
        """Draw one of the 3,256 networks, each equally likely; see `Space.random`."""
        return Architecture(self, _choices(_networks()[int(rng.integers(len(_networks())))]))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one choice, drawn again until the network is possible; see `Space.mutate`."""
        parent = self.canonical(architecture)
        while True:
            mutated = super().mutate(parent, rng)
            if self.is_possible(mutated):
                return mutated

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Yield the possible networks that differ in exactly one choice; see `Space.neighbours`."""
        return filter(self.is_possible, super().neighbours(self.canonical(architecture)))

    def enumerate(self) -> Iterator[Architecture]:
        """Yield all 3,256 networks, those of four modules first."""
        return (Architecture(self, _choices(codes)) for codes in _networks())

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.transnas_counts import count_basic_network

        return count_basic_network(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module; see `networks.transnas.build_basic_network`."""
        from nasbench.networks.transnas import build_basic_network

        return build_basic_network(self.structure(architecture), scale, regularization or Regularization())


_DECISIONS: Final = tuple(
    Decision(f"module{place + 1}", len(LABELS), LABELS, "module", place)
    if place < FEWEST
    else Decision(f"module{place + 1}", len(LABELS) + 1, ("absent", *LABELS), "optional module", place)
    for place in range(MOST)
)


def _doubles(code: int) -> bool:
    return code in (2, 4)


def _stride(code: int) -> int:
    return 2 if code in (3, 4) else 1


def _is_network(codes: Codes) -> bool:
    reductions, doublings = sum(_stride(code) == 2 for code in codes), sum(map(_doubles, codes))
    return 1 <= reductions <= MOST_REDUCTIONS and 1 <= doublings <= MOST_DOUBLINGS


@lru_cache(maxsize=1)
def _networks() -> tuple[Codes, ...]:
    lengths = range(FEWEST, MOST + 1)
    return tuple(filter(_is_network, itertools.chain(*(itertools.product(_CODES, repeat=each) for each in lengths))))


@lru_cache(maxsize=1)
def _positions() -> dict[Codes, int]:
    return {codes: place for place, codes in enumerate(_networks())}


def _choices(codes: Sequence[int]) -> tuple[int, ...]:
    """Return the choices of codes: choice 0 of the first four modules is code 1, and of the others no module."""
    return (*(code - 1 for code in codes[:FEWEST]), *codes[FEWEST:], *[0] * (MOST - len(codes)))


def _spelled(choices: Sequence[int]) -> Codes:
    """Return the codes as chosen, without absent modules."""
    return (*(choice + 1 for choice in choices[:FEWEST]), *(choice for choice in choices[FEWEST:] if choice))


def _repair(codes: Codes) -> Codes:
    """Return the network that codes stand for; see `TransnasMacroSpace`."""
    reductions = _limited([_stride(code) == 2 for code in codes], MOST_REDUCTIONS)
    doublings = _limited([_doubles(code) for code in codes], MOST_DOUBLINGS)
    return tuple(1 + doubles + 2 * halves for doubles, halves in zip(doublings, reductions))


def _limited(flags: list[bool], most: int) -> list[bool]:
    """Keep the first flags that are set, up to `most`; set the last one if none is."""
    kept = [flag and sum(flags[:place]) < most for place, flag in enumerate(flags)]
    return kept if any(kept) else [*kept[:-1], True]
