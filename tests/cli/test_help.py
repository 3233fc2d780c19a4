from __future__ import annotations

import contextlib
import shlex

import click
import pytest
from commands import nasbench

from nasbench.analysis.comparison.checks import CHECKS
from nasbench.cli.main import COMMANDS, LazyGroup
from nasbench.cli.main import nasbench as group


def command(name: str) -> click.Command:
    assert isinstance(group, LazyGroup)
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_an_example_whose_words_it_takes(name):
    done = nasbench(name, "--help")
    assert done.code == 0
    assert "Example:" in done.out
    lines = [line.strip() for line in command(name).help.splitlines() if line.strip().startswith(f"nasbench {name}")]
    assert lines, "an example starts with the command"
    for line in lines:
        words = shlex.split(line)[1:]
        words = words[: words.index(">")] if ">" in words else words
        with contextlib.suppress(click.exceptions.Exit):  # of an option such as --list, which prints and ends
            command(words[0]).make_context(words[0], words[1:])  # parses them, and runs nothing


def test_the_group_lists_every_command():
    out = nasbench("--help").out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell):
    done = nasbench("completion", shell)
    assert done.code == 0
    assert "_NASBENCH_COMPLETE" in done.out


@pytest.mark.parametrize("name", ["compare", "cost", "power", "claims", "ranks", "report"])
def test_every_check_that_may_be_allowed_is_named(name):
    words = " ".join(nasbench(name, "--help").out.split())
    assert f"Allow this check to fail: {', '.join(CHECKS)}." in words
