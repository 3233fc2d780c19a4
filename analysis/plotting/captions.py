"""Captions: one or two lines in the picture that name its data, and the whole text for a file beside it."""

from __future__ import annotations

import re
import textwrap
import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.page import current_page
from nasbench.scores import TEST_ACC, VAL_ACC, judged_by

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_LINES = 2
MOST_NAMES = 3  # names listed in a caption; of more, their number is given
LETTERS_PER_INCH = 14.2  # of the usual small letters

SCORE_NAMES = {
    "val_acc": "validation accuracy",
    "val_acc_best": "best validation accuracy of the epochs",
    "test_acc": "test accuracy",
}

_TEXTS: weakref.WeakKeyDictionary[Figure, str] = weakref.WeakKeyDictionary()


def describe_rows(frame: pd.DataFrame, scores: Sequence[str] = (), runs: int | None = None) -> str:
    """Name what rows of results are: data set, space, protocol, number of runs and scores.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`); columns that are missing are left out.
        scores: columns of the scores that a plot shows, e.g. ("val_acc", "test_acc").
        runs: number of runs; None counts those of the children.

    Returns:
        E.g. "Data digits; space nasnet:blocks=2; protocol digits; 9 runs; validation accuracy".
    """
    parts = []
    for column, word in (("data", "data"), ("space", "space"), ("protocol", "protocol")):
        if column in frame and (text := _names(frame[column])):
            parts.append(f"{word} {text}")
    if runs is None and "run" in frame:
        runs = int(frame["run"].nunique())
    if runs is not None:
        parts.append(f"{runs:,} {'run' if runs == 1 else 'runs'}")
    if scores:
        own = judged_by()
        named = dict.fromkeys(
            SCORE_NAMES.get(each, each) if own.is_accuracy or each not in (VAL_ACC, TEST_ACC) else own.axis(each)
            for each in scores
            if own.test or each != TEST_ACC
        )
        parts.append(" and ".join(named))
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _names(values: pd.Series) -> str:
    found = sorted({str(value).replace(",", ", ") for value in values.unique()} - {"", "nan"})
    if len(found) <= MOST_NAMES:
        return " and ".join(found)
    return f"{', '.join(found[: MOST_NAMES - 1])} and {len(found) - MOST_NAMES + 1} others"


def caption(figure: Figure, about: str, key: str = "", notes: Iterable[str] = ()) -> None:
    """Write at most two lines under a figure, and keep the whole text for the file beside it.

    Args:
        figure: the figure.
        about: what the data are, e.g. from `describe_rows`; "" for nothing.
        key: how to read the plot; sentences that do not fit are left out of the picture, the last ones first.
        notes: sentences for the text alone.
    """
    parts = [_sentence(part) for part in (about, key) if part]
    remember(figure, [*parts, *notes])
    width = int(figure.get_figwidth() * LETTERS_PER_INCH / current_page().font_scale)
    sentences = [*parts[:1], *(each for part in parts[1:] for each in re.split(r"(?<=[.!?]) (?=[A-Z])", part))]
    shown = [textwrap.wrap(" ".join(sentences[:count]), width) for count in range(len(sentences), 0, -1)]
    lines = next((each for each in shown if len(each) <= MOST_LINES), shown[-1] if shown else [])
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], textwrap.shorten(" ".join(lines[MOST_LINES - 1 :]), width, placeholder=" …")]
    if lines:
        # Names of data may contain dollar signs, which are no formulas.
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize="small", color=style.muted(), parse_math=False)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def remember(figure: Figure, lines: Iterable[str]) -> None:
    """Keep the text of a figure's caption; lines are given once each.

    Args:
        figure: the figure.
        lines: sentences.
    """
    _TEXTS[figure] = "\n".join(dict.fromkeys(line for line in lines if line))


def caption_of(figure: Figure) -> str:
    """Return the whole text of a figure's caption.

    Args:
        figure: a figure.

    Returns:
        The text; "" if the figure has no caption.
    """
    return _TEXTS.get(figure, "")
