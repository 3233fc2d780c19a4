"""Reading results from Python: `open`, `compare`, `report`, `status`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nasbench.api.presentation import PathLike, Presented
from nasbench.errors import InputError
from nasbench.expressions.frames import kinds_of, parse_where, rows_that_hold
from nasbench.expressions.runs import RunsLeft, runs_left
from nasbench.outputs import REPORT_MARKS, ending_of, output_rules, write_output
from nasbench.scores import ACCURACY, Score, judging
from nasbench.store.judged import judge, require_both_parts
from nasbench.store.query import Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.runners.search.status import FileStatus

Paths = PathLike | Iterable[PathLike]
Axis = Literal["gpu_hours", "children", "usd", "wall"]


def open(paths: Paths) -> Results:
    """Open one or several results files for reading. As `nasbench query`.

    Args:
        paths: a file name, a pattern such as "results/*.h5", or several of either.

    Returns:
        The results; `.frame()` has one row per child, `.runs()` one row per run.

    Raises:
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> frame = nasbench.open("first.h5").frame()
        >>> frame.query("stage == 'search'").nlargest(2, "val_acc").shape[0]
        2
    """
    return Results(paths)


def runs_frame(path: PathLike) -> pd.DataFrame:
    """Read the runs of a results file.

    Args:
        path: the results file.

    Returns:
        One row per run, with the columns `store.format.schema.RUN_COLUMNS`.

    Raises:
        MissingResults, StoreError: when there is no such file, or it cannot be read.
    """
    with Results(path) as results:
        return results.runs()


@dataclass(frozen=True, eq=False)
class Comparison(Presented):
    """Result of a comparison of strategies.

    As the last value of a notebook's cell it shows the table for people, its notes and the figure.

    Args:
        table: one row per strategy, see `nasbench.analysis.comparison.compare.summarize`.
        bands: best validation accuracy so far and test accuracy by budget spent, over seeds, see
            `nasbench.analysis.comparison.bands.bands`.
        notes: facts that limit what the comparison shows.
        about: data set, space, protocol, number of runs and scores, for the figure's caption.
        score: the score by which the runs are judged.
    """

    table: pd.DataFrame
    bands: pd.DataFrame
    notes: tuple[str, ...]
    about: str = ""
    score: Score = ACCURACY

    @property
    def readable(self) -> pd.DataFrame:
        """The table for people: accuracies in % with their intervals, counts and costs."""
        from nasbench.analysis.comparison.compare import readable

        with judging(self.score):
            return readable(self.table)

    @cached_property
    def figure(self) -> Figure:
        """Validation accuracy by budget spent."""
        from nasbench.analysis.comparison.compare import plot_compare

        with judging(self.score):
            return plot_compare(self.bands, self.notes, self.about)

    def _shown(self) -> pd.DataFrame:
        return self.readable

    def _drawn(self) -> pd.DataFrame:
        return self.bands


def compare(
    paths: Paths,
    by: Axis = "gpu_hours",
    where: str | None = None,
    allow: Collection[str] = (),
    seed: int = 0,
    score: str = "val_acc",
) -> Comparison:
    """Compare strategies by budget spent: best validation accuracy, and the incumbents' test accuracy.

    As `nasbench compare`.

    Args:
        paths: results files.
        by: unit of the budget axis; children where no run says what it spent in that unit.
        where: a condition over the columns of `Results.frame()`, e.g. "strategy != 'ppo'"; None for all
            children.
        allow: checks that may fail: protocol, data, space, budget, parallelism, prices, children, duplicates, searcher,
            baseline or test.
        seed: seed of the random signs from which the simultaneous bands are made, >= 0.
        score: what runs are judged by: "val_acc" for what they state, which is accuracy usually; "val_loss", or a measured
            quantity such as "val_ssim", in its own unit and direction.

    Returns:
        The comparison: a table with one row per strategy, curves over the budget, and notes. In a notebook it shows all
        of them.

    Raises:
        InputError: when no children are left, or the rows cannot be compared.
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> comparison = nasbench.compare("first.h5", by="children")
        >>> comparison.table["strategy"].tolist()
        ['random']
    """
    from nasbench.analysis.comparison.checks import check_comparable
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.comparison.compare import anytime, bands, counted_notes, known_axis, summarize
    from nasbench.analysis.comparison.sharing import computed_once
    from nasbench.analysis.plotting.captions import describe_rows

    with Results(paths) as results:
        frame, measured = selected_children(results, where, COMPARED), results.measurements()
        runs, left_out = selected_runs(results, where, frame)
    frame, judged = judge(frame, runs, measured, score)
    require_both_parts(judged)
    with judging(judged):
        notes = (*filter(None, [left_out]), *check_comparable(frame, runs, allow), *counted_notes(frame))
        about = describe_rows(frame, ("val_acc", "test_acc"), len(runs))
        with computed_once():  # all of them need the courses of the runs
            axis, unknown = known_axis(frame, runs, by)
            table, courses = summarize(frame, runs), bands(anytime(frame, runs, axis), seed=seed)
        notes = (*notes, unknown) if unknown else notes
    return Comparison(table, courses, notes, about, judged)


def report(
    paths: Paths,
    output: PathLike | None = None,
    *,
    where: str | None = None,
    allow: Collection[str] = (),
    target: float | None = None,
    on: Sequence[str] = (),
    ran_on: str | None = None,
    best: int = 6,
    seed: int = 0,
    title: str = "",
    force: bool = False,
    score: str = "val_acc",
) -> Path:
    """Write results as one page for a person, or as Markdown. As `nasbench report`.

    The report on a complete table has its best architectures, the spread of its scores, and how well its seeds agree.

    Args:
        paths: results files.
        output: a name that ends in .html or .md; None for FILE-report.html beside the first file.
        where: as for `compare`.
        allow: as for `compare`.
        target: validation score whose cost is computed; an accuracy is in [0, 1].
        on: devices on which the same searches are estimated, e.g. ["V100", "A100"].
        ran_on: name of the device for rows that do not name one, such as those of replays.
        best: number of architectures to draw, >= 0.
        seed: seed of the bootstraps, >= 0.
        title: title of the page; "" for one that is made from the contents of the files.
        force: replace also a file that is no earlier report; a results file never is.
        score: as for `compare`.

    Returns:
        The file that was written.

    Raises:
        InputError: when no children are left, the rows cannot be compared, the output has another ending, or another file
            is there or cannot be written.
        MissingResults, StoreError: when there is no such results file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> nasbench.report("first.h5", "first.md").name
        'first.md'
    """
    from nasbench.analysis.report.contents import Selection, Wishes, columns_of
    from nasbench.analysis.report.texts import report_text
    from nasbench.provenance import utc_now
    from nasbench.runners.search.budget_of_runs import budget_in

    ending = ".html" if output is None else ending_of(output, tuple(REPORT_MARKS))
    if ran_on is not None and not on:
        raise InputError("ran_on is of estimates for other devices: name these by on, e.g. on=['A100']")
    with Results(paths) as results:
        frame = selected_children(results, where, columns_of(results.runs()))
        first = Path(results.files[0])
        runs, left_out = selected_runs(results, where, frame)
        if left_out:
            warnings.warn(left_out, stacklevel=2)
        selection = Selection.of(results, frame, runs=runs)
        judged_frame, judged = judge(selection.frame, selection.runs, selection.measurements, score)
        require_both_parts(judged)
        selection = replace(selection, frame=judged_frame)
        budget = budget_in(selection.runs, "gpu_hours")
        wishes = Wishes(title, allow, seed, best, target, tuple(on), ran_on, budget=budget)
        with judging(judged):
            text, _ = report_text(selection, wishes, "md" if ending == ".md" else "html", utc_now())
    path = Path(output) if output is not None else first.with_name(f"{first.stem}-report.html")
    with output_rules((), force):
        write_output(path, text.encode("utf-8", "backslashreplace"), REPORT_MARKS[ending])
    return path


def status(path: PathLike) -> FileStatus:
    """Read the progress of the runs of a file, also while another process writes it. As `nasbench status`.

    Args:
        path: the results file.

    Returns:
        The writing process, if there is one, and the status of every run.

    Raises:
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> [run.state for run in nasbench.status("first.h5").runs]
        ['complete']
    """
    from nasbench.runners.search.status import file_status

    return file_status(os.fspath(path))


def selected_runs(results: Results, where: str | None, children: pd.DataFrame) -> RunsLeft:
    """Select the runs that an expression over children leaves.

    Args:
        results: opened results files.
        where: the expression; None for all runs.
        children: result of `selected_children`, with the column run.

    Returns:
        The runs, and what to say of others.
    """
    begun = set() if where is None else set(results.frame(["run"])["run"])
    from nasbench.runners.search.killed_runs import runs_as_spent

    return runs_left(runs_as_spent(results), where, set(children["run"]), begun)


def selected_children(results: Results, where: str | None, columns: Sequence[str] | None) -> pd.DataFrame:
    """Read the children for which an expression holds: first the columns of the expression, then those that are wanted.

    Args:
        results: opened results files.
        where: condition over all columns of the children (see `nasbench.expressions`); None for all of them.
        columns: columns to read (`store.format.schema.CHILD_COLUMNS`); None for all.

    Returns:
        The children, at least one, numbered from 0.

    Raises:
        InputError: when the text is no condition over the columns, or no child is left.
    """
    if where is None:
        found = results.frame(columns)
    else:
        condition = parse_where(where, kinds_of(results.frame(rows=[])), "where")
        deciding = results.frame(list(condition.names) or ["stage"])
        found = results.frame(columns, rows=rows_that_hold(deciding, condition).nonzero()[0])
    if found.empty:
        raise InputError(f"no children {'match ' + repr(where) if where else 'are in the files'}")
    return found
