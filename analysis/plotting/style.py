"""Style of all plots: a colour, marker and dash per strategy, a theme that users can override, and saving.

Nothing here uses pyplot or the backend: figures are plain `matplotlib.figure.Figure` objects. Therefore drawing in a
notebook keeps the notebook's backend, and drawing in a command needs no display.
"""

from __future__ import annotations

import math
import textwrap
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PRINT_DPI = 200
PALE = 0.28  # opacity of context
INK = "#262626"
MUTED = "#767676"


@dataclass(frozen=True)
class Look:
    """Look of one strategy: colour as #rrggbb, a matplotlib marker, and the dashes of its lines (empty: solid)."""

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


# Okabe and Ito's colour-blind safe colours, darkened if too pale on white, and others that are distinct from them. The
# baseline is grey.
_KNOWN = {
    "random": Look("#6e6e6e", "o"),
    "reinforce": Look("#0072b2", "s"),
    "ppo": Look("#d55e00", "D"),
    "evolution": Look("#009e73", "^"),
    "pnas": Look("#bd83a8", "v"),
    "enas": Look("#8a5e2f", "P"),
    "zero_cost": Look("#4aa5d9", "X"),
    "local_search": Look("#882255", "<"),
    "reinforce_logits": Look("#332288", "h"),
}
_SPARE_COLOURS = ("#5d4a99", "#7a7a1f", "#aa4466", "#117766", "#c98a00")
_SPARE_MARKERS = ("*", ">", "h", "p", "d", "8", "H")
_SPARE_DASHES = ((4.0, 1.5), (1.5, 1.5), (6.0, 1.5, 1.5, 1.5))


def look(strategy: str) -> Look:
    """Look of a strategy: fixed for built-in strategies, and for plug-ins a function of the name alone.

    Args:
        strategy: name of the strategy.

    Returns:
        The same look in every plot and process. Two plug-ins may share a colour; marker and dashes then distinguish
        them.
    """
    if strategy in _KNOWN:
        return _KNOWN[strategy]
    digest = zlib.crc32(strategy.encode())
    colour = _SPARE_COLOURS[digest % len(_SPARE_COLOURS)]
    marker = _SPARE_MARKERS[digest // 7 % len(_SPARE_MARKERS)]
    return Look(colour, marker, _SPARE_DASHES[digest // 64 % len(_SPARE_DASHES)])


def is_known(strategy: str) -> bool:
    """Whether a strategy is built in."""
    return strategy in _KNOWN


def line_style(strategy: str) -> Any:
    """Matplotlib `linestyle` of a strategy."""
    dashes = look(strategy).dashes
    return (0, dashes) if dashes else "-"


def in_order(strategies: Sequence[str]) -> list[str]:
    """Sort distinct strategy names: random search, then built-in ones in their fixed order, then plug-ins by name."""
    known = list(_KNOWN)
    return sorted(set(strategies), key=lambda name: (known.index(name) if name in known else len(known), name))


@contextmanager
def theme(overrides: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Apply seaborn's style to figures made inside the block; the previous settings are restored.

    Args:
        overrides: matplotlib rc settings that override the theme's, e.g. {"font.size": 12}.
    """
    import matplotlib
    import seaborn

    settings: Any = {  # matplotlib types its keys as literals; an override may be any of them
        **seaborn.plotting_context("paper", font_scale=1.15),
        **seaborn.axes_style("ticks"),
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": MUTED,
        "text.color": INK,
        "axes.labelcolor": INK,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "nasbench",
    }
    settings.update(overrides or {})
    interactive = matplotlib.rcParams["interactive"]
    with matplotlib.rc_context(settings):
        try:
            yield
        finally:
            interactive = matplotlib.rcParams["interactive"]
    # A notebook's backend, loaded by the first figure, turns this on; if it were restored to off, no later figure would
    # be shown.
    matplotlib.rcParams["interactive"] = interactive


def ink() -> str:
    """Colour #rrggbb of text and neutral lines: the theme's, or that of the current settings."""
    import matplotlib
    from matplotlib.colors import to_hex

    return to_hex(matplotlib.rcParams["text.color"])


def ground() -> str:
    """Colour #rrggbb of the background, by the current settings."""
    import matplotlib
    from matplotlib.colors import to_hex

    return to_hex(matplotlib.rcParams["axes.facecolor"])


def muted() -> str:
    """Colour of less important text: between `ink` and `ground`, still readable."""
    return _between(ink(), ground(), 0.3687)


def context() -> str:
    """Colour of context lines: closer to `ground` than `muted`."""
    return _between(ink(), ground(), 0.6544)


def _between(first: str, second: str, share: float) -> str:
    pairs = ((int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches, with automatic layout and without a display.

    Args:
        width: width in inches.
        height: height in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, stem: Path | str, data: pd.DataFrame) -> list[Path]:
    """Write a figure as PNG (print size, 200 dots per inch) and SVG, and the data behind it as CSV.

    Args:
        figure: the figure to save.
        stem: path without ending; missing folders are created.
        data: the rows that the figure shows.

    Returns:
        The three paths. The same figure and data give the same bytes.

    Raises:
        InputError: when the folder cannot be written.
    """
    stem = Path(stem)
    paths = [save_figure(figure, stem.with_name(f"{stem.name}.{ending}")) for ending in ("png", "svg")]
    data_path = stem.with_name(f"{stem.name}.csv")
    try:
        data.to_csv(data_path, index=False)
    except OSError as error:
        raise InputError(f"cannot write {str(data_path)!r}: {error.strerror or error}") from None
    return [*paths, data_path]


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write a figure without data, e.g. a drawing of an architecture, in the format of the path's ending.

    Args:
        figure: the figure to save.
        path: a file ending in .png, .svg or .pdf; missing folders are created.

    Returns:
        The path.

    Raises:
        InputError: for another ending, or when the folder cannot be written.
    """
    import matplotlib

    path = Path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"cannot draw to {str(path)!r}; the name must end in .png, .svg or .pdf")
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nasbench"}):
            figure.savefig(path, dpi=PRINT_DPI, facecolor="auto", metadata=dates.get(path.suffix))
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    return path


def logarithmic(ax: Axes, low: float, high: float) -> None:
    """Make the x axis logarithmic, with a few ticks as plain numbers ("0.01", "20k", "5M").

    Args:
        ax: the plot.
        low: the smallest number shown, > 0.
        high: the largest number shown.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 1.2 else (1.0, 3.0) if decades < 2.5 else (1.0,)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """Format a number with at most three digits, and with k, M or G from ten thousand on."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(factor, 1e4):
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def say(ax: Axes, text: str) -> None:
    """Write a sentence in place of a plot that has nothing to draw.

    Args:
        ax: the plot.
        text: the sentence.
    """
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.text(
        0.5,
        0.5,
        textwrap.fill(text, 40),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=muted(),
        fontsize="medium",
    )


def caption(figure: Figure, notes: Sequence[str]) -> None:
    """Write notes under the plots of a figure, wrapped to its width.

    Args:
        figure: the figure.
        notes: lines to write.
    """
    width = int(figure.get_figwidth() * 14.2)
    lines = [line for note in notes for line in textwrap.wrap(note, width, subsequent_indent="   ")]
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize="small", color=muted())


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Label lines at the right edge of a plot; labels that would overlap are moved apart.

    Args:
        ax: a plot whose limits are final.
        ends: (y in data units, text, colour) of each line.
    """
    import numpy as np

    from nasbench.analysis.plotting.spacing import spread

    if not ends:
        return
    heights = ax.transAxes.inverted().transform(ax.transData.transform([(ax.get_xlim()[1], y) for y, _, _ in ends]))[
        :, 1
    ]
    gap = min(0.075, 0.98 / len(ends))
    places = spread(np.clip(heights, 0.02, 0.98).tolist(), gap)
    places = places - max(0.0, float(places.max()) - 1.0)
    for (_, text, colour), height, place in zip(ends, heights, places):
        ax.plot(
            [1.0, 1.025], [height, place], transform=ax.transAxes, color=colour, linewidth=0.8, clip_on=False, zorder=1
        )
        ax.text(
            1.035,
            place,
            text,
            transform=ax.transAxes,
            color=colour,
            va="center",
            ha="left",
            fontsize="small",
            clip_on=False,
        )
