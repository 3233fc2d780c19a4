"""Command-line options of executors, generated from the fields of `ExecutorOptions`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import click

from nasbench.errors import InputError
from nasbench.runners.executors.base import ExecutorOptions, executor_of

F = TypeVar("F", bound=Callable[..., Any])

_SHORT: Final = {"children_per_device": ("-k",)}
_TYPES: Final[dict[Any, type]] = {int: int, float: float}


def executor_options(*names: str) -> Callable[[F], F]:
    """Add executor options to a command. Its argument `where` gets those that the user gave, by field name.

    Args:
        names: fields of `ExecutorOptions`, in the order of the help text.

    Returns:
        The decorator for the command.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def called(*args: Any, **values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            return command(*args, where={name: value for name, value in given.items() if value is not None}, **values)

        decorated: Any = called
        for name in reversed(names):
            decorated = _option(name)(decorated)
        return cast("F", decorated)

    return decorate


def require_executor(executor: str, given: Mapping[str, Any]) -> None:
    """Refuse options that another executor takes.

    Args:
        executor: the chosen one.
        given: options that the user gave, by field name.

    Raises:
        InputError: naming the first such option.
    """
    for name in given:
        if executor_of(name) not in ("", executor):
            raise InputError(
                f"{_flag(name)} is for a Ray cluster: add --executor {executor_of(name)}, or use --devices with "
                f"--executor {executor}"
            )


def _option(name: str) -> Callable[[F], F]:
    field = ExecutorOptions.model_fields[name]
    default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    only = executor_of(name)
    help_text = f"{only.capitalize() + ': ' if only else ''}{field.description}"
    shown = f"  [default: {default}]" if default not in ("", 0, 0.0) else ""
    return click.option(
        _flag(name),
        *_SHORT.get(name, ()),
        name,
        default=None,
        type=_TYPES.get(field.annotation, str),
        help=f"{help_text[:1].upper()}{help_text[1:]}.{shown}",
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
