"""Write the table of all outputs of commands into docs/commands.md: what is tried by tests/outputs, and what happens.

Run it after a change of `nasbench.cli.outputs.OUTPUTS`: python tests/support/output_table.py
"""

from __future__ import annotations

from pathlib import Path

from output_calls import PATHS, QUICK, RESULTS, SLOW, WORDS, option

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
_NO_RESULTS_REPLACED = ("merge", "csv", "json", "parquet", "nasbench101", "nasbench201", "optuna", "synetune")
_UNTRIED = "–"


def _fate(name: str, argument: str) -> tuple[str, str, str, str, str, str]:
    """What happens to an existing results file, an input, in a missing folder, at a link, ..., as tests/outputs try it."""
    kind = OUTPUTS[name][argument].kind
    reads = "FILE" in {**WORDS, **RESULTS}.get(name, ())
    if kind in ("text", "picture"):
        run = name in QUICK or name in SLOW
        made, full = ("made", "old file stays") if run else (_UNTRIED, _UNTRIED)
        link = "refused; replaced with --force" if run else "refused"
        there = "refused (.csv)" if (name, argument) == ("replay", "output") else "refused"  # .h5 are not tried
        return there, "refused" if reads else "reads none", made, link, "refused", full
    if kind == "model":
        ending = "refused" if OUTPUTS[name][argument].endings else _UNTRIED
        return "refused", "refused", _UNTRIED, _UNTRIED, ending, _UNTRIED
    if kind == "results":
        there = "refused" if name in _NO_RESULTS_REPLACED else "appended to" if name == "run" else _UNTRIED
        reading = "refused" if name == "merge" else _UNTRIED
        made = "made" if name in ("merge", "run") else _UNTRIED
        link = _UNTRIED if name == "rerun" else "refused" if name in _NO_RESULTS_REPLACED else "refused to other files"
        return there, reading, made, link, "refused", _UNTRIED
    return (_UNTRIED,) * 6


def output_table() -> str:
    """Make the table.

    Returns:
        Lines of Markdown, one per output of a command.
    """
    lines = ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    for name, outputs in sorted(OUTPUTS.items(), key=lambda item: PATHS[item[0]]):
        for argument, output in outputs.items():
            endings = output.endings or (_PICTURES if output.kind == "picture" else ())
            written = "`FOLDER`" if argument == "folder" else f"`{option(name, argument)}`"
            words = (f"`{' '.join(PATHS[name])}`", written, output.kind, " ".join(endings) or _UNTRIED)
            lines.append("| " + " | ".join((*words, *_fate(name, argument))) + " |")
    return "\n".join(lines)


def main() -> None:
    """Put the table into the page, between its marks."""
    page = _PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    _PAGE.write_text(f"{before}{BEGIN}\n{output_table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
