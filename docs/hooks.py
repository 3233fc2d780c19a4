"""Hooks of the documentation site: the commands' help texts, and links to files outside docs/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.exceptions import PluginError

_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./|notebook\.ipynb)[^)#]*)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page as the site shows it."""
    if page.file.src_uri == "commands.md":
        markdown += "\n" + "\n".join(_command_sections())
    folder = Path(page.file.abs_src_path).parent

    def without_link(match: re.Match[str]) -> str:
        # The site has only docs/: other files of the repository are named by their path.
        text, target = match.groups()
        path = (folder / target).resolve()
        if not path.exists():
            raise PluginError(f"{page.file.src_uri}: link to {target}: no such file")
        return f"{text} (`{path.relative_to(Path.cwd())}`)"

    return _LINK.sub(without_link, markdown)


def _command_sections() -> Iterator[str]:
    from nasbench.cli.main import nasbench

    context = click.Context(nasbench, info_name="nasbench", terminal_width=100)
    for name in nasbench.list_commands(context):
        command = nasbench.get_command(context, name)
        if command is None:
            raise PluginError(f"command {name}: listed, and not found")
        with click.Context(command, info_name=name, parent=context, terminal_width=100) as inner:
            yield f"## nasbench {name}\n\n```text\n{command.get_help(inner)}\n```\n"
