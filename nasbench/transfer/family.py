"""The sizes N@F that one pair of cells is built in, with their counts and the rows that papers print. No torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from nasbench.errors import InputError
from nasbench.networks.cell_counts import count_auxiliary_head, count_cell_network
from nasbench.networks.skeletons import LARGE_FROM, Skeleton, plan_network
from nasbench.networks.wiring import output_width
from nasbench.structures import CellPair, Counts, Scale

if TYPE_CHECKING:
    import pandas as pd

LARGE_PIXELS, MOBILE_PIXELS, CIFAR_PIXELS = 331, 224, 32

# The names under which rows of `nasbench.tabular.published` carry a size; others are called "<title> <size>".
_TITLES = {"nasnet-a": "NASNet-A", "pnasnet-5": "PNASNet-5", "amoebanet-a": "AmoebaNet-A", "enas-micro": "ENAS micro"}
PNASNET_SIZES: Mapping[str, str] = {
    "PNASNet-5 CIFAR": "3@960",
    "PNASNet-5 mobile": "3@1080",
    "PNASNet-5 large": "4@4320",
}
"""Rows whose names do not state their size.

Source: tensorflow/models, research/slim/nets/nasnet/pnasnet.py: 9 cells of 54 filters (mobile), 12 of 216 (large).
"""


class Family(NamedTuple):
    """A paper's notation of network sizes, and the stem of these networks on ImageNet.

    `names_by`: what F is in N@F: "depth", the filters before the classifier, or "filters", the initial ones.
    `imagenet_stem`: filters of the ImageNet stem's convolution; 0 for the skeleton's own rule.
    """

    names_by: Literal["depth", "filters"]
    imagenet_stem: int


NASNET = Family("depth", 0)
"""Source: Zoph et al., arXiv 1707.07012, section 4: "N @ F", F the filters in the penultimate layer."""

AMOEBANET = Family("filters", 32)
"""Source: Real et al., arXiv 1802.01548, table 2: "N=6, F=190", F the initial filters; the released code's `stem_reduction_size`
(tensorflow/tpu, models/official/amoeba_net) is 32 for every F."""


def family_of(name: str) -> Family:
    """The family of a published pair of cells, e.g. "nasnet-a": AmoebaNet's or, for all others, NASNet's."""
    return AMOEBANET if name == "amoebanet-a" else NASNET


class Size(NamedTuple):
    """A size as the family's paper writes it: N cells a stage and the penultimate depth or the initial filters, e.g. 6@4032 or 6@190."""

    cells: int
    depth: int
    filters: int
    family: Family = NASNET

    def __str__(self) -> str:
        return f"{self.cells}@{self.depth if self.family.names_by == 'depth' else self.filters}"


class Member(NamedTuple):
    """One network of the family. `auxiliary`: what the auxiliary head adds in training, not in `counts`."""

    size: Size
    scale: Scale
    counts: Counts
    auxiliary: Counts


class Published(NamedTuple):
    """Published figures of a network: NaN if the paper gives none. `params` and `mult_adds` are rounded there."""

    model: str
    params: float
    mult_adds: float
    top1_acc: float
    top5_acc: float


def filters_multiple(pair: CellPair, cells: int, skeleton: Skeleton) -> int:
    """The penultimate depth in units of the initial F: 4 (two doublings) times the states that the last cell outputs.

    24 for NASNet-A (6 states), 20 for PNASNet-5 (5), 16 for AmoebaNet-A (4); a block that concatenates counts twice.
    """
    plan = plan_network(Scale(cells=cells, filters=1), skeleton)
    return plan.map_channels(len(plan.places), output_width(pair.normal), output_width(pair.reduction))


def parse_sizes(text: str, name: str, pair: CellPair, skeleton: Skeleton, family: Family = NASNET) -> list[Size]:
    """Read sizes such as "4@1056,6@4032".

    Args:
        text: N@F or N/F with commas between: N cells of a stage, >= 1. In N@F, F is what the family's paper means by it: the penultimate
            depth, a multiple of `filters_multiple`, or the initial filters. In N/F it is the initial filters of any family.
        name: name of the pair, for messages.
        pair: the cells.
        skeleton: name of the stacking rule.
        family: notation of sizes in the cells' paper.

    Raises:
        InputError: when a size is malformed, given twice, or its depth is no multiple.
    """
    sizes = [_parse_size(part.strip(), name, pair, skeleton, family) for part in text.split(",")]
    if twice := sorted({str(size) for size in sizes if sizes.count(size) > 1}):
        raise InputError(f"--sizes names {', '.join(twice)} twice")
    return sizes


def _parse_size(text: str, name: str, pair: CellPair, skeleton: Skeleton, family: Family) -> Size:
    match = re.fullmatch(r"(\d{1,3})([@/])(\d{1,6})", text, re.ASCII)
    if match is None or int(match[1]) < 1 or int(match[3]) < 1:
        meaning = "F filters before the classifier, e.g. 4@1056"
        if family.names_by == "filters":
            meaning = "F initial filters, e.g. 6@190"
        raise InputError(f"size {text!r} should read N@F, N cells a stage and {meaning} (or N/F, F initial filters)")
    cells, depth = int(match[1]), int(match[3])
    multiple = filters_multiple(pair, cells, skeleton)
    if match[2] == "/" or family.names_by == "filters":
        return Size(cells, depth * multiple, depth, family)
    if depth % multiple:
        below = depth // multiple * multiple
        near = [value for value in (below, below + multiple) if value]
        raise InputError(
            f"size {text!r}: the depth before the classifier of {name} is {multiple} x its initial filters "
            f"({multiple // 4} output states x 4); nearest: {' or '.join(f'{cells}@{value}' for value in near)}"
        )
    return Size(cells, depth, depth // multiple, family)


def imagenet_scale(size: Size, classes: int = 1000, pixels: int | None = None) -> Scale:
    """The scale of an ImageNet network: from F = 128 on that of the large ones (331 pixels, p past the reductions), else of the mobile.

    Args:
        size: N, F and the family, whose stem it gets.
        classes: outputs.
        pixels: image size; None for 331 (large) or 224.

    Source: the configurations in tensorflow/models, research/slim/nets/nasnet (`skip_reduction_layer_input` 1 for the large networks,
    0 for the mobile ones). Deviation: the border between the two is ours; no published network has F from 55 to 167 in that code.
    """
    large = size.filters >= LARGE_FROM
    side = pixels or (LARGE_PIXELS if large else MOBILE_PIXELS)
    stem = size.family.imagenet_stem
    return Scale(size.cells, size.filters, side, 3, classes, "imagenet", skip_reduction_input=large, stem_filters=stem)


def cifar_scale(size: Size, classes: int, pixels: int = CIFAR_PIXELS, channels: int = 3) -> Scale:
    """The scale of a CIFAR network, which images of other small data sets get too."""
    return Scale(size.cells, size.filters, pixels, channels, classes)


def count_member(pair: CellPair, size: Size, scale: Scale, skeleton: Skeleton) -> Member:
    """Count one network of the family in closed form."""
    counts = count_cell_network(pair, scale, skeleton)
    return Member(size, scale, counts, count_auxiliary_head(pair, scale, skeleton))


def published_row(networks: pd.DataFrame, name: str, member: Member) -> Published | None:
    """Published figures of this network.

    Args:
        networks: `nasbench.tabular.published.published()`.
        name: of the genotype, e.g. "nasnet-a".
        member: size and scale; the row must be of the same data, classes and image size.

    Returns:
        The row without cutout, or None where there is none.
    """
    from pandas import isna as missing

    if name not in _TITLES:
        return None
    size = member.size
    written = str(size) if size.family.names_by == "depth" else f"(N={size.cells} F={size.filters})"
    model = f"{_TITLES[name]} {written}"
    if name == "pnasnet-5":
        model = next((row for row, of in PNASNET_SIZES.items() if of == written), model)
    data, classes = ("imagenet", 1000) if member.scale.stem == "imagenet" else ("cifar10", 10)
    if member.scale.classes != classes:
        return None
    rows = networks[
        (networks["model"] == model) & (networks["data"] == data) & (networks["image_px"] == member.scale.image_size)
    ]
    for row in rows.to_dict("records"):
        numbers = (row[column] for column in ("params", "mult_adds", "top1_acc", "top5_acc"))
        return Published(model, *(math.nan if missing(number) else float(number) for number in numbers))
    return None
