"""Parameters and multiply-adds of NAS-Bench-101 networks in closed form, and how channels are divided in a cell. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import convolution_bn, linear, require_cifar_stem, strided
from nasbench.structures import Counts, Scale, VertexCell

KERNELS: Mapping[str, int] = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1, "maxpool3x3": 0}
"""Operations and the kernel size of their convolution; 0 where there is none."""

STACKS = 3


def count_vertex_network(cell: VertexCell, scale: Scale) -> Counts:
    """Count the network that `vertex_cells.build_vertex_network` would build, without building it.

    Args:
        cell: pruned vertices; wiring is trusted here and checked by the builder.
        scale: stem filters, cells (modules a stack), image and classes.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when the scale asks for the ImageNet stem, or has fewer filters than vertices lead to the output.
        UnknownName: when an operation has an unknown name.
    """
    params, mult_adds = _count_frame(scale)
    for channels, output, size, cells in _stacks(scale):
        weights, norms = _count_cell(cell, channels, output)
        params += cells * (weights + norms)
        mult_adds += cells * weights * size**2
    return Counts(params, mult_adds)


def divide_channels(cell: VertexCell, output: int) -> list[int]:
    """The channels of each vertex of a cell with so many output channels.

    Those of the output are divided among the vertices that lead to it, the first of them getting one more each where the division
    has a remainder; any other vertex has as many as the widest vertex that reads it.

    Raises:
        InputError: when more vertices lead to the output than it has channels.

    Source: Ying et al. 2019 (1902.09635), section 2.3, and the released code (remainders). Deviation: "the first" goes by the order of
    the cell's vertices, which is canonical for architectures of the space; the released code takes that of the matrix given.
    """
    direct = [number for number in cell.out if number]
    if len(direct) > output:
        raise InputError(
            f"{len(direct)} vertices of the NAS-Bench-101 cell share {output} channels; use at least {len(direct)} filters"
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
    """Weights of the convolutions of one cell, and parameters of its BatchNorms."""
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
    """Cost of stem and classifier."""
    require_cifar_stem(scale, "NAS-Bench-101")
    stem = convolution_bn(scale.image_channels, scale.filters, (3, 3), scale.image_size**2)
    classifier = linear(scale.filters * 2 ** (STACKS - 1), scale.classes)
    return Counts(stem.params + classifier.params, stem.mult_adds + classifier.mult_adds)


@lru_cache(maxsize=256)
def _stacks(scale: Scale) -> tuple[tuple[int, int, int, int], ...]:
    """Input channels, output channels, size and number of the cells that are alike: the first of each stack, and the others."""
    groups = []
    width, size = scale.filters, scale.image_size
    for stack in range(STACKS):
        inputs = width
        if stack:
            width, size = 2 * width, strided(size, 2)
        groups += [(inputs, width, size, 1), (width, width, size, scale.cells - 1)]
    return tuple(groups)
