"""Several settings of one strategy in one call: told apart by their options in every output."""

from __future__ import annotations

import pickle

import pytest
from commands import nasbench

import nasbench as suite
from nasbench.analysis.comparison.checklist import checklist
from nasbench.errors import InputError
from nasbench.runners.replay.replay import Setting, told_apart

CALL = ("replay", "--table", "digits201-2", "--budget", "12 children", "--seeds", "5")
NAMES = ["nsga2", "nsga2:population=4", "random"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("twice") / "both.h5"
    done = nasbench(*CALL, *(word for name in NAMES for word in ("--strategy", name)), "-o", str(path))
    assert done.code == 0, done.err
    assert [name for name in NAMES if f"\n{name} " in done.out] == NAMES
    return path


def test_their_rows_are_told_apart_in_the_file(file):
    results = suite.open(file)
    counts = results.frame(["strategy", "stage"]).query("stage == 'search'")["strategy"].value_counts()
    assert counts.to_dict() == dict.fromkeys(NAMES, 60)
    assert results.runs().groupby("strategy", observed=True)["run"].nunique().to_dict() == dict.fromkeys(NAMES, 5)


def test_analyses_compare_them_as_two(file):
    done = nasbench("ranks", str(file))
    assert done.code == 0, done.err
    assert all(f"{name} " in done.out for name in NAMES)
    assert "Several runs of the same strategy and seed" not in done.out + done.err
    assert nasbench("check", str(file)).code == 0


def test_the_checklist_sees_one_option_changed(file):
    results = suite.open(file)
    answers = checklist(results.frame(), results.runs()).set_index("asks")
    (row,) = [row for asks, row in answers.iterrows() if "blation" in asks]
    assert row["answer"] == "met", row["evidence"]


def test_searches_in_company_have_the_children_of_those_alone(file, tmp_path):
    alone = tmp_path / "alone.h5"
    assert nasbench(*CALL, "--strategy", "nsga2:population=4", "-o", str(alone)).code == 0
    frame, own = suite.open(file).frame(), suite.open(alone).frame()
    assert set(own["strategy"]) == {"nsga2"}  # alone it needs no options in its name
    both = frame[frame["strategy"] == "nsga2:population=4"]
    assert both["hash"].tolist() == own["hash"].tolist()
    assert not set(both["run"]) & set(own["run"])  # so that a merge has both


def test_python_tells_them_apart(file):
    found = suite.replay("digits201-2", ["nsga2", "nsga2:population=4"], 2, "9 children", progress=False)
    assert found.summary["strategy"].tolist() == ["nsga2", "nsga2:population=4"]
    assert set(found.regret()["strategy"]) == {"nsga2", "nsga2:population=4"}


@pytest.mark.parametrize("again", ["nsga2", "nsga2:population=20", "nsga2:objectives=error/params"])
def test_the_same_options_twice_are_refused(again):
    done = nasbench(*CALL, "--strategy", "nsga2", "--strategy", again)
    assert done.code == 2
    assert done.err == "error: strategy 'nsga2' is given twice; give each once, or with other options\n"
    with pytest.raises(InputError, match="is given twice"):
        suite.replay("digits201-2", ["nsga2", again], 2, "9 children", progress=False)


def test_a_label_reaches_worker_processes(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import nasbench\n\n\nclass Options(nasbench.StrategyConfig):\n    step: int = 1\n\n\n"
        "class Mine(nasbench.Strategy):\n    config_type = Options\n\n    def ask(self):\n        return None\n\n"
        "    def tell(self, outcome):\n        pass\n"
    )
    settings = told_apart([Setting.of(f"{tmp_path}/mine.py:Mine", {"step": step}) for step in ("1", "2")])
    assert [pickle.loads(pickle.dumps(each)).shown for each in settings] == ["mine.py:Mine", "mine.py:Mine:step=2"]
