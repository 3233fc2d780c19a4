"""Drawing of the search loop with the numbers of a run: proposal, training, reward, and the best child so far."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import is_replay, require_columns
from nasbench.analysis.drawings.canvas import LETTER, Canvas, paint, sized_figure
from nasbench.analysis.plotting import style
from nasbench.costs.units import device_time
from nasbench.errors import InputError
from nasbench.scores import judged_by
from nasbench.spaces import get_space
from nasbench.spaces.stored_choices import choices_of, decode_stored
from nasbench.store.format.frames import runs_named
from nasbench.store.format.schema import TABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINE = "random"  # the strategy that does not use outcomes

WIDTH, HEIGHT = 18.0, 10.6
LEFT, MIDDLE, RIGHT = 3.0, 9.0, 15.0  # centres of the boxes
TOP, CENTRE, BOTTOM = 9.2, 5.5, 1.8
LINE = 0.5  # distance between the lines of a box
_SIZES = {"params": "params", "mult_adds": "mult-adds"}
FILLS = {"strategy": "#e3def2", "architecture": "#dbe9f6", "training": "#fdebd0", "reward": "#dff0d8"}

_COLUMNS = (
    "run",
    "stage",
    "index",
    "strategy",
    "run_seed",
    "space",
    "hash",
    "choices",
    "protocol",
    "data",
    "status",
    "val_acc",
    "val_acc_best",
    "reward",
    "params",
    "mult_adds",
    "epochs",
    "train_seconds",
    "eval_seconds",
    "setup_seconds",
    "gpu_hours",
    "searcher_seconds",
    "spent_gpu_hours",
    "device",
    "counted",
)


def loop_data(frame: pd.DataFrame, runs: pd.DataFrame, run: str = "") -> pd.DataFrame:
    """Collect the data of one search's loop, one row per child.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`), with the score by which the run is judged
            (`store.judged.judge`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        run: id of the run, or its first digits; "" for the first run whose strategy learns, or else the first run.

    Returns:
        One row per child, in the order of their outcomes: run, strategy, seed, space, protocol, data, device, child
        (from 1), hash, decisions (number of decisions of the architecture), params, mult_adds, epochs, status, val_acc
        (the score, in its own direction), reward, reward_is (its definition as text, valid for every child of the run),
        seconds (training, evaluation and set-up when it was trained), gpu_hours (charged), searcher_seconds (NaN where
        they were not measured, as in replays), spent_gpu_hours (by the search so far), supernet_hours (of the whole
        run), best_so_far (score; NaN before the first), best (the child of the best one).

    Raises:
        InputError: when columns are missing, no run or several runs match `run`, or the run has no child yet.
    """
    require_columns(frame, _COLUMNS, "the children")
    require_columns(runs, ("run", "strategy", "supernet_hours"), "the runs")
    chosen = chosen_run(frame, runs, run)
    rows = frame[(frame["run"] == chosen["run"]) & (frame["stage"] == "search") & frame["counted"]]
    if rows.empty:
        raise InputError(f"the run {chosen['run']} ({chosen['strategy']}) has no child yet; see: nasbench query FILE")
    scores = rows["val_acc"].where(rows["status"] == "ok")
    # Those of replays and of imports that do not say them are stored as 0, or hold the scoring of networks alone.
    thinks = (rows["searcher_seconds"] > 0).any() and not is_replay(chosen.get("config", ""))
    data = pd.DataFrame(
        {
            **{name: rows[name] for name in ("run", "strategy")},
            "seed": rows["run_seed"],
            **{name: rows[name] for name in ("space", "protocol", "data", "device")},
            "child": np.arange(1, len(rows) + 1),
            "hash": rows["hash"],
            "decisions": [
                len(found)
                if (found := choices_of(choices)) is not None
                else len(decode_stored(get_space(space), choices).choices)  # says what is wrong
                for space, choices in zip(rows["space"], rows["choices"])
            ],
            **{name: rows[name] for name in ("params", "mult_adds", "epochs", "status", "val_acc", "reward")},
            "reward_is": reward_words(rows),
            "seconds": rows["train_seconds"] + rows["eval_seconds"] + rows["setup_seconds"],
            **{name: rows[name] for name in ("gpu_hours", "searcher_seconds", "spent_gpu_hours")},
            **({} if thinks else {"searcher_seconds": math.nan}),
            "supernet_hours": float(chosen["supernet_hours"]),
            "best_so_far": scores.cummax().ffill(),
            "best": False,
        }
    )
    if scores.notna().any():
        data.loc[scores.idxmax(), "best"] = True
    return judged_by().shown(data.reset_index(drop=True), ["val_acc", "best_so_far"])


def chosen_run(frame: pd.DataFrame, runs: pd.DataFrame, run: str = "") -> pd.Series:
    """Find the run whose loop is drawn.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        run: see `loop_data`.

    Returns:
        The row of the run.

    Raises:
        InputError: when no run or several runs match `run`.
    """
    searched = set(frame.loc[frame["stage"] == "search", "run"])
    found = runs_named(runs, run) if run else runs[runs["run"].isin(searched)]
    if found.empty:
        there = ", ".join(f"{name} ({strategy})" for name, strategy in zip(runs["run"], runs["strategy"])) or "none"
        raise InputError(f"no run {f'starts with {run!r}' if run else 'has children'}; the runs there are: {there}")
    if run and found["run"].nunique() > 1:
        raise InputError(f"several runs start with {run!r}: {', '.join(found['run'])}; give more digits")
    learning = found[found["strategy"] != BASELINE]
    return (found if learning.empty else learning).iloc[0]


def reward_words(rows: pd.DataFrame) -> str:
    """Describe the reward of a run: the power of a validation accuracy that fits all its children with scores.

    Args:
        rows: children (`store.format.schema.CHILD_COLUMNS`) of one run, with the score by which it is judged.

    Returns:
        E.g. "validation accuracy" or "best validation accuracy of the epochs, to the power 3", of another score
        "val_loss, negated"; if nothing fits, that the strategy has its own reward.
    """
    scored = rows[(rows["status"] == "ok") & rows["reward"].notna()]
    own = judged_by()
    if len(scored) and not own.is_accuracy:
        fits = np.allclose(scored["val_acc"], scored["reward"], rtol=1e-3, equal_nan=True)
        return f"{own.val}{', negated' if own.sign < 0 else ''}" if fits else "the strategy's own"
    for column, words in (
        ("val_acc", "validation accuracy"),
        ("val_acc_best", "best validation accuracy of the epochs"),
    ):
        score, reward = scored[column].to_numpy(dtype=float), scored["reward"].to_numpy(dtype=float)
        inside = (score > 0) & (score < 1) & (reward > 0)  # 0 and 1 fit every power
        if not inside.any():
            continue
        power = round(float(np.median(np.log(reward[inside]) / np.log(score[inside]))), 2)
        if np.allclose(score**power, reward, rtol=1e-3):
            return words if power == 1 else f"{words}, to the power {power:g}"
    return "the strategy's own" if len(scored) else "of children without a score: 0"


def draw_loop(data: pd.DataFrame, ax: Axes) -> None:
    """Draw the loop of strategy, architecture, training and reward with a run's numbers, and its best in the middle.

    The boxes describe the best child (the last one if none has a score) and, below it, all children.

    Args:
        data: result of `loop_data`.
        ax: one plot; its axes are hidden. Texts fit the size it has now.
    """
    canvas = Canvas()
    places = {
        "strategy": (MIDDLE, TOP, 7.2),
        "architecture": (RIGHT, CENTRE, 5.4),
        "training": (MIDDLE, BOTTOM, 7.2),
        "reward": (LEFT, CENTRE, 5.4),
    }
    words = {step: _wrapped(lines, places[step][2]) for step, lines in loop_words(data).items()}
    for step, (x, y, width) in places.items():
        _card(canvas, x, y, width, words[step], FILLS[step])
    tall = {step: LINE * len(words[step]) + 0.25 for step in places}
    half = {step: width / 2 for step, (_, _, width) in places.items()}
    x, y = MIDDLE + half["strategy"], TOP
    canvas.elbow((x, y), (RIGHT, y), (RIGHT, CENTRE + tall["architecture"] / 2), 0)
    canvas.elbow((RIGHT, CENTRE - tall["architecture"] / 2), (RIGHT, BOTTOM), (MIDDLE + half["training"], BOTTOM), 1)
    canvas.elbow((MIDDLE - half["training"], BOTTOM), (LEFT, BOTTOM), (LEFT, CENTRE - tall["reward"] / 2), 2)
    canvas.elbow((LEFT, CENTRE + tall["reward"] / 2), (LEFT, TOP), (MIDDLE - half["strategy"], TOP), 3)
    learns = data["strategy"].iloc[0] != BASELINE
    labels = (
        (RIGHT + 0.35, TOP + 0.45, "1  ask: an architecture"),
        (RIGHT + 0.35, BOTTOM - 0.45, "2  build and train it"),
        (LEFT - 0.35, BOTTOM - 0.45, "3  validate it"),
        (LEFT - 0.35, TOP + 0.45, "4  tell: update" if learns else "4  tell (it ignores it)"),
    )
    for x, y, text in labels:
        canvas.text(x, y, text, color=style.MUTED)
    em = paint([canvas.shifted(0, 0)], WIDTH, HEIGHT, ax)
    _draw_best(data, ax, em)


def loop_words(data: pd.DataFrame) -> dict[str, list[str]]:
    """Make the lines of each box: strategy, architecture, training, reward; the first line is the title.

    Args:
        data: result of `loop_data`.

    Returns:
        Box -> its lines.
    """
    first, count = data.iloc[0], len(data)
    shown = data[data["best"]].iloc[0] if data["best"].any() else data.iloc[-1]
    children = "1 child" if count == 1 else f"{count} children"
    seconds, rewards = data["seconds"].dropna(), data["reward"].dropna()
    failed = int((data["status"] != "ok").sum())
    own = 1000 * data["searcher_seconds"].mean()
    thinks = [] if math.isnan(own) else [f"thinks {_number(own)} ms per child"]
    sizes = [f"{style.short(shown[name])} {words}" for name, words in _SIZES.items() if shown[name] > 0]
    hours, unit = data["gpu_hours"].sum(min_count=1), device_time(data["device"])
    training = [
        f"child network, trained on {str(first['data']).partition(':')[0]}",
        f"protocol {first['protocol']}{_how(first['device'], shown['epochs'])}",
        f"{_number(shown['seconds'])} s; all: {_range(seconds, 's')}" if len(seconds) else "seconds not measured",
        (f"{unit} not known" if math.isnan(hours) else f"{style.short(hours)} {unit} in all")
        + (f", {failed} failed" if failed else ""),
    ]
    if first["supernet_hours"] > 0:
        training.append(f"and {style.short(first['supernet_hours'])} for shared weights")
    return {
        "strategy": [f"strategy: {first['strategy']}", f"seed {first['seed']}, {children}", *thinks],
        "architecture": [
            f"architecture {str(shown['hash'])[:8]}",
            f"child {shown['child']} of {count}",
            f"{shown['decisions']} decisions",
            "in " + first["space"].replace(",", ", "),
            *sizes,
        ],
        "training": training,
        "reward": [
            f"reward {shown['reward']:.3f}" if not math.isnan(shown["reward"]) else "reward",
            first["reward_is"],
            f"all: {_range(rewards, '')}" if len(rewards) else "none yet",
        ],
    }


def _how(device: str, epochs: float) -> str:
    """How children were trained, as far as it is known: a replay and an import do not say it."""
    known = [f"{int(epochs)} epochs"] if epochs > 0 else []
    if device == TABLE:
        known.append("from a table")
    elif device:
        known.append(f"on {device}")
    return f": {' '.join(known)}" if known else ""


def loop_figure(data: pd.DataFrame) -> Figure:
    """Make a figure of the loop of one run.

    Args:
        data: result of `loop_data`.

    Returns:
        The figure.
    """
    with style.theme():
        figure, ax = sized_figure(WIDTH, HEIGHT)
        draw_loop(data, ax)
    return figure


def _wrapped(lines: list[str], width: float) -> list[str]:
    """Wrap the lines of a box to its width in units, except the title."""
    letters = int((width - 0.2) / LETTER)
    return [lines[0], *(part for line in lines[1:] for part in textwrap.wrap(line, letters, break_long_words=False))]


def _number(value: float) -> str:
    return "?" if math.isnan(value) else style.short(value)


def _range(values: pd.Series, unit: str) -> str:
    """Text of the smallest and largest value, with the unit."""
    low, high = float(values.min()), float(values.max())
    text = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
    return f"{text} {unit}".strip()


def _card(canvas: Canvas, x: float, y: float, width: float, lines: list[str], fill: str) -> None:
    """Draw a box around lines of text, the first one bold; the text is smaller if it would not fit."""
    height = LINE * len(lines) + 0.25
    canvas.box(x, y, width, height, fill)
    room = width - 0.2
    for i, line in enumerate(lines):
        letter = LETTER * (1.15 if i == 0 else 1.0)  # bold is wider
        size = min(1.0, room / (letter * len(line)))
        at = y + height / 2 - 0.125 - LINE * (i + 0.5)
        canvas.text(x, at, line, size, weight="bold" if i == 0 else "normal")


def _draw_best(data: pd.DataFrame, ax: Axes, em: float) -> None:
    """Draw the score by child, and the best so far, in the middle of the loop."""
    from matplotlib.ticker import MaxNLocator

    inner = ax.inset_axes((6.85, 4.35, 4.55, 2.75), transform=ax.transData)
    scored = data[(data["status"] == "ok") & data["val_acc"].notna()]
    if scored.empty:
        style.say(inner, "No child has a score yet.")
        return
    look = style.look(str(data["strategy"].iloc[0]))
    inner.scatter(scored["child"], scored["val_acc"], s=14, marker=look.marker, color=look.colour, alpha=0.5, zorder=3)
    inner.step(data["child"], data["best_so_far"], where="post", color=look.colour, linewidth=1.6)
    best = data[data["best"]].iloc[0]
    score = judged_by()
    text = f"{best['val_acc']:.3f}" if score.is_accuracy else score.plain(best["val_acc"])
    best_is = "lowest" if score.sign < 0 else "best"
    inner.set_title(f"{best_is} so far: {text}", fontsize=em, color=style.INK, pad=0.35 * em)
    inner.set_xlabel("children", fontsize=0.85 * em, labelpad=2)
    words = score.words("val_acc") if score.is_accuracy else score.heading("val_acc")
    inner.set_ylabel(words, fontsize=0.85 * em, labelpad=2)
    inner.tick_params(labelsize=0.75 * em, length=2, pad=2)
    inner.set_xlim(0.5, len(data) + 0.5)
    inner.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    inner.yaxis.set_major_locator(MaxNLocator(4))
    inner.grid(visible=False)
