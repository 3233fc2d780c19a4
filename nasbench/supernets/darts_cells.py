"""The super-network of DARTS's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.networks.convolutions import Classifier
from nasbench.networks.darts_cells import DARTS_OPERATIONS, projection
from nasbench.networks.darts_counts import plan_darts
from nasbench.networks.skeletons import NetworkPlan, Place
from nasbench.networks.stacked_cells import build_stem
from nasbench.spaces.base import Architecture
from nasbench.spaces.darts import DartsSpace, node_pairs
from nasbench.spaces.darts_genotypes import NODES, OPERATIONS
from nasbench.structures import FIRST_BLOCK, Regularization, Scale
from nasbench.supernets.mixed import (
    NOTHING,
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

NONE = "none"
PRIMITIVES = (NONE, *OPERATIONS)
"""Operations of the search: those of the space, and "none", which takes weight from them and is never chosen."""
CELL_EDGES = tuple((node, source) for node in range(NODES) for source in range(FIRST_BLOCK + node))
"""Edges of a cell, as (node, state that it reads)."""


class DartsSuperNetwork(MixedSuperNetwork):
    """The super-network of DARTS's space: each node reads all states before it, by all operations.

    Its choices are the operations of the 14 edges of normal cells, then those of reduction cells. A path of an
    architecture has the two edges of each of its nodes and no others.

    Args:
        space: the space.
        scale: N, F, image and classes.
        regularization: only dropout is used.
        affine: whether the BatchNorms in cells have scale and shift.
        channel_share: k; operations get 1/k of the channels.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`, or k does not divide F.

    Source: Liu, Simonyan & Yang 2019 (1806.09055), sections 2.2 and 2.4, and the released code (cnn/model_search.py):
        a BatchNorm follows each pool; an architecture has the two edges of each node whose best operation, "none" left
        out, has the largest weights.
    Deviation: initial weights are those of the other networks here. The state of a node on which "none" was drawn for all
        edges (`gdas`) is 0.
    """

    def __init__(
        self,
        space: DartsSpace,
        scale: Scale,
        regularization: Regularization,
        affine: bool = True,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        require_share(scale.filters, channel_share)
        self.space = space
        self.choices = (PRIMITIVES,) * (2 * len(CELL_EDGES))
        self.edge_sizes = tuple(FIRST_BLOCK + node for node in range(NODES)) * 2
        plan = plan_darts(scale)
        self.places = plan.places
        self.stem = build_stem(plan, scale)
        channels = [plan.map_channels(index, NODES, NODES) for index in range(len(plan.places) + 1)]
        self.cells = nn.ModuleList(
            MixedDartsCell(place, plan, channels, affine, channel_share) for place in plan.places
        )
        self.classifier = Classifier(channels[-1], scale.classes, regularization.dropout)
        use_batch_statistics(self)

    def mixed(self, images: Tensor, mixture: Mixture) -> Tensor:
        """Compute the logits of a mixture; see `MixedSuperNetwork.mixed`."""
        half = len(CELL_EDGES)
        of_kind = {
            "normal": Mixture(mixture.choices[:half], mixture.edges and mixture.edges[:NODES]),
            "reduction": Mixture(mixture.choices[half:], mixture.edges and mixture.edges[NODES:]),
        }
        maps: list[Tensor] = [self.stem(images)]
        for place, cell in zip(self.places, self.cells):
            maps.append(cell(maps[place.previous], maps[place.p_map], of_kind[place.kind]))
        logits: Tensor = self.classifier(maps[-1])
        return logits

    def path(self, architecture: Architecture) -> Sequence[Weighted]:
        """Return the edges of an architecture; see `MixedSuperNetwork.path`."""
        pair = self.space.spelled(architecture)
        chosen = []
        for cell in (pair.normal, pair.reduction):
            edges = {
                (node, source): PRIMITIVES.index(operation)
                for node, block in enumerate(cell.blocks)
                for source, operation in ((block.left, block.left_op), (block.right, block.right_op))
            }
            chosen += [edges.get(edge, NOTHING) for edge in CELL_EDGES]
        return [Weighted(None, choice) for choice in chosen]

    def factors(
        self, weights: Sequence[NDArray[np.float64]], edges: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        """Return the nodes, whose options are a pair of states and two operations; see `MixedSuperNetwork.factors`."""
        parts = []
        start = 0
        for node, size in enumerate(self.edge_sizes):
            scores = [logarithm(each[1:]) for each in weights[start : start + size]]  # without "none"
            if edges:
                scores = [score + logarithm(np.asarray(edge)) for score, edge in zip(scores, edges[node])]
            pairs = node_pairs(size - FIRST_BLOCK)
            both = [scores[first][:, None] + scores[second][None, :] for first, second in pairs]
            parts.append(np.concatenate([each.ravel() for each in both]))
            start += size
        return parts

    def architecture_of(self, options: Sequence[int]) -> Architecture:
        """Make an architecture from pair and operations of each node; see `MixedSuperNetwork.architecture_of`."""
        operations = len(OPERATIONS)
        choices: list[int] = []
        for option in options:
            pair, both = divmod(option, operations**2)
            choices += [pair, *divmod(both, operations)]
        return self.space.decode(choices)

    def options_of(self, architecture: Architecture) -> Sequence[int]:
        """Return pair and operations of each node as one index; see `MixedSuperNetwork.options_of`."""
        operations, choices = len(OPERATIONS), architecture.choices
        nodes = zip(choices[::3], choices[1::3], choices[2::3])
        return [(pair * operations + first) * operations + second for pair, first, second in nodes]


class MixedDartsCell(nn.Module):
    """One cell with all edges.

    Args:
        place: filters, stride and the feature maps that it reads.
        plan: positions of all cells of the network.
        channels: channels of every feature map of the network.
        affine: whether BatchNorms have scale and shift.
        channel_share: k; operations get 1/k of the channels.
    """

    def __init__(self, place: Place, plan: NetworkPlan, channels: list[int], affine: bool, channel_share: int) -> None:
        super().__init__()
        filters = place.filters
        halves = plan.map_size(place.p_map) != place.size
        self.project_c = projection(channels[place.previous], filters, halves=False)
        self.project_p = projection(channels[place.p_map], filters, halves)
        self.edges = nn.ModuleList()
        for _, source in CELL_EDGES:
            stride = place.stride if source < FIRST_BLOCK else 1
            operations = {name: _build(name, filters // channel_share, stride) for name in PRIMITIVES}
            self.edges.append(MixedEdge(operations, channel_share, stride))
        if not affine:
            without_affine(self)

    def forward(self, previous: Tensor, previous_previous: Tensor, mixture: Mixture) -> Tensor:
        """Compute the cell's feature map.

        Args:
            previous: c before its projection, [batch, channels, height, width].
            previous_previous: p before its projection, [batch, its channels, its height, its width].
            mixture: choices and weights of edges of this kind of cell.

        Returns:
            [batch, F x number of nodes, ceil(height / stride), ceil(width / stride)].
        """
        states: list[Tensor] = [self.project_p(previous_previous), self.project_c(previous)]
        ends: list[Tensor | None] = []
        for (node, source), edge, weighted in zip(CELL_EDGES, self.edges, mixture.choices):
            end = edge(states[source], weighted)
            if end is not None and mixture.edges is not None:
                end = mixture.edges[node][source] * end
            ends.append(end)
            if source == FIRST_BLOCK + node - 1:
                states.append(self._node(ends, states))
                ends = []
        return torch.cat(states[FIRST_BLOCK:], 1)

    def _node(self, ends: Sequence[Tensor | None], states: Sequence[Tensor]) -> Tensor:
        """Add the edges of a node; without any, which only a drawn "none" on all of them gives, it is 0."""
        total = sum_of(ends)
        if total is not None:
            return total
        like = states[FIRST_BLOCK] if len(states) > FIRST_BLOCK else self._halved(states[1])
        return torch.zeros_like(like)

    def _halved(self, state: Tensor) -> Tensor:
        stride = self.edges[0].stride
        assert isinstance(stride, int)
        return state[:, :, ::stride, ::stride]


def _build(operation: str, filters: int, stride: int) -> nn.Module | None:
    if operation == NONE:
        return None
    module = DARTS_OPERATIONS[operation](filters, stride)
    return nn.Sequential(module, nn.BatchNorm2d(filters)) if "pool" in operation else module
