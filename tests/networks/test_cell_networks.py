"""Cell networks as modules: training works, drop-path and auxiliary head act only in training, seeds decide everything."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from network_costs import check_channels_last, check_training_step, random_images
from random_structures import random_pair
from torch import nn

from nasbench.networks.cells import build_cell_network
from nasbench.networks.drop_path import DropPath
from nasbench.spaces.genotypes import AMOEBANET_A, NASNET_A, PNASNET_5
from nasbench.structures import Block, Cell, CellPair, Regularization, Scale

SCALES = [Scale(1, 5, 8, 1), Scale(1, 8, 32, 3), Scale(1, 8, 16, 3, stem="imagenet", skip_reduction_input=True)]
DIGITS = Scale(2, 4, 8, 1)


def built(pair, scale, regularization=None, seed=0, **options):
    torch.manual_seed(seed)
    return build_cell_network(pair, scale, regularization, **options)


@pytest.mark.parametrize("scale", SCALES)
def test_random_networks_train(scale):
    rng = random.Random(5)
    for skeleton in ("nasnet", "pnas") * 3:
        pair = random_pair(rng)
        network = built(pair, scale, Regularization(0.5, True, 0.2), skeleton=skeleton)
        network.set_progress(0.7)
        logits, auxiliary = network.forward_with_auxiliary(random_images(scale, 4))
        assert logits.shape == auxiliary.shape == (4, scale.classes)
        (logits + auxiliary).logsumexp(1).sum().backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert logits.isfinite().all()


@pytest.mark.parametrize(("pair", "skeleton"), [(NASNET_A, "nasnet"), (PNASNET_5, "pnas"), (AMOEBANET_A, "nasnet")])
def test_every_parameter_of_a_published_cell_learns(pair, skeleton):
    network = built(pair, DIGITS, Regularization(auxiliary=True), skeleton=skeleton)
    logits, auxiliary = network.forward_with_auxiliary(random_images(DIGITS, 4))
    (logits.square() + auxiliary.square()).sum().backward()
    assert not [name for name, parameter in network.named_parameters() if parameter.grad is None]


def test_same_seed_same_bits():
    results = []
    for seed in (1, 1, 2):
        network = built(NASNET_A, DIGITS, Regularization(0.6, True, 0.1), seed)
        network.set_progress(1.0)
        logits, auxiliary = network.forward_with_auxiliary(random_images(DIGITS, 4))
        F.cross_entropy(logits + auxiliary, torch.arange(4)).backward()
        parts = [logits, auxiliary, *network.state_dict().values(), *(p.grad for p in network.parameters())]
        results.append([part.detach() for part in parts])
    first, second, other = results
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert not torch.equal(first[0], other[0])


def test_auxiliary_head_acts_only_in_training():
    network = built(NASNET_A, DIGITS, Regularization(auxiliary=True))
    images = random_images(DIGITS, 4)
    assert network.forward_with_auxiliary(images)[1] is not None
    network.eval()
    logits, auxiliary = network.forward_with_auxiliary(images)
    assert auxiliary is None
    assert torch.equal(logits, network(images))
    assert built(NASNET_A, DIGITS).forward_with_auxiliary(images)[1] is None


def test_drop_path_acts_only_in_training_and_more_and_more():
    images = random_images(DIGITS, 4)
    network, plain = built(NASNET_A, DIGITS, Regularization(0.5)), built(NASNET_A, DIGITS)
    assert network.state_dict().keys() == plain.state_dict().keys()
    assert torch.equal(network(images), plain(images))  # no progress yet, so nothing is dropped
    network.set_progress(1.0)
    torch.manual_seed(0)
    assert not torch.equal(network(images), network(images))
    network.eval()
    state = network.state_dict()
    plain.load_state_dict(state)
    assert torch.equal(network(images), plain.eval()(images))


def test_drop_path_is_linear_in_progress_and_per_example():
    drop = DropPath(0.6)
    keeps = []
    for progress in (0.0, 0.25, 1.0):
        drop.set_progress(progress)
        keeps.append(drop.keep)
    assert keeps == pytest.approx([1.0, 0.9, 0.6])
    torch.manual_seed(0)
    dropped = drop(torch.ones(2000, 2, 3, 3)).flatten(1)
    assert (dropped == dropped[:, :1]).all()
    assert sorted(set(dropped[:, 0].tolist())) == pytest.approx([0.0, 1 / 0.6])
    assert (dropped[:, 0] > 0).float().mean() == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("by_depth", [False, True])
def test_drop_path_by_depth_is_linear_in_depth_and_time(by_depth):
    """Of n cells, cell i (from 1) at half of training keeps a path with probability 1 - i/n x 1/2 x 0.4."""
    network = built(NASNET_A, DIGITS, Regularization(0.6, drop_path_by_depth=by_depth))
    network.set_progress(0.5)
    cells = len(network.cells)
    assert cells == 3 * DIGITS.cells + 2
    shares = [(i + 1) / cells if by_depth else 1.0 for i in range(cells)]
    assert [cell.drop_path.keep for cell in network.cells] == pytest.approx([1 - share * 0.5 * 0.4 for share in shares])


@pytest.mark.parametrize(("operation", "spared"), [("identity", True), ("none", True), ("avg_pool_3x3", False)])
def test_drop_path_spares_identities(operation, spared):
    cell = Cell((Block(0, operation, 1, operation),), (2,))
    network = built(CellPair(cell, cell), DIGITS, Regularization(0.3))
    images = random_images(DIGITS, 16)
    before = network(images)
    network.set_progress(1.0)
    assert torch.equal(before, network(images)) is spared


def test_dropout_acts_only_in_training():
    network = built(NASNET_A, DIGITS, Regularization(dropout=0.5))
    images = random_images(DIGITS, 4)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_evaluation_does_not_depend_on_the_batch():
    network = built(NASNET_A, DIGITS).eval()
    images = random_images(DIGITS, 6)
    torch.testing.assert_close(network(images)[2:3], network(images[2:3]))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("pair", "skeleton"), [(NASNET_A, "nasnet"), (PNASNET_5, "pnas"), (AMOEBANET_A, "nasnet")])
def test_training_step_and_layout_of_published_cells(pair, skeleton, scale):
    check_training_step(lambda: build_cell_network(pair, scale, skeleton=skeleton), scale)
    check_channels_last(lambda: build_cell_network(pair, scale, skeleton=skeleton), scale)


def test_first_cell_reads_the_stem_itself_as_p():
    """Without a cell before, p is c before its projection: an identity on p gets the projection to F there, and only there."""
    cell = Cell((Block(0, "identity", 0, "identity"),), (2,))
    first, second, *_ = built(CellPair(cell, cell), DIGITS).cells
    assert [type(path) for path in second.paths] == [nn.Identity, nn.Identity]
    assert [path[0].in_channels for path in first.paths] == [12, 12]
    assert first.project_c is second.project_c is None  # nobody reads c


def test_reduction_that_outputs_its_inputs_halves_them():
    cell = Cell((Block(0, "identity", 1, "identity"),), (0, 1, 2))
    network = built(CellPair(cell, cell), DIGITS)
    shapes = []
    for module in network.cells:
        module.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    network(random_images(DIGITS, 4))
    assert shapes == [(12, 8, 8)] * 2 + [(24, 4, 4)] * 3 + [(48, 2, 2)] * 3


def test_imagenet_networks_have_their_epsilon():
    for scale, epsilon in ((SCALES[0], 1e-5), (SCALES[2], 1e-3)):
        norms = [module for module in built(NASNET_A, scale).modules() if isinstance(module, nn.BatchNorm2d)]
        assert {norm.eps for norm in norms} == {epsilon}
