"""Batches of transfer protocols for small data sets."""

from __future__ import annotations

import pytest

from nasbench.errors import InputError
from nasbench.transfer.fitting import fit_batch
from nasbench.transfer.protocol import get_transfer_protocol
from nasbench.transfer.training import check_batch

LARGE = get_transfer_protocol("nasnet-imagenet-large")


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("images", [16, 60, 180, 1_000, 15_999, 16_000, 1_281_167])
def test_a_fitted_batch_can_be_trained(images, processes):
    chosen, line = fit_batch(LARGE, images, processes)
    if line:  # the published batch is as it was
        check_batch(chosen, images, processes)
    assert bool(line) == (images < 16_000)
    assert chosen.learning_rate / chosen.batch_size == pytest.approx(LARGE.learning_rate / LARGE.batch_size)


def test_what_was_set_stays():
    assert fit_batch(LARGE, 180, 1, {"batch_size"}) == (LARGE, "")
    chosen, line = fit_batch(LARGE, 180, 1, {"learning_rate"})
    assert (chosen.batch_size, chosen.learning_rate) == (16, LARGE.learning_rate)
    assert "learning_rate" not in line


def test_too_few_images_are_still_refused():
    chosen, _ = fit_batch(LARGE, 3, 2)
    with pytest.raises(InputError, match="training images"):
        check_batch(chosen, 3, 2)
