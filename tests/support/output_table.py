"""Write the table of all outputs of commands into docs/commands.md: what is tried by tests/outputs, and what happens.

Run it after a change of `nasbench.cli.outputs.OUTPUTS`: python tests/support/output_table.py
"""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

from output_calls import MADE, NO_INPUT, OLD_STAYS, OTHERS, PATHS, REFUSED, WORDS, option, outputs_of

from nasbench.cli.outputs import OUTPUTS

BEGIN, END = "<!-- outputs: begin -->", "<!-- outputs: end -->"
_PAGE = Path(__file__).parents[2] / "docs/commands.md"
_HEADS = (
    "command",
    "option",
    "kind",
    "endings",
    "existing results file",
    "input",
    "missing folder",
    "link",
    "unknown ending",
    "full disk",
)
_PICTURES = (".png", ".svg", ".pdf")


def _fate(name: str, argument: str) -> tuple[str, ...]:
    """What happens to an existing results file, an input, in a missing folder, at a link, ..., as tests/outputs try it."""
    if outputs_of(name)[argument].kind not in ("text", "arrays", "picture"):
        return astuple(OTHERS[name])
    reads = "FILE" in WORDS[name]
    return REFUSED, REFUSED if reads else NO_INPUT, MADE, "refused; replaced with --force", REFUSED, OLD_STAYS


def output_table() -> str:
    """Make the table.

    Returns:
        Lines of Markdown, one per output of a command.
    """
    lines = ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    for name in sorted(OUTPUTS.keys() | OTHERS, key=lambda name: PATHS[name]):
        for argument, output in outputs_of(name).items():
            endings = output.endings or (_PICTURES if output.kind == "picture" else ("any name",))
            written = "`FOLDER`" if argument == "folder" else f"`{option(name, argument)}`"
            words = (f"`{' '.join(PATHS[name])}`", written, output.kind, " ".join(endings))
            lines.append("| " + " | ".join((*words, *_fate(name, argument))) + " |")
    return "\n".join(lines)


def main() -> None:
    """Put the table into the page, between its marks."""
    page = _PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    _PAGE.write_text(f"{before}{BEGIN}\n{output_table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
