"""Groups of commands, their short names, and the ways to the help."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench.cli.main import COMMANDS, GROUPS, SECTIONS, nasbench
from nasbench.errors import UnknownName


def call(*words: str):
    return CliRunner().invoke(nasbench, list(words))


def test_every_command_is_in_one_section():
    assert Counter(name for _, names in SECTIONS.values() for name in names) == Counter(list(COMMANDS))


def test_without_a_command_the_help_is_printed_and_nothing_failed():
    done = call()
    assert done.exit_code == 0
    assert done.output == call("--help").output
    assert all(f"\n  {name} " in done.output for name in COMMANDS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_its_sections_commands_and_its_own_help(group):
    done = call(group)
    assert done.exit_code == 0
    names = SECTIONS[group][1]
    assert [
        line.split()[0] for line in done.output.partition("Commands:\n")[2].splitlines() if line[2:3] != " "
    ] == list(names)
    for name in names:
        short, long, asked = (
            call(*words) for words in ((name, "--help"), (group, name, "--help"), ("help", group, name))
        )
        assert (short.exit_code, long.exit_code, asked.exit_code) == (0, 0, 0)
        assert long.output.replace(f"nasbench {group} ", "nasbench ", 1) == short.output
        assert asked.output == long.output


def test_a_command_of_another_group_is_refused_with_those_of_this():
    done = call("results", "compare")
    assert isinstance(done.exception, UnknownName)
    assert "allowed: check, diff, export" in str(done.exception)


def test_help_of_a_command():
    assert call("help", "run").output == call("run", "--help").output
    assert call("help").output == call("--help").output
    assert isinstance(call("help", "rum").exception, UnknownName)
    assert call("help", "run", "fast").exit_code == 2


def test_the_package_is_a_command():
    done = subprocess.run([sys.executable, "-m", "nasbench"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: python -m nasbench")
    wrong = subprocess.run([sys.executable, "-m", "nasbench", "rum"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [[], ["protocols"], ["help", "run"]])
def test_a_full_disk_behind_standard_output_is_one_line(words):
    command = [sys.executable, "-m", "nasbench", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert "No space left on device" in done.stderr
