"""Construction of super-networks, and the spaces that have one."""

from __future__ import annotations

from nasbench.errors import InputError
from nasbench.spaces.base import Space
from nasbench.spaces.cell_space import CellSpace
from nasbench.spaces.enas_macro import EnasMacroSpace
from nasbench.structures import Regularization, Scale
from nasbench.supernets.base import SuperNetwork
from nasbench.supernets.cells import CellSuperNetwork
from nasbench.supernets.macro import MacroSuperNetwork


def build_supernetwork(space: Space, scale: Scale, regularization: Regularization | None = None) -> SuperNetwork:
    """Build the super-network of a space.

    Args:
        space: one for which `require_supernetwork` passes.
        scale: of every network in it.
        regularization: only dropout applies, as in ENAS's released search; None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the space has no super-network or the scale does not fit it.
    """
    require_supernetwork(space)
    parts = regularization or Regularization()
    if isinstance(space, EnasMacroSpace):
        return MacroSuperNetwork(space, scale, parts)
    assert isinstance(space, CellSpace)
    return CellSuperNetwork(space, scale, parts)


def require_supernetwork(space: Space) -> None:
    """Refuse a space whose networks cannot share weights here.

    Raises:
        InputError: for spaces other than ENAS's macro space and those of cells, and for cells whose blocks may concatenate.
    """
    if isinstance(space, EnasMacroSpace):
        return
    if not isinstance(space, CellSpace):
        raise InputError(
            f"space {space.spec!r} has no super-network; enas-macro and spaces of cells have one, e.g. enas-micro or "
            "nasnet:combinations=add"
        )
    if space.grammar.combinations != ("add",):
        raise InputError(
            f"space {space.spec!r} lets blocks concatenate, and a super-network needs states of one width: use combinations=add"
        )
