"""Programs that read the output and end early, as `head`, and standard streams that are closed: nothing is lost."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from commands import nasbench
from store_rows import write

from nasbench.store.maintenance.checking import check_file

CLAIMS = Path(__file__).parents[2] / "results" / "claims.h5"
NASBENCH = f"{sys.executable} -m nasbench"
STRATEGY = """
import numpy
import nasbench

class Mine(nasbench.Strategy):
    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.rng = numpy.random.default_rng(seed)

    def ask(self):
        {statement}
        return self.space.random(self.rng)

    def tell(self, outcome):
        pass
"""
BENCH = ("bench", "mine.py:Mine", "--seeds", "2", "--task", "digits201-2", "--against", "none")


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # Without PYTHONUNBUFFERED, which may be set here: what is in the buffer meets the closed pipe at the very end.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**inherited, **environment},
    )


def strategy(folder: Path, statement: str) -> None:
    """Write a strategy that executes a statement whenever it is asked."""
    (folder / "mine.py").write_text(STRATEGY.format(statement=statement))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "a.h5", 3)
    write(tmp_path / "b.h5", 2)
    return tmp_path


def test_a_page_with_a_default_name_is_written_without_a_reader(tmp_path: Path) -> None:
    done = nasbench(
        "bench", "random", "--seeds", "2", "--task", "digits201-2", "--against", "none", cwd=tmp_path, unread=True
    )
    assert done.code == 0
    assert "</html>" in (tmp_path / "bench.html").read_text(encoding="utf-8")


def test_both_streams_in_one_pipe(tmp_path: Path) -> None:
    done = shell(f"{NASBENCH} bench random --seeds 2 --task digits201-2 --against none 2>&1 | head -n 1", tmp_path)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    assert (tmp_path / "bench.html").stat().st_size


def test_the_exit_code_is_the_verdict_without_a_reader(folder: Path) -> None:
    assert nasbench("diff", "a.h5", "a.h5", cwd=folder, unread=True).code == 0
    assert nasbench("diff", "a.h5", "b.h5", cwd=folder, unread=True).code == 1
    (folder / "b.h5").write_bytes((folder / "b.h5").read_bytes()[:-200])
    assert nasbench("check", "a.h5", cwd=folder, unread=True).code == 0
    assert nasbench("check", "b.h5", "a.h5", cwd=folder, unread=True).code == 1
    assert nasbench("query", "missing.h5", cwd=folder, unread=True).code == 2


def test_all_files_are_migrated_without_a_reader(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "data-files" / "schema-1.h5"
    for name in ("a.h5", "b.h5"):
        (tmp_path / name).write_bytes(old.read_bytes())
    assert nasbench("migrate", "a.h5", "b.h5", cwd=tmp_path, unread=True).code == 0
    assert len(list(tmp_path.glob("*.schema-*"))) == 2


@pytest.mark.parametrize("command", ["query a.h5 --format csv", "predict --help", "spaces", "data show digits"])
def test_only_the_lines_that_are_read_are_printed(command: str, folder: Path) -> None:
    done = shell(f"{NASBENCH} {command} | head -n 1", folder)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


@pytest.mark.parametrize("reader", ["| head -n 1", ">&-"])
def test_a_status_that_is_watched_ends_with_its_reader(reader: str, folder: Path) -> None:
    done = shell(f"{NASBENCH} status {CLAIMS} --watch 600 {reader}", folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_take_nothing_away(closed: str, folder: Path) -> None:
    # A file that is opened gets the number of a closed stream: the rows would share it with what is printed.
    assert nasbench("export", "a.h5", "-o", "open.csv", cwd=folder).code == 0
    done = shell(f"{NASBENCH} export a.h5 -o closed.csv {closed}", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "closed.csv").read_bytes() == (folder / "open.csv").read_bytes()
    assert check_file(folder / "a.h5").sound
    assert shell(f"{NASBENCH} query missing.h5 {closed}", folder).returncode == 2


@pytest.mark.parametrize("stream", ["1</dev/null", "2</dev/null", "2>/dev/full"])
def test_a_stream_that_cannot_be_written_takes_nothing_away(stream: str, folder: Path) -> None:
    assert shell(f"{NASBENCH} export a.h5 -o a.csv {stream}", folder).returncode == 0
    assert (folder / "a.csv").stat().st_size
    assert shell(f"{NASBENCH} query missing.h5 {stream}", folder).returncode == 2, "not 1, which is a verdict"


def test_output_of_ascii_has_the_same_guard(folder: Path) -> None:
    done = shell(f"{NASBENCH} export a.h5 -o a.csv 2>&1 | true", folder, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "a.csv").stat().st_size


def test_a_terminal_that_goes_away_takes_nothing_away(tmp_path: Path) -> None:
    strategy(tmp_path, "print('asked', flush=True)")
    ours, theirs = pty.openpty()
    ignored = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)"  # as after nohup, or `disown`
    program = f"{ignored}; from nasbench.cli import main; sys.argv = {['nasbench', *BENCH]}; main()"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert os.read(ours, 5)
    os.close(ours)
    assert process.wait(timeout=120) == 0
    assert (tmp_path / "bench.html").stat().st_size


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_strategy_prints_takes_nothing_away(jobs: int, tmp_path: Path) -> None:
    strategy(tmp_path, "print('asked', flush=True)")
    done = shell(f"{NASBENCH} {' '.join(BENCH)} --seeds 12 --jobs {jobs} 2>&1 | head -n 1", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "bench.html").stat().st_size


@pytest.mark.parametrize("reader", ["| true", "> /dev/full"])
def test_text_in_the_buffer_changes_no_exit_code(reader: str, tmp_path: Path) -> None:
    strategy(tmp_path, "print('asked'); raise ValueError('mine')")
    done = shell(f"{NASBENCH} {' '.join(BENCH)} {reader}", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert "ValueError: mine" in done.stderr


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise BrokenPipeError(32, 'Broken pipe')", "BrokenPipeError: [Errno 32] Broken pipe"),
        ("raise type('Mine', (OSError,), {})(32, 'Broken pipe')", "Mine: [Errno 32] Broken pipe"),
        ("raise EOFError('connection closed')", "EOFError: connection closed"),  # the other end of a broken pipe
    ],
)
def test_another_pipe_that_breaks_is_an_error(statement: str, said: str, tmp_path: Path) -> None:
    strategy(tmp_path, statement)
    done = nasbench(*BENCH, cwd=tmp_path)
    assert (done.code, done.err.count("error: "), done.err.count("\n")) == (2, 1, 1)
    assert said in done.err
    assert not (tmp_path / "bench.html").exists()


def test_an_error_is_told_where_its_traceback_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy(tmp_path, "raise ValueError('mine')")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    done = nasbench(*BENCH, cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "ValueError: mine" in done.err
    assert "could not be written" in done.err
