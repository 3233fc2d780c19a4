"""The space of five convolutions: its texts and indices, its counts by hand, and its networks by plain torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.structures import Scale

SPACE = get_space("conv-size")
SMALL = Scale(image_size=16, classes=10)


def test_it_has_1024_networks_in_the_order_of_their_index():
    texts = [SPACE.describe(architecture) for architecture in SPACE.enumerate()]
    assert len(texts) == SPACE.size == len(set(texts)) == 4**5
    assert [texts[index] for index in (0, 1, 4, 1023)] == ["4:4:4:4:4", "4:4:4:4:8", "4:4:4:8:4", "16:16:16:16:16"]
    for index in (0, 7, 500, 1023):
        assert SPACE.index(SPACE.of_index(index)) == index
        assert SPACE.parse(texts[index]) == SPACE.of_index(index)
    assert len({SPACE.of_index(index).hash for index in range(1024)}) == 1024


def test_counts_are_those_by_hand():
    channels, maps, before = (4, 8, 12, 16, 8), (64, 64, 16, 16, 16), 3
    params = mult_adds = 0
    for outputs, pixels in zip(channels, maps, strict=True):
        params += 9 * before * outputs + 2 * outputs
        mult_adds += 9 * before * outputs * pixels
        before = outputs
    found = SPACE.count(SPACE.parse("4:8:12:16:8"), SMALL)
    assert (found.params, found.mult_adds) == (params + 8 * 10 + 10, mult_adds + 8 * 10)


class Reference(nn.Sequential):
    """The network with torch's own modules. With a stride of 2, SAME pads one row below and one column to the right."""

    def __init__(self, channels, classes):
        layers, before = [], 3
        for place, outputs in enumerate(channels):
            if place in (0, 2):
                layers += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(before, outputs, 3, 2, bias=False)]
            else:
                layers.append(nn.Conv2d(before, outputs, 3, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
            before = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


@pytest.mark.parametrize("training", [False, True])
def test_networks_compute_what_plain_torch_does(training):
    torch.manual_seed(0)
    mine = SPACE.build(SPACE.parse("4:8:12:16:8"), SMALL).double().train(training)
    other = Reference((4, 8, 12, 16, 8), 10).double().train(training)
    for target, value in zip(other.state_dict().values(), mine.state_dict().values(), strict=True):
        target.copy_(value)
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(mine(images), other(images), rtol=1e-9, atol=1e-12)


def test_a_network_has_one_hash_whatever_else_could_be_chosen():
    wider = get_space("conv-size:channels=4/8/12/16/32")
    assert wider.size == 5**5
    assert wider.parse("4:8:4:8:16").hash == SPACE.parse("4:8:4:8:16").hash
    assert get_space("nats-size:channels=4/8/12/16").parse("4:8:4:8:16").hash != SPACE.parse("4:8:4:8:16").hash


@pytest.mark.parametrize("channels", ["8/4", "4/4", "0/8", "8/2048"])
def test_channels_out_of_range_or_order_are_refused(channels):
    with pytest.raises(InputError, match="option 'channels' of space 'conv-size'"):
        get_space(f"conv-size:channels={channels}")


@pytest.mark.parametrize("text", ["", "4:4:4:4", "4:4:4:4:5", "4-4-4-4-4", "04:4:4:4:4"])
def test_other_texts_are_refused_with_the_allowed_channels(text):
    with pytest.raises(InputError, match=r"five of 4, 8, 12, 16 with colons"):
        SPACE.parse(text)
