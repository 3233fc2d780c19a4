"""Random cell pairs beyond what any space draws: outputs that list p and c, dead blocks, any mix of combinations."""

from __future__ import annotations

import random

from nasbench.networks.operation_counts import OPERATION_COUNTS
from nasbench.structures import FIRST_BLOCK, Block, Cell, CellPair

OPERATIONS = tuple(sorted(OPERATION_COUNTS))


def random_pair(rng: random.Random) -> CellPair:
    """Cells of up to five blocks; their outputs may list p and c and may leave blocks dead."""
    return CellPair(_random_cell(rng), _random_cell(rng))


def _random_cell(rng: random.Random) -> Cell:
    blocks = tuple(
        Block(
            rng.randrange(FIRST_BLOCK + index),
            rng.choice(OPERATIONS),
            rng.randrange(FIRST_BLOCK + index),
            rng.choice(OPERATIONS),
            "concat" if rng.random() < 0.3 else "add",
        )
        for index in range(rng.randint(1, 5))
    )
    states = range(FIRST_BLOCK + len(blocks))
    return Cell(blocks, tuple(sorted(rng.sample(states, rng.randint(1, len(states))))))
