"""The super-network of a space of cells."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.cells import build_stem, match, set_epsilon
from nasbench.networks.operations import OPERATIONS, AfterReLU
from nasbench.networks.skeletons import NetworkPlan, Place, plan_network
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
    """Possible contents of a feature map of the super-network: number of states, and channels per state."""

    number: int
    width: int


class CellSuperNetwork(SuperNetwork):
    """All networks of a space of cells with adding blocks.

    Blocks and operands run in the order of the architecture's decisions: two encodings of one graph use
    different weights, as in ENAS's released code. Shared by all paths that use it:
    - an operation's weights and BatchNorms: one set per position in the network, block, operand (left, right), operation and input
      state. Pools and identities have some where channels or size change.
    - the projections of c and p in each place, the classifier, and the steps that halve p or c where a cell's output lists them: a
      slice of weights for each state of the map they read, and one BatchNorm.
    - the stem.

    Args:
        space: cells whose blocks add.
        scale: N, F, image and stem.
        regularization: only dropout applies.

    Source: Pham et al. 2018 (1802.03268), section 2.4, and the released micro search (github.com/melodyguan/enas, micro_child.py).
    Deviation: it has our skeleton, so that a path with its weights is exactly a stand-alone network of the space. Hence reductions
    stride in the operations that read p or c, where the released search halves c before its reduction cells and all operations have
    stride 1; the slices of weights by state sit in the projections that read a cell's output, not in a convolution that ends each
    cell; and there is no auxiliary head. BatchNorms of pools and identities are by input state too.
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
        """Map images [batch, channels, height, width] to logits [batch, classes] along the path of an architecture."""
        pair = self.space.spelled(architecture)
        maps = [Chosen([self.stem(images)], (0,))]
        for place, module in zip(self.places, self.cells):
            before = place.previous if place.previous_previous is None else place.previous_previous
            cell = pair.normal if place.kind == "normal" else pair.reduction
            maps.append(module(maps[place.previous], maps[before], cell))
        logits: Tensor = self.classifier(maps[-1])
        return logits


class SharedCell(nn.Module):
    """All cells in one place; see `CellSuperNetwork` for what they share and `cells.CellModule` for what they compute.

    Args:
        space: of the cells.
        place: filters, stride and the feature maps it reads.
        plan: the network around it.
        slots: possible contents of each feature map of that network.
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
        halves = -(-place.size // place.stride) != place.size
        self.finish = nn.ModuleDict(
            {str(state): match(widths[state], place.filters, halves) for state in (PREVIOUS_PREVIOUS, PREVIOUS)}
        )

    def forward(self, previous: Chosen, previous_previous: Chosen, cell: Cell) -> Chosen:
        """Compute the states of the cell's output from the maps read as c and p (in the first cell both are the same)."""
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
        """p in c's size and with F channels; unchanged if it has both, and in the network's first cell."""
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
    """Name in `SharedCell.paths` of the operation that block `state` applies to one operand."""
    return f"{state}_{side}_{operation}_of_{source}"
