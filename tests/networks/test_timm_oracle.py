"""An outside oracle: timm's NASNet-A and PNASNet-5, weights copied over, give the same logits as ours."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nasbench.networks.cell_counts import count_cell_network
from nasbench.networks.cells import build_cell_network
from nasbench.networks.convolutions import SameAvgPool2d
from nasbench.spaces.genotypes import NASNET_A, PNASNET_5
from nasbench.structures import Scale

nasnet = pytest.importorskip("timm.models.nasnet")
pnasnet = pytest.importorskip("timm.models.pnasnet")

FILTERS = 16
IMAGENET = {"image_size": 331, "classes": 1000, "stem": "imagenet", "skip_reduction_input": True}


@pytest.mark.parametrize(
    ("model", "pair", "scale", "skeleton"),
    [
        (nasnet.nasnetalarge, NASNET_A, Scale(6, 168, **IMAGENET), "nasnet"),
        (pnasnet.pnasnet5large, PNASNET_5, Scale(4, 216, **IMAGENET), "pnas"),
    ],
)
def test_sizes_of_the_large_networks(model, pair, scale, skeleton):
    with torch.device("meta"):
        theirs = model()
    assert (
        sum(parameter.numel() for parameter in theirs.parameters()) == count_cell_network(pair, scale, skeleton).params
    )


def test_nasnet_a_at_a_small_scale():
    for size in (64, 75):
        torch.manual_seed(0)
        theirs = nasnet.NASNetALarge(num_classes=7, stem_size=32, num_features=24 * FILTERS)
        average_inside_the_image(theirs)
        ours = build_cell_network(NASNET_A, Scale(6, FILTERS, size, 3, 7, "imagenet", True))
        names = [f"cell_{i}" for i in range(18)]
        names[12:12], names[6:6] = ["reduction_cell_1"], ["reduction_cell_0"]
        assert_same_logits(theirs, ours, "conv0", ["cell_stem_0", "cell_stem_1", *names], size)


@pytest.mark.slow
def test_nasnet_a_large():
    torch.manual_seed(0)
    theirs = nasnet.nasnetalarge()
    average_inside_the_image(theirs)
    ours = build_cell_network(NASNET_A, Scale(6, 168, **IMAGENET))
    names = [f"cell_{i}" for i in range(18)]
    names[12:12], names[6:6] = ["reduction_cell_1"], ["reduction_cell_0"]
    assert_same_logits(theirs, ours, "conv0", ["cell_stem_0", "cell_stem_1", *names], 331)


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, pytest.param(331, marks=pytest.mark.slow)])
def test_pnasnet_5_at_its_only_scale(size):
    torch.manual_seed(0)
    theirs = pnasnet.pnasnet5large()
    ours = build_cell_network(PNASNET_5, Scale(4, 216, **IMAGENET), skeleton="pnas")
    names = [f"cell_{i}" for i in range(12)]
    assert_same_logits(theirs, ours, "conv_0", ["cell_stem_0", "cell_stem_1", *names], size)


@torch.no_grad()
def assert_same_logits(theirs, ours, stem, cells, size):
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                tensor.normal_()
    copy_in_order([getattr(theirs, stem)], [ours.stem])
    for name, cell in zip(cells, ours.cells, strict=True):
        copy_cell(getattr(theirs, name), cell)
    copy_in_order([theirs.last_linear], [ours.classifier.linear])
    images = torch.randn(1, 3, size, size)
    expected = theirs.eval()(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours.eval()(images), expected, rtol=0, atol=1e-4)


def copy_cell(theirs, ours):
    copy_in_order([theirs.conv_1x1], [ours.project_c])
    previous = ("conv_prev_1x1", "path_1", "path_2", "final_path_bn")
    copy_in_order([getattr(theirs, name) for name in previous if hasattr(theirs, name)], [ours.project_p])
    for index, path in enumerate(ours.paths):
        name = f"comb_iter_{index // 2}_{'right' if index % 2 else 'left'}"
        copy_in_order([module for module in [getattr(theirs, name, None)] if module is not None], [path])


def copy_in_order(theirs, ours):
    """Copy all tensors of some modules to some others that have the same ones in the same order."""
    sources = [tensor for module in theirs for tensor in module.state_dict().values()]
    targets = [tensor for module in ours for tensor in module.state_dict().values()]
    assert [tensor.shape for tensor in sources] == [tensor.shape for tensor in targets]
    for source, target in zip(sources, targets):
        target.copy_(source)


def average_inside_the_image(module):
    """Give timm TensorFlow's average pool: its own counts the padding of strided pools in (a known gap, says its source)."""
    for name, child in list(module.named_children()):
        if type(child).__name__ == "AvgPool2dSame":
            setattr(module, name, SameAvgPool2d(3, 2))
        else:
            average_inside_the_image(child)
