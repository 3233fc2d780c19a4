"""Scripts that start worker processes: each worker imports the script, so that the call must not be at its top level."""

from __future__ import annotations

import ast
import linecache
import sys

from nasbench.errors import InputError


def require_main_guard(what: str) -> None:
    """Refuse to start worker processes from a script that would do so again in each of them.

    Args:
        what: starts them, as the message's start.

    Raises:
        InputError: when the running script calls at its top level, outside `if __name__ == "__main__":`.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None:  # a notebook or an interactive session: workers import nothing of it
        return
    frame = sys._getframe()
    while frame.f_back is not None and not (frame.f_globals is main.__dict__ and frame.f_code.co_name == "<module>"):
        frame = frame.f_back
    if frame.f_globals is main.__dict__ and not _is_guarded(linecache.getlines(path), frame.f_lineno):
        raise InputError(
            f"{what} starts worker processes, and each of them runs {path} from its top: put the call under "
            'if __name__ == "__main__":'
        )


def _is_guarded(lines: list[str], number: int) -> bool:
    """Whether a line is in a statement `if __name__ ...`; also where the source is not there to look at."""
    statements = ast.parse("".join(lines)).body
    for statement in statements:
        if statement.lineno <= number <= (statement.end_lineno or number):
            names = ast.walk(statement.test) if isinstance(statement, ast.If) else ()
            return any(isinstance(name, ast.Name) and name.id == "__name__" for name in names)
    return not statements
