"""Files that the store makes beside a results file: no planted link is followed, and mode and owner are kept."""

from __future__ import annotations

import os
import stat

import pytest
from store_rows import child, run, stored, write

from nasbench.outputs import open_new
from nasbench.store.errors import StoreError
from nasbench.store.writer import ResultsWriter


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("ending", [".lock", ".h5.packing", ".journal.beginning"])
@pytest.mark.parametrize("exists", [False, True])
def test_no_link_that_was_planted_is_followed(ending, exists, tmp_path):
    victim = tmp_path / "victim"
    if exists:
        victim.write_text("mine")
    (tmp_path / f"a{ending}").symlink_to(victim)
    if ending == ".lock" and not exists:
        with pytest.raises(StoreError, match="leads nowhere"):
            write(tmp_path / "a.h5", 3)
    else:
        write(tmp_path / "a.h5", 3)
        assert len(stored(tmp_path / "a.h5")) == 3
    assert (victim.read_text() if exists else None) == ("mine" if exists else None)
    assert victim.exists() == exists


@pytest.mark.sampled(1)
@pytest.mark.parametrize("bits", [0o600, 0o640, 0o660])
def test_a_pack_keeps_the_mode_and_a_journal_takes_it(bits, tmp_path):
    path = tmp_path / "a.h5"
    write(path, 3)
    path.chmod(bits)
    with ResultsWriter(path) as writer:
        writer.put_run(run(children=4))
        writer.append_child(*child(3))
        assert mode(tmp_path / "a.journal") == bits
    assert mode(path) == bits
    assert len(stored(path)) == 4


def test_a_new_results_file_has_the_usual_mode(tmp_path):
    write(tmp_path / "a.h5", 1)
    (tmp_path / "plain").touch()
    assert mode(tmp_path / "a.h5") == mode(tmp_path / "plain")


def test_rows_are_appended_beside_a_file_that_is_read_only(tmp_path):
    path = tmp_path / "a.h5"
    write(path, 1)
    path.chmod(0o400)
    write(path, 1, start=1)
    assert mode(path) == 0o400
    assert len(stored(path)) == 2


def test_a_new_file_is_nobody_elses(tmp_path):
    (tmp_path / "there").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        open_new(tmp_path / "there")
    assert not (tmp_path / "victim").exists()
