"""What all networks of cells have: a stem, cells that read the two before them, a classifier, an auxiliary head."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from nasbench.networks.auxiliary import AuxiliaryHead
from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, ValidConv2d, convolution_bn
from nasbench.networks.drop_path import DropPath
from nasbench.networks.skeletons import NetworkPlan, Place
from nasbench.structures import Regularization, Scale

CellBuilder = Callable[[Place, list[int], float], nn.Module]
"""(position, channels of every feature map, probability of keeping a path at the end of training) -> the cell.

The cell has its drop-path as `drop_path`. It maps c and p to its output."""


class StackedCells(Network):
    """Stem, cells, classifier. A cell whose output is not read is computed all the same.

    Args:
        plan: positions of the cells.
        scale: image channels, classes and stem.
        regularization: drop-path, auxiliary head and dropout.
        widths: channels of a normal and of a reduction cell's output, in units of its F.
        build_cell: builds the cell of a position.
        auxiliary_map: index of the feature map that an auxiliary head reads.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        scale: Scale,
        regularization: Regularization,
        widths: tuple[int, int],
        build_cell: CellBuilder,
        auxiliary_map: int,
    ) -> None:
        super().__init__()
        self.places = plan.places
        self.stem = build_stem(plan, scale)
        channels = [plan.map_channels(index, *widths) for index in range(len(plan.places) + 1)]
        self.cells = nn.ModuleList(
            build_cell(place, channels, regularization.keep_in_cell(index, len(plan.places)))
            for index, place in enumerate(plan.places)
        )
        self.classifier = Classifier(channels[-1], scale.classes, regularization.dropout)
        self.auxiliary_map = auxiliary_map
        self.auxiliary = (
            AuxiliaryHead(channels[auxiliary_map], plan.map_size(auxiliary_map), scale.classes)
            if regularization.auxiliary
            else None
        )

    def set_progress(self, progress: float) -> None:
        """Set the progress: the more, the more often paths are dropped; see `Network.set_progress`."""
        for cell in self.cells:  # not self.modules(), whose walk would take as long as three convolutions in each step
            assert isinstance(cell.drop_path, DropPath)
            cell.drop_path.set_progress(progress)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        return self._classify(self._feature_maps(images)[-1])

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the logits, and in training those of the auxiliary head.

        Args:
            images: [batch, channels, height, width].

        Returns:
            Logits [batch, classes], and the auxiliary head's logits of the same shape; None in evaluation mode or
            without such a head.
        """
        maps = self._feature_maps(images)
        auxiliary = self.auxiliary(maps[self.auxiliary_map]) if self.training and self.auxiliary is not None else None
        return self._classify(maps[-1]), auxiliary

    def _feature_maps(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = [self.stem(images)]
        for place, cell in zip(self.places, self.cells):
            maps.append(cell(maps[place.previous], maps[place.p_map]))
        return maps

    def _classify(self, last: Tensor) -> Tensor:
        logits: Tensor = self.classifier(last)
        return logits


def build_stem(plan: NetworkPlan, scale: Scale) -> nn.Sequential:
    """Build the first convolution and its BatchNorm.

    Args:
        plan: channels of the stem's output.
        scale: image channels and stem.

    Returns:
        A module that maps [batch, image channels, size, size] to [batch, `plan.stem_filters`, `plan.stem_size`,
        `plan.stem_size`].
    """
    if scale.stem == "imagenet":
        return nn.Sequential(
            ValidConv2d(scale.image_channels, plan.stem_filters, 3, 2), nn.BatchNorm2d(plan.stem_filters)
        )
    return nn.Sequential(*convolution_bn(scale.image_channels, plan.stem_filters, 3))
