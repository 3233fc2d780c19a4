"""NAS-Bench-201's network by the benchmark's own definition, edge by edge; it shares no code with `nasbench.networks`."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

EDGES = (
    (1, 0),
    (2, 0),
    (2, 1),
    (3, 0),
    (3, 1),
    (3, 2),
)  # (node, the node it reads), in the order of the official string


class BenchmarkNetwork(nn.Module):
    """The whole network: stem, three stages of cells, a residual block before the second and the third, head.

    Args:
        operations: the name of each edge's operation, in the order of `EDGES`.
        channels: C of the first stage; the later ones have 2C and 4C.
        cells: N, cells of a stage.
        image_channels: channels of the images.
        classes: outputs.

    Source: Dong & Yang, arXiv 2001.00326, section 2.1 and figure 1: 3x3 convolution and BatchNorm; in the residual blocks two 3x3
    convolutions of which the first has stride 2, and in their shortcut a 2x2 average pool of stride 2 and a 1x1 convolution; a
    convolution of a cell is ReLU, convolution, BatchNorm; the head is BatchNorm, ReLU, global average pooling and a fully connected
    layer. 3x3 convolutions and pools pad 1 on every side, pools leave the padding out of their mean, "none" is a product with 0.
    """

    def __init__(
        self, operations: tuple[str, ...], channels: int, cells: int, image_channels: int = 3, classes: int = 10
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        blocks: list[nn.Module] = []
        for stage in range(3):
            if stage:
                blocks.append(ResidualBlock(channels))
                channels *= 2
            blocks += [BenchmarkCell(operations, channels) for _ in range(cells)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [batch, channels, height, width] to logits [batch, classes]."""
        images = self.stem(images)
        for block in self.blocks:
            images = block(images)
        images = torch.relu(self.norm(images))
        logits: Tensor = self.linear(nn.functional.adaptive_avg_pool2d(images, 1).flatten(1))
        return logits


class Zero(nn.Module):
    """The operation "none"."""

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to zeros of that shape."""
        return images * 0.0


def relu_convolution_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, a convolution that pads kernel // 2 on every side, BatchNorm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(outputs))


class BenchmarkCell(nn.Module):
    """Four nodes; node i is the sum over j < i of the operation of edge (i, j) on node j."""

    def __init__(self, operations: tuple[str, ...], channels: int) -> None:
        super().__init__()
        made = {
            "none": Zero,
            "skip_connect": nn.Identity,
            "nor_conv_1x1": lambda: relu_convolution_norm(channels, channels, 1),
            "nor_conv_3x3": lambda: relu_convolution_norm(channels, channels, 3),
            "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
        }
        self.edges = nn.ModuleList(made[operation]() for operation in operations)

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to the same shape."""
        nodes = [images]
        for node in (1, 2, 3):
            read = [edge(nodes[source]) for (end, source), edge in zip(EDGES, self.edges) if end == node]
            nodes.append(sum(read[1:], start=read[0]))
        return nodes[3]


class ResidualBlock(nn.Module):
    """Halves height and width and doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = relu_convolution_norm(channels, 2 * channels, 3, 2)
        self.second = relu_convolution_norm(2 * channels, 2 * channels, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(channels, 2 * channels, 1, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to [batch, 2 x channels, height / 2, width / 2]."""
        output: Tensor = self.shortcut(images) + self.second(self.first(images))
        return output


def reads_only_zeros(operations: tuple[str, ...]) -> bool:
    """Whether a convolution that the output depends on reads a node that nothing but zeros reaches: it yields its shift there."""
    passes = [operation != "none" for operation in operations]
    reached, leads = {0}, {3}
    for (node, source), passing in zip(EDGES, passes):
        if passing and source in reached:
            reached.add(node)
    for (node, source), passing in reversed(list(zip(EDGES, passes))):
        if passing and node in leads:
            leads.add(source)
    return any(
        operation.startswith("nor_conv") and source not in reached and node in leads
        for (node, source), operation in zip(EDGES, operations)
    )


def all_operations() -> list[tuple[str, ...]]:
    """The operations of all 15,625 cells."""
    names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    return list(itertools.product(names, repeat=len(EDGES)))
