"""Super-networks: a path is a stand-alone network, and only what is on it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shared_weights import copy, stand_alone
from torch import nn
from torch.nn import functional

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.cells import read_pair
from nasbench.structures import Regularization, Scale
from nasbench.supernets.build import build_supernetwork, require_supernetwork
from nasbench.supernets.cells import path_name

OPERATIONS = "operations=sep_conv_3x3/sep_conv_5x5/avg_pool_3x3/max_pool_3x3/identity"
ADDING = f"nasnet:blocks=3,{OPERATIONS},combinations=add"
SMALL = Scale(cells=1, filters=4, image_size=8, image_channels=1, classes=5)


def randomized(network: nn.Module) -> None:
    """Give BatchNorms' scales and shifts random values too, so that none can be forgotten."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))


def images_for(scale: Scale, batch: int = 6) -> torch.Tensor:
    return torch.randn(batch, scale.image_channels, scale.image_size, scale.image_size)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("spec", "scale"),
    [
        (ADDING, SMALL),
        (f"{ADDING},output=explicit", SMALL),
        (f"{ADDING},output=explicit", Scale(cells=2, filters=3, image_size=9, skip_reduction_input=True)),
        (f"{ADDING}", Scale(cells=1, filters=8, image_size=33, stem="imagenet")),
        ("enas-micro:blocks=3", Scale(cells=1, filters=4, image_size=8)),
        ("pnas:blocks=2", Scale(cells=2, filters=4, image_size=8)),
        ("nasnet:blocks=2,combinations=add", Scale(cells=1, filters=4, image_size=7)),
        ("nasnet:blocks=1,combinations=add,output=explicit", Scale(cells=2, filters=1, image_size=6)),
    ],
)
def test_a_path_is_the_stand_alone_network_with_its_weights(spec: str, scale: Scale):
    torch.manual_seed(0)
    space, rng = get_space(spec), np.random.default_rng(0)
    network = build_supernetwork(space, scale).double()
    randomized(network)
    images = images_for(scale).double()
    labels = torch.arange(len(images)) % scale.classes
    for _ in range(3):
        architecture = space.random(rng)
        single = stand_alone(network, architecture, scale).train()
        expected = single(images)
        network.zero_grad()
        shared = network.eval()(images, architecture)
        torch.testing.assert_close(shared, expected)
        assert shared.std() > 0
        functional.cross_entropy(shared, labels).backward()
        functional.cross_entropy(expected, labels).backward()
        torch.testing.assert_close(_norm_of_gradients(network), _norm_of_gradients(single))


class AddAndNormalize(nn.Module):
    """What the macro search has in place of concatenation, ReLU, 1x1 convolution and BatchNorm."""

    def __init__(self, parts: int, norm: nn.Module) -> None:
        super().__init__()
        self.parts, self.norm = parts, norm

    def forward(self, joined: torch.Tensor) -> torch.Tensor:
        return self.norm(sum(joined.chunk(self.parts, 1)))


@pytest.mark.parametrize("layers", [3, 6, 8])
def test_a_macro_path_is_the_stand_alone_network_but_for_its_joins(layers: int):
    torch.manual_seed(0)
    space, scale, rng = get_space(f"enas-macro:layers={layers}"), Scale(filters=4), np.random.default_rng(0)
    network = build_supernetwork(space, scale).double()
    randomized(network)
    images = images_for(scale).double()
    for _ in range(4):
        architecture = space.random(rng)
        single = space.build(architecture, scale).double().train()
        with torch.no_grad():
            copy(network.stem, single.stem)
            copy(network.classifier, single.classifier)
            for index, layer in enumerate(space.structure(architecture).layers):
                copy(network.branches[index][layer.op], single.branches[index])
                single.joins[index] = AddAndNormalize(len(layer.skips) + 1, network.norms[index])
            for stage, reductions in enumerate(single.reductions):
                for state, reduction in reductions.items():
                    copy(network.reductions[stage][int(state)], reduction)
        expected = single(images)
        assert expected.std() > 0
        torch.testing.assert_close(network(images, architecture), expected)


def test_only_the_macro_path_gets_gradients():
    space = get_space("enas-macro:layers=6")
    architecture = space.parse("1 conv3 []; 2 sep5 [0]; 3 max3 []; 4 avg3 [1]; 5 conv5 [0,3]; 6 sep3 []")
    network = build_supernetwork(space, SMALL)
    network(images_for(SMALL), architecture).sum().backward()
    reached = {name for name, weight in network.named_parameters() if weight.grad is not None}
    chosen = [f"branches.{index}.{layer.op}" for index, layer in enumerate(space.structure(architecture).layers)]
    on_path = {".".join(name.split(".")[:3]) for name in reached if name.startswith("branches")}
    assert on_path == set(chosen)
    # the first reduction makes what layers 3, 4 and 5 read of the stem, of layer 1 and of layer 2; the second, of the stem and layers 3, 4
    states = {tuple(map(int, name.split(".")[1:3])) for name in reached if name.startswith("reductions")}
    assert states == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 3), (1, 4)}


def _norm_of_gradients(network: nn.Module) -> torch.Tensor:
    """Of all weights together; a weight of the path is used once, so that it has the stand-alone network's gradient."""
    return torch.stack([weight.grad.norm() for weight in network.parameters() if weight.grad is not None]).norm()


def test_evaluating_and_training_agree_without_dropout():
    space = get_space(ADDING)
    network, images = build_supernetwork(space, SMALL), images_for(SMALL)
    architecture = space.random(np.random.default_rng(0))
    assert torch.equal(network.train()(images, architecture), network.eval()(images, architecture))
    assert not list(network.buffers())  # nothing is averaged over paths


def test_dropout_acts_in_training_only():
    space = get_space(ADDING)
    network, images = build_supernetwork(space, SMALL, Regularization(dropout=0.5)), images_for(SMALL)
    architecture = space.random(np.random.default_rng(0))
    torch.manual_seed(0)
    assert not torch.equal(network.train()(images, architecture), network.train()(images, architecture))
    assert torch.equal(network.eval()(images, architecture), network.eval()(images, architecture))


def test_only_the_path_gets_gradients():
    space = get_space(ADDING)
    text = "b1=sep3(c)+sep5(p); b2=avg3(b1)+id(p); b3=sep3(p)+sep3(p); out=[b2,b3]"
    architecture = space.from_cells(read_pair(f"normal: {text} | reduction: {text}"))
    network = build_supernetwork(space, SMALL)
    network(images_for(SMALL), architecture).sum().backward()
    reached = {name.rsplit(".", 2)[0] for name, weight in network.named_parameters() if weight.grad is not None}
    on_path = {
        path_name(2, "left", "sep_conv_3x3", 1),
        path_name(2, "right", "sep_conv_5x5", 0),
        path_name(4, "left", "sep_conv_3x3", 0),
        path_name(4, "right", "sep_conv_3x3", 0),
        path_name(3, "right", "identity", 0),  # has weights where it strides, and in the first cell, where p is wider
    }
    assert {name.split(".")[3] for name in reached if ".paths." in name} == on_path
    for index, weight in enumerate(network.classifier.slices):
        assert (weight.grad is not None) == (index in (3, 4))
    unused = [
        weight.grad
        for cell in list(network.cells)[1:]
        for index, weight in enumerate(cell.project_c.convolution.slices)
        if len(cell.project_c.convolution.slices) > 1 and index not in (3, 4)
    ]
    assert unused
    assert all(gradient is None for gradient in unused)


def test_left_and_right_and_places_have_weights_of_their_own():
    space = get_space(ADDING)
    network = build_supernetwork(space, SMALL)
    left, right = (
        network.cells[0].paths[path_name(2, side, "sep_conv_3x3", 1)][0].weight for side in ("left", "right")
    )
    assert not torch.equal(left, right)
    assert len(network.cells) == 5
    names = [name for name, _ in network.named_parameters()]
    assert len(names) == len(set(names))
    assert len({id(weight) for weight in network.parameters()}) == len(names)


def test_initial_weights_come_from_the_global_generator():
    space = get_space(ADDING)
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(torch.cat([weight.flatten() for weight in build_supernetwork(space, SMALL).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("spec", ["nas:layers=3", "nasbench101", "nasnet:blocks=2"])
def test_spaces_without_a_super_network_are_refused(spec: str):
    with pytest.raises(InputError, match=r"^space .*combinations=add"):
        require_supernetwork(get_space(spec))
