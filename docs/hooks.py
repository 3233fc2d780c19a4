"""Hooks of the documentation site: outputs of tutorials, help texts of commands, links to files outside docs/."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parents[1]

_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./|notebook\.ipynb)[^)#]*)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page as the site shows it."""
    name = page.file.src_uri
    if name == "commands.md":
        markdown += "\n" + "\n".join(_command_sections())
    if name.startswith("tutorials/"):
        markdown = _with_outputs(markdown, name)
    folder = Path(page.file.abs_src_path).parent

    def without_link(match: re.Match[str]) -> str:
        # The site has only docs/: other files of the repository are named by their path.
        text, target = match.groups()
        path = (folder / target).resolve()
        if path.is_relative_to(ROOT / "docs") and path.suffix != ".ipynb":
            return match[0]
        if not path.exists():
            raise PluginError(f"{name}: link to {target}: no such file")
        return f"{text} (`{path.relative_to(ROOT)}`)"

    return _LINK.sub(without_link, markdown)


def _with_outputs(markdown: str, name: str) -> str:
    support = str(ROOT / "tests" / "support")
    if support not in sys.path:
        sys.path.append(support)  # here, as mkdocs takes back what the import of a hook adds
    from executed_pages import PageError, executed, with_outputs

    try:
        return with_outputs(markdown, executed(markdown, name))
    except PageError as error:
        raise PluginError(str(error)) from None


def _command_sections() -> Iterator[str]:
    from nasbench.cli.main import nasbench

    context = click.Context(nasbench, info_name="nasbench", terminal_width=80)
    for name in nasbench.list_commands(context):
        command = nasbench.get_command(context, name)
        if command is None:
            raise PluginError(f"command {name}: listed, and not found")
        with click.Context(command, info_name=name, parent=context, terminal_width=80) as inner:
            yield f"## nasbench {name}\n\n```text\n{command.get_help(inner)}\n```\n"
