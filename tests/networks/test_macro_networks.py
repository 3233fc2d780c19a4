"""ENAS macro networks: closed form = built network, what is built, and that it trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_costs import check_channels_last, check_training_step, measured, random_images

from nasbench.errors import InputError, UnknownName
from nasbench.networks.macro import MACRO_OPERATIONS, build_branch, build_macro_network
from nasbench.networks.macro_counts import MACRO_COUNTS, count_macro_network, reduced_states
from nasbench.spaces import get_space
from nasbench.structures import MacroLayer, MacroStack, Regularization, Scale

SCALES = [Scale(1, 4, 8, 1), Scale(1, 5, 13, 3, 7), Scale(1, 1, 1, 1, 2), Scale(1, 36, 32)]
DIGITS = SCALES[0]


def random_stacks(count, seed=0):
    rng = np.random.default_rng(seed)
    for index in range(count):
        space = get_space(f"enas-macro:layers={(3, 5, 12)[index % 3]}")
        yield space.structure(space.random(rng))


def stack_of(*layers):
    return MacroStack(tuple(MacroLayer(*layer) for layer in layers))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("scale", SCALES)
def test_closed_form_is_the_built_network(scale):
    for stack in random_stacks(12):
        assert count_macro_network(stack, scale) == measured(lambda: build_macro_network(stack, scale), scale), stack  # noqa: B023


def test_counts_by_hand():
    """F = 2 on 4 x 4 of 1 channel: stem 18+4; layer 1 as 1x1 (4+4) and 3x3 (36+4); layer 2 the same with a join of 4+4."""
    stack = stack_of(("conv_3x3",), ("max_pool_3x3", (0,)))
    scale = Scale(1, 2, 4, 1, 3)
    params = (18 + 4) + (4 + 4) + (36 + 4) + (4 + 4) + (8 + 4) + (2 * 3 + 3)
    assert count_macro_network(stack, scale) == (params, 16 * (18 + 4 + 36 + 4 + 8) + 6)


def test_both_tables_have_the_same_operations():
    assert list(MACRO_COUNTS) == list(MACRO_OPERATIONS)


@pytest.mark.parametrize("op", MACRO_OPERATIONS)
def test_a_branch_keeps_the_shape(op):
    assert build_branch(op, 4)(torch.rand(2, 4, 5, 3)).shape == (2, 4, 5, 3)


def test_only_states_that_are_read_later_are_reduced():
    stack = stack_of(("conv_3x3",), ("conv_3x3", (0,), 1), ("conv_3x3", (), 1), ("conv_3x3", (1,), 2))
    assert reduced_states(stack) == ((0, 1), (1, 3))


def test_a_layer_joins_its_result_with_its_skips():
    """Layer 3 reads state 2, and the stem joins: twice the width goes into the join, skips first."""
    network = build_macro_network(stack_of(("avg_pool_3x3",), ("avg_pool_3x3",), ("avg_pool_3x3", (0,))), DIGITS).eval()
    seen: dict[str, torch.Tensor] = {}
    network.stem.register_forward_hook(lambda *call: seen.update(stem=call[2]))
    network.joins[1].register_forward_hook(lambda *call: seen.update(second=call[2]))
    network.branches[2].register_forward_hook(lambda *call: seen.update(read=call[1][0], branch=call[2]))
    network.joins[2].register_forward_hook(lambda *call: seen.update(joined=call[1][0]))
    network(random_images(DIGITS))
    assert seen["read"] is seen["second"]
    assert torch.equal(seen["joined"], torch.cat((seen["stem"], seen["branch"]), 1))


def test_random_networks_train():
    for stack in random_stacks(6, seed=1):
        check_training_step(lambda: build_macro_network(stack, DIGITS, Regularization(dropout=0.1)), DIGITS)  # noqa: B023


def test_channels_last():
    check_channels_last(lambda: build_macro_network(next(random_stacks(1, seed=2)), DIGITS), DIGITS)


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (stack_of(), "at least one layer"),
        (stack_of(("conv_3x3", (0,))), "layer 1 skips to states"),
        (stack_of(("conv_3x3",), ("conv_3x3", (1,))), "layer 2 skips to states"),
        (stack_of(("conv_3x3",), ("conv_3x3", (0, 0))), "layer 2 skips to states"),
        (stack_of(("conv_3x3", (), 1)), "layer 1 has stage 1"),
        (stack_of(("conv_3x3",), ("conv_3x3", (), 2)), "layer 2 has stage 2"),
    ],
)
def test_impossible_stacks_are_refused(stack, message):
    with pytest.raises(InputError, match=message):
        build_macro_network(stack, DIGITS)


def test_unknown_operations_and_stems_are_refused():
    for call in (build_macro_network, count_macro_network):
        with pytest.raises(UnknownName, match="did you mean 'conv_3x3'"):
            call(stack_of(("conv_3x4",)), DIGITS)
        with pytest.raises(InputError, match="no stem 'imagenet'"):
            call(stack_of(("conv_3x3",)), Scale(stem="imagenet"))
