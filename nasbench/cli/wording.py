"""Numbers of things in words."""

from __future__ import annotations


def count_of(number: int, one: str, many: str) -> str:
    """Write a number with its noun: "1 run", "48 runs".

    Args:
        number: the number, >= 0.
        one: the noun for 1.
        many: the noun for every other number.

    Returns:
        The words.
    """
    return f"{number} {one if number == 1 else many}"


def runs_text(number: int) -> str:
    """Write a number of runs.

    Args:
        number: the number, >= 0.

    Returns:
        The words, e.g. "1 run" or "8 runs".
    """
    return count_of(number, "run", "runs")


def children_text(number: int) -> str:
    """Write a number of children.

    Args:
        number: the number, >= 0.

    Returns:
        The words, e.g. "1 child" or "8 children".
    """
    return count_of(number, "child", "children")


def measurements_text(number: int) -> str:
    """Write a number of measurements.

    Args:
        number: the number, >= 0.

    Returns:
        The words, e.g. "1 measurement" or "8 measurements".
    """
    return count_of(number, "measurement", "measurements")


def rows_text(children: int, runs: int, measurements: int) -> str:
    """Write the numbers of rows of a results file.

    Args:
        children: rows of the children table.
        runs: rows of the runs table.
        measurements: rows of the table of measurements; left out if there are none.

    Returns:
        The words, e.g. "8 children, 1 run" or "8 children, 1 run, 24 measurements".
    """
    texts = [children_text(children), runs_text(runs), *([measurements_text(measurements)] if measurements else [])]
    return ", ".join(texts)
