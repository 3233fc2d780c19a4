"""Run the `nasbench` command inside the test process, with what it prints and its exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


def nasbench(*words: str, cwd: Path | None = None) -> Done:
    """Run `nasbench WORDS` through its real entry point."""
    from nasbench.cli import main

    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    code: object = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
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
