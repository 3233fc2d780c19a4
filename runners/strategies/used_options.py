"""Options that only some algorithms of a library use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nasbench.runners.strategies.base import StrategyConfig


def require_used(config: StrategyConfig, chosen_by: str, used_by: Mapping[str, Sequence[str]]) -> None:
    """Refuse an option that the chosen algorithm would ignore.

    Args:
        config: the options.
        chosen_by: name of the option that chooses the algorithm, e.g. "sampler".
        used_by: option -> the algorithms that use it; all use the options that are not named.

    Raises:
        ValueError: when another value than the default is given to an option that the algorithm does not use.
    """
    chosen = getattr(config, chosen_by)
    for name, algorithms in used_by.items():
        if chosen not in algorithms and getattr(config, name) != type(config).model_fields[name].default:
            raise ValueError(f"{name} is an option of {chosen_by} {' and '.join(algorithms)}, not of {chosen}")
