"""Hand-designed networks: ResNets for CIFAR and AlexNet."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from network_costs import check_channels_last, check_training_step, measured, random_images
from torch import nn

from nasbench.errors import InputError
from nasbench.networks.alexnet import ResponseNormalization, build_alexnet, count_alexnet
from nasbench.networks.resnet import ResidualBlock, build_resnet, count_resnet
from nasbench.structures import Counts, Regularization, Scale

PARAMS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}


@pytest.mark.parametrize(("depth", "params"), PARAMS.items())
def test_parameters_of_the_papers_resnets(depth, params):
    assert count_resnet(depth, Scale()).params == params
    assert measured(lambda: build_resnet(depth, Scale()), Scale()) == count_resnet(depth, Scale())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33])
@pytest.mark.parametrize("depth", [8, 14])
def test_closed_form_equals_the_built_resnet(depth, size):
    scale = Scale(image_size=size, image_channels=1 + size % 3, classes=2 + size)
    assert count_resnet(depth, scale) == measured(lambda: build_resnet(depth, scale), scale)


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_training_step_of_a_resnet(size):
    scale = Scale(image_size=size)
    check_training_step(lambda: build_resnet(8, scale), scale)


def test_channels_last_in_a_resnet():
    check_channels_last(lambda: build_resnet(8, Scale(image_size=8)), Scale(image_size=8))


def test_shortcut_samples_every_other_pixel_and_adds_channels_of_zeros():
    block = ResidualBlock(2, 5, 2).eval()
    images = torch.randn(3, 2, 7, 7)
    residual = block.residual(images)
    output = block(images)
    assert output.shape == (3, 5, 4, 4)
    assert torch.equal(output[:, :2], F.relu(residual[:, :2] + images[:, :, ::2, ::2]))
    assert torch.equal(output[:, 2:], F.relu(residual[:, 2:]))


def test_every_relu_of_a_resnet_is_a_module_of_its_own():
    network = build_resnet(20, Scale(image_size=4))
    calls = []
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda module, _inputs, _output: calls.append(module))
    network(random_images(Scale(image_size=4)))
    assert len(calls) == len(set(calls)) == 19  # one after each convolution


@pytest.mark.parametrize("depth", [-4, 2, 7, 18, 34])
def test_other_depths_are_one_clear_line(depth):
    for use in (build_resnet, count_resnet):
        with pytest.raises(InputError, match=r"6n \+ 2") as caught:
            use(depth, Scale())
        assert "\n" not in str(caught.value)


def test_imagenet_stem_is_refused():
    for use in (lambda: build_resnet(20, Scale(stem="imagenet")), lambda: build_alexnet(Scale(stem="imagenet"))):
        with pytest.raises(InputError, match="imagenet"):
            use()


def test_alexnet_of_the_paper():
    scale = Scale(image_size=224, classes=1000)
    assert count_alexnet(scale) == Counts(60_965_224, 724_406_816)
    assert measured(lambda: build_alexnet(scale), scale) == count_alexnet(scale)


@pytest.mark.parametrize("size", [63, 64, 95, 100, 227])
def test_closed_form_equals_the_built_alexnet(size):
    scale = Scale(image_size=size, image_channels=1 + size % 3, classes=7)
    assert count_alexnet(scale) == measured(lambda: build_alexnet(scale), scale)


def test_maps_of_alexnet():
    with torch.device("meta"):
        network = build_alexnet(Scale(image_size=224, classes=1000))
        sizes = []
        for module in network.features:
            if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
                module.register_forward_hook(lambda _module, _inputs, output: sizes.append(tuple(output.shape[1:3])))
        network(torch.empty(1, 3, 224, 224))
    assert sizes == [(96, 55), (96, 27), (256, 27), (256, 13), (384, 13), (384, 13), (256, 13), (256, 6)]


def test_response_normalization_of_alexnet_is_the_papers_formula():
    network = build_alexnet(Scale(image_size=63))
    normalization = next(module for module in network.features if isinstance(module, ResponseNormalization))
    maps = 20 * torch.randn(1, 7, 2, 2, dtype=torch.float64)
    for channel in range(7):
        near = maps[:, max(0, channel - 2) : channel + 3]
        expected = maps[:, channel] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
        torch.testing.assert_close(normalization(maps)[:, channel], expected)


def test_training_step_of_alexnet():
    scale = Scale(image_size=63)
    check_training_step(lambda: build_alexnet(scale, Regularization(dropout=0.5)), scale)


def test_images_too_small_for_alexnet_are_one_clear_line():
    for use in (build_alexnet, count_alexnet):
        with pytest.raises(InputError, match="63 pixels or more, got 62"):
            use(Scale(image_size=62))
