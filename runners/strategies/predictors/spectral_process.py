"""Gaussian processes whose kernel is a known similarity: one decomposition, then every scale and noise costs O(n)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize

FloatArray = NDArray[np.float64]

START = (1.0, 0.1)  # variance of the signal and of the noise where the search of the likelihood begins
SIGNALS, NOISES = (1e-2, 1e3), (1e-6, 1.0)  # their bounds, for targets with variance 1


@dataclass(frozen=True)
class SpectralProcess:
    """A Gaussian process with the kernel signal * similarity + noise, fitted to targets.

    Attributes:
        signal, noise: variances of the highest marginal likelihood within `SIGNALS` and `NOISES`.
        log_likelihood: the logarithm of that likelihood.
        vectors: [n, n], eigenvectors of the similarity, in columns.
        variances: [n], signal * eigenvalue + noise.
        projections: [n], the targets along the eigenvectors.

    Source: Rasmussen & Williams 2006, equations 2.25, 2.26 and 5.8.
    """

    signal: float
    noise: float
    log_likelihood: float
    vectors: FloatArray
    variances: FloatArray
    projections: FloatArray

    @classmethod
    def fit(cls, similarity: FloatArray, targets: FloatArray) -> SpectralProcess:
        """Find the scale and the noise of the highest marginal likelihood.

        Args:
            similarity: [n, n], symmetric and positive semidefinite, e.g. the cosines between feature vectors.
            targets: [n], with mean 0 and variance 1, about.

        Returns:
            The process.
        """
        values, vectors = eigh(similarity)
        values = np.maximum(values, 0.0)  # rounding leaves tiny negative ones
        projections = vectors.T @ targets
        found = minimize(
            negative_log_likelihood,
            np.log(START),
            args=(values, projections),
            jac=True,
            method="L-BFGS-B",
            bounds=np.log([SIGNALS, NOISES]),
        )
        signal, noise = np.exp(found.x).tolist()
        return cls(signal, noise, -float(found.fun), vectors, signal * values + noise, projections)

    def predict(self, similarity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predict the targets of new inputs.

        Args:
            similarity: [m, n], of m inputs to those that were fitted. An input's similarity to itself is 1.

        Returns:
            Means and standard deviations [m]; the deviations are those of a measured target, noise included.
        """
        covariance = self.signal * (similarity @ self.vectors)
        mean: FloatArray = covariance @ (self.projections / self.variances)
        variance = self.signal + self.noise - (covariance**2 / self.variances).sum(axis=1)
        deviation: FloatArray = np.sqrt(np.maximum(variance, 0.0))
        return mean, deviation


def negative_log_likelihood(
    logarithms: FloatArray, values: FloatArray, projections: FloatArray
) -> tuple[float, FloatArray]:
    """Compute the negative logarithm of the marginal likelihood, and its gradient.

    Args:
        logarithms: [2], of the variances of signal and noise.
        values: [n], eigenvalues of the similarity, >= 0.
        projections: [n], the targets along its eigenvectors.

    Returns:
        The value, and its derivatives [2] by both logarithms.
    """
    signal, noise = np.exp(logarithms)
    variances = signal * values + noise
    value = 0.5 * float((projections**2 / variances + np.log(2 * np.pi * variances)).sum())
    slopes = 0.5 * (1.0 / variances - (projections / variances) ** 2)
    return value, np.array([(slopes * signal * values).sum(), (slopes * noise).sum()])
