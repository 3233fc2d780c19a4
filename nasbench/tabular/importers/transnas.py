"""Import of TransNAS-Bench-101 as NASLib publishes it: the validation score of every network on seven tasks.

The zip has the folder `zen`, whose files name space and task (see `naslib_blocks`); the proxy is the zen score. What it
calls val_accuracy is of another kind for each task.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.scores import HIGHER, LOWER
from nasbench.spaces import Architecture, get_space
from nasbench.store.format.quantities import Quantity
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import UNKNOWN, Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.naslib_blocks import UNDEFINED, Block, Scored, read_blocks

FORMAT: Final = "transnas"
PROTOCOL: Final = "transnas"
SPACES: Final = {"transbench101_micro": "transnas-micro", "transbench101_macro": "transnas-macro"}
_PROXY: Final = "zen"
_METHOD: Final = "NASLib"
_ZEN: Final = Quantity("zen", "", HIGHER, method=_METHOD)
_ZEN_SECONDS: Final = Quantity("zen_seconds", "s", LOWER, method=_METHOD)


@dataclass(frozen=True)
class Task:
    """A task of the benchmark.

    Args:
        says: what its score is, for people.
        epochs: epochs of its trainings.
        score: the score; None for the accuracy, which the files have in percent.
        classes: classes of a classification of whole images; 0 for other tasks, whose networks have another decoder.
    """

    says: str
    epochs: int
    score: Quantity | None = None
    classes: int = 0


_SSIM: Final = Quantity("val_ssim", "", HIGHER)
TASKS: Final = {
    "class_object": Task("accuracy of object classification", 25, classes=75),
    "class_scene": Task("accuracy of scene classification", 25, classes=47),
    "jigsaw": Task("accuracy of ordering nine tiles (1,000 permutations)", 10),
    "room_layout": Task("negative mean squared error of the room's layout", 25, Quantity("val_neg_loss", "", HIGHER)),
    "segmentsemantic": Task("pixels with the right class", 30, Quantity("val_pixels_right", "%", HIGHER)),
    "normal": Task("SSIM of surface normals", 30, _SSIM),
    "autoencoder": Task("SSIM of the reconstructed image", 30, _SSIM),
}
"""Task -> its score. Source: the released configurations (epochs, classes), and the metrics that NASLib reads."""

_NOTES: Final = (
    "{says}, on validation data, the best of {epochs} epochs; one training per network, seed unknown; zen: score of the "
    "untrained network as NASLib computed it. Networks whose graphs are isomorphic were trained apart and have one hash"
)


@describes(
    About(
        what="TransNAS-Bench-101: 4,096 cells (micro) or 3,256 networks (macro) on seven tasks of Taskonomy's images",
        command="transnas FILE.zip -o OUT.h5",
        licence="MIT (TransNAS-Bench-101); Apache-2.0 (NASLib's files)",
        size="1.0 MB (micro, 28,672 rows) or 0.9 MB (macro, 22,792 rows) as zip",
        published="https://github.com/automl/NASLib (branch zerocost), of https://github.com/yawen-d/TransNASBench",
        has=("validation score of each task in its own unit", "zen score of the untrained network with its seconds"),
        lacks=("test scores", "other metrics and epochs of the benchmark's own file", "seeds"),
        times=False,
    )
)
def import_transnas(path: str, output: str, tasks: Sequence[str] = (), take_over: bool = False) -> Imported:
    """Import the files as a new results file: one run per task, whose data set is the task.

    Args:
        path: the zip of micro or of macro.
        output: the new results file, ending in .h5.
        tasks: tasks to import, names of `TASKS`; () for all in the zip.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        UnknownName: for another task.
        MissingData: when the file does not exist or has none of the tasks.
        InputError: when it is not such a zip, a network occurs twice in a task, or the output exists.
        StoreError: when the output cannot be written.

    Source: Duan et al. 2021 (2105.11871); Krishnakumar et al. 2022, "NAS-Bench-Suite-Zero" (2210.03230) for the files.
    """
    for task in tasks:
        if task not in TASKS:
            raise UnknownName("task of TransNAS-Bench-101", task, TASKS)
    source = ImportSource.of(path, FORMAT)
    known: dict[tuple[str, str], tuple[Architecture, str]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    constant = 0
    with Collector(source) as collector:
        for block, records in read_blocks(path):
            if tasks and block.data not in tasks:
                continue
            group = _group(path, block)
            for number, record in enumerate(records):
                try:
                    architecture, digest = _architecture(known, block, record)
                    seen[block.space, block.data, str(architecture)] += 1
                    if seen[block.space, block.data, str(architecture)] > 1:
                        raise InputError(f"{architecture} occurs twice for {block.data}")
                    constant += record.score == UNDEFINED
                    scores, measured = _values(group, record)
                    scores |= _counts(architecture, block.data)
                    collector.child(group, architecture, scores, digest=digest, measured=measured)
                except InputError as error:
                    raise InputError(f"{path}: {block.name}: record {number}: {error}") from None
        done = collector.write(output, take_over)
    return replace(done, remarks=[*done.remarks, *_remarks(constant)])


def _group(path: str, block: Block) -> Group:
    if block.space not in SPACES or block.data not in TASKS or block.proxy != _PROXY:
        raise InputError(
            f"{path}: {block.name} is not of TransNAS-Bench-101: spaces are {', '.join(SPACES)}, the proxy is {_PROXY}, and "
            f"tasks are {', '.join(TASKS)}; for other proxies and data sets: nasbench import suite-zero"
        )
    task = TASKS[block.data]
    notes = _NOTES.format(says=task.says, epochs=task.epochs)
    return Group(SPACES[block.space], PROTOCOL, block.data, notes, task.epochs, "final5k", task.score)


def _architecture(
    known: dict[tuple[str, str], tuple[Architecture, str]], block: Block, record: Scored
) -> tuple[Architecture, str]:
    key = block.space, record.architecture
    if key not in known:
        space: Any = get_space(SPACES[block.space])
        architecture = space.parse(record.architecture)
        known[key] = architecture, architecture.hash
    return known[key]


def _values(group: Group, record: Scored) -> tuple[dict[str, Any], dict[Quantity, float]]:
    zen = math.nan if record.score == UNDEFINED else record.score
    measured = {_ZEN: zen, _ZEN_SECONDS: record.seconds}
    scores: dict[str, Any] = {"epochs": group.epochs, "seed": UNKNOWN}
    if group.score is None:
        return scores | {"val_acc": fraction(record.accuracy)}, measured
    return scores, {group.score: record.accuracy, **measured}


def _counts(architecture: Architecture, task: str) -> dict[str, int]:
    """Closed-form counts, for the tasks whose network is the classifier that the space builds."""
    classes = TASKS[task].classes
    if not classes:
        return {}
    space = architecture.space
    counts = space.count(architecture, replace(space.default_scale, classes=classes))
    return {"params": counts.params, "mult_adds": counts.mult_adds}


def _remarks(constant: int) -> list[str]:
    if not constant:
        return []
    return [
        f"zen is missing for {constant:,} trainings: the source has {UNDEFINED:g}, its mark of a network whose output does "
        "not depend on the image"
    ]
