"""The record of measured ratios, `benchmarks/results.csv`: one row a measurement, the newest last; and the plot of the newest.

python benchmarks/record.py            draw the newest rows as results.png
"""

from __future__ import annotations

import csv
import os
import subprocess
import textwrap
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from nasbench.provenance import provenance

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

FOLDER = Path(__file__).parent
RECORD = FOLDER / "results.csv"
LINE = 46  # characters of a line of a label


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


def draw(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    """A bar a row, the first on top, with its ratio behind it."""
    from nasbench.analysis.plotting import style

    places = range(len(rows) - 1, -1, -1)
    ax.barh(places, rows["ratio"], height=0.6, color=colour)
    labels = [textwrap.fill(f"{row.what} / {row.against}", LINE) for row in rows.itertuples()]  # longer lines are cut
    ax.set_yticks(places, labels, fontsize="xx-small")
    ax.axvline(1.0, color=style.MUTED, linewidth=0.8)
    style.logarithmic(ax, min(1.0, rows["ratio"].min()), rows["ratio"].max())
    ax.set_xlim(min(0.5, 0.8 * rows["ratio"].min()), 12 * rows["ratio"].max())
    ax.set_ylim(-0.6, len(rows) - 0.4)
    for place, ratio in zip(places, rows["ratio"]):
        ax.annotate(
            f"{style.short(ratio)} x",
            (ratio, place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize="x-small",
        )


def main() -> None:
    """Draw the newest row of each task as a bar: those against another way on the left, those against a goal on the right."""
    import pandas as pd

    from nasbench.analysis.plotting import style
    from nasbench.analysis.plotting.captions import caption
    from nasbench.analysis.plotting.saving import save_figure

    rows = pd.read_csv(RECORD).drop_duplicates(["what", "against"], keep="last")
    goals = rows["against"].str.match(r"the goal|5% of|1 s$")
    with style.theme():
        figure = style.new_figure(16.0, 1.4 + 0.27 * max(goals.sum(), (~goals).sum()))
        left, right = figure.subplots(1, 2)
        draw(left, rows[~goals], "#0072b2")
        draw(right, rows[goals], "#009e73")
        left.set_xlabel("times better than another way (1: equal)")
        right.set_xlabel("times better than a goal (1: met)")
        caption(
            figure, f"Machines: {'; '.join(sorted(set(rows['machine'])))}", "Conditions of each row: results.csv, note."
        )
    print(f"wrote {save_figure(figure, RECORD.with_suffix('.png'))}")


if __name__ == "__main__":
    main()
