"""Published cells against the lists of numbers and words in which their authors' code spells them."""

from __future__ import annotations

import pytest

from nasbench.spaces.genotypes import AMOEBANET_A, ENAS_MICRO, GENOTYPES, NASNET_A
from nasbench.structures import FIRST_BLOCK, Block, Cell, CellPair

SLIM_WORDS = {
    "none": "identity",
    "avg_pool_3x3": "avg_pool_3x3",
    "max_pool_3x3": "max_pool_3x3",
    "separable_3x3_2": "sep_conv_3x3",
    "separable_5x5_2": "sep_conv_5x5",
    "separable_7x7_2": "sep_conv_7x7",
    "1x7_7x1": "conv_1x7_7x1",
}
ENAS_NUMBERS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")


def slim_cell(operations, inputs, used):
    """A cell as TensorFlow's slim models list it: state 0 is c and 1 is p, and `used` marks the states that are not put out."""
    states = [1, 0, *range(FIRST_BLOCK, len(used))]
    steps = list(zip((states[source] for source in inputs), (SLIM_WORDS[word] for word in operations.split())))
    blocks = tuple(Block(*left, *right) for left, right in zip(steps[::2], steps[1::2]))
    return Cell(blocks, tuple(state for state in range(len(used)) if not used[states[state]]))


def enas_cell(numbers):
    """A cell as ENAS prints it: input and operation twice a block; 0 is p and 1 is c; blocks that no block reads are put out."""
    values = [int(number) for number in numbers.split()]
    blocks = tuple(
        Block(values[i], ENAS_NUMBERS[values[i + 1]], values[i + 2], ENAS_NUMBERS[values[i + 3]])
        for i in range(0, len(values), 4)
    )
    read = {state for block in blocks for state in (block.left, block.right)}
    return Cell(blocks, tuple(state for state in range(FIRST_BLOCK, FIRST_BLOCK + len(blocks)) if state not in read))


def test_nasnet_a():
    normal = slim_cell(
        "separable_5x5_2 separable_3x3_2 separable_5x5_2 separable_3x3_2 avg_pool_3x3 none avg_pool_3x3 avg_pool_3x3 "
        "separable_3x3_2 none",
        [0, 1, 1, 1, 0, 1, 1, 1, 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
    )
    reduction = slim_cell(
        "separable_5x5_2 separable_7x7_2 max_pool_3x3 separable_7x7_2 avg_pool_3x3 separable_5x5_2 none avg_pool_3x3 "
        "separable_3x3_2 max_pool_3x3",
        [0, 1, 0, 1, 0, 1, 3, 2, 2, 0],
        [1, 1, 1, 0, 0, 0, 0],
    )
    assert CellPair(normal, reduction) == NASNET_A


def test_amoebanet_a():
    normal = slim_cell(
        "avg_pool_3x3 max_pool_3x3 separable_3x3_2 none none avg_pool_3x3 separable_3x3_2 separable_5x5_2 avg_pool_3x3 "
        "separable_3x3_2",
        [0, 0, 1, 1, 0, 1, 0, 2, 5, 0],
        [1, 0, 1, 0, 0, 1, 0],
    )
    reduction = slim_cell(
        "separable_3x3_2 avg_pool_3x3 max_pool_3x3 separable_7x7_2 max_pool_3x3 max_pool_3x3 separable_3x3_2 1x7_7x1 "
        "avg_pool_3x3 separable_7x7_2",
        [1, 0, 0, 2, 1, 0, 4, 0, 1, 0],
        [1, 1, 0, 0, 0, 0, 0],
    )
    assert CellPair(normal, reduction) == AMOEBANET_A


def test_enas_micro():
    normal = enas_cell("0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1")
    assert CellPair(normal, enas_cell("1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1")) == ENAS_MICRO


@pytest.mark.parametrize("name", sorted(GENOTYPES))
def test_names_spell_hashable_values(name):
    assert GENOTYPES[name] in {GENOTYPES[name]}
