"""How every plot looks: one colour, marker and dash for each strategy, a theme that users can override, and saving.

Nothing here touches pyplot or the backend: figures are plain `matplotlib.figure.Figure` objects, so drawing in a notebook keeps the
notebook's backend and drawing in a command needs no display.
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
PALE = 0.28  # opacity of what is context and not the point
INK = "#262626"
MUTED = "#767676"


@dataclass(frozen=True)
class Look:
    """How one strategy is drawn: colour as #rrggbb, a matplotlib marker, and the dashes of its lines (empty: solid)."""

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


# Okabe and Ito's colour-blind safe colours, darkened where they fade on white, and others that stay apart from them. The baseline is grey.
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
    """The look of a strategy: fixed for the built-in ones, and for plug-ins a function of the name alone.

    Args:
        strategy: name of the strategy.

    Returns:
        The same look in every plot and process. Two plug-ins may share a colour; marker and dashes then tell them apart.
    """
    if strategy in _KNOWN:
        return _KNOWN[strategy]
    digest = zlib.crc32(strategy.encode())
    colour = _SPARE_COLOURS[digest % len(_SPARE_COLOURS)]
    marker = _SPARE_MARKERS[digest // 7 % len(_SPARE_MARKERS)]
    return Look(colour, marker, _SPARE_DASHES[digest // 64 % len(_SPARE_DASHES)])


def is_known(strategy: str) -> bool:
    """Whether a strategy is one of those that come with the suite."""
    return strategy in _KNOWN


def line_style(strategy: str) -> Any:
    """The matplotlib `linestyle` of a strategy."""
    dashes = look(strategy).dashes
    return (0, dashes) if dashes else "-"


def in_order(strategies: Sequence[str]) -> list[str]:
    """Distinct strategy names, random search first, then built-in ones in their fixed order, then plug-ins by name."""
    known = list(_KNOWN)
    return sorted(set(strategies), key=lambda name: (known.index(name) if name in known else len(known), name))


@contextmanager
def theme(overrides: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Seaborn's look for figures made inside the block; the settings outside are restored.

    Args:
        overrides: matplotlib rc settings that win over the theme's, e.g. {"font.size": 12}.
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
    # A notebook's backend, loaded by the first figure, turns this on; taken back, no later figure would be shown.
    matplotlib.rcParams["interactive"] = interactive


def ink() -> str:
    """The colour #rrggbb of letters and of lines that are no strategy's: the theme's, or that of the settings in force."""
    import matplotlib
    from matplotlib.colors import to_hex

    return to_hex(matplotlib.rcParams["text.color"])


def ground() -> str:
    """The colour #rrggbb behind a plot, by the settings in force."""
    import matplotlib
    from matplotlib.colors import to_hex

    return to_hex(matplotlib.rcParams["axes.facecolor"])


def muted() -> str:
    """The colour of what is said in a lower voice: on the way from `ink` to `ground`, and still to be read."""
    return _between(ink(), ground(), 0.3687)


def context() -> str:
    """The colour of lines that only show where the others lie: further on that way."""
    return _between(ink(), ground(), 0.6544)


def _between(first: str, second: str, share: float) -> str:
    pairs = ((int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches that lays itself out, tied to no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, stem: Path | str, data: pd.DataFrame) -> list[Path]:
    """Write a figure as PNG (print size, 200 dots an inch) and SVG, and the data behind it as CSV.

    Args:
        figure: what to save.
        stem: path without ending; missing folders are made.
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
    """Write a figure that has no data behind it (a picture of an architecture); the path's ending says the format.

    Args:
        figure: what to save.
        path: a file ending in .png, .svg or .pdf; missing folders are made.

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
    """Make the x axis logarithmic, with a handful of ticks as plain numbers ("0.01", "20k", "5M").

    Args:
        ax: the plot.
        low: the least number it shows, > 0.
        high: the largest.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 1.2 else (1.0, 3.0) if decades < 2.5 else (1.0,)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """A number as people write it: at most three digits, k, M and G from ten thousand on."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(factor, 1e4):
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def say(ax: Axes, text: str) -> None:
    """Write a sentence where a plot would be, for input that leaves nothing to draw."""
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
    """Put notes under the plots of a figure, wrapped to its width."""
    width = int(figure.get_figwidth() * 14.2)
    lines = [line for note in notes for line in textwrap.wrap(note, width, subsequent_indent="   ")]
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize="small", color=muted())


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name lines at the right edge of a plot, moved apart where they would lie on each other.

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
