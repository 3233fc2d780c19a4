"""A results file that is reached by symbolic links: one lock, one journal, and packing keeps the link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from store_rows import child, expected, stored

from nasbench.errors import InputError
from nasbench.store.errors import MissingResults, ResultsLocked
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter


def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder for the file and another for the link."""
    for name in ("disk", "work"):
        (tmp_path / name).mkdir()
    return tmp_path / "disk", tmp_path / "work"


@pytest.mark.parametrize("relative", [False, True])
def test_a_file_and_its_link_have_one_writer_and_packing_keeps_the_link(tmp_path: Path, relative: bool) -> None:
    disk, work = folders(tmp_path)
    real, link = disk / "real.h5", work / "x.h5"
    with ResultsWriter(real) as writer:
        writer.append_child(*child(0))
    link.symlink_to("../disk/real.h5" if relative else real)
    with ResultsWriter(link) as writer:
        with pytest.raises(ResultsLocked):
            ResultsWriter(real)
        writer.append_child(*child(1))
        assert sorted(os.listdir(work)) == ["x.h5"]
        assert sorted(os.listdir(disk)) == ["real.h5", "real.journal", "real.lock"]
        assert stored(real) == stored(link) == expected(2)
    with ResultsWriter(real), pytest.raises(ResultsLocked):
        ResultsWriter(link)
    assert link.is_symlink()
    assert stored(real) == stored(link) == expected(2)
    assert os.listdir(disk) == ["real.h5"]


def test_a_link_to_a_missing_file_creates_that_file(tmp_path: Path) -> None:
    disk, work = folders(tmp_path)
    real, link = disk / "new" / "real.h5", work / "x.h5"
    link.symlink_to(real)
    with pytest.raises(MissingResults):
        Results(link)
    with ResultsWriter(link) as writer:
        writer.append_child(*child(0))
    assert link.is_symlink()
    assert os.listdir(real.parent) == ["real.h5"]
    assert stored(real) == stored(link) == expected(1)


def test_a_chain_of_links_and_a_link_in_the_folders_lead_to_one_lock(tmp_path: Path) -> None:
    disk, work = folders(tmp_path)
    (work / "first.h5").symlink_to("second.h5")
    (work / "second.h5").symlink_to("folder/real.h5")
    (work / "folder").symlink_to("../disk")
    with ResultsWriter(work / "first.h5") as writer:
        writer.append_child(*child(0))
        for name in (work / "second.h5", work / "folder" / "real.h5", disk / "real.h5"):
            with pytest.raises(ResultsLocked):
                ResultsWriter(name)
    assert os.listdir(disk) == ["real.h5"]
    assert sorted(os.listdir(work)) == ["first.h5", "folder", "second.h5"]


@pytest.mark.parametrize("use", [ResultsWriter, Results, check_file])
def test_links_that_lead_in_a_circle_are_refused(tmp_path: Path, use) -> None:
    (tmp_path / "a.h5").symlink_to("b.h5")
    (tmp_path / "b.h5").symlink_to("a.h5")
    with pytest.raises(InputError, match="leads in a circle"):
        use(tmp_path / "a.h5")
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "b.h5"]


def test_a_link_to_a_name_with_another_ending_keeps_that_ending(tmp_path: Path) -> None:
    disk, work = folders(tmp_path)
    for name in ("ab12", "ab12.bin"):
        (work / f"{name}.h5").symlink_to(disk / name)
    with ResultsWriter(work / "ab12.h5") as first, ResultsWriter(work / "ab12.bin.h5") as second:
        first.append_child(*child(0))
        second.append_child(*child(0))
        second.append_child(*child(1))
    assert sorted(os.listdir(disk)) == ["ab12", "ab12.bin"]
    assert stored(work / "ab12.h5") == expected(1)
    assert stored(work / "ab12.bin.h5") == expected(2)


def test_a_journal_beside_a_link_is_not_overlooked(tmp_path: Path) -> None:
    """Earlier versions wrote it there."""
    disk, work = folders(tmp_path)
    real, link = disk / "real.h5", work / "x.h5"
    writer = ResultsWriter(work / "y.h5")
    writer.append_child(*child(0))
    os.link(work / "y.journal", work / "x.journal")  # as a killed process of an earlier version would leave it
    writer.close()
    link.symlink_to(real)
    for use in (ResultsWriter, Results):
        with pytest.raises(InputError, match=r"there may be rows in .*x\.journal, beside the link: move that file to"):
            use(link)
    os.rename(work / "x.journal", disk / "real.journal")
    assert stored(link) == expected(1)
    (work / "x.journal").symlink_to(disk / "real.journal")  # leads to the journal that is read
    assert stored(link) == expected(1)


def test_a_link_to_a_file_of_another_ending_is_repaired(tmp_path: Path) -> None:
    disk, work = folders(tmp_path)
    link = work / "x.h5"
    link.symlink_to(disk / "digest")
    with ResultsWriter(link) as writer:
        writer.append_child(*child(0))
        writer.append_child(*child(1))
    assert repair_file(link) is not None  # the row of the run is missing
    assert check_file(link).sound
    assert repair_file(link) is None
    assert link.is_symlink()
    assert stored(link) == expected(2)
