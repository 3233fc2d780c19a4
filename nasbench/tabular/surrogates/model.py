"""A surrogate: predictions of score and cost of any architecture of a space, and simulated trainings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture, Space
from nasbench.tabular.surrogates.about import About
from nasbench.tabular.surrogates.features import Features, FloatArray, IntArray
from nasbench.tabular.surrogates.noise import Noise
from nasbench.tabular.surrogates.trees import Ensemble
from nasbench.tabular.trainings import Keys, mixed_bits

EDGE = 0.002
_UNIT = 2.0**-53
_SHIFT = np.uint64(11)  # of 64 bits, which leaves 53


def log_odds(accuracies: FloatArray) -> FloatArray:
    """Convert accuracies to log odds; those nearer to 0 or 1 than 0.2% count as 0.2% away.

    Args:
        accuracies: of any shape, in [0, 1].

    Returns:
        log(a / (1 - a)), of the same shape.
    """
    inside = np.clip(accuracies, EDGE, 1 - EDGE)
    found: FloatArray = np.log(inside / (1 - inside))
    return found


def accuracy(odds: FloatArray) -> FloatArray:
    """Convert log odds to accuracies: the inverse of `log_odds`.

    Args:
        odds: of any shape.

    Returns:
        Accuracies of the same shape, in [0.002, 0.998], rounded to 12 decimals, because the last bits of an exponential are
        not the same on every machine.
    """
    found: FloatArray = np.clip(1 / (1 + np.exp(-np.clip(odds, -50, 50))), EDGE, 1 - EDGE).round(12)
    return found


class Predicted(NamedTuple):
    """Predictions for several architectures.

    Attributes:
        val_acc: validation accuracies without noise, [architectures], in (0, 1).
        seconds: device-seconds of a training, [architectures].
        counts: ints [architectures, 2]: parameters and multiply-adds.
        keys: uint64 [architectures], the first 64 bits of their hashes.
    """

    val_acc: FloatArray
    seconds: FloatArray
    counts: IntArray
    keys: Keys


@dataclass(frozen=True, eq=False)
class Surrogate:
    """What `nasbench surrogate fit` makes.

    Args:
        about: description.
        score: ensemble for the validation accuracy's log odds (`log_odds`), on which scores stay below 1, and the spread of the
            best networks is not that of the others.
        log_seconds: ensemble for the natural logarithm of a training's device-seconds, corrected so that its exponential
            is right in the mean.
        noise: of a training's log odds around the prediction, as simulated trainings have it.
        residual: of held-out log odds around their prediction, from which intervals are made.

    Raises:
        ValueError: when the parts do not fit each other; the message says why.
        UnknownName, InputError: when there is no such space.
    """

    about: About
    score: Ensemble
    log_seconds: Ensemble
    noise: Noise
    residual: Noise

    def __post_init__(self) -> None:
        if list(self.features.names) != self.about.features:
            raise ValueError("its features are not those of this version: fit it again")
        for each in (self.score, self.log_seconds):
            if each.features > len(self.about.features):
                raise ValueError("a tree compares a feature that is not there")

    @cached_property
    def space(self) -> Space:
        """The space."""
        return get_space(self.about.space)

    @cached_property
    def features(self) -> Features:
        """The features of its architectures."""
        return Features(self.space, self.about.networks_scale)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of what the predictions depend on, 16 hexadecimal digits."""
        identity = "|".join((self.about.space, self.about.data, self.about.fingerprint, repr(self.about.scale)))
        digest = hashlib.blake2b(identity.encode(), digest_size=8)
        for ensemble in (self.score, self.log_seconds):
            digest.update(np.float64(ensemble.base).tobytes())
            for values in (ensemble.roots, ensemble.feature, ensemble.threshold, ensemble.left, ensemble.value):
                digest.update(np.ascontiguousarray(values).tobytes())
        for numbers in (self.noise.places, self.noise.spreads, self.noise.quantiles):
            digest.update(numbers.tobytes())
        return digest.hexdigest()

    def lines(self) -> list[str]:
        """Describe the surrogate: what it was fitted to, and how well it predicts held-out trainings.

        Returns:
            Lines of text, each of which says that this is a surrogate or belongs to one that does.
        """
        about, both = self.about, self.about.quality["both"]
        noise = (
            f"the spread between trainings of one architecture ({about.repeated:,} have several)"
            if about.noise == "repeats"
            else "the spread of trainings around held-out predictions, errors of the model included"
        )
        return [
            f"surrogate of {about.space}, data {about.data}, protocol {about.protocol}: predictions, fitted to {about.children:,} "
            f"trainings of {about.architectures:,} architectures",
            f"held-out scores of the surrogate: Kendall's tau {both.kendall_tau:.3f}, error {100 * both.rmse:.2f} points; in its "
            f"intervals of 50, 80 and 95%: {both.within_50:.0%}, {both.within_80:.0%}, {both.within_95:.0%}",
            f"noise of the surrogate's simulated trainings: {noise}",
        ]

    def predict(self, architectures: Sequence[Architecture]) -> Predicted:
        """Predict scores and costs.

        Args:
            architectures: architectures of the space.

        Returns:
            Predictions; equal for architectures of equal hash.
        """
        features, counts = self.features.of(architectures)
        scores = accuracy(self.score.predict(features))
        keys = np.array([int(each.hash[:16], 16) for each in architectures], dtype=np.uint64)
        return Predicted(scores, np.exp(self.log_seconds.predict(features)), counts, keys)

    def interval(self, val_acc: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Return central intervals in which the score of a training is expected.

        Args:
            val_acc: predictions, [architectures].
            level: coverage in (0, 1).

        Returns:
            Low and high ends, [architectures] each, in [0, 1].
        """
        odds = log_odds(val_acc)
        low, high = (
            accuracy(odds + self.residual.at(odds, np.array(share))) for share in ((1 - level) / 2, (1 + level) / 2)
        )
        return low, high

    def trained(self, val_acc: FloatArray, keys: Keys, seeds: NDArray[np.int64]) -> FloatArray:
        """Simulate trainings: predictions with noise that only architecture and seed determine.

        Args:
            val_acc: predictions, of any shape.
            keys: uint64 of the same shape, the first 64 bits of the architectures' hashes.
            seeds: ints >= 0, broadcast against them.

        Returns:
            Validation accuracies in [0, 1]; their shape is that of all broadcast together.
        """
        bits = mixed_bits(keys ^ mixed_bits(np.asarray(seeds, dtype=np.uint64)))
        shares = (bits >> _SHIFT).astype(np.float64) * _UNIT
        odds = np.broadcast_to(log_odds(val_acc), shares.shape)
        return accuracy(odds + self.noise.at(odds, shares))
