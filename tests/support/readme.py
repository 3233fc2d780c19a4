"""The README's commands and what they print: `python tests/support/readme.py` runs them and writes their output anew."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from offline_environment import offline_environment

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


class Shown(NamedTuple):
    """A command, as it is printed with its continued lines, and its standard output."""

    command: str
    output: str


def shown_in(block: str) -> list[Shown]:
    """The commands of a block and their outputs; a command starts with `$ `, and a backslash continues it."""
    found: list[Shown] = []
    lines = iter(block.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            last = found.pop()
            found.append(Shown(last.command, f"{last.output}{line}\n"))
            continue
        command = line
        while command.endswith("\\"):
            command += "\n" + next(lines)
        found.append(Shown(command, ""))
    return found


def console_block(markdown: str) -> str:
    """The README's one block of commands with their output."""
    (block,) = BLOCK.findall(markdown)
    return block


def run(commands: list[str]) -> list[Shown]:
    """Run commands in an empty folder, one after the other, as they are printed.

    Raises:
        AssertionError: when one of them fails.
    """
    with tempfile.TemporaryDirectory(prefix="nasbench-readme-") as folder:
        work = Path(folder, "work")
        work.mkdir()
        environment = offline_environment(folder) | {"OMP_NUM_THREADS": "1"}
        found = []
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command.removeprefix("$ ")], cwd=work, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{command}: exit code {done.returncode}: {done.stderr}"
            found.append(Shown(command, done.stdout))
        return found


def main() -> None:
    """Replace the outputs in the README by those of now."""
    markdown = README.read_text(encoding="utf-8")
    block = console_block(markdown)
    found = run([shown.command for shown in shown_in(block)])
    fresh = "".join(f"{shown.command}\n{shown.output}" for shown in found)
    README.write_text(markdown.replace(block, fresh), encoding="utf-8")


if __name__ == "__main__":
    main()
