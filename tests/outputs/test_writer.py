"""The writer of outputs: what it refuses, and what it leaves when it fails."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

from nasbench import outputs
from nasbench.errors import InputError
from nasbench.outputs import ending_of, output_rules, write_output

TABLE = b"hash,val_acc\nab,0.5\n"


def test_missing_folders_are_made_and_nothing_is_left_beside(tmp_path):
    path = tmp_path / "new" / "a.csv"
    write_output(path, TABLE)
    assert path.read_bytes() == TABLE
    assert os.listdir(path.parent) == ["a.csv"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["a.h5", "a.journal", "a.lock"])
def test_no_results_file_is_replaced_by_its_name(name, force, tmp_path):
    with output_rules((), force), pytest.raises(InputError, match="of results files"):
        write_output(tmp_path / name, TABLE)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n...", b'{"blake2b":"00"}\n'])
@pytest.mark.parametrize("link", [False, True])
def test_no_results_file_is_replaced_under_another_name(content, link, force, tmp_path):
    there = tmp_path / ("real" if link else "a.csv")
    there.write_bytes(content)
    if link:
        (tmp_path / "a.csv").symlink_to(there)
    with output_rules((), force), pytest.raises(InputError, match="results file or a journal"):
        write_output(tmp_path / "a.csv", TABLE)
    assert there.read_bytes() == content


@pytest.mark.parametrize("join", [os.link, os.symlink])
def test_no_input_is_replaced_also_by_another_name(join, tmp_path):
    (tmp_path / "in.csv").write_bytes(TABLE)
    join(tmp_path / "in.csv", tmp_path / "out.csv")
    for name in ("in.csv", "out.csv"):
        with output_rules([str(tmp_path / "in.csv")], force=True), pytest.raises(InputError, match="is the input"):
            write_output(tmp_path / name, TABLE)


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("a.csv", TABLE, b"hash,val_acc\ncd,0.7\n"),
        ("a.jsonl", b'{"a": 1, "b": 2}\n', b'{"a": 3, "b": 4}\n{"a": 5, "b": 6}\n'),
        ("a.json", b'[\n {\n  "hash": "a"}]', b'[\n {\n  "hash": "b"}]'),
        ("a.csv", b"", TABLE),
    ],
)
def test_an_earlier_output_is_replaced(name, before, now, tmp_path):
    (tmp_path / name).write_bytes(before)
    write_output(tmp_path / name, now)
    assert (tmp_path / name).read_bytes() == now


def test_another_file_is_replaced_with_force_only(tmp_path):
    (tmp_path / "a.csv").write_text("my,own,data\n")
    with pytest.raises(InputError, match="--force"):
        write_output(tmp_path / "a.csv", TABLE)
    assert (tmp_path / "a.csv").read_text() == "my,own,data\n"
    with output_rules((), force=True):
        write_output(tmp_path / "a.csv", TABLE)
    assert (tmp_path / "a.csv").read_bytes() == TABLE


def test_a_link_is_refused_and_with_force_replaced_but_not_followed(tmp_path):
    (tmp_path / "theirs").write_bytes(TABLE)
    (tmp_path / "a.csv").symlink_to(tmp_path / "theirs")
    with pytest.raises(InputError, match="is a link"):
        write_output(tmp_path / "a.csv", b"hash,val_acc\n")
    with output_rules((), force=True):
        write_output(tmp_path / "a.csv", b"hash,val_acc\n")
    assert (tmp_path / "theirs").read_bytes() == TABLE
    assert not (tmp_path / "a.csv").is_symlink()


def test_mode_of_a_replaced_file_stays_and_a_new_one_has_the_usual(tmp_path):
    path = tmp_path / "a.csv"
    write_output(path, TABLE)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o600)
    write_output(path, TABLE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("code", "mode"), [(errno.EPERM, 0o755), (None, 0o4755)])
def test_set_user_id_stays_with_its_owner_only(tmp_path, monkeypatch, code, mode):
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE)
    path.chmod(0o4755)
    true = outputs._plain(path)
    monkeypatch.setattr(outputs, "_plain", lambda _: os.stat_result([*true[:4], 12345, 12345, *true[6:]]))
    given = []

    def give(_handle, user, group):
        if code:
            raise OSError(code, os.strerror(code))
        given.append((user, group))

    monkeypatch.setattr(os, "fchown", give)
    write_output(path, TABLE)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert given == ([] if code else [(12345, 12345)])


def test_another_failure_to_give_the_owner_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE)
    true = outputs._plain(path)
    monkeypatch.setattr(outputs, "_plain", lambda _: os.stat_result([*true[:4], 12345, 12345, *true[6:]]))

    def fail(*_words):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fchown", fail)
    with pytest.raises(InputError, match="cannot write"):
        write_output(path, TABLE * 2)
    assert path.read_bytes() == TABLE
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(TABLE)

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_output(tmp_path / "a.csv", TABLE * 2)
    assert (tmp_path / "a.csv").read_bytes() == TABLE
    assert os.listdir(tmp_path) == ["a.csv"]


def test_folders_pipes_and_unknown_endings_are_refused(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(InputError, match="a named pipe"):
        write_output(tmp_path / "a.csv", TABLE)
    with pytest.raises(InputError, match=r"one of \.csv, \.json"):
        ending_of("a.txt", (".csv", ".json"))
    assert ending_of("A.CSV", (".csv",)) == ".csv"


def left_by_a_kill(path):
    """Write an output in a process that is killed before it renames; returns the file that stays."""
    code = (
        "import os, signal, sys\n"
        "from nasbench.outputs import replace_file\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "replace_file(sys.argv[1], b'half')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    (left,) = path.parent.glob(".nasbench-*.writing")
    return left


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    path = tmp_path / f"{'a' * 251}.csv"  # as long as a name can be
    left = left_by_a_kill(path)
    write_output(path, TABLE)
    assert left.exists()  # it is no minute old: another machine may be writing it
    os.utime(left, (0, 0))
    running = left.with_name(left.name.replace(f"-{left.name.split('-')[2]}-", f"-{os.getpid()}-"))
    stranger = tmp_path / ".nasbench-0123456789abcdef.writing"
    linked = left.with_name(f"{left.name[:-9]}{'0' if left.name[-9] != '0' else '1'}.writing")
    for each in (running, stranger):
        each.write_bytes(b"")
        os.utime(each, (0, 0))
    linked.symlink_to(stranger)
    write_output(tmp_path / "b.csv", TABLE)
    assert left.exists()  # of another output
    write_output(path, TABLE)
    assert not left.exists()
    assert running.exists()
    assert stranger.exists()
    assert linked.is_symlink()
    assert path.read_bytes() == TABLE
