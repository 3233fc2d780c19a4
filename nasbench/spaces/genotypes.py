"""Published architectures, as the papers and their released code give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nasbench.structures import FIRST_BLOCK, PREVIOUS, PREVIOUS_PREVIOUS, Block, Cell, CellPair, Layer, LayerStack

if TYPE_CHECKING:
    from nasbench.networks.skeletons import Skeleton

_STATES = {"p": PREVIOUS_PREVIOUS, "c": PREVIOUS} | {f"b{i + 1}": FIRST_BLOCK + i for i in range(9)}
_OPERATIONS = {
    "id": "identity",
    "avg3": "avg_pool_3x3",
    "max3": "max_pool_3x3",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "sep7": "sep_conv_7x7",
    "1x7": "conv_1x7_7x1",
}


def _cell(blocks: str, out: str) -> Cell:
    """Read blocks such as "sep5 c + sep3 p; ..." (operation, state) and states of the output such as "p b1 b2"."""
    parsed = []
    for text in blocks.split(";"):
        (left_op, left), (right_op, right) = (part.split() for part in text.split("+"))
        parsed.append(Block(_STATES[left], _OPERATIONS[left_op], _STATES[right], _OPERATIONS[right_op]))
    return Cell(tuple(parsed), tuple(_STATES[name] for name in out.split()))


NASNET_A = CellPair(
    normal=_cell("sep5 c + sep3 p; sep5 p + sep3 p; avg3 c + id p; avg3 p + avg3 p; sep3 c + id c", "p b1 b2 b3 b4 b5"),
    reduction=_cell(
        "sep5 c + sep7 p; max3 c + sep7 p; avg3 c + sep5 p; id b2 + avg3 b1; sep3 b1 + max3 c", "b2 b3 b4 b5"
    ),
)
"""NASNet-A. Source: Zoph et al., arXiv 1707.07012, figure 4, and the output lists of the released code
(tensorflow/models, research/slim/nets/nasnet/nasnet_utils.py). The normal cell also outputs p and the reduction cell
b2, although blocks read them."""

_PNASNET_5_CELL = _cell(
    "sep5 p + max3 p; sep7 c + max3 c; sep5 c + sep3 c; sep3 b3 + max3 c; sep3 p + id c", "b1 b2 b3 b4 b5"
)
PNASNET_5 = CellPair(normal=_PNASNET_5_CELL, reduction=_PNASNET_5_CELL)
"""PNASNet-5. Source: Liu et al., arXiv 1712.00559, figure 1. One cell is used with both strides (skeleton "pnas")."""

AMOEBANET_A = CellPair(
    normal=_cell("avg3 c + max3 c; sep3 p + id p; id c + avg3 p; sep3 c + sep5 b1; avg3 b4 + sep3 c", "p b2 b3 b5"),
    reduction=_cell(
        "sep3 p + avg3 c; max3 c + sep7 b1; max3 p + max3 c; sep3 b3 + 1x7 c; avg3 p + sep7 c", "b1 b2 b3 b4 b5"
    ),
)
"""AmoebaNet-A. Source: Real et al., arXiv 1802.01548, figure 5, and the released code (tensorflow/tpu,
models/official/amoeba_net). The normal cell also outputs p and the reduction cell b1 and b3, although blocks read
them."""

ENAS_MICRO = CellPair(
    normal=_cell("avg3 p + sep3 p; id p + sep5 p; id p + sep5 c; sep3 c + sep5 p; avg3 p + sep5 c", "b1 b2 b3 b4 b5"),
    reduction=_cell(
        "sep3 c + sep3 c; max3 p + avg3 p; sep5 c + sep5 b2; sep3 c + id p; max3 p + sep5 c", "b1 b3 b4 b5"
    ),
)
"""The cells that ENAS found in its micro space. Source: Pham et al., arXiv 1802.03268, as the released code's
scripts/cifar10_micro_final.sh spells them (github.com/melodyguan/enas; operations 0 to 4 are sep3, sep5, avg3, max3,
identity; input 0 is p). Deviation: built in NASNet's skeleton and with its operations, so counts differ from those of
the released network."""

NAS_V1 = LayerStack(
    layers=(
        Layer(3, 3, 36, (0,)),
        Layer(3, 3, 48, (1,)),
        Layer(3, 3, 36, (1, 2)),
        Layer(5, 5, 36, (1, 2, 3)),
        Layer(3, 7, 48, (3, 4)),
        Layer(7, 7, 48, (2, 3, 4, 5)),
        Layer(7, 7, 48, (2, 3, 4, 5, 6)),
        Layer(7, 3, 36, (1, 6, 7)),
        Layer(7, 1, 36, (1, 5, 6, 8)),
        Layer(7, 7, 36, (1, 3, 4, 5, 6, 7, 8, 9)),
        Layer(5, 7, 36, (1, 2, 5, 6, 7, 8, 9, 10)),
        Layer(7, 7, 48, (1, 2, 3, 4, 6, 11)),
        Layer(7, 5, 48, (1, 3, 6, 7, 8, 9, 10, 11, 12)),
        Layer(7, 5, 48, (3, 7, 12, 13)),
        Layer(7, 5, 48, (2, 7, 11, 12, 13, 14)),
    ),
    out=(15,),
)
"""NAS v1, the best network without strides and pooling. Source: Zoph and Le, arXiv 1611.01578, figure 7."""

GENOTYPES: Mapping[str, CellPair | LayerStack] = {
    "amoebanet-a": AMOEBANET_A,
    "enas-micro": ENAS_MICRO,
    "nas-v1": NAS_V1,
    "nasnet-a": NASNET_A,
    "pnasnet-5": PNASNET_5,
}

_SKELETONS: Mapping[str, Skeleton] = {"pnasnet-5": "pnas"}


def skeleton_of(name: str) -> Skeleton:
    """Return how the cells of a published architecture are stacked.

    Args:
        name: a name of `GENOTYPES`.

    Returns:
        "pnas" for PNASNet-5, whose 3N cells include the reductions; otherwise "nasnet".
    """
    return _SKELETONS.get(name, "nasnet")
