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


def counts_text(data: pd.DataFrame, children: pd.DataFrame | None = None) -> str:
    """Say how many children have a curve and how these ended, and how many have none.

    Args:
        data: result of `learning_curves`.
        children: the children that it was made of, with run, index, stage and status; None to say nothing of those without.

    Returns:
        One sentence or two, e.g. "18 curves: 16 ok, 2 timed out. 4 children have none: 4 failed."
    """
    scored = data[data["val_acc"].notna()]  # children without any score have no curve here
    drawn = scored.drop_duplicates(["run", "index"])
    text = f"{len(drawn):,} curve{'' if len(drawn) == 1 else 's'}: {_ends(drawn['status'])}."
    if children is None:
        return text
    searched = children[children["stage"] == "search"].drop_duplicates(["run", "index"])
    there = pd.MultiIndex.from_frame(drawn[["run", "index"]].astype({"run": str}))
    without = searched[~pd.MultiIndex.from_frame(searched[["run", "index"]].astype({"run": str})).isin(there)]
    if without.empty:
        return text
    have = "1 child has" if len(without) == 1 else f"{len(without):,} children have"
    return f"{text} {have} none: {_ends(without['status'])}."


def _ends(statuses: pd.Series[str]) -> str:
    """How children ended, with their numbers."""
    counts = statuses.astype(str).value_counts(sort=False)
    return ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in counts.items())


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


def plot_curves(
    data: pd.DataFrame, notes: Sequence[str] = (), about: str = "", children: pd.DataFrame | None = None
) -> Figure:
    """Make a figure of `draw_curves` with its counts in the caption.

    Args:
        data: result of `learning_curves`.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.
        children: the children of which `data` has the curves; those without a curve are counted, too. None to leave them out.

    Returns:
        The figure.
    """
    with style.theme():
        figure = style.new_figure(7.0, 4.4)
        ax = figure.subplots()
        caption(figure, about, counts_text(data, children), notes)
        draw_curves(data, ax)
    return figure
