"""Measure how often intervals cover and tests reject: the tables of docs/statistics.md.

    python -m benchmarks.calibration                      writes them into docs/statistics.md; a few minutes on one core
    python -m benchmarks.calibration --repeats 100 --to - prints them, with fewer repeats

Scores are normal, skewed (0.95 minus an exponential: a search's best has such a tail) or tied (normal, rounded to about
five different values). Strategies are equal, or the first is one standard deviation better.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.bands import LEAST_FOR_BANDS, simultaneous_rank
from nasbench.analysis.inference.equivalence import SIGNIFICANT
from nasbench.analysis.inference.friedman import friedman_p
from nasbench.analysis.inference.intervals import (
    Interval,
    improvement_interval,
    iqm_interval,
    mean_interval,
    median_interval,
)
from nasbench.analysis.inference.two_samples import compare_groups, corrected

Floats = NDArray[np.float64]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
SIZES = (3, 5, 10, 20, 50)
SHAPES = ("normal", "skewed", "tied")
SPREADS = {"normal": 0.01, "skewed": 0.02, "tied": 0.012}  # standard deviations
RANK_TESTS = ("p", "mann_whitney_p", "brunner_munzel_p")
REJECTING = ("both reject (the verdict)", "Mann-Whitney rejects", "Brunner-Munzel rejects")
WIDER = (3, 5)  # spread of the first over that of the second
UNEVEN_SIZES = ((5, 5), (10, 10), (50, 50), (5, 20), (5, 200), (10, 200), (50, 200), (200, 50))
CHILDREN = 40  # of a made-up search, for bands


def scores(rng: np.random.Generator, shape: str, size: tuple[int, ...] | int) -> Floats:
    """Draw final scores of a shape."""
    if shape == "normal":
        return np.asarray(rng.normal(0.9, SPREADS[shape], size))
    if shape == "skewed":
        return np.asarray(0.95 - rng.exponential(SPREADS[shape], size))
    return np.asarray(np.round(rng.normal(0.9, SPREADS[shape], size), 2))


def percentile_bootstrap(sample: Floats, rng: np.random.Generator) -> Interval:
    """The interval of a mean that these replaced."""
    means = sample[rng.integers(len(sample), size=(500, len(sample)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high), "")


def truths(shape: str) -> dict[str, float]:
    """Mean, median and interquartile mean of a shape, from a million draws where there is no formula."""
    many = np.sort(scores(np.random.default_rng(1), shape, 1_000_000))
    mean = {"normal": 0.9, "skewed": 0.93, "tied": 0.9}[shape]
    median = {"normal": 0.9, "skewed": 0.95 - 0.02 * math.log(2), "tied": 0.9}[shape]
    iqm = float(many[250_000:750_000].mean()) if shape == "skewed" else 0.9
    return {"mean": mean, "median": median, "iqm": iqm}


def share(covered: int, given: int, tried: int) -> str:
    """A cell: percentage, and how many samples had an interval where not all had; "no interval" for none."""
    if not given:
        return "no interval"
    return f"{100 * covered / given:.1f}" + (f" (of {given / tried:.0%})" if given < tried else "")


def one_sample(repeats: int) -> list[list[str]]:
    """Rows of the coverage of one strategy's intervals."""
    rows = []
    for shape in SHAPES:
        true = truths(shape)
        for n in SIZES:
            rng = np.random.default_rng([11, n, SHAPES.index(shape)])
            samples = scores(rng, shape, (repeats, n))
            methods: dict[str, tuple[Callable[[Floats], Interval], float]] = {
                "mean": (lambda sample, rng=rng: mean_interval(sample, rng, resamples=999), true["mean"]),  # type: ignore[misc]
                "median": (median_interval, true["median"]),
                "iqm": (iqm_interval, true["iqm"]),
                "old": (lambda sample, rng=rng: percentile_bootstrap(sample, rng), true["mean"]),  # type: ignore[misc]
            }
            cells = []
            for method, truth in methods.values():
                found = [interval for interval in map(method, samples) if interval.known]
                cells.append(share(sum(_holds(interval, truth) for interval in found), len(found), repeats))
            rows.append([shape, str(n), *cells])
    return rows


def two_samples(repeats: int) -> list[list[str]]:
    """Rows of coverage, size and power of comparisons of two strategies."""
    rows = []
    for shape in SHAPES:
        for n in SIZES:
            for name, shift in (("equal", 0.0), ("one SD apart", SPREADS[shape])):
                rng = np.random.default_rng([12, n, SHAPES.index(shape), bool(shift)])
                many = scores(rng, shape, 4000) + shift, scores(rng, shape, 4000)
                better = 0.5 if not shift else float(((np.sign(many[0][:, None] - many[1]) + 1) / 2).mean())
                first, second = scores(rng, shape, (repeats, n)) + shift, scores(rng, shape, (repeats, n))
                # At a true difference of the margin, equivalence is false: TOST then errs.
                found = [compare_groups(a, b, margin=shift or 0.01) for a, b in zip(first, second)]
                cells = []
                for part, truth in (("difference", shift), ("improvement", better)):
                    ends = [Interval(row[f"{part}_low"], row[f"{part}_high"], "") for row in found]
                    known = [each for each in ends if each.known]
                    cells.append(share(sum(_holds(each, truth) for each in known), len(known), repeats))
                cells += [rejected(found, p) for p in (*RANK_TESTS, "welch_p")]
                tried = [row["tost_p"] for row in found if not math.isnan(row["tost_p"])]
                size = share(sum(value < SIGNIFICANT for value in tried), len(tried), len(tried))
                noted = sum(not math.isnan(row["uneven_skew"]) for row in found)
                rows.append([shape, str(n), name, *cells, size if shift else "", f"{100 * noted / repeats:.1f}"])
    return rows


def rejected(found: list[dict[str, Any]], test: str) -> str:
    """A cell: how often the test's p is below 5%, of the comparisons that have one."""
    tried = [row[test] for row in found if not math.isnan(row[test])]
    return share(sum(value < SIGNIFICANT for value in tried), len(tried), len(tried))


def rank_tests(repeats: int) -> list[list[str]]:
    """Rows of how often tests of ranks reject strategies of unequal spread, each of which wins half of all pairs."""
    rows = []
    for shape in SHAPES:
        for times in WIDER:
            rng = np.random.default_rng([16, times, SHAPES.index(shape)])
            centre = truths(shape)["median"]
            wide, narrow = centre + times * (scores(rng, shape, 4000) - centre), scores(rng, shape, 4000)
            # Of skewed scores, equal medians are not enough: with the median of all differences, each wins half of all pairs.
            shift = float(np.median(narrow - wide[:, None])) if shape == "skewed" else 0.0
            for first, second in UNEVEN_SIZES:
                found = [
                    compare_groups(
                        centre + shift + times * (scores(rng, shape, first) - centre), scores(rng, shape, second)
                    )
                    for _ in range(repeats)
                ]
                cells = [rejected(found, p) for p in RANK_TESTS]
                rows.append([shape, f"1:{times}", f"{first} and {second}", *cells])
    return rows


def unequal_spreads(repeats: int) -> list[list[str]]:
    """Rows of the coverage of differences and probabilities where one spread is three times the other.

    Also the share of comparisons that carry a note, and of those whose interval of the difference is wrong without one;
    and the coverage of A12 where the spread is five times the other's, and the wider side has a quarter of the runs.
    """
    rows = []
    for shape in SHAPES:
        for n in SIZES[1:]:
            rng = np.random.default_rng([13, n, SHAPES.index(shape)])
            centre = truths(shape)["mean"]

            def wide(
                size: tuple[int, ...] | int,
                times: int = 3,
                rng: np.random.Generator = rng,
                shape: str = shape,
                centre: float = centre,
            ) -> Floats:
                return centre + times * (scores(rng, shape, size) - centre)

            better = _chance(wide(4000), scores(rng, shape, 4000))
            cells = []
            found = [compare_groups(wide(n), scores(rng, shape, n)) for _ in range(repeats)]
            for part, truth in (("difference", 0.0), ("improvement", better)):
                ends = [Interval(row[f"{part}_low"], row[f"{part}_high"], "") for row in found]
                known = [each for each in ends if each.known]
                cells.append(share(sum(_holds(each, truth) for each in known), len(known), repeats))
            noted = [not math.isnan(row["uneven_skew"]) for row in found]
            cells.append(f"{100 * sum(noted) / repeats:.1f}")
            ends = [Interval(row["difference_low"], row["difference_high"], "") for row in found]
            wrong = sum(end.known and not said and not _holds(end, 0.0) for end, said in zip(ends, noted))
            cells.append(f"{100 * wrong / repeats:.1f}")
            truth = _chance(wide(4000, 5), scores(rng, shape, 4000))
            for few in (n, n // 4):
                if few < SIZES[1]:
                    cells.append("no interval")
                    continue
                ends = [improvement_interval(wide(few, 5), scores(rng, shape, n)) for _ in range(repeats)]
                known = [each for each in ends if each.known]
                cells.append(share(sum(_holds(each, truth) for each in known), len(known), repeats))
            rows.append([shape, str(n), *cells])
    return rows


def _chance(first: Floats, second: Floats) -> float:
    return float(((np.sign(first[:, None] - second) + 1) / 2).mean())


def families(repeats: int) -> list[list[str]]:
    """Rows of how often six comparisons without a difference have some wrong verdict."""
    rows = []
    for n in SIZES[1:]:
        rng, wrong, bare = np.random.default_rng([14, n]), 0, 0
        for _ in range(repeats):
            drawn = scores(rng, "normal", (7, n))
            table = corrected(pd.DataFrame([compare_groups(drawn[0], other, margin=1e-6) for other in drawn[1:]]))
            wrong += bool((table["finding"] == "differs").any())
            bare += bool((table["welch_p"] < SIGNIFICANT).any())
        rows.append([str(n), f"{100 * wrong / repeats:.1f}", f"{100 * bare / repeats:.1f}"])
    return rows


def bands(repeats: int) -> list[list[str]]:
    """Rows of how often the whole line of medians lies in its simultaneous band."""
    rows = []
    for kind in ("normal", "skewed", "tied", "crossing lines"):
        cells = []
        for n in (10, 20, 50):
            rng = np.random.default_rng([15, n])
            truth = np.median(courses(rng, kind, 20_001), axis=0)
            held = given = 0
            for _ in range(repeats):
                lines = courses(rng, kind, n)
                rank = simultaneous_rank(lines, rng, resamples=500)
                ordered = np.sort(lines, axis=0)
                given += rank > 0
                # The median of very many draws is known to about a hundredth of a standard deviation.
                held += rank > 0 and bool(
                    ((ordered[rank - 1] <= truth + 0.01) & (truth - 0.01 <= ordered[-rank])).all()
                )
            cells.append(share(held, given, repeats))
        rows.append([kind, *cells])
    return rows


def courses(rng: np.random.Generator, kind: str, n: int) -> Floats:
    """Best so far of made-up searches, [n, children]; or lines that cross each other."""
    normal = rng.normal(0, 1, (n, CHILDREN))
    if kind == "crossing lines":
        return np.asarray(0.3 * np.cumsum(normal, axis=1) + rng.normal(0, 1, (n, CHILDREN)))
    children = {"normal": normal, "tied": np.round(2 * normal) / 2}.get(kind)
    return np.maximum.accumulate(-rng.exponential(1, (n, CHILDREN)) if children is None else children, axis=1)


def friedman(repeats: int) -> list[list[str]]:
    """Rows of the size of Friedman's test by permutation, and of Iman and Davenport's F."""
    from scipy.stats import f as f_distribution
    from scipy.stats import friedmanchisquare

    rows = []
    for k in (3, 5):
        for tables in (2, 3, 5, 10):
            rng = np.random.default_rng([16, k, tables])
            drawn = rng.permuted(np.tile(np.arange(1.0, k + 1), (repeats, tables, 1)), axis=2)
            ours = np.mean([friedman_p(ranks).p < SIGNIFICANT for ranks in drawn])
            theirs = 0
            for ranks in drawn:
                chi = float(friedmanchisquare(*ranks.T).statistic)
                rest = tables * (k - 1) - chi
                f = (tables - 1) * chi / rest if rest > 1e-9 else math.inf
                theirs += f_distribution.sf(f, k - 1, (k - 1) * (tables - 1)) < SIGNIFICANT
            rows.append([str(k), str(tables), f"{100 * ours:.1f}", f"{100 * theirs / repeats:.1f}"])
    return rows


def _holds(interval: Interval, truth: float) -> bool:
    return interval.low - 1e-9 <= truth <= interval.high + 1e-9


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


def tables(repeats: int) -> str:
    """All tables with their headings, in Markdown."""
    error, most = (100 * math.sqrt(share * (1 - share) / repeats) for share in (0.05, 0.5))
    head = ["scores", "n"]
    parts = [
        f"Made by `python -m benchmarks.calibration --repeats {repeats}`; percentages of 5 and 95 have a standard error of {error:.1f}, "
        f"one of 50 has {most:.1f}.",
        "### Coverage of 95% intervals of one strategy",
        markdown(
            [*head, "mean", "median", "interquartile mean", "percentile bootstrap of the mean (not used)"],
            one_sample(repeats),
        ),
        "### Two strategies: coverage, and how often tests reject at 5%",
        "Of equal strategies a rejection is an error; of strategies one standard deviation apart it is the power. TOST: how "
        "often strategies whose true difference is the margin are called equivalent, an error. With a note: how often the "
        "verdict says that its interval is uncertain, see the next table.",
        markdown(
            [
                *head,
                "strategies",
                "difference of means",
                "A12",
                *REJECTING,
                "Welch rejects",
                "TOST errs",
                "with a note",
            ],
            two_samples(repeats),
        ),
        "### Two strategies of equal means, one with three times the other's spread: coverage",
        "A verdict says so where few runs, skew and unequal spreads show in the scores. Wrong without a note: an interval that "
        "misses the true difference in a verdict that does not say so. Four times as many repeats.",
        markdown(
            [
                *head,
                "difference of means",
                "A12",
                "with a note",
                "difference wrong without a note",
                "A12 at five times the spread",
                "A12, the wider side with a quarter of the runs",
            ],
            unequal_spreads(4 * repeats),
        ),
        "### Two strategies of which each wins half of all pairs, the first with the larger spread: how often tests reject at 5%",
        "Each rejection is an error. The first number of searches is that of the strategy with the larger spread. Four times as "
        "many repeats.",
        markdown(["scores", "spreads", "n", *REJECTING], rank_tests(4 * repeats)),
        "### Six comparisons without a difference: some verdict is wrong",
        markdown(["n", "after Holm's correction", "six Welch tests without it"], families(max(50, repeats // 4))),
        "### Simultaneous 95% bands of medians over 40 budgets",
        f"With fewer than {LEAST_FOR_BANDS} runs there is no simultaneous band.",
        markdown(["lines", "n = 10", "n = 20", "n = 50"], bands(max(50, repeats // 2))),
        "### Friedman's test without a difference: how often it rejects at 5%",
        markdown(
            ["strategies", "tables", "by permutation", "Iman and Davenport's F (not used below 10 tables)"],
            friedman(repeats),
        ),
    ]
    return "\n\n".join(parts)


def between_markers(page: str, text: str) -> str:
    """Replace what stands between the markers of a page.

    Raises:
        ValueError: when the page lacks the markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main() -> None:
    """Measure, and write or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=500, help="samples per cell")
    parser.add_argument("--to", default=str(PAGE), help="page with markers, or - for standard output")
    wishes = parser.parse_args()
    text = tables(wishes.repeats)
    if wishes.to == "-":
        print(text)
        return
    page = Path(wishes.to)
    page.write_text(between_markers(page.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
