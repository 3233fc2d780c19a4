"""Inputs that stand twice in a text are refused: perhaps another one was meant."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.notation import read_numbers


def test_a_number_that_stands_twice_is_refused():
    assert read_numbers(" 3, 1,,2 ") == (1, 2, 3)
    with pytest.raises(InputError, match=r"expected different numbers, got 1 twice in \[2,1,1\]"):
        read_numbers("2,1,1")


def test_an_input_of_a_layer_that_stands_twice_is_refused():
    space = get_space("nas:layers=3")
    assert space.parse("1 3x3,36 [0]; 2 3x3,48 [1]; 3 3x3,48 [1,2]").hash
    with pytest.raises(InputError, match=r"got 1 twice in \[1,1\]"):
        space.parse("1 3x3,36 [0]; 2 3x3,48 [1]; 3 3x3,48 [1,1]")


@pytest.mark.parametrize("name", ["nas", "enas-macro", "nasbench101"])
def test_every_own_text_has_different_numbers(name):
    space, rng = get_space(name), np.random.default_rng(0)
    for _ in range(20):
        architecture = space.random(rng)
        assert space.parse(space.describe(architecture)).hash == architecture.hash
