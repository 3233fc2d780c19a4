"""Super-networks whose choices are mixed: an operation of a cell becomes a weighted sum of all operations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture
from nasbench.supernets.base import SuperNetwork

NOTHING = -1
"""As the chosen option: the edge is not there."""


class Weighted(NamedTuple):
    """Weights of the options of one choice.

    Attributes:
        weights: one weight per option, float32 [options]; None for a weight of 1 of the chosen option.
        chosen: index of the only option that is computed, or `NOTHING`; None to compute all.
    """

    weights: Tensor | None
    chosen: int | None = None


class Mixture(NamedTuple):
    """What a super-network computes.

    Attributes:
        choices: one per choice of the super-network.
        edges: weights of the edges into each node, in the order of `MixedSuperNetwork.edge_sizes`; None for 1.
    """

    choices: Sequence[Weighted]
    edges: Sequence[Tensor] | None = None


class MixedSuperNetwork(SuperNetwork):
    """A super-network that computes single paths, and mixtures of paths by weights that can be learned.

    Attributes:
        choices: labels of the options of each choice; a mixture has one weight per option.
        edge_sizes: number of edges into each node, for weights of edges beside those of operations; () if the choices
            contain the inputs already.
    """

    choices: tuple[tuple[str, ...], ...]
    edge_sizes: tuple[int, ...]

    @abstractmethod
    def mixed(self, images: Tensor, mixture: Mixture) -> Tensor:
        """Compute the logits of a mixture.

        Args:
            images: [batch, channels, height, width].
            mixture: weights of all choices, on the images' device.

        Returns:
            Logits [batch, classes].
        """

    @abstractmethod
    def path(self, architecture: Architecture) -> Sequence[Weighted]:
        """Return the choices of a single path.

        Args:
            architecture: an architecture of the super-network's space.

        Returns:
            One per choice, with one chosen option and no weights.
        """

    @abstractmethod
    def factors(
        self, weights: Sequence[NDArray[np.float64]], edges: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        """Return the parts of an architecture that can be decided one by one, with the logarithm of each option's weight.

        Args:
            weights: weights of the options of each choice, > 0.
            edges: weights of the edges into each node; () for equal ones.

        Returns:
            One array per part.
        """

    @abstractmethod
    def architecture_of(self, options: Sequence[int]) -> Architecture:
        """Make an architecture from the chosen option of each part.

        Args:
            options: one index per part of `factors`.

        Returns:
            The architecture.
        """

    @abstractmethod
    def options_of(self, architecture: Architecture) -> Sequence[int]:
        """Return the option of each part: the inverse of `architecture_of`.

        Args:
            architecture: an architecture of the super-network's space.

        Returns:
            One index per part of `factors`.
        """

    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Compute the logits of an architecture; see `SuperNetwork.forward`."""
        return self.mixed(images, Mixture(self.path(architecture)))

    def ranked(
        self, weights: Sequence[NDArray[np.float64]], edges: Sequence[NDArray[np.float64]]
    ) -> Iterator[Architecture]:
        """Yield all architectures by falling weight, the product of the weights of their parts.

        Args:
            weights: weights of the options of each choice, > 0.
            edges: weights of the edges into each node; () for equal ones.

        Yields:
            Each sequence of choices once; the first has the option of the largest weight in each part.
        """
        for options in best_first(self.factors(weights, edges)):
            yield self.architecture_of(options)

    def by_weight(
        self,
        architectures: Iterable[Architecture],
        weights: Sequence[NDArray[np.float64]],
        edges: Sequence[NDArray[np.float64]],
    ) -> list[Architecture]:
        """Sort architectures as `ranked` does.

        Args:
            architectures: architectures of the super-network's space.
            weights: see `ranked`.
            edges: see there.

        Returns:
            The architectures by falling weight; of equal ones, in the order in which they are given.
        """
        scores = self.factors(weights, edges)

        def weight(architecture: Architecture) -> float:
            return sum(float(part[option]) for part, option in zip(scores, self.options_of(architecture), strict=True))

        return sorted(architectures, key=weight, reverse=True)


def best_first(scores: Sequence[NDArray[np.float64]]) -> Iterator[tuple[int, ...]]:
    """Yield one option per part, by falling sum of scores, without making all combinations first.

    Args:
        scores: scores of the options of each part, finite.

    Yields:
        Indices of options. Of equal scores, the options with the lower index come first.
    """
    orders = [np.argsort(-each, kind="stable") for each in scores]
    losses = [each[order[0]] - each[order] for each, order in zip(scores, orders)]  # rising, from 0
    heap: list[tuple[float, tuple[int, ...]]] = [(0.0, (0,) * len(scores))]
    while heap:
        _, ranks = heappop(heap)
        yield tuple(int(order[rank]) for order, rank in zip(orders, ranks))
        # Each combination has one parent: that in which the last part that is not the best is one rank better.
        last = max((part for part, rank in enumerate(ranks) if rank), default=0)
        for part in range(last, len(ranks)):
            if ranks[part] + 1 < len(orders[part]):
                longer = (*ranks[:part], ranks[part] + 1, *ranks[part + 1 :])
                heappush(heap, (float(sum(loss[rank] for loss, rank in zip(losses, longer))), longer))


class MixedEdge(nn.Module):
    """All operations between two states, of which a weighted sum is computed.

    Args:
        operations: name -> module; None for the operation that connects nothing.
        channel_share: k; the operations get 1/k of the channels, see `through_part`.
        stride: stride of the operations.
    """

    def __init__(self, operations: Mapping[str, nn.Module | None], channel_share: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.names = tuple(operations)
        self.paths = nn.ModuleDict({name: module for name, module in operations.items() if module is not None})
        self.channel_share, self.stride = channel_share, stride

    def forward(self, images: Tensor, weighted: Weighted) -> Tensor | None:
        """Compute the weighted sum.

        Args:
            images: [batch, channels, height, width].
            weighted: weights of the operations.

        Returns:
            [batch, channels, ceil(height / stride), ceil(width / stride)]; None if nothing is connected.
        """
        if weighted.chosen == NOTHING:
            return None
        return through_part(images, self.channel_share, self.stride, lambda part: self._sum(part, weighted))

    def _sum(self, images: Tensor, weighted: Weighted) -> Tensor | None:
        ends = []
        for index, name in enumerate(self.names):
            if name in self.paths and weighted.chosen in (None, index):
                end = self.paths[name](images)
                ends.append(end if weighted.weights is None else weighted.weights[index] * end)
        return sum_of(ends)


def sum_of(maps: Sequence[Tensor | None]) -> Tensor | None:
    """Add feature maps from the first to the last.

    Args:
        maps: tensors of one shape; None for what is not connected.

    Returns:
        Their sum; None if there is none.
    """
    total: Tensor | None = None
    for each in maps:
        if each is not None:
            total = each if total is None else total + each
    return total


def through_part(images: Tensor, share: int, stride: int, mix: Callable[[Tensor], Tensor | None]) -> Tensor | None:
    """Send the first 1/k of the channels through operations, and pass the others by; then shuffle the channels.

    Args:
        images: [batch, channels, height, width].
        share: k, a divisor of the channels; 1 for no such split.
        stride: stride of the operations; at 2, the other channels pass a max pool.
        mix: the operations; it may return None for zeros.

    Returns:
        [batch, channels, ceil(height / stride), ceil(width / stride)]; None only if k is 1 and `mix` returns it.

    Source: Xu et al. 2020 (1907.05737), section 3.2, and the released code (model_search.py).
    """
    if share == 1:
        return mix(images)
    part = images.shape[1] // share
    first, others = images[:, :part], images[:, part:]
    if stride != 1:
        others = F.max_pool2d(others, stride, stride, ceil_mode=True)
    mixed = mix(first)
    if mixed is None:
        mixed = others.new_zeros(others.shape[0], part, *others.shape[2:])
    return shuffled(torch.cat((mixed, others), 1), share)


def shuffled(images: Tensor, groups: int) -> Tensor:
    """Shuffle channels: of k groups one after another, channels with the same place become neighbours.

    Args:
        images: [batch, channels, height, width].
        groups: k, a divisor of the channels.

    Returns:
        A tensor of the same shape.
    """
    batch, channels, height, width = images.shape
    return images.view(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(images.shape)


def logarithm(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms of weights, of which some may have fallen to 0.

    Args:
        weights: numbers >= 0.

    Returns:
        Their logarithms; that of the smallest positive number for 0.
    """
    found: NDArray[np.float64] = np.log(np.maximum(weights, np.finfo(np.float64).tiny))
    return found


def require_share(filters: int, share: int) -> None:
    """Check that channels can be split.

    Args:
        filters: the fewest channels that operations see.
        share: k.

    Raises:
        InputError: when k is no divisor of them.
    """
    if filters % share:
        raise InputError(
            f"channel_share={share} does not divide the {filters} filters of the super-network; give filters a multiple "
            f"of {share}, e.g. {share * max(1, round(filters / share))}"
        )


def without_affine(module: nn.Module) -> None:
    """Take scale and shift from all BatchNorms, so that a weight of a mixture cannot be undone by a scale.

    Args:
        module: the module; it is changed.
    """
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.affine = False
            each.register_parameter("weight", None)
            each.register_parameter("bias", None)
