"""Student's t and the normal distribution: those of scipy.stats to the bit, which takes half a second longer to import."""

from __future__ import annotations


def t_above(value: float, freedom: float) -> float:
    """Compute the probability that Student's t is above a value.

    Args:
        value: the value.
        freedom: degrees of freedom, > 0.

    Returns:
        P(T > value).
    """
    return t_below(-value, freedom)


def t_below(value: float, freedom: float) -> float:
    """Compute the probability that Student's t is below a value.

    Args:
        value: the value.
        freedom: degrees of freedom, > 0.

    Returns:
        P(T < value).
    """
    from scipy.special import stdtr

    return float(stdtr(freedom, value))


def t_quantile(share: float, freedom: float) -> float:
    """Compute a quantile of Student's t.

    Args:
        share: probability below the quantile, in (0, 1).
        freedom: degrees of freedom, > 0.

    Returns:
        The quantile.
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def normal_above(value: float) -> float:
    """Compute the probability that a standard normal variable is above a value.

    Args:
        value: the value.

    Returns:
        P(Z > value).
    """
    from scipy.special import ndtr

    return float(ndtr(-value))


def normal_quantile(share: float) -> float:
    """Compute a quantile of the standard normal distribution.

    Args:
        share: probability below the quantile, in (0, 1).

    Returns:
        The quantile.
    """
    from scipy.special import ndtri

    return float(ndtri(share))
