"""Building super-networks, and which spaces have one."""

from __future__ import annotations

from nasbench.errors import InputError
from nasbench.spaces.base import Space
from nasbench.spaces.cell_space import CellSpace
from nasbench.spaces.darts import DartsSpace
from nasbench.spaces.enas_macro import EnasMacroSpace
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.structures import Regularization, Scale
from nasbench.supernets.base import SuperNetwork
from nasbench.supernets.cells import CellSuperNetwork
from nasbench.supernets.darts_cells import DartsSuperNetwork
from nasbench.supernets.edge_cells import EdgeSuperNetwork
from nasbench.supernets.macro import MacroSuperNetwork
from nasbench.supernets.mixed import MixedSuperNetwork


def build_supernetwork(
    space: Space, scale: Scale, regularization: Regularization | None = None, *, affine: bool = True
) -> SuperNetwork:
    """Build the super-network of a space.

    Args:
        space: enas-macro, nasbench201, darts, or a space of cells whose blocks add.
        scale: size of the networks that share the weights, and of their images.
        regularization: only dropout is used, as in ENAS's released search; None for none.
        affine: whether BatchNorms in cells have scale and shift; those of enas-macro have them always.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the space has no super-network, or the scale does not fit it.
    """
    require_supernetwork(space)
    if isinstance(space, EnasMacroSpace):
        return MacroSuperNetwork(space, scale, regularization or Regularization())
    return build_mixed_supernetwork(space, scale, regularization, affine=affine)


def build_mixed_supernetwork(
    space: Space,
    scale: Scale,
    regularization: Regularization | None = None,
    *,
    affine: bool = False,
    channel_share: int = 1,
) -> MixedSuperNetwork:
    """Build the super-network of a space whose choices can be mixed.

    Args:
        space: nasbench201, darts, or a space of cells whose blocks add.
        scale: size of the networks that share the weights, and of their images.
        regularization: only dropout is used; None for none.
        affine: whether BatchNorms in cells have scale and shift.
        channel_share: k; operations get 1/k of the channels, the others pass them by (`mixed.through_part`).

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the space has no such network, the scale does not fit it, or k does not divide F.
    """
    require_mixed_supernetwork(space)
    parts = regularization or Regularization()
    if isinstance(space, NasBench201Space):
        return EdgeSuperNetwork(space, scale, parts, affine, channel_share)
    if isinstance(space, DartsSpace):
        return DartsSuperNetwork(space, scale, parts, affine, channel_share)
    assert isinstance(space, CellSpace)
    return CellSuperNetwork(space, scale, parts, affine, channel_share)


def require_supernetwork(space: Space) -> None:
    """Check that a space has a super-network.

    Args:
        space: the space.

    Raises:
        InputError: when the space is not enas-macro, nasbench201, darts or a space of cells, or when blocks of its cells
            may concatenate.
    """
    if not isinstance(space, EnasMacroSpace):
        _require_cells(space, "enas-macro, nasbench201, darts")


def require_mixed_supernetwork(space: Space) -> None:
    """Check that a space has a super-network whose choices can be mixed.

    Args:
        space: the space.

    Raises:
        InputError: when the space is not nasbench201, darts or a space of cells, or when blocks of its cells may
            concatenate.
    """
    _require_cells(space, "nasbench201, darts")


def _require_cells(space: Space, others: str) -> None:
    if isinstance(space, (NasBench201Space, DartsSpace)):
        return
    if not isinstance(space, CellSpace):
        what = "super-network" if "macro" in others else "super-network of mixed operations"
        raise InputError(
            f"space {space.spec!r} has no {what}; {others} and spaces of cells have one, e.g. enas-micro or "
            "nasnet:combinations=add"
        )
    if space.grammar.combinations != ("add",):
        raise InputError(
            f"space {space.spec!r} lets blocks concatenate, but all states of a super-network have equally many "
            "channels; use combinations=add"
        )
