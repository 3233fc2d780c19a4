"""Networks with a name: their architecture in a space, counts at the published sizes, and printed scores. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench.networks.alexnet_counts import count_alexnet
from nasbench.networks.resnet_counts import count_resnet
from nasbench.spaces import get_space
from nasbench.spaces.cell_space import CellSpace
from nasbench.spaces.genotypes import GENOTYPES, skeleton_of
from nasbench.spaces.nas import NasSpace
from nasbench.structures import CellPair, Counts, LayerStack, Scale
from nasbench.transfer.family import (
    CIFAR_PIXELS,
    PNASNET_SIZES,
    cifar_scale,
    count_member,
    family_of,
    imagenet_scale,
    parse_sizes,
)

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.spaces import Architecture

SPACES: Mapping[str, str] = {
    "amoebanet-a": "amoebanet:output=explicit",
    "enas-micro": "enas-micro",
    "nas-v1": "nas",
    "nasnet-a": "nasnet:output=explicit",
    "pnasnet-5": "pnas",
}
"""Genotype -> a space that contains it."""

RESNET_DEPTHS = (20, 32, 44, 56, 110)

HAND_DESIGNED: Mapping[str, str] = {
    **{f"resnet-{depth}": f"nasbench.networks.resnet.build_resnet({depth}, scale)" for depth in RESNET_DEPTHS},
    "alexnet": "nasbench.networks.alexnet.build_alexnet(scale)",
}
"""Name -> the Python call that builds it."""

NAMES = (*GENOTYPES, *HAND_DESIGNED)

_TITLES: Mapping[str, str] = {
    "amoebanet-a": "AmoebaNet-A",
    "enas-micro": "ENAS micro",
    "nas-v1": "NAS v1",
    "nasnet-a": "NASNet-A",
    "pnasnet-5": "PNASNet-5",
    "alexnet": "AlexNet two towers",
    **{f"resnet-{depth}": f"ResNet-{depth}" for depth in RESNET_DEPTHS},
}
"""Name -> first words of its models in `nasbench.tabular.published`."""

_OTHER_NETWORKS = ("NAS v1 with all skips", "NAS v1 without skips")

_NOT_REPRODUCED = ("7@2304", "5@1538", "7@1920")
"""Sizes of NASNet-A whose printed counts the released skeleton does not give."""


class PublishedSize(NamedTuple):
    """One published size of a network, with the counts of this suite at that size.

    Attributes:
        model: name of the network as published.
        data: data set, "cifar10" or "imagenet".
        pixels: height and width of the images.
        counts: counts by closed form; None if this suite does not reproduce the size or the paper does not give it.
        printed_params: parameters as printed; NaN if the source gives none.
        printed_mult_adds: multiply-adds as printed; NaN if the source gives none.
        top1_acc: accuracy as printed, in [0, 1]; NaN if the source gives none.
        top1_sd: standard deviation of the top-1 error, as a fraction; NaN if the source gives none.
        top5_acc: top-5 accuracy as printed, in [0, 1]; NaN if the source gives none.
        paper: arXiv id, or conference and year.
        tag: "verified" or "recalled", see `published.published`.
        note: remark on the row, or ''.
    """

    model: str
    data: str
    pixels: int
    counts: Counts | None
    printed_params: float
    printed_mult_adds: float
    top1_acc: float
    top1_sd: float
    top5_acc: float
    paper: str
    tag: str
    note: str


def named_architecture(name: str) -> Architecture:
    """Return the architecture of a genotype in its space of `SPACES`.

    Args:
        name: a key of `SPACES`, e.g. "nasnet-a".

    Returns:
        The architecture, with hash and encoding.

    Raises:
        KeyError: for another name.
    """
    space, genotype = get_space(SPACES[name]), GENOTYPES[name]
    if isinstance(genotype, LayerStack):
        assert isinstance(space, NasSpace)
        return space.from_stack(genotype)
    assert isinstance(space, CellSpace)
    return space.from_cells(genotype)


def published_sizes(name: str, networks: pd.DataFrame) -> list[PublishedSize]:
    """List the published sizes of a named network.

    Args:
        name: one of `NAMES`.
        networks: the frame of `nasbench.tabular.published.published`.

    Returns:
        One entry per row of the network, in the order of `networks`.

    Raises:
        KeyError: for another name.
    """
    title = _TITLES[name]
    ours = [
        (model == title or model.startswith(f"{title} ")) and model not in _OTHER_NETWORKS
        for model in networks["model"]
    ]
    return [_size(row, _counts(name, row)) for row in networks[ours].to_dict("records")]


def published_rows(model: str, networks: pd.DataFrame) -> list[PublishedSize]:
    """List the published rows of a model, without counts of this suite.

    Args:
        model: name as published; upper and lower case are the same.
        networks: the frame of `nasbench.tabular.published.published`.

    Returns:
        One entry per row of that name; empty if there is none.
    """
    rows = networks[networks["model"].str.lower() == model.lower()]
    return [_size(row, None) for row in rows.to_dict("records")]


def _size(row: Mapping[Any, Any], counts: Counts | None) -> PublishedSize:
    from pandas import isna

    def number(column: str) -> float:
        return float("nan") if isna(row[column]) else float(row[column])

    return PublishedSize(
        model=row["model"],
        data=row["data"],
        pixels=int(row["image_px"]),
        counts=counts,
        printed_params=number("params"),
        printed_mult_adds=number("mult_adds"),
        top1_acc=number("top1_acc"),
        top1_sd=number("top1_error_sd"),
        top5_acc=number("top5_acc"),
        paper=row["paper"],
        tag=row["tag"],
        note=row["note"],
    )


def _counts(name: str, row: Mapping[Any, Any]) -> Counts | None:
    """Count the network of a row in closed form; None if its size is missing or not reproduced."""
    pixels = int(row["image_px"])
    if name == "alexnet":
        return count_alexnet(Scale(image_size=pixels, classes=1000))
    if name in HAND_DESIGNED:
        return count_resnet(int(name.rpartition("-")[2]), Scale(image_size=CIFAR_PIXELS))
    pair = GENOTYPES[name]
    if not isinstance(pair, CellPair):
        architecture = named_architecture(name)
        return architecture.space.count(architecture, Scale(image_size=CIFAR_PIXELS))
    text = _size_text(row["model"])
    if text is None or text in _NOT_REPRODUCED:
        return None
    skeleton = skeleton_of(name)
    (size,) = parse_sizes(text, name, pair, skeleton, family_of(name))
    scale = cifar_scale(size, 10) if row["data"] == "cifar10" else imagenet_scale(size, pixels=pixels)
    return count_member(pair, size, scale, skeleton).counts


def _size_text(model: str) -> str | None:
    """Return the size N@F from the name of a published row; None if the name has no size."""
    if model in PNASNET_SIZES:
        return PNASNET_SIZES[model]
    match = re.search(r"(\d+)@(\d+)|N=(\d+) F=(\d+)", model)
    if match is None:
        return None
    return "@".join(part for part in match.groups() if part)
