"""Weights of a path through a super-network, put into the stand-alone network of the same architecture."""

from __future__ import annotations

import torch
from torch import nn

from nasbench.networks.cells import CellModule, CellNetwork, build_cell_network
from nasbench.spaces.base import Architecture
from nasbench.structures import FIRST_BLOCK, Cell, Scale
from nasbench.supernets.cells import CellSuperNetwork, SharedCell, path_name


def stand_alone(network: CellSuperNetwork, architecture: Architecture, scale: Scale) -> CellNetwork:
    """The network of the architecture as spelled, with copies of the weights on its path."""
    pair = network.space.spelled(architecture)
    single = build_cell_network(pair, scale, skeleton=network.space.grammar.skeleton).to(network.classifier.bias.dtype)
    with torch.no_grad():
        copy(network.stem, single.stem)
        slots: list[tuple[int, ...]] = [(0,)]
        for place, shared, module in zip(network.places, network.cells, single.cells):
            cell = pair.normal if place.kind == "normal" else pair.reduction
            before = place.previous if place.previous_previous is None else place.previous_previous
            _copy_cell(shared, module, cell, slots[place.previous], slots[before])
            slots.append(tuple(sorted(cell.out)))
        single.classifier.linear.weight.copy_(network.classifier.weight_of(slots[-1]))
        single.classifier.linear.bias.copy_(network.classifier.bias)
    return single


def _copy_cell(
    shared: SharedCell, module: CellModule, cell: Cell, previous: tuple[int, ...], before: tuple[int, ...]
) -> None:
    if module.project_c is not None:
        module.project_c[1].weight.copy_(shared.project_c.convolution.weight_of(previous))
        copy(shared.project_c.norm, module.project_c[2])
    if isinstance(module.project_p, nn.Sequential):
        if shared.halves_p:
            _, reduction = module.project_p
            for half in ("straight", "shifted"):
                getattr(reduction, half).weight.copy_(getattr(shared.project_p, half).weight_of(before))
            copy(shared.project_p.norm, reduction.norm)
        else:
            module.project_p[1].weight.copy_(shared.project_p.convolution.weight_of(before))
            copy(shared.project_p.norm, module.project_p[2])
    paths = iter(module.paths)
    for join in module.joins:
        block = cell.blocks[join.state - FIRST_BLOCK]
        copy(shared.paths[path_name(join.state, "left", block.left_op, block.left)], next(paths))
        copy(shared.paths[path_name(join.state, "right", block.right_op, block.right)], next(paths))
    for state, finish in module.finish.items():
        copy(shared.finish[state], finish)


def copy(source: nn.Module, target: nn.Module) -> None:
    """Copy all parameters between modules of the same make."""
    pairs = list(zip(source.parameters(), target.parameters(), strict=True))
    for theirs, ours in pairs:
        ours.copy_(theirs)
