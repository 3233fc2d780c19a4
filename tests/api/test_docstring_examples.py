"""Every example in a public docstring gives what it says."""

from __future__ import annotations

import doctest
import inspect

import pytest

import nasbench
from nasbench.spaces.constrained import under_limits

NAMES = [
    *("search", "Run", "resume", "open", "status", "compare", "report", "verify", "evaluate", "replay"),
    *("register_strategy", "Callback", "EarlyStopping", "suite", "cost", "pareto", "curves"),
    *("train_model", "load_model", "latency", "bench"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The examples run one after the other in one folder: that of `search` makes the results file of the others."""
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("name", NAMES)
def test_the_example_gives_what_it_says(name, folder, monkeypatch, registry):
    monkeypatch.chdir(folder)
    if name != "search" and not (folder / "first.h5").exists():
        run_example("search")
    assert run_example(name) == (0, True)


def run_example(name: str) -> tuple[int, bool]:
    """How many lines gave something else, and whether there were any."""
    finder = doctest.DocTestFinder(recurse=False)
    (test,) = finder.find(getattr(nasbench, name), name, globs={})
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    return result.failed, result.attempted > 0


@pytest.mark.parametrize("function", [nasbench.Space.count, under_limits])
def test_the_examples_about_spaces_give_what_they_say(function):
    (test,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, globs={})
    result = doctest.DocTestRunner().run(test)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_every_exported_function_has_an_example():
    functions = [
        name
        for name in dir(nasbench)
        if inspect.isfunction(getattr(nasbench, name)) and getattr(nasbench, name).__module__.startswith("nasbench.api")
    ]
    assert {"search", "replay", "open"} <= set(functions) <= set(NAMES)
