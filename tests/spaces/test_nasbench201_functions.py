"""Function classes of NAS-Bench-201 against brute force, and against what networks with mapped weights compute."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from nasbench.networks.edge_cells import EdgeCellModule
from nasbench.spaces import get_space
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.structures import Scale

SPACE = NasBench201Space()
IMAGES = torch.randn(3, 2, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def cell(letters):
    names = {"0": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}
    return SPACE.decode([SPACE.decisions[0].labels.index(names[letter]) for letter in letters])


@pytest.fixture(scope="module")
def hashes_of_classes():
    """Function class -> hash -> the first cell that has it."""
    classes = defaultdict(dict)
    for architecture in SPACE.enumerate():
        classes[SPACE.function_class(architecture)].setdefault(architecture.hash, architecture)
    return classes


@pytest.fixture(scope="module")
def pairs_of_one_class(hashes_of_classes):
    pairs = []
    for found in hashes_of_classes.values():
        first, *others = found.values()
        pairs += [(first, other) for other in others]
    return pairs


def convolutions(architecture):
    """The places in the structure that are convolutions, and what each of them and the output read, pools multiplied out."""
    structure = SPACE.structure(architecture)
    terms = {0: Counter({(0, 0): 1})}  # state -> (convolution or 0 for the input, pools): how often
    read = {}
    for place, operation in enumerate(structure.operations, 1):
        summed = sum((terms[source] for source in operation.inputs), Counter())
        if operation.op == "avg_pool_3x3":
            terms[place] = Counter({(source, pools + 1): times for (source, pools), times in summed.items()})
        else:
            terms[place], read[place] = Counter({(place, 0): 1}), summed
    out = sum((terms[source] for source in structure.out), Counter())
    return structure, read, out


def matchings(one, other):
    """Every assignment of the convolutions of one cell to those of the other with equal operations."""
    (here, reads, _), (there, others, _) = convolutions(one), convolutions(other)
    for permuted in itertools.permutations(others):
        if len(reads) == len(others) and all(
            here.operations[a - 1].op == there.operations[b - 1].op for a, b in zip(reads, permuted)
        ):
            yield dict(zip(reads, permuted))


def is_one_function(one, other):
    """By brute force: whether some matching makes all sums equal; that matching, or None."""
    (_, reads, out), (_, others, other_out) = convolutions(one), convolutions(other)
    for match in matchings(one, other):

        def renamed(terms, match=match):
            return Counter({(match.get(source, 0), pools): times for (source, pools), times in terms.items()})

        if renamed(out) == other_out and all(renamed(reads[place]) == others[match[place]] for place in reads):
            return match
    return None


def random_weights(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(0.5 + torch.rand(value.shape, generator=generator, dtype=torch.float64))
            value -= 1.0 if value.dim() > 1 else 0.0
    return module


def outputs_with_equal_weights(one, other, match):
    """What both cells put out on the same images when matched convolutions have equal weights."""
    modules = [random_weights(EdgeCellModule(SPACE.structure(cell), 2).double()) for cell in (one, other)]
    for place, matched in match.items():
        modules[1].operations[str(matched)].load_state_dict(modules[0].operations[str(place)].state_dict())
    with torch.no_grad():
        return modules[0](IMAGES), modules[1](IMAGES)


def test_there_are_5044_functions_of_5425_hashes(hashes_of_classes):
    assert len(hashes_of_classes) == 5_044
    hashes = Counter(hash_ for found in hashes_of_classes.values() for hash_ in found)
    assert len(hashes) == 5_425
    assert set(hashes.values()) == {1}, "a hash is in one class"
    assert Counter(map(len, hashes_of_classes.values())) == {1: 4_719, 2: 279, 3: 37, 4: 8, 5: 1}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("s000p0", "0000sp", False),  # one pool of the input, and zero
        ("ss000p", "p0p00s", False),  # one pool, and two in a row
        ("ps0sss", "p00ss0", False),  # x + P(x) + x, and x + P(x)
        ("s00pp0", "0s0p0p", True),  # two pools of the input, along other ways
        ("ps000p", "000p00", True),  # what cannot reach the output
        ("pss00p", "p0p0ss", True),  # P(x + P(x)), and P(x) + P(P(x))
        ("3s000p", "3000pp", False),
        ("3ss00p", "300pp0", True),  # a pool of x + conv(x) is the sum of the pools
        ("p0s0ss", "0p0p0s", True),  # one pool added twice, and two equal pools
        ("30s0ss", "03030s", False),  # one convolution added twice, and two with weights of their own
        ("1ss00p", "300pp0", False),
    ],
)
def test_pairs_by_hand(one, other, same):
    assert (SPACE.function_class(cell(one)) == SPACE.function_class(cell(other))) == same
    assert (is_one_function(cell(one), cell(other)) is not None) == same


def test_cells_of_one_class_compute_the_same(pairs_of_one_class):
    """All 381 hashes that are a function another hash has, with the convolutions matched by brute force.

    The match keeps the order in which they are built: networks of one seed start from the same weights, as `table stats` says.
    """
    assert len(pairs_of_one_class) == 381
    for one, other in pairs_of_one_class:
        match = is_one_function(one, other)
        assert match is not None, f"{one} and {other}"
        assert list(match.values()) == sorted(match.values()), f"{one} and {other}"
        torch.testing.assert_close(*outputs_with_equal_weights(one, other, match), rtol=1e-10, atol=1e-10)


def test_whole_networks_of_one_class_compute_the_same_and_have_equal_gradients(pairs_of_one_class):
    scale = Scale(cells=2, filters=2, image_size=12, classes=4)
    images = torch.randn(4, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for one, other in pairs_of_one_class[::25]:
        match = is_one_function(one, other)
        networks = [random_weights(SPACE.build(cell, scale).double()) for cell in (one, other)]
        matched = [[], []]
        for mine, theirs in zip(*(network.features for network in networks), strict=True):
            if isinstance(mine, EdgeCellModule):
                matched[0] += [mine.operations[str(place)] for place in match]
                matched[1] += [theirs.operations[str(place)] for place in match.values()]
            else:
                matched[0].append(mine)
                matched[1].append(theirs)
        logits = []
        for mine, theirs in zip(*matched):
            theirs.load_state_dict(mine.state_dict())
        networks[1].classifier.load_state_dict(networks[0].classifier.state_dict())
        for network in networks:
            logits.append(network.train()(images))
            logits[-1].square().sum().backward()
        torch.testing.assert_close(*logits, rtol=1e-9, atol=1e-9)
        for mine, theirs in zip(*matched):
            for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-7, atol=1e-7)


def differs_however_matched(one, other):
    return not any(torch.allclose(*outputs_with_equal_weights(one, other, match)) for match in matchings(one, other))


@pytest.mark.slow
def test_cells_of_different_classes_compute_something_else():
    """Random pairs with the same convolutions, and pairs that differ in one edge, under every matching of their convolutions."""
    rng = np.random.default_rng(4)
    checked = {True: 0, False: 0}
    previous = {}
    while min(checked.values()) < 80:
        architecture = SPACE.random(rng)
        kinds = str(sorted(op.op for op in SPACE.structure(architecture).operations if "conv" in op.op))
        for near, other in ((True, SPACE.mutate(architecture, rng)), (False, previous.get(kinds))):
            if other is None or not any(True for _ in matchings(architecture, other)):
                continue
            same = SPACE.function_class(architecture) == SPACE.function_class(other)
            assert (is_one_function(architecture, other) is not None) == same
            assert differs_however_matched(architecture, other) != same, f"{architecture} and {other}"
            checked[near] += not same
        previous[kinds] = architecture


def test_functions_without_convolutions_are_all_different(hashes_of_classes):
    """Every pair of classes that has none: sums of pooled inputs."""
    plain = [next(iter(found.values())) for found in hashes_of_classes.values()]
    plain = [architecture for architecture in plain if not convolutions(architecture)[1]]
    with torch.no_grad():
        computed = torch.stack([EdgeCellModule(SPACE.structure(cell), 2)(IMAGES).flatten() for cell in plain])
    assert len(plain) > 30
    assert torch.cdist(computed, computed).add(torch.eye(len(plain)) * 9).min() > 1e-3


def test_spaces_that_rewrite_nothing_have_their_hashes_as_classes():
    space = get_space("nasnet:blocks=2")
    architecture = space.random(np.random.default_rng(0))
    assert space.function_class(architecture) == architecture.hash


GOLDEN = {
    "000000": "d41c9bb39dc39eaf879911241890fa5e",
    "3ss00p": "4fc7c08e032fa4f450e28614ba0dc088",
    "131ps3": "38fd3023a9d68620fe4aa6ecb08d4306",
}


def test_classes_stay_the_same_across_releases():
    assert {letters: SPACE.function_class(cell(letters)) for letters in GOLDEN} == GOLDEN
