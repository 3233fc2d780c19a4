"""Journal lines with sound checksums and contents that no writer of ours produces: named damage, never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from store_rows import child, run

from nasbench.errors import NasbenchError
from nasbench.store.errors import CorruptResults
from nasbench.store.journal import _digest, _seal, read_journal
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

RUN, CHILD, HEADER = 2, 3, 0  # lines
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def unpacked(tmp_path: Path) -> Iterator[Path]:
    """A run and two children in the journal of a writer that was killed; its lock is let go afterwards, so that no heartbeat outlives the test."""
    path = tmp_path / "x.h5"
    writer = ResultsWriter(path)
    writer.put_run(run(children=2))
    writer.append_child(*child(1))
    writer.append_child(*child(2))
    writer._journal.close()
    yield path
    writer._lock.release()


def sealed_anew(path: Path, line: int, change: Change) -> None:
    journal = path.with_suffix(".journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    content = {name: value for name, value in json.loads(lines[line]).items() if name != "blake2b"}
    changed = change(content)
    lines[line] = _seal(content if changed is None else changed)
    journal.write_bytes(b"".join(lines))


def to(*places: str, value: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        for place in places[:-1]:
            content = content[place]
        content[places[-1]] = value

    return change


def without(*places: str) -> Change:
    def change(content: dict[str, Any]) -> None:
        for place in places[:-1]:
            content = content[place]
        del content[places[-1]]

    return change


@pytest.mark.parametrize(
    ("line", "change", "said"),
    [
        (CHILD, to("sequence", value="2"), "record has no number"),
        (CHILD, to("sequence", value=-1), "record has no number"),
        (CHILD, to("sequence", value=True), "record has no number"),
        (CHILD, to("sequence", value=2**70), "record has no number"),
        (CHILD, to("sequence", value=None), "record has no number"),
        (CHILD, to("kind", value=["child"]), "it is no record of a child, a run or a measurement"),
        (CHILD, to("kind", value="person"), "it is no record of a child, a run or a measurement"),
        (CHILD, to("row", value=[]), "it is no record of a child, a run or a measurement"),
        (CHILD, without("row"), "it is no record of a child, a run or a measurement"),
        (CHILD, without("row", "hash"), "are not those of the schema"),
        (CHILD, to("row", "new", value=1), "are not those of the schema"),
        (CHILD, to("row", "params", value=1.5), "column 'params' must be an int"),
        (CHILD, to("row", "params", value=2**70), "must fit into 64 bits"),
        (CHILD, to("row", "counted", value=1), "column 'counted' must be a bool"),
        (CHILD, to("row", "hash", value=None), "column 'hash' must be a str"),
        (CHILD, to("row", "val_acc", value="much"), "could not convert"),
        (CHILD, to("row", "val_acc", value=[0.5]), "float"),
        (CHILD, to("row", "status", value="fine"), "status is 'fine'"),
        (RUN, to("row", "seed", value="0"), "column 'seed' must be an int"),
        (CHILD, to("curves", value=[]), "its curves are no lists"),
        (CHILD, to("curves", "val_acc", value=5), "its curves are no lists"),
        (CHILD, to("curves", "val_acc", value=[None]), "a curve has the value 'None'"),
        (CHILD, to("curves", "val_acc", value=[0.5, 0.5]), "of different lengths"),
        (CHILD, without("curves", "seconds"), "not those of the schema, or of different lengths"),
        (CHILD, to("curves", "more", value=[0.5]), "not those of the schema, or of different lengths"),
        (CHILD, lambda content: {"sequence": 2, "kind": "children", "children": 5}, "it is no list of children"),
        (CHILD, lambda content: {"sequence": 2, "kind": "children", "children": [5]}, "it is no list of children"),
        (CHILD, lambda content: {"sequence": "2", "kind": "children", "children": []}, "it is no list of children"),
        (HEADER, to("file", value=5), "the header lacks"),
        (HEADER, to("base", value="0"), "the header lacks"),
        (HEADER, to("base", value=-1), "the header lacks"),
        (HEADER, to("schema", value="4"), "the header lacks"),
        (HEADER, to("format", value="other"), "the header is missing"),
    ],
)
def test_a_record_of_another_form_is_damage_that_is_named(unpacked: Path, line: int, change: Change, said: str) -> None:
    sealed_anew(unpacked, line, change)
    assert any(said in str(damage) for damage in read_journal(unpacked.with_suffix(".journal")).damages)
    assert any(said in finding.text for finding in check_file(unpacked).findings)
    with pytest.raises(NasbenchError):
        Results(unpacked)


@pytest.mark.parametrize("body", ['","a":' + "[" * 100_000, '","a":' + "9" * 5000 + "}", '",5]', '"'])
def test_a_line_that_is_no_json_is_damage(unpacked: Path, body: str) -> None:
    journal = unpacked.with_suffix(".journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[CHILD] = b'{"blake2b":"' + _digest(body.encode()) + body.encode() + b"\n"
    journal.write_bytes(b"".join(lines))
    assert any(finding.severity == "damage" for finding in check_file(unpacked).findings)
    with pytest.raises(CorruptResults):
        Results(unpacked)


def test_the_journal_that_is_changed_here_is_sound_before(unpacked: Path) -> None:
    assert check_file(unpacked).sound
    sealed_anew(unpacked, CHILD, lambda content: None)
    assert check_file(unpacked).sound
