"""Options of a strategy as a user writes them behind its name: "population=20,sample=5", or "tpe" for a main option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Strategy
from nasbench.runners.strategies.source_files import strategy_class
from nasbench.store.measured import split_names


def options_of(name: str, text: str) -> dict[str, str]:
    """Read the options that stand behind a strategy's name; see `read_options`.

    Args:
        name: name of the strategy, or a file and a class.
        text: the options with commas between, e.g. "population=20,sample=5"; "" for none. Commas in brackets belong to a
            value, as in "objectives=error/latency[method=eager,batch=1]".

    Returns:
        Option -> value as text.

    Raises:
        UnknownName: when there is no such strategy.
        InputError: for a part that is no option; the message lists those of the strategy.
    """
    return read_options(strategy_class(name), name, split_names(text))


def read_options(kind: type[Strategy[Any]], name: str, parts: Sequence[str]) -> dict[str, str]:
    """Read options that read key=value. The first may be the value alone of the strategy's main option.

    Args:
        kind: class of the strategy.
        name: its name, for messages.
        parts: the options, e.g. ["sampler=tpe", "startup=5"], or ["tpe", "startup=5"] for the same of optuna.

    Returns:
        Option -> value as text, both without surrounding spaces.

    Raises:
        InputError: for a part without "=" that is not the main option, or an option that is given twice.
    """
    values: dict[str, str] = {}
    for place, part in enumerate(parts):
        key, equals, value = (each.strip() for each in part.partition("="))
        if not equals and place == 0 and kind.main_option:
            key, value = kind.main_option, key
        elif not equals or not key:
            raise InputError(
                f"option {part!r} of strategy {name!r} should read key=value; it has: "
                f"{', '.join(kind.config_type.model_fields) or 'no options'}"
            )
        if key in values:
            raise InputError(f"option {key!r} of strategy {name!r} is given twice; give it once")
        values[key] = value
    return values
