"""SIGTERM, SIGHUP and Ctrl-C end every command with one line and code 130, and leave no half output."""

from __future__ import annotations

import os
import signal

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
