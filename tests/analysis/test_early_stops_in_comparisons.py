"""Comparisons of searches that stop trainings early say so, from files as from Python."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import nasbench
from nasbench.analysis.comparison import columns
from nasbench.cli.main import nasbench as group


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("early")
    names = []
    for strategy in ("asha", "random"):
        found = nasbench.replay("digits201-2", [strategy], range(5), "20 s", progress=False)
        names.append(str(found.save(folder / f"{strategy}.h5")))
    return names


def test_compare_says_how_many_children_stopped_early(files: list[str]) -> None:
    frame = nasbench.open(files).frame(stage="search")
    early, counted = int((frame["stop_epoch"] > 0).sum()), len(frame)
    assert 0 < early < counted
    line = f"{early:,} of {counted:,} counted children stopped before the last epoch: their score is that of the epoch"
    printed = CliRunner().invoke(group, ["compare", *files], catch_exceptions=False)
    assert line in " ".join(printed.output.split())
    assert any(line in note for note in nasbench.compare(files).notes)


@pytest.mark.parametrize("name", ["COMPARED", "SIZED", "REPORTED"])
def test_what_is_read_for_comparisons_tells_whole_trainings_from_others(name: str) -> None:
    """Without these columns every training would count as a whole one."""
    assert {"stop_epoch", "from_epoch", "continues"} <= set(getattr(columns, name))
