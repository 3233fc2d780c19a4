"""The page that plots are drawn for: its shape and the size of its letters.

Functions that make figures ask `current_page`, so that one choice applies to every plot made inside `on_page`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from nasbench.errors import InputError

USUAL_FONT = 11.04  # points; size of the letters where none is chosen
FLATTEST = 5.0  # largest ratio of the longer side to the shorter one
SMALLEST_FONT, LARGEST_FONT = 4.0, 72.0


@dataclass(frozen=True)
class Page:
    """Shape of figures and size of their letters.

    Args:
        aspect: width divided by height, or None for each plot's own shape.
        font_size: size of the usual letters in points, or None for each plot's own.
    """

    aspect: float | None = None
    font_size: float | None = None

    @property
    def font_scale(self) -> float:
        """Size of the letters relative to the usual one."""
        return 1.0 if self.font_size is None else self.font_size / USUAL_FONT

    @property
    def wide(self) -> bool:
        """Whether a shape wider than high was chosen."""
        return self.aspect is not None and self.aspect > 1

    def fitted(self, width: float, height: float) -> tuple[float, float]:
        """Enlarge one side of a figure so that it has the shape of the page; no side becomes smaller.

        Args:
            width: width in inches.
            height: height in inches.

        Returns:
            Width and height in inches.
        """
        if self.aspect is None:
            return width, height
        return max(width, height * self.aspect), max(height, width / self.aspect)


_USUAL = Page()
_PAGE: ContextVar[Page] = ContextVar("page", default=_USUAL)


def current_page() -> Page:
    """The page that figures are made for at the moment."""
    return _PAGE.get()


@contextmanager
def on_page(page: Page) -> Iterator[None]:
    """Make all figures inside the block for a page.

    Args:
        page: the page.

    Yields:
        Nothing.
    """
    token = _PAGE.set(page)
    try:
        yield
    finally:
        _PAGE.reset(token)


def parse_aspect(text: str) -> float:
    """Read a shape such as "16:9", "4:3" or "1.6".

    Args:
        text: W:H, or width divided by height.

    Returns:
        Width divided by height, between 1/5 and 5.

    Raises:
        InputError: for another text.
    """
    first, colon, second = text.partition(":")
    try:
        aspect = float(first) / (float(second) if colon else 1.0)
    except (ValueError, ZeroDivisionError):
        aspect = math.nan
    if not 1 / FLATTEST <= aspect <= FLATTEST:
        raise InputError(f"the shape {text!r} is not W:H between 1:5 and 5:1; e.g. 16:9, 4:3 or 1:1")
    return aspect


def parse_font_size(size: float) -> float:
    """Check a font size.

    Args:
        size: font size in points.

    Returns:
        The same size.

    Raises:
        InputError: when the size is below the smallest or above the largest one.
    """
    if not SMALLEST_FONT <= size <= LARGEST_FONT:
        raise InputError(
            f"the font size is in points, from {SMALLEST_FONT:g} to {LARGEST_FONT:g}, got {size:g}; "
            f"the usual one is {USUAL_FONT:.0f}"
        )
    return size
