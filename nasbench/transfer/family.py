"""Sizes N@F in which a paper builds one pair of cells, their counts, and the figures that papers print. No torch."""

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
SMALL_PIXELS = 64
"""Largest side of images in folders for which networks have the CIFAR stem."""

# In `nasbench.tabular.published`, networks of these genotypes are named "<title> <size>".
_TITLES = {"nasnet-a": "NASNet-A", "pnasnet-5": "PNASNet-5", "amoebanet-a": "AmoebaNet-A", "enas-micro": "ENAS micro"}
PNASNET_SIZES: Mapping[str, str] = {
    "PNASNet-5 CIFAR": "3@960",
    "PNASNet-5 mobile": "3@1080",
    "PNASNet-5 large": "4@4320",
}
"""Rows of `nasbench.tabular.published` whose names do not contain their size -> size.

Source: tensorflow/models, research/slim/nets/nasnet/pnasnet.py: 9 cells of 54 filters (mobile), 12 of 216 (large).
"""


class Family(NamedTuple):
    """A paper's notation of network sizes, and the stem of its networks on ImageNet.

    Attributes:
        names_by: meaning of F in N@F: "depth", the filters before the classifier, or "filters", the initial filters.
        imagenet_stem: filters of the ImageNet stem's convolution, >= 1; 0 for the skeleton's own rule.
    """

    names_by: Literal["depth", "filters"]
    imagenet_stem: int


NASNET = Family("depth", 0)
"""Source: Zoph et al., arXiv 1707.07012, section 4: "N @ F", F the filters in the penultimate layer."""

AMOEBANET = Family("filters", 32)
"""Source: Real et al., arXiv 1802.01548, table 2: "N=6, F=190", F the initial filters; the released code's
`stem_reduction_size` (tensorflow/tpu, models/official/amoeba_net) is 32 for every F."""


def family_of(name: str) -> Family:
    """Return the family of a published pair of cells.

    Args:
        name: name of the genotype, e.g. "nasnet-a".

    Returns:
        `AMOEBANET` for "amoebanet-a", `NASNET` for all others.
    """
    return AMOEBANET if name == "amoebanet-a" else NASNET


class Size(NamedTuple):
    """Size of a network. As text it is N@F in the notation of the family's paper, e.g. 6@4032 or 6@190.

    Attributes:
        cells: N, normal cells per stage, >= 1.
        depth: filters before the classifier.
        filters: initial filters.
        family: notation, and stem on ImageNet.
    """

    cells: int
    depth: int
    filters: int
    family: Family = NASNET

    def __str__(self) -> str:
        return f"{self.cells}@{self.depth if self.family.names_by == 'depth' else self.filters}"


class Member(NamedTuple):
    """A network of a family.

    Attributes:
        size: N and F.
        scale: scale at which the network is built.
        counts: parameters and multiply-adds, without the auxiliary classifier.
        auxiliary: parameters and multiply-adds that the auxiliary classifier adds in training.
    """

    size: Size
    scale: Scale
    counts: Counts
    auxiliary: Counts


class Published(NamedTuple):
    """Published figures of a network; NaN if the paper gives none.

    Attributes:
        model: name of the network in the table of published figures.
        params: parameters, rounded as in the paper.
        mult_adds: multiply-adds for one image, rounded as in the paper.
        top1_acc: top-1 accuracy, in [0, 1].
        top5_acc: top-5 accuracy, in [0, 1].
    """

    model: str
    params: float
    mult_adds: float
    top1_acc: float
    top5_acc: float


def filters_multiple(pair: CellPair, cells: int, skeleton: Skeleton) -> int:
    """Return the number of filters before the classifier divided by the initial filters.

    It is 4 (filters are doubled twice) times the number of states that the last cell concatenates: 24 for NASNet-A (6
    states), 20 for PNASNet-5 (5), 16 for AmoebaNet-A (4). A block that concatenates its operations counts twice.

    Args:
        pair: normal and reduction cell.
        cells: N, normal cells per stage, >= 1.
        skeleton: name of the rule by which cells are stacked, "nasnet" or "pnas".

    Returns:
        The factor, >= 1.
    """
    plan = plan_network(Scale(cells=cells, filters=1), skeleton)
    return plan.map_channels(len(plan.places), output_width(pair.normal), output_width(pair.reduction))


def parse_sizes(text: str, name: str, pair: CellPair, skeleton: Skeleton, family: Family = NASNET) -> list[Size]:
    """Read sizes such as "4@1056,6@4032".

    Args:
        text: N@F or N/F, separated by commas, with N >= 1 normal cells per stage. In N@F, F has the meaning of the
            family's paper: the filters before the classifier, a multiple of `filters_multiple`, or the initial filters.
            In N/F, F is always the initial filters.
        name: name of the pair, for error messages.
        pair: normal and reduction cell.
        skeleton: name of the rule by which cells are stacked, "nasnet" or "pnas".
        family: notation of the cells' paper.

    Returns:
        The sizes, in the order of the text.

    Raises:
        InputError: when a size is malformed or given twice, or its depth is not a multiple of `filters_multiple`.
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
        raise InputError(
            f"size {text!r} should read N@F, with N cells per stage and {meaning} (or N/F, with F initial filters)"
        )
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
    """Return the scale of an ImageNet network.

    Networks with F >= 128 initial filters are built as the large ones (331 pixels, `skip_reduction_input`), others as
    the mobile ones (224 pixels).

    Args:
        size: N, F and the family, which defines the stem.
        classes: number of classes, >= 2.
        pixels: side of the images; None for 331 or 224.

    Returns:
        The scale.

    Source: the configurations in tensorflow/models, research/slim/nets/nasnet; `skip_reduction_layer_input` is 1 for
    the large networks and 0 for the mobile ones.
    Deviation: the limit of 128 is ours; that code has no network with F from 55 to 167.
    """
    large = size.filters >= LARGE_FROM
    side = pixels or (LARGE_PIXELS if large else MOBILE_PIXELS)
    stem = size.family.imagenet_stem
    return Scale(size.cells, size.filters, side, 3, classes, "imagenet", skip_reduction_input=large, stem_filters=stem)


def folder_scale(size: Size, classes: int, pixels: int | None = None) -> Scale:
    """Return the scale of a network for images in folders: with the CIFAR stem for small ones.

    The ImageNet stem and the two reductions after it divide the side of an image by 8 before the first cell.

    Args:
        size: N, F and the family.
        classes: number of classes, >= 2.
        pixels: side of the images; None for 331 or 224, see `imagenet_scale`.

    Returns:
        `cifar_scale` if there are at most `SMALL_PIXELS` pixels, otherwise `imagenet_scale`.
    """
    if pixels is not None and pixels <= SMALL_PIXELS:
        return cifar_scale(size, classes, pixels)
    return imagenet_scale(size, classes, pixels)


def cifar_scale(size: Size, classes: int, pixels: int = CIFAR_PIXELS, channels: int = 3) -> Scale:
    """Return the scale of a network for CIFAR or another data set of small images.

    Args:
        size: N and F.
        classes: number of classes, >= 2.
        pixels: side of the images.
        channels: channels of the images, >= 1.

    Returns:
        The scale.
    """
    return Scale(size.cells, size.filters, pixels, channels, classes)


def count_member(pair: CellPair, size: Size, scale: Scale, skeleton: Skeleton) -> Member:
    """Count parameters and multiply-adds of a network without building it.

    Args:
        pair: normal and reduction cell.
        size: N and F.
        scale: scale of the network.
        skeleton: name of the rule by which cells are stacked, "nasnet" or "pnas".

    Returns:
        The network's size, scale and counts.
    """
    counts = count_cell_network(pair, scale, skeleton)
    return Member(size, scale, counts, count_auxiliary_head(pair, scale, skeleton))


def published_row(networks: pd.DataFrame, name: str, member: Member) -> Published | None:
    """Find the published figures of a network.

    Args:
        networks: the table of `nasbench.tabular.published.published()`.
        name: name of the genotype, e.g. "nasnet-a".
        member: the network; the row must have the same data set, size, number of classes and image size.

    Returns:
        The figures without cutout; None if there are none.
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
