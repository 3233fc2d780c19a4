"""Settings by name: those of the paper, and those that scale with the budget; nothing changes where none is named."""

from __future__ import annotations

import pytest
from commands import nasbench as command
from pydantic import ValidationError
from searching import tiny_plan

from nasbench.errors import InputError, UnknownName
from nasbench.networks.darts_counts import plan_darts
from nasbench.runners.replay.replay import Setting
from nasbench.runners.search.config import SearchConfig
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.evolution import EvolutionConfig
from nasbench.runners.strategies.presets import with_preset
from nasbench.spaces import get_space
from nasbench.structures import Scale

LEARNED = {"ppo": (3.5e-4, 20, 20_000), "reinforce": (6e-4, 8, 12_800)}


@pytest.mark.parametrize("name", list(LEARNED))
def test_rate_times_children_stays_up_to_the_limit(name: str):
    rate, batch, of = LEARNED[name]
    kind = STRATEGIES.get(name)
    for children in (1, 5, 60, 200, 2_000, of, 5 * of):
        options = kind.auto_options(children)
        assert options["learning_rate"] == pytest.approx(min(0.01, rate * of / children), rel=1e-2)
        assert options["batch"] == max(1, min(batch, children // 10))
        kind.config_type(**options)
    assert kind.auto_options(of) == {"learning_rate": rate, "batch": batch}


def test_the_rate_of_free_logits():
    kind = STRATEGIES.get("reinforce_logits")
    rates = [kind.auto_options(children)["learning_rate"] for children in (50, 333, 1000, 3000)]
    assert rates == pytest.approx([0.03, 0.03, 0.01, 0.00333], rel=0.01)


def test_given_options_win_and_the_papers_settings_are_the_defaults():
    kind = STRATEGIES.get("ppo")
    assert with_preset(kind, {"preset": "auto", "batch": "3"}, 100)["batch"] == "3"
    assert with_preset(kind, {"preset": "paper", "batch": "3"}, 100) == {"batch": "3"}
    assert with_preset(kind, {"batch": "3"}, 100) == {"batch": "3"}
    assert with_preset(kind, {"preset": "auto", "children": "500"}, None) == kind.auto_options(500)


@pytest.mark.parametrize(
    ("name", "options", "children", "told"),
    [
        ("ppo", {"preset": "atuo"}, 10, "did you mean 'auto'"),
        ("ppo", {"preset": "auto"}, None, "give it beside, e.g. children=200"),
        ("ppo", {"preset": "auto", "children": "many"}, None, "give it beside"),
        ("random", {"preset": "auto"}, 10, "no settings that scale"),
    ],
)
def test_mistakes_are_one_line(name: str, options, children, told: str):
    with pytest.raises((InputError, UnknownName), match=told):
        with_preset(STRATEGIES.get(name), options, children)


def test_a_run_is_stored_with_the_settings_and_the_paper_keeps_its_id():
    fields = {"strategy": "ppo", "budget": "100 children"}
    auto = tiny_plan(options={"preset": "auto"}, **fields)
    assert auto.config.options == STRATEGIES.get("ppo").auto_options(100)
    assert auto.run == tiny_plan(options=auto.config.options, **fields).run
    assert tiny_plan(options={"preset": "paper"}, **fields).run == tiny_plan(**fields).run
    assert auto.run != tiny_plan(**fields).run


def test_a_replay_has_the_settings_of_its_budget():
    assert Setting.of("ppo", {"preset": "auto"}, "", 250.0).config.learning_rate == 0.01
    assert Setting.of("ppo", {"preset": "paper"}).text == "ppo"


def test_a_population_as_large_as_the_budget_is_said_to_be_random_search():
    kind = STRATEGIES.get("evolution")
    assert "this is random search" in kind.advice(EvolutionConfig(), 100)
    assert kind.advice(EvolutionConfig(), 101) == ""
    for name in ("nsga2", "mo_evolution"):
        kind = STRATEGIES.get(name)
        assert "this is random search" in kind.advice(kind.config_type(), 20)


@pytest.mark.parametrize(
    ("name", "options", "first"),
    [
        ("pymoo", {}, 20),
        ("optuna", {}, 10),
        ("optuna", {"startup": 7}, 7),
        ("optuna", {"sampler": "gp"}, 10),
        ("optuna", {"sampler": "cmaes", "startup": 30}, 30),
        ("optuna", {"sampler": "nsga2"}, 50),
        ("optuna", {"sampler": "nsga2", "population": 12}, 12),
        ("gp", {}, 10),
        ("bananas", {"initial": 25}, 25),
        ("npenas", {}, 10),
        ("parego", {}, 20),
    ],
)
def test_a_budget_of_random_architectures_alone_is_said_to_be_random_search(name: str, options, first: int):
    kind = STRATEGIES.get(name)
    config = kind.config_type(**options)
    assert "this is random search" in kind.advice(config, first)
    assert f"{first}" in kind.advice(config, first)
    assert kind.advice(config, first + 1) == ""


@pytest.mark.parametrize(("name", "batch"), [("ppo", 20), ("reinforce", 8)])
def test_a_policy_that_hardly_moves_is_said_to_be_random_search(name: str, batch: int):
    kind = STRATEGIES.get(name)
    config = kind.config_type()
    assert f"it learns after each {batch} children" in kind.advice(config, batch)
    assert "and this is random search" in kind.advice(config, batch), "its first update comes after its last child"
    assert "its 1 update at" in kind.advice(config, batch + 1)
    assert "nearly random search" in kind.advice(config, 200)
    assert kind.advice(config, 12_800) == "", "the papers' searches"
    moved = {"ppo": 9 * 4, "reinforce": 24}[name]  # steps of Adam before the last of 200 children
    for rate, said in ((0.051 / moved, False), (0.049 / moved, True)):
        assert bool(kind.advice(kind.config_type(learning_rate=rate), 200)) == said
    for children in (20, 50, 200, 1000):
        assert kind.advice(kind.config_type(**kind.auto_options(children)), children) == ""


def test_samplers_of_optuna_that_are_random_anyway_give_no_advice():
    kind = STRATEGIES.get("optuna")
    for sampler in ("random", "qmc"):
        assert kind.advice(kind.config_type(sampler=sampler), 1) == ""


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        ("random", {"startup": 5}),
        ("nsga2", {"startup": 5}),
        ("gp", {"multivariate": True}),
        ("cmaes", {"constant_liar": False}),
        ("tpe", {"population": 10}),
    ],
)
def test_an_option_that_the_sampler_of_optuna_would_ignore_is_refused(sampler: str, options):
    with pytest.raises(ValidationError, match=f"{next(iter(options))} is an option of sampler .*, not of {sampler}"):
        STRATEGIES.get("optuna").config_type(sampler=sampler, **options)


@pytest.mark.slow
def test_a_run_says_so(tmp_path):
    done = command(
        "run", "--space", "nasnet:blocks=2", "--strategy", "evolution", "--budget", "1 children", "--set", "epochs=1",
        "--set", "filters=2", "--final", "none", "-o", "a.h5", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "population of 100, so this is random search" in done.err


@pytest.mark.parametrize("name", ["darts", "drnas", "gdas", "pcdarts", "rs_ws"])
def test_the_papers_sizes_of_shared_weights(name: str):
    setting = Setting.of(name, {"preset": "paper", "filters": "24"})
    strategy = setting.kind(get_space("darts"), 0, setting.config)
    protocol = strategy.super_protocol
    cells = 6 if name == "drnas" else 2
    assert (protocol.data, protocol.filters, protocol.cells, protocol.validation) == ("cifar10", 24, cells, 0.5)
    assert protocol.batch_size == (256 if name == "pcdarts" else 64)
    if name != "rs_ws":
        rate = {"darts": 3e-4, "gdas": 3e-4}.get(name, 6e-4)
        assert strategy.architecture_rate(391) == rate  # as given
        scaled = Setting.of(name, {"epochs": "250" if name == "gdas" else "50"}).config
        free = setting.kind(get_space("darts"), 0, scaled)
        assert free.architecture_rate(98 if name == "pcdarts" else 391) == pytest.approx(rate, rel=0.01)  # by the rule


RELEASED = {  # 201-space/train_search.py and DARTS-space/train_search.py of github.com/xiangning-chen/DrNAS
    "nasbench201": {"learning_rate": 0.025, "learning_rate_end": 0.001, "architecture_learning_rate": 3e-4}
    | {"epochs": 100, "warmup_epochs": 0, "cells": 5, "filters": 16, "batch_size": 64},
    "darts": {"learning_rate": 0.1, "learning_rate_end": 0.0, "architecture_learning_rate": 6e-4}
    | {"epochs": 50, "warmup_epochs": 10, "cells": 6, "filters": 36, "batch_size": 64},
}


@pytest.mark.parametrize("space", [*RELEASED, "pnas:blocks=2"])
def test_the_papers_settings_of_drnas_are_those_of_its_search_in_the_space(space: str):
    wanted = {"protocol": "nasbench201", "data": "cifar10", **RELEASED.get(space, RELEASED["darts"])}
    assert with_preset(STRATEGIES.get("drnas"), {"preset": "paper"}, None, space=space) == wanted
    assert Setting.of("drnas", {"preset": "paper"}, space=space).config.model_dump(include=set(wanted)) == wanted
    fields = {"strategy": "drnas", "budget": "1 children", "options": {"preset": "paper", "epochs": 7}}
    assert SearchConfig(space=space, **fields).options == {**wanted, "epochs": 7}


def test_twenty_layers_of_darts_are_six_cells_in_each_stage():
    assert len(plan_darts(Scale(cells=6, filters=36, image_size=32, image_channels=3, classes=10)).places) == 20


@pytest.mark.parametrize(
    ("name", "given", "children", "epochs", "wanted"),
    [
        ("darts", {}, 100, 6, {"epochs": 30}),
        ("darts", {"order": "2"}, 200, 6, {"epochs": 20}),
        ("darts", {}, 1, 6, {"epochs": 10}),
        ("darts", {}, 10_000, 6, {"epochs": 50}),
        ("drnas", {}, 100, 6, {"epochs": 30, "warmup_epochs": 6}),
        ("pcdarts", {}, 100, 6, {"epochs": 30, "warmup_epochs": 9}),
        ("pcdarts", {"epochs": "20"}, 100, 6, {"epochs": "20", "warmup_epochs": 6}),
        ("gdas", {}, 100, 6, {"epochs": 150}),
        ("gdas", {}, 10_000, 6, {"epochs": 250}),
        ("rs_ws", {}, 20, 6, {"epochs": 30, "candidates": 600, "finalists": 20}),
        ("rs_ws", {}, 1, 1, {"epochs": 10, "candidates": 200, "finalists": 10}),
        ("rs_ws", {"epochs": "7"}, 20, 20, {"epochs": "7", "candidates": 140, "finalists": 20}),
        ("rs_ws", {"epochs": 3}, 20, 20, {"epochs": 3, "candidates": 100, "finalists": 20}),
        ("rs_ws", {"candidates": 33}, 20, 6, {"epochs": 30, "candidates": 33, "finalists": 20}),
    ],
)
def test_a_super_network_costs_half_of_the_budget(name: str, given, children: int, epochs: int, wanted):
    kind = STRATEGIES.get(name)
    found = with_preset(kind, {"preset": "auto", **given}, children, epochs)
    assert found == {**given, **wanted}
    kind.config_type(**found)


def test_epochs_of_a_child_are_those_of_the_run_or_of_the_option():
    options = {"preset": "auto", "filters": 4}
    fields = {"strategy": "gdas", "budget": "100 children", "options": options, "space": "nasbench201"}
    assert tiny_plan(set={"epochs": 2}, **fields).config.options == {"epochs": 50, "filters": 4}
    assert tiny_plan(set={"epochs": 3}, **fields).config.options == {"epochs": 75, "filters": 4}
    assert Setting.of("gdas", {"preset": "auto"}, children=40.0).config.epochs == 40  # "digits" trains four epochs
    assert Setting.of("gdas", {"preset": "auto", "protocol": "digits201"}, children=40.0).config.epochs == 60
    with pytest.raises(InputError, match="no settings that scale"):
        Setting.of("enas", {"preset": "auto"}, children=40.0)
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        Setting.of("gdas", {"preset": "auto", "protocol": "digit"}, children=40.0)
    with pytest.raises(InputError, match="epochs"):
        Setting.of("drnas", {"preset": "auto", "epochs": "many"}, children=40.0)
