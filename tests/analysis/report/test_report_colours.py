"""Strategies' colours: apart for colour-blind readers, and on a dark page readable and of the same hue as on a light one."""

from __future__ import annotations

import colorsys
import itertools

import numpy as np
import pytest

from nasbench import strategy_names
from nasbench.analysis.plotting import style
from nasbench.analysis.report.colours import CONTRAST, DARK_SURFACE, contrast, page_colours
from nasbench.runners.strategies import STRATEGIES

# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency", severity 1.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB."""
    xyz = TO_XYZ @ np.clip(colour, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def hue(colour: str) -> float:
    return colorsys.rgb_to_hls(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0]


@pytest.mark.parametrize(("ground", "least"), [(0, 11), (1, 15)], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_strategies_with_a_colour_of_their_own_stay_apart(vision, ground, least):
    own = [name for name in strategy_names.BUILT_IN if not style.look(name).dashes]
    assert len(own) == 9
    seen = {name: lab(np.array(VISION[vision]) @ linear(page_colours(name)[ground])) for name in own}
    apart = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(seen, 2)}
    assert min(apart.values()) > least, min(apart, key=apart.get)


@pytest.mark.parametrize(("ground", "least"), [(0, 25), (1, 13)], ids=["light", "dark"])
def test_strategies_with_the_same_dashes_differ_in_colour_and_marker(ground, least):
    kinds = {}
    for name in strategy_names.BUILT_IN:
        kinds.setdefault(style.look(name).dashes, []).append(name)
    assert len(kinds) == 4
    del kinds[()]  # of these, see above
    for names in kinds.values():
        assert len({style.look(name).marker for name in names}) == len(names)
        for one, other in itertools.combinations(names, 2):
            first, second = (lab(linear(page_colours(name)[ground])) for name in (one, other))
            assert np.linalg.norm(first - second) > least, (one, other)


def test_no_two_strategies_look_alike():
    """More strategies than colours that can be told apart: marker and dashes distinguish those that share one."""
    looks = {name: style.look(name) for name in STRATEGIES}
    assert len(set(looks.values())) == len(looks), looks


@pytest.mark.parametrize("name", [*STRATEGIES, "a_plugin", "another"])
def test_on_dark_ground_a_strategy_is_readable_and_keeps_its_hue(name):
    light, dark = page_colours(name)
    assert contrast(dark, DARK_SURFACE) >= CONTRAST
    turn = abs(hue(light) - hue(dark))
    assert name == "random" or min(turn, 1 - turn) < 0.1
