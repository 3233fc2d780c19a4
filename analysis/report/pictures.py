"""Architectures as small SVG pictures that use the page's colours and therefore follow its light and dark themes.

matplotlib's SVG of the same picture is ten times as long, has fixed colours, and has ids that clash if a page has two
pictures.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from nasbench.analysis.drawings.architecture import picture
from nasbench.analysis.drawings.canvas import FONT
from nasbench.analysis.plotting import style
from nasbench.analysis.report.colours import DARK_SURFACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasbench.analysis.drawings.architecture import Structure
    from nasbench.analysis.drawings.canvas import PlacedDrawing

UNIT = 20  # SVG coordinates per unit of the drawing
POINT = UNIT / 36  # line widths are in points, and a picture has half an inch per unit
SMALLEST, LARGEST = 24, 36  # screen pixels per unit: letters have 7 to 10 pixels; a narrow screen scrolls
PALE = 0.72  # lighter colours are fills behind letters; darker ones are lines


def svg_of(structure: Structure, title: str) -> str:
    """Draw an architecture as an SVG element for HTML.

    Args:
        structure: see `drawing.draw_architecture`.
        title: description of the picture for screen readers; any text.

    Returns:
        One `svg` element. Its colours are CSS variables of the page: --ink, --surface and --wire, the share of
        colour in lines; fills (class "t") bring a colour for each theme, --l and --d.

    Raises:
        InputError: when `structure` is no architecture.
    """
    parts, width, height = picture(structure)
    shapes = sorted(
        ((patch, part) for part in parts for patch in part.canvas.patches), key=lambda pair: pair[0].get_zorder()
    )
    lines = [_shape(patch, part, height) for patch, part in shapes]
    lines += [_text(words, part, height) for part in parts for words in part.canvas.texts]
    box = f"0 0 {_number(width * UNIT)} {_number(height * UNIT)}"
    size = f'style="min-width:{width * SMALLEST:.0f}px;max-width:{width * LARGEST:.0f}px"'
    return f'<svg class="cell" viewBox="{box}" {size} role="img" aria-label="{escape(title)}">{"".join(lines)}</svg>'


def _shape(patch: Any, part: PlacedDrawing, height: float) -> str:
    """Convert a matplotlib patch to a path element."""
    path = patch.get_patch_transform().transform_path(patch.get_path())
    words = []
    for points, code in path.iter_segments(simplify=False):
        letter = {1: "M", 2: "L", 3: "Q", 4: "C"}.get(int(code), "Z")
        pairs = [] if letter == "Z" else list(zip(points[0::2], points[1::2]))
        words.append(letter + " ".join(f"{_x(x, part)},{_y(y, part, height)}" for x, y in pairs))
    fill, edge = _colour(patch.get_facecolor()), _colour(patch.get_edgecolor())
    width = f' stroke-width="{_number(patch.get_linewidth() * POINT)}"' if edge else ""
    dashes = ' stroke-dasharray="4 3"' if edge and patch.get_linestyle() != "solid" else ""
    return f'<path d="{"".join(words)}"{_painted("fill", fill)}{_painted("stroke", edge)}{width}{dashes}/>'


def _text(words: tuple[float, float, str, float, dict[str, Any]], part: PlacedDrawing, height: float) -> str:
    x, y, text, size, properties = words
    em = FONT * UNIT * size
    lines = text.split("\n")
    anchor = {"left": "start", "center": "middle", "right": "end"}[properties["ha"]]
    bold = ' font-weight="600"' if properties.get("weight") == "bold" else ""
    colour = _painted("fill", _hex(properties["color"]))
    first = -0.6 * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="{_x(x, part)}" dy="{_number(em * (first if row == 0 else 1.2))}">{escape(line)}</tspan>'
        for row, line in enumerate(lines)
    )
    place = f'y="{_y(y, part, height)}" font-size="{_number(em)}" text-anchor="{anchor}"'
    return f'<text {place} dominant-baseline="central"{bold}{colour}>{spans}</text>'


def _painted(what: str, colour: str) -> str:
    """Attributes that set a fill or stroke to one of the drawing's colours by the page's variables."""
    if not colour:
        return f' {what}="none"'
    if colour == style.INK:
        return f' {what}="var(--ink)"'
    if colour == "#ffffff":
        return f' {what}="var(--surface)"'
    if what == "fill" and _lightness(colour) > PALE:
        return f' class="t" style="--l:{colour};--d:{_darkened(colour)}"'
    return f' {what}="color-mix(in oklab,{colour} var(--wire),var(--ink))"'


def _darkened(colour: str) -> str:
    """Adapt a pale fill to a dark background: same hue, as dark as the background, more saturated than a mix."""
    pale = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    ground = [int(DARK_SURFACE[i : i + 2], 16) for i in (1, 3, 5)]
    middle = sum(pale) / 3
    return "#" + "".join(
        f"{round(max(0, below + 26 + 1.3 * (part - middle))):02x}" for part, below in zip(pale, ground)
    )


def _colour(rgba: Sequence[float]) -> str:
    return "" if rgba[3] == 0 else _hex(rgba)


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)


def _lightness(colour: str) -> float:
    """Approximate relative luminance of a colour #rrggbb."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue


def _x(x: float, part: PlacedDrawing) -> str:
    return _number((x + part.x) * UNIT)


def _y(y: float, part: PlacedDrawing, height: float) -> str:
    """Convert y, because SVG counts from the top."""
    return _number((height - y - part.y) * UNIT)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
