"""The search space of Zoph & Le 2016: a stack of convolution layers with skip connections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.graphs import canonical_order
from nasbench.spaces.notation import read_numbers, write_numbers
from nasbench.spaces.options import check_numbers, check_one_of, check_range
from nasbench.structures import Counts, Layer, LayerStack, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

Variant = Literal["v1", "v2", "v3"]
Chain = Literal["free", "forced"]

VARIANT_FILTERS = {"v1": (24, 36, 48, 64), "v2": (24, 36, 48, 64), "v3": (6, 12, 24, 36)}
PREDICTED_STRIDES = (1, 2, 3)
MAX_LAYERS = 200
IMAGE = -1  # the image, a fixed source of the graph

_LAYER = re.compile(r"(\d+)\s+(\d+)x(\d+)(?:/(\d+)x(\d+))?,(\d+)\s*\[([\d,\s]*)\]")


@dataclass(frozen=True)
class NasSpace(Space):
    """A stack of convolution layers, each with filter size, number of filters and a set of earlier layers to read.

    A layer is convolution, BatchNorm, ReLU. Decisions of a layer, in order: filter height, filter width, [stride height
    and stride width in v2], filters, and one yes/no per earlier layer. A layer without inputs reads the image; the
    classifier reads all layers that no layer reads. Two architectures have the same hash exactly when their layer
    graphs are isomorphic: inputs are concatenated in depth, so their order only renumbers weights of the reader.

    Args:
        layers: number of predicted layers, 1 to 200 (v3: at least 3).
        variant: "v1"; "v2", which predicts strides; "v3", with two poolings and three equal convolutions per predicted
            layer.
        chain: "free", or "forced" if each layer always reads the one before it. The paper does not say which it uses.
        kernels: filter heights and widths to choose from, each 1 to 99.
        filters: numbers of filters to choose from, each 1 to 4096; empty for those of the variant: 24/36/48/64, and
            6/12/24/36 in v3.
        strides: strides to choose from in v2, each 1 to 9.
        more_filters: number added to the filters of every layer, 0 to 4096 (40 in the paper's larger v3).

    Raises:
        InputError: when an option is out of range, or strides are given to a variant that does not predict them.

    Source: Zoph & Le 2016 (1611.01578), sections 3.1, 3.3 and 4.1.
    Deviation: the paper's v3 has "2 pooling layers at layer 13 and layer 24" of its 39 convolutions, which are 13
    blocks of 3. Layer 13 ends no block; we pool after the nearest whole block: after blocks 4 and 8 of 13, and at the
    same shares (1/3 and 24/39) of any other depth.
    """

    name: ClassVar[str] = "nas"
    default_protocol: ClassVar[str] = "nas2016"

    layers: int = 15
    variant: Variant = "v1"
    chain: Chain = "free"
    kernels: tuple[int, ...] = (1, 3, 5, 7)
    filters: tuple[int, ...] = ()
    strides: tuple[int, ...] = PREDICTED_STRIDES
    more_filters: int = 0

    def __post_init__(self) -> None:
        check_one_of(self.name, "variant", self.variant, ("v1", "v2", "v3"))
        check_one_of(self.name, "chain", self.chain, ("free", "forced"))
        check_range(self.name, "layers", self.layers, 3 if self.variant == "v3" else 1, MAX_LAYERS)
        check_numbers(self.name, "kernels", self.kernels, 1, 99)
        check_numbers(self.name, "filters", self.filter_choices, 1, 4096)
        check_numbers(self.name, "strides", self.strides, 1, 9)
        check_range(self.name, "more_filters", self.more_filters, 0, 4096)
        if self.variant != "v2" and self.strides != PREDICTED_STRIDES:
            raise InputError(
                f"option 'strides' of space 'nas' needs variant=v2; variant {self.variant!r} predicts no strides"
            )
        if self.filters == VARIANT_FILTERS[self.variant]:
            object.__setattr__(self, "filters", ())  # spaces with the same choices are equal

    @property
    def filter_choices(self) -> tuple[int, ...]:
        """Numbers of filters to choose from, without `more_filters`."""
        return self.filters or VARIANT_FILTERS[self.variant]

    @property
    def convs_per_layer(self) -> int:
        """Number of equal convolutions per predicted layer."""
        return 3 if self.variant == "v3" else 1

    @property
    def poolings(self) -> tuple[int, ...]:
        """Number of predicted layers before each pooling; empty without poolings."""
        if self.variant != "v3":
            return ()
        return (2 * self.layers + 3) // 6, (48 * self.layers + 39) // 78

    def stage(self, layer: int) -> int:
        """Count the poolings before a layer.

        Args:
            layer: index of the predicted layer, from 0.

        Returns:
            Number of poolings, from 0 to the length of `poolings`.
        """
        return sum(layer >= position for position in self.poolings)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Layer by layer: filter height and width, strides in v2, filters, skips."""
        return _decisions(self)

    def structure(self, architecture: Architecture) -> LayerStack:
        """Return the layers by stage and depth, and those that the classifier reads; see `Space.structure`."""
        return _structure(architecture)

    def form(self, architecture: Architecture) -> str:
        """Write the canonical stack as text; see `Space.form`."""
        return _form(architecture)

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture with the canonical stack; see `Space.canonical`."""
        return self.from_stack(self.structure(architecture))

    def describe(self, architecture: Architecture) -> str:
        """Write the canonical stack for people; see `Space.describe`.

        E.g. "1 3x3,36 [0]; 2 3x3,48 [1]": per layer its number, height x width (with /strides in v2), filters and the
        layers that it reads; 0 is the image.
        """
        return "; ".join(
            f"{index} {layer.height}x{layer.width}{self._stride_text(layer)},{layer.filters} "
            f"[{write_numbers(layer.inputs)}]"
            for index, layer in enumerate(self.structure(architecture).layers, 1)
        )

    def _stride_text(self, layer: Layer) -> str:
        return f"/{layer.stride_height}x{layer.stride_width}" if self.variant == "v2" else ""

    def parse(self, text: str) -> Architecture:
        """Read an architecture in the notation of `describe`.

        Args:
            text: the layers in topological order, with ";" between.

        Returns:
            The architecture, with its layers in the order of the text.

        Raises:
            InputError: when the text cannot be read or its stack is not in the space.
        """
        layers = []
        for index, part in enumerate(text.strip().split(";")):
            match = _LAYER.fullmatch(part.strip())
            if match is None or int(match[1]) != index + 1:
                raise InputError(f"expected a layer like '{index + 1} 3x3,36 [0]', got {part.strip()!r}")
            height, width, stride_height, stride_width, filters = (
                int(value or 1) for value in match.group(2, 3, 4, 5, 6)
            )
            inputs = read_numbers(match[7])
            layers.append(Layer(height, width, filters, inputs, stride_height, stride_width, self.stage(index)))
        return self.from_stack(LayerStack(tuple(layers), _unread(layers), self.convs_per_layer))

    def from_stack(self, stack: LayerStack) -> Architecture:
        """Return the architecture of a layer stack: the inverse of `structure`, up to isomorphism.

        Args:
            stack: layers in topological order.

        Returns:
            The architecture.

        Raises:
            InputError: when the stack is not in the space; names the first reason.
        """
        where = f"space {self.spec!r}"
        if len(stack.layers) != self.layers or stack.convs_per_layer != self.convs_per_layer:
            raise InputError(
                f"{where} has {self.layers} layers of {self.convs_per_layer} convolutions, "
                f"got {len(stack.layers)} of {stack.convs_per_layer}"
            )
        if tuple(sorted(stack.out)) != _unread(stack.layers):
            raise InputError(
                f"{where}: the classifier reads the unread layers {_unread(stack.layers)}, got {stack.out}"
            )
        choices: list[int] = []
        for index, layer in enumerate(stack.layers):
            choices += self._layer_choices(index, layer)
        return self.decode(choices)

    def _layer_choices(self, index: int, layer: Layer) -> list[int]:
        where = f"layer {index + 1} in space {self.spec!r}"
        if layer.stage != self.stage(index):
            raise InputError(f"{where} is of stage {self.stage(index)}, got {layer.stage}")
        strides = self.strides if self.variant == "v2" else (1,)
        wanted = [
            ("height", layer.height, self.kernels),
            ("width", layer.width, self.kernels),
            ("stride height", layer.stride_height, strides),
            ("stride width", layer.stride_width, strides),
            ("filters", layer.filters, tuple(filters + self.more_filters for filters in self.filter_choices)),
        ]
        for what, value, allowed in wanted:
            if value not in allowed:
                raise InputError(f"{where}: {what} is one of {', '.join(map(str, allowed))}, got {value}")
        inputs, forced = set(layer.inputs), self.chain == "forced" and index > 0
        fits = inputs == {0} or (bool(inputs) and inputs <= set(range(1, index + 1)))
        if not fits or (forced and index not in inputs):
            rule = f"layer {index} and any before it" if forced else f"the image (0) alone or layers 1 to {index}"
            raise InputError(f"{where} reads {rule}, got {layer.inputs}")
        predicted = [item for item in wanted if self.variant == "v2" or not item[0].startswith("stride")]
        skips = [int(source + 1 in inputs) for source in range(_skip_sources(self, index))]
        return [allowed.index(value) for _, value, allowed in predicted] + skips

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.layer_counts import count_layer_stack

        return count_layer_stack(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of the canonical stack; see `networks.layers.build_layer_stack`."""
        from nasbench.networks.layers import build_layer_stack

        return build_layer_stack(self.structure(architecture), scale, regularization or Regularization())


def _skip_sources(space: NasSpace, layer: int) -> int:
    """Return the number of earlier layers with a skip decision; in a forced chain, the layer just before has none."""
    return max(0, layer - 1) if space.chain == "forced" else layer


def _unread(layers: list[Layer] | tuple[Layer, ...]) -> tuple[int, ...]:
    read = {source for layer in layers for source in layer.inputs}
    return tuple(index for index in range(1, len(layers) + 1) if index not in read)


@lru_cache(maxsize=64)
def _decisions(space: NasSpace) -> tuple[Decision, ...]:
    parts: list[tuple[str, tuple[int, ...]]] = [("filter_height", space.kernels), ("filter_width", space.kernels)]
    if space.variant == "v2":
        parts += [("stride_height", space.strides), ("stride_width", space.strides)]
    parts.append(("filters", tuple(filters + space.more_filters for filters in space.filter_choices)))
    decisions: list[Decision] = []
    for layer in range(space.layers):
        for part, values in parts:
            labels = tuple(map(str, values))
            decisions.append(Decision(f"layer{layer + 1}/{part}", len(labels), labels, part, layer))
        for source in range(_skip_sources(space, layer)):
            name = f"layer{layer + 1}/skip{source + 1}"
            decisions.append(Decision(name, 2, ("no", "yes"), "skip", layer, "skip", source))
    return tuple(decisions)


def _spelled(space: NasSpace, choices: tuple[int, ...]) -> list[Layer]:
    """Return the layers as chosen; inputs are numbered from 1, and 0 is the image."""
    taken = iter(choices)
    layers = []
    for index in range(space.layers):
        height, width = space.kernels[next(taken)], space.kernels[next(taken)]
        strides = (1, 1)
        if space.variant == "v2":
            strides = space.strides[next(taken)], space.strides[next(taken)]
        filters = space.filter_choices[next(taken)] + space.more_filters
        inputs = [source + 1 for source in range(_skip_sources(space, index)) if next(taken)]
        if space.chain == "forced" and index:
            inputs.append(index)
        layers.append(Layer(height, width, filters, tuple(inputs) or (0,), *strides, space.stage(index)))
    return layers


@lru_cache(maxsize=4096)
def _structure(architecture: Architecture) -> LayerStack:
    space = architecture.space
    assert isinstance(space, NasSpace)
    layers = _spelled(space, architecture.choices)
    out = set(_unread(layers))
    labels = [
        (index in out, layer.filters, layer.height, layer.width, layer.stride_height, layer.stride_width)
        for index, layer in enumerate(layers, 1)
    ]
    inputs = [[(source - 1, 0) for source in layer.inputs] for layer in layers]  # the image becomes IMAGE
    order = canonical_order(labels, inputs, [layer.stage for layer in layers])
    place = {IMAGE: 0, **{node: position for position, node in enumerate(order, 1)}}
    ordered = []
    for node in order:
        layer = layers[node]
        sources = tuple(sorted([place[source] for source, _ in inputs[node]]))
        ordered.append(
            Layer(
                layer.height, layer.width, layer.filters, sources, layer.stride_height, layer.stride_width, layer.stage
            )
        )
    return LayerStack(tuple(ordered), tuple(sorted(place[index - 1] for index in out)), space.convs_per_layer)


@lru_cache(maxsize=16384)
def _form(architecture: Architecture) -> str:
    stack = architecture.space.structure(architecture)
    layers = (
        f"{layer.stage}:{layer.height}x{layer.width}/{layer.stride_height}x{layer.stride_width}/{layer.filters}"
        f"<{','.join(map(str, layer.inputs))}"
        for layer in stack.layers
    )
    return f"nas|{stack.convs_per_layer}|{';'.join(layers)}>{','.join(map(str, stack.out))}"
