"""Positions of the cells of a network: order, filters, sizes and inputs. Shared by builder and counter. No torch."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import strided
from nasbench.structures import Scale

Skeleton = Literal["nasnet", "pnas"]
"""Stacking rules: "nasnet" inserts reduction cells between 3N normal cells, "pnas" has 3N cells including the stride-2 ones."""

CellKind = Literal["normal", "reduction"]

LARGE_STEM_FILTERS = 96
MOBILE_STEM_FILTERS = 32
LARGE_FROM = 128  # initial filters F from which an ImageNet network gets the large stem


class Place(NamedTuple):
    """One cell in its network. Feature maps are numbered: 0 is the stem's, i is that of the i-th place (from 1).

    `filters`: F here. `size`: height and width of the cell's input c. `stride`: 1, or 2 in a reduction.
    `previous` and `previous_previous`: the feature maps read as c and p; no p (None) in the first cell.
    """

    kind: CellKind
    filters: int
    stride: int
    size: int
    previous: int
    previous_previous: int | None


class NetworkPlan(NamedTuple):
    """All places of a network in order; `auxiliary` is the index of the feature map that the auxiliary head reads."""

    stem_filters: int
    stem_size: int
    places: tuple[Place, ...]
    auxiliary: int

    @property
    def size(self) -> int:
        """Height and width of the last feature map."""
        return strided(self.places[-1].size, self.places[-1].stride)

    def map_size(self, index: int) -> int:
        """Height and width of feature map `index`."""
        return strided(self.places[index - 1].size, self.places[index - 1].stride) if index else self.stem_size

    def map_channels(self, index: int, normal_width: int, reduction_width: int) -> int:
        """Channels of feature map `index`, for cells whose outputs are so many times F wide."""
        if index == 0:
            return self.stem_filters
        place = self.places[index - 1]
        return place.filters * (normal_width if place.kind == "normal" else reduction_width)


@lru_cache(maxsize=256)
def plan_network(scale: Scale, skeleton: Skeleton) -> NetworkPlan:
    """Lay out the cells of a network.

    Args:
        scale: N, F, image size and stem.
        skeleton: name of the stacking rule.

    Returns:
        The places. In "nasnet" a reduction stands before normal cells N and 2N and doubles the filters; in "pnas" cells N and 2N
        of the 3N are the reductions. An ImageNet stem adds two reductions at F/4 and F/2 in front.

    Raises:
        InputError: when the image is too small for the ImageNet stem, or the scale has no cells or filters, or fewer than 0 in the stem.
        UnknownName: when the skeleton is unknown.

    Source: Zoph et al., arXiv 1707.07012, figure 2, and Liu et al., arXiv 1712.00559, section 3; what reads what is their released
    code's (tensorflow/models, research/slim/nets/nasnet).
    Deviation: the filters of the ImageNet stem's convolution are set by hand in each released configuration (96 in NASNet's and PNASNet's
    large ones, F = 168 and 216; 32 in their mobile ones, F = 44 and 54, and in AmoebaNet's at every F); here the scale's
    `stem_filters`, or where it has none 96 for F >= 128, else 32. In "pnas" p is always the output of the cell before the previous one,
    whatever `skip_reduction_input` says, which is what the released code does with that setting on; with it off that code hands the
    stride-2 cells the p of the cell before them.
    """
    if skeleton not in ("nasnet", "pnas"):
        raise UnknownName("skeleton", skeleton, ("nasnet", "pnas"))
    if min(scale.cells, scale.filters, scale.image_size) < 1:
        raise InputError(f"cells, filters and image size must be at least 1, got {scale}")
    if scale.stem_filters < 0:
        raise InputError(f"stem_filters takes 1 or more, or 0 for the skeleton's own rule, got {scale.stem_filters}")
    stem_filters, size = _stem(scale)
    stem_size = size
    places: list[Place] = []
    reductions: list[int] = []
    stem_cells = 2 if scale.stem == "imagenet" else 0
    for kind, filters in _order(scale, skeleton):
        previous = len(places)
        previous_previous = previous - 1 if previous else None
        if _skips(scale, skeleton, places, stem_cells):
            previous_previous = places[-1].previous_previous
        stride = 2 if kind == "reduction" else 1
        if kind == "reduction" and previous >= stem_cells:
            reductions.append(previous)
        places.append(Place(kind, filters, stride, size, previous, previous_previous))
        size = strided(size, stride)
    return NetworkPlan(stem_filters, stem_size, tuple(places), reductions[1])


def _stem(scale: Scale) -> tuple[int, int]:
    """Filters and output size of the stem's convolution."""
    if scale.stem == "cifar":
        return scale.stem_filters or 3 * scale.filters, scale.image_size
    if scale.image_size < 3:
        raise InputError(
            f"the imagenet stem needs images of 3 pixels or more, got {scale.image_size}; use stem 'cifar'"
        )
    filters = LARGE_STEM_FILTERS if scale.filters >= LARGE_FROM else MOBILE_STEM_FILTERS
    return scale.stem_filters or filters, (scale.image_size - 3) // 2 + 1


def _order(scale: Scale, skeleton: Skeleton) -> list[tuple[CellKind, int]]:
    order: list[tuple[CellKind, int]] = []
    if scale.stem == "imagenet":
        order += [("reduction", max(1, scale.filters // 4)), ("reduction", max(1, scale.filters // 2))]
    for stage in range(3):
        filters = scale.filters * 2**stage
        normal = scale.cells
        if stage > 0:
            order.append(("reduction", filters))
            normal -= skeleton == "pnas"
        order += [("normal", filters)] * normal
    return order


def _skips(scale: Scale, skeleton: Skeleton, places: list[Place], stem_cells: int) -> bool:
    """True if the next cell follows an inserted reduction and skips that reduction's input."""
    if not scale.skip_reduction_input or skeleton == "pnas" or len(places) <= stem_cells:
        return False
    return places[-1].kind == "reduction"
