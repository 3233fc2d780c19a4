"""Report on a complete table: best architectures, spread of scores, noise of training, ranks by seed, device time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nasbench.analysis.plotting import style
from nasbench.analysis.report.contents import (
    Selection,
    Wishes,
    commands,
    courses_of_score,
    files,
    measured_fronts,
    provenance,
)
from nasbench.analysis.report.markdown import folded, provenance_lines, table_lines
from nasbench.analysis.report.payload import HASH_DIGITS
from nasbench.analysis.report.tables import (
    NONE,
    ReportCell,
    ReportColumn,
    ReportTable,
    count,
    heading,
    hour_unit,
    percent,
)
from nasbench.analysis.report.templates import policy, rendered
from nasbench.analysis.statistics.table_statistics import (
    CHANCE,
    architecture_means,
    distribution,
    oriented_quantiles,
    platforms,
    predictors,
    seed_agreement,
    spread,
    trainings,
)
from nasbench.errors import InputError
from nasbench.scores import judged_by
from nasbench.store.format.schema import LEDGER_CATEGORIES, REPEATABLE_STATUSES, TABLE
from nasbench.texts import markdown_text as plain

_Format = Callable[[Any], str]


def is_complete_table(runs: pd.DataFrame) -> bool:
    """Check whether all rows belong to complete tables, in which no strategy searched.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`.

    Returns:
        True if there are runs, and all are seeds of tables.
    """
    return len(runs) > 0 and bool((runs["strategy"] == TABLE).all())


@dataclass(frozen=True)
class TableContents:
    """Contents of the report on a complete table.

    Args:
        title: title of the report.
        summary: the table in one sentence.
        sections: heading -> table, in order.
        commands: result of `contents.commands`.
        provenance: result of `contents.provenance`.
        files: result of `contents.files`.
        wishes: options of the report.
    """

    title: str
    summary: str
    sections: dict[str, ReportTable]
    commands: pd.DataFrame
    provenance: pd.DataFrame
    files: pd.DataFrame
    wishes: Wishes


def table_contents(selection: Selection, wishes: Wishes | None = None) -> TableContents:
    """Compute the contents of the report on a complete table.

    Args:
        selection: rows of one complete table.
        wishes: options of the report; only title, best and command are used.

    Returns:
        The contents.

    Raises:
        InputError: when an option needs searches, the rows belong to several tables, or no row has a score.
    """
    wishes = wishes or Wishes()
    if wishes.target is not None or wishes.on:
        raise InputError(
            f"{'a target' if wishes.target is not None else 'an estimate for other devices'} needs searches, and these "
            "are rows of a complete table; search it first: nasbench replay"
        )
    frame, runs = selection.frame, selection.runs
    rows = trainings(frame)
    means = architecture_means(rows)
    measured = measured_fronts(frame, selection.measurements)
    own = judged_by()
    chance = CHANCE if own.is_accuracy else -math.inf
    agreement = pd.concat(
        [seed_agreement(rows, chance), predictors(rows, means, courses_of_score(selection))], ignore_index=True
    )
    sections = {
        "Best architectures": _best(own.shown(means.head(wishes.best), ["val_acc", "test_acc"])),
        "Spread over architectures": _table(
            own.shown(oriented_quantiles(distribution(means)), ["val_acc", "test_acc"]),
            {"quantile": ("Quantile", "{:g}".format), **_scores()},
        ),
        "Noise of training": _table(spread(rows, means), _noise()),
        f"Rank correlations of the seeds' scores, and of cheaper numbers with the mean {own.words('val_acc')}": _table(
            agreement, _RANKS
        ),
        "Platforms": _table(platforms(rows), _PLATFORMS),
        "Device time of all trainings by ledger category": _cost(frame, runs),
    }
    if len(measured):
        sections[f"Measured: fronts with {own.words('val_acc')}"] = _table(measured, _measured())
    space, data = (", ".join(dict.fromkeys(runs[name])) for name in ("space", "data"))
    return TableContents(
        title=wishes.title or f"Complete table of {space} on {data}",
        summary=table_summary(frame, runs, rows, means),
        sections=sections,
        commands=commands(runs),
        provenance=provenance(runs),
        files=files(selection.files),
        wishes=wishes,
    )


def table_summary(frame: pd.DataFrame, runs: pd.DataFrame, rows: pd.DataFrame, means: pd.DataFrame) -> str:
    """Describe a complete table in one sentence: rows, seeds, spread, best, device time, and agreement of the seeds.

    Args:
        frame: children of the table.
        runs: their runs.
        rows: result of `trainings`.
        means: result of `architecture_means`.

    Returns:
        The sentence.
    """
    seeds, failed = rows["seed"].nunique(), int((frame["status"] != "ok").sum())
    without = f", {failed:,} more without a score" if failed else ""
    own = judged_by()
    unit = " %" if own.is_accuracy else f" {own.unit}".rstrip()
    score = "test_acc" if rows["val_acc"].isna().all() else "val_acc"  # as imported tables of test scores have it
    means = own.shown(means, [score])
    low, middle, high = means[score].min(), means[score].median(), means[score].max()
    ranked = means.sort_values(score, ascending=own.sign < 0, kind="stable").iloc[0]
    parts = [
        f"{_number(len(rows), 'training')} of {_number(len(means), 'architecture')}, {_number(seeds, 'seed')}{without}",
        f"mean {own.words(score)} {percent(low)} to {percent(high)}{unit}, median {percent(middle)}{unit}",
        f"best {ranked['hash'][:HASH_DIGITS]}",
        _device_time(frame, runs),
    ]
    agreed = seed_agreement(rows, CHANCE if own.is_accuracy else -math.inf)["spearman"].dropna()
    if len(agreed):
        noise = float(spread(rows, means)["seed_noise"].iloc[0])
        span = f"{agreed.min():.2f}" if len(agreed) == 1 else f"{agreed.min():.2f} to {agreed.max():.2f}"
        parts.append(
            f"seeds of one architecture have an SD of {percent(noise)}{' points' if own.is_accuracy else unit}, and two seeds rank alike by {span} (Spearman)"
        )
    return f"{'; '.join(parts)}."


def table_cost(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add up the device time of a table's runs by ledger category.

    Args:
        frame: children of the table.
        runs: their runs.

    Returns:
        One row per category that was charged or lacks a device time: category; hours (device-hours of all runs, NaN if
        none is known); trainings (those of the category, -1 for a category of runs and not of trainings) and missing
        (how many of them have no device time).
    """
    final, repeatable = frame["stage"] == "final", frame["status"].isin(REPEATABLE_STATUSES)
    charged = frame["gpu_hours"] != 0  # an imported training with two scores is two children, of which one is charged
    members = {"training": ~final & repeatable, "failed": ~final & ~repeatable, "final": final}
    rows = []
    for category in LEDGER_CATEGORIES:
        hours, mine = float(runs[f"{category}_hours"].sum(min_count=1)), members.get(category)
        trainings = -1 if mine is None else int((mine & charged).sum())
        missing = 0 if mine is None else int(frame.loc[mine, "gpu_hours"].isna().sum())
        if missing == trainings > 0:
            hours = float("nan")
        if hours > 0 or missing:
            rows.append({"category": category, "hours": hours, "trainings": trainings, "missing": missing})
    return pd.DataFrame(rows, columns=["category", "hours", "trainings", "missing"])


def _device_time(frame: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Total device time in words, with the number of children that have none."""
    cost = table_cost(frame, runs)
    total, missing = float(cost["hours"].sum(min_count=1)), int(cost["missing"].sum())
    if total != total:
        return "device time not known"
    unit = hour_unit(pd.Series([total]), frame["device"].unique())
    without = f", and {_number(missing, 'training')} without a device time" if missing else ""
    return f"{unit.of(total)} {unit.name}{without}"


def _cost(frame: pd.DataFrame, runs: pd.DataFrame) -> ReportTable:
    cost = table_cost(frame, runs)
    total = float(cost["hours"].sum(min_count=1))
    unit = hour_unit(pd.Series([total]), frame["device"].unique())
    heads = (ReportColumn("Category", "text"), ReportColumn(unit.heading), ReportColumn("Share"))
    table = ReportTable((*heads, ReportColumn("Trainings without a device time")))
    trainings = int((frame["gpu_hours"] != 0).sum())
    named = {"category": "all", "hours": total, "trainings": trainings, "missing": int(cost["missing"].sum())}
    for row in [*cost.to_dict("records"), named]:
        share = NONE if not total > 0 or row["hours"] != row["hours"] else f"{row['hours'] / total:.1%}"
        without = NONE if row["trainings"] < 0 else f"{row['missing']:,} of {row['trainings']:,}"
        table.rows.append([ReportCell(str(each)) for each in (row["category"], unit.of(row["hours"]), share, without)])
    return table


def table_markdown(found: TableContents, now: str) -> str:
    """Make the Markdown text.

    Args:
        found: contents of the report.
        now: time of creation.

    Returns:
        GitHub-flavoured Markdown; texts from results files cannot become markup, links or mentions.
    """
    lines = [f"## {plain(found.title)}", "", plain(found.summary)]
    for section, content in found.sections.items():
        lines += ["", f"### {plain(section)}", "", *table_lines(content)]
    made = provenance_lines(found.provenance, found.files, found.commands, found.wishes.command)
    lines += ["", *folded("Provenance and commands", made)]
    return "\n".join([*lines, "", f"<sub>nasbench, {now[:16].replace('T', ' ')} UTC</sub>", ""])


def table_html(found: TableContents, now: str) -> str:
    """Make the page: tables without scripts.

    Args:
        found: contents of the report.
        now: time of creation, for the footer.

    Returns:
        A complete HTML document, which holds its styles and fetches nothing.
    """
    return rendered("complete_table.html", found=found, now=now, policy=policy(()))


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _known(value: float) -> str:
    """A count; files have -1 where it is unknown."""
    return NONE if value < 0 else count(value)


def _short(value: float) -> str:
    return NONE if value != value else f"{value:.4g}"


def _best(means: pd.DataFrame) -> ReportTable:
    return _table(
        means, {"hash": ("Architecture", lambda text: str(text)[:HASH_DIGITS]), "seeds": ("Seeds", count), **_means()}
    )


def _table(frame: pd.DataFrame, columns: dict[str, tuple[str, _Format]]) -> ReportTable:
    """Format columns of a frame: name -> heading and how a value is written."""
    kinds = [("text" if frame[name].dtype.kind not in "iufb" else "number") for name in columns]
    found = ReportTable(tuple(ReportColumn(head, kind) for (head, _), kind in zip(columns.values(), kinds)))  # type: ignore[arg-type]
    for row in frame[list(columns)].itertuples(index=False):
        found.rows.append([ReportCell(write(value)) for value, (_, write) in zip(row, columns.values())])
    return found


def _scores() -> dict[str, tuple[str, _Format]]:
    return {
        "val_acc": (heading("val_acc"), percent),
        "test_acc": (heading("test_acc"), percent),
        "params": ("Parameters", _known),
        "mult_adds": ("Multiply-adds", _known),
        "device_seconds": ("Device-seconds", _short),
    }


def _in_points() -> str:
    own = judged_by()
    return ", points" if own.is_accuracy else f", {own.unit}" if own.unit else ""


def _means() -> dict[str, tuple[str, _Format]]:
    scores = _scores()
    first = {"val_acc": scores.pop("val_acc"), "val_sd": (f"SD of seeds{_in_points()}", percent)}
    return {**first, **scores}


def _noise() -> dict[str, tuple[str, _Format]]:
    return {
        "architectures": ("Architectures", count),
        "seed_noise": (f"SD of a training{_in_points()}", percent),
        "seed_noise_top": ("... of the top tenth", percent),
        "top_sd": ("SD of the top tenth's means", percent),
        "top_range": ("Range of these means", percent),
    }


_RANKS: dict[str, tuple[str, _Format]] = {
    "score": ("Score", str),
    "n": ("Architectures", count),
    "spearman": ("Spearman", _short),
    "kendall": ("Kendall", _short),
}
_PLATFORMS: dict[str, tuple[str, _Format]] = {
    "platform": ("Platform", str),
    "trainings": ("Trainings", count),
    "architectures": ("Architectures", count),
    "device_seconds": ("Device-seconds, mean", _short),
}


def _measured() -> dict[str, tuple[str, _Format]]:
    return {
        "quantity": ("Quantity", str),
        "conditions": ("Conditions", str),
        "hash": ("Architecture", lambda text: str(text)[:HASH_DIGITS]),
        "val_acc": (heading("val_acc"), percent),
        "value": ("Value", style.short),
        "unit": ("Unit", str),
    }
