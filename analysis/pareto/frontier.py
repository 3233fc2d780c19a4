"""ImageNet accuracy against multiply-adds and parameters, of networks by hand, of networks by search, and of own runs.

The notes' figures 6 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.pareto.dominance import nondominated
from nasbench.analysis.pareto.pareto import LABELS, draw_pareto, pareto_front, without_score
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.analysis.plotting.labels import Label, place_labels
from nasbench.analysis.plotting.page import current_page
from nasbench.errors import InputError
from nasbench.tabular.published import published_networks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COSTS = ("mult_adds", "params")
NOTES_YEAR = 2017  # year of NASNet, whose figures could compare with no later networks
FLOOR = 0.68  # lower limit of the accuracy axis; lower points are drawn on it, with their accuracy in the name
USUAL_PX = 224

_HAND = style.Look("#4d4d4d", "o")
_FOUND = {
    "NASNet-A": style.Look("#d55e00", "D"),
    "NASNet-B": style.Look("#009e73", "^"),
    "NASNet-C": style.Look("#b8568f", "v"),
    "PNASNet": style.Look("#0072b2", "s"),
}
_OTHER_FOUND = style.Look("#882255", "P")

# torchvision names that differ from the papers' names by more than a hyphen before the size.
_NAMES = {
    "alexnet": "AlexNet",
    "googlenet": "GoogLeNet",
    "inception_v3": "Inception v3",
    "resnext50_32x4d": "ResNeXt-50",
    "resnext101_32x8d": "ResNeXt-101 32x8d",
    "squeezenet1_0": "SqueezeNet 1.0",
    "squeezenet1_1": "SqueezeNet 1.1",
    "wide_resnet50_2": "Wide ResNet-50",
    "wide_resnet101_2": "Wide ResNet-101",
}
_PREFIXES = {"densenet": "DenseNet-", "resnet": "ResNet-", "vgg": "VGG-"}


def frontier_data(
    x: str = "mult_adds", networks: pd.DataFrame | None = None, until: int | None = NOTES_YEAR
) -> pd.DataFrame:
    """Select the published ImageNet networks of a figure, with their accuracy and one cost.

    Args:
        x: "mult_adds" (figure 6) or "params" (figure 7), as published.
        networks: rows like those of `published_networks`, or None for these.
        until: last year of publication, or None for all years. The default is the year of NASNet; later hand-designed
            networks were trained longer, so the figure's comparison would not be fair.

    Returns:
        model (the papers' name), family (points of one are joined by a line), system, kind, year, image_px, <x>,
        top1_acc (fraction), tag, place, front (no other network here has less or equal cost and more or equal accuracy,
        and is better in one), sorted by <x>. Of two rows with the same name a verified one wins over a recalled one;
        rows that are not `as_published`, or lack the cost or the accuracy, are left out.

    Raises:
        InputError: for another x.
    """
    if x not in COSTS:
        raise InputError(f"the cost of a published network is one of {', '.join(COSTS)}, got {x!r}")
    rows = published_networks() if networks is None else networks
    rows = rows[(rows["data"] == "imagenet") & rows["as_published"] & rows[x].notna() & rows["top1_acc"].notna()]
    if until is not None:
        rows = rows[rows["year"].fillna(np.inf).astype(float) <= until]
    rows = rows.assign(model=rows["model"].map(paper_name), **{x: rows[x].astype(float)})
    rows = rows.sort_values("tag", ascending=False, kind="stable").drop_duplicates("model")
    rows["family"] = [_family(model, system) for model, system in zip(rows["model"], rows["system"])]
    rows["front"] = nondominated(rows[[x, "top1_acc"]].to_numpy(dtype=float) * [1.0, -1.0])
    columns = ["model", "family", "system", "kind", "year", "image_px", x, "top1_acc", "tag", "place", "front"]
    return rows[columns].sort_values([x, "top1_acc"], ignore_index=True)


def paper_name(model: str) -> str:
    """Return the name that papers use for a torchvision model, e.g. "ResNet-50" for "resnet50".

    Args:
        model: name in torchvision.

    Returns:
        The name; other names are unchanged.
    """
    if model in _NAMES:
        return _NAMES[model]
    for prefix, name in _PREFIXES.items():
        if model.startswith(prefix) and model[len(prefix) :].isdigit():
            return name + model[len(prefix) :]
    return model


def _family(model: str, system: str) -> str:
    """Family whose points are joined by a line: sizes of one design. Inception's versions are different designs."""
    if system in ("NASNet", "PNAS"):
        return model.partition(" ")[0].removesuffix("-5")
    return model if system == "Inception" else f"{system} {model.split()[-1]}" if "64x4d" in model else system


def draw_frontier(data: pd.DataFrame, ax: Axes, x: str = "mult_adds") -> None:
    """Draw accuracy against a cost.

    Hand-designed networks are grey, found ones coloured; sizes of one design are joined.

    Numbers recalled and not read in a source are hollow. Networks below `FLOOR` are drawn on it as triangles.
    `label_frontier` adds names.

    Args:
        data: result of `frontier_data`.
        ax: one plot.
        x: its cost column.
    """
    if data.empty:
        style.say(ax, "No published network has this cost and an accuracy.")
        return
    low, high = float(data[x].min()) / 1.5, float(data[x].max()) * 1.6
    style.logarithmic(ax, low, high)
    for family, rows in data[data["top1_acc"] >= FLOOR].groupby("family", sort=False):
        found = rows["kind"].iloc[0] == "searched"
        look = _look(str(family), found)
        rows = rows.sort_values(x)
        ax.plot(
            rows[x], rows["top1_acc"], color=look.colour, linewidth=1.4 if found else 0.7, alpha=1 if found else 0.5
        )
        hollow = rows["tag"] != "verified"
        for face, part in ((look.colour, rows[~hollow]), (style.ground(), rows[hollow])):
            ax.scatter(
                part[x],
                part["top1_acc"],
                s=42 if found else 22,
                marker=look.marker,
                facecolors=face,
                edgecolors=look.colour,
                zorder=3,
            )
    below = data[data["top1_acc"] < FLOOR]
    ax.scatter(below[x], np.full(len(below), FLOOR), s=26, marker="v", color=_HAND.colour, clip_on=False, zorder=3)
    top = max(float(data["top1_acc"].max()), FLOOR)
    ax.set(
        xlabel=LABELS[x],
        ylabel="top-1 accuracy on ImageNet (fraction)",
        ylim=(FLOOR - 0.007, top + 0.1 * (top - FLOOR) + 0.002),
    )
    ax.set_xlim(low, high)


def label_frontier(data: pd.DataFrame, ax: Axes, x: str = "mult_adds") -> int:
    """Write the names of all networks beside their points. Call it last, after the figure's layout.

    Args:
        data: result of `frontier_data`.
        ax: the plot, drawn by `draw_frontier`.
        x: its cost column.

    Returns:
        Number of overlaps left, 0 if every name found room.
    """
    if data.empty:
        return 0
    shown = data.assign(height=data["top1_acc"].clip(lower=FLOOR))
    labels = [
        Label(row[x], row["height"], _words(row), _look(row["family"], row["kind"] == "searched").colour)
        for row in shown.to_dict("records")
    ]
    lines = [
        rows.sort_values(x)[[x, "top1_acc"]].to_numpy() for _, rows in data[data["top1_acc"] >= FLOOR].groupby("family")
    ]
    return place_labels(ax, labels, shown[[x, "height"]].to_numpy(), lines)


def _look(family: str, found: bool) -> style.Look:
    return _FOUND.get(family, _OTHER_FOUND) if found else _HAND


def _words(row: dict[Any, Any]) -> str:
    """Label of a network: its name, its image size if unusual, and its accuracy if it is below the axis."""
    extra = [] if row["image_px"] == USUAL_PX else [f"{row['image_px']} px"]
    if row["top1_acc"] < FLOOR:
        extra.append(f"{row['top1_acc']:.3f}")
    return f"{row['model']} ({', '.join(extra)})" if extra else str(row["model"])


def plot_frontier(
    data: pd.DataFrame,
    x: str = "mult_adds",
    children: pd.DataFrame | None = None,
    score: str = "val_acc",
    notes: Sequence[str] = (),
    about: str = "",
) -> Figure:
    """Plot figure 6 (x = "mult_adds") or 7 ("params") of the lecture notes, and own architectures beside it if given.

    Own architectures are below the published ones, or at their right on a page that is wider than high.

    Args:
        data: result of `frontier_data` for `x`.
        x: the cost column.
        children: rows of own runs (`store.format.schema.CHILD_COLUMNS`) with one protocol, or None for the published
            figure alone.
        score: the score column of own runs.
        notes: additional sentences for the text beside the picture.
        about: description of the own runs for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    front = None if children is None else pareto_front(children, x, score)
    wide = current_page().wide
    published = f"Published ImageNet networks to {data['year'].max()}, top-1 accuracy" if len(data) else ""
    key = f"Grey: by hand; colours: by search; hollow: not read in a source; triangles: below the axis; {USUAL_PX} px if none is given."
    lines = ["Lines join sizes of one design, dotted ones lead to names. The name of a triangle gives its accuracy."]
    if children is not None:
        place = "Right" if wide else "Below"
        published = f"{published}. {place}: {about[:1].lower()}{about[1:]}" if about else published
        lines.append(f"{place}: our own runs; {without_score(children, score)} children without a score are not shown.")
    with style.theme():
        if front is None:
            figure = style.new_figure(9.0, 6.4)
            axes = [figure.subplots()]
        elif wide:
            figure = style.new_figure(13.0, 6.6)
            axes = list(figure.subplots(1, 2, width_ratios=[1.8, 1.0]))
        else:
            figure = style.new_figure(9.0, 10.4)
            axes = list(figure.subplots(2, 1, height_ratios=[6.0, 4.0]))
        caption(figure, published, key, [*lines, *notes])
        draw_frontier(data, axes[0], x)
        if front is not None:
            draw_pareto(front, axes[1], x, score)
        figure.draw_without_rendering()
        label_frontier(data, axes[0], x)
    return figure
