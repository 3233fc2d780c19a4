"""What each importer reads: source, licence, size, and what the source has and lacks, for `nasbench import --list`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from nasbench.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE: Final = "about"
NO_TIMES: Final = "no training times: budgets in children only"


@dataclass(frozen=True)
class About:
    """Description of an importer and of the source that it reads.

    Args:
        what: what the source is, one line.
        command: words after `nasbench import`, e.g. "nasbench101 FILE.tfrecord -o OUT.h5".
        licence: licence under which the authors publish it.
        size: size of the source in bytes, and in rows.
        published: where its authors publish it, an address; of a general format, "anybody".
        has: what the source has of each architecture.
        lacks: what others have and it has not.
        times: whether it has training times, so that budgets can be device-hours; None if that depends on the file.
        trainings: whether it has trainings; otherwise it has measurements only, of architectures that another source has.
    """

    what: str
    command: str
    licence: str
    size: str
    published: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]
    times: bool | None
    trainings: bool = True

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a heading and its text, in the order in which they are printed."""
        lacks = [*self.lacks, *([NO_TIMES] if self.times is False and self.trainings else [])]
        return (
            ("what", self.what),
            ("command", f"nasbench import {self.command}"),
            ("licence", self.licence),
            ("size", self.size),
            ("published", self.published),
            ("has", ", ".join(self.has)),
            ("lacks", ", ".join(lacks) or "nothing of the above"),
        )


def describes(about: About) -> Callable[[F], F]:
    """Decorate an importer with its description.

    Args:
        about: the description.

    Returns:
        A decorator that returns the same function.
    """

    def attach(importer: F) -> F:
        setattr(importer, _ATTRIBUTE, about)
        return importer

    return attach


def about(name: str, importer: Callable[..., Any]) -> About:
    """Return the description of an importer.

    Args:
        name: name of the importer, for the error message.
        importer: function that `describes` decorated.

    Returns:
        The description.

    Raises:
        InputError: when it has none.
    """
    found = getattr(importer, _ATTRIBUTE, None)
    if not isinstance(found, About):
        raise InputError(f"the importer {name!r} has no description; decorate its function with describes(About(...))")
    return found
