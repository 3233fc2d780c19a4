"""The one writer of outputs: tables, pages and other files that commands write besides results files.

An output never replaces an input of the command, a results file or a journal. It replaces an earlier output of its own
kind, and other files with --force only. It is written beside its name and renamed, so that a kill or a full disk leaves
the old file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nasbench.errors import InputError, require_regular
from nasbench.processes import process_runs

STANDARD_OUTPUT: Final = "-"
RESULTS_ENDINGS: Final = (".h5", ".hdf5", ".journal", ".lock", ".packing", ".beginning")
REPORT_MARKS: Final = {".html": (b'<meta name="generator" content="nasbench">',), ".md": (b"<sub>nasbench, ",)}
"""What is in each report, by the ending of its name."""
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_JOURNAL: Final = b'{"blake2b":"'
_HEAD_BYTES: Final = 1 << 16
LEFT_OVER_SECONDS: Final = 60
"""Age from which a file of a process that does not run is what a kill left."""


@dataclass(frozen=True)
class Rules:
    """What the running command must leave alone.

    Args:
        inputs: files that the command reads.
        force: replace files of any kind but inputs and results files.
        source_of: function that returns which input, e.g. a folder of images, an existing file is a part of; "" for none.
    """

    inputs: tuple[str, ...] = ()
    force: bool = False
    source_of: Callable[[Path], str] = lambda _: ""


_NO_RULES: Final = Rules()
_RULES: ContextVar[Rules] = ContextVar("nasbench_output_rules", default=_NO_RULES)


@contextlib.contextmanager
def output_rules(
    inputs: Iterable[str], force: bool = False, source_of: Callable[[Path], str] = lambda _: ""
) -> Iterator[None]:
    """Set the inputs that no output inside may replace.

    Args:
        inputs: names of files; names of other things are ignored.
        force: replace files of other kinds.
        source_of: see `Rules`.

    Yields:
        Nothing.
    """
    token = _RULES.set(Rules(tuple(inputs), force, source_of))
    try:
        yield
    finally:
        _RULES.reset(token)


def ending_of(path: str | os.PathLike[str], endings: Sequence[str]) -> str:
    """Take the format of an output from the ending of its name.

    Args:
        path: the output.
        endings: known endings, e.g. (".csv", ".json").

    Returns:
        The ending, in small letters.

    Raises:
        InputError: for another ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in endings:
        raise InputError(
            f"cannot write {os.fspath(path)!r}: the ending names the format, and must be one of {', '.join(endings)}"
        )
    return ending


def require_output(
    path: str | os.PathLike[str], is_earlier: Callable[[Path], bool] | None = None, kind: str = "output of this kind"
) -> None:
    """Refuse a path that an output must not replace.

    Args:
        path: the file to write.
        is_earlier: function that returns whether the file there is an earlier output of the same kind; None to check
            only for inputs and results files. It is called for files that are not empty.
        kind: word for what is written, for the message.

    Raises:
        InputError: for an input of the command (also by another name or link), a results file or a file beside one, a
            folder, pipe or device, and, without --force, for a link or a file of another kind.
    """
    target, rules = Path(path), _RULES.get()
    shown, advice = repr(str(target)), "choose another name"
    if target.suffix.lower() in RESULTS_ENDINGS:
        raise InputError(f"cannot write {shown}: this ending is of results files and what lies beside them; {advice}")
    require_regular(target, "output", advice)
    try:
        there = os.stat(target)
    except OSError:
        there = None  # nothing is there, or writing says what is wrong
    if there is not None:
        for each in rules.inputs:
            if _is_file(each, there):
                raise InputError(f"{shown} is the input {each!r} of this command, which is not replaced; {advice}")
        if source := rules.source_of(target):
            raise InputError(
                f"{shown} is a part of the input {source!r} of this command, which is not replaced; {advice}"
            )
        head = _beginning(target)
        if head.startswith((_HDF5, _JOURNAL)):
            raise InputError(f"{shown} is a results file or a journal, which is never replaced; {advice}")
    if rules.force or is_earlier is None:
        return
    if target.is_symlink():
        raise InputError(f"{shown} is a link, which is not followed; {advice}, or replace the link with --force")
    if there is not None and there.st_size and not _judged(is_earlier, target):
        raise InputError(
            f"{shown} exists and is no earlier {kind} of nasbench; {advice}, or replace the file with --force"
        )


def has_mark(there: Path, marks: Sequence[bytes]) -> bool:
    """Whether a file is an earlier output of a kind.

    Args:
        there: the file.
        marks: texts of which one is in each earlier output of the kind.

    Returns:
        Whether one of them is in the file.
    """
    content = there.read_bytes()
    return any(mark in content for mark in marks)


def write_output(path: str | os.PathLike[str], content: bytes | Iterable[bytes], marks: Sequence[bytes] = ()) -> None:
    """Write an output under the rules of the running command; see `require_output` and `replace_file`.

    Args:
        path: the file; its folder is made if it is missing.
        content: its bytes, or parts of them, the first of which has the names of the columns.
        marks: texts of which one is in each earlier output of the kind; without any, an earlier output is a file of the
            same ending with the same columns.

    Raises:
        InputError: when a file must not be replaced, or the file cannot be written.
    """

    parts = iter([content] if isinstance(content, bytes) else content)
    first = next(parts, b"")

    def is_earlier(there: Path) -> bool:
        if marks:
            return has_mark(there, marks)
        return _columns(there.suffix.lower(), _read(there)) == _columns(there.suffix.lower(), first)

    require_output(path, is_earlier)
    replace_file(path, itertools.chain([first], parts))


def replace_file(path: str | os.PathLike[str], content: bytes | Iterable[bytes]) -> None:
    """Write bytes beside a name, under a name that nobody can guess, sync them to the disk, and rename.

    What killed processes left of this output is removed. A link at the name is replaced and not followed. Mode and owner of a file that is replaced are kept.

    Args:
        path: the file; its folder is made if it is missing.
        content: its bytes, or parts of them, which are made as they are written.

    Raises:
        InputError: when the file cannot be written; the old one stays as it was.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(target)
        fresh = target.with_name(f"{_beginning_of_fresh(target)}{os.getpid()}-{secrets.token_hex(8)}.writing")
        handle = open_new(fresh, target)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
    except OSError as error:
        raise InputError(f"cannot write {str(target)!r}: {error.strerror or error}") from None


def _beginning_of_fresh(target: Path) -> str:
    """How the names of files begin that are renamed to this one: by a digest, because a name may be as long as allowed."""
    return f".nasbench-{hashlib.blake2b(os.fsencode(target.name), digest_size=4).hexdigest()}-"


def _remove_left_over(target: Path) -> None:
    """Remove what processes that were killed while they wrote an output left beside it.

    Only files of processes that do not run, and not before they are a minute old: where several machines write into one
    folder, the process may run on another one.
    """
    name = re.compile(re.escape(_beginning_of_fresh(target)) + r"(\d{1,10})-[0-9a-f]{16}\.writing")
    with contextlib.suppress(OSError):  # a folder that cannot be listed, or a file that another writer removed
        for entry in os.scandir(target.parent):
            found = name.fullmatch(entry.name)
            if not found or not entry.is_file(follow_symlinks=False) or process_runs(int(found[1])):
                continue
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFT_OVER_SECONDS:
                os.unlink(entry.path)


def open_new(path: Path, *old: Path, least: int = 0) -> int:
    """Create a file with the mode and the owner of the file that it will replace. No link is followed.

    Args:
        path: the new file; nothing may have this name.
        old: the file to be replaced, and further ones whose mode is taken if it is not there. Without any of them, or
            where links are there, the new file gets the usual mode.
        least: bits that the mode always has, e.g. 0o600.

    Returns:
        File number of the new file, open for reading and writing.

    Raises:
        OSError: when it cannot be created, or its mode cannot be set; nothing is left then.
    """
    before = next(filter(None, map(_plain, old)), None)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, 0o666 if before is None else 0o600)
    if before is not None:
        try:
            _keep_mode_and_owner(handle, before, least)
        except BaseException:
            os.close(handle)
            os.unlink(path)
            raise
    return handle


def _plain(path: Path) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _keep_mode_and_owner(handle: int, before: os.stat_result, least: int) -> None:
    """Take over mode and owner. An owner that this user cannot give is left out, and then also the set-user-id bits."""
    mode, now = stat.S_IMODE(before.st_mode) | least, os.fstat(handle)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.fchown(handle, before.st_uid, before.st_gid)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise
            mode &= 0o777
    os.fchmod(handle, mode)


def _judged(is_earlier: Callable[[Path], bool], target: Path) -> bool:
    try:
        return is_earlier(target)
    except OSError as error:
        raise InputError(f"cannot replace {str(target)!r}, which cannot be read: {error.strerror or error}") from None


def _is_file(name: str, there: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(name), there)
    except (OSError, ValueError):  # it is no name of a file
        return False


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_JOURNAL))
    except OSError as error:
        raise InputError(f"cannot replace {str(path)!r}, which cannot be read: {error.strerror or error}") from None


def _read(path: Path) -> bytes:
    if path.suffix.lower() == ".parquet":
        return path.read_bytes()
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _columns(ending: str, content: bytes) -> object:
    """What outputs of one kind have in common: the names of their columns, or the first words."""
    if ending == ".parquet":
        try:
            from pyarrow import ArrowException, parquet

            return parquet.read_schema(io.BytesIO(content)).names
        except (ImportError, ArrowException, ValueError):
            return content
    line = content[:_HEAD_BYTES].split(b"\n", 1)[0]
    if ending == ".txt":
        return line.split()
    if ending == ".tex":
        return content[:_HEAD_BYTES].split(b"\n", 3)[:3]  # the third has the names
    if ending == ".jsonl":
        try:
            return list(json.loads(line))
        except (ValueError, TypeError, RecursionError):
            return line
    return content[:_HEAD_BYTES].split(b":", 1)[0] if ending == ".json" else line.rstrip(b"\r")
