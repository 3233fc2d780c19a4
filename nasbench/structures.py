"""Parts of an architecture as plain values, shared by spaces, counts and networks. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Combination = Literal["add", "concat"]
Stem = Literal["cifar", "imagenet"]

PREVIOUS_PREVIOUS = 0  # state index of p, the output of the cell before the previous one
PREVIOUS = 1  # state index of c, the output of the previous cell
FIRST_BLOCK = 2  # state index of the first block of a cell


class Counts(NamedTuple):
    """Cost of one network in closed form.

    `params`: trainable parameters (BatchNorm scale and shift in, running statistics out), without auxiliary head.
    `mult_adds`: multiply-adds of convolutions and fully connected layers for one image.
    """

    params: int
    mult_adds: int


@dataclass(frozen=True)
class Scale:
    """Size of the network that an architecture is built into; an architecture can be built at any scale.

    Args:
        cells: N, the normal cells (or layers) of one stage; >= 1. Spaces without repetition ignore it.
        filters: F, the initial filters (NASNet F, NAS-Bench-201 C); >= 1. Spaces that decide filters ignore it.
        image_size: height and width of the input in pixels; >= 1.
        image_channels: channels of the input; >= 1.
        classes: outputs of the classifier; >= 2.
        stem: "cifar" (3x3 convolution) or "imagenet" (stride 2 and two reduction cells).
        skip_reduction_input: after a reduction, read as p what came before the reduction's own input.
        stem_filters: filters of the stem's convolution in a network of cells; >= 0, 0 for the skeleton's own rule (3F on CIFAR; on
            ImageNet 96 from F = 128 on, 32 below). AmoebaNet's released code has 32 on ImageNet whatever F.
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
    """Training-time parts of a network that do not change its counts or its hash.

    Args:
        drop_path_keep: probability in (0, 1] of keeping a path at the end of training; 1 turns it off.
        auxiliary: attach the auxiliary classifier where the skeleton has a place for it.
        dropout: probability in [0, 1) before the final classifier.
        drop_path_by_depth: drop paths of deeper cells more often: of cell i of n (from 1), paths are dropped i / n times as often as of the
            last one; otherwise in all cells alike.
    """

    drop_path_keep: float = 1.0
    auxiliary: bool = False
    dropout: float = 0.0
    drop_path_by_depth: bool = False

    def keep_in_cell(self, cell: int, cells: int) -> float:
        """Return the probability of keeping a path of a cell at the end of training.

        Args:
            cell: index of the cell from 0, in the order of depth; the cells of a stem count.
            cells: number of cells.
        """
        share = (cell + 1) / cells if self.drop_path_by_depth else 1.0
        return 1.0 - share * (1.0 - self.drop_path_keep)


class Block(
    NamedTuple
):  # made ten times an architecture wherever one is counted; a dataclass would take three times as long
    """Two operations on two earlier states of a cell, combined.

    `left` and `right` are state indices: 0 is p (the cell before the previous one), 1 is c (the previous cell), 2 + i is block i.
    """

    left: int
    left_op: str
    right: int
    right_op: str
    combine: Combination = "add"


@dataclass(frozen=True)
class Cell:
    """A cell: blocks in topological order and the states (indices as in `Block`) whose concatenation is its output."""

    blocks: tuple[Block, ...]
    out: tuple[int, ...]


@dataclass(frozen=True)
class CellPair:
    """The normal and the reduction cell of a NASNet-like network."""

    normal: Cell
    reduction: Cell


@dataclass(frozen=True)
class Layer:
    """One convolution layer of a 2016 NAS network (convolution, BatchNorm, ReLU).

    `inputs` are indices into the stack (0 is the image, i is layer i counted from 1), concatenated in depth.
    `stage` counts the poolings before the layer; an input of an earlier stage is pooled once per stage between.
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
    """A 2016 NAS network: layers in topological order; the classifier reads the concatenation of `out` (layer indices from 1).

    `convs_per_layer`: each predicted layer is a fully connected block of that many equal convolutions (1, or 3 in v3).
    """

    layers: tuple[Layer, ...]
    out: tuple[int, ...]
    convs_per_layer: int = 1


class EdgeOperation(NamedTuple):
    """One operation of a NAS-Bench-201 cell: `op` on the sum of `inputs` (0 is the cell's input, i is operation i from 1).

    An index that occurs twice is added twice.
    """

    op: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class EdgeCell:
    """A NAS-Bench-201 cell after removing zero, identity and dead edges; its output is the sum of `out` (may be empty: zero)."""

    operations: tuple[EdgeOperation, ...]
    out: tuple[int, ...]


@dataclass(frozen=True)
class MacroLayer:
    """One layer of an ENAS macro network: `op` on the state before it, and the states that join its result.

    `skips` are earlier states (0 is the stem, i is layer i counted from 1), never the one that `op` reads. `stage` counts the
    reductions before the layer.
    """

    op: str
    skips: tuple[int, ...] = ()
    stage: int = 0


@dataclass(frozen=True)
class MacroStack:
    """An ENAS macro network: layers in order, each on the one before; the classifier reads the last."""

    layers: tuple[MacroLayer, ...]


class Vertex(NamedTuple):
    """One interior vertex of a NAS-Bench-101 cell: `op` on the sum of `inputs` (0 is the cell's input, i is vertex i from 1)."""

    op: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class VertexCell:
    """A NAS-Bench-101 cell after pruning: vertices in topological order, and the states (as in `Vertex`) that lead to its output.

    The output concatenates its vertices and, where `out` has 0, adds a projection of the cell's input.
    """

    vertices: tuple[Vertex, ...]
    out: tuple[int, ...]
