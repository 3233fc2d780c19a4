"""JSON texts of a stranger's results file, configurations, provenance and choices, that are none: one line, or left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import nasbench
from hostile import hostile_file

import nasbench as suite

DEEP = "[" * 100_000
OBJECTS = {
    "no JSON": "nope",
    "a list": "[]",
    "a number": "5",
    "deep": DEEP,
    "wrong types": '{"protocol": 5, "set": 7, "space": [], "strategy": {}, "seed": "x", "budget": null, "devices": 3, "executor": "x"}',
    "wrong types of provenance": '{"energy": 5, "command": 3, "host": {}, "packages": 9, "processors": 0, "repaired": 3}',
    "an infinite number": '{"a": 1e999, "packages": {"a": {"b": 1}}, "energy": {"joules": {"x": "y"}}}',
}
CHOICES = {
    "no JSON": "nope",
    "an object": "{}",
    "a number": "5",
    "none": "[]",
    "texts": '["a"]',
    "an infinite number": "[1e999]",
    "lists": "[[1]]",
    "truth values": "[true, 1, 1, 1, 1, 1]",
    "fractions": "[0.5, 1, 1, 1, 1, 1]",
    "a huge number": "[99999999999999999999999, 0, 0, 0, 0, 0]",
    "null": "null",
    "deep": DEEP,
}
COMMANDS = {
    "resume": ("resume", "COPY"),
    "status": ("status", "FILE"),
    "show": ("show", "FILE", "--run", "000000000000"),
    "rerun": ("rerun", "000000000000", "FILE", "-o", "OUT.h5"),
    "verify": ("verify", "FILE", "--sample", "1"),
    "train": ("train", "FILE:best", "-o", "OUT.safetensors"),
    "latency": ("latency", "FILE", "--repetitions", "1", "--warm-up", "0"),
    "score": ("score", "FILE", "--scores", "params", "-o", "OUT.csv"),
    "transfer": ("transfer", "HASH", "FILE", "--sizes", "2@8"),
    "report": ("report", "FILE", "--format", "md", "--allow", "baseline", "--allow", "searcher"),
    "cost": ("cost", "FILE", "--carbon-intensity", "100", "--on", "V100", "-o", "OUT.svg"),
    "compare": ("compare", "FILE", "--test", "--allow", "baseline", "--allow", "searcher", "-o", "OUT.svg"),
    "checklist": ("checklist", "FILE"),
    "merge": ("merge", "FILE", "OTHER", "-o", "OUT.h5"),
    "migrate": ("migrate", "COPY"),
    "repair": ("repair", "COPY"),
    "check": ("check", "FILE"),
    "show hash": ("show", "HASH", "FILE"),
    "draw": ("draw", "HASH", "FILE", "-o", "OUT.svg"),
    "table stats": ("table", "stats", "FILE"),
    "table neighbours": ("table", "neighbours", "HASH", "FILE"),
    "replay": ("replay", "--table", "FILE", "--strategy", "random", "--budget", "3 children", "--seeds", "2"),
    "reproduce": ("reproduce", "--figure", "5", "FILE", "-o", "OUT.svg"),
}
DRAWING = ("cost", "compare", "draw", "reproduce")
CASES = [
    *(("config", what, text) for what, text in OBJECTS.items()),
    *(("provenance", what, text) for what, text in OBJECTS.items()),
    *(("choices", what, text) for what, text in CHOICES.items()),
]


def tried(folder: Path, column: str, text: str, names: list[str]) -> None:
    """Call commands on a file that has the text in a column of all its runs, or all its children."""
    runs = {} if column == "choices" else {column: text, "status": "running" if column == "config" else "complete"}
    children = {column: text} if column == "choices" else {}
    hostile_file(folder / "evil.h5", ("evolution",), seeds=2, children=3, of_runs=runs, of_children=children)
    places = {"FILE:best": f"{folder / 'evil.h5'}:best", "HASH": suite.open(folder / "evil.h5").frame()["hash"][0]}
    for word, name in (("FILE", "evil.h5"), ("COPY", "copy.h5"), ("OTHER", "other.h5")):
        places[word] = str(folder / name)
        if name != "evil.h5":
            shutil.copy(folder / "evil.h5", folder / name)
    for name in names:
        done = nasbench(*(places.get(word, word.replace("OUT", str(folder / name))) for word in COMMANDS[name]))
        assert done.code in (0, 1, 2), (name, done)
        assert "Traceback" not in done.err, (name, done)
        if done.code == 2:
            assert done.err.count("error: ") == 1, (name, done)
            assert len(done.err) < 2000, (name, done)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("column", "what", "text"), CASES, ids=[f"{column}: {what}" for column, what, _ in CASES])
def test_no_text_of_a_strangers_file_is_a_traceback(column, what, text, tmp_path):
    tried(tmp_path, column, text, [name for name in COMMANDS if name not in DRAWING])


@pytest.mark.slow
@pytest.mark.parametrize(("column", "what", "text"), CASES, ids=[f"{column}: {what}" for column, what, _ in CASES])
def test_no_text_of_a_strangers_file_is_a_traceback_of_a_drawing(column, what, text, tmp_path):
    tried(tmp_path, column, text, list(DRAWING))
