"""Named settings of strategies: those of the paper, and those that scale with the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.strategies.base import Strategy

PRESET: Final = "preset"
CHILDREN: Final = "children"
PRESETS: Final = ("auto", "paper")


def with_preset(
    kind: type[Strategy[Any]],
    options: Mapping[str, Any],
    children: float | None,
    epochs: int | None = None,
    space: str = "",
) -> dict[str, Any]:
    """Replace the option `preset` by the options that it stands for; given options win.

    The result names every setting, so a stored run shows them, and a later version with another rule repeats it.

    Args:
        kind: the strategy's class.
        options: option -> value. With preset=auto, `children` says how many children the budget is for.
        children: children that the budget pays for; None if it is not in children.
        epochs: epochs of a child's training; None for those of the protocol that the options name, or of "digits".
        space: text of the space that is searched, e.g. "nasnet:blocks=3"; "" if it is not known.

    Returns:
        The options without `preset` and `children`; unchanged if `preset` is not among them.

    Raises:
        UnknownName: for another preset or protocol.
        InputError: when the strategy has no settings that scale, or the number of children is not known.
    """
    if PRESET not in options:
        return dict(options)
    name, rest = options[PRESET], {key: value for key, value in options.items() if key != PRESET}
    if name not in PRESETS:
        raise UnknownName("preset", str(name), PRESETS)
    if name == "paper":
        return {**kind.paper_options_on(space.partition(":")[0]), **rest}
    given = rest.pop(CHILDREN, children)
    try:
        count = round(float(given))
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        raise InputError(
            f"strategy {kind.name!r}, preset=auto: its settings scale with the number of children, which a budget of time or "
            "money does not say; give it beside, e.g. children=200"
        )
    length = get_protocol(str(rest.get("protocol", "digits"))).epochs if epochs is None else epochs
    scaled = kind.auto_options_for(count, length, rest)
    if scaled is None:
        raise InputError(f"strategy {kind.name!r} has no settings that scale with the budget; leave preset=auto out")
    return {**scaled, **rest}


def scaled(paper: float, paper_children: int, children: int, most: float) -> float:
    """Scale a learning rate so that rate x children stays what it was in the paper, up to a limit.

    Args:
        paper: the paper's learning rate.
        paper_children: number of children in the paper's search.
        children: number of children of this search, >= 1.
        most: the largest rate.

    Returns:
        The rate with three significant digits.

    Source: ours. Adam moves a parameter by about its rate in each update, so that rate x updates is how far it can get.
    """
    return float(f"{min(most, paper * paper_children / children):.3g}")
