"""Strategies with shared weights: what they train, what they propose, what they are charged."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import nasbench as command
from searching import InterruptedAt, search, stable_rows, tiny_plan

import nasbench
from nasbench.data import load_data
from nasbench.errors import InputError
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.replay.foreign_images import note_on_images
from nasbench.runners.replay.jobs import replay_all
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_one_by_one
from nasbench.runners.replay.rows import tables_of
from nasbench.runners.search.budget import Budget
from nasbench.runners.strategies import STRATEGIES, differentiable, one_shot
from nasbench.runners.strategies.conformance import check_strategy
from nasbench.runners.strategies.one_shot import OneShotStrategy
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.constrained import Counter, Limits, NothingFits, constrained, parse_limits, under_limits
from nasbench.store.query import Results
from nasbench.structures import Counts, Scale
from nasbench.supernets.build import build_mixed_supernetwork
from nasbench.supernets.training import SharedWeightsDiverged
from nasbench.tabular.catalogue import table_file
from nasbench.tabular.tables import read_table

SCALE = Scale(cells=1, filters=4, image_size=8, image_channels=3, classes=3)
TINY = "fake:images=24,size=4,classes=3"
CELLS = "nasnet:blocks=1,combinations=add,operations=identity/sep_conv_3x3"
DIFFERENTIABLE = ("darts", "drnas", "gdas", "pcdarts")
NAMES = (*DIFFERENTIABLE, "rs_ws")


def tiny(name: str, **options: object):
    given: dict[str, object] = {"data": TINY, "filters": 4, "epochs": 1, **options}
    if name == "rs_ws":
        given = {"candidates": 4, "minibatches": 2, "finalists": 2, **given}
    elif name in ("drnas", "pcdarts"):
        given = {"warmup_epochs": 0, **given}
    return STRATEGIES.get(name).config_type(**given)


def made(name: str, spec: str = "nasbench201", seed: int = 0, **options: object) -> OneShotStrategy:
    kind = STRATEGIES.get(name)
    assert issubclass(kind, OneShotStrategy)
    return kind(get_space(spec), seed, tiny(name, **options))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["nasbench201", "darts", "pnas:blocks=1,operations=identity/sep_conv_3x3"])
@pytest.mark.parametrize("name", NAMES)
def test_conformance(name: str, spec: str):
    check_strategy(STRATEGIES.get(name), get_space(spec), seed=1, config=tiny(name), children=5)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_asks_for_the_same_whatever_the_global_generators_did(name: str):
    torch.manual_seed(1)
    first = [made(name).ask()]
    torch.manual_seed(2)
    state = torch.get_rng_state()
    strategy = made(name)
    assert [strategy.ask()] == first
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", NAMES)
def test_spaces_without_a_super_network_are_refused_before_anything_is_trained(name: str):
    for spec in ("nasbench101", "nasnet:blocks=2"):
        with pytest.raises(InputError, match="combinations=add"):
            STRATEGIES.get(name)(get_space(spec), 0)


def test_only_single_paths_of_the_macro_space_have_a_super_network():
    with pytest.raises(
        InputError, match="no super-network of mixed operations; nasbench201, darts and spaces of cells"
    ):
        made("darts", "enas-macro:layers=3")
    assert made("rs_ws", "enas-macro:layers=3").ask() is not None


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_first_proposal_is_the_derived_cell_and_weights_fall(name: str):
    strategy = made(name)
    asked = [strategy.ask() for _ in range(5)]
    weights, _ = strategy.trained.weights()
    assert asked[0].choices == tuple(int(each.argmax()) for each in weights)
    products = [
        np.prod([each[choice] for each, choice in zip(weights, architecture.choices)]) for architecture in asked
    ]
    assert products == sorted(products, reverse=True)
    assert len({each.hash for each in asked}) == 5
    assert made(name, seed=1).ask() != asked[0]


def learned(strategy: OneShotStrategy, *favoured: str) -> SimpleNamespace:
    """A super-network that learned to favour some operations, as what `_derive` reads of it."""
    network = build_mixed_supernetwork(strategy.space, SCALE)
    rng = np.random.default_rng(0)
    shares = [np.array([8.0 if label in favoured else 1.0 for label in labels]) for labels in network.choices]
    weights = [each * rng.uniform(0.9, 1.1, len(each)) for each in shares]
    return SimpleNamespace(network=network, weights=lambda: (weights, ()))


def under(strategy_name: str, spec: str, limits: str) -> OneShotStrategy:
    return STRATEGIES.get(strategy_name)(under_limits(get_space(spec), limits, SCALE), 0, tiny(strategy_name))


class Convolutions(Counter):
    """Counts the edges with a convolution as parameters."""

    def counts(self, architecture: Architecture) -> Counts:
        return Counts(sum(choice in (2, 3) for choice in architecture.choices), 0)


def test_limits_that_only_the_last_architectures_satisfy_are_searched_to_the_end():
    """3^6 of 5^6 encodings have no convolution; where convolutions weigh most, all 14,896 others are before them."""
    view = constrained(get_space("nasbench201"), Limits(parse_limits("params < 1"), Convolutions()))
    strategy = STRATEGIES.get("darts")(view, 0, tiny("darts"))
    state = learned(strategy, "nor_conv_1x1", "nor_conv_3x3")
    ranked = list(state.network.ranked(*state.weights()))
    assert [view.allows(each) for each in ranked].index(True) > 10_000
    wanted = list(dict.fromkeys(each.hash for each in ranked if view.allows(each)))
    assert [strategy._derive(state)[0].hash for _ in wanted] == wanted
    assert strategy._derive(state) == []


def test_where_the_heaviest_do_not_fit_the_heaviest_of_random_ones_follow(monkeypatch):
    monkeypatch.setattr(differentiable, "LOOKED_AT", 200)
    space, rng = get_space("enas-micro"), np.random.default_rng(0)
    params = [space.count(space.random(rng), SCALE).params for _ in range(300)]
    strategy = under("gdas", "enas-micro", f"params <= {int(np.quantile(params, 0.1))}")
    state = learned(strategy, "sep_conv_5x5")
    found = [strategy._derive(state)[0] for _ in range(30)]
    assert len({each.hash for each in found}) == 30
    assert all(strategy.space.allows(each) for each in found)
    assert state.network.by_weight(found, *state.weights()) == found
    again = under("gdas", "enas-micro", f"params <= {int(np.quantile(params, 0.1))}")
    assert [again._derive(state)[0] for _ in range(30)] == found


def test_limits_that_nothing_satisfies_say_what_was_tried():
    strategy = under("darts", "nasbench201", "params > 1G")
    with pytest.raises(NothingFits, match=r"10,000 drawn in a row do not.* none in a row of up to 15,625 fits"):
        strategy._derive(learned(strategy))


def test_rs_ws_proposes_finalists_by_all_validation_images():
    strategy = made("rs_ws", candidates=8, finalists=3)
    asked = list(islice(iter(strategy.ask, None), 16))
    shared = strategy.shared_weights
    scores = [shared.validation_accuracy(each) for each in asked]
    assert scores[:3] == sorted(scores[:3], reverse=True)
    assert scores[8:11] == sorted(scores[8:11], reverse=True)
    assert len({each.hash for each in asked}) == 16


@pytest.mark.parametrize(
    ("minibatch", "sizes"),
    [
        (4, [3, 3, 4, 3, 4, 4, 4]),  # not six times 4 and 1
        (5, [5] * 5),
        (2, [2] * 11 + [3]),  # 13 parts would be of 1 or 2 images
        (25, [25]),
        (100, [25]),
        (1, [1] * 25),
    ],
)
def test_parts_of_the_validation_images_differ_by_one_at_most(minibatch: int, sizes: list[int]):
    strategy = made("rs_ws", data="fake:images=50,size=8,classes=3", minibatch=minibatch, filters=2)
    strategy.ask()
    shared = strategy.shared_weights
    found: list[int] = []
    shared._hits = lambda architecture, images, labels: found.append(len(labels)) or len(labels)
    assert shared.validation_accuracy(strategy.space.decode([0] * 6)) == 1.0
    assert sorted(found) == sorted(sizes)
    whole = torch.cat([labels for _, labels in shared.validation.parts(len(found))])
    assert torch.equal(whole, shared.validation.labels)


def test_no_part_is_of_one_image_where_batch_norms_see_one_pixel_of_it():
    strategy = made("rs_ws", data="fake:images=50,size=4,classes=3", minibatch=4, filters=2)
    assert strategy.ask() is not None
    accuracies = strategy.score([strategy.space.decode([choice] * 6) for choice in (2, 3)])
    assert all(0 <= each <= 1 for each in accuracies)


@pytest.mark.parametrize("name", [*NAMES, "enas"])
def test_the_searches_that_ship_are_scored_on_parts_of_equal_sizes(name: str):
    """600 validation images of digits201-2, so that their scores are those of batches of one size."""
    protocol = get_protocol("digits201-2")
    _, validation = load_data(protocol.data).split(0.5, protocol.split_seed)
    size = STRATEGIES.get(name).config_type().model_dump().get("minibatch", protocol.batch_size)
    assert len(validation) == 600
    assert 600 % -(-600 // size) == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_a_space_without_news_ends_the_search(name: str):
    space = "pnas:blocks=1,operations=identity"
    asked = list(iter(made(name, space).ask, None))
    assert 1 <= len(asked) == len({each.hash for each in asked}) <= 4


def test_parameters_rest_in_the_warm_up():
    strategy = made("drnas", epochs=3, warmup_epochs=2)
    strategy.ask()
    first, resting, learned = strategy.trained.history
    assert all(np.array_equal(one, other) for one, other in zip(first, resting))
    assert not np.array_equal(resting[0], learned[0])


def test_a_warm_up_of_all_epochs_is_refused_before_anything_is_trained():
    """With the default warm-up and few epochs, the cell would be that of the random start."""
    for name, options, told in (
        ("pcdarts", {"epochs": 10, "warmup_epochs": 15}, "at most warmup_epochs=9"),
        ("darts", {"epochs": 1, "warmup_epochs": 1}, "at most warmup_epochs=0"),
    ):
        with pytest.raises(InputError, match=told):
            made(name, **options)


def test_second_order_learns_other_weights():
    assert Setting.of("darts", {"order": "2"}).config.order == 2  # as text, from the command line
    first, second = made("darts", order=1), made("darts", order=2)
    first.ask(), second.ask()
    assert not torch.equal(first.trained.parameters, second.trained.parameters)


def test_divergence_is_named():
    with pytest.raises(SharedWeightsDiverged, match="lower the strategy's learning rate"):
        made("darts", learning_rate=1e30, clip_norm=0, epochs=3).ask()


def test_a_share_that_does_not_divide_the_filters_is_one_line():
    with pytest.raises(InputError, match="channel_share=3 does not divide the 4 filters"):
        made("pcdarts", channel_share=3).ask()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"batch_size": 1}, "give a larger batch_size"),
        ({"validation": 0.99}, "make batches of one"),
        ({"validation": 0.01}, "two validation images or more, not 1"),
    ],
)
def test_batches_of_one_image_are_one_line(options, told: str):
    with pytest.raises(InputError, match=told):
        made("darts", **options).ask()


@pytest.mark.filterwarnings("error")
def test_weights_that_fall_to_zero_come_last():
    strategy = made("darts", architecture_learning_rate=1e30)
    asked = [strategy.ask() for _ in range(3)]
    weights, _ = strategy.trained.weights()
    assert any((each == 0).any() for each in weights)
    assert asked[0].choices == tuple(int(each.argmax()) for each in weights)


def test_half_of_the_training_images_score_architectures():
    strategy = made("rs_ws")
    strategy.ask()
    shared = strategy.shared_weights
    assert len(shared.validation) == len(shared.images)
    whole = made("rs_ws", validation=0)
    assert whole.super_protocol.validation == 0.75  # that of digits


REPLACED = {
    "data": TINY,
    "train_images": 5,
    "split_seed": 5,
    "batch_size": 6,
    "flip": True,
    "whiten": False,
    "filters": 4,
    "dropout": 0.2,
    "label_smoothing": 0.1,
    "precision": "bfloat16",
}


@pytest.mark.parametrize("name", [*NAMES, "enas"])
def test_a_super_network_has_the_protocol_of_its_run_but_for_the_options(name: str):
    own = {"optimizer", "learning_rate", "momentum", "weight_decay", "clip_norm", "validation", "name"}
    own |= {"dropout"} if name == "enas" else set()
    plan = tiny_plan(strategy=name, space="nasbench201", set=REPLACED, options={"epochs": 20})
    found = plan.strategy().super_protocol
    assert found.model_dump(exclude=own) == plan.protocol.model_dump(exclude=own)
    assert (found.train_images, found.batch_size, found.whiten) == (5, 6, False)
    larger = tiny_plan(strategy=name, space="nasbench201", set=REPLACED, options={"epochs": 20, "batch_size": 8})
    assert larger.strategy().super_protocol.batch_size == 8  # an option wins
    other = tiny_plan(strategy=name, space="nasbench201", set=REPLACED, options={"epochs": 20, "protocol": "digits201"})
    assert other.strategy().super_protocol.train_images == get_protocol("digits201").train_images == 0


def test_a_super_network_of_a_run_without_changes_is_that_of_the_named_protocol():
    plan = tiny_plan(strategy="darts", space="nasbench201", protocol="digits201", set={})
    alone = STRATEGIES.get("darts").config_type(protocol="digits201")
    named = STRATEGIES.get("darts")(get_space("nasbench201"), 0, alone)
    assert plan.strategy().super_protocol == named.super_protocol
    assert "_of_the_run" not in plan.options.model_dump()


def test_a_super_network_learns_from_as_many_images_as_the_children_of_its_run():
    plan = tiny_plan(strategy="rs_ws", space="nasbench201", set=REPLACED, options={"epochs": 1, "candidates": 1})
    strategy = plan.strategy()
    strategy.ask()
    assert len(strategy.shared_weights.images) == 5


def test_a_replay_charges_the_super_network_and_looks_children_up():
    table = read_table(table_file("digits201"))
    options = tiny("gdas").model_dump(exclude_defaults=True)
    setting = Setting.of("gdas", options)
    found = replay(table, setting, [0, 1], ReplayBudget(Budget.parse("3 children"), 1.0))
    assert (found.searcher[:, 0] > 0.001).all()
    assert found.codes.shape == (2, 3)
    np.testing.assert_allclose(found.costs, table.seconds[found.codes] + found.searcher)
    np.testing.assert_allclose(found.seconds[:, -1], found.costs.sum(axis=1))
    (together,) = replay_all(table, [setting], [0, 1], found.budget, 1, lambda *_: None)
    assert together.codes.tolist() == found.codes.tolist()
    rows = tables_of([found])
    hours = found.searcher.sum(axis=1) / 3600
    np.testing.assert_allclose(rows.runs["supernet_hours"], hours)
    np.testing.assert_allclose(rows.runs["usd"], hours + rows.runs["cached_hours"])
    np.testing.assert_allclose(rows.children["searcher_seconds"][:6], found.searcher.ravel())
    with pytest.raises(InputError, match="without --children-at-once"):
        replay(table, setting, [0], found.budget, devices=2)


@pytest.mark.parametrize("unit", ["s", "gpu-seconds"])
@pytest.mark.parametrize(("budget", "children"), [(499, 0), (1200, 2), (5000, 9)])
def test_seconds_of_shared_weights_use_up_a_replays_budget(monkeypatch, budget, children, unit):
    """By the clock here, each proposal takes 500 seconds of shared weights; a child of the table takes about one."""

    class Shared(STRATEGIES.get("random")):
        charged_as = "supernet"

    table = read_table(table_file("digits201"))
    assert table.seconds.max() < 20
    readings = count(0, 500)
    monkeypatch.setattr("nasbench.runners.replay.replay.reading", lambda clock: next(readings))
    setting = replace(Setting.of("random", {}), kind=Shared)
    found = replay_one_by_one(table, setting, [0], ReplayBudget(Budget.parse(f"{budget} {unit}")))
    assert found.codes.shape == (1, children)
    assert found.searcher.tolist() == [[500.0] * children]


@pytest.mark.parametrize(("threads", "clock"), [(1, "processor"), (2, "held")])
def test_processor_time_is_charged_where_it_is_the_time_of_one_device(monkeypatch, threads, clock):
    original = one_shot.overridden
    monkeypatch.setattr(one_shot, "overridden", lambda *given: original(*given).model_copy(update={"threads": threads}))
    table, read = read_table(table_file("digits201")), []
    monkeypatch.setattr("nasbench.runners.replay.replay.reading", lambda clock: read.append(clock) or 0.0)
    setting = Setting.of("gdas", tiny("gdas").model_dump(exclude_defaults=True))
    replay(table, setting, [0], ReplayBudget(Budget.parse("1 children")))
    assert set(read) == {clock}


def test_shared_scores_are_compared_with_those_of_a_file(tmp_path):
    search(tiny_plan(space=CELLS, budget="4 children"), tmp_path / "a.h5")
    given = "gdas:epochs=1,batch_size=300"
    shown = command(
        *("score", str(tmp_path / "a.h5"), "--correlate", "--shared", given, "--shared", "gdas:epochs=1,filters=2"),
        *("--shared", "gdas:epochs=1,protocol=digits201,filters=2,cells=2", "-o", str(tmp_path / "a.csv")),
    )
    assert "kendall" in shown.out
    assert given in (tmp_path / "a.csv").read_text()
    runs = "data fake:images=96,size=8,classes=3, cells 1, filters"  # those of the file: `tiny_plan`
    assert f"{runs} 4\n" in shown.err
    assert f"{runs} 2\n" in shown.err
    assert "protocol digits201+, data digits, cells 2, filters 2\n" in shown.err
    file = str(tmp_path / "a.h5")
    for words, told in (
        ((file, "--correlate", "--shared", "random"), "shares no weights"),
        ((file, "--correlate", "--shared", "dartz"), "did you mean 'darts'"),
        ((file, "--correlate", "--shared", given, "--shared", "random"), "shares no weights"),
        ((file, "--shared", "darts"), "--shared goes with --correlate"),
    ):
        wrong = command("score", *words)
        assert wrong.code == 2
        assert told in wrong.err


def test_files_of_several_protocols_need_one_for_the_super_network(tmp_path):
    search(tiny_plan(space=CELLS, budget="1 children"), tmp_path / "a.h5")
    other = {"data": TINY, "epochs": 1, "filters": 2, "validation": 0.5}
    search(tiny_plan(space=CELLS, budget="1 children", set=other), tmp_path / "b.h5")
    wrong = command("score", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), "--correlate", "--shared", "darts")
    assert wrong.code == 2
    assert "say which one to score with: --shared darts:protocol=NAME" in wrong.err


@pytest.mark.parametrize(
    ("name", "options", "data", "noted"),
    [
        ("darts", {}, "digits", False),
        ("darts", {"protocol": "digits201"}, "digits", False),
        ("darts", {}, "cifar10", True),
        ("rs_ws", {"data": TINY}, "digits", True),
        ("rs_ws", {"data": TINY}, "fake", False),
        ("random", {}, "cifar10", False),
    ],
)
def test_a_replay_says_where_a_super_network_learns_from_other_images(name, options, data, noted):
    said = note_on_images(Setting.of(name, options), data)
    assert bool(said) == noted
    own = "fake" if "data" in options else "digits"
    assert not noted or f"its super-network is trained on {own}, and the table is of {data}" in said


def test_both_ways_to_replay_say_so():
    given = "rs_ws:data=fake,epochs=1,filters=2,candidates=1,minibatches=1,finalists=1"
    with pytest.warns(UserWarning, match="is trained on fake, and the table is of digits"):
        nasbench.replay("digits201", given, seeds=1, budget="1 children", progress=False)
    shown = command("replay", "--table", "digits201", "--strategy", given, "--seeds", "1", "--budget", "1 children")
    assert "is trained on fake, and the table is of digits" in shown.err


def plan(name: str, **fields: object):
    options = tiny(name).model_dump(exclude_defaults=True)
    data = {"data": TINY, "epochs": 1, "filters": 2, "validation": 0.5}
    return tiny_plan(**{"strategy": name, "space": CELLS, "options": options, "set": data, **fields})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_uninterrupted_and_is_charged_once(tmp_path, name: str):
    asked = plan(name, budget="4 children", final="best")
    search(asked, tmp_path / "whole.h5")
    with pytest.raises(KeyboardInterrupt):
        search(asked, tmp_path / "parts.h5", InterruptedAt(2))
    run = search(asked, tmp_path / "parts.h5")
    assert stable_rows(tmp_path / "parts.h5") == stable_rows(tmp_path / "whole.h5")
    rows = Results(str(tmp_path / "parts.h5")).frame(stage="search")
    assert run.ledger.device_seconds["supernet"] == pytest.approx(rows["searcher_seconds"].sum())
    assert rows["searcher_seconds"].iloc[0] > rows["searcher_seconds"].iloc[1:].sum()
    assert run.ledger.device_seconds["searcher"] == 0
