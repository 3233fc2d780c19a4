"""Strategies in Python files of the user: `file.py:Class` wherever a strategy is named.

Loading a file runs its code. So a file is loaded only where the user names it, never because a results file does.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError, printable, require_regular
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.base import Strategy

EXAMPLE: Final = "mine.py:Mine"
_LARGEST: Final = 10_000_000  # bytes of a file
_REFERENCE: Final = re.compile(r"(?P<path>[^:]+\.py)(?::(?P<name>[^:]*)(?::(?P<options>.*))?)?", re.DOTALL)
_MODULES: Final = "nasbench_strategy_file"  # beginning of the names of modules


@dataclass(frozen=True)
class SourceFile:
    """A file that a strategy was loaded from.

    Args:
        path: the file, as it was named.
        class_name: name of the class in it.
        digest: SHA-256 of the file's bytes, 64 hexadecimal digits. Modules that the file imports do not enter.
        text: its text, of which the bytes are the UTF-8.
    """

    path: str
    class_name: str
    digest: str
    text: str

    @property
    def strategy(self) -> str:
        """Name of the strategy in results: file without its folder, and class, e.g. "mine.py:Mine"."""
        return f"{Path(self.path).name}:{self.class_name}"

    @property
    def reference(self) -> str:
        """What loads the class again from this folder, e.g. "ideas/mine.py:Mine"."""
        return f"{self.path}:{self.class_name}"

    def noted(self) -> dict[str, dict[str, str]]:
        """What a run's provenance says of the file: its strategy and digest, as JSON values."""
        return {"strategy_file": {"strategy": self.strategy, "sha256": self.digest}}


_loaded: dict[tuple[str, str], types.ModuleType] = {}  # (resolved path, digest) -> module
_sources: dict[type, SourceFile] = {}


def split_strategy(text: str) -> tuple[str, str]:
    """Split what a user gave as a strategy into its name and its options.

    Args:
        text: "evolution", "evolution:population=10", "mine.py:Mine" or "mine.py:Mine:option=value".

    Returns:
        The name ("evolution", "mine.py:Mine"), and the options as text, "" without any.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        name, _, options = text.partition(":")
        return name, options
    return text[: found.end("name")] if found["name"] is not None else text, found["options"] or ""


def names_a_file(name: str) -> bool:
    """Whether a strategy's name is that of a file: registered names have no dot.

    Args:
        name: name of a strategy, without options.

    Returns:
        True for "mine.py:Mine" and for "mine.py".
    """
    return _REFERENCE.fullmatch(name) is not None


def strategy_class(name: str) -> type[Strategy[Any]]:
    """Return the class of a strategy that a user named.

    Args:
        name: a registered name, or a file and a class: "mine.py:Mine". A file's code runs.

    Returns:
        The class; `source_of` gives the file of one that was loaded from a file.

    Raises:
        UnknownName: when there is no registered strategy of that name.
        InputError: when the file or the class does not exist, the file cannot be imported, or the class is no strategy.
        BrokenPlugin: when it belongs to a plug-in that cannot be imported.
    """
    return load_class(name) if names_a_file(name) else STRATEGIES.get(name)


def source_of(kind: type) -> SourceFile | None:
    """Return the file from which a class was loaded.

    Args:
        kind: a strategy's class.

    Returns:
        The file; None for a class that was not loaded by `load_class`.
    """
    return _sources.get(kind)


def load_class(reference: str, digest: str = "") -> type[Strategy[Any]]:
    """Load a strategy from a file. The same file gives the same class again; a changed one is loaded anew.

    While the file is imported, its folder is on Python's path, as in `python FILE`.

    Args:
        reference: file and class, "folder/mine.py:Mine".
        digest: SHA-256 that the file must have; "" for any.

    Returns:
        The class; its `name` is that of the file and the class.

    Raises:
        InputError: when the file or the class does not exist, the file is another one than `digest` says or cannot be
            imported, or the class is no complete strategy.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise InputError(f"strategy {reference!r} names no Python file; write a file and a class, e.g. {EXAMPLE}")
    path, wanted = Path(found["path"]), found["name"] or ""
    content = _content(path)
    there = hashlib.sha256(content).hexdigest()
    if digest and there != digest:
        raise InputError(f"{path} has changed: SHA-256 {there[:12]}..., expected {digest[:12]}...")
    module = _module(path, content, there)
    kind = vars(module).get(wanted)
    if kind is None:
        raise InputError(_no_class(path, wanted, module))
    _require_strategy(path, wanted, kind, module)
    source = SourceFile(str(path), wanted, there, content.decode("utf-8"))
    _sources[kind] = source
    kind.name = source.strategy
    return kind  # type: ignore[no-any-return]


def _content(path: Path) -> bytes:
    require_regular(path, "strategy file", f"give a Python file and a class in it, e.g. {EXAMPLE}")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise InputError(
            f"there is no strategy file {str(path)!r}; give a Python file and a class in it, e.g. {EXAMPLE}"
        ) from None
    except OSError as error:
        raise InputError(f"strategy file {str(path)!r}: {error.strerror}; give a file that can be read") from None
    if len(content) > _LARGEST:
        raise InputError(f"strategy file {str(path)!r} has more than {_LARGEST:,} bytes; it is no Python code")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"strategy file {str(path)!r} is no Python code: byte {error.start} is no UTF-8") from None
    return content


def _module(path: Path, content: bytes, digest: str) -> types.ModuleType:
    """Run a file as a module, or return the module of the same file and digest."""
    resolved = str(path.resolve())
    if (resolved, digest) in _loaded:
        return _loaded[resolved, digest]
    # One name for all versions of a file, so that a changed one replaces its registered classes.
    name = f"{_MODULES}_{hashlib.sha256(resolved.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
    module = types.ModuleType(name)
    module.__file__ = resolved
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pydantic look annotations up there
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        exec(compile(content, resolved, "exec"), vars(module))
    except (Exception, SystemExit) as error:  # whatever the code of others raises
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise InputError(_import_fault(path, resolved, error)) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    _loaded[resolved, digest] = module
    return module


def _import_fault(path: Path, resolved: str, error: BaseException) -> str:
    """One line: file, line of the file, and what its code raised."""
    lines = str(getattr(error, "msg", None) or error).strip().splitlines()
    said = f"{type(error).__name__}{f': {printable(lines[0])}' if lines else ''}"
    if isinstance(error, SyntaxError) and error.filename == resolved:
        line: int | None = error.lineno
    else:
        frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == resolved]
        line = frames[-1] if frames else None
    where = f", line {line}" if line is not None else ""
    return f"strategy file {str(path)!r}{where}: {said}; correct the file and try again"


def _no_class(path: Path, wanted: str, module: types.ModuleType) -> str:
    theirs = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    there = f"it has {', '.join(theirs)}" if theirs else "it has no subclass of nasbench.Strategy"
    example = f"{path}:{theirs[0]}" if theirs else EXAMPLE
    if not wanted:
        return f"{str(path)!r} names a file and no class: write {example!r}; {there}"
    return f"strategy file {str(path)!r} has no class {wanted!r}; {there}"


def _require_strategy(path: Path, wanted: str, kind: Any, module: types.ModuleType) -> None:
    what = f"{wanted!r} in {str(path)!r}"
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        found = "a class" if isinstance(kind, type) else f"of type {type(kind).__name__}"
        raise InputError(f"{what} is {found} and no strategy; a strategy is a subclass of nasbench.Strategy")
    if kind.__module__ != module.__name__:
        raise InputError(f"{what} is imported from {kind.__module__}; name the class where it is written")
    if inspect.isabstract(kind):
        missing = ", ".join(f"{name}()" for name in sorted(kind.__abstractmethods__))
        raise InputError(f"{what} has no {missing}; a strategy has both ask() and tell()")
