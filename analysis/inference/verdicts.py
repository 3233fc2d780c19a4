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

DIFFERS, EQUIVALENT, NOT_SHOWN = "differs", "equivalent", "not shown to differ"


def finding(row: Mapping[str, Any]) -> str:
    """Which of the forms a comparison has.

    Args:
        row: p_holm and tost_p_holm (after Holm's correction; NaN where no test was made).

    Returns:
        "differs", "equivalent", "not shown to differ" or "n too small". A difference that is significant and still within
        the margin is "differs".
    """
    if math.isnan(row["p_holm"]):
        return TOO_SMALL
    if row["p_holm"] < SIGNIFICANT:
        return DIFFERS
    return EQUIVALENT if row["tost_p_holm"] < SIGNIFICANT else NOT_SHOWN


def comparison_text(row: Mapping[str, Any]) -> str:
    """A comparison of two strategies on one table, in words after their names.

    Args:
        row: of `two_samples.corrected`.
    """
    n = f"n={row['n_first']} and {row['n_second']}"
    found = finding(row)
    if found == TOO_SMALL:
        return f"{TOO_SMALL} ({n}; 5 seeds a side are the least)"
    apart = points(row["difference"]) + interval_text(row["difference_low"], row["difference_high"])
    tested = f"{holm_text(row['p_holm'], row['comparisons'])}, {apart}, {n}"
    within = within_text(row)
    if found == DIFFERS:
        word = "better" if row["improvement"] > 0.5 else "worse"
        small = f"; {within})" if row["tost_p_holm"] < SIGNIFICANT else ""
        return (
            f"differs, {word} ({tested}; better in {row['improvement']:.0%} of pairs, {row['magnitude']} effect{small})"
        )
    if found == EQUIVALENT:
        return f"{within}, {apart}, {n})"
    return f"not shown to differ ({tested}); {detectable_text(row['detectable'])}"


def within_text(row: Mapping[str, Any]) -> str:
    """Begin the sentence of an equivalence: the margin and the p value; the bracket stays open.

    Args:
        row: margin (a fraction), tost_p_holm, tost_comparisons.
    """
    unit = "point" if row["margin"] == 0.01 else "points"
    tested = holm_text(row["tost_p_holm"], row["tost_comparisons"])
    return f"equivalent within +-{100 * row['margin']:.3g} {unit} (TOST, {tested}"


def holm_text(value: float, comparisons: int) -> str:
    """A p value after Holm's correction, with the number of comparisons that it is corrected for.

    Args:
        value: in [0, 1].
        comparisons: tests that were made, >= 1.
    """
    said = p_text(value) if value < 0.001 else f"= {p_text(value)}"
    return f"Holm p {said.replace('<', '< ')} over {comparisons_text(comparisons)}"


def after_holm(comparisons: int) -> str:
    """What a corrected p value is, in words: "after Holm's correction over 6 comparisons".

    Args:
        comparisons: tests that were made; 0 where n is too small for all.
    """
    if comparisons == 0:
        return "is missing, as n is too small for any test"
    return f"after Holm's correction over {comparisons_text(comparisons)}"


def comparisons_text(count: int) -> str:
    """A number of comparisons in words: "1 comparison", "6 comparisons".

    Args:
        count: the number.
    """
    return f"{count} comparison{'' if count == 1 else 's'}"


def detectable_text(detectable: float) -> str:
    """The difference that a test can detect, in words; NaN for none.

    Args:
        detectable: a fraction, of `equivalence.detectable_difference`.
    """
    if math.isnan(detectable):
        return "what this n can detect is not known, as the scores have no spread"
    return f"detectable at this n: {100 * detectable:.2g} points ({POWER:.0%} power, one test)"


def points(value: float) -> str:
    """Format a difference of fractions in percentage points with its sign.

    Args:
        value: the difference.
    """
    return f"{100 * value:+.2f} points"


def interval_text(low: float, high: float) -> str:
    """Format an interval of a difference in percentage points, with a space before it; '' without one.

    Args:
        low: lower end, a fraction.
        high: upper end.
    """
    return "" if math.isnan(low) or math.isnan(high) else f" [{100 * low:+.2f}, {100 * high:+.2f}]"


def p_text(value: float) -> str:
    """Format a p value: three decimals, or "<0.001"; "none" for NaN.

    Args:
        value: in [0, 1], or NaN.
    """
    return "none" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"
