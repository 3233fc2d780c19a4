"""A training whose network is kept in memory."""

from __future__ import annotations

import pytest

from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child


class _Remember:
    def saved(self):
        return None

    def epoch(self, history, epochs, state):
        pass

    def trained(self, child, trained, evaluation):
        self.all = (child, trained, evaluation)


@pytest.fixture
def make_trained():
    """Returns child, network and scores of a short training."""

    def make():
        remember = _Remember()
        changes = {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4}
        cell = get_space("nasbench201").decode([3, 3, 1, 0, 2, 1])
        evaluate(Child(cell, get_protocol("digits", changes), 0, keeper=remember))
        return remember.all

    return make
