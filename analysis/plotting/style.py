"""Style of all plots: a colour, marker and dash per strategy, and a theme that users can override.

Nothing here uses pyplot or the backend: figures are plain `matplotlib.figure.Figure` objects. Therefore drawing in a
notebook keeps the notebook's backend, and drawing in a command needs no display.
"""

from __future__ import annotations

import math
import textwrap
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbench.analysis.plotting.page import current_page
from nasbench.strategy_names import BUILT_IN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_SPACING = 1.35  # distance between lines of text, in font sizes
LETTER_WIDTH = 0.62  # of a digit, in font sizes
MOST_STRATEGIES = 40  # of a picture; more lines cannot be told apart, and take minutes to draw
PALE = 0.28  # opacity of context
INK = "#262626"
MUTED = "#767676"


# Of seaborn's context "notebook"; those of "paper" are 0.8 times as large.
_SIZES = {
    "axes.linewidth": 1.25,
    "grid.linewidth": 1,
    "lines.linewidth": 1.5,
    "lines.markersize": 6,
    "patch.linewidth": 1,
    "xtick.major.width": 1.25,
    "ytick.major.width": 1.25,
    "xtick.minor.width": 1,
    "ytick.minor.width": 1,
    "xtick.major.size": 6,
    "ytick.major.size": 6,
    "xtick.minor.size": 4,
    "ytick.minor.size": 4,
}
_LETTERS = {
    "font.size": 12,
    "axes.labelsize": 12,
    "axes.titlesize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.title_fontsize": 12,
}
# Of seaborn's style "ticks".
_TICKS = {
    "figure.facecolor": "white",
    "axes.labelcolor": ".15",
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.color": ".15",
    "ytick.color": ".15",
    "axes.axisbelow": True,
    "grid.linestyle": "-",
    "text.color": ".15",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "xtick.top": False,
    "ytick.right": False,
    "axes.grid": False,
    "axes.facecolor": "white",
    "axes.edgecolor": ".15",
    "grid.color": ".8",
    "axes.spines.left": True,
    "axes.spines.bottom": True,
    "axes.spines.right": True,
    "axes.spines.top": True,
    "xtick.bottom": True,
    "ytick.left": True,
}


@dataclass(frozen=True)
class Look:
    """Look of one strategy: colour as #rrggbb, a matplotlib marker, and the dashes of its lines (empty: solid)."""

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


# Dashes, by what strategies have in common.
_STOPPING = (5.0, 2.0)  # they stop trainings early
_SHARING = (1.2, 1.4)  # they train a super-network
_PREDICTING = (7.0, 1.5, 1.2, 1.5)  # models of scores, several objectives, and optimizers of other libraries

# Okabe and Ito's colour-blind safe colours, darkened if too pale on white, and others that are distinct from them, without dashes; the
# baseline is grey. A colour that two strategies share is of two kinds of dashes and two markers.
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
    "asha": Look("#2b78f0", ">", _STOPPING),
    "bananas": Look("#5a9216", "o", _PREDICTING),
    "bohb": Look("#e8475f", "p", _STOPPING),
    "darts": Look("#1d5c14", "s", _SHARING),
    "dehb": Look("#78946b", "d", _STOPPING),
    "drnas": Look("#9a1111", "^", _SHARING),
    "gdas": Look("#117766", "8", _SHARING),
    "gp": Look("#2b78f0", "D", _PREDICTING),
    "hyperband": Look("#c25fd6", "*", _STOPPING),
    "median_stop": Look("#37421f", "H", _STOPPING),
    "mo_evolution": Look("#1d5c14", "v", _PREDICTING),
    "npenas": Look("#e8475f", "X", _PREDICTING),
    "nsga2": Look("#9a1111", "<", _PREDICTING),
    "optuna": Look("#1e3c5a", "P", _PREDICTING),
    "parego": Look("#a50087", "h", _PREDICTING),
    "pcdarts": Look("#a50087", "D", _SHARING),
    "pymoo": Look("#c25fd6", "s", _PREDICTING),
    "rs_ws": Look("#5a9216", "X", _SHARING),
    "successive_halving": Look("#1e3c5a", "^", _STOPPING),
    "syne_tune": Look("#37421f", "d", _PREDICTING),
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
    """Check whether a strategy is built in.

    Args:
        strategy: name of the strategy.

    Returns:
        False for a plug-in. "nsga2:population=20" is nsga2 with options.
    """
    return strategy.partition(":")[0] in BUILT_IN


def line_style(strategy: str) -> Any:
    """Return the line style of a strategy.

    Args:
        strategy: name of the strategy.

    Returns:
        Matplotlib's `linestyle`.
    """
    dashes = look(strategy).dashes
    return (0, dashes) if dashes else "-"


def in_order(strategies: Sequence[str]) -> list[str]:
    """Sort distinct strategy names: random search, then built-in ones in their fixed order, then plug-ins by name.

    Args:
        strategies: names; they may repeat.

    Returns:
        Each name once.
    """
    known = list(_KNOWN)
    return sorted(set(strategies), key=lambda name: (known.index(name) if name in known else len(known), name))


def drawn_strategies(strategies: Sequence[str]) -> tuple[list[str], str]:
    """Choose the strategies of a picture: all, or the first `MOST_STRATEGIES` in their order if there are more.

    Args:
        strategies: names; they may repeat.

    Returns:
        The names in order, and a sentence for the caption; "" if all are drawn.
    """
    names = in_order(strategies)
    if len(names) <= MOST_STRATEGIES:
        return names, ""
    return names[:MOST_STRATEGIES], (
        f"Drawn: {MOST_STRATEGIES} of {len(names):,} strategies, random search and built-in ones first; the table and the "
        "CSV have all, and --where selects others."
    )


def drawn_rows(data: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Select the rows of the strategies that a picture shows; see `drawn_strategies`.

    Args:
        data: rows with a column strategy.

    Returns:
        The rows, and a sentence for the caption; "" if all are drawn.
    """
    names, said = drawn_strategies(data["strategy"].unique().tolist())
    return (data[data["strategy"].isin(names)], said) if said else (data, "")


def seaborn_settings(font_scale: float) -> dict[str, Any]:
    """List seaborn's settings of its context "paper" and style "ticks", without its import, which takes half a second.

    Args:
        font_scale: factor of the letters' size, > 0.

    Returns:
        matplotlib's rc settings, but for the default colour map, which only seaborn's import registers.

    Source: seaborn 0.13.2, `plotting_context` and `axes_style`; a test compares them.
    """
    sizes = {name: 0.8 * size for name, size in _SIZES.items()}
    letters = {name: 0.8 * size * font_scale for name, size in _LETTERS.items()}
    return {**sizes, **letters, **_TICKS}


@contextmanager
def theme(overrides: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Apply seaborn's style to figures made inside the block; the previous settings are restored.

    The size of the letters is that of the current page; see `page.on_page`.

    Args:
        overrides: matplotlib rc settings that override the theme's, e.g. {"font.size": 12}.
    """
    import matplotlib

    settings: Any = {  # matplotlib types its keys as literals; an override may be any of them
        **seaborn_settings(1.15 * current_page().font_scale),
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
        "pdf.fonttype": 42,
        "svg.hashsalt": "nasbench",
        "text.parse_math": False,  # names of strategies and data come from files, and $...$ in them is no formula
    }
    settings.update(overrides or {})
    interactive = matplotlib.rcParams["interactive"]
    with matplotlib.rc_context(settings), boxes_for_unknown_characters():
        try:
            yield
        finally:
            interactive = matplotlib.rcParams["interactive"]
    # A notebook's backend, loaded by the first figure, turns this on; if it were restored to off, no later figure would
    # be shown.
    matplotlib.rcParams["interactive"] = interactive


@contextmanager
def boxes_for_unknown_characters() -> Iterator[None]:
    """Draw characters that the font lacks as boxes without a warning: names come from files, and may be in any script."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def ink() -> str:
    """Return the colour of text and neutral lines: the theme's, or that of the current settings.

    Returns:
        Colour #rrggbb.
    """
    import matplotlib
    from matplotlib.colors import to_hex

    return to_hex(matplotlib.rcParams["text.color"])


def ground() -> str:
    """Return the colour of the background, by the current settings.

    Returns:
        Colour #rrggbb.
    """
    import matplotlib
    from matplotlib.colors import to_hex

    return to_hex(matplotlib.rcParams["axes.facecolor"])


def muted() -> str:
    """Return the colour of less important text: between `ink` and `ground`, still readable.

    Returns:
        Colour #rrggbb.
    """
    return _between(ink(), ground(), 0.3687)


def context() -> str:
    """Return the colour of context lines: closer to `ground` than `muted`.

    Returns:
        Colour #rrggbb.
    """
    return _between(ink(), ground(), 0.6544)


def _between(first: str, second: str, share: float) -> str:
    pairs = ((int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches, with automatic layout and without a display.

    Args:
        width: width in inches; larger where the shape of the current page asks for it, see `page.on_page`.
        height: height in inches, likewise.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from nasbench.analysis.plotting.bounded_figure import BoundedFigure

    figure = BoundedFigure(figsize=current_page().fitted(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def logarithmic(ax: Axes, low: float, high: float) -> None:
    """Make the x axis logarithmic, with as many ticks as have room, as plain numbers ("0.01", "20k", "5M").

    Args:
        ax: the plot.
        low: the smallest number shown, > 0.
        high: the largest number shown.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = math.log10(high / low)
    dense = 0 if decades < 1.2 else 1 if decades < 2.5 else 2
    room = _room(ax)

    class Sparse(LogLocator):
        """Ticks whose labels do not meet at the plot's present width."""

        def tick_values(self, vmin: float, vmax: float) -> Any:
            """Return the densest ticks that have room; where no two powers of ten do, round numbers."""
            choices = [_multiples(vmin, vmax, *each) for each in _LOG_TICKS[dense:]]
            choices = [each for each in choices if len(each) > 1] + _rounded(vmin, vmax, (6, 4, 3, 2, 1))
            return next(each for each in choices if len(each) == 1 or room(each, math.log, vmin, vmax))

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(Sparse(numticks=100))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())


def linear(ax: Axes, most: int = 5) -> None:
    """Set round ticks on a linear x axis, as many as have room, as plain numbers.

    Args:
        ax: the plot.
        most: about the largest number of ticks.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    room = _room(ax)

    class Sparse(MaxNLocator):
        """Ticks whose labels do not meet at the plot's present width."""

        def tick_values(self, vmin: float, vmax: float) -> Any:
            """Return the densest ticks that have room."""
            choices = _rounded(vmin, vmax, range(most, 0, -1))
            return next(each for each in choices if len(each) == 1 or room(each, float, vmin, vmax))

    ax.xaxis.set_major_locator(Sparse())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


# (multiples of a power of ten, every how many of the ticks), from dense to sparse
_LOG_TICKS: tuple[tuple[tuple[float, ...], int], ...] = (
    ((1.0, 2.0, 5.0), 1),
    ((1.0, 3.0), 1),
    *(((1.0,), stride) for stride in (1, 2, 3, 4, 6, 10)),
)


def _multiples(low: float, high: float, subs: Sequence[float], stride: int) -> list[float]:
    """Multiples of powers of ten between two numbers > 0."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [sub * 10.0**power for power in powers if power % stride == 0 for sub in subs]
    return [tick for tick in ticks if low <= tick <= high]


def _rounded(low: float, high: float, counts: Iterable[int]) -> list[list[float]]:
    """Round numbers between two numbers, for several counts of steps; the last resort is one number."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 2.5, 5, 10]
    ticks = [MaxNLocator(count, steps=steps).tick_values(low, high) for count in counts]
    found = [[float(tick) for tick in each if low <= tick <= high] for each in ticks]
    return [*(each for each in found if each), [low]]


def _room(ax: Axes) -> Callable[[Sequence[float], Callable[[float], float], float, float], bool]:
    """Make a test whether the labels of ticks on the x axis are apart, by an upper estimate of their widths."""
    import matplotlib
    from matplotlib.font_manager import FontProperties

    size = FontProperties(size=matplotlib.rcParams["xtick.labelsize"]).get_size_in_points()

    def room(ticks: Sequence[float], scale: Callable[[float], float], low: float, high: float) -> bool:
        figure: Any = ax.get_figure()
        points = ax.bbox.width / figure.dpi * 72 / (scale(high) - scale(low))
        halves = [LETTER_WIDTH * size * (len(short(tick)) + 1) / 2 for tick in ticks]
        places = [points * scale(tick) for tick in ticks]
        return all(b - a >= one + two for a, b, one, two in zip(places, places[1:], halves, halves[1:]))

    return room


def short(value: float) -> str:
    """Format a number with at most three digits, and with k, M or G from ten thousand on.

    Args:
        value: the number.

    Returns:
        The text, e.g. "0.123", "1,234" or "45.6k".
    """
    rounded = float(f"{value:.3g}")  # 999.7 has the digits of 1,000
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(rounded) >= max(factor, 1e4):
            return f"{rounded / factor:.3g}{letter}"
    return f"{value:.3g}" if abs(rounded) < 1000 else f"{value:,.0f}"


def of_runs(known: int, runs: int) -> str:
    """Say how many runs a value is of.

    Args:
        known: number of runs that have the value.
        runs: number of all runs.

    Returns:
        The text, e.g. "n=6", or "n=4 of 6" where some lack it.
    """
    return f"n={known}" if known == runs else f"n={known} of {runs}"


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


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Label lines at the right edge of a plot; labels that would overlap are moved apart, and are smaller if need be.

    Call it last, because it measures the plot's height; a caption changes that.

    Args:
        ax: a plot whose limits are final.
        ends: (y in data units, text, colour) of each line.
    """
    import numpy as np

    from nasbench.analysis.plotting.spacing import spread

    if not ends:
        return
    tall = _height_in_points(ax)
    size = min(_small_letters(), tall / (LINE_SPACING * len(ends)))
    gap = LINE_SPACING * size / tall
    heights = ax.transAxes.inverted().transform(ax.transData.transform([(ax.get_xlim()[1], y) for y, _, _ in ends]))[
        :, 1
    ]
    places = spread(np.clip(heights, 0.0, 1.0).tolist(), gap)
    over, under = max(0.0, float(places.max()) - 1.0), max(0.0, -float(places.min()))
    places = spread(np.clip(places - over + under, 0.0, 1.0).tolist(), gap)
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
            fontsize=size,
            clip_on=False,
        )


def _small_letters() -> float:
    """Size of "small" letters in points, by the current settings."""
    import matplotlib

    return 0.833 * float(matplotlib.rcParams["font.size"])


def _height_in_points(ax: Axes) -> float:
    """Height of a plot after the figure's layout."""
    figure: Any = ax.get_figure()
    figure.draw_without_rendering()
    return float(ax.get_window_extent().height / figure.dpi * 72)
