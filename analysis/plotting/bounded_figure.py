"""A figure whose lines of text have a bounded length: names come from files, and one of 10,000 letters leaves no room for a plot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from nasbench.texts import shortened

LONGEST_LINE: Final = 300  # of titles, labels of axes and captions, which are wrapped to the width of their figure
LONGEST_NAME: Final = 110  # in a legend, or at the end of a line; the longest notes of our own have 100
LONGEST_TICK: Final = 48  # beside an axis
CUT_TO: Final = 32


class BoundedFigure(Figure):
    """A figure that cuts long names in their middle before it is laid out and drawn."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure.

        Args:
            renderer: of a backend of matplotlib.
        """
        for axis in (axis for ax in self.axes for axis in (ax.xaxis, ax.yaxis)):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter):
                formatter.seq = [_cut(str(label), LONGEST_TICK) for label in formatter.seq]
            elif isinstance(formatter, FuncFormatter) and not isinstance(formatter.func, _Cut):
                formatter.func = _Cut(formatter.func)
        labels = [axis.label for ax in self.axes for axis in (ax.xaxis, ax.yaxis)]
        around = [getattr(self, name, None) for name in ("_suptitle", "_supxlabel", "_supylabel")]
        wide = {*around, *self.texts, *(ax.title for ax in self.axes), *labels}
        for text in self.findobj(Text):
            longest = LONGEST_LINE if text in wide else LONGEST_NAME
            if isinstance(text, Text) and len(text.get_text()) > longest:
                text.set_text(_cut(text.get_text(), longest))
        super().draw(renderer)


@dataclass(frozen=True)
class _Cut:
    """A function of `FuncFormatter` whose labels are cut."""

    function: Callable[[float, Any], str]

    def __call__(self, value: float, position: Any) -> str:
        return _cut(self.function(value, position), LONGEST_TICK)


def _cut(text: str, longest: int) -> str:
    return "\n".join(shortened(line, CUT_TO) if len(line) > longest else line for line in text.split("\n"))
