"""Searches by predictors: what they learn, what they choose, and that they find good architectures sooner than chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from nasbench.errors import InputError
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.bananas import Bananas, BananasConfig
from nasbench.runners.strategies.conformance import check_strategy, converse, made_up_outcome, made_up_score
from nasbench.runners.strategies.gp import GaussianProcess, GpConfig
from nasbench.runners.strategies.npenas import Npenas, NpenasConfig
from nasbench.runners.strategies.parego import Parego, ParegoConfig
from nasbench.runners.strategies.predictors.acquisitions import acquire
from nasbench.runners.strategies.predictors.gaussian_process import ArchitectureProcess
from nasbench.runners.strategies.predictors.regressors import Boosting, Forest, MlpEnsemble, Regressor
from nasbench.spaces import get_space

QUICK = {"ensemble": 3, "layers": 2, "epochs": 40}


def made_up_accuracy(architecture) -> float:
    """Convolutions of 3x3 help, zeros hurt: what a cell of NAS-Bench-201 roughly follows."""
    worth = (-1.0, 0.3, 0.6, 1.0, 0.1)
    return 0.5 + sum(worth[choice] * (1 + place / 5) for place, choice in enumerate(architecture.choices)) / 30


@pytest.mark.parametrize("regressor", [MlpEnsemble(3, 2, 20, 40, 32, 0.02), Forest(40), Boosting(3, 40)])
def test_predictors_learn_a_linear_function(regressor: Regressor):
    rng = np.random.default_rng(0)
    inputs = rng.integers(2, size=(150, 8)).astype(float)
    rewards = 0.3 + inputs @ np.linspace(0.0, 0.1, 8)
    regressor.fit(inputs[:120], rewards[:120], rng)
    members = regressor.predict(inputs[120:])
    assert members.shape[1] == 30
    assert len(members) > 1
    assert spearmanr(members.mean(axis=0), rewards[120:]).statistic > 0.9
    assert abs(members.mean(axis=0) - rewards[120:]).max() < 0.15


def test_mape_weighs_by_the_distance_from_the_bound():
    """Two rows of equal features and rewards 0.5 and 0.9: the error of the second one weighs five times as much."""
    inputs, rewards = np.ones((2, 1)), np.array([0.5, 0.9])
    means = {}
    for loss in ("mae", "mape"):
        regressor = MlpEnsemble(1, 1, 8, 250, 2, 0.02, loss)
        regressor.fit(inputs, rewards, np.random.default_rng(0))
        means[loss] = float(regressor.predict(inputs)[0, 0])
    assert means["mape"] == pytest.approx(0.9, abs=0.03)
    assert 0.45 < means["mae"] < 0.95


@pytest.mark.parametrize("count", [1, 3, 4])
def test_equal_targets_leave_predictions_uncertain_whatever_their_number(count: int):
    """The mean of three times 0.1 is not 0.1: the deviation of 1e-17 must not become the scale of all predictions."""
    space, rng = get_space("nasbench201"), np.random.default_rng(2)
    known, new = [space.random(rng) for _ in range(count)], [space.random(rng) for _ in range(5)]
    targets = np.full(count, 0.1)
    for kernel in ("wl", "hamming"):
        mean, deviation = ArchitectureProcess(kernel).posterior(known, targets, new)  # type: ignore[arg-type]
        assert mean == pytest.approx(0.1)
        assert deviation.min() > 1e-4
    network = MlpEnsemble(3, 2, 20, 1, 32, 0.001)
    network.fit(rng.random((count, 4)), targets, rng)
    assert network.predict(rng.random((5, 4))).std(axis=0).min() > 1e-4


def test_acquisitions_by_their_formulas():
    mean, deviation = np.array([0.2, 0.5, 0.4]), np.array([0.1, 0.2, 0.3])
    members = np.stack([mean - 1, mean + 1])
    rng = np.random.default_rng(0)
    gain = (mean - 0.45) / deviation
    ei = (mean - 0.45) * norm.cdf(gain) + deviation * norm.pdf(gain)
    np.testing.assert_allclose(acquire("ei", mean, deviation, 0.45, members, rng), ei)
    np.testing.assert_allclose(acquire("pi", mean, deviation, 0.45, members, rng), norm.cdf(gain))
    np.testing.assert_allclose(acquire("ucb", mean, deviation, 0.45, members, rng), mean + 0.5 * deviation)
    np.testing.assert_array_equal(acquire("mean", mean, deviation, 0.45, members, rng), mean)
    assert any((acquire("ts", mean, deviation, 0.45, members, rng) == each).all() for each in members)
    drawn = np.stack([acquire("its", mean, deviation, 0.45, members, rng) for _ in range(2000)])
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, atol=0.02)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1  # independently for each candidate


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (Bananas, BananasConfig(**QUICK)),
        (Npenas, NpenasConfig(**QUICK)),
        (GaussianProcess, GpConfig(batch=10)),
        (GaussianProcess, GpConfig(batch=10, kernel="hamming", target="accuracy")),
        (Bananas, BananasConfig(predictor="forest", trees=30)),
        (Npenas, NpenasConfig(predictor="boosting", trees=30, ensemble=2, sampling=True)),
    ],
)
def test_finds_better_architectures_than_chance(kind, config):
    space = get_space("nasbench201")
    asked = converse(kind(space, 1, config), 60, score=made_up_accuracy).proposals
    assert len({child.hash for child in asked}) == len(asked) == 60
    first, last = ([made_up_accuracy(child) for child in part] for part in (asked[:10], asked[-10:]))
    assert np.mean(last) > np.mean(first) + 0.1
    chance = [space.random(np.random.default_rng(seed)) for seed in range(60)]
    assert max(map(made_up_accuracy, asked)) > np.quantile(list(map(made_up_accuracy, chance)), 0.95)


@pytest.mark.parametrize("name", ["bananas", "npenas", "gp"])
def test_waits_for_all_outcomes_of_a_batch_and_needs_no_order(name: str):
    """However many children are trained at once, and in whatever order they end, the same ones are proposed."""
    kind = STRATEGIES.get(name)
    options = {"initial": 4, "batch": 3, "candidates": 12}
    options |= {"ensemble": 2, "layers": 1, "epochs": 3} if name != "gp" else {}
    space, config = get_space("nasbench201"), kind.config_type(**options)
    alone = converse(kind(space, 2, config), 13).proposals
    strategy = kind(space, 2, config)
    asked = []
    for size in (4, 3, 3, 3):
        batch = [strategy.ask() for _ in range(size)]
        for place in reversed(range(size)):
            assert strategy.ask() is None
            score = made_up_score(batch[place])
            strategy.tell(made_up_outcome(len(asked) + place, batch[place], score))
        asked += batch
    assert asked == alone


def test_candidates_are_mutations_of_the_best_children():
    """Of the best one, and of the next ones while candidates are missing: five at most."""
    space = get_space("nasbench201")
    strategy = Bananas(space, 0, BananasConfig(candidates=10, **QUICK))
    asked = converse(strategy, 10, score=made_up_accuracy).proposals
    best = sorted(asked, key=made_up_accuracy, reverse=True)
    pool = strategy.pool(best)
    assert len(pool) >= 10
    changes = [[sum(a != b for a, b in zip(child.choices, parent.choices)) for parent in best[:5]] for child in pool]
    assert all(1 in row for row in changes)
    assert sum(row[0] == 1 for row in changes) >= 5


@pytest.mark.parametrize("optimizer", ["random", "mutation_random"])
def test_other_candidates(optimizer: str):
    config = BananasConfig(optimizer=optimizer, candidates=10, initial=5, batch=10, **QUICK)
    space = get_space("nasbench201")
    strategy = Bananas(space, 0, config)
    asked = converse(strategy, 5, score=made_up_accuracy).proposals
    pool = strategy.pool(sorted(asked, key=made_up_accuracy, reverse=True))
    mutated = [each for each in pool if any(each in space.neighbours(parent) for parent in asked)]
    assert len(pool) >= (10 if optimizer == "random" else 20)
    assert len(mutated) >= (10 if optimizer == "mutation_random" else 0)
    assert len(mutated) < len(pool)
    assert len({each.hash for each in pool} | {each.hash for each in asked}) == len(pool) + 5


@pytest.mark.parametrize(
    ("options", "rated"),
    [
        ({"optimizer": "mutation_random", "candidates": 6, "batch": 20}, 20),  # up to 12 candidates, filled to a batch
        ({"optimizer": "mutation", "parents": 3, "candidates": 20, "batch": 25}, 25),  # 6 of each parent, up to 24
        ({"optimizer": "mutation", "candidates": 6, "batch": 20}, 6),  # all that are asked for: a smaller batch
        ({"optimizer": "random", "candidates": 30, "batch": 20}, 30),
    ],
)
def test_a_batch_larger_than_its_candidates_is_filled_with_random_ones(monkeypatch, options, rated: int):
    pools: list[int] = []

    def rank(self, trained, pool):
        pools.append(len(pool))
        if len(pool) > 100:
            raise AssertionError("nearly the whole space is a candidate")
        return [0.0] * len(pool)

    monkeypatch.setattr(Bananas, "rank", rank)
    converse(Bananas(get_space("darts"), 0, BananasConfig(initial=4, **options)), 5)
    assert pools == [rated]


def test_no_draw_is_taken_where_none_is_wanted():
    strategy = Bananas(get_space("nasbench201"), 0)
    endless = iter(lambda: pytest.fail("drawn"), None)
    assert strategy.new_ones(endless, 0) == strategy.new_ones(endless, -3) == []


def test_the_search_ends_when_the_space_is_known(row):
    for name in ("bananas", "npenas", "gp"):
        kind = STRATEGIES.get(name)
        options = QUICK if name != "gp" else {}
        strategy = kind(row((2, 3, 2)), 0, kind.config_type(initial=3, batch=4, candidates=8, **options))
        assert len(converse(strategy, 40).proposals) == 12
        assert strategy.ask() is None


def test_a_child_that_is_not_in_training_is_refused(row):
    strategy = Bananas(row(), 0)
    outcome = made_up_outcome(0, strategy.ask(), 0.5)
    strategy.tell(outcome)
    with pytest.raises(InputError, match="not in training"):
        strategy.tell(outcome)


@pytest.mark.parametrize("spec", ["choices:3/3", "nats-size", "nasbench-macro"])
def test_what_a_space_does_not_have_is_refused_before_a_child_is_trained(spec: str):
    space = get_space(spec)
    for kind, config in ((GaussianProcess, GpConfig(kernel="wl")), (Parego, ParegoConfig(kernel="wl"))):
        with pytest.raises(
            InputError, match=r"the kernel 'wl' needs a space of networks, .*; take 'hamming' or 'auto'"
        ):
            kind(space, 0, config)
        kind(space, 0, config.model_copy(update={"kernel": "auto"}))
    for encoding in ("wl", "path"):
        for kind, config in ((Bananas, BananasConfig(encoding=encoding)), (Npenas, NpenasConfig(encoding=encoding))):
            with pytest.raises(InputError, match=f"the encoding '{encoding}' needs a space of"):
                kind(space, 0, config)
            kind(space, 0, config.model_copy(update={"encoding": "auto"}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (Bananas, BananasConfig(encoding="wl", acquisition="ei", optimizer="mutation_random", loss="mape", epochs=2)),
        (Bananas, BananasConfig(predictor="forest", acquisition="ucb", trees=10)),
        (Bananas, BananasConfig(predictor="boosting", acquisition="ts", ensemble=2, trees=10)),
        (Npenas, NpenasConfig(sampling=True, encoding="adjacency", epochs=2)),
        (GaussianProcess, GpConfig(kernel="hamming", acquisition="its", target="accuracy")),
    ],
)
def test_conforms_with_options(kind, config):
    check_strategy(kind, get_space("nasbench201"), seed=4, config=config, children=30)
