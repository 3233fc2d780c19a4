"""Registries of named things: those of the suite and those of installed plug-ins, imported at their first use."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from nasbench.errors import InputError, UnknownName, printable

T = TypeVar("T")
R = TypeVar("R")


class BrokenPlugin(InputError):
    """Raised when an object of an installed plug-in is used that cannot be imported, or whose name is taken."""


class Registry(Generic[T]):
    """The objects of one kind ("space", "strategy", ...), by name.

    A broken plug-in does not affect the other objects: it is an error only when its own name is used.

    Args:
        kind: kind of the objects, as error messages call it.
        group: entry-point group with which installed plug-ins add objects.
        builtin: name -> "package.module:attribute" of the suite's objects.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self.kind, self.group, self._builtin = kind, group, dict(builtin)
        self._added: dict[str, T] = {}
        self._claimed_twice: dict[str, EntryPoint] = {}  # name -> the plug-in that claims it, too

    @cached_property
    def _targets(self) -> dict[str, str | EntryPoint]:
        targets: dict[str, str | EntryPoint] = dict(self._builtin)
        for point in entry_points(group=self.group):
            if point.name in targets:
                self._claimed_twice[point.name] = point
            targets.setdefault(point.name, point)
        return targets

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._targets, *self._added}))

    def __contains__(self, name: object) -> bool:
        return name in self._targets or name in self._added

    def add(self, name: str, target: T) -> None:
        """Add an object in this process, or replace one that was added before.

        Args:
            name: letters, digits, "_" and "-".
            target: the object.

        Raises:
            InputError: when the suite or an installed plug-in has the name, or it has other characters.
        """
        if name in self._targets:
            raise InputError(f"the {self.kind} {name!r} exists already and cannot be replaced; choose another name")
        if not re.fullmatch(r"\w[\w-]*", name):
            raise InputError(f"the name of a {self.kind} consists of letters, digits, '_' and '-', got {name!r}")
        self._added[name] = target

    def get(self, name: str) -> T:
        """Return the object with a name, and import it if necessary.

        Args:
            name: a registered name.

        Returns:
            The object, usually a class.

        Raises:
            UnknownName: when no object has the name; the message lists the existing names.
            BrokenPlugin: when its plug-in cannot be imported, or when another one claims the name, too.
        """
        if name in self._added:
            return self._added[name]
        if name not in self._targets:
            raise UnknownName(self.kind, name, self)
        target = self._targets[name]
        if name in self._claimed_twice:
            first = "the suite" if isinstance(target, str) else _plugin(target)
            raise BrokenPlugin(
                f"{first} and {_plugin(self._claimed_twice[name])} both claim the {self.kind} {name!r}; uninstall one, or rename "
                f"it in its entry-point group {self.group!r}"
            )
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            return cast("T", getattr(importlib.import_module(module), attribute))
        try:
            return cast("T", target.load())
        except (Exception, SystemExit) as error:  # what a plug-in raises while it is imported may be anything
            raise BrokenPlugin(f"{self._broken(name, target)} cannot be imported: {_cause(error)}") from error

    def describe_all(self, describe: Callable[[str, T], R]) -> tuple[list[R], list[str]]:
        """Describe every object, also if the plug-ins of some are broken.

        Args:
            describe: function of a name and its object.

        Returns:
            What `describe` returned, by sorted names, and one line for each plug-in's object that cannot be imported or
            described.

        Raises:
            Exception: what `describe` raises for an object that is not of a plug-in.
        """
        found, faults = [], []
        for name in self:
            try:
                found.append(describe(name, self.get(name)))
            except BrokenPlugin as error:
                faults.append(str(error))
            except Exception as error:
                target = self._targets.get(name)
                if target is None or isinstance(target, str):
                    raise
                faults.append(f"{self._broken(name, target)} cannot be used: {_cause(error)}")
        return found, faults

    def _broken(self, name: str, point: EntryPoint) -> str:
        return f"the {self.kind} {printable(name)!r} of {_plugin(point)}"


def _plugin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "unknown"
    return f"the plug-in {printable(package)} ({printable(point.value)})"


def _cause(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{f': {printable(lines[0])}' if lines else ''}; repair or uninstall it"
