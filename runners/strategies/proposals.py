"""Check of what a strategy proposes, before anything is trained or stored."""

from __future__ import annotations

from typing import TypeVar

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Proposal, StrategyConfig
from nasbench.spaces.base import Architecture, Space

C = TypeVar("C", bound=StrategyConfig)


def within_training(config: C, strategy: str, epochs: int) -> C:
    """Fill in `max_epochs`, and refuse more than a training has, before anything is trained.

    Args:
        config: the options; where they have a field `max_epochs`, see `Strategy.asks_epochs`.
        strategy: name of the strategy, for the message.
        epochs: epochs of a whole training, >= 1.

    Returns:
        The options, with `epochs` in place of a `max_epochs` of 0.

    Raises:
        InputError: when `max_epochs` is more than a whole training has.
    """
    given = getattr(config, "max_epochs", None)
    if given == 0:
        return config.model_copy(update={"max_epochs": epochs})
    if given is not None and given > epochs:
        raise InputError(
            f"options of strategy {strategy!r}: max_epochs is {given}, and a whole training has {epochs}; "
            f"take {epochs} or fewer, or leave it out"
        )
    return config


def resolved(proposed: object, space: Space, strategy: str, epochs: int) -> Proposal:
    """Return what a strategy proposes as a proposal whose parts are checked.

    Args:
        proposed: what `ask()` returned, except None.
        space: the searched space, see `require_proposal`.
        strategy: name of the strategy, for the message.
        epochs: epochs of a whole training, >= 1; 0 for a strategy that may not stop one, see `Strategy.asks_epochs`.

    Returns:
        The proposal; its `epochs` are 0 for a whole training.

    Raises:
        InputError: when it is something else, or cannot be trained up to that epoch.
    """
    if not isinstance(proposed, Proposal):
        return Proposal(require_proposal(proposed, space, strategy), 0)
    architecture, asked, continues = (
        require_proposal(proposed.architecture, space, strategy),
        proposed.epochs,
        proposed.continues,
    )
    if not epochs:
        raise _undeclared(strategy)
    if type(asked) is not int:
        raise InputError(
            f"strategy {strategy!r} proposes to train up to epoch {str(asked)[:40]!r} ({type(asked).__name__}); it takes an int"
        )
    if not 1 <= asked <= epochs:
        raise InputError(
            f"strategy {strategy!r} proposes to train up to epoch {str(asked)[:40]}; a whole training has {epochs}"
        )
    if continues is not None and (type(continues) is not int or continues < 0):
        raise InputError(
            f"strategy {strategy!r} proposes to continue {str(continues)[:40]!r}; it takes the number of a proposal"
        )
    return Proposal(architecture, 0 if asked == epochs else asked, continues)


def require_proposal(proposed: object, space: Space, strategy: str) -> Architecture:
    """Return a proposal if it is an architecture of the searched space.

    Args:
        proposed: what `ask()` returned, except None.
        space: the searched space. Variations of its options are accepted, e.g. cells with fewer blocks.
        strategy: name of the strategy, for the message.

    Returns:
        The architecture.

    Raises:
        InputError: when it is something else, an architecture of another space, or has choices out of range.
    """
    if isinstance(proposed, Proposal):
        raise _undeclared(strategy)
    if not isinstance(proposed, Architecture):
        raise InputError(
            f"strategy {strategy!r} proposes {str(proposed)[:80]!r} ({type(proposed).__name__}); ask() returns an "
            "architecture, or None to end"
        )
    if proposed.space.name != space.name:
        raise InputError(
            f"strategy {strategy!r} proposes an architecture of the space {proposed.space.spec!r}, but the search is in "
            f"{space.spec!r}"
        )
    try:
        if proposed.space.decode(proposed.choices).choices == proposed.choices:
            return proposed
        why = f"choices {str(proposed.choices)[:80]} are no tuple of ints"
    except (InputError, TypeError, ValueError) as error:
        why = str(error)
    raise InputError(f"strategy {strategy!r} proposes what is no architecture of {proposed.space.spec!r}: {why}")


def _undeclared(strategy: str) -> InputError:
    return InputError(
        f"strategy {strategy!r} proposes to stop a training early; in a replay its class must say so: asks_epochs = True, and a "
        "field max_epochs in its options"
    )
