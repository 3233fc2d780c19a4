"""ENAS' macro space: the released encoding, stages, notation, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.structures import MacroLayer, MacroStack

SPACE = get_space("enas-macro")
SMALL = get_space("enas-macro:layers=4")
TEXT = "1 conv3 []; 2 sep5 [0]; 3 max3 []; 4 sep3 [0,2]"


def test_choices_are_the_released_codes_arc():
    """Per layer the operation, then one bit per state from the stem on."""
    arc = "0  3 1  5 0 0  1 1 0 1"
    architecture = SMALL.decode([int(value) for value in arc.split()])
    assert str(architecture) == TEXT
    assert SMALL.parse(TEXT) == architecture
    assert [d.name for d in SMALL.decisions[:4]] == [
        "layer1/operation",
        "layer2/operation",
        "layer2/skip0",
        "layer3/operation",
    ]
    assert SMALL.structure(architecture).layers[3] == MacroLayer("sep_conv_3x3", (0, 2), 2)


@pytest.mark.parametrize(
    ("layers", "stages"), [(12, "000011112222"), (3, "012"), (5, "01222"), (24, "000000001111111122222222")]
)
def test_reductions_come_after_a_third_and_two_thirds(layers, stages):
    space = get_space(f"enas-macro:layers={layers}")
    assert "".join(str(space.stage(layer)) for layer in range(layers)) == stages


def test_skips_are_skip_decisions_of_their_layer():
    skips = [decision for decision in SPACE.decisions if decision.kind == "skip"]
    assert len(skips) == 66
    assert all(decision.group == "skip" for decision in skips)
    assert [decision.source for decision in skips if decision.layer == 3] == [0, 1, 2]


def test_descriptions_read_back():
    rng = np.random.default_rng(0)
    for _ in range(30):
        architecture = SPACE.random(rng)
        assert SPACE.parse(str(architecture)) == architecture == SPACE.canonical(architecture)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a layer like '1 conv3 [0]'"),
        ("1 conv3 []; 3 conv3 []", "expected a layer like '2 conv3 [0]'"),
        ("1 conv3 []", "has 4 layers, got 1"),
        (TEXT.replace("max3", "max5"), "layer 3 has 'max5'"),
        (TEXT.replace("[0,2]", "[3]"), "layer 4 skips to states below 3, got (3,)"),
    ],
)
def test_unreadable_text(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        SMALL.parse(text)


def test_stacks_with_other_stages():
    layers = tuple(MacroLayer("conv_3x3") for _ in range(4))
    with pytest.raises(InputError, match="layer 2 is of stage 1, got 0"):
        SMALL.from_stack(MacroStack(layers))
