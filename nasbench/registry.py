"""Named extension points: built-in ones and those that installed plug-ins add, each imported only when asked for."""

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
    """Names of one kind of thing ("space", "strategy", ...) mapped to the objects that make them.

    Args:
        kind: kind of the named objects, as it appears in error messages.
        group: entry-point group through which other distributions add names.
        builtin: name -> "package.module:attribute" of what ships with the suite.

    Raises:
        InputError: on first use, when two distributions claim the same name.
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
        """Add a name in this process; a name that was added before then means the new object.

        Raises:
            InputError: when the suite or an installed plug-in has the name, or it is not made of letters, digits, "_" and "-".
        """
        if name in self._targets:
            raise InputError(f"the {self.kind} {name!r} is there already and keeps its meaning; choose another name")
        if not re.fullmatch(r"\w[\w-]*", name):
            raise InputError(f"a {self.kind}'s name has letters, digits, '_' and '-' only, got {name!r}")
        self._added[name] = target

    def get(self, name: str) -> T:
        """Import and return the object that `name` means.

        Args:
            name: a registered name.

        Returns:
            The registered object, usually a class.

        Raises:
            UnknownName: when nothing has that name; lists the names there are.
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
