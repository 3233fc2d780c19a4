"""Tables fit the terminal's width, and are one line per row elsewhere."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from nasbench.cli import options
from nasbench.cli.loading import echo_table

HEAD = ("name", "seconds", "meaning")
ROWS = [("a", 1.5, "words " * 40), ("b", 20.25, "short"), ("long-" * 5, 3.0, "")]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_fit_the_terminal_and_lose_no_word(monkeypatch, capsys, width):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    options.print_table(HEAD, ROWS)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert out.count("words") == 40
    assert "20.25" in out


def test_a_row_is_one_line_where_a_program_reads_it(capsys):
    options.print_table(HEAD, ROWS)
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_table_without_rows_has_its_head(capsys):
    options.print_table(HEAD, [])
    assert capsys.readouterr().out == "name  seconds  meaning\n"


def test_what_cannot_be_narrower_is_printed_wide(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "10")
    options.print_table(("x", "y"), [("word " * 10, "other " * 10)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 2 * options.NARROWEST + 2


def test_cells_are_one_line_whatever_they_hold(capsys):
    options.print_table(("class", "images"), [("a\nb\x1b[31m\t\udcff\u202e", 1), ("caf\xe9 \U0001f600", 2)])
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first == r"a\nb\x1b[31m\t\udcff\u202e       1"
    assert second.split() == ["caf\xe9", "\U0001f600", "2"]


def test_a_wide_frame_is_printed_in_parts_that_fit_the_terminal(monkeypatch, capsys):
    names = [f"a column with a long name {number}" for number in range(8)]
    table = pd.DataFrame({"strategy": ["random", "evolution"], **{name: [1.5, 2.5] for name in names}})
    echo_table(table, ())
    whole = capsys.readouterr().out
    assert len(whole.splitlines()) == 3  # a row is a line where a program reads it
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("COLUMNS", raising=False)  # no terminal says its width: 80
    echo_table(table, ())
    parts = capsys.readouterr().out
    assert max(map(len, parts.splitlines())) <= 80
    assert all(parts.count(name) == 1 for name in names)
    assert parts.count("evolution") == parts.count("strategy") == 4
    monkeypatch.setenv("COLUMNS", "1000")
    echo_table(table, ())
    assert capsys.readouterr().out == whole
