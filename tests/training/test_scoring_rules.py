"""Validation images decide nothing of a training, and scoring changes nothing of a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nasbench.data import load_data
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.structures import Regularization, Scale
from nasbench.training.evaluate import place_images
from nasbench.training.loop import score

CPU = torch.device("cpu")


@pytest.mark.parametrize("validation", [0.25, 0.75])
def test_whitening_is_of_the_training_part_alone(validation):
    protocol = get_protocol("digits", {"validation": validation, "split_seed": 5})
    dataset = load_data(protocol.data)
    chosen, held_out = dataset.split(protocol.validation, protocol.split_seed)
    placed = place_images(protocol, CPU)
    pixels = dataset.train.pixels[chosen].astype(np.float64)
    every = dataset.train.pixels.astype(np.float64)
    assert float(placed.whitening.mean[0]) == pytest.approx(pixels.mean(), rel=1e-6)
    assert float(placed.whitening.mean[0]) != pytest.approx(every.mean(), rel=1e-6)
    assert float(placed.whitening.deviation[0]) == pytest.approx(pixels.std(), rel=1e-3)
    assert len(placed.validation) == len(held_out)


def test_scoring_is_in_evaluation_mode_and_leaves_the_network_as_it_was():
    protocol = get_protocol("digits")
    placed = place_images(protocol, CPU)
    space = get_space("nasnet:blocks=2")
    torch.manual_seed(0)
    architecture = space.random(np.random.default_rng(0))
    network = space.build(architecture, Scale(1, 8, 8, image_channels=1), Regularization(dropout=0.5))
    network.train()
    with torch.no_grad():
        for images, _ in placed.validation.batches(64):
            network(images)  # running statistics that are those of no batch
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = score(network, placed.validation, protocol)
    network.train()
    assert score(network, placed.validation, protocol) == first
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    network.eval()
    losses, hits, count = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in placed.validation.batches(len(placed.validation)):
            logits = network(images)
            losses += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            hits, count = hits + int((logits.argmax(1) == labels).sum()), count + len(labels)
    assert first == pytest.approx((losses / count, hits / count), rel=1e-5)
