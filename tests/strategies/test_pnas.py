"""Progressive search and its parts: growing cells, and predicting what they score."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from nasbench.errors import InputError
from nasbench.runners.strategies.conformance import check_strategy, converse, made_up_outcome
from nasbench.runners.strategies.controllers.controller import seeded_generator
from nasbench.runners.strategies.pnas import Pnas, PnasConfig
from nasbench.runners.strategies.predictors.cell_growth import CellGrowth
from nasbench.runners.strategies.predictors.cell_predictors import Ensemble
from nasbench.spaces import get_space
from nasbench.spaces.pnas import OPERATIONS, PnasSpace

SMALL = {"hidden": 16, "embedding": 8, "ensemble": 2, "epochs": 4}
PAIR = "nasnet:blocks=3,operations=identity/sep_conv_3x3/max_pool_3x3,combinations=add"


def merit(architecture) -> float:
    """A made-up accuracy: the mean merit of the operations, more where they read c, and more for more blocks."""
    cell = architecture.space.structure(architecture).normal
    operands = [pair for b in cell.blocks for pair in ((b.left, b.left_op), (b.right, b.right_op))]
    worth = np.mean([OPERATIONS.index(op) / 7 * (1.3 if state == 1 else 1.0) for state, op in operands])
    return float(0.3 + 0.4 * worth + 0.02 * len(cell.blocks))


def rows_of(growth: CellGrowth, blocks: int, count: int, seed: int) -> np.ndarray:
    """Random rows with that many blocks."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, 0), np.int64)
    for block in range(blocks):
        added = growth.candidates(1, block, 10**6, rng).added
        rows = np.concatenate([rows, added[rng.integers(len(added), size=count)]], axis=1)
    return rows


def test_all_one_block_cells_of_the_paper_are_136():
    first = converse(Pnas(PnasSpace(blocks=1), 0), 1000).proposals
    assert len(first) == len({child.hash for child in first}) == 136


def test_136_and_four_beams_of_different_architectures():
    strategy = Pnas(PnasSpace(), 0, PnasConfig(beam=7, **SMALL))
    asked = converse(strategy, 1000, outstanding=4).proposals
    assert [child.space.blocks for child in asked] == [1] * 136 + [2] * 7 + [3] * 7 + [4] * 7 + [5] * 7
    assert len({child.hash for child in asked}) == len(asked)
    assert strategy.ask() is None


def test_every_level_extends_the_one_before():
    asked = converse(Pnas(PnasSpace(blocks=3), 0, PnasConfig(beam=9, **SMALL)), 1000).proposals
    levels = {blocks: {c.choices for c in asked if c.space.blocks == blocks} for blocks in (1, 2, 3)}
    for blocks in (2, 3):
        assert {choices[:-4] for choices in levels[blocks]} <= levels[blocks - 1]


@pytest.mark.parametrize("space", [PnasSpace(2, ("identity", "sep_conv_3x3")), get_space("nasnet:blocks=1")])
def test_growing_reaches_every_architecture(space):
    """Against all sequences of choices, up to equal hashes."""
    if space.name == "nasnet":
        space = type(space)(1, ("identity", "sep_conv_3x3"), ("add", "concat"))
    growth = CellGrowth.of(space)
    rows = np.zeros((1, 0), np.int64)
    for block in range(growth.blocks):
        found = growth.candidates(len(rows), block, 10**6, np.random.default_rng(0))
        rows = np.concatenate([rows[found.parents], found.added], axis=1)
    everything = itertools.product(*(range(decision.options) for decision in space.decisions))
    assert {growth.architecture(row).hash for row in rows} == {space.decode(choices).hash for choices in everything}


def test_a_beam_without_end_trains_every_architecture():
    space = PnasSpace(2, ("identity", "sep_conv_3x3"))
    asked = converse(Pnas(space, 0, PnasConfig(beam=10_000, **SMALL)), 1000).proposals
    sequences = itertools.product(*(range(decision.options) for decision in space.decisions))
    everything = {space.decode(choices).hash for choices in sequences}
    assert {child.hash for child in asked if child.space == space} == everything


def test_a_sample_of_the_extensions_is_even_and_without_repetition():
    growth = CellGrowth.of(PnasSpace(2, ("identity", "sep_conv_3x3")))
    counts: Counter = Counter()
    for seed in range(300):
        found = growth.candidates(3, 1, 20, np.random.default_rng(seed))
        rows = [(int(parent), *map(int, added)) for parent, added in zip(found.parents, found.added)]
        assert len(set(rows)) == 20
        counts.update(rows)
    assert len(counts) == 3 * 21
    # Draws without repetition vary less than independent ones, so this can only be too lenient.
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_a_pair_of_cells_grows_in_both():
    space = get_space(PAIR)
    config = PnasConfig(first=10, beam=6, candidates=300, **SMALL)
    asked = converse(Pnas(space, 0, config), 100, outstanding=3).proposals
    assert [child.space.blocks for child in asked] == [1] * 10 + [2] * 6 + [3] * 6
    for child in asked:
        pair = child.space.structure(child)
        assert len(pair.normal.blocks) == len(pair.reduction.blocks) == child.space.blocks


def test_one_block_pairs_are_all_trained_where_they_are_few():
    space = get_space("nasnet:blocks=1,operations=identity/sep_conv_3x3,combinations=add")
    assert len(converse(Pnas(space, 0), 1000).proposals) == 100  # 10 unordered pairs of 4 operands in each cell


@pytest.mark.parametrize("spec", ["nas", "nasbench201", "nasnet:output=explicit"])
def test_spaces_that_do_not_grow_are_refused(spec: str):
    with pytest.raises(InputError, match="space of cells"):
        Pnas(get_space(spec), 0)


def test_a_level_waits_for_its_last_outcome():
    strategy = Pnas(PnasSpace(2, ("identity", "sep_conv_3x3")), 0, PnasConfig(beam=3, **SMALL))
    first = [strategy.ask() for _ in range(10)]
    assert strategy.ask() is None
    for index in (3, 1, 0, 2, 9, 8, 7, 5, 4):
        strategy.tell(made_up_outcome(index, first[index], 0.5))
        assert strategy.ask() is None
    strategy.tell(made_up_outcome(6, first[6], float("nan")))
    assert strategy.ask().space.blocks == 2


def test_the_search_does_not_depend_on_how_many_are_trained_at_once():
    space, config = PnasSpace(3, OPERATIONS[:3]), PnasConfig(beam=5, **SMALL)
    one = converse(Pnas(space, 0, config), 100).proposals
    many = converse(Pnas(space, 0, config), 100, outstanding=9, order=random.Random(1)).proposals
    assert one == many


@pytest.mark.parametrize("index", [-1, 0, 10])
def test_a_child_that_is_not_outstanding_is_refused(index: int):
    strategy = Pnas(PnasSpace(), 0)
    child = strategy.ask()
    strategy.tell(made_up_outcome(0, child, 0.5))
    with pytest.raises(InputError, match="not outstanding"):
        strategy.tell(made_up_outcome(index, child, 0.5))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("predictor", ["lstm", "mlp"])
def test_conforms(predictor: str):
    config = PnasConfig(predictor=predictor, first=6, beam=5, candidates=100, **SMALL)
    check_strategy(Pnas, get_space(PAIR), config=config, children=16)
    check_strategy(Pnas, PnasSpace(3, OPERATIONS[:3]), config=config, children=16)


@pytest.mark.parametrize(("learn_from", "sizes"), [("all", [10, 13, 16]), ("new", [10, 3, 3])])
def test_predictors_learn_from_all_outcomes_or_from_the_new_ones(
    monkeypatch: pytest.MonkeyPatch, learn_from: str, sizes: list[int]
):
    learned = []
    fit = Ensemble.fit

    def watched(self, rows, blocks, rewards, *options):
        learned.append((len(rows), set(blocks.tolist()), rewards.tolist()))
        fit(self, rows, blocks, rewards, *options)

    monkeypatch.setattr(Ensemble, "fit", watched)
    space = PnasSpace(4, ("identity", "sep_conv_3x3"))
    talk = converse(Pnas(space, 0, PnasConfig(beam=3, learn_from=learn_from, **SMALL)), 100, score=merit)
    assert len(talk.proposals) == 10 + 3 * 3
    assert [size for size, _, _ in learned] == sizes
    for level, (size, blocks, rewards) in enumerate(learned, start=1):
        assert blocks == ({level} if learn_from == "new" else set(range(1, level + 1)))
        end = 10 + 3 * (level - 1)
        assert rewards == pytest.approx([merit(child) for child in talk.proposals[end - size : end]])


@pytest.mark.parametrize("kind", ["lstm", "mlp"])
def test_predictions_of_grown_rows_are_those_of_whole_rows(kind: str):
    growth = CellGrowth.of(get_space(PAIR))
    ensemble = Ensemble(kind, 2, growth.tables, 8, 16, 0.5, seeded_generator(0))
    parents = rows_of(growth, 2, 5, seed=0)
    found = growth.candidates(5, 2, 40, np.random.default_rng(1))
    whole = torch.from_numpy(np.concatenate([parents[found.parents], found.added], axis=1))
    padded = torch.nn.functional.pad(whole, (0, growth.width))  # one block that does not count
    grown = ensemble.grown(*map(torch.from_numpy, (parents, found.parents, found.added)))
    with torch.no_grad():
        expected = torch.stack([member(padded, torch.full((40,), 3)) for member in ensemble.members]).mean(0)
    assert torch.allclose(grown, expected, atol=1e-6)
    assert grown.std() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "mlp"])
def test_predictors_rank_larger_cells_than_they_learned_from(kind: str):
    """All one-block cells and 100 of two blocks teach the ranking of unseen two-block cells; the untrained ensemble does not know it."""
    growth = CellGrowth.of(PnasSpace(2))
    one = growth.candidates(1, 0, 10**6, np.random.default_rng(0)).added
    two = rows_of(growth, 2, 400, seed=1)
    scores = [np.array([merit(growth.architecture(row)) for row in rows], np.float32) for rows in (one, two)]
    ensemble = Ensemble(kind, 5, growth.tables, 32, 32, 0.1, seeded_generator(0))

    def correlation() -> float:
        numbers = torch.arange(300)
        predicted = ensemble.grown(torch.from_numpy(two[100:, :4]), numbers, torch.from_numpy(two[100:, 4:]))
        return float(stats.spearmanr(predicted, scores[1][100:])[0])

    untrained = correlation()
    rows = torch.zeros(236, 8, dtype=torch.int64)
    rows[:136, :4], rows[136:] = torch.from_numpy(one), torch.from_numpy(two[:100])
    blocks = torch.tensor([1] * 136 + [2] * 100)
    ensemble.fit(rows, blocks, torch.from_numpy(np.concatenate([scores[0], scores[1][:100]])), 30, 32, 0.01)
    assert abs(untrained) < 0.6 < 0.8 < correlation()


def test_chosen_cells_are_better_than_random_ones():
    space = PnasSpace(3)
    config = PnasConfig(beam=20, candidates=5000, ensemble=3, hidden=32, embedding=32, predictor="mlp")
    asked = converse(Pnas(space, 0, config), 200, score=merit).proposals
    rng = np.random.default_rng(0)
    blind = [merit(space.random(rng)) for _ in range(len(asked))]
    last = [merit(child) for child in asked if child.space.blocks == 3]
    assert len(last) == 20
    assert np.mean(last) > max(blind)
