"""Bayesian comparison of two strategies over tables: probabilities of better, practically equivalent and worse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.inference.equivalence import MARGIN, usual_margin
from nasbench.analysis.inference.intervals import TOO_SMALL
from nasbench.analysis.inference.rounding import tied
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.ranks import dependence
from nasbench.analysis.statistics.significance import pairs_of
from nasbench.errors import InputError
from nasbench.scores import judged_by

Floats = NDArray[np.float64]
PRIOR = 0.5  # weight of the pseudo-observation 0, that of one half of a table
DRAWN = 50_000  # draws of the posterior
SURE = 0.95


@dataclass(frozen=True)
class SignedRanks:
    """Posterior of the Bayesian signed-rank test: probabilities that add up to 1.

    Args:
        better: probability that the first strategy is better by more than the region of practical equivalence.
        equivalent: probability that the strategies differ by less than that.
        worse: probability that the first strategy is worse by more than that.
    """

    better: float
    equivalent: float
    worse: float


def signed_ranks(
    differences: Floats, rope: float = MARGIN, seed: int = 0, drawn: int = DRAWN, prior: float = PRIOR
) -> SignedRanks:
    """Compute the Bayesian signed-rank test with a region of practical equivalence (rope).

    Formula: weights w of the tables and of a pseudo-observation z_0 = 0 are Dirichlet(1, ..., 1, prior). Of one draw,
    the parts that are better, equivalent and worse are the sums of w_i w_j over pairs with (z_i + z_j) / 2 above rope,
    within, and below -rope, pairs on an edge half. A probability is the share of draws in which its part is the
    largest. Assumption: tables are a sample of those one cares about.

    Args:
        differences: score of the first - score of the second strategy on each table, [tables].
        rope: half the width of the region, as a fraction, > 0.
        seed: seed of the draws.
        drawn: draws of the posterior, >= 1.
        prior: weight of the pseudo-observation, > 0.

    Returns:
        Probabilities that the first strategy is better, equivalent and worse; they add up to 1.

    Raises:
        InputError: without tables, or for a region that is not positive.

    Source: Benavoli, Corani, Demsar & Zaffalon 2017, "Time for a change: a tutorial for comparing multiple classifiers
    through Bayesian analysis", section 4.2.
    """
    if not len(differences) or not rope > 0:
        raise InputError(
            f"a Bayesian comparison takes a table or more and a region above 0; got {len(differences)}, {rope:g}"
        )
    z = np.append(differences, 0.0)
    sums = z[:, None] + z[None, :]
    above, below = ((np.sign(sign * sums - 2 * rope) + 1) / 2 for sign in (1, -1))
    weights = np.random.default_rng(seed).dirichlet(np.append(np.ones(len(differences)), prior), size=drawn)
    right, left = (((weights @ part) * weights).sum(axis=1) for part in (above, below))
    parts = np.stack([right, 1 - right - left, left])
    counts = np.bincount(parts.argmax(axis=0), minlength=3) / drawn
    return SignedRanks(*(float(count) for count in counts))


def bayesian_tests(
    scores: pd.DataFrame, baseline: str | None = None, rope: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """Compare each pair of strategies over tables by `signed_ranks` of their mean scores.

    Args:
        scores: result of `final_scores`, of two tables or more.
        baseline: compare each strategy with this one only; None compares all pairs.
        rope: half the width of the region of practical equivalence, in the unit of the score, > 0; None for 1 point of
            accuracies.
        seed: seed of the draws; each pair has its own.

    Returns:
        first, second, n (tables on which both have a score), difference (mean), better, equivalent, worse
        (probabilities; NaN with fewer than 5 tables), verdict.

    Raises:
        InputError: for a baseline that has no runs, or no region for another score than accuracy.
    """
    require_columns(scores, ("strategy", "table", "score"), "the scores")
    near = usual_margin(rope)
    if near is None:
        raise InputError(
            f"the region of practical equivalence is 1 point of accuracies; of {judged_by().val} it needs a width: "
            "give --margin, in the unit of the score"
        )
    means = scores.groupby(["table", "strategy"])["score"].mean().unstack()
    rows = []
    for first, second in pairs_of(style.in_order(scores["strategy"].unique().tolist()), baseline):
        both = means[[first, second]].dropna()
        apart = tied((both[first] - both[second]).to_numpy(dtype=float), float(both.abs().max(axis=None)))
        row = {"first": first, "second": second, "n": len(apart)}
        row |= {"difference": float(apart.mean()) if len(apart) else np.nan}
        found = None
        if len(apart) >= ENOUGH_SEEDS:
            draws = int(generator(seed, first, second, "bayes").integers(2**32))
            found = signed_ranks(apart, near, draws)
        row |= {name: getattr(found, name) if found else np.nan for name in ("better", "equivalent", "worse")}
        rows.append(row | {"verdict": _verdict(first, second, len(apart), found, near)})
    columns = ["first", "second", "n", "difference", "better", "equivalent", "worse", "verdict"]
    return judged_by().shown(pd.DataFrame(rows, columns=columns), ["difference"])


def _points(rope: float) -> str:
    own = judged_by()
    return f"{100 * rope:.3g} points" if own.is_accuracy else own.size(rope, 3)


def _verdict(first: str, second: str, n: int, found: SignedRanks | None, rope: float) -> str:
    names = f"{first} against {second}"
    if found is None:
        return f"{names}: {TOO_SMALL} (n={n} tables; {ENOUGH_SEEDS} are the least)"
    said = {"better": found.better, f"within {_points(rope)}": found.equivalent, "worse": found.worse}
    likely, probability = max(said.items(), key=lambda item: item[1])
    sure = likely if probability >= SURE else "undecided"
    return f"{names}: {sure} ({', '.join(f'{name} {value:.0%}' for name, value in said.items())}; n={n} tables)"


def bayesian_notes(scores: pd.DataFrame) -> list[str]:
    """Make the notes that `bayesian_tests` needs to be read correctly.

    Args:
        scores: result of `final_scores`.

    Returns:
        One or two sentences.
    """
    shared = dependence(scores).replace("p speaks", "the probabilities speak")
    return [f"Probabilities of the tables' means; {SURE:.0%} or more is called decided.", *([shared] if shared else [])]
