"""A results file full of harmful texts goes through every command that reads one: nothing fails, and every text stays text."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import xml.etree.ElementTree
from pathlib import Path

import pytest
from commands import nasbench
from hostile import TEXTS, hostile_file

from nasbench.cli.main import COMMANDS

CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
FORMULA = re.compile(r"[=+@\t\r]|-(?![0-9.]|inf|nan)")
ALLOWED = (
    "--allow",
    "searcher",
    "--allow",
    "space",
    "--allow",
    "children",
    "--allow",
    "duplicates",
    "--allow",
    "budget",
)

READING = {
    "query": ("query", "FILE", "--columns", "all", "--stage", "all"),
    "query-runs": ("query", "FILE", "--runs"),
    "query-csv": ("query", "FILE", "--columns", "all", "--format", "csv"),
    "query-json": ("query", "FILE", "--columns", "all", "--format", "json"),
    "query-file": ("query", "FILE", "COPY", "--columns", "file,strategy"),
    "query-parquet": ("query", "FILE", "--columns", "all", "--format", "parquet", "-o", "OUT.parquet"),
    "query-where": ("query", "FILE", "--where", "contains(strategy, '$') or startswith(strategy, '=')"),
    "status": ("status", "FILE"),
    "cite": ("cite", "FILE"),
    "show": ("show", "FILE", "--run", "000000000000"),
    "show-hash": ("show", "HASH", "FILE"),
    "check": ("check", "FILE"),
    "repair": ("repair", "COPY"),
    "migrate": ("migrate", "COPY"),
    "merge": ("merge", "FILE", "COPY", "-o", "OUT.h5"),
    "diff": ("diff", "FILE", "COPY"),
    "diff-names": ("diff", "FILE", "OTHER"),
    "export": ("export", "FILE", "-o", "OUT.csv"),
    "export-curves": ("export", "FILE", "--what", "curves", "-o", "OUT.csv"),
    "export-runs": ("export", "FILE", "--what", "runs", "-o", "OUT.jsonl"),
    "report": ("report", "FILE", "-o", "OUT.html", *ALLOWED),
    "report-md": ("report", "FILE", "--format", "md", *ALLOWED),
    "compare": ("compare", "FILE", "-o", "OUT.svg", *ALLOWED),
    "compare-pdf": ("compare", "FILE", "-o", "OUT.pdf", *ALLOWED),
    "compare-markdown": ("compare", "FILE", "--test", "--table-format", "markdown", *ALLOWED),
    "compare-latex": ("compare", "FILE", "--test", "--table-format", "latex", *ALLOWED),
    "compare-csv": ("compare", "FILE", "--test", "--table-format", "csv", *ALLOWED),
    "checklist": ("checklist", "FILE"),
    "curves": ("curves", "FILE", "-o", "OUT.svg"),
    "cost": ("cost", "FILE", "-o", "OUT.svg", *ALLOWED),
    "claims": ("claims", "FILE", "-o", "OUT.svg", *ALLOWED),
    "pareto": ("pareto", "FILE", "-o", "OUT.svg", "--csv", "OUT-2.csv"),
    "ranks": ("ranks", "FILE", "-o", "OUT.svg", *ALLOWED),
    "profiles": ("profiles", "FILE", "-o", "OUT.svg", *ALLOWED),
    "targets": ("targets", "FILE", "--target", "0.8", "-o", "OUT.svg", *ALLOWED),
    "regret": ("regret", "FILE", "-o", "OUT.svg", *ALLOWED),
    "correlations": ("correlations", "FILE", "-o", "OUT.svg"),
    "power": ("power", "FILE", "--difference", "0.01", *ALLOWED),
    "bayesian": ("bayesian", "FILE", *ALLOWED),
    "speedup": ("speedup", "FILE", *ALLOWED),
    "reproduce": ("reproduce", "--figure", "1", "FILE", "-o", "OUT.svg"),
    "draw": ("draw", "HASH", "FILE", "-o", "OUT.svg"),
    "score": ("score", "FILE", "-o", "OUT.csv"),
    "verify": ("verify", "FILE", "--sample", "1"),
    "resume": ("resume", "COPY"),
    "rerun": ("rerun", "RUN", "FILE", "-o", "OUT.h5"),
    "train": ("train", "FILE:best", "-o", "OUT.safetensors"),
    "table-stats": ("table", "stats", "FILE"),
    "replay": ("replay", "--table", "FILE", "--strategy", "random", "--budget", "3 children"),
    "suite": ("suite", "show", "FILE"),
}
REFUSING = {"score", "verify", "rerun", "train", "replay", "suite"}
"""Commands that end with exit code 2 and one line, because nothing in the file can be trained again, or it is no suite."""


@pytest.fixture(scope="module")
def evil(tmp_path_factory) -> Path:
    return hostile_file(tmp_path_factory.mktemp("evil") / "evil.h5")


@pytest.fixture(params=["plain", b"caf\xe9 \xff"])
def places(request, evil, tmp_path) -> dict[str, str]:
    """The words of `READING` that stand for files, in a folder of its own, whose name is no UTF-8 the second time."""
    folder = tmp_path / os.fsdecode(request.param)
    folder.mkdir()
    names = {"FILE": "evil.h5", "COPY": "copy.h5", "OTHER": "other.h5"}
    for name in names.values():
        shutil.copy(evil, folder / name)
    return {word: str(folder / name) for word, name in names.items()} | {"FILE:best": f"{folder / 'evil.h5'}:best"}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", READING)
def test_every_command_prints_and_writes_text(name, places):
    import nasbench as suite

    places["HASH"] = suite.open(places["FILE"]).frame()["hash"][0]
    folder = Path(places["FILE"]).parent
    out = folder / "out"
    out.mkdir()
    done = nasbench(*(places.get(word, word.replace("OUT", str(out / "out"))) for word in READING[name]))
    assert done.code == (2 if name in REFUSING else 1 if name == "diff-names" and done.code == 1 else 0), done.err
    assert "Traceback" not in done.err
    assert "Warning" not in done.err, done.err
    if name in REFUSING:
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1, done.err
    for stream in (done.out, done.err):
        assert (found := CONTROL.search(stream)) is None, repr(stream[max(0, found.start() - 30) : found.end() + 30])
    for path in out.iterdir():
        CHECKS[path.suffix](path)
    if name.endswith("csv") and "--format" in READING[name] + ("--table-format",):
        check_csv(done.out)
    if name in ("report-md", "compare-markdown"):
        check_markdown(done.out)
    if name == "compare-latex":
        assert "\\badcmd" not in done.out
        assert "\\input" not in done.out
    if name == "query-json":
        assert len(json.loads(done.out)) == (1 + len(TEXTS)) * 3 * 6


def check_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not FORMULA.match(cell), cell
        assert CONTROL.search(cell) is None, cell


def check_markdown(text: str) -> None:
    for line in text.split("\n"):
        if line.startswith("    "):  # code
            continue
        found = re.search(r"(?<!\\)(<(?!/?(details|summary|sub)>)|\]\(|`|\*e)", line)
        assert found is None, line
    tables = [block.strip().split("\n") for block in text.split("\n\n") if block.lstrip().startswith("|")]
    assert tables
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1, table


def check_svg(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert CONTROL.search(text) is None
    elements = {element.tag.rpartition("}")[2] for element in xml.etree.ElementTree.fromstring(text).iter()}
    assert not elements & {"script", "img", "image", "foreignObject"}


def check_html(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert CONTROL.search(text) is None
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "{{ 7" in text, "not run as a template"
    assert "default-src &#39;none&#39;" in text


def check_parquet(path: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(path.read_bytes()))
    assert {"$\\badcmd{$", "x" * 10_000} <= set(frame["strategy"])


def check_results(path: Path) -> None:
    from nasbench.store.query import Results

    with Results(path) as results:
        run = results.runs().query("strategy == '+1+cmd'")["run"].iloc[0]
        assert results.children_of(run)[0]["data"].startswith("\x1b[31m"), "kept as it is in the file"


CHECKS = {
    ".csv": lambda path: check_csv(path.read_text(encoding="utf-8")),
    ".svg": check_svg,
    ".html": check_html,
    ".parquet": check_parquet,
    ".h5": check_results,
    ".txt": lambda path: None if CONTROL.search(path.read_text(encoding="utf-8")) is None else pytest.fail(str(path)),
    ".pdf": lambda path: None if path.read_bytes().startswith(b"%PDF") else pytest.fail(str(path)),
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()],
}


def test_every_command_that_takes_results_files_is_tried():
    """A command is in the list above, or its arguments name no results file."""
    without = {
        "run",
        "transfer",
        "predict",
        "evaluate",
        "export-model",
        "import",
        "doctor",
        "data",
        "spaces",
        "strategies",
    }
    without |= {"bench", "tables", "leaderboard", "surrogate"}
    without |= {"protocols", "devices", "config", "completion", "latency"}
    assert set(COMMANDS) - without == {words[0] for words in READING.values()}
