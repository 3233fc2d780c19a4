"""Parameters and multiply-adds of NAS-Bench-101 networks in closed form, and channels of vertices. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import convolution_bn, linear, require_cifar_stem, strided
from nasbench.structures import Counts, Scale, VertexCell

KERNELS: Mapping[str, int] = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1, "maxpool3x3": 0}
"""Operation -> side of its convolution's filter; 0 for operations without convolution."""

STACKS = 3


def count_vertex_network(cell: VertexCell, scale: Scale) -> Counts:
    """Count the network that `vertex_cells.build_vertex_network` builds.

    Args:
        cell: a pruned cell. Its wiring is not checked here; `build_vertex_network` checks it.
        scale: `filters` of the stem and the first stack, `cells` per stack, image and classes.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when more vertices lead to the output than there are filters, or the scale has an ImageNet stem or
            sets `stem_filters`.
        UnknownName: when an operation has an unknown name.
    """
    params, mult_adds = _count_frame(scale)
    for channels, output, size, cells in _stacks(scale):
        weights, norms = _count_cell(cell, channels, output)
        params += cells * (weights + norms)
        mult_adds += cells * weights * size**2
    return Counts(params, mult_adds)


def divide_channels(cell: VertexCell, output: int) -> list[int]:
    """Return the channels of each vertex of a cell.

    The output's channels are divided equally among the vertices that lead to it; if there is a remainder, the first of
    them have one more each. Every other vertex has as many channels as the widest vertex that reads it.

    Args:
        cell: a pruned cell.
        output: channels of the cell's output.

    Returns:
        One number per vertex.

    Raises:
        InputError: when more vertices lead to the output than it has channels.

    Source: Ying et al. 2019 (1902.09635), section 2.3; remainders as in the released code. Deviation: which vertices
    are the first is decided by their order in the cell, which is canonical for architectures of the space; in the
    released code, by their order in the given matrix.
    """
    direct = [number for number in cell.out if number]
    if len(direct) > output:
        raise InputError(
            f"{len(direct)} vertices of the NAS-Bench-101 cell share {output} channels; "
            f"use at least {len(direct)} filters"
        )
    channels = [0] * len(cell.vertices)
    for place, number in enumerate(sorted(direct)):
        channels[number - 1] = output // len(direct) + (place < output % len(direct))
    for number in range(len(cell.vertices), 0, -1):
        if number not in direct:
            readers = (c for c, vertex in zip(channels, cell.vertices) if number in vertex.inputs)
            channels[number - 1] = max(readers, default=0)
    return channels


def _count_cell(cell: VertexCell, inputs: int, output: int) -> tuple[int, int]:
    """Return the number of weights of a cell's convolutions, and of its BatchNorms' parameters."""
    weights = norms = 0
    for vertex, channels in zip(cell.vertices, divide_channels(cell, output)):
        if vertex.op not in KERNELS:
            raise UnknownName("operation", vertex.op, KERNELS)
        kernel = KERNELS[vertex.op]
        weights += kernel**2 * channels**2
        norms += 2 * channels * bool(kernel)
        if 0 in vertex.inputs:
            weights += inputs * channels
            norms += 2 * channels
    if 0 in cell.out:
        weights += inputs * output
        norms += 2 * output
    return weights, norms


@lru_cache(maxsize=256)
def _count_frame(scale: Scale) -> Counts:
    """Count stem and classifier."""
    require_cifar_stem(scale, "NAS-Bench-101")
    stem = convolution_bn(scale.image_channels, scale.filters, (3, 3), scale.image_size**2)
    classifier = linear(scale.filters * 2 ** (STACKS - 1), scale.classes)
    return Counts(stem.params + classifier.params, stem.mult_adds + classifier.mult_adds)


@lru_cache(maxsize=256)
def _stacks(scale: Scale) -> tuple[tuple[int, int, int, int], ...]:
    """Return groups of equal cells: (input channels, output channels, size, number of cells).

    The first cell of each stack is a group, and its other cells are one.
    """
    groups = []
    width, size = scale.filters, scale.image_size
    for stack in range(STACKS):
        inputs = width
        if stack:
            width, size = 2 * width, strided(size, 2)
        groups += [(inputs, width, size, 1), (width, width, size, scale.cells - 1)]
    return tuple(groups)
