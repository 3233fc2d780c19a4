"""Seeds that it takes to find a difference between strategies, from the spreads that were measured."""

from __future__ import annotations

import math

import pandas as pd

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.inference.equivalence import POWER, detectable_difference, power_of, seeds_needed
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.significance import pairs_of
from nasbench.errors import InputError
from nasbench.scores import judged_by


def sample_sizes(
    scores: pd.DataFrame, difference: float, baseline: str | None = None, power: float = POWER
) -> pd.DataFrame:
    """Seeds per strategy with which Welch's test finds a difference, for each pair of strategies on each table.

    Args:
        scores: result of `final_scores`.
        difference: difference of mean scores to find, as a fraction, not 0.
        baseline: compare each strategy with this one only; None compares all pairs.
        power: probability with which it is to be found.

    Returns:
        table, first, second, n_first, n_second (runs with a score), spread_first, spread_second (standard deviations),
        power (of these runs for that difference), detectable (by these runs), seeds (a side, for the difference). NaN
        and <NA> where a spread is not known: with fewer than 2 runs, or where all runs of a strategy ended alike.

    Raises:
        InputError: for a difference of 0, a baseline that has no runs, or if no pair has spreads.
    """
    require_columns(scores, ("strategy", "table", "score"), "the scores")
    rows = []
    for table, here in scores.groupby("table", sort=True):
        groups = here.dropna(subset="score").groupby("strategy")["score"]
        counts, spreads = groups.count(), groups.std(ddof=1)
        for first, second in pairs_of(style.in_order(here["strategy"].unique().tolist()), baseline):
            n = int(counts.get(first, 0)), int(counts.get(second, 0))
            both = float(spreads.get(first, math.nan)), float(spreads.get(second, math.nan))
            known = min(n) >= 2 and min(both) > 0
            rows.append(
                {
                    "table": table,
                    "first": first,
                    "second": second,
                    "n_first": n[0],
                    "n_second": n[1],
                    "spread_first": both[0],
                    "spread_second": both[1],
                    "power": power_of(difference, both, n) if known else math.nan,
                    "detectable": detectable_difference(both, n, power) if known else math.nan,
                    "seeds": seeds_needed(difference, both, power) if known else None,
                }
            )
    found = pd.DataFrame(rows).astype({"seeds": "Int64"}) if rows else pd.DataFrame()
    if found.empty or found["seeds"].isna().all():
        raise InputError(
            "no two strategies have two runs each with different scores, so that no spread is known; run more seeds"
        )
    return found


def power_notes(table: pd.DataFrame, difference: float, power: float) -> list[str]:
    """Explain the numbers of `sample_sizes`.

    Args:
        table: result of `sample_sizes`.
        difference: the difference to find, as a fraction.
        power: probability of finding it, in (0, 1).

    Returns:
        One to four sentences.
    """
    notes = [
        f"Welch's test at 5% finds {judged_by().size(abs(difference), 3)} in "
        f"{power:.0%} of cases with that many seeds a side; of one comparison, before a correction for several."
    ]
    if (table["seeds"] < ENOUGH_SEEDS).fillna(False).any():
        notes.append(f"This suite tests from {ENOUGH_SEEDS} seeds a side on.")
    alike = [
        row[side] for row in table.to_dict("records") for side in ("first", "second") if row[f"spread_{side}"] == 0
    ]
    if alike:
        named = ", ".join(dict.fromkeys(alike))
        notes.append(
            f"All runs of {named} ended alike: a spread of 0 says nothing of further runs, so no number of seeds "
            "follows."
        )
    few = int(table[["n_first", "n_second"]].min(axis=None))
    if few < 4 * ENOUGH_SEEDS:
        # chi-square: with 5 runs the true spread is 0.6 to 2.9 times the measured one (95%)
        from scipy.stats import chi2

        low, high = (
            (math.sqrt((few - 1) / chi2.ppf(q, few - 1)) for q in (0.975, 0.025)) if few > 1 else (0.0, math.inf)
        )
        notes.append(
            f"A spread of {few} runs is uncertain: the true one is {low:.2g} to {high:.2g} times it (95%, normal scores), and "
            "the seeds change with its square."
        )
    return notes
