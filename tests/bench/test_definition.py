"""The frozen suites: their digests, and what a suite may be."""

from __future__ import annotations

import pytest

from nasbench.benchmark.definition import benchmark_names, load_benchmark, open_task
from nasbench.errors import InputError, UnknownName

FROZEN = {"suite-v1": "00b13488c01beb27", "suite-v1-full": "38d6e0f243528d71"}
"""Digests of the suites. A suite that was released never changes: other values are another suite with another name."""


def test_the_suites_are_frozen():
    assert {name: load_benchmark(name).digest for name in benchmark_names()} == FROZEN


def test_texts_are_no_part_of_the_digest_and_values_are():
    suite = load_benchmark("suite-v1")
    assert suite.model_copy(update={"description": "other"}).digest == suite.digest
    task = suite.tasks[0]
    for changed in ({"what": "other"}, {"source": "other"}):
        assert (
            suite.model_copy(update={"tasks": (task.model_copy(update=changed), *suite.tasks[1:])}).digest
            == suite.digest
        )
    for changed in ({"budgets": {**task.budgets, "large": "401 s"}}, {"report_seeds": (0,)}, {"table": "digits201"}):
        assert (
            suite.model_copy(update={"tasks": (task.model_copy(update=changed), *suite.tasks[1:])}).digest
            != suite.digest
        )
    protocol = suite.protocol.model_copy(update={"seeds": 51})
    assert suite.model_copy(update={"protocol": protocol}).digest != suite.digest


def test_every_task_that_ships_opens_and_has_its_fingerprints():
    for task in load_benchmark("suite-v1").tasks:
        opened = open_task(task)
        assert (opened.searched.fingerprint, opened.reported.fingerprint) == (
            task.search_fingerprint,
            task.report_fingerprint,
        )
        assert float(opened.regret(opened.best)) == 0.0
        assert float(opened.regret(opened.typical)) == 1.0
        wrong = task.model_copy(update={"report_fingerprint": "0" * 16})
        with pytest.raises(InputError, match="holds another table than task"):
            open_task(wrong)


def test_a_task_of_a_file_that_is_not_here_is_left_out(tmp_path):
    full = load_benchmark("suite-v1-full")
    assert open_task(full.task("nasbench201-cifar10"), [tmp_path]) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('table = "digits201-2"', 'table = "nothing"'), "unknown table of benchmark suite"),
        (('large = "400 s"', 'large = "400 children"'), "budgets are small, medium, large, each in seconds"),
        (('large = "400 s"', 'large = "100 s"'), "budgets rise from small to large; got 40 s, 130 s, 100 s"),
        (('small = "40 s"', 'small = "0 s"'), "budgets rise from small to large"),
        (('budget = "large"', 'budget = "huge"'), "'small', 'medium' or 'large'"),
        (("seeds = 50", "seeds = 4"), "seeds"),
        (('table = "digits201-2"', ""), "either a table that ships or a file"),
        (('name = "suite-v1"', 'name = "suite v1"'), "name"),
        (("[protocol]", "[protocol"), "is not valid TOML"),
    ],
)
def test_mistakes_in_a_suite_are_one_line(tmp_path, change, message):
    from importlib import resources

    text = (resources.files("nasbench.benchmark") / "suite-v1.toml").read_text()
    assert change[0] in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(*change, 1))
    with pytest.raises(InputError, match=message):
        load_benchmark(str(path))


def test_an_unknown_suite_names_those_that_ship():
    with pytest.raises(UnknownName, match="suite-v1, suite-v1-full"):
        load_benchmark("suite-v9")
