"""Colours of `analysis.plotting.style` on a page: unchanged on a light background, of the same hue on a dark one."""

from __future__ import annotations

from functools import lru_cache

from nasbench.analysis.plotting import style

DARK_SURFACE = "#1a1d21"
CONTRAST = 4.5  # WCAG 2.1, success criterion 1.4.3, for text

# Mixing with white would make the dark ones similar. These keep their hue and remain distinct for colour-blind readers,
# too.
_ON_DARK = {
    "random": "#8c8c8c",
    "reinforce": "#57a3f1",
    "ppo": "#ee6a4a",
    "evolution": "#4fe0ac",
    "pnas": "#c65eb9",
    "enas": "#f0a63c",
    "zero_cost": "#a9e1fd",
    "local_search": "#dca0c6",
    "reinforce_logits": "#7d77fb",
}


def page_colours(strategy: str) -> tuple[str, str]:
    """Colours #rrggbb of a strategy on a light and on a dark background, of one hue.

    Args:
        strategy: name of the strategy.

    Returns:
        Colours on light and on dark background.
    """
    colour = style.look(strategy).colour
    return colour, _ON_DARK.get(strategy) or lifted(colour)


@lru_cache(maxsize=1024)
def lifted(colour: str, ground: str = DARK_SURFACE, wanted: float = CONTRAST) -> str:
    """Mix a colour with the least amount of white that makes it readable.

    Args:
        colour: #rrggbb.
        ground: colour of the background, darker than it.
        wanted: minimal contrast, in [1, 21].

    Returns:
        #rrggbb with at least that contrast.
    """
    parts = _parts(colour)
    for step in range(101):
        mixed = tuple(round(part + (255 - part) * step / 100) for part in parts)
        if contrast(_hex(mixed), ground) >= wanted:
            break
    return _hex(mixed)


def contrast(first: str, second: str) -> float:
    """Compute the contrast of two colours.

    Args:
        first: colour #rrggbb.
        second: colour #rrggbb.

    Returns:
        The contrast, in [1, 21].

    Source: WCAG 2.1, "contrast ratio" and "relative luminance".
    """
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _parts(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(parts: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in parts)
