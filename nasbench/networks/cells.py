"""Networks of NASNet-like cells, at any scale."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import FactorizedReduction, convolution_bn
from nasbench.networks.drop_path import DropPath
from nasbench.networks.operations import IDENTITIES, OPERATIONS, AfterReLU
from nasbench.networks.skeletons import NetworkPlan, Place, Skeleton, plan_network
from nasbench.networks.stacked_cells import StackedCells
from nasbench.networks.wiring import check_pair, live_states, output_width, state_width
from nasbench.structures import (
    FIRST_BLOCK,
    PREVIOUS,
    PREVIOUS_PREVIOUS,
    Cell,
    CellPair,
    Combination,
    Regularization,
    Scale,
)

IMAGENET_EPSILON = 1e-3  # of BatchNorm in the released ImageNet networks; CIFAR's 1e-5 is torch's default


def build_cell_network(
    pair: CellPair, scale: Scale, regularization: Regularization | None = None, *, skeleton: Skeleton = "nasnet"
) -> Network:
    """Build the classifier that repeats a pair of cells.

    Args:
        pair: normal and reduction cell. Blocks that do not reach the output are not built.
        scale: N, F, image and stem.
        regularization: drop-path, auxiliary head and dropout; None for none.
        skeleton: "nasnet" (reduction cells between 3N normal cells) or "pnas" (3N cells, two of which have stride 2).

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when a cell has no output, or reads or lists a state that does not exist, or when the scale is not
            possible, as `skeletons.plan_network` says.
        UnknownName: when an operation, a combination or the skeleton has an unknown name.

    Source: NASNet (arXiv 1707.07012) and PNASNet (arXiv 1712.00559), wired as in their released code
    (tensorflow/models, research/slim/nets/nasnet). That code only adds; blocks that concatenate are in the paper. Here
    they have 2F channels.
    """
    check_pair(pair)
    return CellNetwork(pair, plan_network(scale, skeleton), scale, regularization or Regularization())


class CellNetwork(StackedCells):
    """A network of NASNet-like cells; a ReLU stands before the classifier.

    Args:
        pair: normal and reduction cell, with possible wiring.
        plan: positions of the cells.
        scale: image channels, classes and stem.
        regularization: drop-path, auxiliary head and dropout.

    Deviation: the running statistics of BatchNorm have torch's momentum of 0.1 at every scale; the released ImageNet
    networks use 0.0003.
    """

    def __init__(self, pair: CellPair, plan: NetworkPlan, scale: Scale, regularization: Regularization) -> None:
        def build_cell(place: Place, channels: list[int], drop_path_keep: float) -> CellModule:
            cell = pair.normal if place.kind == "normal" else pair.reduction
            return CellModule(cell, place, plan, channels, drop_path_keep)

        widths = output_width(pair.normal), output_width(pair.reduction)
        super().__init__(plan, scale, regularization, widths, build_cell, plan.auxiliary)
        self.relu = nn.ReLU()
        set_epsilon(self, scale)

    def _classify(self, last: Tensor) -> Tensor:
        return super()._classify(self.relu(last))


def set_epsilon(network: nn.Module, scale: Scale) -> None:
    """Set the epsilon of all BatchNorms of a network of cells: 1e-3 with an ImageNet stem, else torch's 1e-5.

    Args:
        network: the network; it is changed.
        scale: its stem.
    """
    if scale.stem == "imagenet":
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = IMAGENET_EPSILON


class Join(NamedTuple):
    """Wiring of one block that reaches the output.

    `state`: index of the state that it computes. `left`, `right`: states that its two operations read. `drop_left`,
    `drop_right`: True if drop-path applies to the operation. `combine`: how the results are combined.
    """

    state: int
    left: int
    drop_left: bool
    right: int
    drop_right: bool
    combine: Combination


class CellModule(nn.Module):
    """One cell of a network.

    c is projected to F channels; p is projected to F channels if it has another number, and reduced to the size of c if
    it is larger. In the network's first cell, p is c before its projection. A p or c that does not reach the output is
    not projected. If the output of a reduction cell lists p or c, a factorized reduction brings that state to the size
    of the output. A state passes one ReLU for all operations that need one before them.

    Args:
        cell: its blocks and output list.
        place: filters, stride and the feature maps that it reads.
        plan: positions of all cells of the network.
        channels: channels of every feature map of the network.
        drop_path_keep: probability in (0, 1] of keeping a path at the end of training.
    """

    def __init__(self, cell: Cell, place: Place, plan: NetworkPlan, channels: list[int], drop_path_keep: float) -> None:
        super().__init__()
        self.out = cell.out
        live = live_states(cell)
        filters = place.filters
        state_channels = {PREVIOUS: filters, PREVIOUS_PREVIOUS: filters}
        self.project_c = _projection(channels[place.previous], filters) if PREVIOUS in live else None
        self.project_p: nn.Module | None = None
        if PREVIOUS_PREVIOUS in live:
            source = place.previous_previous
            if source is None:
                state_channels[PREVIOUS_PREVIOUS] = channels[place.previous]
                self.project_p = nn.Identity()
            else:
                self.project_p = match(channels[source], filters, plan.map_size(source) != place.size, nn.ReLU())
        self.joins: list[Join] = []
        self.paths = nn.ModuleList()
        self.rectifiers = nn.ModuleDict()
        self.drop_path = DropPath(drop_path_keep)
        for state in sorted(live - {PREVIOUS, PREVIOUS_PREVIOUS}):
            self._add_block(cell, state, place, state_channels)
        halves = place.output_size != place.size
        self.finish = nn.ModuleDict(
            {
                str(state): match(state_channels[state], filters, halves)
                for state in (PREVIOUS_PREVIOUS, PREVIOUS)
                if state in cell.out
            }
        )

    def _add_block(self, cell: Cell, state: int, place: Place, state_channels: dict[int, int]) -> None:
        """Add the two operations of the block that computes `state`."""
        block = cell.blocks[state - FIRST_BLOCK]
        for source, operation in ((block.left, block.left_op), (block.right, block.right_op)):
            stride = place.stride if source < FIRST_BLOCK else 1
            inputs = state_channels.get(source, place.filters * state_width(cell, source))
            path = OPERATIONS[operation](inputs, place.filters, stride)
            self.paths.append(path)
            if isinstance(path, AfterReLU):
                self.rectifiers[str(source)] = nn.ReLU()
        drops = block.left_op not in IDENTITIES, block.right_op not in IDENTITIES
        self.joins.append(Join(state, block.left, drops[0], block.right, drops[1], block.combine))

    def forward(self, previous: Tensor, previous_previous: Tensor) -> Tensor:
        """Compute the cell's feature map.

        Args:
            previous: c before its projection, [batch, channels, height, width].
            previous_previous: p before its projection, [batch, its channels, its height, its width]; in the network's
                first cell the same as `previous`.

        Returns:
            [batch, F x width of the output, ceil(height / stride), ceil(width / stride)].
        """
        states: dict[int, Tensor] = {}
        if self.project_c is not None:
            states[PREVIOUS] = self.project_c(previous)
        if self.project_p is not None:
            states[PREVIOUS_PREVIOUS] = self.project_p(previous_previous)
        self._run_blocks(states)
        for state, module in self.finish.items():
            states[int(state)] = module(states[int(state)])
        return torch.cat([states[state] for state in self.out], 1)

    def _run_blocks(self, states: dict[int, Tensor]) -> None:
        """Compute the blocks that reach the output, and add them to `states`."""
        rectified: dict[int, Tensor] = {}
        paths = iter(self.paths)

        def follow(source: int, drop: bool) -> Tensor:
            path = next(paths)
            start = states[source]
            if isinstance(path, AfterReLU):
                if source not in rectified:
                    rectified[source] = self.rectifiers[str(source)](start)
                start = rectified[source]
            end: Tensor = path(start)
            if drop:
                end = self.drop_path(end)
            return end

        for join in self.joins:
            left, right = follow(join.left, join.drop_left), follow(join.right, join.drop_right)
            states[join.state] = left + right if join.combine == "add" else torch.cat((left, right), 1)


def _projection(inputs: int, filters: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), *convolution_bn(inputs, filters, 1))


def match(inputs: int, filters: int, halves: bool, *first: nn.Module) -> nn.Module:
    """Build the layers that give a state a number of channels, and half its size if requested.

    Args:
        inputs: channels of the state.
        filters: channels that it shall have.
        halves: True to halve height and width (rounded up).
        *first: layers in front, which are left out if nothing has to change.

    Returns:
        `first` and a factorized reduction if `halves`; otherwise `first`, a 1x1 convolution and BatchNorm if the
        channels differ, or else an identity.
    """
    if halves:
        return nn.Sequential(*first, FactorizedReduction(inputs, filters))
    return nn.Identity() if inputs == filters else nn.Sequential(*first, *convolution_bn(inputs, filters, 1))
