"""Registries of named things: those of the suite and those of installed plug-ins, imported at their first use."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from nasbench.errors import InputError, UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """The objects of one kind ("space", "strategy", ...), by name.

    Args:
        kind: kind of the objects, as error messages call it.
        group: entry-point group with which installed plug-ins add objects.
        builtin: name -> "package.module:attribute" of the suite's objects.

    Raises:
        InputError: at the first use, when a plug-in has a name that exists already.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self.kind, self.group, self._builtin = kind, group, dict(builtin)
        self._added: dict[str, T] = {}

    @cached_property
    def _targets(self) -> dict[str, str | EntryPoint]:
        targets: dict[str, str | EntryPoint] = dict(self._builtin)
        for point in entry_points(group=self.group):
            if point.name in targets:
                raise InputError(
                    f"two plug-ins claim the {self.kind} {point.name!r} (the second is {point.value!r}); "
                    f"rename one in its entry-point group {self.group!r}"
                )
            targets[point.name] = point
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
        """
        if name in self._added:
            return self._added[name]
        if name not in self._targets:
            raise UnknownName(self.kind, name, self)
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            return cast("T", getattr(importlib.import_module(module), attribute))
        return cast("T", target.load())
