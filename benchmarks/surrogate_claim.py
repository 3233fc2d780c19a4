"""The claim of the notes at the papers' scale: random search against REINFORCE and PPO, 20,000 children each, on a surrogate.

OMP_NUM_THREADS=1 nice -n 5 python benchmarks/surrogate_claim.py results/nasnet5-digits-surrogate.h5 FOLDER --jobs 2

Each search is replayed into a file of its own, and the best 25 architectures of each are then really trained with seeds that
neither the surrogate nor a search has seen. The same command goes on where it was stopped: what is in FOLDER is not made again.
The figure is that of `nasbench claims`, the means of the best 1, 5 and 25 over the children, as NASNet's figure on its search
draws them (Zoph et al. 2017, 1707.07012, section 4.4); its caption says that the scores are predictions. REINFORCE and PPO have
the papers' own settings, which are for 12,800 and 20,000 children.

A search is the unit of the comparison of real trainings: its best cell, and the mean of its best 25, each the mean over the fresh seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import kendalltau

import nasbench
from nasbench.analysis.comparison.checks import check_comparable, of_surrogates
from nasbench.analysis.comparison.random_search_claim import BASELINE, differences, plot_tops, top_means, verdict
from nasbench.analysis.inference.two_samples import compare_groups, corrected
from nasbench.analysis.inference.verdicts import comparison_text
from nasbench.analysis.plotting.captions import describe_rows
from nasbench.cli.plotting import save_figure
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.surrogates.files import read_surrogate
from nasbench.tabular.surrogates.model import Surrogate

STRATEGIES = (BASELINE, "reinforce", "ppo")
FRESH = 1000  # first seed of the real trainings
COLUMNS = ("strategy", "run_seed", "place", "hash", "outcome", "predicted", "seed", "val_acc", "test_acc", "seconds")


@contextmanager
def mapped(jobs: int) -> Iterator[Any]:
    """A function like `map` that works in several processes; results come in the order of what was given."""
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.map


def replay_one(surrogate: Path, children: int, search: tuple[str, int, Path]) -> Path:
    """Replay one search into a file."""
    strategy, seed, file = search
    nasbench.replay(surrogate, [strategy], [seed], f"{children} children", draw="one", progress=False).save(file)
    return file


def replays(
    surrogate: Path, folder: Path, strategies: Sequence[str], children: int, seeds: int, jobs: int
) -> list[Path]:
    """Replay what is not there yet, seed by seed, so that all strategies have as many."""
    searches = [(strategy, seed, folder / f"{strategy}-{seed}.h5") for seed in range(seeds) for strategy in strategies]
    missing = [search for search in searches if not search[2].exists()]
    with mapped(jobs) as each:
        for file in each(partial(replay_one, surrogate, children), missing):
            print(f"wrote {file}", flush=True)
    return [file for _, _, file in searches]


def picture(files: list[Path], folder: Path) -> pd.DataFrame:
    """Draw the figure, print the verdicts; returns the children."""
    with Results([str(file) for file in files]) as results:
        frame, runs = results.frame(), results.runs()
    data = top_means(frame, as_categories=True)
    lines = verdict(differences(data))
    notes = check_comparable(frame, runs)
    print("\n".join([*lines, *notes]))
    about = describe_rows(frame, ("val_acc",), len(runs))
    figure = plot_tops(data, [*lines, *notes], about, predicted=bool(of_surrogates(runs)))
    save_figure(figure, str(folder / "claims.png"), (), "claims", data)
    return frame


def best_of(frame: pd.DataFrame, top: int) -> pd.DataFrame:
    """The architectures with the best outcomes of each search, with their place from 0; the first places come first."""
    searched = frame[frame["stage"] == "search"].sort_values("val_acc", ascending=False, kind="stable")
    distinct = searched.drop_duplicates(["strategy", "run_seed", "hash"])
    place = distinct.groupby(["strategy", "run_seed"], observed=True).cumcount()
    best = distinct.assign(place=place)[place < top]
    return best.sort_values(["place", "run_seed"], kind="stable").astype({"strategy": str, "hash": str, "choices": str})


def train_one(protocol: str, job: tuple[dict[str, Any], int]) -> tuple[float, float, float]:
    """Train an architecture of a row with a seed; returns validation and test accuracy, and seconds."""
    row, seed = job
    architecture = get_space(str(row["space"])).decode(json.loads(row["choices"]))
    one = nasbench.evaluate(architecture, protocol, seed=seed, test=True)
    return float(one.val_acc), float(one.test_acc), float(one.train_seconds)


def wanted(frame: pd.DataFrame, top: int, seeds: Iterable[int], there: set[tuple[str, int]]) -> list[tuple[Any, int]]:
    """Rows and seeds that are not there yet, each once; searches have their turns."""
    found = []
    for seed in seeds:
        for row in best_of(frame, top).to_dict("records"):
            if (row["hash"], seed) not in there:
                there.add((row["hash"], seed))
                found.append((row, seed))
    return found


def trained(frame: pd.DataFrame, folder: Path, surrogate: Surrogate, top: int, fresh: int, jobs: int) -> pd.DataFrame:
    """Train the best of each search with fresh seeds, but what is in the table already.

    The table has both what the search was told ("outcome") and the prediction without noise ("predicted").
    """
    path = folder / "trained.csv"
    done = pd.read_csv(path) if path.exists() and path.stat().st_size else pd.DataFrame(columns=list(COLUMNS))
    missing = wanted(frame, top, range(FRESH, FRESH + fresh), set(zip(done["hash"], done["seed"])))
    print(f"{len(missing)} trainings", flush=True)
    with path.open("a", newline="", encoding="utf-8") as file, mapped(jobs) as each:
        writer = csv.writer(file)
        if done.empty:
            writer.writerow(COLUMNS)
        for (row, seed), scores in zip(missing, each(partial(train_one, surrogate.about.protocol), missing)):
            predicted = surrogate.predict([surrogate.space.decode(json.loads(row["choices"]))]).val_acc[0]
            who = (row["strategy"], row["run_seed"], row["place"], row["hash"], row["val_acc"], predicted, seed)
            writer.writerow((*who, *scores))
            file.flush()
    return pd.read_csv(path)


def judged(rows: pd.DataFrame, frame: pd.DataFrame, top: int) -> pd.DataFrame:
    """Compare the real scores of what searches found, a search being the unit, with random search; print the sentences.

    A search is judged by its best child and by the mean of its best `top`; its scores are means over the fresh seeds.
    """
    means = rows.groupby("hash")[["predicted", "val_acc", "test_acc"]].mean()
    units = []
    for count in (1, top):
        for (strategy, seed), best in best_of(frame, count).groupby(["strategy", "run_seed"]):
            real = means.reindex(best["hash"]).mean()
            units.append((count, strategy, seed, best["val_acc"].mean(), *real))
    table = pd.DataFrame(units, columns=["top", "strategy", "seed", "outcome", *means.columns])
    compared = []
    for (count, strategy), mine in table.groupby(["top", "strategy"]):
        base = table[(table["top"] == count) & (table["strategy"] == BASELINE)]
        for score in ("val_acc", "test_acc") if strategy != BASELINE else ():
            row = compare_groups(mine[score].to_numpy(dtype=float), base[score].to_numpy(dtype=float))
            compared.append({"top": count, "strategy": strategy, "score": score} | row)
    scores = ["outcome", *means.columns]
    print(table.groupby(["top", "strategy"])[scores].agg(["mean", "min", "max"]).round(3).to_string())
    for row in corrected(pd.DataFrame(compared)).to_dict("records"):
        what = f"{row['strategy']} against {BASELINE}, best {row['top']}, {row['score']} of real trainings"
        print(f"{what}: {comparison_text(row)}")
    agreement(rows)
    return table


def agreement(rows: pd.DataFrame) -> None:
    """Print Kendall's tau within the trained cells of each strategy: of predictions with scores, and of two seeds."""
    for strategy, mine in rows.groupby("strategy"):
        scores = mine.pivot_table(index="hash", columns="seed", values="val_acc")
        predicted = mine.groupby("hash")["predicted"].first().reindex(scores.index)
        text = f"{kendalltau(predicted, scores.mean(axis=1)).statistic:.2f} of prediction and score"
        if scores.shape[1] > 1:
            text += f", {kendalltau(scores.iloc[:, 0], scores.iloc[:, 1]).statistic:.2f} of two seeds"
        print(f"{strategy}, {len(scores)} trained cells: Kendall's tau {text}")


def main() -> None:
    """Replay, draw, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("surrogate", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--children", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--fresh", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes; the results are the same")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    surrogate = read_surrogate(options.surrogate)
    files = replays(
        options.surrogate, options.folder, options.strategies, options.children, options.seeds, options.jobs
    )
    frame = picture(files, options.folder)
    rows = trained(frame, options.folder, surrogate, options.top, options.fresh, options.jobs)
    judged(rows, frame, options.top).to_csv(options.folder / "real.csv", index=False)


if __name__ == "__main__":
    main()
