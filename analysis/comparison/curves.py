"""Learning curves of children: validation accuracy by epoch, with the best few in front of all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.comparison.groups import Places, group_rows, repeated
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.errors import InputError
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEYS = ["run", "stage", "index"]
CURVE_COLUMNS = (*KEYS, "epoch", "val_acc")  # of all curves those that are drawn
MOST_CONTEXT = 2000  # maximum of pale curves drawn; more would be a grey block and a slow file


def learning_curves(
    curves: pd.DataFrame, frame: pd.DataFrame, best: int = 5, as_categories: bool = False
) -> pd.DataFrame:
    """Select the curves of the search's children, with the rank of each child.

    Args:
        curves: one row per epoch: run, stage, index, epoch (from 1) and the columns of `store.format.schema.CURVES`.
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        best: number of children with different hashes to put in front, >= 0.
        as_categories: see `groups.repeated`.

    Returns:
        run, index, strategy, hash, status, epoch, val_acc (or the score by which runs are judged), rank (from 1 by last validation accuracy; NaN for a child
        without one or whose hash has a better row), front (rank <= best), sorted by run, index and epoch.

    Raises:
        InputError: when a column is missing or `best` is negative.
    """
    if best < 0:
        raise InputError(f"the number of curves to put in front must be 0 or more, got {best}")
    require_columns(curves, CURVE_COLUMNS, "the curves")
    require_columns(frame, (*KEYS, "strategy", "hash", "status", "val_acc"), "the children")
    children = frame.loc[frame["stage"] == "search", [*KEYS, "strategy", "hash", "status", "val_acc"]]
    scored = (children["status"] == "ok") & children["val_acc"].notna()
    ok = children.loc[scored, ["hash", "val_acc"]]  # each selection of rows copies all columns
    first = ok.sort_values("val_acc", ascending=False, kind="stable").drop_duplicates("hash")
    rank = pd.Series(range(1, len(first) + 1), index=first.index, dtype=float)
    of_child, run_of_child, rows = _children_of(curves, children)
    index, epoch = (curves[name].to_numpy()[rows] for name in ("index", "epoch"))
    order = np.lexsort((epoch, index, run_of_child[of_child]))
    of_child, rows, index, epoch = of_child[order], rows[order], index[order], epoch[order]
    ranks = rank.reindex(children.index).to_numpy(dtype=float)[of_child]
    del order, run_of_child
    texts = {name: repeated(children[name], of_child, as_categories) for name in ("run", "strategy", "hash", "status")}
    table = pd.DataFrame(
        {
            "run": texts["run"],
            "index": index,
            "strategy": texts["strategy"],
            "hash": texts["hash"],
            "status": texts["status"],
            "epoch": epoch,
            "val_acc": curves["val_acc"].to_numpy(dtype=float)[rows],
            "rank": ranks,
            "front": ranks <= best,
        },
        copy=False,
    )
    return judged_by().shown(table, ["val_acc"])


def _children_of(curves: pd.DataFrame, children: pd.DataFrame) -> tuple[Places, Places, Places]:
    """Find the child of each row of the curves, without a table of texts as long as the curves.

    Args:
        curves: rows with `KEYS`.
        children: rows with `KEYS`, of the stage "search".

    Returns:
        Positions in `children` of the children of some rows, the number of each child's run (in the order of their
        names), and the positions of these rows in `curves`: those whose child is there.
    """
    run, names = pd.factorize(children["run"], sort=True)
    theirs, others = pd.factorize(curves["run"])
    their_run = pd.Index(names).get_indexer(pd.Index(np.asarray(others, dtype=object)))[theirs]
    del theirs
    kept = np.flatnonzero((curves["stage"] == "search").to_numpy() & (their_run >= 0))
    index, their_index = children["index"].to_numpy(), curves["index"].to_numpy()[kept]
    wide = int(max(index.max(initial=0), their_index.max(initial=0))) + 1
    key, wanted = run * wide + index, their_run[kept] * wide + their_index
    del their_run, their_index
    order = np.argsort(key, kind="stable")
    first, end = (np.searchsorted(key, wanted, side, sorter=order) for side in ("left", "right"))
    times = end - first  # 0 for no child, 2 where a file is given twice
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    return order[np.repeat(first, times) + within], run, np.repeat(kept, times)


def require_curves(data: pd.DataFrame, children: int) -> None:
    """Refuse children of which none has a learning curve.

    Args:
        data: result of `learning_curves`.
        children: number of the children, for the message.

    Raises:
        InputError: when there is no curve.
    """
    if data.empty:
        raise InputError(
            f"none of these {children:,} children has a learning curve: replays store none, and imports only those of their "
            "source; name the results file of a search, or of the table that was replayed"
        )


def count_curves(data: pd.DataFrame) -> int:
    """Count the children that have rows.

    Args:
        data: rows of the result of `learning_curves`.

    Returns:
        Number of children.
    """
    return int(data.groupby(["run", "index"], observed=True).ngroups)


def draw_curves(data: pd.DataFrame, ax: Axes) -> None:
    """Draw validation accuracy by epoch: the best children in their strategy's colour with their hash, the rest pale.

    Args:
        data: result of `learning_curves`.
        ax: one plot.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.ticker import MaxNLocator

    scored = data[data["val_acc"].notna()]
    if scored.empty:
        style.say(ax, "No child finished an epoch: there are no learning curves.")
        return
    rest = scored[~scored["front"]]
    number = rest.groupby(["run", "index"], sort=False, observed=True).ngroup().to_numpy()
    step = max(1, -(-(int(number.max(initial=-1)) + 1) // MOST_CONTEXT))
    drawn = number % step == 0
    points = rest.loc[drawn, ["epoch", "val_acc"]].to_numpy(dtype=float)
    lines = [points[rows] for rows in group_rows(number[drawn])]
    ax.add_collection(LineCollection(lines, colors=style.context(), alpha=0.5, linewidths=0.6))
    ends = []
    for rank, rows in scored[scored["front"]].groupby("rank"):
        strategy, last = str(rows["strategy"].iloc[0]), rows["val_acc"].iloc[-1]
        look = style.look(strategy)
        x, y = rows["epoch"].to_numpy(dtype=float), rows["val_acc"].to_numpy(dtype=float)
        ax.plot(x, y, color=look.colour, linestyle=style.line_style(strategy), marker=look.marker, markersize=3)
        ends.append((last, f"{rank:.0f}. {strategy} {str(rows['hash'].iloc[0])[:8]}", look.colour))
    ax.set(xlabel="epoch", ylabel=judged_by().axis("val_acc"))
    ax.set_xlim(scored["epoch"].min() - 0.3, scored["epoch"].max() + 0.3)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.autoscale_view(scalex=False)
    style.label_ends(ax, ends)


def plot_curves(data: pd.DataFrame, notes: Sequence[str] = (), about: str = "") -> Figure:
    """Make a figure of `draw_curves` with its counts in the caption.

    Args:
        data: result of `learning_curves`.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    with style.theme():
        figure = style.new_figure(7.0, 4.4)
        ax = figure.subplots()
        scored = data["val_acc"].notna()  # children without any score have no curve here
        drawn, stopped = count_curves(data[scored]), count_curves(data[scored & (data["status"] != "ok")])
        caption(figure, about, f"{drawn:,} children, of which {stopped:,} ended early or failed.", notes)
        draw_curves(data, ax)
    return figure
