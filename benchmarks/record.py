"""The record of measured ratios, `benchmarks/results.csv`: one row a measurement, the newest last; and the plot of the newest.

python benchmarks/record.py            draw the newest rows as results.png
"""

from __future__ import annotations

import csv
import os
import subprocess
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path

from nasbench.provenance import provenance

FOLDER = Path(__file__).parent
RECORD = FOLDER / "results.csv"


@dataclass(frozen=True)
class Measurement:
    """How many times better ours is than another's in one run on one machine.

    Args:
        what: the task.
        ratio: theirs over ours for times, ours over theirs for rates: above 1 is better.
        against: whose way was measured beside ours, in the same run.
        ours: our figure.
        theirs: the other's figure.
        unit: of both figures.
        note: conditions that one must know.
    """

    what: str
    ratio: float
    against: str
    ours: float
    theirs: float
    unit: str
    note: str = ""


def machine() -> str:
    """Processor and number of processors; no host name."""
    about = provenance()
    return f"{about['processor']} x {len(os.sched_getaffinity(0))}"


def commit() -> str:
    """The short commit of the checkout, with + where tracked files differ from it; '' outside a checkout."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def keep(measurements: list[Measurement], record: bool = True) -> None:
    """Print measurements and, if so asked, append them to the record."""
    for each in measurements:
        print(
            f"{each.what}: {each.ratio:,.1f} x {each.against} "
            f"({each.ours:,.6g} against {each.theirs:,.6g} {each.unit}) {each.note}".rstrip()
        )
    if not record:
        return
    names = [field.name for field in fields(Measurement)]
    new = not RECORD.exists()
    about = {
        "machine": machine(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit(),
    }
    with RECORD.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*names, *about], lineterminator="\n")
        if new:
            writer.writeheader()
        for each in measurements:
            row = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in asdict(each).items()}
            writer.writerow({**row, **about})


def main() -> None:
    """Draw the newest row of each task as a bar."""
    import pandas as pd

    from nasbench.analysis import style

    rows = pd.read_csv(RECORD).drop_duplicates(["what", "against"], keep="last").iloc[::-1]
    with style.theme():
        figure = style.new_figure(8.0, 1.4 + 0.45 * len(rows))
        ax = figure.subplots()
        places = range(len(rows))
        ax.barh(places, rows["ratio"], height=0.55, color="#0072b2")
        ax.set_yticks(places, [f"{row.what}\nagainst {row.against}" for row in rows.itertuples()], fontsize="x-small")
        ax.axvline(1.0, color=style.MUTED, linewidth=0.8)
        style.logarithmic(ax, min(1.0, rows["ratio"].min()), rows["ratio"].max())
        ax.set_xlim(min(0.8, 0.8 * rows["ratio"].min()), 6 * rows["ratio"].max())
        ax.set_ylim(-0.6, len(rows) - 0.4)
        for place, ratio in zip(places, rows["ratio"]):
            ax.annotate(f"{style.short(ratio)} x", (ratio, place), (4, 0), textcoords="offset points", va="center")
        ax.set_xlabel("times better (1: equal)")
        style.caption(figure, [f"Machines: {'; '.join(sorted(set(rows['machine'])))}."])
    print(f"wrote {style.save_figure(figure, RECORD.with_suffix('.png'))}")


if __name__ == "__main__":
    main()
