"""`open`, `compare`, `report`, `status`, `verify`: the same answers as the command line's."""

from __future__ import annotations

import commands
import pytest
from fake_images import FAKE

import nasbench
from nasbench.errors import InputError
from nasbench.store.errors import MissingResults


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Two strategies with two seeds each."""
    path = tmp_path_factory.mktemp("results") / "a.h5"
    for strategy in ("random", "evolution:population=2,sample=1"):
        for seed in (0, 1):
            nasbench.search("nasnet:blocks=1", strategy, "6 children", path, set=FAKE, seed=seed, progress=False)
    return path


def test_open_reads_one_file_or_several(file, tiny, tmp_path):
    other = tiny().path
    assert len(nasbench.open(file).runs()) == 4
    assert nasbench.open([file, other]).frame()["file"].unique().tolist() == [str(file), str(other)]
    assert len(nasbench.open([file, tmp_path / "*.h5"]).runs()) == 5
    with pytest.raises(MissingResults):
        nasbench.open("nowhere.h5")


def test_a_comparison_is_that_of_the_command_line(file, tmp_path):
    comparison = nasbench.compare(file, by="children", seed=3)
    printed = commands.nasbench("compare", str(file), "--by", "children", "--seed", "3", "-o", str(tmp_path / "c")).out
    for line in comparison.readable.to_string(index=False).splitlines():
        assert line in printed
    for note in comparison.notes:
        assert f"note: {note}" in printed
    assert comparison.table["strategy"].tolist() == ["random", "evolution"]
    saved = comparison.save(tmp_path / "d")
    assert [path.name for path in saved] == ["d.png", "d.svg", "d.csv", "d.txt"]
    assert (tmp_path / "d.csv").read_text() == (tmp_path / "c.csv").read_text()


def test_a_comparison_shows_its_table_its_notes_and_its_figure(file):
    comparison = nasbench.compare(file, by="children")
    page = comparison._repr_html_()
    assert "data:image/png;base64," in page
    assert "evolution" in page
    assert "random" in repr(comparison)
    assert comparison.figure.axes


def test_where_selects_children_and_their_runs(file):
    comparison = nasbench.compare(file, where="strategy == 'random'", allow=["baseline"])
    assert comparison.table["strategy"].tolist() == ["random"]
    with pytest.raises(InputError, match="no children match"):
        nasbench.compare(file, where="strategy == 'ppo'")
    with pytest.raises(InputError, match=r"^where: .*position 1: unknown name 'strategi', did you mean 'strategy'"):
        nasbench.compare(file, where="strategi == 'ppo'")


@pytest.mark.slow
def test_a_report_is_written_where_it_is_asked_for(file, tmp_path):
    assert nasbench.report(file) == file.parent / "a-report.html"
    assert "<svg" in (file.parent / "a-report.html").read_text()
    page = nasbench.report(file, tmp_path / "new" / "r.md", where="strategy == 'random'", title="Mine")
    assert page.read_text().startswith("## Mine")
    with pytest.raises(InputError, match="name these by on"):
        nasbench.report(file, ran_on="A100")
    with pytest.raises(InputError, match="cannot write"):
        nasbench.report(file, file / "r.html")


def test_status_counts_children(file):
    runs = nasbench.status(file).runs
    assert [(run.state, run.children) for run in runs] == [("complete", 6)] * 4


def test_rows_are_verified(file):
    found = nasbench.verify(file, sample=3, seed=1)
    assert found.agrees
    assert len(found.table) == 3
    assert found.eligible == len(nasbench.open(file).frame())
    assert "3 of 3 rows agree" in found._repr_html_()


def test_rows_that_do_not_agree_are_shown(file, monkeypatch):
    import dataclasses

    from nasbench.training import evaluate

    trained = evaluate.evaluate
    monkeypatch.setattr(
        evaluate, "evaluate", lambda *words: dataclasses.replace(trained(*words), params=7, val_acc=0.125)
    )
    found = nasbench.verify(file, sample=2)
    assert not found.agrees
    assert found.table["differences"].str.contains("params").all()
    assert repr(found).startswith("<Verification: 0 of 2 rows agree")
