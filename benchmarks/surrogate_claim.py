"""The claim of the notes at the papers' scale: random search against REINFORCE and PPO, 20,000 children each, on a surrogate.

OMP_NUM_THREADS=1 nice -n 5 python benchmarks/surrogate_claim.py results/nasnet2-digits-surrogate.h5 FOLDER

Each search is replayed into a file of its own, and the best 25 architectures of each are then really trained with seeds that
neither the surrogate nor a search has seen. The same command goes on where it was stopped: what is in FOLDER is not made again.
The figure is that of `nasbench claims`, the means of the best 1, 5 and 25 over the children, as NASNet's figure on its search
draws them (Zoph et al. 2017, 1707.07012, section 4.4); its caption says that the scores are predictions. REINFORCE and PPO have
the papers' own settings, which are for 12,800 and 20,000 children.

A search is the unit of the comparison of real trainings: the mean over its best 25, each the mean over the fresh seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pandas as pd

import nasbench
from nasbench.analysis.comparison.checks import check_comparable
from nasbench.analysis.comparison.random_search_claim import BASELINE, differences, plot_tops, top_means, verdict
from nasbench.analysis.inference.two_samples import compare_groups, corrected
from nasbench.analysis.inference.verdicts import comparison_text
from nasbench.analysis.plotting.captions import describe_rows
from nasbench.cli.plotting import save_figure
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.surrogates.files import read_surrogate

STRATEGIES = (BASELINE, "reinforce", "ppo")
FRESH = 1000  # first seed of the real trainings
COLUMNS = ("strategy", "run_seed", "place", "hash", "predicted", "seed", "val_acc", "test_acc", "seconds")


def replays(surrogate: Path, folder: Path, children: int, seeds: int) -> list[Path]:
    """Replay what is not there yet, seed by seed, so that all strategies have as many."""
    found = []
    for seed in range(seeds):
        for strategy in STRATEGIES:
            file = folder / f"{strategy}-{seed}.h5"
            if not file.exists():
                made = nasbench.replay(
                    surrogate, [strategy], [seed], f"{children} children", draw="one", progress=False
                )
                made.save(file)
                print(f"wrote {file}", flush=True)
            found.append(file)
    return found


def picture(files: list[Path], folder: Path) -> pd.DataFrame:
    """Draw the figure, print the verdicts; returns the children."""
    with Results([str(file) for file in files]) as results:
        frame, runs = results.frame(), results.runs()
    data = top_means(frame, as_categories=True)
    lines = verdict(differences(data))
    notes = check_comparable(frame, runs)
    print("\n".join([*lines, *notes]))
    about = describe_rows(frame, ("val_acc",), len(runs))
    save_figure(plot_tops(data, [*lines, *notes], about), str(folder / "claims.png"), (), "claims", data)
    return frame


def trained(frame: pd.DataFrame, folder: Path, protocol: str, top: int, fresh: int) -> pd.DataFrame:
    """Train the best of each search with fresh seeds, but what is in the table already."""
    path = folder / "trained.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(COLUMNS))
    there = set(zip(done["hash"], done["seed"]))
    searched = frame[frame["stage"] == "search"].sort_values("val_acc", ascending=False, kind="stable")
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if done.empty:
            writer.writerow(COLUMNS)
        for (strategy, run_seed), rows in searched.groupby(["strategy", "run_seed"], observed=True):
            best = rows.drop_duplicates("hash").head(top)
            for place, row in enumerate(best.to_dict("records")):
                architecture = get_space(str(row["space"])).decode(json.loads(str(row["choices"])))
                for seed in range(FRESH, FRESH + fresh):
                    if (row["hash"], seed) in there:
                        continue
                    one = nasbench.evaluate(architecture, protocol, seed=seed, test=True)
                    who = (strategy, run_seed, place, row["hash"], row["val_acc"], seed)
                    writer.writerow((*who, one.val_acc, one.test_acc, one.train_seconds))
                    file.flush()
    return pd.read_csv(path)


def judged(rows: pd.DataFrame, frame: pd.DataFrame, top: int) -> pd.DataFrame:
    """Compare the real scores of what searches found, a search being the unit, with random search; print the sentences."""
    means = rows.groupby("hash")[["val_acc", "test_acc"]].mean()
    searched = frame[frame["stage"] == "search"].sort_values("val_acc", ascending=False, kind="stable")
    units = []
    for (strategy, seed), found in searched.groupby(["strategy", "run_seed"], observed=True):
        best = found.drop_duplicates("hash").head(top)
        real = means.reindex(best["hash"])
        units.append((str(strategy), seed, best["val_acc"].mean(), real["val_acc"].mean(), real["test_acc"].mean()))
    table = pd.DataFrame(units, columns=["strategy", "seed", "outcome", "val_acc", "test_acc"])
    base = table[table["strategy"] == BASELINE]
    compared = []
    for score in ("val_acc", "test_acc"):
        for strategy in STRATEGIES[1:]:
            mine = table[table["strategy"] == strategy]
            row = compare_groups(mine[score].to_numpy(dtype=float), base[score].to_numpy(dtype=float))
            compared.append({"strategy": strategy, "score": score} | row)
    print(
        table.groupby("strategy")[["outcome", "val_acc", "test_acc"]].agg(["mean", "std", "count"]).round(4).to_string()
    )
    for row in corrected(pd.DataFrame(compared)).to_dict("records"):
        print(f"{row['strategy']} against {BASELINE}, {row['score']} of real trainings: {comparison_text(row)}")
    return table


def main() -> None:
    """Replay, draw, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("surrogate", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--children", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--fresh", type=int, default=3)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    about = read_surrogate(options.surrogate).about
    files = replays(options.surrogate, options.folder, options.children, options.seeds)
    frame = picture(files, options.folder)
    rows = trained(frame, options.folder, about.protocol, options.top, options.fresh)
    judged(rows, frame, options.top).to_csv(options.folder / "real.csv", index=False)


if __name__ == "__main__":
    main()
