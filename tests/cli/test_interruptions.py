"""SIGTERM, SIGHUP and Ctrl-C end every command with one line and code 130, and leave no half output."""

from __future__ import annotations

import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from commands import nasbench
from store_rows import write

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CELLS = "cell,score\n[3 3 1 0 2 1],0.5\n"
IMPORT = ("import", "csv", "in.csv", "--space", "nasbench201", "--map", "architecture=cell", "--map", "val_acc=score")
CALLS = {
    "import": ((*IMPORT, "-o", "out.h5"), "nasbench.tabular.importers.csv_parquet.import_tabular"),
    "merge": (("merge", "a.h5", "-o", "out.h5"), "nasbench.store.packing._fill"),
    "report": (("report", "a.h5", "-o", "out.html"), "nasbench.analysis.report.texts.report_text"),
    "export": (("results", "export", "a.h5", "-o", "out.csv"), "os.replace"),
    "query": (("query", "a.h5", "-o", "out.csv"), "os.fsync"),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize("name", CALLS)
def test_one_line_and_no_half_output(name, number, tmp_path, monkeypatch):
    write(tmp_path / "a.h5", 3)
    (tmp_path / "in.csv").write_text(CELLS)
    words, place = CALLS[name]
    before = [signal.getsignal(each) for each in STOPPING]
    with monkeypatch.context() as patched:
        patched.setattr(place, lambda *_, **__: os.kill(os.getpid(), number))
        done = nasbench(*words, cwd=tmp_path)
    assert (done.code, done.out, done.err.count("\n")) == (130, "", 1)
    assert done.err.startswith("interrupted before its end")
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "in.csv"]
    assert [signal.getsignal(each) for each in STOPPING] == before


def test_a_command_that_says_how_to_go_on_says_it_once(tmp_path, monkeypatch):
    words = ("run", "--space", "nasbench201", "--strategy", "random", "--budget", "2 children", "--executor", "inline")
    words += ("--data", "fake:images=96,size=8,classes=3", "--set", "epochs=1", "-o", "a.h5")
    monkeypatch.setattr(
        "nasbench.runners.executors.inline.InlineExecutor.wait", lambda *_: os.kill(os.getpid(), signal.SIGTERM)
    )
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 130
    assert done.err.count("interrupted") == 1
    assert "interrupted; nothing is lost. Go on with: nasbench resume a.h5" in done.err


MINE = """import numpy, nasbench
class Mine(nasbench.Strategy):
    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.rng = numpy.random.default_rng(seed)
    def ask(self):
        return self.space.random(self.rng)
    def tell(self, outcome):
        pass
"""


def test_the_printed_command_resumes_a_strategy_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "my ideas").mkdir()
    (tmp_path / "my ideas" / "mine.py").write_text(MINE)
    words = ("run", "--space", "nasbench201", "--strategy", "my ideas/mine.py:Mine", "--budget", "2 children")
    words += ("--executor", "inline", "--final", "none", "-o", "my results.h5")
    words += ("--data", "fake:images=96,size=8,classes=3", "--set", "epochs=1")
    with monkeypatch.context() as patched:
        patched.setattr(
            "nasbench.runners.executors.inline.InlineExecutor.wait", lambda *_: os.kill(os.getpid(), signal.SIGINT)
        )
        stopped = nasbench(*words, cwd=tmp_path)
    command = shlex.split(stopped.err.rpartition("Go on with: ")[2])
    assert command == ["nasbench", "resume", "my results.h5", "--strategy", "my ideas/mine.py:Mine"]
    done = nasbench(*command[1:], cwd=tmp_path)
    assert done.code == 0, done.err
    assert "mine.py:Mine" in done.out


def test_a_command_that_goes_on_with_a_changed_strategy_says_so(tmp_path):
    from nasbench.cli.going_on import resume_command
    from nasbench.runners.search.config import SearchConfig, plan_given

    file = tmp_path / "mine.py"
    file.write_text(MINE)
    config = SearchConfig(strategy=f"{file}:Mine", space="nasbench201", budget="2 children")
    plan = plan_given(config)
    command = ["nasbench", "resume", "a.h5", "--strategy", f"{file}:Mine"]
    assert shlex.split(resume_command(Path("a.h5"), [plan, plan])) == command
    other = replace(plan, config=plan.config.model_copy(update={"strategy_digest": "0" * 64}))
    assert shlex.split(resume_command(Path("a.h5"), [other])) == [*command, "--changed-strategy"]


def test_a_forked_process_ends_as_without_a_handler(tmp_path, monkeypatch):
    """Workers of a pool are ended by SIGTERM, which must not be an exception of theirs."""
    codes = []

    def forked(*_, **__):
        process = os.fork()
        if not process:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(7)
        codes.append(os.waitpid(process, 0)[1])
        raise KeyboardInterrupt

    write(tmp_path / "a.h5", 3)
    monkeypatch.setattr("nasbench.analysis.report.texts.report_text", forked)
    assert nasbench("report", "a.h5", cwd=tmp_path).code == 130
    assert [os.WTERMSIG(code) for code in codes] == [signal.SIGTERM]
