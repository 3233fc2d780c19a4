"""In a real kernel: a search shows a bar, and values show themselves as HTML."""

from __future__ import annotations

import pytest
from fake_images import FAKE

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

CELLS = (
    f"import nasbench\nrun = nasbench.search('nasnet:blocks=1', 'random', '3 children', 'a.h5', set={FAKE!r})\nrun",
    "run.best",
    "nasbench.compare('a.h5', by='children')",
    "@nasbench.register_strategy\nclass Mine(nasbench.Strategy):\n"
    "    def ask(self):\n        return self.space.decode([0] * len(self.space.decisions))\n"
    "    def tell(self, outcome):\n        pass\n"
    f"nasbench.search('nasnet:blocks=1', Mine, '2 children', 'b.h5', set={FAKE!r}).strategy",
    f"nasbench.search('nasnet:blocks=1', Mine, '2 children', 'c.h5', set={FAKE!r}, progress=False);",
)


@pytest.mark.slow
def test_cells_show_a_bar_and_their_values(tmp_path):
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    search, best, comparison, own, silent = (cell.outputs for cell in notebook.cells)
    shown = [html(output) for output in (search[-1], best[-1], comparison[-1])]
    assert "<svg" in shown[0]
    assert "complete" in shown[0]
    assert "<svg" in shown[1]
    assert "data:image/png" in shown[2]
    assert any("random seed 0" in text(output) and "%" in text(output) for output in search)
    assert own[-1].data["text/plain"] == "'mine'"
    assert silent == []


def html(output) -> str:
    return output.data["text/html"]


def text(output) -> str:
    """What a bar is made of: a widget where ipywidgets is installed, else characters on standard error."""
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")
