"""Pages of the documentation whose examples are run: the site shows what came out, and a test runs them.

A page is Markdown. Of its fenced blocks,

- ```` ```python ```` is run, and shows what it prints and its last value (a figure as a picture);
- ```` ```console ```` has commands that start with `$ `, which a shell runs; a backslash ends a line that goes on;
- a block with a title, e.g. ```` ```python title="mine.py" ````, is written to a file of that name.

All blocks of a page run in one process, from the first to the last, in an empty folder of their own.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import html
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from offline_environment import offline_environment

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
WIDTH = 110  # columns of tables
DPI = 110  # of pictures


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the file it is written to ("" for none), its text, and where it ends."""

    language: str
    title: str
    text: str
    end: int

    @property
    def runs(self) -> bool:
        """Whether the block gives an output."""
        return not self.title and self.language in ("python", "console")


@dataclass
class Output:
    """What a block gave: text, and pictures as base64 of PNG."""

    text: str = ""
    pictures: list[str] = field(default_factory=list)


class PageError(Exception):
    """A block of a page failed."""


def blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(match[1], match[2] or "", match[3], match.end()) for match in BLOCK.finditer(markdown)]


def executed(markdown: str, name: str) -> list[Output]:
    """Run the blocks of a page in a process of their own.

    Args:
        markdown: the page.
        name: of the page, for messages.

    Returns:
        One output per block that runs.

    Raises:
        PageError: with the block and the last lines of its error.
    """
    with tempfile.TemporaryDirectory(prefix="nasbench-page-") as folder:
        work = Path(folder, "work")
        work.mkdir()
        environment = offline_environment(folder) | {
            "MPLBACKEND": "Agg",
            "COLUMNS": str(WIDTH),
            "PYTHONWARNINGS": "ignore",
        }
        given = json.dumps([asdict(block) for block in blocks(markdown)])
        done = subprocess.run(
            [sys.executable, __file__], input=given, cwd=work, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise PageError(f"{name}: {done.stderr[-3000:]}")
        return [Output(**output) for output in json.loads(done.stdout)]


def with_outputs(markdown: str, outputs: list[Output]) -> str:
    """The page with each output below its block."""
    parts, last = [], 0
    rest = iter(outputs)
    for block in blocks(markdown):
        parts.append(markdown[last : block.end])
        last = block.end
        if block.runs:
            parts.append(_shown(next(rest)))
    return "".join([*parts, markdown[last:]])


def _shown(output: Output) -> str:
    shown = ""
    if output.text:
        shown += f'<pre class="output">{html.escape(output.text)}</pre>\n'
    for picture in output.pictures:
        shown += f'<img class="output" alt="Figure drawn by the code above" src="data:image/png;base64,{picture}">\n'
    return f"\n{shown}\n" if shown else ""


def _run_python(text: str, names: dict[str, Any]) -> Output:
    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    output, said = Output(), io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(tree, "page", "exec"), names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "page", "eval"), names)
        if hasattr(value, "savefig"):
            output.pictures.append(_picture(value))
        elif value is not None:
            print(value if hasattr(value, "iloc") else repr(value))
    output.text = said.getvalue().rstrip()
    return output


def _picture(figure: Any) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, bbox_inches="tight")
    return base64.b64encode(data.getvalue()).decode()


def _run_console(text: str) -> Output:
    said = []
    for line in text.replace("\\\n", "").splitlines():
        if not line.startswith("$ "):
            raise PageError(f"a line of a console block starts with '$ ', got {line!r}")
        done = subprocess.run(line[2:], shell=True, capture_output=True, text=True)
        if done.returncode:
            raise PageError(f"{line}: exit code {done.returncode}: {done.stderr}")
        said.append(done.stdout)
    return Output("".join(said).rstrip())


def _main() -> None:
    # What the page defines is in __main__, as in a script, so that its classes can be found by name.
    page = types.ModuleType("__main__")
    sys.modules["__main__"] = page
    sys.path[0] = os.getcwd()
    import pandas

    pandas.options.display.width = 2 * WIDTH  # a wide table scrolls, as it cannot be read in parts
    pandas.options.display.max_columns = 20
    pandas.options.display.precision = 4
    outputs = []
    for given in json.loads(sys.stdin.read()):
        block = Block(**given)
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            outputs.append(_run_python(block.text, vars(page)))
        elif block.language == "console":
            outputs.append(_run_console(block.text))
    print(json.dumps([asdict(output) for output in outputs]))


if __name__ == "__main__":
    _main()
