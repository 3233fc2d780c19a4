"""NATS-Bench's size space: its strings and indices, its published counts, and its networks by an independent definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.structures import ChannelStack, Scale

SPACE = get_space("nats-size")
CIFAR10 = Scale()

# Parameters that NATS-Bench's files state on CIFAR-10, in millions, exactly: those of index 12 are printed in the benchmark's
# notebooks/create-query-sss.ipynb, together with 7.991706 M operations.
STATED = {"8:8:8:8:8": 11_714, "8:8:8:16:40": 67_378, "8:8:16:40:40": 107_826, "64:64:64:64:64": 713_674}


def test_the_space_has_the_benchmarks_architectures_in_its_order():
    assert SPACE.size == 32_768
    texts = [SPACE.describe(architecture) for architecture in SPACE.enumerate()]
    assert len(set(texts)) == 32_768
    assert [texts[index] for index in (0, 1, 12, 32_767)] == [
        "8:8:8:8:8",
        "8:8:8:8:16",
        "8:8:8:16:40",
        "64:64:64:64:64",
    ]
    for index in (0, 12, 1_234, 32_767):
        assert SPACE.index(SPACE.of_index(index)) == index
        assert SPACE.parse(texts[index]) == SPACE.of_index(index)
    assert SPACE.structure(SPACE.parse("64:32:8:48:16")) == ChannelStack((64, 32, 8, 48, 16))


@pytest.mark.parametrize("text", ["", "8:8:8:8", "8:8:8:8:8:8", "8:8:8:8:9", "8:8:8:8:-8", "8-8-8-8-8", "08:8:8:8:8"])
def test_other_texts_are_refused_with_the_allowed_channels(text):
    with pytest.raises(InputError, match=r"five of 8, 16, 24, 32, 40, 48, 56, 64 with colons"):
        SPACE.parse(text)


@pytest.mark.parametrize("index", [-1, 32_768])
def test_other_indices_are_refused(index):
    with pytest.raises(InputError, match="0 to 32767"):
        SPACE.of_index(index)


def test_counts_are_those_that_the_benchmark_states():
    assert {text: SPACE.count(SPACE.parse(text), CIFAR10).params for text in STATED} == STATED
    biases = 10  # the benchmark's operations have the additions of the classifier's bias
    assert SPACE.count(SPACE.of_index(12), CIFAR10).mult_adds + biases == 7_991_706


def test_hashes_stay():
    assert SPACE.of_index(12).hash == "45d65b9107cf3b6e3d6f8927ab7d1c38"
    hashes = {SPACE.of_index(index).hash for index in range(0, 32_768, 97)}
    assert len(hashes) == len(range(0, 32_768, 97))


class Reference(nn.Module):
    """The network edge by edge, with torch's own layers; it shares no code with `nasbench.networks`.

    Source: Dong et al., arXiv 2009.00437, section 2.1: the cell |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|
    nor_conv_3x3~1|nor_conv_3x3~2| in layers 1, 3, 5, and ResNet's basic block of stride 2 in layers 2 and 4.
    """

    def __init__(self, channels, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels[0], 3, padding=1, bias=False), nn.BatchNorm2d(channels[0]))
        self.blocks, self.skips = nn.ModuleList(), nn.ModuleList()
        before = channels[0]
        for layer, after in enumerate(channels, 1):
            if layer in (2, 4):
                self.blocks.append(nn.ModuleList([self.convolution(before, after, 2), self.convolution(after, after)]))
                self.skips.append(nn.Conv2d(before, after, 1, bias=False))
            else:
                sources = (before, before, after, after, after)
                self.blocks.append(nn.ModuleList([self.convolution(source, after) for source in sources]))
                projection = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))
                self.skips.append(projection if before != after else nn.Identity())
            before = after
        self.norm, self.linear = nn.BatchNorm2d(before), nn.Linear(before, classes)

    @staticmethod
    def convolution(inputs, outputs, stride=1):
        layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        return nn.Sequential(nn.ReLU(), layer, nn.BatchNorm2d(outputs))

    def forward(self, images):
        x = self.stem(images)
        for layer, (block, skip) in enumerate(zip(self.blocks, self.skips), 1):
            if layer in (2, 4):
                x = block[1](block[0](x)) + skip(F.avg_pool2d(x, 2))
            else:
                one = block[0](x)
                two = block[1](x) + block[2](one)
                x = skip(x) + block[3](one) + block[4](two)
        return self.linear(torch.relu(self.norm(x)).mean((2, 3)))


def weights_of(network):
    """Weights of the suite's network in the order of the reference's."""
    state = network.state_dict()

    def order(name):
        part, number = name.split(".")[:2]
        if part != "features":
            return 4
        if int(number) < 2:
            return 0  # the stem
        if int(number) > 6:
            return 3  # the last BatchNorm
        return 2 if "skip" in name or "shortcut" in name else 1

    return [state[name] for name in sorted(state, key=order)]


@pytest.mark.parametrize("text", ["8:16:24:8:16", "16:16:16:16:16", "8:8:24:24:8"])
@pytest.mark.parametrize("training", [False, True])
def test_networks_compute_what_the_benchmarks_do_with_equal_weights(text, training):
    torch.manual_seed(0)
    architecture = SPACE.parse(text)
    mine = SPACE.build(architecture, Scale(classes=7)).double().train(training)
    other = Reference([int(part) for part in text.split(":")], 7).double().train(training)
    with torch.no_grad():
        for value in mine.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) * 0.2 + (0.5 if value.dim() == 1 else -0.1))
        for target, value in zip(other.state_dict().values(), weights_of(mine), strict=True):
            target.copy_(value)
        images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
        np.testing.assert_allclose(mine(images).numpy(), other(images).numpy(), rtol=1e-9)


def test_other_numbers_of_channels_are_an_option():
    small = get_space("nats-size:channels=4/8/12/16")
    assert small.size == 1024
    assert small.describe(small.of_index(7)) == "4:4:4:8:16"
    assert small.index(small.parse("16:16:16:16:16")) == 1023
    # One network has one hash, whatever else could have been chosen.
    assert small.parse("8:16:8:8:16").hash == SPACE.parse("8:16:8:8:16").hash


@pytest.mark.parametrize("channels", ["8/4", "4/4", "0/8", "8/2048"])
def test_channels_out_of_range_or_order_are_refused(channels):
    with pytest.raises(InputError, match="option 'channels' of space 'nats-size'"):
        get_space(f"nats-size:channels={channels}")


def test_tables_name_architectures_by_string_and_by_index(tmp_path):
    from nasbench.tabular.importers.csv_parquet import import_tabular

    (tmp_path / "t.csv").write_text("net,acc\n8:8:8:16:40,0.5\n12,0.6\n32767,0.7\n")
    columns, constants = {"architecture": "net", "val_acc": "acc"}, {"data": "cifar10", "protocol": "theirs"}
    done = import_tabular(str(tmp_path / "t.csv"), None, "nats-size", columns, constants)
    hashes = [SPACE.parse(text).hash for text in ("8:8:8:16:40", "8:8:8:16:40", "64:64:64:64:64")]
    assert [row["hash"] for row in done.first] == hashes
