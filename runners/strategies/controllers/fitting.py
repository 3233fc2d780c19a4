"""Architectures drawn from a controller: those that a search may propose."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from nasbench.runners.strategies.controllers.controller import Controller
from nasbench.spaces.base import Architecture, Space


class Drawn(NamedTuple):
    """A batch of draws: `architectures`, and their `choices`, [batch, decisions] int64."""

    architectures: list[Architecture]
    choices: Tensor


def sample_fitting(controller: Controller, space: Space, batch: int, generator: torch.Generator) -> Drawn:
    """Draw a batch from a controller; architectures that the space does not allow are drawn again.

    Args:
        controller: the policy.
        space: the space of the architectures, or a smaller one that has only its first decisions.
        batch: number of architectures, >= 1; as many are drawn at a time.
        generator: source of the draws.

    Returns:
        The batch, in the order of drawing. In a space without limits it is one call of `Controller.sample`.

    Raises:
        NothingFits: when 10,000 draws in a row do not fit.
    """
    draws = space.fitting(_endless(controller, space, batch, generator))
    architectures = list(islice(draws, batch))
    return Drawn(architectures, torch.tensor([architecture.choices for architecture in architectures]))


def _endless(controller: Controller, space: Space, batch: int, generator: torch.Generator) -> Iterator[Architecture]:
    while True:
        for row in controller.sample(batch, generator, len(space.decisions)).tolist():
            yield space.decode(row)
