"""Strategies of one's own: registering them, and what a search takes for a strategy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from nasbench.errors import InputError
from nasbench.runners.strategies import STRATEGIES, Outcome, Proposal, Strategy, StrategyConfig
from nasbench.runners.strategies.option_texts import options_of
from nasbench.runners.strategies.source_files import names_a_file, source_of, split_strategy, strategy_class

__all__ = [
    "GivenStrategy",
    "Outcome",
    "Proposal",
    "Strategy",
    "StrategyConfig",
    "StrategyLike",
    "class_path",
    "given_strategy",
    "register_strategy",
]

S = TypeVar("S", bound=type[Strategy[Any]])

StrategyLike = str | type[Strategy[Any]] | Strategy[Any]


@overload
def register_strategy(kind: S) -> S: ...
@overload
def register_strategy(kind: str) -> Callable[[S], S]: ...
def register_strategy(kind: S | str) -> S | Callable[[S], S]:
    """Give a strategy a name in this process, so that it can be searched with and resumed by that name.

    The name is the class's `name`, or else made of the class's own: `MyStrategy` is "my_strategy". Defining the class
    again, as a notebook does, replaces it. A package that is installed adds a strategy with an entry point of the group
    `nasbench.strategies`.

    Args:
        kind: the class; or its name, as in `@register_strategy("mine")`.

    Returns:
        The class.

    Raises:
        InputError: when it is no strategy, or another one has the name.

    Example:
        >>> import nasbench, numpy
        >>> @nasbench.register_strategy
        ... class Mine(nasbench.Strategy):
        ...     def __init__(self, space, seed, config=None):
        ...         super().__init__(space, seed, config)
        ...         self.rng = numpy.random.default_rng(seed)
        ...     def ask(self):
        ...         return self.space.random(self.rng)
        ...     def tell(self, outcome):
        ...         pass
        >>> Mine.name
        'mine'
    """
    if isinstance(kind, str):
        name = kind

        def register(named: S) -> S:
            return _register(named, name)

        return register
    return _register(kind, None)


def _register(kind: S, name: str | None) -> S:
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        raise InputError(f"a strategy is a subclass of nasbench.Strategy, got {kind!r}")
    chosen = name or getattr(kind, "name", None) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    if chosen in STRATEGIES:
        there = STRATEGIES.get(chosen)
        if class_path(there) != class_path(kind):
            raise InputError(f"the strategy {chosen!r} is {class_path(there)}; give {class_path(kind)} another name")
        if there is kind:
            return kind
    STRATEGIES.add(chosen, kind)
    kind.name = chosen
    return kind


def class_path(kind: type) -> str:
    """Write the module and the name of a class.

    Args:
        kind: the class.

    Returns:
        "module:name", e.g. "__main__:Mine".
    """
    return f"{kind.__module__}:{kind.__qualname__}"


@dataclass(frozen=True)
class GivenStrategy:
    """A strategy that a user gave, resolved to its class and options.

    Args:
        name: registered name, or the path of the class if it is in no registry; results files store it.
        kind: class of the strategy.
        options: options as the user gave them.
        registered: whether `name` is in the registry.
        seed: seed of a strategy object; None for a name or a class.
        space: space of a strategy object, as text; None for a name or a class.
    """

    name: str
    kind: type[Strategy[Any]]
    options: Mapping[str, Any]
    registered: bool = True
    seed: int | None = None
    space: str | None = None

    @property
    def unregistered_kind(self) -> type[Strategy[Any]] | None:
        """The class if it is in no registry, else None."""
        return None if self.registered else self.kind


def given_strategy(strategy: StrategyLike, options: Mapping[str, Any] | None = None) -> GivenStrategy:
    """Resolve what a user gave as a strategy to a class and its options.

    An object stands for its class, its options and its seed: a search makes a new strategy from them, because it must
    be able to start again from its results file.

    Args:
        strategy: a name, "name:option=value,option=value", a class in a file ("mine.py:Mine", whose code runs, also with
            options), a class, or an object.
        options: options of the strategy; None for those that `strategy` itself gives.

    Returns:
        Name, class and options; seed and space too if `strategy` is an object.

    Raises:
        UnknownName: when no strategy has that name.
        InputError: when a file cannot be used, `strategy` is none of these, an option cannot be read, or options are given twice.
    """
    if isinstance(strategy, str):
        name, text = split_strategy(strategy)
        kind = strategy_class(name)
        stored, registered = _stored_name(kind) if names_a_file(name) else (name, True)
        return GivenStrategy(stored, kind, _once(name, options_of(name, text), options), registered)
    if isinstance(strategy, Strategy):
        kind = type(strategy)
        own = strategy.config.model_dump(exclude_unset=True)
        name, registered = _stored_name(kind)
        return GivenStrategy(name, kind, _once(name, own, options), registered, strategy.seed, strategy.space.spec)
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        name, registered = _stored_name(strategy)
        return GivenStrategy(name, strategy, dict(options or {}), registered)
    raise InputError(f"strategy is a name, a subclass of nasbench.Strategy or an object of one, got {strategy!r}")


def _stored_name(kind: type[Strategy[Any]]) -> tuple[str, bool]:
    """The name that results carry, and whether it is registered.

    A class that has the name of another one is not registered by that.
    """
    source = source_of(kind)
    if source is not None:
        return source.strategy, False
    name = getattr(kind, "name", "")
    if name in STRATEGIES and STRATEGIES.get(name) is kind:
        return name, True
    return class_path(kind), False


def _once(name: str, own: Mapping[str, Any], options: Mapping[str, Any] | None) -> dict[str, Any]:
    if own and options:
        raise InputError(f"options of strategy {name!r} are given twice: {dict(own)} and {dict(options)}; give one")
    return dict(own or options or {})
