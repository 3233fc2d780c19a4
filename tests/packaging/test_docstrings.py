"""Docstrings of public functions say what goes in and what comes out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "nasbench"
COMPLETE = ("training", "transfer", "protocols", "costs", "kernels", "kernel_tests", "doctor", ".")
"""Folders in which every public function with parameters has Args, and Returns or Yields if it returns something."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def lacks(source: str) -> list[str]:
    """List the public functions of a module that have parameters, and lack a part of their docstring.

    A docstring that refers to another one ("see `Crops`") and a click command, whose docstring is its help, are complete.
    """
    found = []
    for name, function in _functions(ast.parse(source), ""):
        text = ast.get_docstring(function) or ""
        if "see `" in text or any("click." in ast.unparse(decorator) for decorator in function.decorator_list):
            continue
        names = _parameters(function)
        missing = [part for part in names if f"{part}:" not in text]
        if names and ("Args:" not in text or missing):
            found.append(f"{name}: Args {', '.join(missing)}")
        returns = function.returns is not None and ast.unparse(function.returns) not in ("None", "NoReturn")
        if names and returns and not any(part in text for part in ("Returns:", "Yields:")):
            found.append(f"{name}: Returns")
    return found


def _functions(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, Function]]:
    for part in node.body:
        if isinstance(part, ast.ClassDef) and not part.name.startswith("_"):
            yield from _functions(part, f"{prefix}{part.name}.")
        elif isinstance(part, Function) and not part.name.startswith("_"):
            yield prefix + part.name, part


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]


@pytest.mark.parametrize("folder", COMPLETE)
def test_public_functions_describe_their_arguments_and_results(folder: str) -> None:
    files = sorted((PACKAGE / folder).glob("*.py"))
    assert files
    assert {file.name: found for file in files if (found := lacks(file.read_text()))} == {}


def test_a_missing_part_is_found() -> None:
    assert lacks('def double(x: int) -> int:\n    """Double."""\n    return 2 * x') == [
        "double: Args x",
        "double: Returns",
    ]
    assert lacks(
        "class A:\n    def go(self, y) -> None:\n        '''Go.\n\n        Args:\n            z: no.\n        '''"
    ) == ["A.go: Args y"]
    assert lacks("def _hidden(x: int) -> int:\n    return x") == []
