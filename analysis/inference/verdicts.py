"""What a comparison of two strategies says, in three forms: differs, equivalent, or not shown to differ.

"differs (Holm p, interval)", "equivalent within +-d (TOST)", "not shown to differ; detectable at this n: x points". A test
never shows that two strategies do not differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nasbench.analysis.inference.equivalence import POWER, SIGNIFICANT
from nasbench.analysis.inference.intervals import TOO_SMALL
from nasbench.scores import judged_by

RANK_TESTS = "larger p of Mann-Whitney's and Brunner-Munzel's tests, two-sided"  # `two_samples.compare_groups`
DIFFERS, EQUIVALENT, NOT_SHOWN = "differs", "equivalent", "not shown to differ"


def finding(row: Mapping[str, Any]) -> str:
    """Classify a comparison.

    Args:
        row: p_holm and tost_p_holm (after Holm's correction; NaN if no test was made).

    Returns:
        "differs", "equivalent", "not shown to differ" or "n too small". A difference that is significant and still
        within the margin is "differs".
    """
    if math.isnan(row["p_holm"]):
        return TOO_SMALL
    if row["p_holm"] < SIGNIFICANT:
        return DIFFERS
    return EQUIVALENT if row["tost_p_holm"] < SIGNIFICANT else NOT_SHOWN


def comparison_text(row: Mapping[str, Any]) -> str:
    """Describe a comparison of two strategies on one table, without their names.

    Args:
        row: a row of `two_samples.corrected`.

    Returns:
        The verdict with p value, difference, interval and numbers of runs and comparisons.
    """
    n = f"n={row['n_first']} and {row['n_second']}"
    found = finding(row)
    if found == TOO_SMALL:
        return f"{TOO_SMALL} ({n}; 5 seeds a side are the least)"
    apart = points(row["difference"]) + interval_text(row["difference_low"], row["difference_high"], row["interval"])
    tested = f"{holm_text(row['p_holm'], row['comparisons'])}, {apart}, {n}"
    within, doubt = within_text(row), _doubt(row["uneven_skew"])
    if found == DIFFERS:
        word = "better" if row["improvement"] > 0.5 else "worse"
        doubt += disagreement(row["improvement"] - 0.5, row["difference"])
        small = f"; {within})" if row["tost_p_holm"] < SIGNIFICANT else ""
        return (
            f"differs, {word} ({tested}; better in {row['improvement']:.0%} of pairs, {row['magnitude']} effect{small})"
            f"{doubt}"
        )
    if found == EQUIVALENT:
        return f"{within}, {apart}, {n}){doubt}"
    return f"not shown to differ ({tested}); {detectable_text(row['detectable'])}{doubt}"


def disagreement(by_ranks: float, difference: float) -> str:
    """Say that ranks and means of two strategies point in different directions.

    Args:
        by_ranks: > 0 where the first strategy is better by ranks, < 0 where the second is.
        difference: difference of the means of oriented scores, first - second.

    Returns:
        The end of a sentence; "" where they agree, or one of them is 0.
    """
    if not by_ranks * difference < 0:
        return ""
    return (
        "; the means say the opposite: the test compares runs by rank, and a few runs, e.g. failed ones, decide a mean. Look at "
        "the runs before you conclude anything"
    )


def _doubt(ratio: float) -> str:
    """The end of a sentence whose interval may be wrong more often than it says."""
    if math.isnan(ratio):
        return ""
    return f"; n too small for this interval, which may cover less than 92% (skewed scores with spreads 1:{ratio:.2g})"


def within_text(row: Mapping[str, Any]) -> str:
    """Begin the sentence of an equivalence with the margin and the p value; its bracket stays open.

    Args:
        row: `margin`, a fraction, `tost_p_holm`, a p value, and `tost_comparisons`, the number of tests.

    Returns:
        The beginning of the sentence.
    """
    tested = holm_text(row["tost_p_holm"], row["tost_comparisons"])
    return f"equivalent within +-{judged_by().size(row['margin'], 3)} (TOST, {tested}"


def holm_text(value: float, comparisons: int) -> str:
    """Describe a p value after Holm's correction, with the number of comparisons that it is corrected for.

    Args:
        value: p value in [0, 1].
        comparisons: number of tests that were made, >= 1.

    Returns:
        The text, e.g. "Holm p = 0.012 over 6 comparisons".
    """
    said = p_text(value) if value < 0.001 else f"= {p_text(value)}"
    return f"Holm p {said.replace('<', '< ')} over {comparisons_text(comparisons)}"


def after_holm(comparisons: int) -> str:
    """Describe a corrected p value for a caption.

    Args:
        comparisons: number of tests that were made; 0 if n is too small for all of them.

    Returns:
        The text, e.g. "after Holm's correction over 6 comparisons".
    """
    if comparisons == 0:
        return "is missing, as n is too small for any test"
    return f"after Holm's correction over {comparisons_text(comparisons)}"


def comparisons_text(count: int) -> str:
    """Write a number of comparisons.

    Args:
        count: the number, >= 0.

    Returns:
        The text, e.g. "1 comparison" or "6 comparisons".
    """
    return f"{count} comparison{'' if count == 1 else 's'}"


def detectable_text(detectable: float) -> str:
    """Describe the smallest difference that a test can detect.

    Args:
        detectable: result of `equivalence.detectable_difference`, a fraction; NaN if the scores have no spread.

    Returns:
        A part of a sentence, in percentage points or the unit of the score.
    """
    if math.isnan(detectable):
        return "what this n can detect is not known"
    return f"detectable at this n: {judged_by().size(detectable, 2)} ({POWER:.0%} power, one test without correction)"


def points(value: float) -> str:
    """Format a difference of scores with its sign: of accuracies in percentage points.

    Args:
        value: the difference; of accuracies a fraction.

    Returns:
        The text, e.g. "+0.42 points".
    """
    return judged_by().apart(value)


def interval_text(low: float, high: float, method: str = "") -> str:
    """Format an interval of a difference in percentage points.

    Args:
        low: lower limit, a fraction.
        high: upper limit, a fraction.
        method: `intervals.Interval.method`, which has the reason if there is no interval.

    Returns:
        The text with a space before it, e.g. " [+0.10, +0.74]" or " (no interval: all scores of a side are equal)"; ""
        if a limit is NaN because there are too few runs.
    """
    if not math.isnan(low) and not math.isnan(high):
        return f" {judged_by().between(low, high)}"
    why = method.removeprefix(TOO_SMALL).removesuffix(", no interval").strip(" ()")
    return f" (no interval: {why})" if why else ""


def p_text(value: float) -> str:
    """Format a p value.

    Args:
        value: in [0, 1], or NaN.

    Returns:
        Three decimals; "<0.001" for smaller values, "none" for NaN.
    """
    return "none" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"
