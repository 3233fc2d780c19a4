"""Networks of the cells of DARTS, at any scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import FactorizedReduction, PaddedConv2d, add_up, convolution_bn
from nasbench.networks.darts_counts import auxiliary_map, check_darts_pair, plan_darts
from nasbench.networks.drop_path import DropPath
from nasbench.networks.skeletons import NetworkPlan, Place
from nasbench.networks.stacked_cells import StackedCells
from nasbench.structures import FIRST_BLOCK, Cell, CellPair, Regularization, Scale


def build_darts_network(pair: CellPair, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier that repeats a pair of cells as DARTS's released code does.

    Args:
        pair: normal and reduction cell, whose outputs list all blocks.
        scale: N, F and image. N normal cells per stage; the paper's network of 20 cells has N = 6 and F = 36.
        regularization: drop-path, auxiliary head and dropout; None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when a cell reads a state that does not exist or does not put out all blocks; when the scale is not
            possible, or has an ImageNet stem or `stem_filters`.
        UnknownName: when an operation has an unknown name.

    Source: Liu, Simonyan & Yang 2019 (arXiv 1806.09055), appendix A.2, and its released code (cnn/model.py).
    Deviation: initial weights are those of the other networks of cells here, where the released code has torch's.
    """
    check_darts_pair(pair)
    return DartsNetwork(pair, plan_darts(scale), scale, regularization or Regularization())


class DartsNetwork(StackedCells):
    """A network of DARTS's cells. The classifier reads the last cell's output without a ReLU between.

    Args:
        pair: normal and reduction cell, with possible wiring.
        plan: positions of the cells.
        scale: image channels and classes.
        regularization: drop-path, auxiliary head and dropout.
    """

    def __init__(self, pair: CellPair, plan: NetworkPlan, scale: Scale, regularization: Regularization) -> None:
        def build_cell(place: Place, channels: list[int], drop_path_keep: float) -> DartsCell:
            cell = pair.normal if place.kind == "normal" else pair.reduction
            return DartsCell(cell, place, plan, channels, drop_path_keep)

        widths = len(pair.normal.out), len(pair.reduction.out)
        super().__init__(plan, scale, regularization, widths, build_cell, auxiliary_map(plan))


class DartsCell(nn.Module):
    """One cell: a ReLU, a 1x1 convolution and BatchNorm for c and p, then the nodes.

    A p that is larger than c passes a factorized reduction instead. Each operation has its own ReLU.

    Args:
        cell: its blocks.
        place: filters, stride and the feature maps that it reads.
        plan: positions of all cells of the network.
        channels: channels of every feature map of the network.
        drop_path_keep: probability in (0, 1] of keeping a path at the end of training.
    """

    def __init__(self, cell: Cell, place: Place, plan: NetworkPlan, channels: list[int], drop_path_keep: float) -> None:
        super().__init__()
        filters = place.filters
        halves = plan.map_size(place.p_map) != place.size
        self.project_c = projection(channels[place.previous], filters, halves=False)
        self.project_p = projection(channels[place.p_map], filters, halves)
        self.sources: list[tuple[int, int]] = []
        self.paths = nn.ModuleList()
        for block in cell.blocks:
            self.sources.append((block.left, block.right))
            for source, operation in ((block.left, block.left_op), (block.right, block.right_op)):
                self.paths.append(DARTS_OPERATIONS[operation](filters, place.stride if source < FIRST_BLOCK else 1))
        self.drop_path = DropPath(drop_path_keep)

    def forward(self, previous: Tensor, previous_previous: Tensor) -> Tensor:
        """Compute the cell's feature map.

        Args:
            previous: c before its projection, [batch, channels, height, width].
            previous_previous: p before its projection, [batch, its channels, its height, its width].

        Returns:
            [batch, F x number of nodes, ceil(height / stride), ceil(width / stride)].
        """
        states: list[Tensor] = [self.project_p(previous_previous), self.project_c(previous)]
        paths = iter(self.paths)
        for sources in self.sources:
            ends = []
            for source in sources:
                path = next(paths)
                end = path(states[source])
                ends.append(end if isinstance(path, nn.Identity) else self.drop_path(end))
            states.append(add_up(ends))
        return torch.cat(states[FIRST_BLOCK:], 1)


def projection(inputs: int, filters: int, halves: bool) -> nn.Module:
    """Build what gives an input of a cell F channels and the size of c: ReLU, a convolution and BatchNorm.

    Args:
        inputs: channels of the input.
        filters: F.
        halves: True to halve height and width by a factorized reduction; False for a 1x1 convolution.

    Returns:
        The module.
    """
    layers = (FactorizedReduction(inputs, filters),) if halves else convolution_bn(inputs, filters, 1)
    return nn.Sequential(nn.ReLU(), *layers)


def _skip(filters: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else nn.Sequential(nn.ReLU(), FactorizedReduction(filters, filters))


def _depthwise(filters: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, a depthwise convolution, a 1x1 convolution and BatchNorm."""
    return [
        nn.ReLU(),
        PaddedConv2d(filters, filters, kernel, stride, dilation, groups=filters),
        *convolution_bn(filters, filters, 1),
    ]


def _separable(filters: int, stride: int, *, kernel: int) -> nn.Module:
    return nn.Sequential(*_depthwise(filters, kernel, stride), *_depthwise(filters, kernel, 1))


def _dilated(filters: int, stride: int, *, kernel: int) -> nn.Module:
    return nn.Sequential(*_depthwise(filters, kernel, stride, dilation=2))


DARTS_OPERATIONS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "max_pool_3x3": lambda filters, stride: nn.MaxPool2d(3, stride, 1),
    "avg_pool_3x3": lambda filters, stride: nn.AvgPool2d(3, stride, 1, count_include_pad=False),
    "skip_connect": _skip,
    "sep_conv_3x3": partial(_separable, kernel=3),
    "sep_conv_5x5": partial(_separable, kernel=5),
    "dil_conv_3x3": partial(_dilated, kernel=3),
    "dil_conv_5x5": partial(_dilated, kernel=5),
}
"""(filters, stride) -> a module that maps [batch, F, height, width] to [batch, F, ceil(height / stride), ...].

A skip of stride 2 is a factorized reduction. Pools have no BatchNorm after them, as in the paper's final networks.
"""
