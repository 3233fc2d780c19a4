"""Programs that read the output and end early, as `head`, and standard streams that are closed: nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import nasbench
from store_rows import write

from nasbench.store.maintenance.checking import check_file

CLAIMS = Path(__file__).parents[2] / "results" / "claims.h5"
NASBENCH = f"{sys.executable} -m nasbench"
FAULTY = """
from nasbench import Strategy

class Faulty(Strategy):
    def ask(self):
        raise BrokenPipeError(32, "Broken pipe")

    def tell(self, child):
        pass
"""


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120
    )


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


def test_a_status_that_is_watched_ends_with_its_reader(folder: Path) -> None:
    done = shell(f"{NASBENCH} status {CLAIMS} --watch 0.05 | head -n 1", folder)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_take_nothing_away(closed: str, folder: Path) -> None:
    # A file that is opened gets the number of a closed stream: the rows would share it with what is printed.
    assert nasbench("export", "a.h5", "-o", "open.csv", cwd=folder).code == 0
    done = shell(f"{NASBENCH} export a.h5 -o closed.csv {closed}", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "closed.csv").read_bytes() == (folder / "open.csv").read_bytes()
    assert check_file(folder / "a.h5").sound
    assert shell(f"{NASBENCH} query missing.h5 {closed}", folder).returncode == 2


def test_another_pipe_that_breaks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAULTY)
    done = nasbench(
        "bench", "mine.py:Faulty", "--seeds", "2", "--task", "digits201-2", "--against", "none", cwd=tmp_path
    )
    assert (done.code, done.err.count("error: ")) == (2, 1)
    assert "BrokenPipeError: [Errno 32] Broken pipe" in done.err
    assert not (tmp_path / "bench.html").exists()
