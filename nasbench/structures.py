"""Architectures, their parts and the scale of their networks as plain values, for all packages. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Combination = Literal["add", "concat"]
Stem = Literal["cifar", "imagenet"]

# Indices of a cell's states.
PREVIOUS_PREVIOUS = 0  # p, the output of the cell before the previous one
PREVIOUS = 1  # c, the output of the previous cell
FIRST_BLOCK = 2  # the first block of the cell


class Counts(NamedTuple):
    """Size of a network, without its auxiliary classifier.

    Attributes:
        params: trainable parameters, including BatchNorm's scale and shift.
        mult_adds: multiply-adds of convolutions and fully connected layers for one image.
    """

    params: int
    mult_adds: int


@dataclass(frozen=True)
class Scale:
    """Settings that turn an architecture into a network: depth, width, input and output.

    An architecture of any space fits any scale, with one exception: a cell of nasbench101 splits its channels over the
    vertices that it joins, and is refused with fewer filters than vertices.

    Args:
        cells: N, the normal cells (or layers) per stage, >= 1; spaces without repeated cells ignore it.
        filters: F, the initial filters (C in NAS-Bench-201), >= 1; spaces that decide filters ignore it.
        image_size: height and width of the input in pixels, >= 1.
        image_channels: channels of the input, >= 1.
        classes: outputs of the classifier, >= 2.
        stem: "cifar" (a 3x3 convolution) or "imagenet" (a convolution with stride 2, and two reduction cells).
        skip_reduction_input: True if the cell after a reduction reads as p (its older input) the output of the cell two
            before the reduction; False if it reads that of the cell before the reduction.
        stem_filters: filters of the stem's convolution in a network of cells, >= 1; 0 for the skeleton's own rule (3F
            on CIFAR; on ImageNet 96 if F >= 128, otherwise 32).
    """

    cells: int = 2
    filters: int = 32
    image_size: int = 32
    image_channels: int = 3
    classes: int = 10
    stem: Stem = "cifar"
    skip_reduction_input: bool = False
    stem_filters: int = 0


@dataclass(frozen=True)
class Regularization:
    """Parts of a network that act in training only; they change neither its counts nor the architecture's hash.

    Args:
        drop_path_keep: probability of keeping a path at the end of training, in (0, 1]; 1 for no drop-path.
        auxiliary: True to add the auxiliary classifier, if the skeleton has a place for it.
        dropout: dropout probability before the classifier, in [0, 1).
        drop_path_by_depth: True to drop paths of deeper cells more often: in cell i of n (from 1), with i / n times the
            probability of the last cell. False for the same probability in all cells.
    """

    drop_path_keep: float = 1.0
    auxiliary: bool = False
    dropout: float = 0.0
    drop_path_by_depth: bool = False

    def keep_in_cell(self, cell: int, cells: int) -> float:
        """Return the probability of keeping a path of a cell at the end of training.

        Args:
            cell: index of the cell from 0, in order of depth; cells of the stem are counted.
            cells: number of cells, >= 1.

        Returns:
            The probability, in (0, 1].
        """
        share = (cell + 1) / cells if self.drop_path_by_depth else 1.0
        return 1.0 - share * (1.0 - self.drop_path_keep)


# A NamedTuple, because making a dataclass takes three times as long, and counting an architecture makes ten blocks.
class Block(NamedTuple):
    """Two operations on two states of a cell, whose results are combined.

    States are 0: p (output of the cell before the previous one), 1: c (output of the previous cell), 2 + i: block i.

    Attributes:
        left: index of the first operation's input state.
        left_op: name of the first operation.
        right: index of the second operation's input state.
        right_op: name of the second operation.
        combine: "add" or "concat" (along the channels).
    """

    left: int
    left_op: str
    right: int
    right_op: str
    combine: Combination = "add"


@dataclass(frozen=True)
class Cell:
    """A cell of a NASNet-like network.

    Args:
        blocks: blocks in topological order.
        out: indices of the states (see `Block`) whose concatenation is the cell's output.
    """

    blocks: tuple[Block, ...]
    out: tuple[int, ...]


@dataclass(frozen=True)
class CellPair:
    """The two cells of a NASNet-like network.

    Args:
        normal: cell that keeps height and width.
        reduction: cell that halves height and width.
    """

    normal: Cell
    reduction: Cell


@dataclass(frozen=True)
class Layer:
    """A convolution layer (convolution, BatchNorm, ReLU) of a network of Zoph and Le 2016.

    Args:
        height: height of the filters.
        width: width of the filters.
        filters: number of filters.
        inputs: indices of the inputs, which are concatenated along the channels; 0 is the image, i is layer i from 1.
        stride_height: vertical stride.
        stride_width: horizontal stride.
        stage: number of poolings before the layer; an input of an earlier stage is pooled once per stage in between.
    """

    height: int
    width: int
    filters: int
    inputs: tuple[int, ...]
    stride_height: int = 1
    stride_width: int = 1
    stage: int = 0


@dataclass(frozen=True)
class LayerStack:
    """A network of Zoph and Le 2016.

    Args:
        layers: layers in topological order.
        out: indices of the layers (from 1) whose concatenation the classifier reads.
        convs_per_layer: number of equal, densely connected convolutions that each layer stands for: 1, or 3 in v3.
    """

    layers: tuple[Layer, ...]
    out: tuple[int, ...]
    convs_per_layer: int = 1


class EdgeOperation(NamedTuple):
    """An operation of a NAS-Bench-201 cell.

    Attributes:
        op: name of the operation.
        inputs: indices of the states whose sum is its input; 0 is the cell's input, i is operation i from 1. A state
            that occurs twice is added twice.
    """

    op: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class EdgeCell:
    """A NAS-Bench-201 cell, without its zero and identity operations and those that cannot reach the output.

    Args:
        operations: operations in topological order.
        out: indices of the states (see `EdgeOperation`) whose sum is the cell's output; empty for an output of zero.
    """

    operations: tuple[EdgeOperation, ...]
    out: tuple[int, ...]


@dataclass(frozen=True)
class MacroLayer:
    """A layer of an ENAS macro network.

    Args:
        op: name of the operation, which reads the previous layer.
        skips: indices of earlier states that are combined with its result; 0 is the stem, i is layer i from 1. The
            previous layer is never among them.
        stage: number of reductions before the layer.
    """

    op: str
    skips: tuple[int, ...] = ()
    stage: int = 0


@dataclass(frozen=True)
class MacroStack:
    """An ENAS macro network.

    Args:
        layers: layers in order; each reads the one before it, and the classifier reads the last.
    """

    layers: tuple[MacroLayer, ...]


class ChainLayer(NamedTuple):
    """A layer or module of a network without branches.

    Attributes:
        op: name of the layer or of the blocks of the module.
        doubles: True if it doubles the channels.
        stride: its stride, 1 or 2.
    """

    op: str
    doubles: bool = False
    stride: int = 1


@dataclass(frozen=True)
class Chain:
    """A network without branches between its layers or modules, as those of TransNAS-Bench-101 and NAS-Bench-Macro.

    Args:
        layers: layers or modules in order; each reads the one before it, and the classifier reads the last.
    """

    layers: tuple[ChainLayer, ...]


class Vertex(NamedTuple):
    """An interior vertex of a NAS-Bench-101 cell.

    Attributes:
        op: name of the operation.
        inputs: indices of the states whose sum is its input; 0 is the cell's input, i is vertex i from 1.
    """

    op: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class VertexCell:
    """A NAS-Bench-101 cell, without the vertices that are not between input and output.

    Args:
        vertices: vertices in topological order.
        out: indices of the states (see `Vertex`) with an edge to the output. The output is the concatenation of these
            vertices, plus a projection of the cell's input if 0 is among them.
    """

    vertices: tuple[Vertex, ...]
    out: tuple[int, ...]


@dataclass(frozen=True)
class ChannelStack:
    """A network of NATS-Bench's size space: cells of one fixed topology, and residual blocks between them.

    Args:
        channels: output channels of each layer in order; the stem has those of the first. Layers 0, 2, 4, ... are cells,
            layers 1, 3, ... are residual blocks of stride 2.
    """

    channels: tuple[int, ...]
