"""Lists of spaces, strategies, protocols and devices; and the shell completion script."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.options import (
    all_protocol_names,
    completing,
    print_registry,
    print_table,
    space_names,
    strategy_names,
)
from nasbench.cli.user_defaults import usual_price

if TYPE_CHECKING:
    from nasbench.protocols.protocol import Protocol
    from nasbench.spaces import Space


def _summary(thing: Any) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0] if thing.__doc__ else ""


@click.group(invoke_without_command=True)
@click.pass_context
def spaces(context: click.Context) -> None:
    """List search spaces; `spaces show NAME` prints one's options and decisions.

    \b
    Example:
      nasbench spaces show nasnet:blocks=2
    """
    from nasbench.spaces import SPACES, get_space

    if context.invoked_subcommand is None:

        def described(name: str, kind: type[Space]) -> tuple[str, int, str, str]:
            space = get_space(name)
            return name, len(space.decisions), f"{float(space.size):.3g}", _summary(kind)

        print_registry(SPACES, ("space", "decisions", "size", "what"), described)


@spaces.command("show")
@click.argument("name", shell_complete=completing(space_names))
def show_space(name: str) -> None:
    """Show the options and decisions of a space, e.g. nasnet:blocks=2."""
    from nasbench.spaces import get_space
    from nasbench.spaces.base import option_fields

    space = get_space(name)
    click.echo(
        f"{space.spec}: {_docstring(type(space))}\n\n{len(space.decisions)} decisions, {float(space.size):.4g} sequences\n"
    )
    print_table(
        ("option", "value", "default"),
        [(field.name, str(getattr(space, field.name)), str(field.default)) for field in option_fields(type(space))],
    )
    click.echo()
    print_table(
        ("decision", "kind", "options"),
        [(decision.name, decision.kind, " ".join(decision.labels)) for decision in space.decisions],
    )


@click.group(invoke_without_command=True)
@click.pass_context
def strategies(context: click.Context) -> None:
    """List search strategies; `strategies show NAME` prints one's options with their sources.

    \b
    Example:
      nasbench strategies show ppo
    """
    from nasbench.runners.strategies import STRATEGIES

    if context.invoked_subcommand is None:
        print_registry(STRATEGIES, ("strategy", "what"), lambda name, kind: (name, _summary(kind)))


@strategies.command("show")
@click.argument("name", shell_complete=completing(strategy_names))
def show_strategy(name: str) -> None:
    """Show what a strategy does and its options: NAME is a registered one, or a class in a file, mine.py:Mine."""
    from nasbench.runners.strategies.source_files import strategy_class

    kind = strategy_class(name)
    # a docstring that is inherited describes another class
    described = _docstring(kind) if kind.__doc__ else "its class has no docstring"
    click.echo(f"{name}: {described}\n")
    if kind.config_type.model_fields:
        _print_fields(kind.config_type, kind.config_type())
    else:
        click.echo("It has no options.")


@click.group(invoke_without_command=True)
@click.pass_context
def protocols(context: click.Context) -> None:
    """List training protocols; `protocols show NAME` prints one's fields, units and sources.

    \b
    Example:
      nasbench protocols show digits
    """
    from nasbench.protocols.protocol import PROTOCOLS
    from nasbench.transfer.protocol import TRANSFER_PROTOCOLS

    if context.invoked_subcommand is None:

        def described(name: str, value: Protocol) -> tuple[str, str, int, str]:
            return name, value.data, value.epochs, _first_sentence(value.source)

        more = [
            (name, "folder:PATH", value.epochs, _first_sentence(value.source))
            for name, value in TRANSFER_PROTOCOLS.items()
        ]
        print_registry(PROTOCOLS, ("protocol", "data", "epochs", "source"), described, more)


@protocols.command("show")
@click.argument("name", shell_complete=completing(all_protocol_names))
def show_protocol(name: str) -> None:
    """Show every field of a protocol."""
    from nasbench.protocols.protocol import get_protocol
    from nasbench.transfer.protocol import TRANSFER_PROTOCOLS

    protocol = TRANSFER_PROTOCOLS[name] if name in TRANSFER_PROTOCOLS else get_protocol(name)
    click.echo(f"{protocol.name}: {protocol.source}\n")
    _print_fields(type(protocol), protocol, ("name", "source"))


def _docstring(kind: type) -> str:
    import inspect

    return inspect.getdoc(kind) or ""


def _first_sentence(text: str) -> str:
    """Return a text up to the first full stop that ends a sentence; `protocols show` has the rest."""
    return re.split(r"(?<=[a-z0-9)])\. (?=[A-Z])", text, maxsplit=1)[0].rstrip(".")


def _print_fields(model: Any, values: Any, above: Sequence[str] = ()) -> None:
    """Print every field except those printed above the table."""
    print_table(
        ("option", "value", "what"),
        [
            (name, str(getattr(values, name)), field.description or "")
            for name, field in model.model_fields.items()
            if name not in above
        ],
    )


@click.command()
@click.option("--price", default=None, help="Your own CSV price table, or one price in USD per hour.")
def devices(price: str | None) -> None:
    """Print the price table: USD per device-hour, dated, with sources.

    \b
    Example:
      nasbench devices
    """
    from nasbench.costs.pricing import prices_from

    table = prices_from(usual_price(price) or None)
    names = [field.name for field in dataclasses.fields(table[0])]
    print_table(names, [tuple(getattr(row, name) for name in names) for row in table])


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      nasbench completion bash > ~/.nasbench-complete && . ~/.nasbench-complete
    """
    from click.shell_completion import get_completion_class

    from nasbench.cli.main import nasbench

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(nasbench, {}, "nasbench", "_NASBENCH_COMPLETE").source())
