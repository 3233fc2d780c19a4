"""`nasbench.replay`: the searches of the command line, from Python."""

from __future__ import annotations

import math
import warnings

import commands
import numpy as np
import pandas as pd
import pytest

import nasbench
from nasbench.errors import InputError, MissingData, UnknownName


class Sweep(nasbench.Strategy):
    """Asks for one architecture after the other; in no registry."""

    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self._next = 1000 * seed

    def ask(self):
        choices = np.unravel_index(self._next % self.space.size, [d.options for d in self.space.decisions])
        self._next += 1
        return self.space.decode([int(choice) for choice in choices])

    def tell(self, outcome):
        pass


def test_the_choices_are_those_of_the_command_line(tmp_path):
    found = nasbench.replay(
        "digits201", ["random", "evolution:population=4,sample=2"], seeds=3, budget="30 children", progress=False
    )
    table = nasbench.api.replaying.table_path("digits201")
    words = ["--strategy", "random", "--strategy", "evolution:population=4,sample=2", "--seeds", "3"]
    done = commands.nasbench(
        "replay", "--table", str(table), *words, "--budget", "30 children", "-o", str(tmp_path / "cli.csv")
    )
    assert done.code == 0
    assert found.save(tmp_path / "api.csv").read_text() == (tmp_path / "cli.csv").read_text()
    assert found.summary["seeds"].tolist() == [3, 3]
    assert (found.summary["children"] == 30).all()


def test_a_preset_has_the_settings_of_the_budget_as_on_the_command_line():
    quick = {"seeds": 1, "progress": False}
    found = nasbench.replay("digits201", "ppo:preset=auto", budget="4 s", children_at_once=6, **quick)
    assert found.runs[0].setting.config.batch == 2  # 20 children, 3.4 a device, of which one in ten
    found = nasbench.replay("digits201", "ppo:preset=paper", budget="1 children", **quick)
    assert found.runs[0].setting.text == "ppo"
    with pytest.raises(InputError, match=r"give it beside, e\.g\. children=200"):
        nasbench.replay("digits201", "ppo:preset=auto", budget="0.1 usd", price=1.0, **quick)


def test_a_class_of_ones_own_searches_a_table(tmp_path):
    found = nasbench.replay("digits201", Sweep, seeds=[2, 0], budget="50 children", progress=False)
    assert found.choices["seed"].tolist() == [2, 0]
    table = found.table
    starts = [1000 * found.runs[0].setting.streams([seed])[0] % table.space.size for seed in (2, 0)]
    expected = [np.take(table.val_acc, range(start, start + 50), mode="wrap").max() for start in starts]
    assert found.choices["outcome"].tolist() == pytest.approx(expected)
    rows = nasbench.open(found.save(tmp_path / "sweep.h5")).runs()
    assert rows["strategy"].str.endswith(":Sweep").all()
    with pytest.raises(InputError, match="is there already, whole, with 107 children of 2 runs: name another file"):
        found.save(tmp_path / "sweep.h5")
    mine = tmp_path / "mine.csv"
    mine.write_text("my own notes\n")
    with pytest.raises(InputError, match="no earlier output"):
        found.save(mine)
    assert mine.read_text() == "my own notes\n"
    assert len(found.save(mine, force=True).read_text().splitlines()) == 3
    with pytest.raises(InputError, match=r"must end in \.h5"):
        found.save(tmp_path / "sweep.txt")


def test_a_replay_shows_its_summary_and_its_figure():
    found = nasbench.replay("digits201", "random", seeds=4, budget="20 children", progress=False)
    assert "data:image/png;base64," in found._repr_html_()
    assert "random" in repr(found)
    assert found.plot().axes
    assert isinstance(found.regret(), pd.DataFrame)
    assert (found.regret()["mean"] >= 0).all()


def test_choices_are_scored_with_other_training_seeds():
    seeds = {"search_seeds": [0], "report_seeds": [1]}
    with_seeds = nasbench.replay("digits201", "random", seeds=4, budget="20 children", progress=False, **seeds)
    (scored,) = with_seeds.scored
    assert (with_seeds.table.seeds, scored.seeds) == ((0,), (1,))
    assert with_seeds.choices["outcome"].tolist() != with_seeds.choices["val_acc"].tolist()


@pytest.mark.parametrize(
    ("fields", "error", "why"),
    [
        ({"table": "nowhere"}, MissingData, "there is no table 'nowhere'.*digits201"),
        ({"strategies": ["random", "random"]}, InputError, "each once"),
        ({"strategies": []}, InputError, "name one strategy or several"),
        ({"strategies": "randon"}, UnknownName, "did you mean 'random'"),
        ({"search_seeds": [0, 0]}, InputError, "once each"),
        ({"seeds": 0}, InputError, "a number of searches >= 1"),
        ({"budget": "3 usd"}, InputError, "never ends at 0 USD"),
    ],
)
def test_what_cannot_be_replayed_is_refused(fields, error, why):
    given = {"table": "digits201", "strategies": "random", "seeds": 2, "budget": "5 children", "progress": False}
    with pytest.raises(error, match=why):
        nasbench.replay(**{**given, **fields})


def test_options_with_which_a_strategy_is_random_search_are_warned_of():
    with pytest.warns(UserWarning, match="population of 100, so this is random search") as seen:
        nasbench.replay("digits201", "evolution", seeds=2, budget="60 children", progress=False)
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nasbench.replay("digits201", "evolution:population=10,sample=3", seeds=2, budget="60 children", progress=False)


@pytest.mark.parametrize("seeds", [[1, 1, 2], [-1, 0], [1.5], [], 0, -3, 2.0, True, "12"])
def test_seeds_of_searches_are_whole_numbers_once_each(seeds):
    with pytest.raises(InputError, match="seeds is a number of searches"):
        nasbench.replay("digits201-2", ["random"], seeds=seeds, budget="2 children", progress=False)


def test_seeds_of_searches_may_be_a_range_or_an_array():
    for seeds in (range(3, 5), np.array([3, 4])):
        found = nasbench.replay("digits201-2", ["random"], seeds=seeds, budget="2 children", progress=False)
        assert found.choices["seed"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"price": -1.0}, "finite number of USD >= 0; got -1.0"),
        ({"price": math.inf, "budget": "1 usd"}, "finite number of USD >= 0; got inf"),
        ({"children_at_once": 0}, "whole number >= 1; got 0"),
    ],
)
def test_prices_and_numbers_of_devices_that_cannot_be_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        nasbench.replay("digits201-2", ["random"], **{"seeds": 2, "budget": "2 children", **given}, progress=False)


def test_a_summary_says_how_many_searches_its_means_are_over():
    """With the seconds of a child or two, many searches end before their first child does."""
    found = nasbench.replay("digits201-2", ["random"], seeds=20, budget="1 s", progress=False)
    row, choices = found.summary.iloc[0], found.choices
    chosen = choices[choices["index"] >= 0]
    assert 0 < len(chosen) < 20
    assert (row["seeds"], row["scored"]) == (20, len(chosen))
    assert row["test_acc"] == pytest.approx(chosen["test_acc"].mean())
    assert found.regret()["runs"].unique().tolist() == [len(chosen)]
