"""Networks with a name: how a space encodes them, their counts at the published sizes, and the scores that papers print. No torch."""

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
"""A space that has each genotype."""

RESNET_DEPTHS = (20, 32, 44, 56, 110)

HAND_DESIGNED: Mapping[str, str] = {
    **{f"resnet-{depth}": f"nasbench.networks.resnet.build_resnet({depth}, scale)" for depth in RESNET_DEPTHS},
    "alexnet": "nasbench.networks.alexnet.build_alexnet(scale)",
}
"""Name -> the call that builds it."""

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
"""Name -> how its rows of `nasbench.tabular.published` begin."""

_OTHER_NETWORKS = ("NAS v1 with all skips", "NAS v1 without skips")

_NOT_REPRODUCED = ("7@2304", "5@1538", "7@1920")
"""Sizes of NASNet-A whose printed counts the released skeleton does not give."""


class PublishedSize(NamedTuple):
    """A row that a paper prints for a network, with our counts at that size; None where the size is not reproduced or not known.

    `printed_params`, `printed_mult_adds`, `top1_acc`, `top1_sd`, `top5_acc`: as printed, accuracies in [0, 1]; NaN where it is silent.
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
    """A genotype's architecture in the space of `SPACES`, by which it has a hash and an encoding."""
    space, genotype = get_space(SPACES[name]), GENOTYPES[name]
    if isinstance(genotype, LayerStack):
        assert isinstance(space, NasSpace)
        return space.from_stack(genotype)
    assert isinstance(space, CellSpace)
    return space.from_cells(genotype)


def published_sizes(name: str, networks: pd.DataFrame) -> list[PublishedSize]:
    """Published figures of a named network, in the order of the table.

    Args:
        name: one of `NAMES`.
        networks: `nasbench.tabular.published.published()`.
    """
    title = _TITLES[name]
    ours = [
        (model == title or model.startswith(f"{title} ")) and model not in _OTHER_NETWORKS
        for model in networks["model"]
    ]
    return [_size(row, _counts(name, row)) for row in networks[ours].to_dict("records")]


def published_rows(model: str, networks: pd.DataFrame) -> list[PublishedSize]:
    """The rows of networks that are published under a name, whatever its case, without counts of ours."""
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
    """Our counts of the network of a row, in closed form."""
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
    """The size N@F in the name of a published row, None where it has none."""
    if model in PNASNET_SIZES:
        return PNASNET_SIZES[model]
    match = re.search(r"(\d+)@(\d+)|N=(\d+) F=(\d+)", model)
    if match is None:
        return None
    return "@".join(part for part in match.groups() if part)
