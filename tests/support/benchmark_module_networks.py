"""Networks of TransNAS-Bench-101 and NAS-Bench-Macro by their definitions; they share no code with `nasbench.networks`.

Sources: Duan et al., arXiv 2105.11871, section 3.1, and the example networks of its repository's README; Su et al., arXiv
2103.11922, figure of the network, and the README of NAS-Bench-Macro.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution with equal padding, BatchNorm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(outputs))


class Halving(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2 on even and on odd pixels, side by side, BatchNorm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        images = torch.relu(images)
        shifted = nn.functional.pad(images, (0, 1, 0, 1))[:, :, 1:, 1:]
        odd = self.odd(shifted)
        normed: Tensor = self.norm(torch.cat((self.even(images), odd), 1))
        return normed


class Cell(nn.Module):
    """A cell, from the digits of the official string: node 1, 2, 3 with an edge from every earlier node."""

    def __init__(self, groups: list[str], inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.groups, self.edges = groups, nn.ModuleDict()
        for node, digits in enumerate(groups, 1):
            for source, digit in enumerate(digits):
                at, step = (inputs, stride) if source == 0 else (outputs, 1)
                if digit == "1":
                    self.edges[f"{node}{source}"] = nn.Identity() if step == 1 else Halving(at, outputs)
                elif digit != "0":
                    self.edges[f"{node}{source}"] = unit(at, outputs, {"2": 1, "3": 3}[digit], step)

    def forward(self, images: Tensor) -> Tensor:
        nodes = [images]
        for node, digits in enumerate(self.groups, 1):
            parts = [
                self.edges[f"{node}{source}"](nodes[source]) for source, digit in enumerate(digits) if digit != "0"
            ]
            nodes.append(torch.stack(parts).sum(0))
        return nodes[-1]


class Block(nn.Module):
    """A residual block with the ReLU before each convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = unit(inputs, outputs, 3, stride), unit(outputs, outputs, 3)
        self.fit = nn.Sequential()
        if (inputs, 1) != (outputs, stride):
            self.fit = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, images: Tensor) -> Tensor:
        added: Tensor = self.fit(images) + self.second(self.first(images))
        return added


class TransnasNetwork(nn.Module):
    """A network from its official string, e.g. "64-41414-1_02_333" or "64-2311-basic"."""

    def __init__(self, text: str, classes: int) -> None:
        super().__init__()
        base, modules, kind = text.split("-")
        channels = int(base)
        first = nn.Conv2d(3, channels // 2, 3, 2, 1, bias=False)
        layers = [first, nn.BatchNorm2d(channels // 2), unit(channels // 2, channels, 3, 2)]
        for code in modules:
            outputs, stride = channels * (2 if code in "24" else 1), 2 if code in "34" else 1
            for inputs, step in ((channels, stride), (outputs, 1)):
                if kind == "basic":
                    layers.append(Block(inputs, outputs, step))
                else:
                    layers.append(Cell(kind.split("_"), inputs, outputs, step))
            channels = outputs
        self.layers, self.linear = nn.Sequential(*layers), nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.layers(images).mean((2, 3)))
        return logits


class Mobile(nn.Module):
    """MobileNetV2's block."""

    def __init__(self, inputs: int, outputs: int, stride: int, factor: int, kernel: int) -> None:
        super().__init__()
        inner = factor * inputs
        self.layers = nn.Sequential(
            *(nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()),
            *(nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False), nn.BatchNorm2d(inner)),
            *(nn.ReLU(), nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.same = (inputs, 1) == (outputs, stride)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.layers(images) + (images if self.same else 0)
        return found


class MacroNetwork(nn.Module):
    """A network of NAS-Bench-Macro from its eight digits."""

    def __init__(self, digits: str, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        for place, digit in enumerate(digits):
            outputs, stride = (2 * channels, 2) if place in (0, 2, 5) else (channels, 1)
            if digit != "0":
                layers.append(Mobile(channels, outputs, stride, *((3, 3) if digit == "1" else (6, 5))))
            elif stride == 2:
                layers += [nn.Conv2d(channels, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs)]
            channels = outputs
        layers += [nn.Conv2d(channels, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU()]
        self.layers, self.linear = nn.Sequential(*layers), nn.Linear(1280, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.layers(images).mean((2, 3)))
        return logits
