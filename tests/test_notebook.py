"""The notebook of the documentation, executed: it still runs, and says what is stored in it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from notebooks import executed, outputs

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


@pytest.mark.slow
def test_the_notebook_says_what_is_stored_in_it():
    stored = nbformat.read(NOTEBOOK, as_version=4)
    fresh = executed(NOTEBOOK)
    for place, (now, then) in enumerate(zip(outputs(fresh), outputs(stored), strict=True), start=1):
        said = (
            f"code cell {place} of {NOTEBOOK.name} says something else now; look at it and store it by: make notebook"
        )
        assert [" ".join(text.split()) for text in now] == [" ".join(text.split()) for text in then], said
    assert sum("a picture" in texts for texts in outputs(fresh)) >= 2


def test_the_notebook_is_small():
    assert NOTEBOOK.stat().st_size < 300_000
