"""The super-network of a space of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.networks.cells import match, set_epsilon
from nasbench.networks.operations import OPERATIONS, AfterReLU
from nasbench.networks.skeletons import NetworkPlan, Place, plan_network
from nasbench.networks.stacked_cells import build_stem
from nasbench.networks.wiring import live_states
from nasbench.spaces.base import Architecture
from nasbench.spaces.cell_space import CellSpace
from nasbench.structures import FIRST_BLOCK, PREVIOUS, PREVIOUS_PREVIOUS, Cell, Regularization, Scale
from nasbench.supernets.cell_mixtures import CellChoices, MixedBlock, cell_choices, output_weights
from nasbench.supernets.mixed import (
    MixedSuperNetwork,
    Mixture,
    Weighted,
    logarithm,
    require_share,
    sum_of,
    through_part,
    without_affine,
)
from nasbench.supernets.shared_layers import (
    Chosen,
    SlotClassifier,
    SlotProjection,
    SlotReduction,
    use_batch_statistics,
)


class Slots(NamedTuple):
    """States that a feature map of the super-network may concatenate.

    `number`: number of these states. `width`: channels of each.
    """

    number: int
    width: int


class CellSuperNetwork(MixedSuperNetwork):
    """The super-network of a space of cells whose blocks add.

    Blocks and operands are computed in the order of the architecture's decisions, so two sequences of choices for one
    graph use different weights, as in ENAS's released code. Paths share:
    - the weights and BatchNorms of operations: one set per cell of the network, block, operand (left or right),
      operation and input state. Pools and identities have some if channels or size change.
    - the projections of c and p in each cell (with stride 2 for a p that is larger than c), and the classifier. They
      have one slice of weights per state of the feature map that they read, and the projections have one BatchNorm.
    - the layers that give p or c the size and channels of the cell's output, if it lists them.
    - the stem.

    A mixture has one choice per decision of the space. An operand of a block is then the sum over all states before the
    block, by the weights of its input, of the sum over all operations, by the weights of its operation. All states leave
    the cell, by the probability that the decisions, drawn independently by their weights, make each one an output. A
    mixture projects p always; a path leaves it as it is where it has F channels and the size of c.

    Args:
        space: cells whose blocks add.
        scale: N, F, image and stem.
        regularization: only dropout is used.
        affine: whether the BatchNorms in cells have scale and shift.
        channel_share: k; operations that change no number of channels get 1/k of them.

    Raises:
        InputError: when the scale is not possible, as `skeletons.plan_network` says, or k does not divide F.

    Source: Pham et al. 2018 (1802.03268), section 2.4, and the released micro search (github.com/melodyguan/enas,
    micro_child.py).
    Deviation: the skeleton is that of the space's networks, so a path with its weights is exactly a network of the
    space. In reduction cells, the operations that read p or c have stride 2; the released search halves c before these
    cells, and its operations have stride 1. The slices of weights per state are in the projections that read a cell's
    output; there, they are in a convolution at the end of each cell. There is no auxiliary head. Pools and identities
    have a BatchNorm per input state too.
    """

    edge_sizes = ()  # the inputs are choices themselves

    def __init__(
        self,
        space: CellSpace,
        scale: Scale,
        regularization: Regularization,
        affine: bool = True,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        require_share(scale.filters, channel_share)
        self.space = space
        self.choices = tuple(decision.labels for decision in space.decisions)
        plan = plan_network(scale, space.grammar.skeleton)
        self.places = plan.places
        self.stem = build_stem(plan, scale)
        states = FIRST_BLOCK + space.grammar.blocks
        slots = [Slots(1, plan.stem_filters), *(Slots(states, place.filters) for place in plan.places)]
        self.cells = nn.ModuleList(SharedCell(space, place, plan, slots, channel_share) for place in plan.places)
        if not affine:
            without_affine(self.cells)
        self.classifier = SlotClassifier(*slots[-1], scale.classes, regularization.dropout)
        set_epsilon(self, scale)
        use_batch_statistics(self)

    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Compute the logits of an architecture; see `SuperNetwork.forward`."""
        pair = self.space.spelled(architecture)
        maps = [Chosen([self.stem(images)], (0,))]
        for place, module in zip(self.places, self.cells):
            cell = pair.normal if place.kind == "normal" else pair.reduction
            maps.append(module(maps[place.previous], maps[place.p_map], cell))
        logits: Tensor = self.classifier(maps[-1])
        return logits

    def mixed(self, images: Tensor, mixture: Mixture) -> Tensor:
        """Compute the logits of a mixture; see `MixedSuperNetwork.mixed`."""
        cells = cell_choices(self.space.grammar, mixture.choices)
        maps = [Chosen([self.stem(images)], (0,))]
        for place, module in zip(self.places, self.cells):
            assert isinstance(module, SharedCell)
            choices = cells[0 if place.kind == "normal" else -1]
            maps.append(module.mixed(maps[place.previous], maps[place.p_map], choices))
        logits: Tensor = self.classifier(maps[-1])
        return logits

    def path(self, architecture: Architecture) -> Sequence[Weighted]:
        """Return the decisions of an architecture; see `MixedSuperNetwork.path`."""
        return [
            Weighted(F.one_hot(torch.tensor(choice), len(labels)).to(self.classifier.bias), choice)
            for choice, labels in zip(architecture.choices, self.choices)
        ]

    def factors(
        self, weights: Sequence[NDArray[np.float64]], edges: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        """Return the decisions; see `MixedSuperNetwork.factors`."""
        return [logarithm(each) for each in weights]

    def architecture_of(self, options: Sequence[int]) -> Architecture:
        """Make an architecture from its choices; see `MixedSuperNetwork.architecture_of`."""
        return self.space.decode(options)

    def options_of(self, architecture: Architecture) -> Sequence[int]:
        """Return its choices; see `MixedSuperNetwork.options_of`."""
        return architecture.choices


class SharedCell(nn.Module):
    """All cells at one position of the network. They compute what `networks.cells.CellModule` does.

    `CellSuperNetwork` says which weights they share.

    Args:
        space: the space of the cells.
        place: filters, stride and the feature maps that the cell reads.
        plan: positions of all cells of the network.
        slots: states that each feature map of the network may concatenate.
        channel_share: k; operations that change no number of channels get 1/k of them.
    """

    def __init__(
        self, space: CellSpace, place: Place, plan: NetworkPlan, slots: list[Slots], channel_share: int = 1
    ) -> None:
        super().__init__()
        self.filters, self.grammar = place.filters, space.grammar
        grammar = self.grammar
        self.stride = place.stride
        self.project_c = SlotProjection(*slots[place.previous], place.filters)
        self.project_p: SlotProjection | SlotReduction | None = None
        self.halves_p = False
        widths = [place.filters] * (FIRST_BLOCK + grammar.blocks)
        if place.previous_previous is None:
            widths[PREVIOUS_PREVIOUS] = slots[place.previous].width
        else:
            self.halves_p = plan.map_size(place.previous_previous) != place.size
            kind = SlotReduction if self.halves_p else SlotProjection
            self.project_p = kind(*slots[place.previous_previous], place.filters)
        self.shares = [channel_share if width == place.filters else 1 for width in widths]  # by state that is read
        self.paths = nn.ModuleDict(
            {
                path_name(state, side, operation, source): OPERATIONS[operation](
                    widths[source] // self.shares[source],
                    place.filters // self.shares[source],
                    place.stride if source < FIRST_BLOCK else 1,
                )
                for state in range(FIRST_BLOCK, FIRST_BLOCK + grammar.blocks)
                for side in ("left", "right")
                for operation in grammar.operations
                for source in range(state)
            }
        )
        halves = place.output_size != place.size
        self.finish = nn.ModuleDict(
            {str(state): match(widths[state], place.filters, halves) for state in (PREVIOUS_PREVIOUS, PREVIOUS)}
        )

    def forward(self, previous: Chosen, previous_previous: Chosen, cell: Cell) -> Chosen:
        """Compute the states that a cell outputs.

        Args:
            previous: states of the feature map that the cell reads as c.
            previous_previous: states of the feature map that the cell reads as p; in the first cell the same as
                `previous`.
            cell: blocks and output of the architecture's cell.

        Returns:
            The states of the output, each [batch, F, ceil(height / stride), ceil(width / stride)].
        """
        live = live_states(cell)
        states: dict[int, Tensor] = {}
        if PREVIOUS in live:
            states[PREVIOUS] = self.project_c(previous)
        if PREVIOUS_PREVIOUS in live:
            states[PREVIOUS_PREVIOUS] = self._matched(previous_previous)
        rectified: dict[int, Tensor] = {}
        for state in sorted(live - {PREVIOUS, PREVIOUS_PREVIOUS}):
            block = cell.blocks[state - FIRST_BLOCK]
            left = self._follow(path_name(state, "left", block.left_op, block.left), block.left, states, rectified)
            right = self._follow(path_name(state, "right", block.right_op, block.right), block.right, states, rectified)
            states[state] = left + right
        out = tuple(sorted(cell.out))
        return Chosen(
            [self.finish[str(state)](states[state]) if state < FIRST_BLOCK else states[state] for state in out], out
        )

    def mixed(self, previous: Chosen, previous_previous: Chosen, choices: CellChoices) -> Chosen:
        """Compute all states by the weights of choices.

        Args:
            previous: states of the feature map that the cell reads as c.
            previous_previous: states of the feature map that the cell reads as p.
            choices: choices of the cell.

        Returns:
            All states that may be an output, each times its weight; shapes as of `forward`.
        """
        states: dict[int, Tensor] = {
            PREVIOUS: self.project_c(previous),
            PREVIOUS_PREVIOUS: self._matched(previous_previous),
        }
        rectified: dict[int, Tensor] = {}
        for state, block in enumerate(choices.blocks, FIRST_BLOCK):
            states[state] = self._operand(state, "left", block, states, rectified) + self._operand(
                state, "right", block, states, rectified
            )
        weights = output_weights(self.grammar, choices)
        maps = {
            state: self.finish[str(state)](states[state]) if state < FIRST_BLOCK else states[state] for state in weights
        }
        return Chosen([weight * maps[state] for state, weight in weights.items()], tuple(weights))

    def _operand(
        self, state: int, side: str, block: MixedBlock, states: dict[int, Tensor], rectified: dict[int, Tensor]
    ) -> Tensor:
        """Add the results of all operations on all states before a block, by their weights."""
        inputs, operations = block.operand(side)
        assert inputs.weights is not None
        assert operations.weights is not None
        ends: list[Tensor | None] = []
        for source in range(state) if inputs.chosen is None else (inputs.chosen,):
            mixed = sum_of(
                [
                    operations.weights[index]
                    * self._follow(path_name(state, side, operation, source), source, states, rectified)
                    for index, operation in enumerate(self.grammar.operations)
                    if operations.chosen in (None, index)
                ]
            )
            assert mixed is not None
            ends.append(inputs.weights[source] * mixed)
        total = sum_of(ends)
        assert total is not None
        return total

    def _matched(self, chosen: Chosen) -> Tensor:
        """Return p with c's size and F channels; unchanged if it has both, and in the network's first cell."""
        fits = not self.halves_p and sum(each.shape[1] for each in chosen.maps) == self.filters
        if self.project_p is None or fits:
            return chosen.stacked
        projected: Tensor = self.project_p(chosen)
        return projected

    def _follow(self, name: str, source: int, states: dict[int, Tensor], rectified: dict[int, Tensor]) -> Tensor:
        path, start = self.paths[name], states[source]
        if self.shares[source] != 1:
            stride = self.stride if source < FIRST_BLOCK else 1
            rectifies = isinstance(path, AfterReLU)
            passed = through_part(
                start, self.shares[source], stride, lambda part: path(F.relu(part) if rectifies else part)
            )
            assert passed is not None
            return passed
        if isinstance(path, AfterReLU):
            if source not in rectified:
                rectified[source] = F.relu(start)
            start = rectified[source]
        end: Tensor = path(start)
        return end


def path_name(state: int, side: str, operation: str, source: int) -> str:
    """Return the key in `SharedCell.paths` of one operation.

    Args:
        state: index of the state that its block computes.
        side: the operand, "left" or "right".
        operation: name of the operation.
        source: index of the state that it reads.

    Returns:
        The key: "STATE_SIDE_OPERATION_of_SOURCE".
    """
    return f"{state}_{side}_{operation}_of_{source}"
