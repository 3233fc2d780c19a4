"""Taking a results file over without the kernel's help: races, takers killed on the way, and owners that wake up again."""

import errno
import json
import multiprocessing
import os
import platform
import random
import select
import signal
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fault_time import deadline
from no_flock import take_flock_away, take_links_away
from store_rows import child, expected, fork_writer, run, stored, write

from nasbench.errors import NasbenchError
from nasbench.store import journal as journals
from nasbench.store import lock as locks
from nasbench.store import packing
from nasbench.store.errors import OwnershipLost, ResultsLocked, StoreError
from nasbench.store.exclusive import Draft, claim_on
from nasbench.store.files import ResultsPaths, write_at
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.lock import ResultsLock
from nasbench.store.maintenance.checking import check_file
from nasbench.store.owner import Owner, read_owner
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

PROCESSES = 8
OLD_S = 0.3


@pytest.fixture
def no_flock(monkeypatch):
    take_flock_away(monkeypatch)


@pytest.fixture
def no_links(monkeypatch):
    take_links_away(monkeypatch)


@pytest.fixture
def quick(monkeypatch):
    """Old after 0.3 s, not 75; watched in steps to fit."""
    monkeypatch.setattr(locks, "OLD_S", OLD_S)
    monkeypatch.setattr(locks, "LOOK_S", OLD_S / 10)
    monkeypatch.setattr(locks, "UNFINISHED_S", OLD_S)


def name_owner(paths, **changes):
    """A lock file of a process that is dead, unless `changes` say otherwise."""
    owner = replace(Owner.me(flock=False), pid=2**22 + 1, process_start="1")
    paths.lock.write_bytes(replace(owner, **changes).text())


def names(folder):
    return sorted(file.name for file in folder.iterdir())


# -- races ---------------------------------------------------------------------------------------------------------------


def contend(paths, rounds, meeting, owners, number):
    """Try in each round, and keep what was got until all have tried."""
    for place in range(rounds):
        meeting.wait(60)
        try:
            lock = ResultsLock(paths)
        except ResultsLocked:
            lock = None
        else:
            owners[place * PROCESSES + number] = 1
        meeting.wait(60)
        if lock is not None:
            lock.confirm()
            lock.release()
        meeting.wait(60)


def owners_of(paths, rounds, prepare):
    """How many processes of eight owned the file in each round, which `prepare` begins."""
    context = multiprocessing.get_context("fork")
    meeting, owners = context.Barrier(PROCESSES + 1), context.Array("b", rounds * PROCESSES)
    processes = [
        context.Process(target=contend, args=(paths, rounds, meeting, owners, number)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for place in range(rounds):
        prepare(place)
        for _ in range(3):
            meeting.wait(60)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    return [sum(owners[place * PROCESSES : (place + 1) * PROCESSES]) for place in range(rounds)]


def before_each(paths):
    """Nothing, a dead owner's lock and an unfinished one in turns, with what killed takers leave beside it."""

    def prepare(place):
        if place % 4 in (1, 2):
            name_owner(paths, token=f"{place:016x}")
        if place % 4 == 2:  # killed between its claim and its takeover
            claim = Draft(paths.lock, lambda _: replace(Owner.me(), pid=2**22 + 2).text(), "0" * 16)
            assert claim.put(claim_name(paths))
            claim.close()
        if place % 4 == 3:
            paths.lock.write_bytes(b"")

    return prepare


def claim_name(paths):
    return claim_on(paths.lock, paths.lock.read_bytes())


@pytest.mark.slow
def test_of_eight_processes_one_owns_the_file_in_each_of_two_hundred_rounds(tmp_path, monkeypatch, no_flock):
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.02)
    paths = ResultsPaths.of(tmp_path / "x.h5")
    assert owners_of(paths, 200, before_each(paths)) == [1] * 200
    assert names(tmp_path) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize("flock", [True, False])
def test_the_same_where_there_are_no_hard_links(tmp_path, monkeypatch, no_links, flock):
    if not flock:
        take_flock_away(monkeypatch)
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.05)
    paths = ResultsPaths.of(tmp_path / "x.h5")
    assert owners_of(paths, 50, before_each(paths)) == [1] * 50
    assert names(tmp_path) == []


@pytest.mark.slow
def test_the_same_where_flock_works_and_a_dead_owner_is_of_either_kind(tmp_path):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    assert owners_of(paths, 50, before_each(paths)) == [1] * 50
    assert names(tmp_path) == []


STEPS = ("open", "pwrite", "fsync", "link", "replace", "unlink")
REAL = {name: getattr(os, name) for name in STEPS}


@contextmanager
def counted_steps(patch, at):
    """Call `at(number, (name, arguments...))` before each system call of `STEPS`, numbered from 0."""
    number = 0

    def before(name, call):
        def step(*arguments, **options):
            nonlocal number
            number += 1
            at(number - 1, (name, *arguments))
            return call(*arguments, **options)

        return step

    with patch.context() as within:
        for name in STEPS:
            within.setattr(os, name, before(name, getattr(os, name)))
        yield lambda: number


def error_of(work):
    """What `work` raises as an error of the store, '' for nothing."""
    try:
        work()
    except StoreError as error:
        return str(error)
    return ""


def in_a_fork(work):
    """Run `work` in a forked process; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("links", [True, False])
def test_a_taker_killed_at_any_step_leaves_a_file_that_the_next_one_gets(tmp_path, monkeypatch, no_flock, quick, links):
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.02)
    if not links:
        take_links_away(monkeypatch)
    paths = ResultsPaths.of(tmp_path / "x.h5")
    killed = 0
    for step in range(100):
        name_owner(paths)

        def die_there(number, _, step=step):
            if number == step:
                os.kill(os.getpid(), signal.SIGKILL)

        def take(die_there=die_there):
            with counted_steps(monkeypatch, die_there):
                ResultsLock(paths).release()

        if in_a_fork(take) == 0:
            break
        killed += 1
        ResultsLock(paths).release()
        assert names(tmp_path) == []
    assert 12 < killed < 99


@pytest.mark.parametrize("links", [True, False])
def test_a_text_that_is_there_already_was_put_there(tmp_path, monkeypatch, links):
    """As when NFS repeats a request whose answer was lost, or another process moved this one's claim to the name."""
    if not links:
        take_links_away(monkeypatch)
    name = tmp_path / "x.lock"
    mine, other = (
        Draft(name, lambda _, text=text: text, digits * 16) for text, digits in ((b"mine", "1"), (b"other", "2"))
    )
    assert mine.put(name)
    assert mine.put(name)
    assert not other.put(name)
    for draft in (mine, other):
        draft.drop()
        draft.close()
    assert names(tmp_path) == ["x.lock"]
    assert name.read_bytes() == b"mine"


def try_and_stay(paths):
    """Another process tries to get the lock, and lives on; its pid and whether it got it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = error_of(lambda: ResultsLock(paths))
        os.write(writing, b"0" if said else b"1")
        signal.pause()
    got = os.read(reading, 1) == b"1"
    os.close(reading)
    os.close(writing)
    return pid, got


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("before", ["nothing", "a dead owner's lock", "an unfinished lock"])
@pytest.mark.parametrize("kind", ["links", "flock", "neither", "flock and links"])
def test_of_two_takers_one_gets_it_whenever_the_second_comes(tmp_path, monkeypatch, kind, before):
    """The second tries as a whole before each system call of the first."""
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.01)
    monkeypatch.setattr(locks, "ATTEMPTS", 4)
    if "flock" not in kind:
        take_flock_away(monkeypatch)
    if "links" not in kind:
        take_links_away(monkeypatch)
    paths, seconds = ResultsPaths.of(tmp_path / "x.h5"), 0

    def prepare():
        if before == "a dead owner's lock":
            name_owner(paths)
        elif before != "nothing":
            paths.lock.write_bytes(b"")

    prepare()
    with counted_steps(monkeypatch, lambda *_: None) as steps:
        ResultsLock(paths).release()
        count = steps()
    for step in range(count):
        prepare()
        others = []

        def come_there(number, _, step=step, others=others):
            if number == step:
                others.append(try_and_stay(paths))

        owned = []
        try:
            with counted_steps(monkeypatch, come_there):
                refused = error_of(lambda owned=owned: owned.append(ResultsLock(paths)))
        finally:
            for pid, _ in others:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        assert len(owned) + sum(got for _, got in others) == 1, (step, others, refused)
        assert not refused or "is being written by pid" in refused, step
        seconds += sum(got for _, got in others)
        for lock in owned:
            lock.release()
        ResultsLock(paths).release()
        assert names(tmp_path) == [], step
    assert 0 < seconds < count


@pytest.mark.parametrize("before", ["nothing", "a dead owner's lock"])
def test_a_call_that_fails_on_the_way_leaves_no_lock_and_no_draft(tmp_path, monkeypatch, no_flock, before):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    failed = 0
    for step in range(100):
        if before != "nothing":
            name_owner(paths)
        there = paths.lock.read_bytes() if paths.lock.exists() else None

        def fail_there(number, _, step=step):
            if number == step:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        with counted_steps(monkeypatch, fail_there) as steps:
            said = error_of(lambda: ResultsLock(paths).release())
            count = steps()
        failed += bool(said)
        assert not said or str(paths.lock) in said
        if step >= count:
            break
        left = [name for name in names(tmp_path) if name != "x.lock"]
        assert len(left) <= 1, step  # where it is the removal that failed
        if paths.lock.exists():
            assert paths.lock.read_bytes() == there or read_owner(paths.lock).pid == os.getpid(), step
        ResultsLock(paths).release()
        assert names(tmp_path) == [], step
    assert failed > 5


# -- who may be taken for dead ---------------------------------------------------------------------------------------------


def test_an_owner_of_another_host_is_taken_over_when_its_heartbeat_stood_still(tmp_path, no_flock, quick, caplog):
    path = tmp_path / "x.h5"
    write(path, 3)
    name_owner(ResultsPaths.of(path), host="elsewhere")
    with pytest.raises(
        ResultsLocked, match=r"pid 4194305 on host elsewhere since .*: if it is gone, run this again with --take-over"
    ):
        ResultsWriter(path)
    began = time.monotonic()
    with ResultsWriter(path, take_over=True) as writer:
        assert time.monotonic() - began >= OLD_S
        assert "x.h5: watching for 0 s whether pid 4194305 on host elsewhere" in caplog.text
        writer.append_child(*child(3))
    assert stored(path) == expected(4)
    assert names(tmp_path) == ["x.h5"]


@contextmanager
def heartbeat(path, every):
    """Another process that rewrites a lock file's bytes as an owner's thread does."""
    pid = os.fork()
    if pid == 0:
        handle = os.open(path, os.O_RDWR)
        while True:
            os.pwrite(handle, os.pread(handle, 4096, 0), 0)
            time.sleep(every)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "changes",
    [{"host": "elsewhere"}, {"pid_namespace": "pid:[1]"}, {"boot": "another"}],
    ids=lambda changes: next(iter(changes)),
)
def test_an_owner_whose_heartbeat_moves_is_not_taken_over(tmp_path, no_flock, quick, changes):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    name_owner(paths, **changes)
    before = paths.lock.read_bytes()
    with (
        heartbeat(paths.lock, OLD_S / 5),
        pytest.raises(ResultsLocked, match=r"its heartbeat moved within .* so it is alive"),
    ):
        ResultsLock(paths, take_over=True)
    assert paths.lock.read_bytes() == before
    assert names(tmp_path) == ["x.lock"]


def test_clocks_of_other_hosts_do_not_matter(tmp_path, no_flock, quick):
    """An owner whose clock is a day behind, or ahead, is watched all the same."""
    paths = ResultsPaths.of(tmp_path / "x.h5")
    for hours in (-24, 24):
        name_owner(paths, host="elsewhere")
        then = time.time() + 3600 * hours
        os.utime(paths.lock, (then, then))
        began = time.monotonic()
        ResultsLock(paths, take_over=True).release()
        assert time.monotonic() - began >= OLD_S


def test_a_reboot_ends_an_owner_without_being_asked(tmp_path, no_flock, quick):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    for age, waits in ((0.0, True), (3600.0, False)):
        name_owner(paths, boot="another", pid=os.getppid(), process_start="")
        then = time.time() - age
        os.utime(paths.lock, (then, then))
        began = time.monotonic()
        lock = ResultsLock(paths)
        assert (time.monotonic() - began > OLD_S * 0.8) == waits
        assert lock.previous_may_live
        lock.release()


def test_a_pid_of_another_container_says_nothing(tmp_path, no_flock, quick):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    name_owner(paths, pid_namespace="pid:[1]")
    with pytest.raises(ResultsLocked, match=r"that is another container.*run this again with --take-over"):
        ResultsLock(paths)
    ResultsLock(paths, take_over=True).release()


def test_where_flock_works_a_container_that_was_started_again_goes_on_at_once(tmp_path):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    name_owner(paths, pid_namespace="pid:[1]", flock=True)
    ResultsLock(paths).release()


def test_a_taker_of_another_host_that_died_over_its_claim_is_named_and_taken_over(
    tmp_path, monkeypatch, no_flock, quick
):
    monkeypatch.setattr(locks, "ATTEMPTS", 10)
    paths = ResultsPaths.of(tmp_path / "x.h5")
    name_owner(paths)
    taker = replace(Owner.me(), host="elsewhere", pid=17)
    claim_name(paths).write_bytes(taker.text())
    with pytest.raises(
        ResultsLocked, match=r"by pid 17 on host elsewhere .*: if it is gone, run this again with --take-over"
    ):
        ResultsLock(paths)
    ResultsLock(paths, take_over=True).release()
    assert names(tmp_path) == []


def test_a_living_process_of_this_host_is_never_taken_over(tmp_path, no_flock, quick):
    paths = ResultsPaths.of(tmp_path / "x.h5")
    lock = ResultsLock(paths)
    with pytest.raises(ResultsLocked, match=f"by pid {os.getpid()} on host"):
        ResultsLock(paths, take_over=True)
    lock.confirm()
    assert in_a_fork(lambda: refused(paths)) == 0
    lock.release()


def refused(paths):
    try:
        ResultsLock(paths, take_over=True)
    except ResultsLocked:
        return
    os._exit(1)


def test_lock_files_of_earlier_and_of_later_versions_are_read(tmp_path):
    path = tmp_path / "x.lock"
    earlier = {"pid": 1, "host": "a", "process_start": "", "since": "2026-01-01T00:00:00Z"}
    path.write_text(json.dumps(earlier))
    assert read_owner(path) == Owner(1, "a", "", "2026-01-01T00:00:00Z", "", "", "", True)
    path.write_text(json.dumps(earlier | {"flock": False, "colour": "red"}))
    assert read_owner(path) == Owner(1, "a", "", "2026-01-01T00:00:00Z", flock=False)
    for text in ("3", "[]", '{"pid": 3}', ""):
        path.write_text(text)
        assert read_owner(path) is None


# -- the heartbeat ---------------------------------------------------------------------------------------------------------


def test_a_heartbeat_moves_the_files_time_and_never_its_text(tmp_path, monkeypatch, no_flock):
    monkeypatch.setattr(locks, "BEAT_S", 0.05)
    paths = ResultsPaths.of(tmp_path / "x.h5")
    lock = ResultsLock(paths)
    text, times = paths.lock.read_bytes(), set()
    until = time.monotonic() + 5
    while len(times) < 4 and time.monotonic() < until:
        times.add(paths.lock.stat().st_mtime_ns)
        assert paths.lock.read_bytes() == text
    assert len(times) == 4
    lock.release()
    assert names(tmp_path) == []


def test_a_heartbeat_that_fails_is_said_once_and_tried_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "BEAT_S", 0.02)
    paths = ResultsPaths.of(tmp_path / "x.h5")
    tried, real = [], locks.write_at

    def fail(*arguments):
        tried.append(arguments)
        if len(tried) < 5:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(*arguments)

    lock = ResultsLock(paths)
    monkeypatch.setattr(locks, "write_at", fail)
    until = time.monotonic() + 5
    while len(tried) < 7 and time.monotonic() < until:
        time.sleep(0.01)
    lock.release()
    assert len(tried) >= 7
    said = [record.getMessage() for record in caplog.records if str(paths.lock) in record.getMessage()]
    assert sum("the heartbeat failed" in text for text in said) == 1


# -- the old owner wakes up ------------------------------------------------------------------------------------------------


def append_after(path, happening):
    """Append a row, let something happen to the lock file, and append another."""
    with ResultsWriter(path) as writer:
        writer.append_child(*child(0))
        happening(path.with_suffix(".lock"))
        writer.append_child(*child(1))


def test_an_owner_that_lost_the_file_stops_in_one_line(tmp_path, no_flock, caplog):
    path, other = tmp_path / "x.h5", replace(Owner.me(), pid=7, host="elsewhere")
    with pytest.raises(OwnershipLost) as stopped:
        append_after(path, lambda lock: lock.write_bytes(other.text()))
    said = f"x.h5 was taken over by pid 7 on host elsewhere since {other.since} while this process stood still"
    assert said in str(stopped.value)
    assert "\n" not in str(stopped.value)
    assert caplog.text == ""
    assert read_owner(path.with_suffix(".lock")) == other  # the lock is not its own to remove
    assert stored(path) == expected(1)


def test_an_owner_whose_lock_was_removed_stops(tmp_path):
    path = tmp_path / "x.h5"
    with pytest.raises(OwnershipLost, match=r"x\.lock was removed while this process was writing .*x\.h5"):
        append_after(path, Path.unlink)
    assert stored(path) == expected(1)


def test_an_owner_whose_lock_was_replaced_by_a_copy_stops(tmp_path):
    """A copy has no flock and no heartbeat: others could take the file."""
    path, aside = tmp_path / "x.h5", tmp_path / "aside"

    def copied(lock):
        aside.write_bytes(lock.read_bytes())
        os.replace(aside, lock)

    with pytest.raises(OwnershipLost, match=r"x\.lock was removed while this process was writing .*x\.h5"):
        append_after(path, copied)
    assert stored(path) == expected(1)


def test_a_row_that_an_owner_without_lock_still_writes_covers_none_of_the_next_owner(tmp_path, monkeypatch):
    """The first owner stands still between its look at the lock and its write; meanwhile the lock is removed."""
    path, others = tmp_path / "x.h5", []

    def late(handle, data, offset):
        monkeypatch.setattr(journals, "write_at", write_at)
        path.with_suffix(".lock").unlink()
        others.append(ResultsWriter(path))
        others[0].append_child(*child(1, run="new"))
        write_at(handle, data, offset)

    first = ResultsWriter(path)
    first.append_child(*child(0))
    monkeypatch.setattr(journals, "write_at", late)
    with pytest.raises(OwnershipLost, match="was taken over by pid"):
        first.append_child(*child(1))
    others[0].append_child(*child(2, run="new"))
    others[0].close()
    with pytest.raises(OwnershipLost):
        first.close()
    with Results(path) as results:
        rows = results.frame(["run", "index"]).to_dict("list")
    assert rows == {"run": ["run0", "new", "new"], "index": [0, 1, 2]}


def take_and_append(path, patch, rows, pack_bytes=1 << 20, dies=False):
    """On a host of another name: take the file over, append rows of the run "new", and end or die."""
    with patch.context() as within:
        for name in set(STEPS) - {"fsync"}:
            within.setattr(os, name, REAL[name])
        within.setattr(platform, "node", lambda: "elsewhere")
        with ResultsWriter(path, pack_bytes, take_over=True) as writer:
            for number in range(rows):
                writer.append_child(*child(number, run="new"))
            if dies:
                os._exit(0)


def append_and_pack(path, acknowledged):
    """Append, pack and append again, as a search does."""
    with ResultsWriter(path) as writer:
        for number in range(4):
            if number == 3:
                writer.pack()
            writer.append_child(*child(number, run="old"))
            acknowledged.append(number)


def with_runs(path):
    with ResultsWriter(path) as writer:
        writer.put_run(run("old"))
        writer.put_run(run("new"))
    return path


def rows_by_run(path):
    with Results(path) as results:
        return {name: [row["index"] for row in results.children_of(name)] for name in ("old", "new")}


def file_of(call):
    """Which of the files a call is about, e.g. ".journal"; for a temporary name of the lock its digits."""
    what = call[1]
    return Path(os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else what).suffix


def sleep_before(step, folder, patch, dies=False):
    """The old owner sleeps before a system call while another process takes the file over, appends and ends; then it wakes up.

    Returns:
        How it ended for the old owner ("none": it did not notice), which call it was, and all calls.
    """
    path = with_runs(folder / "x.h5")
    acknowledged, slept, calls, end = [], [], [], "none"

    def sleep_there(number, call):
        calls.append((call[0], file_of(call)))
        if number == step and path.with_suffix(".lock").exists():
            assert in_a_fork(lambda: take_and_append(path, patch, 2, dies=dies)) == 0
            slept.append(calls[-1])

    with counted_steps(patch, sleep_there):
        try:
            append_and_pack(path, acknowledged)
        except NasbenchError as error:
            end = "lost" if isinstance(error, OwnershipLost) else str(error)
    rows = rows_by_run(path)
    # Between a look at the lock and the removal of the journal there is nothing; see the docstring of `lock`.
    if slept != [("unlink", ".journal")]:
        assert check_file(path).sound, slept
        assert rows["new"] == [0, 1][: 2 * len(slept)], slept
        assert rows["old"][: len(acknowledged)] == acknowledged, slept
        assert len(rows["old"]) <= len(acknowledged) + 1, slept
    return end, slept, calls


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_a_takeover_in_the_middle_of_an_append_or_a_pack_loses_no_row(tmp_path, monkeypatch, no_flock, quick, dies):
    monkeypatch.setattr(locks, "OLD_S", 0.02)
    _, _, calls = sleep_before(-1, tmp_path / "none", monkeypatch)
    kinds = [
        ("pwrite", ".journal"),
        ("fsync", ".journal"),
        ("replace", ".packing"),
        ("open", ".beginning"),
        ("open", ".journal"),
    ]
    for number, kind in enumerate(kinds):
        places = [place for place, call in enumerate(calls) if call == kind]
        step = places[min(2, len(places) - 1)]  # of the second append: before its line, and before that is on the disk
        end, slept, _ = sleep_before(step, tmp_path / str(number), monkeypatch, dies)
        assert (end, slept) == ("lost", [kind])


def pack_while(path, happening):
    """Append and pack; before the packed file takes the old one's place, or just after, another process takes the file over."""
    with ResultsWriter(path) as writer:
        writer.append_child(*child(3))
        happening()
        writer.pack()


def test_a_pack_does_not_replace_the_file_of_a_new_owner(tmp_path, monkeypatch):
    path, other = tmp_path / "x.h5", replace(Owner.me(), pid=7, host="elsewhere")
    write(path, 3)
    before = path.read_bytes()

    def take():
        monkeypatch.setattr(PackedFile, "verify", lambda _: path.with_suffix(".lock").write_bytes(other.text()))

    with pytest.raises(OwnershipLost):
        pack_while(path, take)
    assert path.read_bytes().startswith(before)  # and the mark of its journal behind that
    assert path.with_suffix(".h5.packing").exists()  # by now that of the new owner
    assert stored(path) == expected(4)


def test_a_pack_does_not_remove_the_journal_of_a_new_owner(tmp_path, monkeypatch):
    path, other = tmp_path / "x.h5", replace(Owner.me(), pid=7, host="elsewhere")
    write(path, 3)
    real = packing.sync_folder

    def sync(folder):
        path.with_suffix(".lock").write_bytes(other.text())
        real(folder)

    with pytest.raises(OwnershipLost):
        pack_while(path, lambda: monkeypatch.setattr(packing, "sync_folder", sync))
    assert path.with_suffix(".journal").exists()
    assert stored(path) == expected(4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_takeover_before_any_step_of_the_old_owner_loses_no_row(tmp_path, monkeypatch, no_flock, quick):
    monkeypatch.setattr(locks, "OLD_S", 0.02)
    _, _, calls = sleep_before(-1, tmp_path / "none", monkeypatch)
    ends, until, steps = Counter(), deadline("takeovers"), list(range(len(calls)))
    random.Random(0).shuffle(steps)  # wherever the time ends, a sample
    for step in steps:
        if time.monotonic() > until:
            break
        end, slept, _ = sleep_before(step, tmp_path / str(step), monkeypatch, dies=step % 2 == 1)
        ends[end.replace(str(tmp_path / str(step)), ""), str(slept)] += 1
    tried = sum(ends.values())
    print(f"\n{tried} of {len(calls)} steps: {ends}")
    assert {end for end, _ in ends} <= {"lost", "none"}
    assert tried < len(calls) or sum(number for (end, _), number in ends.items() if end == "lost") > 40


def append_slowly(path, acknowledged, gave_up):
    """Append one row after the other, for ever, and pack now and then; a byte for each that was acknowledged, and the last words."""
    number = 0
    try:
        with ResultsWriter(path, pack_bytes=4000) as writer:
            while True:
                writer.append_child(*child(number, run="old"))
                number += 1
                os.write(acknowledged, b".")
    except NasbenchError as error:
        os.write(gave_up, f"{type(error).__name__}: {error}".encode())
        os._exit(2)


@pytest.mark.slow
@pytest.mark.parametrize("turns", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_an_owner_that_was_stopped_and_goes_on_loses_no_row_and_tears_none(
    tmp_path, monkeypatch, no_flock, quick, turns
):
    """SIGSTOP at a random moment for longer than a heartbeat, another host takes over and appends, SIGCONT."""
    monkeypatch.setattr(locks, "BEAT_S", OLD_S / 10)
    rng = random.Random(turns)
    for turn in range(turns):
        path = with_runs(tmp_path / str(turn) / "x.h5")
        (reading, acknowledged), (words, gave_up) = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            append_slowly(path, acknowledged, gave_up)
        os.close(acknowledged)
        os.close(gave_up)
        os.read(reading, 1)
        time.sleep(rng.random() * 0.3)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        assert in_a_fork(lambda path=path: take_and_append(path, monkeypatch, 50, 4000)) == 0
        os.kill(pid, signal.SIGCONT)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
        count = 1
        while data := os.read(reading, 1 << 16):
            count += len(data)
        said = os.read(words, 1 << 16).decode()
        os.close(reading)
        os.close(words)
        assert said.startswith("OwnershipLost: "), said
        assert "was taken over by" in said or "was removed" in said
        assert check_file(path).sound
        rows = rows_by_run(path)
        assert rows["new"] == list(range(50))
        assert rows["old"][:count] == list(range(count))  # all that were acknowledged
        assert len(rows["old"]) <= count + 1


@pytest.mark.slow
@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_without_flock_lose_nothing(tmp_path, monkeypatch, no_flock, kills):
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.1)
    path, rng, acknowledged = tmp_path / "x.h5", random.Random(kills), 0
    for _ in range(kills):
        pid, pipe = fork_writer(path, pack_bytes=20_000)
        for _ in range(rng.randrange(1, 20)):
            acknowledged += len(os.read(pipe, 1))
        time.sleep(rng.random() ** 2 * 0.1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while select.select([pipe], [], [], 0)[0] and (data := os.read(pipe, 1 << 16)):
            acknowledged += len(data)
        os.close(pipe)
        rows = stored(path)
        assert acknowledged <= len(rows) <= acknowledged + 1
        acknowledged = len(rows)
    with ResultsWriter(path):
        pass
    assert stored(path) == expected(acknowledged)
    assert names(tmp_path) == ["x.h5"]


def test_a_folder_that_cannot_be_synced_is_no_error_and_a_failing_disk_is(tmp_path, monkeypatch):
    path, real, code = tmp_path / "x.h5", os.fsync, errno.EINVAL

    def fsync(handle):
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(code, os.strerror(code))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write(path, 3)
    assert stored(path) == expected(3)
    code = errno.EIO
    with pytest.raises(StoreError, match="Input/output error"):
        ResultsWriter(path)
