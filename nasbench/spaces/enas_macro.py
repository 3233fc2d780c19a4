"""The macro search space of ENAS: a chain of layers, each with an operation and any set of skips."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from nasbench.errors import InputError, did_you_mean
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.notation import read_numbers, write_numbers
from nasbench.spaces.options import check_range, check_words
from nasbench.structures import Counts, MacroLayer, MacroStack, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

SHORT_NAMES = {
    "conv_3x3": "conv3",
    "sep_conv_3x3": "sep3",
    "conv_5x5": "conv5",
    "sep_conv_5x5": "sep5",
    "avg_pool_3x3": "avg3",
    "max_pool_3x3": "max3",
}
LONG_NAMES = {short: name for name, short in SHORT_NAMES.items()}
OPERATIONS = tuple(SHORT_NAMES)
MAX_LAYERS = 200

_LAYER = re.compile(r"(\d+)\s+(\w+)\s*\[([\d,\s]*)\]")


@dataclass(frozen=True)
class EnasMacroSpace(Space):
    """A chain of L layers; a layer has an operation on the layer before it, and any set of skips from earlier layers.

    State 0 is the stem, state k is layer k. The operation of layer k reads state k - 1. The layer's skips are a set of
    the states 0 to k - 2; they join the result of the operation. Decisions of a layer, in order: its operation, then
    one yes/no per possible skip. Since every layer reads the one before it, no two architectures have isomorphic
    graphs, so each architecture is its own canonical one. The choices in order are the released code's encoding of an
    architecture ("arc").

    Args:
        layers: L, 3 to 200.
        operations: operations to choose from, some or all of the paper's six.

    Raises:
        InputError: when an option is out of range.

    Source: Pham et al. 2018 (1802.03268), section 2.3: L = 12, 6^12 x 2^66 = 1.6e29 architectures. Reductions come
    after layers L/3 and 2L/3, rounded down as in the released code: with t = L/3 rounded down, after layers t and 2t.
    """

    name: ClassVar[str] = "enas-macro"

    layers: int = 12
    operations: tuple[str, ...] = OPERATIONS

    def __post_init__(self) -> None:
        check_range(self.name, "layers", self.layers, 3, MAX_LAYERS)
        check_words(self.name, "operations", self.operations, OPERATIONS)

    def stage(self, layer: int) -> int:
        """Count the reductions before a layer.

        Args:
            layer: index of the layer, from 0.

        Returns:
            0, 1 or 2.
        """
        third = self.layers // 3
        return (layer >= third) + (layer >= 2 * third)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Layer by layer: the operation, then the skips, that from the oldest state first.

        The `source` of a skip is the number of its state. State i is also what layer i (from 0) reads; the released
        code's controller attends to its step for layer i to decide such a skip.
        """
        return _decisions(self)

    def structure(self, architecture: Architecture) -> MacroStack:
        """Return the layers as chosen; see `Space.structure`. All of them reach the output."""
        taken = iter(architecture.choices)
        layers = []
        for index in range(self.layers):
            op = self.operations[next(taken)]
            skips = tuple([state for state in range(index) if next(taken)])
            layers.append(MacroLayer(op, skips, self.stage(index)))
        return MacroStack(tuple(layers))

    def form(self, architecture: Architecture) -> str:
        """Write stage, operation and skips of each layer as text; see `Space.form`."""
        layers = self.structure(architecture).layers
        return "enas-macro|" + ";".join(f"{x.stage}:{x.op}<{','.join(map(str, x.skips))}" for x in layers)

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture itself, because no two of this space have one hash; see `Space.canonical`."""
        return architecture

    def describe(self, architecture: Architecture) -> str:
        """Write number, operation and skips of each layer for people; see `Space.describe`.

        E.g. "1 conv3 []; 2 sep5 [0]; 3 max3 [0,1]"; 0 is the stem.
        """
        layers = enumerate(self.structure(architecture).layers, 1)
        return "; ".join(f"{number} {SHORT_NAMES[x.op]} [{write_numbers(x.skips)}]" for number, x in layers)

    def parse(self, text: str) -> Architecture:
        """Read an architecture in the notation of `describe`.

        Args:
            text: the layers in order, separated by ";". Operations have their short or full names.

        Returns:
            The architecture.

        Raises:
            InputError: when the text cannot be read or its layers are not in the space.
        """
        layers = []
        for index, part in enumerate(text.strip().split(";")):
            match = _LAYER.fullmatch(part.strip())
            if match is None or int(match[1]) != index + 1:
                raise InputError(f"expected a layer like '{index + 1} conv3 [0]', got {part.strip()!r}")
            op = LONG_NAMES.get(match[2], match[2])
            layers.append(MacroLayer(op, read_numbers(match[3]), self.stage(index)))
        return self.from_stack(MacroStack(tuple(layers)))

    def from_stack(self, stack: MacroStack) -> Architecture:
        """Return the architecture of a stack: the inverse of `structure`.

        Args:
            stack: the layers in order.

        Returns:
            The architecture.

        Raises:
            InputError: when the stack is not in the space; names the first reason.
        """
        where = f"space {self.spec!r}"
        if len(stack.layers) != self.layers:
            raise InputError(f"{where} has {self.layers} layers, got {len(stack.layers)}")
        choices: list[int] = []
        for index, layer in enumerate(stack.layers):
            if layer.op not in self.operations:
                hint = did_you_mean(layer.op, self.operations)
                raise InputError(
                    f"{where}: layer {index + 1} has {layer.op!r}{hint}; allowed: {', '.join(self.operations)}"
                )
            if not set(layer.skips) <= set(range(index)):
                raise InputError(f"{where}: layer {index + 1} skips to states below {index}, got {layer.skips}")
            if layer.stage != self.stage(index):
                raise InputError(f"{where}: layer {index + 1} is of stage {self.stage(index)}, got {layer.stage}")
            choices += [self.operations.index(layer.op), *(int(state in layer.skips) for state in range(index))]
        return self.decode(choices)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.macro_counts import count_macro_network

        return count_macro_network(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build a torch module with weights of its own; see `networks.macro.build_macro_network`."""
        from nasbench.networks.macro import build_macro_network

        return build_macro_network(self.structure(architecture), scale, regularization or Regularization())


@lru_cache(maxsize=64)
def _decisions(space: EnasMacroSpace) -> tuple[Decision, ...]:
    decisions: list[Decision] = []
    for layer in range(space.layers):
        name = f"layer{layer + 1}"
        decisions.append(Decision(f"{name}/operation", len(space.operations), space.operations, "operation", layer))
        decisions += [
            Decision(f"{name}/skip{state}", 2, ("no", "yes"), "skip", layer, "skip", state) for state in range(layer)
        ]
    return tuple(decisions)
