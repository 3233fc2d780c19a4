"""Whole commands on a file system without locks: run, killed and resumed, taken over, imported, and everything that reads.

The locks of libc are taken away from the whole process by a preloaded library, tests/support/no_flock.c, so HDF5's own count as well.
"""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from no_flock import built_library, environment
from searching import stable_rows

from nasbench.store.owner import Owner, read_owner

MAIN = "from nasbench.cli import main; main()"
QUICK = "import nasbench.store.lock as lock; lock.OLD_S, lock.LOOK_S, lock.BEAT_S = 1.0, 0.1, 0.1; "
READ = """
import sys
sys.path.insert(0, sys.argv[1])
from commands import nasbench
for words in (
    "check x.h5", "query x.h5 --head 2", "status x.h5", "export x.h5 -o x.csv", "diff x.h5 x.h5", "compare x.h5", "pareto x.h5",
    "report x.h5 --format md", "checklist x.h5", "cost x.h5", "curves x.h5 -o curves",
):
    done = nasbench(*words.split())
    assert done.code == 0, (words, done)
"""


@dataclass(frozen=True)
class System:
    """Commands on a file system without locks."""

    folder: Path
    environment: dict[str, str]
    log: Path

    def start(self, *words, code=MAIN):
        return subprocess.Popen(
            [sys.executable, "-c", code, *words],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def nasbench(self, *words, code=MAIN):
        process = self.start(*words, code=code)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    def asked(self):
        """Files in the folder that were to be locked since the last call."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.removeprefix(f"{self.folder}/") for line in lines if line.startswith(f"{self.folder}/")]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return built_library(tmp_path_factory.mktemp("library"))


@pytest.fixture
def make_system(tmp_path, library):
    def make(code, links=True):
        folder = tmp_path / "here"
        folder.mkdir()
        return System(folder, environment(library, code, tmp_path / "log", links), tmp_path / "log")

    return make


def search(output, children=6):
    space = "--space nasnet:blocks=1 --strategy random --data fake:images=96,size=8,classes=3"
    protocol = "--set epochs=1 --set filters=4 --set validation=0.5"
    return ["run", *space.split(), *protocol.split(), "--budget", f"{children} children", "-o", output]


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def rows_in(journal):
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def kill_after(process, journal, lines):
    until = time.monotonic() + 120
    while rows_in(journal) < lines and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "links"),
    [(errno.ENOSYS, True), (errno.ENOLCK, True), (errno.EOPNOTSUPP, False)],
    ids=["ENOSYS", "ENOLCK", "no links"],
)
def test_a_run_is_killed_resumed_and_read(make_system, tmp_path, code, links):
    system = make_system(code, links)
    process = system.start(*search("x.h5"))
    kill_after(process, system.folder / "x.journal", 5)
    owner = read_owner(system.folder / "x.lock")
    assert (owner.pid, owner.flock) == (process.pid, False)
    code, _, err = system.nasbench("resume", "x.h5")
    assert code == 0, err
    assert names(system.folder) == ["x.h5"]
    assert system.asked()  # the library was there
    code, _, err = system.nasbench(str(Path(__file__).parents[1] / "support"), code=READ)
    assert code == 0, err
    assert system.asked() == []  # who reads asks for no lock
    assert "x.lock" not in names(system.folder)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *search("whole.h5")], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert stable_rows(system.folder / "x.h5") == stable_rows(tmp_path / "whole.h5")


CELL = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"


def import_of_a_table(folder):
    (folder / "t.csv").write_text(f"cell,acc\n{CELL},0.9\n")
    columns = "--map architecture=cell --map val_acc=acc --set data=d --set protocol=p"
    return ["import", "csv", "t.csv", "-o", "x.h5", "--space", "nasbench201", *columns.split()]


@pytest.mark.slow
def test_an_import_is_written_read_and_merged(make_system):
    system = make_system(errno.ENOTSUP)
    code, out, err = system.nasbench(*import_of_a_table(system.folder))
    assert (code, err) == (0, "")
    assert "x.h5: 1 child (1 search) of 1 run" in out
    assert all(re.fullmatch(r"x\.lock\.[0-9a-f]{16}", name) for name in system.asked())
    assert names(system.folder) == ["t.csv", "x.h5"]
    code, out, err = system.nasbench("merge", "x.h5", "-o", "y.h5")
    assert (code, err) == (0, "")
    asked = system.asked()
    assert asked
    assert all(re.fullmatch(r"y\.lock\.[0-9a-f]{16}", name) for name in asked)  # only the draft of its own lock
    assert names(system.folder) == ["t.csv", "x.h5", "y.h5"]
    for words in ("check x.h5 y.h5", "query y.h5", "migrate x.h5", "repair x.h5"):
        code, _, err = system.nasbench(*words.split())
        assert (code, err) == (0, ""), words
    assert names(system.folder) == ["t.csv", "x.h5", "y.h5"]


@pytest.mark.slow
def test_another_hosts_file_is_taken_over_by_the_option_alone_and_the_error_says_so(make_system):
    system = make_system(errno.ENOSYS)
    words = import_of_a_table(system.folder)
    other = replace(Owner.me(flock=False), host="node17", pid=4242, since="2026-01-02T03:04:05Z")
    (system.folder / "x.lock").write_bytes(other.text())
    code, out, err = system.nasbench(*words)
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"error: x\.h5 is being written by pid 4242 on host node17 since 2026-01-02T03:04:05Z; this host is \S+ and cannot tell whether "
        r"that process lives: if it is gone, run this again with --take-over, which watches its heartbeat for 75 s first\n",
        err,
    )
    assert names(system.folder) == ["t.csv", "x.lock"]
    code, _, err = system.nasbench(*words, "--take-over", code=QUICK + MAIN)
    assert code == 0, err
    assert (
        err == "warning: x.h5: watching for 1 s whether pid 4242 on host node17 since 2026-01-02T03:04:05Z is alive\n"
    )
    assert names(system.folder) == ["t.csv", "x.h5"]


@pytest.mark.slow
def test_a_search_that_was_stopped_and_taken_over_ends_in_one_line_when_it_goes_on(make_system):
    """As on a cluster: a node hangs, the search goes on on another one, and the node wakes up."""
    system = make_system(errno.ENOSYS)
    process = system.start(*search("x.h5", children=400), code=QUICK + MAIN)
    until = time.monotonic() + 120
    while rows_in(system.folder / "x.journal") < 8 and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGSTOP)
    kept = rows_in(system.folder / "x.journal")
    elsewhere = "import platform; platform.node = lambda: 'elsewhere'; "
    resumed = system.start("resume", "x.h5", "--take-over", code=elsewhere + QUICK + MAIN)
    while rows_in(system.folder / "x.journal") < kept + 4 and resumed.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert resumed.poll() is None, resumed.communicate()
    os.killpg(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    last = [line for line in err.splitlines() if not re.match(r"^\S+ seed|^\d+ children|^\s*$", line)]
    assert [line for line in last if "error:" in line] == last[-1:], err
    assert re.match(
        r"error: x\.h5 was taken over by pid \d+ on host elsewhere since \S+ while this process stood still", last[-1]
    )
    resumed.send_signal(signal.SIGINT)
    _, err = resumed.communicate(timeout=60)
    assert "interrupted; nothing is lost" in err
    code, out, _ = system.nasbench("check", "x.h5")
    assert code == 0, out
    code, out, _ = system.nasbench("status", "x.h5", "--format", "json")
    run = json.loads(out)["runs"][0]
    assert run["children"] >= kept  # of the old owner's lines, three are no children; of the new owner's, one
    assert names(system.folder) == ["x.h5"]
