"""Canvas for boxes and arrows: shapes are collected in units of the drawing, then scaled to the axes.

An operation's box is 1.56 units wide. Every arrow has the colour of what it carries.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.page import current_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES_PER_UNIT = 0.5
WIDEST_FIGURE = 12.0  # inches
FONT = 0.29  # font size in units
LETTER = 0.62 * FONT  # width of a letter, rounded up
TITLE = 1.15  # size of a title relative to the usual letters
BOX_HEIGHT = 0.62  # height of a box with one line
HEAD = 0.2  # length of an arrow's head
TURN = 0.14  # radius of a wire's corner
STATE_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#b8568f",
    "#c98a00",
    "#4aa5d9",
    "#882255",
    "#7a7a1f",
    "#332288",
    "#6e6e6e",
)
PLAIN = "#ededed"  # fill of inputs and outputs


@dataclass
class Canvas:
    """Collects patches and texts in units, before the scale of the axes is known; sizes of texts are relative."""

    patches: list[Any] = field(default_factory=list)
    texts: list[tuple[float, float, str, float, dict[str, Any]]] = field(default_factory=list)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, edge: str = style.INK, z: float = 3
    ) -> None:
        """Add a rounded rectangle.

        Args:
            x: centre, in units.
            y: centre, in units.
            width: width, in units.
            height: height, in units.
            fill: colour of the area.
            edge: colour of the border.
            z: drawing order; higher values cover lower ones.
        """
        from matplotlib.patches import FancyBboxPatch

        corner = (x - width / 2, y - height / 2)
        shape = "round,pad=0,rounding_size=0.1"
        self.patches.append(
            FancyBboxPatch(
                corner, width, height, boxstyle=shape, facecolor=fill, edgecolor=edge, linewidth=0.8, zorder=z
            )
        )

    def text(self, x: float, y: float, text: str, size: float = 1.0, **properties: Any) -> None:
        """Add a text.

        Args:
            x: position, in units.
            y: position, in units.
            text: the text.
            size: size of the letters relative to the usual size, > 0.
            properties: properties of matplotlib's `Text` that override the defaults (centred, in the text colour).
        """
        self.texts.append((x, y, text, size, {"ha": "center", "va": "center", "color": style.INK, **properties}))

    def labelled(self, x: float, y: float, width: float, height: float, label: str, fill: str) -> None:
        """Add a box with a label inside. A label that does not fit is set on two lines, then smaller.

        Args:
            x: centre, in units.
            y: centre, in units.
            width: width, in units.
            height: height, in units.
            label: the label.
            fill: colour of the area.
        """
        self.box(x, y, width, height, fill)
        room = width - 0.1
        lines = (
            [label]
            if LETTER * len(label) <= room
            else textwrap.wrap(label, len(label) // 2 + 2, break_long_words=False)
        )
        longest = max((len(line) for line in lines), default=1)
        self.text(
            x, y, "\n".join(lines), min(1.0, room / (LETTER * longest), (height - 0.1) / (1.3 * FONT * len(lines)))
        )

    def wire(self, points: Sequence[tuple[float, float]], codes: Sequence[int], source: int) -> None:
        """Add an arrow along a path, in the colour of the state that it carries.

        A white border covers the wires of earlier states, so crossings are clear. It does not cover wires of the same
        state, which branch.

        Args:
            points: points of a matplotlib path, in units; the last part is vertical or horizontal.
            codes: matplotlib's path codes, one per point.
            source: number of the state, >= 0; it decides the colour.
        """
        from matplotlib.patches import PathPatch, Polygon
        from matplotlib.path import Path

        (x0, y0), (x1, y1) = points[-2:]
        # Wires end vertically or horizontally: this is the unit vector of the last part, from any control point.
        dx, dy = (0.0, 1.0 if y1 > y0 else -1.0) if abs(y1 - y0) > abs(x1 - x0) else (1.0 if x1 > x0 else -1.0, 0.0)
        neck = (x1 - HEAD * dx, y1 - HEAD * dy)
        shaft = Path([*points[:-1], neck], codes)
        level, shade = 1.5 + 0.01 * source, colour(source)
        self.patches.append(PathPatch(shaft, facecolor="none", edgecolor="white", linewidth=3.4, zorder=level))
        self.patches.append(
            PathPatch(shaft, facecolor="none", edgecolor=shade, linewidth=1.4, zorder=level + 0.005, capstyle="butt")
        )
        side = 0.45 * HEAD
        corners = [(x1, y1), (neck[0] - side * dy, neck[1] - side * dx), (neck[0] + side * dy, neck[1] + side * dx)]
        self.patches.append(Polygon(corners, closed=True, facecolor=shade, edgecolor="none", zorder=2.5))

    def straight(self, start: tuple[float, float], end: tuple[float, float], source: int) -> None:
        """Add an arrow along a vertical or horizontal line.

        Args:
            start: (x, y) of the start, in units.
            end: (x, y) of the tip, in units.
            source: number of the state that it carries, >= 0.
        """
        from matplotlib.path import Path

        self.wire([start, end], [int(Path.MOVETO), int(Path.LINETO)], source)

    def elbow(
        self, start: tuple[float, float], corner: tuple[float, float], end: tuple[float, float], source: int
    ) -> None:
        """Add an arrow with one rounded right angle.

        Args:
            start: (x, y) of the start, in units.
            corner: (x, y) of the corner before rounding, in units.
            end: (x, y) of the tip, in units.
            source: number of the state that it carries, >= 0.
        """
        from matplotlib.path import Path

        before, after = _towards(corner, start), _towards(corner, end)
        line, curve = int(Path.LINETO), int(Path.CURVE3)
        self.wire([start, before, corner, after, end], [int(Path.MOVETO), line, curve, curve, line], source)

    def dot(self, x: float, y: float, source: int) -> None:
        """Add a filled dot, which marks a branch of a wire as opposed to a crossing.

        Args:
            x: centre, in units.
            y: centre, in units.
            source: number of the state that the wire carries, >= 0.
        """
        from matplotlib.patches import Circle

        self.patches.append(Circle((x, y), 0.07, facecolor=colour(source), edgecolor="none", zorder=2.5))

    def shifted(self, x: float, y: float) -> PlacedDrawing:
        """Place this canvas in a larger drawing.

        Args:
            x: position of this canvas's point (0, 0) in the drawing, in units.
            y: the same in the vertical direction.

        Returns:
            The canvas with its position.
        """
        return PlacedDrawing(self, x, y)


@dataclass
class PlacedDrawing:
    """A canvas and the position of its origin in the drawing, in units."""

    canvas: Canvas
    x: float
    y: float


def colour(state: int) -> str:
    """Return the colour of all wires that carry a state; ten colours are used in turn.

    Args:
        state: number of the state, >= 0.

    Returns:
        Colour #rrggbb.
    """
    return STATE_COLOURS[state % len(STATE_COLOURS)]


def paint(parts: Sequence[PlacedDrawing], width: float, height: float, ax: Axes) -> float:
    """Paint a drawing on axes.

    Args:
        parts: canvases with their positions.
        width: width of the drawing in units.
        height: height of the drawing in units.
        ax: one plot; its axes are hidden and get equal scales. Texts fit the size it has now.

    Returns:
        The size of the usual letters in points.
    """
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.apply_aspect()
    (left, _), (right, _) = ax.transData.transform([(0, 0), (1, 0)])
    figure: Any = ax.get_figure()
    em = float(FONT * (right - left) / figure.dpi * 72)
    from matplotlib.transforms import Affine2D

    for part in parts:
        move = Affine2D().translate(part.x, part.y) + ax.transData
        for patch in part.canvas.patches:
            patch.set_transform(move)
            patch.set_clip_on(False)
            ax.add_artist(patch)
        for x, y, text, size, properties in part.canvas.texts:
            ax.text(x + part.x, y + part.y, text, fontsize=em * size, zorder=4, clip_on=False, **properties)
    return em


def sized_figure(width: float, height: float, title: str = "") -> tuple[Figure, Axes]:
    """Make an empty figure for a drawing of a given size.

    If the current page has a font size, the usual letters get that size; if it has a shape, the drawing is centred in
    it.

    Args:
        width: width of the drawing in its units, > 0.
        height: height of the drawing in its units, > 0.
        title: line above the drawing; "" for none.

    Returns:
        The figure and its axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    page = current_page()
    usual = min(INCHES_PER_UNIT, WIDEST_FIGURE / width)
    scale = usual if page.font_size is None else page.font_size / (72 * FONT)
    head = 0.4 * page.font_scale if title else 0.0
    size = page.fitted(max(3.0, width * scale), height * scale + head)
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    if title:
        figure.text(0.5, 1 - head / 2 / size[1], title, ha="center", va="center", fontsize="large", color=style.INK)
    return figure, figure.add_axes((0, 0, 1, 1 - head / size[1]))


def _towards(corner: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """Point at which a corner's rounding meets the straight line to `end`."""
    (x0, y0), (x1, y1) = corner, end
    length = abs(x1 - x0) + abs(y1 - y0)  # one of the two is 0
    return (x0 + TURN * (x1 - x0) / length, y0 + TURN * (y1 - y0) / length)
