"""Run the `nasbench` command inside the test process, with what it prints and its exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from unittest import mock


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


def nasbench(*words: str, cwd: Path | None = None, unread: bool = False) -> Done:
    """Run `nasbench WORDS` through its real entry point.

    Args:
        words: the arguments.
        cwd: folder to run it in; None for the current one.
        unread: both standard streams are pipes whose readers have ended, as after `| head`.
    """
    from nasbench.cli import main

    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    code: object = 0
    with (
        _without_reader() if unread else contextlib.nullcontext(out) as out_stream,
        _without_reader() if unread else contextlib.nullcontext(err) as err_stream,
        contextlib.redirect_stdout(out_stream),
        contextlib.redirect_stderr(err_stream),
        mock.patch.object(sys, "argv", ["nasbench", *words]),
    ):
        try:
            os.chdir(cwd or here)
            main()
        except SystemExit as stop:
            code = stop.code
        finally:
            os.chdir(here)
    return Done(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _without_reader() -> Iterator[TextIO]:
    """The writing end of a pipe whose reading end is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:
        yield stream
