"""The parts of networks that the self-test of a device tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import nn

from nasbench.networks.alexnet import ResponseNormalization
from nasbench.networks.auxiliary import AuxiliaryHead
from nasbench.networks.convolutions import Classifier, FactorizedReduction, SameMaxPool2d
from nasbench.networks.drop_path import DropPath
from nasbench.networks.dropout import Dropout
from nasbench.networks.edge_cells import EDGE_OPERATIONS, ReductionBlock
from nasbench.networks.inverted_residual import build_layer
from nasbench.networks.inverted_residual_counts import EXPANSIONS, LayerPlace
from nasbench.networks.macro import MACRO_OPERATIONS, build_branch
from nasbench.networks.operations import OPERATIONS
from nasbench.networks.transnas import BasicBlock

CHANNELS, SIDE, BATCH = 8, 8, 4


@dataclass(frozen=True)
class DevicePart:
    """A part of a network.

    Args:
        build: returns the module; its input has shape [BATCH, CHANNELS, SIDE, SIDE].
        random: True if the module draws random numbers, which differ between CPU and CUDA.
    """

    build: Callable[[], nn.Module]
    random: bool = False


def parts_of_spaces() -> Mapping[str, DevicePart]:
    """Return every operation of every space, with each stride that it has, and the other parts of the networks.

    Returns:
        Readable name -> part, e.g. "sep_conv_3x3 of cells, stride 2".
    """
    parts: dict[str, DevicePart] = {}
    for name, build in OPERATIONS.items():
        for stride in (1, 2):
            parts[f"{name} of cells, stride {stride}"] = DevicePart(partial(build, CHANNELS, CHANNELS, stride))
    for name, build_edge in EDGE_OPERATIONS.items():
        parts[f"{name} of nasbench201"] = DevicePart(partial(build_edge, CHANNELS))
    for name in MACRO_OPERATIONS:
        parts[f"{name} of enas-macro"] = DevicePart(partial(build_branch, name, CHANNELS))
    parts["max_pool_2x2 of nasbench101 and nas"] = DevicePart(partial(SameMaxPool2d, 2, 2))
    parts["residual block of nasbench201"] = DevicePart(partial(ReductionBlock, CHANNELS))
    for name in EXPANSIONS:
        for stride in (1, 2):
            place = LayerPlace(name, CHANNELS, CHANNELS, stride, SIDE)
            parts[f"{name} of nasbench-macro, stride {stride}"] = DevicePart(partial(build_layer, place))
    for stride in (1, 2):
        block = partial(BasicBlock, CHANNELS, CHANNELS, stride)
        parts[f"residual block of transnas-macro, stride {stride}"] = DevicePart(block)
    parts["factorized reduction"] = DevicePart(partial(FactorizedReduction, CHANNELS, CHANNELS))
    parts["auxiliary head"] = DevicePart(partial(AuxiliaryHead, CHANNELS, SIDE, 3))
    parts["classifier"] = DevicePart(partial(Classifier, CHANNELS, 3))
    parts["response normalization of alexnet"] = DevicePart(ResponseNormalization)
    parts["dropout"] = DevicePart(partial(Dropout, 0.3), random=True)
    parts["drop-path"] = DevicePart(_drop_path, random=True)
    return parts


def _drop_path() -> nn.Module:
    drop = DropPath(0.6)
    drop.set_progress(1.0)
    return drop
