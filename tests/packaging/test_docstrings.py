"""Docstrings of public functions say what goes in, what comes out, and which errors they raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("nasbench", "runners", "analysis")
FOLDERS = sorted(
    {file.parent.relative_to(ROOT).as_posix() for package in PACKAGES for file in (ROOT / package).rglob("*.py")}
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def lacks(source: str) -> list[str]:
    """List what the docstrings of a module's public functions lack.

    A function with parameters has Args that names each of them, and Returns or Yields if it returns something; a
    function with a `raise` has Raises. A docstring that refers to another one ("see `Crops`") and a click command,
    whose docstring is its help, are complete. Overloads need no docstring: the implementation has it.

    Args:
        source: text of the module.

    Returns:
        One line per missing part, e.g. "double: Returns".
    """
    found = []
    for name, function in _functions(ast.parse(source), ""):
        text = ast.get_docstring(function) or ""
        decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
        if "see `" in text or any("click." in each or each == "overload" for each in decorators):
            continue
        names = _parameters(function)
        missing = [part for part in names if f"{part}:" not in text]
        if names and ("Args:" not in text or missing):
            found.append(f"{name}: Args {', '.join(missing)}")
        returns = function.returns is not None and ast.unparse(function.returns) not in ("None", "NoReturn")
        if names and returns and not any(part in text for part in ("Returns:", "Yields:")):
            found.append(f"{name}: Returns")
        if _raises(function) and "Raises:" not in text:
            found.append(f"{name}: Raises")
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


def _raises(node: ast.AST) -> bool:
    """Whether a function raises an error itself, not in a function inside it."""
    return any(
        isinstance(part, ast.Raise)
        or (not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and _raises(part))
        for part in ast.iter_child_nodes(node)
    )


def test_every_package_has_its_folders_here() -> None:
    assert {"nasbench/store/format", "runners/strategies/predictors", "analysis/inference"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_public_functions_describe_arguments_results_and_errors(folder: str) -> None:
    files = sorted((ROOT / folder).glob("*.py"))
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
    assert lacks("@overload\ndef double(x: int) -> int: ...") == []


def test_an_error_that_is_not_described_is_found() -> None:
    assert lacks("def stop() -> None:\n    '''Stop.'''\n    if True:\n        raise ValueError") == ["stop: Raises"]
    assert lacks("def make():\n    '''Make.'''\n    def inner():\n        raise ValueError\n    return inner") == []
