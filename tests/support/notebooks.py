"""Notebooks executed from their first cell to their last, in a fresh kernel in their own folder.

Run as a program it writes what came out back: `python tests/support/notebooks.py docs/notebook.ipynb`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

PATIENCE = 240  # seconds a cell may take on a busy machine


def executed(path: Path) -> Any:
    """The notebook with fresh outputs; a cell that raises ends it with nbclient's CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, kernel_name="python3", timeout=PATIENCE, coalesce_streams=True, resources=where)
    # Another backend than the kernel's own, as tests may have set, would show no picture.
    own = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    client.execute(env={**own, "NASBENCH_CONFIG": os.devnull})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def outputs(notebook: Any) -> list[list[str]]:
    """What each code cell says: its plain texts, and for a picture that there is one."""
    return [[_said(output) for output in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"]


def _said(output: Any) -> str:
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    return "a picture" if "image/png" in output.data else str(output.data["text/plain"])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        nbformat.write(executed(Path(name)), name)
        print(f"wrote {name} ({Path(name).stat().st_size / 1000:.0f} kB)")
