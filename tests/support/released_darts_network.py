"""DARTS's final CIFAR network by the definition of its paper and released code, for comparison with the suite's.

Plain torch modules only. Modules are called in the order: p before c, the first operation of a node before the second,
the shifted half of a factorized reduction before the other; so both networks' layers pair up by the order of calls.
"""

from __future__ import annotations

import torch
from torch import nn


class Factorized(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.second = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = x.relu()
        shifted = self.second(x[:, :, 1:, 1:])
        return self.norm(torch.cat([self.first(x), shifted], 1))


def depthwise(channels, kernel, stride, dilation):
    padding = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


def operation(name, channels, stride):
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Factorized(channels, channels)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    kernel = int(name[-1])
    if name.startswith("dil"):
        return nn.Sequential(*depthwise(channels, kernel, stride, 2))
    return nn.Sequential(*depthwise(channels, kernel, stride, 1), *depthwise(channels, kernel, 1, 1))


def projection(inputs, outputs):
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Cell(nn.Module):
    def __init__(self, edges, before, previous, channels, reduction, reduction_before):
        super().__init__()
        self.p = Factorized(before, channels) if reduction_before else projection(before, channels)
        self.c = projection(previous, channels)
        self.edges = edges
        self.operations = nn.ModuleList(
            operation(name, channels, 2 if reduction and state < 2 else 1) for name, state in edges
        )

    def forward(self, p, c):
        states = [self.p(p), self.c(c)]
        for node in range(4):
            first, second = (2 * node, 2 * node + 1)
            a = self.operations[first](states[self.edges[first][1]])
            b = self.operations[second](states[self.edges[second][1]])
            states.append(a + b)
        return torch.cat(states[2:], 1)


class ReleasedNetwork(nn.Module):
    """normal, reduce: eight (operation, state) each; `layers` cells, of which those at 1/3 and 2/3 reduce."""

    def __init__(self, normal, reduce, channels, layers, classes=10):
        super().__init__()
        now = 3 * channels
        self.stem = nn.Sequential(nn.Conv2d(3, now, 3, padding=1, bias=False), nn.BatchNorm2d(now))
        before = previous = now
        reduction_before = False
        self.cells = nn.ModuleList()
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            channels *= 2 if reduction else 1
            edges = reduce if reduction else normal
            self.cells.append(Cell(edges, before, previous, channels, reduction, reduction_before))
            before, previous, reduction_before = previous, 4 * channels, reduction
        self.linear = nn.Linear(previous, classes)

    def forward(self, images):
        p = c = self.stem(images)
        for cell in self.cells:
            p, c = c, cell(p, c)
        return self.linear(nn.functional.adaptive_avg_pool2d(c, 1).flatten(1))
