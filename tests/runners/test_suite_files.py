"""Suites whose settings would change no search are refused before one runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasbench.errors import InputError
from nasbench.runners.suite import load_suite, shipped_suites

SEARCH = """
[search]
space = "conv-size"
protocol = "digits"
budget = "2 children"
"""
MATRIX = """
[matrix]
strategy = ["random", "evolution"]
seed = [0, 1]
"""


def searches_of(folder: Path, text: str) -> list[tuple[str, int, dict[str, int]]]:
    (folder / "mine.toml").write_text(text)
    found = load_suite(str(folder / "mine.toml")).searches()
    return [(config.strategy, config.seed, dict(config.options)) for config in found]


def test_options_of_a_strategy_are_those_of_all_its_searches(tmp_path: Path) -> None:
    found = searches_of(tmp_path, SEARCH + MATRIX + "[options.evolution]\npopulation = 3\n")
    few = {"population": 3}
    assert found == [("random", 0, {}), ("random", 1, {}), ("evolution", 0, few), ("evolution", 1, few)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SEARCH + MATRIX + "[options.evolutoin]\npopulation = 3\n",
            "no search has the strategy of \\[options.evolutoin\\], did you mean 'evolution'\\?",
        ),
        (SEARCH + MATRIX + "[options.ppo]\nbatch = 3\n", "no search has the strategy of \\[options.ppo\\]"),
        (
            SEARCH + "options = {population = 4}" + MATRIX + "[options.evolution]\npopulation = 3\n",
            "options are in \\[search\\], for every strategy, and in \\[options.evolution\\]; keep one",
        ),
        (SEARCH + "seed = 3" + MATRIX, "seed is in \\[search\\] and in \\[matrix\\]; keep one"),
        (SEARCH + "[matrix]\nseed = []\n", "seed of \\[matrix\\] is empty, so there is no search"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        searches_of(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_have_no_such_setting(name: str) -> None:
    assert load_suite(name).searches()
