"""ENAS: what it trains, what it asks for, what it is charged."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from searching import InterruptedAt, search, stable_rows, tiny_plan

from nasbench.errors import InputError
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.conformance import check_strategy
from nasbench.runners.strategies.enas import Enas, EnasConfig, Policy, make_shared_weights, skip_divergence
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.supernets.training import PathNesterov, SharedWeightsDiverged, cosine_restarts
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child
from nasbench.training.loop import reproducible

TINY = "fake:images=24,size=4,classes=3"
CPU = torch.device("cpu")
MICRO = "enas-micro:blocks=1"


def tiny(**options: object) -> EnasConfig:
    given = {"data": TINY, "filters": 2, "epochs": 1, "minibatch": 6, "hidden": 8, "candidates": 4}
    return EnasConfig(**{**given, "controller_steps": 2, "aggregate": 2, **options})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("spec", [MICRO, "enas-macro:layers=3,operations=conv_3x3/max_pool_3x3"])
def test_conformance(spec: str):
    check_strategy(Enas, get_space(spec), seed=1, config=tiny(), children=6)


@pytest.mark.parametrize("spec", ["nas:layers=3", "nasbench101", "nasnet:blocks=2"])
def test_spaces_without_a_super_network_are_refused_before_anything_is_trained(spec: str):
    with pytest.raises(InputError, match="combinations=add"):
        Enas(get_space(spec), 0)


def test_different_seeds_ask_for_different_architectures():
    asked = [
        [strategy.ask() for _ in range(4)] for strategy in (Enas(get_space(MICRO), seed, tiny()) for seed in (0, 1))
    ]
    assert asked[0] != asked[1]


def test_candidates_are_asked_for_best_first_and_each_hash_once():
    strategy = Enas(get_space(MICRO), 0, tiny(candidates=8, minibatch=12))
    asked = [strategy.ask() for _ in range(16)]
    assert len({architecture.hash for architecture in asked}) == 16
    shared, _ = strategy.trained
    replayed = Enas(get_space(MICRO), 0, tiny(candidates=8, minibatch=12))
    with reproducible(
        CPU, 1
    ):  # the minibatch that the first pool was scored on is the next one of an equal search before it
        replayed.trained = replayed._train()
        minibatch = replayed.trained[0].minibatch()
        scores = [shared.accuracy(architecture, minibatch) for architecture in asked[:8]]
    assert len(set(scores)) > 1
    assert all(better >= worse for better, worse in pairwise(scores))


def test_a_space_without_news_ends_the_search():
    space = get_space("enas-micro:blocks=1,operations=identity")
    strategy = Enas(space, 0, tiny(tanh_constant=0))
    asked = list(iter(strategy.ask, None))
    assert len({architecture.hash for architecture in asked}) == len(asked)
    assert len(asked) <= space.size
    assert strategy.ask() is None


@pytest.mark.slow
def test_shared_weights_of_one_path_learn_as_a_child_does():
    space = get_space(MICRO)
    architecture = space.random(np.random.default_rng(0))
    protocol = get_protocol("digits", {"data": "fake:images=96,size=8,classes=4", "filters": 4, "validation": 0.5})
    with reproducible(CPU, 1):
        shared = make_shared_weights(space, protocol, 0, 48)
        losses = [shared.train_epoch([architecture] * shared.images.steps, 0.05) for _ in range(6)]
        accuracy = shared.validation_accuracy(architecture)
    child = evaluate(Child(architecture, protocol.model_copy(update={"epochs": 20}), 0))
    assert losses[-1] < 0.5 * losses[0]
    assert min(accuracy, child.val_acc) > 0.9


def test_a_step_moves_the_weights_of_its_path_only():
    space = get_space(MICRO)
    rng = np.random.default_rng(0)
    first, second = space.random(rng), space.random(rng)
    with reproducible(CPU, 1):
        shared = make_shared_weights(space, get_protocol("digits", {"data": TINY, "filters": 2}), 0, 6)
        shared.train_epoch([first] * shared.images.steps, 0.1)  # leaves velocities that must not move anything later
        before = {name: weight.clone() for name, weight in shared.network.named_parameters()}
        shared.train_epoch([second] * shared.images.steps, 0.1)
        moved = {name for name, weight in shared.network.named_parameters() if not torch.equal(weight, before[name])}
        shared.network.zero_grad()
        shared.network(shared.minibatch()[0], second).sum().backward()
    on_path = {name for name, weight in shared.network.named_parameters() if weight.grad is not None}
    assert moved <= on_path
    assert len(moved) > 10


def test_path_nesterov_is_nesterov_where_every_weight_is_used():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizers = (
        PathNesterov([ours], momentum=0.9, weight_decay=0.01),
        torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    )
    for _ in range(4):
        gradient = torch.randn(3)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizers[0].step(0.1)
        optimizers[1].step()
    torch.testing.assert_close(ours, theirs)


def test_minibatches_go_through_all_validation_images_in_turn():
    with reproducible(CPU, 1):
        protocol = get_protocol("digits", {"data": TINY, "filters": 2, "validation": 0.5})
        shared = make_shared_weights(get_space(MICRO), protocol, 0, 5)
        assert len(shared.validation) == 12
        seen = [shared.minibatch() for _ in range(2)]
        assert all(len(labels) == 5 for _, labels in seen)
        images = torch.cat([images for images, _ in seen]).flatten(1)
        assert len(images.unique(dim=0)) == 10
        assert len(shared.minibatch()[1]) == 5  # a new order


def test_divergence_is_named():
    with pytest.raises(SharedWeightsDiverged, match="lower the strategy's learning rate"):
        Enas(get_space(MICRO), 0, tiny(learning_rate=1e30, epochs=3)).ask()


def test_cosine_restarts():
    rates = cosine_restarts(70, 0.05, 0.0005, 10, 2)
    assert len(rates) == 70
    assert [rate for rate in rates if rate == 0.05] == [rates[0], rates[10], rates[30]] == [0.05] * 3
    assert rates[5] == pytest.approx((0.05 + 0.0005) / 2)
    assert rates[20] == pytest.approx((0.05 + 0.0005) / 2)
    assert rates[69] == pytest.approx(0.0005 + 0.0495 * (1 + math.cos(math.pi * 39 / 40)) / 2)
    assert cosine_restarts(3, 1.0, 0.0, 1, 1) == [1.0] * 3


def test_skip_divergence_against_its_closed_form():
    probabilities = np.array([[0.1, 0.4], [0.5, 0.4], [0.9, 0.4]])
    logits = torch.from_numpy(np.log(probabilities / (1 - probabilities))).float()
    expected = (
        probabilities * np.log(probabilities / 0.4) + (1 - probabilities) * np.log((1 - probabilities) / 0.6)
    ).sum(0)
    found = skip_divergence(logits, 0.4)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert found[1] == pytest.approx(0, abs=1e-6)
    assert skip_divergence(torch.tensor([[200.0], [-200.0]]), 0.4).isfinite().all()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_the_skip_penalty_draws_skips_to_its_rate(rate: float):
    space = get_space("enas-macro:layers=6")
    options = tiny(skip_rate=rate, skip_weight=5.0, controller_learning_rate=0.02, aggregate=8, tanh_constant=5.0)

    class Indifferent:
        def accuracy(self, architecture: object, minibatch: object) -> float:
            return 0.5

        def minibatch(self) -> None:
            return None

    policy = Policy(space, 0, options)
    for _ in range(60):
        policy.learn(Indifferent())
    skips = [index for index, decision in enumerate(space.decisions) if decision.kind == "skip"]
    share = np.array([architecture.choices for architecture in policy.sample(100)])[:, skips].mean()
    assert abs(share - rate) < 0.1


def test_the_controller_learns_what_scores_well():
    space = get_space("enas-micro:blocks=2")
    good = space.grammar.operations.index("sep_conv_3x3")
    operations = [index for index, decision in enumerate(space.decisions) if decision.group == "operation"]

    class LikesSeparable:
        def accuracy(self, architecture, minibatch) -> float:
            return float(np.mean([architecture.choices[index] == good for index in operations]))

        def minibatch(self) -> None:
            return None

    policy = Policy(space, 0, tiny(controller_learning_rate=0.02, aggregate=20, tanh_constant=5.0))

    def share() -> float:
        return float(np.mean([LikesSeparable().accuracy(architecture, None) for architecture in policy.sample(100)]))

    before = share()
    for _ in range(40):
        policy.learn(LikesSeparable())
    assert share() > before + 0.3


def enas_plan(**fields: object):
    options = tiny().model_dump(exclude_defaults=True)
    data = {"data": TINY, "epochs": 1, "filters": 2, "validation": 0.5}
    return tiny_plan(**{"strategy": "enas", "space": MICRO, "options": options, "set": data, **fields})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("at", [0, 2, 5])
def test_resumed_equals_uninterrupted_and_is_charged_once(tmp_path, at: int):
    plan = enas_plan(budget="5 children", final="best")
    search(plan, tmp_path / "whole.h5")
    with pytest.raises(KeyboardInterrupt):
        search(plan, tmp_path / "parts.h5", InterruptedAt(at))
    run = search(plan, tmp_path / "parts.h5")
    assert stable_rows(tmp_path / "parts.h5") == stable_rows(tmp_path / "whole.h5")
    rows = Results(str(tmp_path / "parts.h5")).frame(stage="search")
    assert run.ledger.device_seconds["supernet"] == pytest.approx(rows["searcher_seconds"].sum())
    assert rows["searcher_seconds"].iloc[0] > rows["searcher_seconds"].iloc[1:].sum()


@pytest.mark.slow
def test_an_interrupt_in_the_middle_of_the_training_passes_through(tmp_path, monkeypatch):
    plan = enas_plan(budget="3 children")
    search(plan, tmp_path / "whole.h5")

    def interrupt(self, shared):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Policy, "learn", interrupt)
        with pytest.raises(KeyboardInterrupt):
            search(plan, tmp_path / "parts.h5")
    assert Results(str(tmp_path / "parts.h5")).runs()["status"].tolist() == ["interrupted"]
    search(plan, tmp_path / "parts.h5")
    assert stable_rows(tmp_path / "parts.h5") == stable_rows(tmp_path / "whole.h5")


def test_a_budget_that_the_super_network_exceeds_ends_with_an_uncounted_child(tmp_path):
    run = search(enas_plan(budget="0.001 gpu-seconds"), tmp_path / "a.h5")
    rows = Results(str(tmp_path / "a.h5")).frame(stage="search")
    assert rows["counted"].tolist() == [False]
    assert run.ledger.spent == 0
    assert Results(str(tmp_path / "a.h5")).runs()["status"].tolist() == ["complete"]


def test_it_is_registered():
    assert STRATEGIES.get("enas") is Enas
