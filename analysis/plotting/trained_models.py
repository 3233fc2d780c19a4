"""Pictures of one trained network: learning curves and confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from nasbench.analysis.plotting.captions import caption
from nasbench.analysis.plotting.style import ink, new_figure, theme

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_NAMED: Final = 40
"""Most classes whose names stand at the axes."""

MOST_COUNTED: Final = 15
"""Most classes whose counts stand in the fields."""


def network_in_words(space: str, digest: str) -> str:
    """Name a network in a caption.

    Args:
        space: its space with options.
        digest: hash of the architecture.

    Returns:
        E.g. "0f3a91b2c4d5 of nasbench201".
    """
    return f"{digest[:12]} of {space}"


def draw_training(curves: pd.DataFrame, about: str) -> Figure:
    """Draw the accuracies of a training by epoch.

    Args:
        curves: columns "epoch", "train_acc" and "val_acc", one row per epoch.
        about: network, data and protocol in words, for the caption.

    Returns:
        The figure.
    """
    with theme():
        figure = new_figure(6.0, 4.0)
        ax = figure.subplots()
        for column, label, style in (("train_acc", "training", "--"), ("val_acc", "validation", "-")):
            ax.plot(curves["epoch"], curves[column], style, label=label, color=ink(), marker="o", markersize=3)
        ax.set_xlabel("epoch")
        ax.set_ylabel("accuracy")
        ax.legend()
        caption(figure, f"Accuracy by epoch of one training: {about}.")
        return figure


def draw_confusion(confusion: pd.DataFrame, about: str) -> Figure:
    """Draw a confusion matrix: each row is a class, each column a predicted class.

    Args:
        confusion: counts, with the names of the classes as index and columns.
        about: images and network in words, for the caption.

    Returns:
        The figure. The colour is the share of the row, so that rare classes show, too.
    """
    import seaborn  # takes half a second to import; most commands draw no confusion matrix

    counts = confusion.to_numpy()
    sums = counts.sum(1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros(counts.shape), where=sums > 0)
    classes = len(counts)
    with theme():
        side = min(3.0 + 0.35 * classes, 12.0)
        figure = new_figure(side + 0.6, side)
        ax = figure.subplots()
        seaborn.heatmap(
            shares,
            ax=ax,
            cmap="Blues",
            vmin=0,
            vmax=1,
            square=True,
            annot=np.where(counts > 0, counts.astype(str), "") if classes <= MOST_COUNTED else False,
            fmt="",
            annot_kws={"fontsize": "small"},
            xticklabels=list(confusion.columns) if classes <= MOST_NAMED else False,
            yticklabels=list(confusion.index) if classes <= MOST_NAMED else False,
            cbar_kws={"label": "share of the class's images", "shrink": 0.8},
        )
        ax.grid(False)
        ax.set(xlabel="predicted class", ylabel="class")
        ax.tick_params(axis="x", rotation=90)
        ax.tick_params(axis="y", rotation=0)
        right = int(counts.trace())
        caption(figure, f"Confusion matrix of {int(counts.sum())} images, {right} of them right: {about}.")
        return figure
