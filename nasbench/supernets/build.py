"""Building super-networks, and which spaces have one."""

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
        space: enas-macro, or a space of cells whose blocks add.
        scale: size of the networks that share the weights, and of their images.
        regularization: only dropout is used, as in ENAS's released search; None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the space has no super-network, or the scale does not fit it.
    """
    require_supernetwork(space)
    parts = regularization or Regularization()
    if isinstance(space, EnasMacroSpace):
        return MacroSuperNetwork(space, scale, parts)
    assert isinstance(space, CellSpace)
    return CellSuperNetwork(space, scale, parts)


def require_supernetwork(space: Space) -> None:
    """Check that a space has a super-network.

    Args:
        space: the space.

    Raises:
        InputError: when the space is neither ENAS's macro space nor a space of cells, or when blocks of its cells may
            concatenate.
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
            f"space {space.spec!r} lets blocks concatenate, but all states of a super-network have equally many "
            "channels; use combinations=add"
        )
