"""The super-network of NAS-Bench-201's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.networks.convolutions import Classifier, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.edge_cells import EDGE_OPERATIONS, ReductionBlock
from nasbench.spaces.base import Architecture
from nasbench.spaces.edge_graphs import EDGES, NODES
from nasbench.spaces.nasbench201 import NONE, OPERATIONS, NasBench201Space
from nasbench.structures import Regularization, Scale
from nasbench.supernets.mixed import (
    MixedEdge,
    MixedSuperNetwork,
    Mixture,
    Weighted,
    logarithm,
    require_share,
    sum_of,
    without_affine,
)
from nasbench.supernets.shared_layers import use_batch_statistics


class EdgeSuperNetwork(MixedSuperNetwork):
    """The super-network of NAS-Bench-201's space: each edge of each cell has all five operations.

    Its choices are the operations of the six edges, which all cells share; each cell has weights of its own. A path
    computes what the network of its architecture does.

    Args:
        space: the space.
        scale: C, N, image and classes.
        regularization: only dropout is used.
        affine: whether the BatchNorms in cells have scale and shift.
        channel_share: k; operations get 1/k of the channels.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`, or k does not divide C.

    Source: Dong & Yang 2020 (2001.00326), section 4; its searches by shared weights have this network, without scale and
        shift in its cells.
    """

    def __init__(
        self,
        space: NasBench201Space,
        scale: Scale,
        regularization: Regularization,
        affine: bool = True,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        require_cifar_stem(scale, "NAS-Bench-201")
        require_share(scale.filters, channel_share)
        self.space = space
        self.choices = (OPERATIONS,) * len(EDGES)
        self.edge_sizes = tuple(range(1, NODES))
        self.stem = nn.Sequential(*convolution_bn(scale.image_channels, scale.filters, 3))
        layers: list[nn.Module] = []
        filters = scale.filters
        for stage in range(3):
            if stage > 0:
                layers.append(ReductionBlock(filters, "same" if space.built_version == 1 else "even"))
                filters *= 2
            layers += [MixedEdgeCell(filters, affine, channel_share) for _ in range(scale.cells)]
        self.layers = nn.ModuleList(layers)
        self.finish = nn.Sequential(nn.BatchNorm2d(filters), nn.ReLU())
        self.classifier = Classifier(filters, scale.classes, regularization.dropout)
        use_batch_statistics(self)

    def mixed(self, images: Tensor, mixture: Mixture) -> Tensor:
        """Compute the logits of a mixture; see `MixedSuperNetwork.mixed`."""
        features = self.stem(images)
        for layer in self.layers:
            features = layer(features, mixture) if isinstance(layer, MixedEdgeCell) else layer(features)
        logits: Tensor = self.classifier(self.finish(features))
        return logits

    def path(self, architecture: Architecture) -> Sequence[Weighted]:
        """Return the operations of an architecture; see `MixedSuperNetwork.path`."""
        return [Weighted(None, choice) for choice in architecture.choices]

    def factors(
        self, weights: Sequence[NDArray[np.float64]], edges: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        """Return the edges; see `MixedSuperNetwork.factors`. Weights of edges do not change the order of operations."""
        return [logarithm(each) for each in weights]

    def architecture_of(self, options: Sequence[int]) -> Architecture:
        """Make an architecture from the operation of each edge; see `MixedSuperNetwork.architecture_of`."""
        return self.space.decode(options)

    def options_of(self, architecture: Architecture) -> Sequence[int]:
        """Return the operation of each edge; see `MixedSuperNetwork.options_of`."""
        return architecture.choices


class MixedEdgeCell(nn.Module):
    """One cell; a node is the sum of its mixed edges.

    Args:
        channels: channels of its input and of its output.
        affine: whether BatchNorms have scale and shift.
        channel_share: k; operations get 1/k of the channels.
    """

    def __init__(self, channels: int, affine: bool, channel_share: int) -> None:
        super().__init__()
        width = channels // channel_share
        self.edges = nn.ModuleList(
            MixedEdge({name: _build(name, width) for name in OPERATIONS}, channel_share) for _ in EDGES
        )
        if not affine:
            without_affine(self)

    def forward(self, images: Tensor, mixture: Mixture) -> Tensor:
        """Compute the cell.

        Args:
            images: [batch, channels, height, width].
            mixture: weights of the operations, and perhaps of the edges.

        Returns:
            A tensor of the same shape; 0 if nothing connects it with the input.
        """
        states: list[Tensor | None] = [images]
        ends: list[Tensor | None] = []
        for (node, source), edge, weighted in zip(EDGES, self.edges, mixture.choices):
            start = states[source]
            end = edge(start, weighted) if start is not None else None
            if end is not None and mixture.edges is not None:
                end = mixture.edges[node - 1][source] * end
            ends.append(end)
            if source == node - 1:
                states.append(sum_of(ends))
                ends = []
        output = states[-1]
        return torch.zeros_like(images) if output is None else output


def _build(operation: str, channels: int) -> nn.Module | None:
    if operation == OPERATIONS[NONE]:
        return None
    return EDGE_OPERATIONS[operation](channels) if operation in EDGE_OPERATIONS else nn.Identity()
