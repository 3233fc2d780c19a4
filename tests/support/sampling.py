"""Choose the parameter sets of a test that run in `make test`; the others run in `make test-slow`."""

from __future__ import annotations


def evenly_spaced(count: int, keep: int) -> set[int]:
    """Choose positions from the first to the last, at equal distances, so that a sample has cases of every kind.

    Args:
        count: number of parameter sets, >= 1.
        keep: number of positions to choose, >= 1; with 1 it is the first.

    Returns:
        Positions in 0, ..., count - 1; all of them if `keep` is not smaller than `count`.
    """
    if keep >= count:
        return set(range(count))
    if keep == 1:
        return {0}
    return {round(each * (count - 1) / (keep - 1)) for each in range(keep)}
