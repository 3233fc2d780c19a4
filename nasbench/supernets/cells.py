"""The super-network of a space of cells."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.cells import match, set_epsilon
from nasbench.networks.operations import OPERATIONS, AfterReLU
from nasbench.networks.skeletons import NetworkPlan, Place, plan_network
from nasbench.networks.stacked_cells import build_stem
from nasbench.networks.wiring import live_states
from nasbench.spaces.base import Architecture
from nasbench.spaces.cell_space import CellSpace
from nasbench.structures import FIRST_BLOCK, PREVIOUS, PREVIOUS_PREVIOUS, Cell, Regularization, Scale
from nasbench.supernets.base import SuperNetwork
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


class CellSuperNetwork(SuperNetwork):
    """The super-network of a space of cells whose blocks add.

    Blocks and operands are computed in the order of the architecture's decisions, so two sequences of choices for one
    graph use different weights, as in ENAS's released code. Paths share:
    - the weights and BatchNorms of operations: one set per cell of the network, block, operand (left or right),
      operation and input state. Pools and identities have some if channels or size change.
    - the projections of c and p in each cell (with stride 2 for a p that is larger than c), and the classifier. They
      have one slice of weights per state of the feature map that they read, and the projections have one BatchNorm.
    - the layers that give p or c the size and channels of the cell's output, if it lists them.
    - the stem.

    Args:
        space: cells whose blocks add.
        scale: N, F, image and stem.
        regularization: only dropout is used.

    Raises:
        InputError: when the scale is not possible, as `skeletons.plan_network` says.

    Source: Pham et al. 2018 (1802.03268), section 2.4, and the released micro search (github.com/melodyguan/enas,
    micro_child.py).
    Deviation: the skeleton is that of the space's networks, so a path with its weights is exactly a network of the
    space. In reduction cells, the operations that read p or c have stride 2; the released search halves c before these
    cells, and its operations have stride 1. The slices of weights per state are in the projections that read a cell's
    output; there, they are in a convolution at the end of each cell. There is no auxiliary head. Pools and identities
    have a BatchNorm per input state too.
    """

    def __init__(self, space: CellSpace, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        self.space = space
        plan = plan_network(scale, space.grammar.skeleton)
        self.places = plan.places
        self.stem = build_stem(plan, scale)
        states = FIRST_BLOCK + space.grammar.blocks
        slots = [Slots(1, plan.stem_filters), *(Slots(states, place.filters) for place in plan.places)]
        self.cells = nn.ModuleList(SharedCell(space, place, plan, slots) for place in plan.places)
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


class SharedCell(nn.Module):
    """All cells at one position of the network. They compute what `networks.cells.CellModule` does.

    `CellSuperNetwork` says which weights they share.

    Args:
        space: the space of the cells.
        place: filters, stride and the feature maps that the cell reads.
        plan: positions of all cells of the network.
        slots: states that each feature map of the network may concatenate.
    """

    def __init__(self, space: CellSpace, place: Place, plan: NetworkPlan, slots: list[Slots]) -> None:
        super().__init__()
        self.filters, grammar = place.filters, space.grammar
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
        self.paths = nn.ModuleDict(
            {
                path_name(state, side, operation, source): OPERATIONS[operation](
                    widths[source], place.filters, place.stride if source < FIRST_BLOCK else 1
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

    def _matched(self, chosen: Chosen) -> Tensor:
        """Return p with c's size and F channels; unchanged if it has both, and in the network's first cell."""
        fits = not self.halves_p and sum(each.shape[1] for each in chosen.maps) == self.filters
        if self.project_p is None or fits:
            return chosen.stacked
        projected: Tensor = self.project_p(chosen)
        return projected

    def _follow(self, name: str, source: int, states: dict[int, Tensor], rectified: dict[int, Tensor]) -> Tensor:
        path, start = self.paths[name], states[source]
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
