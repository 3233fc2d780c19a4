"""What no writer puts under a lock file's name: texts with odd values, and what is no file at all."""

import json
import os
import signal
import socket

import pytest

from nasbench.store import lock as locks
from nasbench.store.errors import NotALock, OwnershipLost
from nasbench.store.owner import Owner, read_owner
from nasbench.store.writer import ResultsWriter

GOOD = {"pid": 7, "host": "here", "process_start": "1", "since": "2026-01-01T00:00:00Z"}
ODD = [
    *({"pid": pid} for pid in (True, 7.0, "7", None, 0, -1, 2**31, 10**20, [7])),
    *({"host": host} for host in (3, None, ["here"], "two\nlines", "\ud800")),
    {"process_start": 1},
    {"since": {}},
    {"token": ["a"]},
    {"boot": 0},
    {"pid_namespace": None},
    {"flock": 1},
]


@pytest.fixture(autouse=True)
def no_hang():
    """End a test that waits for a pipe's other end."""
    signal.alarm(60)
    yield
    signal.alarm(0)


def test_what_an_owner_writes_is_read():
    me = Owner.me()
    assert Owner.parse(me.text()) == me
    assert Owner.parse(json.dumps(GOOD | {"later": [1]}).encode()) == Owner(**GOOD)


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_field_with_a_value_that_no_owner_writes_is_unreadable(odd):
    assert Owner.parse(json.dumps(GOOD | odd).encode()) is None


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_unreadable(name):
    assert Owner.parse(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()) is None


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000, b"[]", b"[1]", b'"pid"', b"7", b"null", b"\xff\xfe", b"1" * 5000]
)
def test_a_text_that_is_no_dictionary_is_unreadable(text):
    assert Owner.parse(text) is None


@pytest.mark.parametrize("odd", [{"pid": -1}, {"pid": 10**20}, {"token": ["a"]}, {"host": 3}], ids=str)
def test_a_lock_with_an_odd_value_is_taken_over(tmp_path, monkeypatch, odd):
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.1)
    (tmp_path / "x.lock").write_text(json.dumps(GOOD | odd))
    ResultsWriter(tmp_path / "x.h5").close()
    assert not (tmp_path / "x.lock").exists()


def _socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_FILES = {
    "named pipe": os.mkfifo,
    "socket": _socket,
    "folder": os.mkdir,
    "device": lambda path: path.symlink_to("/dev/null"),
    "leads nowhere": lambda path: path.symlink_to(path.with_name("gone")),
    "symbolic link": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused_in_one_line_and_nothing_is_left(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    lock = tmp_path / "x.lock"
    NO_FILES[kind](lock.relative_to(tmp_path) if kind == "socket" else lock)
    with pytest.raises(NotALock, match=kind) as refused:
        ResultsWriter(tmp_path / "x.h5")
    assert str(refused.value).startswith(f"{lock} is a ")
    assert "remove it" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.lock"]
    with pytest.raises(NotALock):
        read_owner(lock)


def test_a_symbolic_link_to_a_file_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.1)
    (tmp_path / "other").write_text("kept")
    (tmp_path / "x.lock").symlink_to(tmp_path / "other")
    ResultsWriter(tmp_path / "x.h5").close()
    assert not (tmp_path / "x.lock").is_symlink()
    assert (tmp_path / "other").read_text() == "kept"


def test_a_pipe_in_the_lock_files_place_ends_the_writer(tmp_path):
    lock = locks.ResultsLock(locks.ResultsPaths(tmp_path / "x.h5"))
    lock.paths.lock.unlink()
    os.mkfifo(lock.paths.lock)
    try:
        with pytest.raises(OwnershipLost, match=r"x\.lock is a named pipe.*remove it.*nasbench resume"):
            lock.confirm()
    finally:
        with pytest.raises(NotALock):
            lock.release()
