"""Options behind a strategy's name: one form in every command, with the value alone of a main option."""

from __future__ import annotations

import pytest
from commands import nasbench

from nasbench.api.strategies import given_strategy
from nasbench.errors import InputError
from nasbench.runners.bench.reference import setting_of
from nasbench.runners.strategies.option_texts import options_of


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("optuna", "tpe", {"sampler": "tpe"}),
        ("optuna", " gp , startup=5", {"sampler": "gp", "startup": "5"}),
        ("pymoo", "sms,objectives=error/params", {"algorithm": "sms", "objectives": "error/params"}),
        ("syne_tune", "bore", {"searcher": "bore"}),
        ("zero_cost", "synflow,candidates=10", {"score": "synflow", "candidates": "10"}),
        ("evolution", "population=20, sample = 3,", {"population": "20", "sample": "3"}),
        ("nsga2", "objectives=error/latency[method=eager,batch=1]", {"objectives": "error/latency[method=eager,batch=1]"}),
        ("random", "", {}),
    ],
)  # fmt: skip
def test_options_are_read_alike_everywhere(name, text, wanted):
    assert options_of(name, text) == wanted
    assert given_strategy(f"{name}:{text}").options == wanted
    if wanted:
        assert setting_of(f"{name}:{text}").config.model_dump(mode="json", exclude_unset=True).keys() == wanted.keys()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("evolution", "20", r"option '20' of strategy 'evolution' should read key=value; it has: population, sample"),
        ("optuna", "startup=5,tpe", r"option 'tpe' of strategy 'optuna' should read key=value; it has: sampler, startup"),
        ("optuna", "tpe,sampler=gp", r"option 'sampler' of strategy 'optuna' is given twice"),
        ("evolution", "=3", r"option '=3' of strategy 'evolution' should read key=value"),
    ],
)  # fmt: skip
def test_what_is_no_option_is_told_those_of_the_strategy(name, text, said):
    with pytest.raises(InputError, match=said):
        options_of(name, text)


def test_the_commands_take_the_value_of_the_main_option(tmp_path):
    words = ("--budget", "3 children", "--seeds", "1")
    short = nasbench("replay", "--table", "digits201-2", "--strategy", "zero_cost:params,candidates=5", *words)
    whole = nasbench("replay", "--table", "digits201-2", "--strategy", "zero_cost:score=params,candidates=5", *words)
    assert (short.code, short.out) == (0, whole.out)
    assert "zero_cost:score=params,candidates=5" in short.out
    wrong = nasbench("replay", "--table", "digits201-2", "--strategy", "zero_cost:nothing", *words)
    assert wrong.code == 2
    assert "unknown zero-cost score 'nothing'" in wrong.err
    run = nasbench(
        "run",
        "--space",
        "nasbench201",
        "--strategy",
        "evolution",
        "--option",
        "20",
        "--budget",
        "1 children",
        cwd=tmp_path,
    )
    assert run.code == 2
    assert "option '20' of strategy 'evolution' should read key=value; it has: population" in run.err
