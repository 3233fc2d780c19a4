"""Drawing of a network of repeated cells: a column of boxes from image to classifier, with the parts' feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from nasbench.analysis.drawings.canvas import BOX_HEIGHT, PLAIN, TITLE, Canvas, paint, sized_figure
from nasbench.analysis.plotting import style
from nasbench.networks.cell_counts import count_cell_network
from nasbench.networks.skeletons import CellKind, NetworkPlan, Place, plan_network
from nasbench.networks.wiring import check_pair, output_width
from nasbench.transfer.family import NASNET, Family, Size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nasbench.networks.skeletons import Skeleton
    from nasbench.structures import CellPair, Scale

BOX_WIDTH = 4.0
BOX_LEFT = 0.5
COLUMNS = (("height × width", 1.9), ("channels", 4.0), ("F", 5.5))  # right of the boxes
GAP = 0.5
DECK = 0.1  # offset between the stacked cards of a repeated cell
WIDTH = BOX_LEFT + BOX_WIDTH + COLUMNS[-1][1] + 0.8
HEADING = 1.4  # height of the title and the column names
FILLS = {"stem": "#e3def2", "normal": "#dbe9f6", "reduction": "#fdebd0"}


class SkeletonPart(NamedTuple):
    """A row of `skeleton_data`, where the fields are explained."""

    part: str
    repeat: int
    stride: int
    filters: int
    channels: int
    size: int


def skeleton_data(pair: CellPair, scale: Scale, skeleton: Skeleton = "nasnet") -> pd.DataFrame:
    """List the parts of a network of cells in order, with their output feature maps.

    Args:
        pair: the cells; the length of their output lists gives the width of their feature maps in multiples of F.
        scale: N, F, image and stem.
        skeleton: how the cells are stacked, see `networks.skeletons`.

    Returns:
        One row per part, from the image on: part ("image", "stem", "normal", "reduction", "head"), repeat (equal cells
        in a row), stride (of the whole part), filters (F of its cells; 0 for the others), channels and size (height and
        width in pixels) of its output. The output of the head is one number per class.

    Raises:
        InputError: when a cell cannot be built, or the image is too small for the stem.
    """
    check_pair(pair)
    plan = plan_network(scale, skeleton)
    widths = output_width(pair.normal), output_width(pair.reduction)
    parts = [
        SkeletonPart("image", 1, 1, 0, scale.image_channels, scale.image_size),
        SkeletonPart("stem", 1, 2 if scale.stem == "imagenet" else 1, 0, plan.stem_filters, plan.stem_size),
    ]
    for kind, filters, first, last in _stages(plan):
        stride = 2 if kind == "reduction" else 1
        channels = plan.map_channels(last, *widths)
        parts.append(SkeletonPart(kind, last - first + 1, stride, filters, channels, plan.map_size(last)))
    return pd.DataFrame([*parts, SkeletonPart("head", 1, 1, 0, scale.classes, 1)], columns=list(SkeletonPart._fields))


def _stages(plan: NetworkPlan) -> list[tuple[CellKind, int, int, int]]:
    """Kind, F, and first and last feature map of each sequence of equal cells; a reduction cell is a separate stage."""
    stages: list[tuple[CellKind, int, int, int]] = []
    before: Place | None = None
    for index, place in enumerate(plan.places, start=1):
        if before is not None and place.kind == "normal" == before.kind and place.filters == before.filters:
            stages[-1] = (*stages[-1][:3], index)
        else:
            stages.append((place.kind, place.filters, index, index))
        before = place
    return stages


def skeleton_title(
    name: str, pair: CellPair, scale: Scale, skeleton: Skeleton = "nasnet", family: Family = NASNET
) -> str:
    """Make two title lines: name and size in the notation of the family, then parameters and multiply-adds.

    Args:
        name: name of the architecture.
        pair: its cells.
        scale: N, F, image and stem.
        skeleton: how the cells are stacked.
        family: notation of the size: N@(channels at the end), or N@F for AmoebaNet.

    Returns:
        The title, two lines.
    """
    widest = int(skeleton_data(pair, scale, skeleton)["channels"].iloc[-2])
    counts = count_cell_network(pair, scale, skeleton)
    return f"{name} {Size(scale.cells, widest, scale.filters, family)}\n{style.short(counts.params)} params, {style.short(counts.mult_adds)} mult-adds"


def draw_skeleton(data: pd.DataFrame, ax: Axes, title: str = "") -> None:
    """Draw a network's parts from the image (bottom) to the classifier (top), with their output feature maps.

    Args:
        data: result of `skeleton_data`.
        ax: one plot; its axes are hidden. Texts fit the size it has now.
        title: one or two lines above it.
    """
    height = _height(data)
    canvas = Canvas()
    x = BOX_LEFT + BOX_WIDTH / 2
    step, deck = BOX_HEIGHT + GAP, 0.0
    parts = [SkeletonPart(*row) for row in data[list(SkeletonPart._fields)].itertuples(index=False, name=None)]
    for level, row in enumerate(parts):
        y = 0.3 + BOX_HEIGHT / 2 + level * step
        if level:
            canvas.straight((x, y - step + BOX_HEIGHT / 2 + deck), (x, y - BOX_HEIGHT / 2), 9)
        deck = 2 * DECK if row.repeat > 1 else 0.0
        for card in (2, 1) if deck else ():
            canvas.box(x + card * DECK, y + card * DECK, BOX_WIDTH, BOX_HEIGHT, FILLS[row.part], z=3 - 0.1 * card)
        canvas.labelled(x, y, BOX_WIDTH, BOX_HEIGHT, _label(row), FILLS.get(row.part, PLAIN))
        size = f"{row.size} × {row.size}" if row.part != "head" else ""
        channels = f"{row.channels:,}" if row.part != "head" else f"{row.channels:,} classes"
        for (_, offset), text in zip(COLUMNS, (size, channels, str(row.filters or ""))):
            canvas.text(BOX_LEFT + BOX_WIDTH + offset, y, text)
    for name, offset in COLUMNS:
        canvas.text(BOX_LEFT + BOX_WIDTH + offset, height - HEADING + 0.05, name, 0.85, color=style.MUTED)
    lines = title.split("\n")
    for i, line in enumerate(lines):
        canvas.text(WIDTH / 2, height - 0.3 - 0.46 * i, line, TITLE if i == 0 else 1, weight="normal" if i else "bold")
    paint([canvas.shifted(0, 0)], WIDTH, height, ax)


def skeleton_figure(skeletons: Sequence[tuple[str, pd.DataFrame]]) -> Figure:
    """Make a figure of skeletons side by side.

    Args:
        skeletons: title and result of `skeleton_data` of each skeleton.

    Returns:
        The figure.
    """
    height = max(_height(data) for _, data in skeletons)
    with style.theme():
        figure, whole = sized_figure(WIDTH * len(skeletons), height)
        whole.remove()
        for i, (title, data) in enumerate(skeletons):
            ax = figure.add_axes((i / len(skeletons), 0, 1 / len(skeletons), _height(data) / height))
            draw_skeleton(data, ax, title)
    return figure


def _height(data: pd.DataFrame) -> float:
    return 0.3 + len(data) * (BOX_HEIGHT + GAP) - GAP + 0.2 + HEADING


def _label(row: SkeletonPart) -> str:
    """Label in the box of a part."""
    stride = ", stride 2" if row.stride == 2 else ""
    if row.part in ("normal", "reduction"):
        return f"{row.part} cell × {row.repeat}" if row.repeat > 1 else f"{row.part}{stride or ' cell'}"
    return {"image": "image", "stem": f"conv 3×3{stride}", "head": "average pool, softmax"}[row.part]
