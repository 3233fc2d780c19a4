"""A stored child up to an earlier epoch: what a training of fewer epochs would have given, read from its curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OK, DIVERGED = "ok", "diverged"


def up_to(row: Mapping[str, Any], epochs: int) -> Mapping[str, Any] | None:
    """Answer from a stored child what a training of the same architecture, protocol and seed gives.

    The learning rate of a training that stops early is that of the whole training, so it has the same bits up to where
    it stops.

    Args:
        row: columns of a child with status ok or diverged, and "curves".
        epochs: epoch up to which to train; 0 for all epochs of the protocol.

    Returns:
        The row as a training from the first epoch to that one would have it; None if this row does not tell. Its
        seconds are those of the whole training up to there, also if the row continues another.
    """
    curves = row["curves"]
    reached, asked = len(curves["val_acc"]) if curves else 0, int(row["stop_epoch"])
    whole = asked == 0
    if row["status"] == DIVERGED:
        if epochs == 0 or epochs > reached:  # it diverges before it gets there
            return _whole(row, reached)
        return _cut(row, epochs)
    if epochs == asked:
        return _whole(row, reached)
    if epochs == 0 or epochs > reached:
        return None
    return _whole(row, reached) if whole and epochs == reached else _cut(row, epochs)


def seconds_up_to(row: Mapping[str, Any], epochs: int) -> float:
    """Sum the seconds of a child's first epochs.

    Args:
        row: a child with "curves".
        epochs: number of epochs, >= 0.

    Returns:
        Seconds of training and validation, without set-up.
    """
    return float(sum(row["curves"]["seconds"][:epochs])) if row["curves"] else 0.0


def _whole(row: Mapping[str, Any], reached: int) -> Mapping[str, Any]:
    """The row itself, or one that continues another with the seconds of all its epochs."""
    return {**row, **_seconds(row, reached)} if row["from_epoch"] else row


def _cut(row: Mapping[str, Any], epochs: int) -> Mapping[str, Any]:
    curves = {name: tuple(values[:epochs]) for name, values in row["curves"].items()}
    scores = {name: curves[name][-1] for name in ("val_acc", "val_loss", "train_acc", "train_loss")}
    return {
        **row,
        **scores,
        **_seconds(row, epochs),
        "val_acc_best": max(curves["val_acc"]),
        "status": OK,
        "error": row["error"] if row["status"] == OK else "",
        "epochs": epochs,
        "curves": curves,
    }


def _seconds(row: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Seconds of a training of some epochs from the first on; how they are shared out is that of the row."""
    seconds = seconds_up_to(row, epochs)
    spent = row["train_seconds"] + row["eval_seconds"]
    share = row["train_seconds"] / spent if spent > 0 else 1.0
    held = (seconds + row["setup_seconds"]) * row["devices"]
    parts = {"train_seconds": seconds * share, "eval_seconds": seconds * (1 - share), "device_seconds": held}
    return {**parts, "from_epoch": 0}
