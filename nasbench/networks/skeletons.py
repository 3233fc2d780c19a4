"""Skeletons of networks: order of the cells, their filters, sizes and inputs, for builders and counts. No torch."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import strided
from nasbench.structures import Scale

Skeleton = Literal["nasnet", "pnas"]
"""How cells are stacked.

"nasnet": 3N normal cells, and two reduction cells between them. "pnas": 3N cells, two of which have stride 2.
"""

CellKind = Literal["normal", "reduction"]

LARGE_STEM_FILTERS = 96
MOBILE_STEM_FILTERS = 32
LARGE_FROM = 128  # smallest F for which an ImageNet network has the large stem


class Place(NamedTuple):
    """Position of one cell in its network. Feature map 0 is the stem's output, i is the output of the i-th cell from 1.

    `kind`: "normal" or "reduction". `filters`: F of this cell. `stride`: 1, or 2 in a reduction cell. `size`: height
    and width of the cell's input c. `previous`, `previous_previous`: the feature maps that it reads as c and p; the
    first cell has no p of its own (None) and reads c instead.
    """

    kind: CellKind
    filters: int
    stride: int
    size: int
    previous: int
    previous_previous: int | None

    @property
    def output_size(self) -> int:
        """Height and width of the cell's output."""
        return strided(self.size, self.stride)

    @property
    def p_map(self) -> int:
        """The feature map that the cell reads as p, which in the first cell is that of c."""
        return self.previous if self.previous_previous is None else self.previous_previous


class NetworkPlan(NamedTuple):
    """Positions of all cells of a network.

    `stem_filters`, `stem_size`: channels, and height and width, of the stem's output. `places`: the cells in order.
    `auxiliary`: index of the feature map that an auxiliary head reads, the input of the second reduction cell that is
    not the stem's.
    """

    stem_filters: int
    stem_size: int
    places: tuple[Place, ...]
    auxiliary: int

    @property
    def size(self) -> int:
        """Height and width of the last feature map."""
        return self.places[-1].output_size

    def map_size(self, index: int) -> int:
        """Return the height and width of a feature map.

        Args:
            index: 0 for the output of the stem, i for that of the i-th place, from 1.

        Returns:
            Height and width in pixels.
        """
        return self.places[index - 1].output_size if index else self.stem_size

    def map_channels(self, index: int, normal_width: int, reduction_width: int) -> int:
        """Compute the channels of a feature map.

        Args:
            index: 0 for the output of the stem, i for that of the i-th place, from 1.
            normal_width: channels of a normal cell's output, in units of its F.
            reduction_width: channels of a reduction cell's output, in units of its F.

        Returns:
            Number of channels.
        """
        if index == 0:
            return self.stem_filters
        place = self.places[index - 1]
        return place.filters * (normal_width if place.kind == "normal" else reduction_width)


@lru_cache(maxsize=256)
def plan_network(scale: Scale, skeleton: Skeleton) -> NetworkPlan:
    """Determine the positions of the cells of a network.

    In "nasnet", one reduction cell comes after the first N normal cells and another after 2N. In "pnas", cells N and 2N
    of the 3N, counted from 0, have stride 2. In both, the filters double there. An ImageNet stem adds two reduction
    cells in front, with F/4 and F/2 filters.

    Args:
        scale: N, F, image size and stem.
        skeleton: "nasnet" or "pnas".

    Returns:
        The positions.

    Raises:
        InputError: when cells, filters or image size are below 1, `stem_filters` is below 0, or the image is smaller
            than 3 pixels with an ImageNet stem.
        UnknownName: when the skeleton has another name.

    Source: Zoph et al., arXiv 1707.07012, figure 2, and Liu et al., arXiv 1712.00559, section 3. Which cell reads which
    is that of their released code (tensorflow/models, research/slim/nets/nasnet).
    Deviation: in each released configuration the filters of the ImageNet stem's convolution are set by hand: 96 in the
    large NASNet and PNASNet (F = 168 and 216), 32 in their mobile versions (F = 44 and 54) and in AmoebaNet at every F.
    Here they are `stem_filters`, or if that is 0, 96 for F >= 128 and 32 below. In "pnas", p is always the output of
    the cell before the previous one, whatever `skip_reduction_input` is. The released code does the same with that
    setting on; with it off, its cells of stride 2 read as p what the cell before them read as p.
    """
    if skeleton not in ("nasnet", "pnas"):
        raise UnknownName("skeleton", skeleton, ("nasnet", "pnas"))
    if min(scale.cells, scale.filters, scale.image_size) < 1:
        sizes = f"{scale.cells}, {scale.filters} and {scale.image_size}"
        raise InputError(f"cells, filters and image size must be at least 1, got {sizes}")
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
    """Return the filters and the output size of the stem's convolution."""
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
    """Return True if the next cell follows a reduction cell (not one of the stem) and skips that cell's input."""
    if not scale.skip_reduction_input or skeleton == "pnas" or len(places) <= stem_cells:
        return False
    return places[-1].kind == "reduction"
