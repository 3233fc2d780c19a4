"""The cases of the self-test of kernels: the layers of the networks of all spaces, and shapes to test them on."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, NamedTuple, get_args

LayerName = Literal[
    "same_conv", "valid_conv", "padded_conv", "biased_conv", "slot_conv", "reduction", "slot_reduction",
    "max_pool", "avg_pool", "padded_max_pool", "padded_avg_pool", "stage_pool", "inner_max_pool", "inner_avg_pool", "halving_avg_pool",
    "linear", "classifier", "batch_norm",
]  # fmt: skip
"""Names of layers; `nasbench.kernel_tests.case_layers` builds them."""

Layout = Literal["channels_last", "contiguous", "sliced"]
"""Memory format of the input; "sliced" is the first channels of a larger map, as in NAS-Bench-101's cells."""

Gradient = Literal["same", "contiguous", "expanded"]
"""Memory format of the output's gradient: that of the output, contiguous, or one number per map expanded to its size,
as the gradient of a mean."""

Precision = Literal["float32", "bfloat16"]
Channels = Literal["free", "depthwise", "equal", "even", "towers"]

MAX_MULT_ADDS: Final = 1 << 29  # of a case's forward pass: some seconds, most of them for the reference
MAX_ELEMENTS: Final = 1 << 22  # of input and output; for max pools times the filter's area, as the reference needs it
USUAL_MULT_ADDS: Final = 1 << 24  # some milliseconds; only one in a hundred larger random cases is used
CONVOLUTIONS: Final = frozenset({"same_conv", "valid_conv", "padded_conv", "slot_conv", "biased_conv"})
OWN_WAY: Final = frozenset({*CONVOLUTIONS - {"biased_conv"}, "reduction", "slot_reduction", "max_pool"})
"""Layers for which the suite may call other operations than torch's plain one; only they have `Case.plain`."""


@dataclass(frozen=True)
class Case:
    """A layer and the shape of its input, for a forward and a backward pass.

    Args:
        layer: name of the layer.
        batch: number of images.
        inputs: input channels (features for "linear").
        outputs: output channels; equal to `inputs` for pools and BatchNorm.
        height: height of the input; 1 for "linear".
        width: width of the input; 1 for "linear".
        kernel: height and width of the filter.
        stride: vertical and horizontal stride.
        dilation: dilation of the filter.
        groups: number of groups of channels.
        layout: memory format of the input.
        gradient: memory format of the output's gradient.
        precision: number format, as in a protocol.
        plain: True to call torch's operation in place of the suite's layer.
    """

    layer: LayerName
    batch: int
    inputs: int
    outputs: int
    height: int
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    groups: int = 1
    layout: Layout = "channels_last"
    gradient: Gradient = "same"
    precision: Precision = "float32"
    plain: bool = False

    def __str__(self) -> str:
        parts = [f"{self.batch}x{self.inputs}x{self.height}x{self.width}", f"outputs={self.outputs}"]
        if self.layer not in ("linear", "classifier", "batch_norm"):
            parts.append("kernel={}x{} stride={}x{}".format(*self.kernel, *self.stride))
        parts += [f"dilation={self.dilation}"] * (self.dilation > 1) + [f"groups={self.groups}"] * (self.groups > 1)
        parts.append(self.layout)
        if self.gradient != "same":
            parts.append(f"gradient={self.gradient}")
        if self.precision != "float32":
            parts.append(self.precision)
        return f"{'torch' if self.plain else 'nasbench'} {self.layer} {' '.join(parts)}"

    def to_json(self) -> str:
        """Return the case as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Case:
        """Read a case.

        Args:
            text: result of `to_json`.

        Returns:
            The case.
        """
        fields = json.loads(text)
        return Case(**{**fields, "kernel": tuple(fields["kernel"]), "stride": tuple(fields["stride"])})

    @property
    def mult_adds(self) -> int:
        """Approximate multiply-adds of the forward pass."""
        places = -(-self.height // self.stride[0]) * -(-self.width // self.stride[1])
        return self.batch * places * self.outputs * self.inputs // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def possible(self) -> bool:
        """True if the layer accepts the shape, and the case is small enough."""
        elements = self.batch * max(self.inputs, self.outputs) * self.height * self.width
        if "max_pool" in self.layer:
            elements *= self.kernel[0] * self.kernel[1]
        if self.layer in ("valid_conv", "inner_max_pool", "inner_avg_pool"):
            fits = self.height >= self.kernel[0] and self.width >= self.kernel[1]
        elif self.layer == "biased_conv":
            fits = min(self.height, self.width) + 2 * min(2, self.kernel[0] // 2) >= self.kernel[0]
        elif self.layer == "batch_norm":
            fits = self.batch * self.height * self.width > 1  # the mean of one number has no variance
        else:
            fits = True
        return fits and self.mult_adds <= MAX_MULT_ADDS and elements <= MAX_ELEMENTS


class Kind(NamedTuple):
    """A layer and its filter, without the shape of the input.

    Attributes:
        layer: name of the layer.
        kernel: height and width of the filter.
        stride: vertical and horizontal stride.
        dilation: dilation of the filter.
        channels: allowed numbers of channels: "free"; "even" inputs; "equal" inputs and outputs; "depthwise", equal
            with one group per channel; or "towers", even with two groups.
    """

    layer: LayerName
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    channels: Channels = "free"

    def case(self, batch: int, inputs: int, outputs: int, height: int, width: int) -> Case:
        """Return a case of this kind; channels are changed to allowed numbers, and "linear" gets one pixel.

        Args:
            batch: number of images.
            inputs: input channels.
            outputs: output channels.
            height: height of the input.
            width: width of the input.

        Returns:
            The case.
        """
        groups = 1
        if self.channels == "even":
            inputs += inputs % 2
        elif self.channels == "towers":
            inputs, outputs, groups = inputs + inputs % 2, outputs + outputs % 2, 2
        elif self.channels != "free":
            outputs = inputs
            groups = inputs if self.channels == "depthwise" else 1
        if self.layer == "linear":
            height = width = 1
        return Case(
            self.layer, batch, inputs, outputs, height, width, self.kernel, self.stride, self.dilation, groups
        )  # fmt: skip


def _square(side: int) -> tuple[int, int]:
    return side, side


CELL_CONVOLUTIONS: Final = (
    *(Kind("same_conv", _square(side), _square(stride)) for side in (1, 3, 5, 7) for stride in (1, 2)),
    *(Kind("same_conv", (3, 3), _square(stride), 2) for stride in (1, 2)),
    *(Kind("same_conv", (1, length), (1, stride)) for length in (3, 7) for stride in (1, 2)),
    *(Kind("same_conv", (length, 1), (stride, 1)) for length in (3, 7) for stride in (1, 2)),
    *(Kind("same_conv", _square(side), _square(stride), 1, "depthwise") for side in (3, 5, 7) for stride in (1, 2)),
    *(Kind("same_conv", (3, 3), _square(stride), 2, "depthwise") for stride in (1, 2)),
    Kind("valid_conv", (3, 3), (2, 2)),
    *(Kind("valid_conv", _square(side)) for side in (1, 2, 3, 4, 5)),
    Kind("padded_conv", (3, 3), (2, 2)),
    *(
        Kind("padded_conv", _square(side), _square(stride), dilation, "depthwise")
        for side in (3, 5)
        for stride in (1, 2)
        for dilation in (1, 2)
    ),
    *(Kind("slot_conv", stride=_square(stride), channels="even") for stride in (1, 2)),
    Kind("reduction"),
    Kind("slot_reduction", channels="even"),
)
"""Convolutions of spaces of cells, NAS-Bench-101 and 201, DARTS, ENAS, super-networks, stems and classifiers."""

LAYER_CONVOLUTIONS: Final = tuple(
    Kind("same_conv", (height, width), (down, right))
    for height, width in itertools.product((1, 3, 5, 7), repeat=2)
    for down, right in itertools.product((1, 2, 3), repeat=2)
    if Kind("same_conv", (height, width), (down, right)) not in CELL_CONVOLUTIONS
)
"""Further convolutions of the space `nas`, in which height and width of filters and strides are separate choices."""

ALEXNET_CONVOLUTIONS: Final = (
    Kind("biased_conv", (11, 11), (4, 4)),
    Kind("biased_conv", (3, 3)),
    *(Kind("biased_conv", _square(side), channels="towers") for side in (3, 5)),
)

PADDED_POOLS: Final[tuple[LayerName, ...]] = ("padded_max_pool", "padded_avg_pool")

OTHER_LAYERS: Final = (
    *(Kind("max_pool", _square(side), _square(stride), 1, "equal") for side in (3, 5, 7) for stride in (1, 2)),
    Kind("max_pool", (2, 2), (2, 2), 1, "equal"),
    *(Kind("avg_pool", (3, 3), _square(stride), 1, "equal") for stride in (1, 2)),
    Kind("stage_pool", (2, 2), (2, 2), 1, "equal"),
    Kind("halving_avg_pool", (2, 2), (2, 2), 1, "equal"),
    Kind("inner_max_pool", (3, 3), (2, 2), 1, "equal"),
    *(Kind(layer, (3, 3), _square(stride), 1, "equal") for layer in PADDED_POOLS for stride in (1, 2)),
    *(Kind("inner_avg_pool", _square(side), (3, 3), 1, "equal") for side in (1, 2, 3, 4, 5)),
    Kind("batch_norm", channels="equal"),
    Kind("classifier"),
    Kind("linear"),
)
"""Pools, BatchNorms, classifiers."""

KINDS: Final = CELL_CONVOLUTIONS + LAYER_CONVOLUTIONS + ALEXNET_CONVOLUTIONS + OTHER_LAYERS

_CHANNELS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 32, 33, 48, 64)
_SIDES: Final = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 32, 64)
_BATCHES: Final = (1, 2, 3, 8, 16, 64, 128)
_LAYOUTS: Final[tuple[Layout, ...]] = ("channels_last", "contiguous", "channels_last", "contiguous", "sliced")
SQUARE: Final = 0.75  # share of square maps among random cases
LARGE: Final = 0.01  # share of random cases above USUAL_MULT_ADDS that are used


def known_cases() -> Iterator[Case]:
    """Iterate over shapes with known faults of torch, which the suite's layers avoid.

    The faults of oneDNN 3.12 in torch 2.14.1 are: buffer overruns of strided 1x1 convolutions with AVX2 and AVX-512;
    wrong values of strided convolutions whose output has one column with AVX-512, in float32 for one channel, in
    bfloat16 for any number; wrong gradients of weights of dilated convolutions in bfloat16 on wide maps.

    Yields:
        The cases.
    """
    for inputs, outputs, side in ((4, 4, 8), (2, 1, 8), (6, 64, 32), (3, 12, 16), (5, 7, 10)):
        yield Case("same_conv", 16, inputs, outputs, side, side, (1, 1), (2, 2))
    yield Case("same_conv", 8, 8, 5, 64, 64, (1, 1), (2, 2))
    yield Case("same_conv", 4, 9, 9, 64, 64, (1, 1), (2, 2))
    yield Case("reduction", 16, 4, 8, 8, 8)
    yield Case("slot_reduction", 16, 4, 8, 8, 8)
    yield Case("slot_conv", 16, 6, 3, 8, 8, (1, 1), (2, 2))
    for kernel, width in itertools.product(((1, 7), (1, 3)), (1, 2)):
        yield Case("same_conv", 9, 1, 1, 8, width, kernel, (1, 2))
        yield Case("same_conv", 64, 1, 2, 2, width, kernel, (1, 2))
    for stride, height in itertools.product(((1, 2), (3, 3)), (1, 4)):
        yield Case("same_conv", 9, 14, 10, height, 1, (3, 5), stride, precision="bfloat16")
    yield Case("same_conv", 11, 31, 5, 33, 33, (3, 3), dilation=2, precision="bfloat16")
    yield Case("same_conv", 2, 53, 19, 42, 59, (3, 3), dilation=2, precision="bfloat16")
    yield Case("same_conv", 4, 12, 12, 59, 62, (3, 3), dilation=2, groups=12, precision="bfloat16")


def grid_cases() -> Iterator[Case]:
    """Iterate over a grid: each kind of layer with each pair of 17 numbers of channels and each of 12 sides, up to 64.

    Batch and memory format change from case to case, so each kind gets all pairs of them. Only one in 25 shapes is used
    for `LAYER_CONVOLUTIONS`. Cases of more than `USUAL_MULT_ADDS` are left out.

    Yields:
        The cases.
    """
    for kind in KINDS:
        # 35 pairs, a number that has no factor in common with the 12 sides.
        turns = itertools.cycle(itertools.product(_BATCHES, _LAYOUTS))
        apart = kind.channels in ("free", "even", "towers")  # True if inputs and outputs may differ
        pairs = itertools.product(_CHANNELS, _CHANNELS) if apart else ((each, each) for each in _CHANNELS)
        sides = (1,) if kind.layer == "linear" else _SIDES
        for number, ((inputs, outputs), side) in enumerate(itertools.product(pairs, sides)):
            if kind in LAYER_CONVOLUTIONS and number % 25:
                continue
            batch, layout = next(turns)
            case = replace(kind.case(batch, inputs, outputs, side, side), layout=_layout(kind, layout))
            if (case.inputs, case.outputs) != (inputs, outputs):
                continue  # changed to the channels of another case
            if kind.channels == "depthwise" and inputs == 1:
                continue  # the same as a convolution without groups
            if case.possible and case.mult_adds <= USUAL_MULT_ADDS:
                yield case


def random_cases(seed: int) -> Iterator[Case]:
    """Iterate over random cases without end.

    Channels and sides are 1 to 64 and batches 1 to 128, with small numbers more often, in all memory formats and both
    precisions.

    Args:
        seed: seed of the cases; the same seed gives the same cases.

    Yields:
        The cases.
    """
    rng = random.Random(seed)
    groups = (CELL_CONVOLUTIONS, LAYER_CONVOLUTIONS, ALEXNET_CONVOLUTIONS, OTHER_LAYERS)
    while True:
        kind = rng.choice(rng.choices(groups, (10, 5, 1, 4))[0])
        batch, inputs, outputs, height = (_number(rng, most) for most in (128, 64, 64, 64))
        width = height if rng.random() < SQUARE else _number(rng, 64)
        case = replace(
            kind.case(batch, inputs, outputs, height, width),
            layout=_layout(kind, rng.choices(get_args(Layout), (6, 3, 1))[0]),
            gradient=_gradient(kind, rng.choices(get_args(Gradient), (8, 1, 1))[0]),
            precision=rng.choices(get_args(Precision), (9, 1))[0],
        )
        if case.possible and (case.mult_adds <= USUAL_MULT_ADDS or rng.random() < LARGE):
            yield case


def quick_cases(seed: int = 0) -> Iterator[Case]:
    """Iterate over cases for a test of some seconds: shapes of known faults, then small random cases without end.

    Args:
        seed: seed of the random cases.

    Yields:
        The cases.
    """
    yield from known_cases()
    yield from (case for case in random_cases(seed) if case.mult_adds < 1 << 22)


def plainly(cases: Iterator[Case]) -> Iterator[Case]:
    """Select the cases in which the suite has its own layer, and make them call torch's operation instead.

    Args:
        cases: the cases.

    Returns:
        The selected cases, with `plain`.
    """
    return (replace(case, plain=True) for case in cases if case.layer in OWN_WAY)


def _layout(kind: Kind, layout: Layout) -> Layout:
    return "contiguous" if kind.layer == "linear" else layout


def _gradient(kind: Kind, gradient: Gradient) -> Gradient:
    """Replace "expanded" for layers whose rounding errors it would make too large to test.

    BatchNorm's gradient can then be exactly zero, and that of a bias is the sum of up to 2^19 equal numbers, which have
    equal rounding errors.
    """
    return "same" if kind.layer in ("batch_norm", "biased_conv") and gradient == "expanded" else gradient


def _number(rng: random.Random, most: int) -> int:
    """Draw a number: with probability 1/2 uniformly from 1 to `most`, otherwise from 1 to 16."""
    return rng.randint(1, rng.choice((most, 16)))
