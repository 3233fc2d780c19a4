"""Tables of every strategy on digits201-2, conv-size-cifar16 and NAS-Bench-201, under equal budgets: docs/strategies-table.md.

python benchmarks/strategies_table.py                                   writes the page from results/reference/*.npz
python benchmarks/strategies_table.py --make --tables ../shared/data    makes the searches that are missing, first

Searches are kept after each strategy, so that a stopped command goes on where it was.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nasbench.api.benching import open_tasks, search_bar
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import BenchmarkRuns, Entry, TaskRuns, TaskScale, read_runs, write_runs
from nasbench.runners.bench.reference import make_reference
from nasbench.runners.strategies import STRATEGIES
from nasbench.tabular.tables import published_replays

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "strategies-table.md"
FOLDER = ROOT / "results" / "reference"
SHARED = ROOT / "results" / "one_shot_searches.csv"  # made by one_shot_table.py

CLOSE = 0.99  # of the best score that a search can see
SHARED_TASK = "digits201-2"
TASKS = {
    "digits201-2": "suite-v1",
    "conv-size-cifar16": "suite-v1",
    "nasbench201-cifar10": "suite-v1-full",
}  # task -> suite
TITLES = {
    "digits201-2": "digits201-2: NAS-Bench-201's cells on 8x8 digits, 400 s (about 300 whole trainings)",
    "conv-size-cifar16": "conv-size-cifar16: channels of five convolutions on 16x16 images of CIFAR-10, 700 s (about 100 children)",
    "nasbench201-cifar10": "NAS-Bench-201, CIFAR-10, 34,000 s (about 300 trainings of 12 epochs)",
}
STRATEGIES_HERE = (
    *("random", "evolution", "local_search", "reinforce_logits", "reinforce", "ppo", "nsga2", "mo_evolution", "pymoo"),
    *("asha", "successive_halving", "hyperband", "dehb", "median_stop", "bohb", "parego", "zero_cost"),
    *("optuna", "gp:kernel=hamming", "bananas:predictor=forest", "npenas:predictor=forest", "syne_tune:searcher=kde"),
)
SEEDS = 200


def make(folders: list[str]) -> None:
    """Make the searches that are missing."""
    for task, suite in TASKS.items():
        loaded, path = load_benchmark(suite), FOLDER / f"{suite}.npz"
        opened, _ = open_tasks(loaded, folders, [task])
        with search_bar(0, True) as ended:
            for name in STRATEGIES_HERE:
                earlier = read_runs(path) if path.exists() else None
                _, skipped = make_reference(loaded, opened, [name], SEEDS, 1, earlier, ended, partial(write_runs, path))
                for each in skipped:
                    print(f"{task}: no runs of {each.strategy}: {each.why}")


def around(values: Any) -> tuple[float, float]:
    """Mean, and half the width of its 95% interval by Student's t; NaN with fewer than five values, or equal ones."""
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 5 or np.ptp(numbers) == 0:
        return float(numbers.mean()), math.nan
    width = stats.t.ppf(0.975, len(numbers) - 1) * numbers.std(ddof=1) / math.sqrt(len(numbers))
    return float(numbers.mean()), float(width)


def until_close(runs: TaskRuns, scale: TaskScale) -> Any:
    """Seconds of each search until its incumbent has 99% of the best score that it can see; inf if it never has."""
    seconds = np.full(len(runs.seeds), math.inf)
    for place in np.flatnonzero(runs.outcomes >= CLOSE * scale.searched_best)[::-1]:  # the first of a search comes last
        seconds[runs.runs[place]] = runs.seconds[place]
    return seconds


def row_of(entry: Entry, runs: TaskRuns, scale: TaskScale) -> dict[str, Any]:
    """Compute what the table says of a strategy on one task; regrets in points of accuracy."""
    at = runs.at(scale.seconds["large"])
    seconds = until_close(runs, scale)
    regret, wide = around(100 * (scale.best - runs.scores[at]))
    searched, apart = around(100 * (scale.searched_best - runs.outcomes[at]))
    return {
        "name": entry.text,
        "n": len(runs.seeds),
        "children": float(runs.children.mean()),
        "regret": regret,
        "wide": wide,
        "searched": searched,
        "apart": apart,
        "reached": share_text(np.isfinite(seconds)),
        "close": close_text(seconds, scale.seconds["large"]),
        "own": runs.searcher_seconds,
    }


def close_text(seconds: Any, limit: float) -> str:
    """Write the median of the times until a search is close to the best, with its 95% interval.

    Args:
        seconds: of each search; inf if it never is.
        limit: the budget, in seconds.

    Returns:
        e.g. "26 s [22, 31]"; times that no search of the budget can have are "> limit". No interval for fewer than six
        searches, whose smallest and largest value hold the median with less than 95%.
    """
    times = np.sort(np.asarray(seconds, dtype=float))

    def text(value: float) -> str:
        return f"{value:,.0f}" if math.isfinite(value) else f"> {limit:,.0f}"

    median = text(float(np.median(times))) + " s"
    lower = int(stats.binom.ppf(0.025, len(times), 0.5))  # of so many values at most, all are below the median in 2.5%
    return f"{median} [{text(times[lower - 1])}, {text(times[-lower])}]" if lower else median


def share_text(reached: Any) -> str:
    """Write a share of the searches with its 95% interval by Wilson."""
    found = stats.binomtest(int(np.sum(reached)), len(reached)).proportion_ci(method="wilson")
    return f"{np.mean(reached):.0%} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def with_interval(mean: float, half: float) -> str:
    """A mean with its interval, or alone."""
    return f"{mean:.2f} [{mean - half:.2f}, {mean + half:.2f}]" if half == half else f"{mean:.2f}"


def table_of(runs: BenchmarkRuns, task: str) -> Iterator[str]:
    """Lines of the table of one task, the least regret first."""
    scale = runs.scales[task]
    rows = [row_of(entry, entry.runs[task], scale) for entry in runs.entries if task in entry.runs]
    yield "| strategy | n | children | regret of the choice | regret of the searched score | reached 99% | time to 99% | own s |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda each: (each["regret"], each["name"])):
        own = "-" if row["own"] != row["own"] else f"{row['own']:.2g}"
        yield (
            f"| `{row['name']}` | {row['n']} | {row['children']:.0f} | {with_interval(row['regret'], row['wide'])} | "
            f"{with_interval(row['searched'], row['apart'])} | {row['reached']} | {row['close']} | {own} |"
        )


def frequent_choices(runs: BenchmarkRuns, task: str, most: int = 3) -> str:
    """Say how many searches choose one of the few architectures that are chosen most often.

    Args:
        runs: the reference runs.
        task: the task.
        most: how many architectures.

    Returns:
        A sentence. Architectures are told apart by their scores, since one architecture has several encodings.
    """
    scale, found = runs.scales[task], []
    for entry in runs.entries:
        if task in entry.runs:
            mine = entry.runs[task]
            at = mine.at(scale.seconds["large"])
            found.append(pd.DataFrame({"searched": mine.outcomes[at], "regret": 100 * (scale.best - mine.scores[at])}))
    pairs = pd.concat(found).round(9).value_counts().sort_index(ascending=False)
    pairs = pairs.sort_values(ascending=False, kind="stable")  # of equal counts, the higher score first
    parts = [
        f"{count / pairs.sum():.0%} one with the searched score {searched:.4f} and the regret {regret:.2f}"
        for (searched, regret), count in pairs.head(most).items()
    ]
    return (
        f"Of all {pairs.sum():,} searches of this table, {pairs.head(most).sum() / pairs.sum():.0%} choose one of the {most} "
        f"most frequent: {', '.join(parts)}."
    )


def shared_weights(rows: pd.DataFrame, limit: float) -> Iterator[str]:
    """Lines of the table of the strategies that train a super-network, the least regret first.

    Args:
        rows: searches, with the columns of results/one_shot_searches.csv.
        limit: the budget, in seconds.

    Yields:
        The lines.
    """
    yield (
        "| strategy | n | super-network | children | regret of the first proposal | regret of the choice | "
        "regret of the searched score | reached 99% | time to 99% | tau |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    groups = [(rows["regret"].mean(), str(name), rows) for name, rows in rows.groupby("strategy")]
    for _, name, searches in sorted(groups, key=lambda each: each[:2]):
        columns = [
            with_interval(*around(scale * searches[column]))
            for column, scale in (("derived_regret", 100), ("regret", 100), ("searched_regret", 100), ("tau", 1))
        ]
        yield (
            f"| `{name}` | {len(searches)} | {searches['supernet_seconds'].mean():.0f} s | {searches['children'].mean():.0f} | "
            f"{' | '.join(columns[:3])} | {share_text(np.isfinite(searches['close_seconds']))} | "
            f"{close_text(searches['close_seconds'], limit)} | {columns[3]} |"
        )


def published_beside(runs: BenchmarkRuns, task: str) -> Iterator[str]:
    """Lines of the table of published results on the same table and data set, under their budgets."""
    entries = {entry.strategy: entry for entry in runs.entries if task in entry.runs}
    yield "| strategy | budget | test accuracy here, n | published, n | difference | published in |"
    yield "|---|---|---|---|---|---|"
    rows = published_replays()
    rows = rows[(rows["searched_on"] == "cifar10") & (rows["data"] == "cifar10")]
    for row in rows.to_dict("records"):
        if row["strategy"] not in entries:
            continue
        found = entries[row["strategy"]].runs[task]
        scores = 100 * found.scores[found.at(float(str(row["budget"]).split()[0]))]
        theirs, spread = 100 * row["test_acc"], 100 * row["test_sd"]
        half = 1.96 * math.sqrt(scores.var(ddof=1) / len(scores) + spread**2 / row["runs"])
        gap = scores.mean() - theirs
        yield (
            f"| `{row['strategy']}` | {row['budget']} | {scores.mean():.2f} +- {scores.std(ddof=1):.2f}, {len(scores)} | "
            f"{theirs:.2f} +- {spread:.2f}, {row['runs']} | {gap:+.2f} [{gap - half:+.2f}, {gap + half:+.2f}] | "
            f"{row['paper']} ({row['tag']}) |"
        )


HEAD = """\
# Every strategy under equal budgets

What each strategy reaches under equal budgets, with the options that its row names and otherwise its usual ones (`bananas`, `npenas` and `gp`
with a predictor that takes seconds a search, not minutes; [Choose a strategy](strategies.md#regret) has the others). The searches ship as `results/reference/*.npz`
([reference runs](benchmark.md#reference-runs)); `python benchmarks/strategies_table.py` writes this page from them, and with `--make --tables FOLDER` makes what is missing.

- Budgets are seconds of the table's clock. A child costs the seconds of one training, also where a search sees the mean of several. Strategies that stop trainings early are charged for the epochs that they trained, so they have more children.
- Regret of the choice: highest test accuracy of the table minus that of the chosen architecture, by trainings that no search saw (digits201-2: training seed 1;
  conv-size-cifar16: mean of seeds 3, 4 and 5; NAS-Bench-201: 200 epochs). Regret of the searched score: the same for the validation accuracy that searches see (digits201-2: seed 0; conv-size-cifar16:
  mean of seeds 0, 1 and 2; NAS-Bench-201: 12 epochs). Both are in points of accuracy, means over n searches with 95% intervals (Student's t).
- An interval is over seeds of the search. The scores of an architecture are those of the same trainings in every search, whose noise no interval here contains.
  A value without an interval is equal in all searches.
- Reached 99%: share of searches whose incumbent has 99% of the best score that they can see, with Wilson's 95% interval. Time to 99% is the median over all
  searches with its 95% interval (order statistics); one that never reached it counts as longer than the budget.
- Rows are in the order of their means. Nothing is tested here; `nasbench bench` tests differences between strategies.
- Own s: processor seconds of the strategy itself in one search, on the machine that ran it (often a busy one).
- `ppo` and `reinforce` have a learning rate of 0.01, as `preset=auto` gives them for so small budgets; with their papers' rates they would be random search. `evolution` has the options with which it was
  published on NAS-Bench-201 (population 10, sample 3).
- `nsga2`, `mo_evolution`, `parego` and `pymoo` search for small networks, too (error and parameters), and are judged here by accuracy alone.
- `zero_cost` scores untrained networks on its usual images, digits, on all tables; the time for it is in "own s", and not charged to the budget.
"""

NOTES = {
    "digits201-2": """\
Nearly every search reaches 99% of the best score here, so that this column separates nothing. Do not read the order of the choice's regret as an order of strategies: it is mostly the order in which a
search meets two cells that have equal searched scores, a single skip connection (191e694b; results/README.md, digits201-2) and one of two skip connections and a 3x3 convolution (15519c9c).
The strategies with the least regret of the searched score choose the cell that is the best for the seed that searches see (7fe50c77), and that is no better than the single skip connection for the other seed.
""",
    "conv-size-cifar16": """\
The space has 1,024 networks, so that 100 children are a tenth of it. One training's test accuracy has a standard deviation of 0.81 points between seeds, the mean of three that scores a choice 0.47, which is as much as the
least regrets here: they say that a strategy finds one of the best networks, and not which of them is the best.
""",
    "nasbench201-cifar10": """\
Reference runs of ten strategies on CIFAR-100 and ImageNet16-120 ship, too, and have no table here ([suite-v1-full](benchmark.md#what-a-suite-fixes)).
The archive has no curves, so no training can stop early on it: `asha`, `successive_halving`, `hyperband`, `bohb`, `dehb` and `median_stop` are missing.
""",
}

SHARED_WEIGHTS = """\
## Shared weights, digits201-2, the same 400 s
These strategies train a super-network first. Its processor seconds are charged, then its proposals are looked up in the table until the 400 s are spent.
The super-network has the images of the table's networks and a third of their cells (N = 1 and not 3, F = 4; DARTS, too, searches with 8 cells for networks of 20),
and the options of `preset=auto` for 300 children; `enas`, which has none, its usual ones (results/one_shot_searches.csv). With the weights of the super-network,
[50 random cells are scored](one-shot.md#measured): tau is Kendall's rank correlation of these scores with the validation accuracies of the table. So few searches separate
only large differences; each takes about a minute of a core, and 200 of all six strategies some 18 hours. The number of searches was raised in steps, to 12, 20 and 28, after the earlier ones were seen; the others, up to seed 199, were fixed beforehand, and are made in steps. The intervals are not adjusted for that. Seconds of the super-network and children are means; other values without an interval are equal in all searches.
"""

REASONS = {
    "pnas": "it searches cells of blocks alone",
    **dict.fromkeys(
        ("enas", "darts", "gdas", "drnas", "pcdarts", "rs_ws"),
        "not on NAS-Bench-201, since a super-network takes hours of a GPU on CIFAR-10",
    ),
    "syne_tune": "it takes a second per child with its usual searcher, and was not run for these tables",
}
SLOW = "it takes seconds to minutes a search, and was not run for these tables; `--make` runs it"
ELSEWHERE = "[150 children on both tables](strategies.md#regret)"

PUBLISHED = """\
## What is published
Papers print these strategies on NAS-Bench-201, CIFAR-10, with the test accuracy in % (mean and standard deviation over searches) under budgets of their own (figures marked
"recalled" were not checked in the paper);
the searches above, up to that budget, stand beside them. Published searches draw one of a cell's trainings at each query, those here see the mean
of two, and `reinforce_logits` was published with other learning rates in places (results/published_replays.csv), so small differences are
expected. `nasbench replay --table nb201_tss.npz` repeats the published settings of 12,000 s themselves, with `--budget "20000 s"` the others. For the other strategies no published figure is on record for this
table and budget; [Choose a strategy](strategies.md#regret) has what is published for other spaces.
"""


def missing(found: Mapping[str, BenchmarkRuns]) -> Iterator[str]:
    """Lines on the strategies that are on no table here, and why."""
    there = {entry.strategy for runs in found.values() for entry in runs.entries}
    by_reason: dict[str, list[str]] = {}
    for name in sorted(set(STRATEGIES) - there):
        more = f"; {ELSEWHERE}" if name in ("bananas", "gp", "npenas") else ""
        by_reason.setdefault(f"{REASONS.get(name, SLOW)}{more}", []).append(f"`{name}`")
    for reason, names in by_reason.items():
        yield f"- {', '.join(names)}: {reason}."


def page(found: Mapping[str, BenchmarkRuns], shared: pd.DataFrame) -> str:
    """Write the page.

    Args:
        found: suite -> its runs.
        shared: searches with shared weights, see `shared_weights`.

    Returns:
        The text.
    """
    lines = [HEAD]
    for task, suite in TASKS.items():
        lines += [
            f"## {TITLES[task]}",
            *table_of(found[suite], task),
            "",
            frequent_choices(found[suite], task),
            "",
            NOTES[task],
        ]
        if task == SHARED_TASK:
            limit = found[suite].scales[task].seconds["large"]
            lines += [SHARED_WEIGHTS, *shared_weights(shared, limit), ""]
    absent = list(missing(found))
    if absent:
        lines += ["## What is missing", *absent, ""]
    last = list(TASKS)[-1]
    lines += [PUBLISHED, *published_beside(found[TASKS[last]], last)]
    return "\n".join(lines) + "\n"


def stored() -> dict[str, BenchmarkRuns]:
    """Read the reference runs that ship."""
    return {suite: read_runs(FOLDER / f"{suite}.npz") for suite in dict.fromkeys(TASKS.values())}


def main() -> None:
    """Make what is missing if asked, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="make the searches that are missing, first")
    parser.add_argument("--tables", action="append", default=[], help="folder of nb201_tss.npz")
    given = parser.parse_args()
    if given.make:
        make(given.tables)
    PAGE.write_text(page(stored(), pd.read_csv(SHARED)), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
