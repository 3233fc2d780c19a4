"""The examples of docs/api.md run from the first to the last, and its table names every function."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import nasbench

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
NOT_RUN = "<!-- not run: needs the extras -->\n"


def blocks() -> list[str]:
    """The examples that are run."""
    return [code for skipped, code in re.findall(rf"({NOT_RUN})?```python\n(.*?)```", PAGE, re.DOTALL) if not skipped]


@pytest.mark.slow
def test_the_examples_run_in_their_order(tmp_path, monkeypatch, registry, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    found = blocks()
    assert len(found) == PAGE.count("```python") - 1
    for code in found:
        exec(compile(code, "docs/api.md", "exec"), names)
    run = names["run"]
    assert isinstance(run, nasbench.Run)
    assert run.status in ("complete", "interrupted")
    assert names["keep"].best == run.best
    assert nasbench.Run("b.h5").strategy == "hill_climber"
    assert names["found"].summary["strategy"].tolist() == ["random", "hill_climber"]
    made = {path.name for path in tmp_path.iterdir()}
    assert {"a.h5", "a.html", "comparison.png", "comparison.svg", "comparison.csv", "replayed.h5"} <= made


def test_the_example_that_is_not_run_compiles():
    (code,) = re.findall(rf"{NOT_RUN}```python\n(.*?)```", PAGE, re.DOTALL)
    compile(code, "docs/api.md", "exec")
    for name in re.findall(r"nasbench\.callbacks\.(\w+)", code):
        assert issubclass(getattr(nasbench.callbacks, name), nasbench.Callback)


def test_the_table_names_every_exported_function():
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    functions = {name for name in dir(nasbench) if inspect.isfunction(getattr(nasbench, name))}
    assert {name for name in functions if not name.startswith("_")} - set(re.findall(r"nasbench\.(\w+)", rows)) == {
        "from_json"
    }
