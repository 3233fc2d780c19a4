"""Outputs of commands leave results files and inputs alone."""

from __future__ import annotations

import pytest
from commands import nasbench
from store_rows import write


@pytest.mark.sampled(9)
@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("words", [("query",), ("export",), ("report",)])
@pytest.mark.parametrize("name", ["b.h5", "link.csv", "a.xyz"])
def test_refused_in_one_line(words, name, force, tmp_path):
    path = tmp_path / "a.h5"
    write(path, 3)
    (tmp_path / "link.csv").symlink_to(path)
    before = path.read_bytes()
    done = nasbench(*words, str(path), "-o", str(tmp_path / name), *force)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert path.read_bytes() == before
    assert not (tmp_path / "b.h5").exists()


def test_query_takes_the_form_from_the_ending_and_makes_folders(tmp_path):
    write(tmp_path / "a.h5", 3)
    target = tmp_path / "new" / "a.csv"
    assert nasbench("query", str(tmp_path / "a.h5"), "--columns", "index,hash", "-o", str(target)).code == 0
    assert target.read_text().splitlines()[0] == "index,hash"
    target.write_text("mine\n")
    words = ("query", str(tmp_path / "a.h5"), "--columns", "index,hash", "-o", str(target))
    assert "--force" in nasbench(*words).err
    assert target.read_text() == "mine\n"
    assert nasbench(*words, "--force").code == 0
    assert target.read_text().startswith("index,hash\n")
