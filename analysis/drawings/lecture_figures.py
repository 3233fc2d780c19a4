"""The figures of the lecture notes behind this suite, by their numbers.

A plug-in adds one in a file of its own (group "nasbench.figures").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nasbench.registry import Registry
from nasbench.structures import Scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.scores import Score

Needs = Literal["nothing", "perhaps runs", "runs"]


@dataclass(frozen=True)
class Searches:
    """Rows of results files: children, runs, the id of a run ("" for any), and measurements (None without).

    See `store.format.schema` for their columns.
    """

    frame: pd.DataFrame
    runs: pd.DataFrame
    run: str = ""
    measurements: pd.DataFrame | None = None


@dataclass(frozen=True)
class Drawn:
    """A figure with the rows behind it, and lines to print with it."""

    figure: Figure
    data: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LectureFigure:
    """One figure of the notes.

    Args:
        title: one line of description.
        needs: "nothing"; "runs", which must be given; or "perhaps runs", which add a panel.
        draw: function that makes it from searches, or from None if it needs none.
    """

    title: str
    needs: Needs
    draw: Callable[[Searches | None], Drawn]


FIGURES: Registry[LectureFigure] = Registry(
    "figure",
    "nasbench.figures",
    {
        "1": "nasbench.analysis.drawings.lecture_figures:LOOP",
        "2": "nasbench.analysis.drawings.lecture_figures:LAYERS",
        "3": "nasbench.analysis.drawings.lecture_figures:CIFAR",
        "4": "nasbench.analysis.drawings.lecture_figures:IMAGENET",
        "5": "nasbench.analysis.drawings.lecture_figures:CELLS",
        "6": "nasbench.analysis.drawings.lecture_figures:MULT_ADDS",
        "7": "nasbench.analysis.drawings.lecture_figures:PARAMS",
    },
)

CIFAR_SCALE = Scale(cells=6, filters=32)
LARGE_SCALE = Scale(cells=6, filters=168, image_size=331, classes=1000, stem="imagenet", skip_reduction_input=True)
MOBILE_SCALE = Scale(cells=4, filters=44, image_size=224, classes=1000, stem="imagenet")


def _loop(searches: Searches | None) -> Drawn:
    from nasbench.analysis.drawings.search_loop import chosen_run, loop_data, loop_figure
    from nasbench.scores import judging

    assert searches is not None  # needs="runs"
    run = chosen_run(searches.frame, searches.runs, searches.run)["run"]
    runs = searches.runs[searches.runs["run"] == run]  # others may be judged by other scores
    frame, score = _judged(searches, runs)
    with judging(score):
        data = loop_data(frame, runs, run)
        return Drawn(loop_figure(data), data)


def _judged(searches: Searches, runs: pd.DataFrame) -> tuple[pd.DataFrame, Score]:
    """Children of some of the runs with the score by which these are judged, and the score."""
    import pandas as pd

    from nasbench.store.format.schema import MEASUREMENT_COLUMNS
    from nasbench.store.judged import judge

    measured = searches.measurements
    if measured is None:
        measured = pd.DataFrame(columns=[column.name for column in MEASUREMENT_COLUMNS])
    return judge(searches.frame[searches.frame["run"].isin(runs["run"])], runs, measured)


def _require_accuracies(runs: pd.DataFrame) -> None:
    """Refuse runs that were judged by other scores, which have no place beside the published accuracies."""
    from nasbench.errors import InputError
    from nasbench.store.judged import stated_score

    scores = dict.fromkeys(stated_score(config) for config in dict.fromkeys(map(str, runs["config"])))
    others = [score.val for score in scores if score is not None]
    if others:
        raise InputError(
            f"this figure is of accuracies, and {'these' if None not in scores else 'some of these'} runs are judged by "
            f"{', '.join(others)}; see: nasbench pareto"
        )


def _layers(_: Searches | None) -> Drawn:
    from nasbench.analysis.drawings.architecture import architecture_figure
    from nasbench.analysis.drawings.structure_tables import structure_table
    from nasbench.spaces.genotypes import NAS_V1

    return Drawn(architecture_figure(NAS_V1, "NAS v1 (2016): kernel, filters"), structure_table(NAS_V1))


def _cells(_: Searches | None) -> Drawn:
    from nasbench.analysis.drawings.architecture import architecture_figure
    from nasbench.analysis.drawings.structure_tables import structure_table
    from nasbench.spaces.genotypes import NASNET_A

    return Drawn(architecture_figure(NASNET_A, "NASNet-A"), structure_table(NASNET_A))


def _skeletons(*scales: tuple[str, Scale]) -> Drawn:
    import pandas as pd

    from nasbench.analysis.drawings.skeletons import skeleton_data, skeleton_figure, skeleton_title
    from nasbench.spaces.genotypes import NASNET_A

    tables = [skeleton_data(NASNET_A, scale) for _, scale in scales]
    titles = [skeleton_title(name, NASNET_A, scale) for name, scale in scales]
    data = pd.concat([table.assign(network=title.split("\n")[0]) for title, table in zip(titles, tables)])
    return Drawn(skeleton_figure(list(zip(titles, tables))), data)


def _frontier(x: str, searches: Searches | None) -> Drawn:
    import pandas as pd

    from nasbench.analysis.comparison.checks import check_comparable
    from nasbench.analysis.pareto.frontier import frontier_data, plot_frontier
    from nasbench.analysis.pareto.pareto import pareto_front
    from nasbench.analysis.plotting.captions import describe_rows

    published = frontier_data(x)
    if searches is None:
        return Drawn(plot_frontier(published, x), published)
    _require_accuracies(searches.runs)
    # This compares architectures and not strategies, so budgets and charges of the searches may differ.
    notes = check_comparable(searches.frame, searches.runs, ("budget", "baseline", "children", "searcher"))
    ours = pareto_front(searches.frame, x, "val_acc")
    data = pd.concat([published.assign(panel="published"), ours.assign(panel="ours")], ignore_index=True)
    about = describe_rows(searches.frame, ("val_acc",))
    return Drawn(plot_frontier(published, x, searches.frame, notes=notes, about=about), data, notes)


LOOP = LectureFigure("the search loop, with the numbers of a run", "runs", _loop)
LAYERS = LectureFigure("a network of layers and its skips: NAS v1, figure 7 of its paper", "nothing", _layers)
CIFAR = LectureFigure(
    "how cells make a CIFAR network: NASNet-A 6@768", "nothing", lambda _: _skeletons(("NASNet-A", CIFAR_SCALE))
)
IMAGENET = LectureFigure(
    "how cells make ImageNet networks: NASNet-A 6@4032 and 4@1056",
    "nothing",
    lambda _: _skeletons(("NASNet-A", LARGE_SCALE), ("NASNet-A", MOBILE_SCALE)),
)
CELLS = LectureFigure("a normal and a reduction cell: NASNet-A", "nothing", _cells)
MULT_ADDS = LectureFigure(
    "accuracy against multiply-adds, published and ours", "perhaps runs", lambda given: _frontier("mult_adds", given)
)
PARAMS = LectureFigure(
    "accuracy against parameters, published and ours", "perhaps runs", lambda given: _frontier("params", given)
)
