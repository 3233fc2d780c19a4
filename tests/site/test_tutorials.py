"""The tutorials run from their first block to their last, and stay short enough to read at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from executed_pages import Block, Output, PageError, blocks, executed, with_outputs

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


def test_there_is_a_tutorial_for_each_thing_that_people_bring():
    assert [path.stem for path in TUTORIALS] == [
        "importing-a-table",
        "own-images",
        "own-space",
        "own-strategy",
        "reading-a-comparison",
        "trained-networks",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
@pytest.mark.timeout(900)  # of a busy machine
def test_the_tutorial_runs(path):
    markdown = path.read_text(encoding="utf-8")
    outputs = executed(markdown, path.name)
    for block, output in zip((block for block in blocks(markdown) if block.runs), outputs, strict=True):
        if shows(block):
            assert output.text or output.pictures, f"{path.name}: nothing is shown of\n{block.text}"


def shows(block: Block) -> bool:
    """Whether the block's last line is a value of its own, or a command that prints."""
    last = block.text.rstrip().splitlines()[-1]
    if block.language == "console":
        return "-o" not in last
    return re.match(r"[\w.\[\], \"]+(\(\))?$", last) is not None


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_the_tutorial_has_60_to_150_lines(path):
    assert 60 <= len(path.read_text(encoding="utf-8").splitlines()) <= 150


PAGE = """
```python title="mine.py"
VALUE = 3
```
```python
import mine
print("a < b")
mine.VALUE
```
```console
$ echo one \\
    two
$ cat mine.py
```
"""


def test_an_output_is_that_of_its_block():
    outputs = executed(PAGE, "page")
    assert outputs == [Output("a < b\n3"), Output("one two\nVALUE = 3")]
    shown = with_outputs(PAGE, outputs)
    assert 'mine.VALUE\n```\n\n<pre class="output">a &lt; b\n3</pre>' in shown
    assert shown.count("<pre") == 2
    assert "VALUE = 3\n```\n```python" in shown  # a file shows nothing


def test_a_figure_is_shown_as_a_picture():
    page = "```python\nfrom matplotlib.figure import Figure\nFigure()\n```\n"
    (output,) = executed(page, "page")
    assert output.text == ""
    assert len(output.pictures) == 1
    assert '<img class="output"' in with_outputs(page, [output])


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("```python\n1 / 0\n```\n", "page: .*ZeroDivisionError"),
        ("```console\n$ nasbench query nothing.h5\n```\n", "page: .*nasbench query nothing.h5: exit code 2"),
        ("```console\necho one\n```\n", "starts with '[$] '"),
    ],
)
def test_a_block_that_fails_ends_the_page(block, why):
    with pytest.raises(PageError, match=re.compile(why, re.DOTALL)):
        executed(block, "page")
