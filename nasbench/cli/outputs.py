"""Outputs of commands: the option --force, the inputs that no output replaces, and standard output as `-`."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import click

from nasbench.errors import InputError
from nasbench.outputs import REPORT_MARKS, STANDARD_OUTPUT, ending_of, output_rules, require_output, write_output

QUERY_FORMS: Final = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".md": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".txt": "table",
}
"""Forms of a query's output by the ending of its name."""

Kind = Literal["text", "arrays", "picture", "results", "model", "folder"]
"""What an output is: a table or page; arrays of numpy; a picture; a results file; a trained network; a folder."""


@dataclass(frozen=True)
class Output:
    """An output of a command.

    Args:
        kind: what is written.
        endings: allowed endings of its name; () where the command itself checks them.
        drawing: of pictures, whether there are no data beside it.
    """

    kind: Kind
    endings: tuple[str, ...] = ()
    drawing: bool = False


_CSV: Final = Output("text", (".csv",))
_ARRAYS: Final = Output("arrays", (".npz",))
_PICTURE: Final = Output("picture")
_DRAWING: Final = Output("picture", drawing=True)
_RESULTS: Final = Output("results", (".h5",))
_PLOTS: Final = (
    "correlations",
    "cost",
    "pareto",
    "profiles",
    "ranks",
    "regret",
    "targets",
)
_PRINTED: Final = ("predict", "query")
"""Commands that print their output, in a form that is chosen, also where no file is named."""
_NEW: Final = frozenset(
    {
        "measure",
        *("csv", "json", "parquet", "optuna", "synetune"),
        *("accel-nasbench", "nasbench101", "nasbench201", "nasbench-macro", "nats-bench", "suite-zero", "transnas"),
    }
)
"""Commands that begin with reading for long, and write a new results file."""
_WRITERS: Final = ("run", "rerun", "latency", "build", "merge", "hw-latency", *sorted(_NEW))

OUTPUTS: Final[dict[str, dict[str, Output]]] = {
    **{name: {"output": _PICTURE, "csv": _CSV} for name in _PLOTS},
    **{name: {"output": _PICTURE} for name in ("claims", "compare", "curves")},
    **{name: {"output": _RESULTS} for name in _WRITERS},
    **{name: {"csv": _CSV} for name in ("bayesian", "checklist", "power", "speedup")},
    "cite": {"output": Output("text", (".bib",))},
    "compact": {"output": _ARRAYS},
    "croissant": {"output": Output("text", (".json",))},
    "draw": {"output": _DRAWING},
    "evaluate": {"output": _PICTURE, "csv_": _CSV},
    "export": {"output": Output("text", (".parquet", ".csv", ".jsonl"))},
    "export-model": {"output": Output("model", (".onnx", ".pt2"))},
    "get": {"output": _ARRAYS},
    "leaderboard": {"output": Output("folder")},
    "measure": {
        "output": _RESULTS,
        "page": Output("text", (".html",)),
        "csv": _CSV,
        "submit": _ARRAYS,
    },
    "predict": {"output": Output("text", (".csv", ".json"))},
    "query": {"output": Output("text", tuple(QUERY_FORMS))},
    "reference": {"output": _ARRAYS},
    "replay": {"output": Output("text", (".csv", ".h5")), "plot": _PICTURE},
    "report": {"output": Output("text", tuple(REPORT_MARKS))},
    "reproduce": {"output": _PICTURE},
    "score": {"output": _CSV},
    "show": {"picture": _DRAWING},
    "train": {"output": Output("model", (".safetensors",)), "curves": _PICTURE},
    "transfer": {"output": Output("folder")},
    "write": {"folder": Output("folder")},
}
"""Per command, the arguments that name outputs. tests/outputs fail for a command with an output that is not here."""

_FORCE: Final = "force_output"
_ALONE: ContextVar[TextIO | None] = ContextVar("nasbench_standard_output", default=None)
"""Standard output of a command whose output is `-`: tables and lines go to standard error then."""


def with_outputs(command: click.Command) -> click.Command:
    """Check the names of a command's outputs before the command begins, and add --force to one that writes files.

    Args:
        command: the command, which is changed; one that was changed already stays as it is.

    Returns:
        The same command.
    """
    if isinstance(command, click.Group):
        for each in command.commands.values():
            with_outputs(each)
        return command
    names = {parameter.name for parameter in command.params}
    outputs = {name: each for name, each in OUTPUTS.get(command.name or "", {}).items() if name in names}
    body = command.callback
    if not outputs or body is None or hasattr(body, _FORCE):
        return command
    texts = [name for name, each in outputs.items() if each.kind == "text" and command.name not in _PRINTED]
    if any(each.kind in ("text", "arrays", "picture") for each in outputs.values()):
        command.params.append(
            click.Option(
                ["--force", _FORCE],
                is_flag=True,
                help="Let tables, pages and pictures replace files of other kinds; never an input or a results file.",
            )
        )

    @functools.wraps(body)
    def guarded(*args: Any, **values: Any) -> Any:
        forced = values.pop(_FORCE, False)
        inputs = [text for name, value in values.items() if name not in outputs for text in _texts(value)]
        with output_rules(inputs, forced, functools.partial(_source_of, inputs)):
            for name, output in outputs.items():
                if isinstance(values.get(name), str):
                    _check(command.name or "", output, values[name])
            with _alone(any(values.get(name) == STANDARD_OUTPUT for name in texts)):
                return body(*args, **values)

    setattr(guarded, _FORCE, True)
    command.callback = guarded
    return command


@contextlib.contextmanager
def _alone(alone: bool) -> Iterator[None]:
    """Keep standard output for the output `-`, so that a program can read it: what else is printed is for people."""
    if not alone:
        yield
        return
    token = _ALONE.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _ALONE.reset(token)


def _check(command: str, output: Output, value: str) -> None:
    """Refuse what can be refused before the command begins: names, inputs, results files, and foreign pictures."""
    if not value:
        raise InputError("the name of the output is empty; name a file, or - for standard output of text")
    if output.kind == "picture":
        _check_picture(command, output, value)
    elif output.kind == "arrays" and value == STANDARD_OUTPUT:
        raise InputError(f"arrays are not written to standard output; name a file ending in {output.endings[0]}")
    elif output.kind in ("text", "arrays") and value != STANDARD_OUTPUT:
        ending = ending_of(value, output.endings)
        if ending != ".h5":
            require_output(value, lambda _: True)  # what else is there can be judged only with the content
    elif output.kind == "results":
        require_results_output(value, new=command in _NEW)
    elif output.kind == "model" and value != STANDARD_OUTPUT:
        if output.endings:
            ending_of(value, output.endings)
        require_output(value)


def require_results_output(value: str, new: bool) -> None:
    """Refuse a name of a results file before the command begins.

    Args:
        value: the file.
        new: whether nothing may be there.

    Raises:
        InputError: for another ending, and where something is there that is not replaced.
    """
    from nasbench.store.files import ResultsPaths

    paths = ResultsPaths.of(value)
    if new and (paths.h5.exists() or paths.journal.exists()):
        from nasbench.store.maintenance.table_builder import require_new

        require_new(value)


def _check_picture(command: str, output: Output, value: str) -> None:
    from nasbench.cli.plotting import check_names

    if value == STANDARD_OUTPUT and command == "show":
        return  # no picture
    # With several data sets, a replay's picture is only the beginning of the names.
    check_names(value, output.drawing, stem_only=command == "replay")


def _source_of(inputs: Iterable[str], there: Path) -> str:
    """The first of the inputs that is a data set, as folder:PATH, of which a file is a part; "" for none."""
    # `--set data=folder:PATH` and `--data folder:PATH` mean the same.
    sources = [text for text in (each.removeprefix("data=") for each in inputs) if ":" in text]
    if not sources:
        return ""  # most commands read no data: nothing is imported
    from nasbench.data.source_files import is_in_source

    return next((each for each in sources if is_in_source(each, there)), "")


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, (tuple, list)) else []


def put(path: str, content: str, marks: Sequence[bytes] = ()) -> bool:
    """Write a text to a file, or to standard output for `-`.

    Args:
        path: the file, or "-".
        content: the text, with the line break at its end.
        marks: see `write_output`.

    Returns:
        Whether a file was written.

    Raises:
        InputError: when a file must not be replaced, or cannot be written.
    """
    if path == STANDARD_OUTPUT:
        click.echo(content, nl=False, file=_ALONE.get())
        return False
    write_output(path, content.encode("utf-8", "backslashreplace"), marks)
    return True
