"""Layer stacks: closed form against torch's counts, and the wiring rules one by one."""

from __future__ import annotations

import dataclasses
import timeit

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from network_costs import check_channels_last, check_training_step, measured, random_images
from torch import nn

from nasbench.errors import InputError
from nasbench.networks.layer_counts import count_layer_stack
from nasbench.networks.layers import build_layer_stack, concatenate
from nasbench.spaces import get_space
from nasbench.spaces.genotypes import NAS_V1
from nasbench.structures import Counts, Layer, LayerStack, Regularization, Scale

SPECS = [
    "nas:layers=1",
    "nas:layers=4",
    "nas:layers=6,chain=forced",
    "nas:layers=15",
    "nas:layers=3,variant=v2",
    "nas:layers=8,variant=v2",
    "nas:layers=20,variant=v2,chain=forced",
    "nas:layers=3,variant=v3",
    "nas:layers=13,variant=v3",
    "nas:layers=6,variant=v3,more_filters=40,chain=forced",
]
SIZES = [1, 2, 7, 8, 32]


def random_stacks(spec, number, seed=0):
    space, rng = get_space(spec), np.random.default_rng(seed)
    return [space.structure(space.random(rng)) for _ in range(number)]


@pytest.mark.sampled(5)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spec", SPECS)
def test_closed_form_equals_the_built_network(spec, size):
    number = 2 if "layers=13" in spec else 4  # 39 convolutions each
    for stack in random_stacks(spec, number, seed=size):
        scale = Scale(image_size=size, image_channels=1 + size % 3, classes=2 + size)
        assert count_layer_stack(stack, scale) == measured(lambda: build_layer_stack(stack, scale), scale)  # noqa: B023


def with_inputs(inputs):
    layers = (dataclasses.replace(layer, inputs=inputs(i)) for i, layer in enumerate(NAS_V1.layers, 1))
    return dataclasses.replace(NAS_V1, layers=tuple(layers))


def test_published_network():
    assert count_layer_stack(NAS_V1, Scale()) == Counts(4_201_630, 4_300_665_312)
    assert measured(lambda: build_layer_stack(NAS_V1, Scale()), Scale()) == Counts(4_201_630, 4_300_665_312)
    assert count_layer_stack(with_inputs(lambda i: tuple(range(1, i)) or (0,)), Scale()).params == 6_630_910
    assert count_layer_stack(with_inputs(lambda i: (i - 1,)), Scale()).params == 809_134


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize(
    "spec",
    ["nas:layers=5,filters=4/6", "nas:layers=5,variant=v2,filters=4/6", "nas:layers=4,variant=v3,filters=2/3"],
)
def test_training_step(spec, size):
    scale = Scale(image_size=size)
    for stack in random_stacks(spec, 3):
        check_training_step(lambda: build_layer_stack(stack, scale), scale)  # noqa: B023


@pytest.mark.parametrize("spec", ["nas:layers=6,filters=4/6,variant=v2", "nas:layers=4,variant=v3,filters=2/3"])
def test_channels_last(spec):
    for stack in random_stacks(spec, 3):
        check_channels_last(lambda: build_layer_stack(stack, Scale(image_size=9)), Scale(image_size=9))  # noqa: B023


def test_smaller_maps_are_padded_with_zeros_below_and_to_the_right():
    small, large = torch.ones(1, 2, 2, 3), torch.full((1, 1, 3, 3), 2.0)
    joined = concatenate([small, large])
    assert joined.shape == (1, 3, 3, 3)
    assert torch.equal(joined[:, :2, :2, :], small)
    assert not joined[:, :2, 2, :].any()
    assert torch.equal(joined[:, 2:], large)


def test_padding_takes_the_larger_of_each_axis():
    assert concatenate([torch.ones(1, 1, 4, 2), torch.ones(1, 1, 3, 5)]).shape == (1, 2, 4, 5)


def test_inputs_of_an_earlier_stage_are_pooled_once_per_stage_between():
    stack = LayerStack((Layer(3, 3, 4, (0,)), Layer(1, 3, 5, (0, 1), stage=2)), out=(1, 2))
    scale = Scale(image_size=7)
    network = build_layer_stack(stack, scale).eval()
    images = random_images(scale)

    def pool_twice(maps):
        halved = F.max_pool2d(F.pad(maps, (0, 1, 0, 1), value=-torch.inf), 2)
        return F.max_pool2d(halved, 2)

    first = network.layers["1"](images)
    second = network.layers["2"](torch.cat((pool_twice(images), pool_twice(first)), 1))
    expected = network.classifier(torch.cat((pool_twice(first), second), 1))
    assert torch.equal(network(images), expected)


def test_a_layer_of_three_is_a_fully_connected_block_that_ends_in_its_last_convolution():
    stack = LayerStack((Layer(3, 5, 4, (0,)),), out=(1,), convs_per_layer=3)
    network = build_layer_stack(stack, Scale(image_size=5)).eval()
    first, second, third = network.layers["1"].convolutions
    images = random_images(Scale(image_size=5))
    one = first(images)
    two = second(torch.cat((images, one), 1))
    three = third(torch.cat((images, one, two), 1))
    assert torch.equal(network(images), network.classifier(three))
    assert [step[0].in_channels for step in (first, second, third)] == [3, 7, 11]


@pytest.mark.parametrize("size", [1, 7, 8])
def test_the_stride_of_a_layer_of_three_is_its_last_convolutions(size):
    stack, scale = LayerStack((Layer(3, 5, 4, (0,), 3, 2),), (1,), convs_per_layer=3), Scale(image_size=size)
    strides = [step[0].stride for step in build_layer_stack(stack, scale).layers["1"].convolutions]
    assert strides == [(1, 1), (1, 1), (3, 2)]
    assert count_layer_stack(stack, scale) == measured(lambda: build_layer_stack(stack, scale), scale)


def test_a_layer_is_convolution_then_batch_norm_then_relu():
    network = build_layer_stack(NAS_V1, Scale())
    layers = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    assert len(layers) == 15
    for convolution, norm, relu in layers:
        assert convolution.bias is None
        assert norm.affine
        assert isinstance(relu, nn.ReLU)
    assert len({id(relu) for _, _, relu in layers}) == 15


def test_strides_round_up_on_each_axis():
    stack = LayerStack((Layer(1, 7, 4, (0,), 3, 2), Layer(5, 3, 4, (1,), 2, 1)), out=(2,))
    network = build_layer_stack(stack, Scale(image_size=8))
    shapes = []
    for layer in network.layers.values():
        layer.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape[2:])))
    network(random_images(Scale(image_size=8)))
    assert shapes == [(3, 4), (2, 4)]


def test_a_layer_without_inputs_reads_the_image():
    silent, spelled = (LayerStack((Layer(3, 3, 4, inputs),), (1,)) for inputs in ((), (0,)))
    scale = Scale(image_size=4)
    assert count_layer_stack(silent, scale) == count_layer_stack(spelled, scale)
    logits = []
    for stack in (silent, spelled):
        torch.manual_seed(0)
        logits.append(build_layer_stack(stack, scale)(random_images(scale)))
    assert torch.equal(*logits)


def test_layers_that_the_classifier_does_not_depend_on_are_neither_built_nor_counted():
    scale = Scale(image_size=8)
    alone = LayerStack((Layer(3, 3, 4, (0,)),), (1,))
    beside = LayerStack((Layer(3, 3, 4, (0,)), Layer(7, 7, 64, (0, 1))), (1,))
    assert count_layer_stack(beside, scale) == count_layer_stack(alone, scale)
    assert measured(lambda: build_layer_stack(beside, scale), scale) == count_layer_stack(alone, scale)


def test_equal_hashes_build_equal_bits():
    space, rng = get_space("nas:layers=5,filters=4/6"), np.random.default_rng(4)
    scale = Scale(image_size=8)
    for _ in range(5):
        architecture = space.random(rng)
        logits = []
        for same in (architecture, space.canonical(architecture)):
            torch.manual_seed(3)
            logits.append(space.build(same, scale)(random_images(scale)))
        assert torch.equal(*logits)


def test_dropout_works_before_the_classifier_in_training_only():
    stack, scale = LayerStack((Layer(1, 1, 64, (0,)),), (1,)), Scale(image_size=2)
    network = build_layer_stack(stack, scale, Regularization(dropout=0.5))
    images = random_images(scale)
    network(images)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (LayerStack((Layer(3, 3, 4, (1,)),), (1,)), "layer 1 reads layer 1"),
        (LayerStack((Layer(3, 3, 4, (-1,)),), (1,)), "layer 1 reads layer -1"),
        (LayerStack((Layer(3, 3, 4, (0,)),), ()), "reads no layer"),
        (LayerStack((Layer(3, 3, 4, (0,)),), (2,)), "reads layer 2"),
        (LayerStack((Layer(3, 3, 4, (0,)),), (0,)), "reads layer 0"),
        (LayerStack((Layer(3, 0, 4, (0,)),), (1,)), "at least 1"),
        (LayerStack((Layer(3, 3, 4, (0,)),), (1,), 0), "at least 1"),
        (LayerStack((Layer(3, 3, 4, (0,), stage=1), Layer(3, 3, 4, (1,))), (2,)), "later stage 1"),
    ],
)
def test_impossible_wiring_is_one_clear_line(stack, message):
    with pytest.raises(InputError, match=message) as caught:
        build_layer_stack(stack, Scale())
    assert "\n" not in str(caught.value)


def test_imagenet_stem_is_refused_by_builder_and_counter():
    for use in (build_layer_stack, count_layer_stack):
        with pytest.raises(InputError, match="imagenet"):
            use(NAS_V1, Scale(stem="imagenet"))


def test_counting_takes_microseconds():
    stacks = random_stacks("nas:layers=15", 50)
    seconds = min(timeit.repeat(lambda: [count_layer_stack(stack, Scale()) for stack in stacks], number=1, repeat=9))
    assert seconds / len(stacks) < 200e-6  # about 10 on a quiet machine
